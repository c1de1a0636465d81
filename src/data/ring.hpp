// SPDX-License-Identifier: Apache-2.0
// A ring of frames in an object: what channels and queues share. Who may send, room for what is sent, committing it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include <comap/channel.hpp>
#include <comap/record.hpp>

#include "data/held_byte.hpp"
#include "object/object.hpp"
#include "sync/ring_words.hpp"
#include "sync/robust_lock.hpp"

namespace comap::internal {

inline constexpr std::uint64_t kPlaceByte = 16;  // of the object's file: the first of kRingPlacesMax, whose write locks are subscribers' or takers' places

// What is asked of a new channel or queue.
struct NewRing {
    Layout layout = Layout::channel;
    std::uint32_t message_bytes = 0;
    std::uint64_t capacity = 0;  // messages of that size
    std::uint32_t place_count = 0;
    bool many_senders = false;
    std::chrono::nanoseconds patience{};
    std::uint32_t mode = 0600;
    bool keep = false;
    const RecordType* type = nullptr;
};
Result<std::shared_ptr<Object>> create_ring(Namespaces& namespaces, std::string_view name, const NewRing& ring, bool or_open);

// One handle's way to the ring. Subscriptions made from the handle share it.
class Ring {
  public:
    using Words = RingWords<os::Machine>;
    using Floor = std::uint64_t (*)(const Words&);

    // Errors: layout_mismatch, corrupt, no_space.
    static Result<std::shared_ptr<Ring>> map(std::shared_ptr<Object> object, Layout layout);

    const std::shared_ptr<Object>& object() const { return object_; }
    std::string noun() const;  // "the channel 'x'"
    const RecordType& type() const { return type_; }
    const Words& words() const { return words_; }
    RingControl& control() const { return *words_.control; }
    bool has_many_senders() const { return object_->header().has(kFlagManyWriters); }
    std::uint32_t place_count() const { return object_->header().slot_count; }
    tl::unexpected<Error> corrupt(std::string_view what) const;
    Result<void> check_message(std::size_t size_bytes) const;
    std::chrono::nanoseconds patience() const;
    std::uint64_t capacity() const;  // of the longest messages, at least; as a new ring's, it gives one of this size

    // All that follows, for a message that is copied.
    Result<Sent> send(std::span<const std::byte> message, std::optional<Deadline> deadline);

    // --- sending. Only between begin(), if that says sent, and end().
    Result<Sent> begin(std::optional<Deadline> deadline);  // none: the patience
    void end();
    // Waits until a frame of so many bytes fits; `at`: where it will be. A dead place that is in the way is emptied.
    Result<Sent> reserve(std::uint64_t bytes, std::optional<Deadline> deadline, std::uint64_t& at);
    // Claims the room of the next frame, which has so many bytes, if it is there already.
    void claim_ahead(std::uint64_t bytes) { words_.claim_ahead(sender.out, bytes, floor); }
    // What a frame has besides its message is written.
    void prepare_frame(std::uint64_t at) const {
        if (floor != &Words::first_not_freed) return;
        // SYNC queue.overwrites: who sees what is written here now sees that the room was free; pairs with queue.empty.
        std::atomic_thread_fence(std::memory_order_release);
        // A queue's frame has a holder: nobody.
        reinterpret_cast<std::atomic<std::uint32_t>*>(&words_.view.frame(at))[2].store(0, std::memory_order_relaxed);
    }
    // The frame at `at` is filled but for its first 8 bytes.
    void commit(std::uint64_t at, std::uint64_t bytes, std::uint32_t state, std::uint32_t count);
    // After RingOut::commit or send has said that somebody waits.
    void commit_for_waiters(std::uint64_t bytes, std::uint32_t count);

    RingSender sender;  // of a lone sender, for sending without a call; also what is used under the lock

    // Room is lent, to this thread or to a lone sender, and neither published nor given up.
    bool is_lent_to_us() const {
        if (!has_many_senders()) return sender.is_ours() && sender.is_lent;
        const auto lent_to = lent_to_.load(std::memory_order_relaxed);
        return lent_to != 0 && lent_to == os::thread_token();
    }
    void set_lent(bool lent) {
        if (has_many_senders()) lent_to_.store(lent ? os::thread_token() : 0, std::memory_order_relaxed);
        else sender.is_lent = lent;
    }

    // Lets another be the lone sender.
    void give_up_role();

    // For a taker who is about to sleep: rings the bell while no sender is at work, if such a moment comes soon. Else Words::prepare
    // has the kernel make a barrier, which interrupts every processor. Not for subscribers: nobody but senders is to delay senders there.
    // REQUIRES: he may write; many senders.
    void settle_bell();

    // A sender lives who could be about to commit.
    bool has_sender() const;

    // For one who has armed the watch word: waits until every sender who may not have seen it has committed, or is dead. False: that
    // cannot be had here.
    bool settle_after_arming(std::uint64_t position) const;

    // Empties a place whose owner is dead. True: it was, or is empty.
    bool empty_if_dead(std::uint32_t place);

    Floor floor = &Words::lowest_place;

    void tell_watchers();

  private:
    bool send_at_once(std::span<const std::byte> message);  // the usual case of send(), of many senders
    Result<void> take_role();
    Result<Ended> lock(std::optional<Deadline> deadline);
    Result<Sent> wait_for_room(std::uint64_t bytes, Deadline deadline);

    std::shared_ptr<Object> object_;
    RecordType type_;
    HeaderPage* page_ = nullptr;
    os::Mapping map_;
    Words words_;
    HeldByte role_;
    RobustLockOnDemand lock_;         // many senders
    std::atomic<std::uint64_t> lent_to_{0};  // many senders: the token of the thread, which no forked child has
    SpinBudget spins_;                // for room
    HeldByte burial_;                 // of a dead owner's place, while it is emptied
};

}  // namespace comap::internal
