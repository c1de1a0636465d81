// SPDX-License-Identifier: Apache-2.0
// Channel<T>: a stream of messages that every subscriber sees, in order and whole. A publisher never copies more than once, and
// calls nobody unless somebody sleeps; a subscriber that is too slow learns how many messages it missed, or publishers wait for it.
// RawChannel is the same for messages of any size up to the channel's.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <comap/record.hpp>
#include <comap/ring.hpp>
#include <comap/section.hpp>

namespace comap {

inline constexpr std::uint32_t kMessageBytesMax = 1u << 27;
inline constexpr std::uint64_t kRingBytesMax = std::uint64_t{1} << 34;
inline constexpr std::uint32_t kWaitedSubscribersMax = 32;

struct ChannelOptions {
    std::uint32_t message_bytes = 1024;  // the longest message; of a Channel<T>: sizeof(T)
    std::uint64_t capacity = 1024;       // how many messages of that size are kept, at least; in batches, up to two batches fewer (CAVEATS.md)
    bool many_publishers = false;        // each publish takes a lock that survives its owner; else one handle at a time may publish, without one
    // 0: publishers never wait; who reads too slowly misses messages, and is told how many. Else they wait for up to so many
    // subscribers, the most there can be.
    std::uint32_t subscribers_waited_for = 0;
    std::chrono::nanoseconds patience = std::chrono::seconds(2);  // how long a publish waits, for others or for room, unless it has a deadline
    std::uint32_t mode = 0600;
    bool keep = false;
};

// How sending ended. Only `sent` means that the message is in.
enum class Sent : std::uint8_t { sent, timed_out, interrupted };

// How receiving ended.
enum class Reception : std::uint8_t { message, timed_out, interrupted };

struct Received {
    Reception end = Reception::timed_out;
    std::uint32_t size_bytes = 0;
    std::uint64_t missed = 0;  // messages that were overwritten before this one was read
};

// A message where it lies, until it is released.
struct Borrowed {
    Reception end = Reception::timed_out;
    std::span<const std::byte> bytes = {};
    std::uint64_t missed = 0;
};

// Messages of one size, one behind the other.
struct BorrowedBatch {
    Reception end = Reception::timed_out;
    std::uint32_t size_bytes = 0;  // of each
    std::uint32_t count = 0;
    std::uint64_t stride = 0;      // from one to the next, bytes
    const std::byte* first = nullptr;
    std::uint64_t missed = 0;
    std::span<const std::byte> message(std::uint32_t index) const { return {first + index * stride, size_bytes}; }
};

// Where a subscriber begins.
enum class From : std::uint8_t { oldest, latest, next };  // what is kept; the last message; what is published from now on

class Loan;

namespace internal {

class Ring;

// A lone sender, for sending without a call. In the process's own memory.
struct RingSender {
    RingView<RingMemory> view;
    RingOut<RingMemory> out;
    const std::uint32_t* forks = nullptr;  // counted up in every child of a fork
    std::atomic<std::uint32_t> taken{0};   // the count when the role was taken; 0: it is not
    std::uint32_t barriers_for = 0;        // the count when out.has_barriers was found
    std::uint32_t shortest = 0;            // of messages; the longest for records
    std::uint32_t usual_size = UINT32_MAX;  // of the last message, and the bytes of its frame. At first it is none that fits
    std::uint64_t usual_bytes = UINT64_MAX / 2;
    bool is_lent = false;                  // what lies behind `out` is a loan's

    // That loan's room. It is here and not in the Loan, which is moved: a copy that loads more than one store has just written waits
    // for it, and with it for every store into the ring before.
    struct Room {
        std::byte* first = nullptr;   // message
        std::uint64_t stride = 0;
        std::uint64_t at = 0;         // position of the frame
        std::uint64_t frame_bytes = 0;
        std::uint32_t size_bytes = 0;
        std::uint32_t count = 0;
        bool is_run() const { return count != 1; }
    } lent;
    Ring* ring = nullptr;  // whose it is

    [[gnu::always_inline]] bool is_ours() const { return taken.load(std::memory_order_relaxed) == *forks; }
    [[gnu::always_inline]] bool fits(std::size_t size) const { return size - shortest <= view.message_bytes - shortest; }
    // The same, and usual_bytes are those of the frame. Most messages are as long as the one before.
    [[gnu::always_inline]] bool fits_as_usual(std::size_t size) {
        if (size == usual_size) [[likely]] return true;
        if (!fits(size)) return false;
        usual_size = static_cast<std::uint32_t>(size);
        usual_bytes = view.frame_bytes(size);
        return true;
    }

    [[gnu::always_inline]] static std::uint64_t frame_bytes(const RingView<RingMemory>& view, std::uint64_t at, std::uint32_t size, std::uint32_t count) {
        return count != 1 ? view.run_bytes(at, size, count) : view.frame_bytes(size);
    }

    // The room at that position is lent. REQUIRES: it is there.
    [[gnu::always_inline]] void lend(const RingView<RingMemory> from, std::uint64_t at, std::uint32_t size, std::uint32_t count) {
        lent = {.at = at, .frame_bytes = frame_bytes(from, at, size, count), .size_bytes = size, .count = count};
        std::byte* const frame = from.data + from.place(at);
        // So that their lines are all on their way when the first is written, and the next run's first ones when that is lent. Not the
        // head's: whoever waits for it takes that back.
        if (lent.is_run() && lent.frame_bytes <= kFetchedMax) {
            const std::uint64_t end = lent.frame_bytes + (lent.frame_bytes < kFetchedBehind ? lent.frame_bytes : kFetchedBehind);
            for (std::uint64_t line = 64; line < end; line += 64) RingMemory::fetch_for_writing(from.data + from.place(at + line));
        }
        lent.first = frame + (lent.is_run() ? from.run_offset(at) : from.payload_offset);
        lent.stride = from.run_stride(size);
    }

    // A lone sender's room, if that takes no call.
    [[gnu::always_inline]] bool lend_quickly(std::uint32_t size, std::uint32_t count) {
        if (!is_ours() || is_lent || !fits(size) || count == 0) [[unlikely]] return false;
        const std::uint64_t bytes = frame_bytes(view, out.position, size, count);
        if ((count != 1 && view.run_bytes_anywhere(size, count) > view.size_bytes / 4) || !out.has_room(view, bytes)) [[unlikely]] return false;
        is_lent = true;
        lend(view, out.position, size, count);
        return true;
    }

    // What the head of a lent frame has besides its number. Returns its state.
    [[gnu::always_inline]] std::uint32_t begin_head(const RingView<RingMemory>& of, std::uint32_t size) const {
        if (!lent.is_run()) return size;
        reinterpret_cast<std::atomic<std::uint32_t>*>(&of.frame(lent.at))[2].store(lent.count, std::memory_order_relaxed);
        return size | kFrameRun;
    }

    // Commits what is lent, likewise. `is_filled`: it is the next frame, and somebody waits for it.
    [[gnu::always_inline]] bool commit_quickly(bool& is_filled) {
        is_filled = is_ours() && lent.at == out.position;
        if (!is_filled) [[unlikely]] return false;
        return out.commit(view, lent.frame_bytes, begin_head(view, lent.size_bytes), lent.count);
    }

    // Who lends long frames has the next one's room claimed while this one is on its way, not when it is asked for. Not that of a batch:
    // another may be longer than what the ring keeps besides its capacity.
    [[gnu::always_inline]] bool wants_to_claim() const { return lent.frame_bytes > kFetchedMax && !lent.is_run() && !out.has_room(view, lent.frame_bytes); }

    static constexpr std::uint64_t kFetchedMax = 4096;  // of longer ones the processor itself sees what comes next
    static constexpr std::uint64_t kFetchedBehind = 768;
};

Result<Loan> lend(Ring& ring, std::uint32_t size_bytes, std::uint32_t count, std::optional<Deadline> deadline);

}  // namespace internal

// Room for a message, or several of one size, in the channel itself. Filled, then published; or given up when it is destroyed.
// In a channel of many publishers the others wait meanwhile, and the thread that has it publishes it. At most one per handle, which
// must outlive it.
class COMAP_API Loan {
  public:
    Loan() = default;
    ~Loan() { give_up(); }
    Loan(Loan&& other) noexcept : sender_(std::exchange(other.sender_, nullptr)), generation_(other.generation_), end_(other.end_) {}
    Loan& operator=(Loan&& other) noexcept {
        if (this == &other) return *this;
        give_up();
        sender_ = std::exchange(other.sender_, nullptr);
        generation_ = other.generation_;
        end_ = other.end_;
        return *this;
    }

    Sent end() const { return end_; }
    explicit operator bool() const { return sender_ != nullptr; }
    std::span<std::byte> bytes() const { return sender_ ? message(0) : std::span<std::byte>(); }  // of the first message; what is in it now is undefined
    [[gnu::always_inline]] std::span<std::byte> message(std::uint32_t index) const { return {sender_->lent.first + index * sender_->lent.stride, sender_->lent.size_bytes}; }
    std::uint32_t count() const { return sender_ ? sender_->lent.count : 0; }
    std::uint64_t stride() const { return sender_ ? sender_->lent.stride : 0; }  // from one message to the next, bytes; for loops

    [[gnu::always_inline]] void publish() {
        if (!sender_) return;
        bool is_filled = false;
        if (generation_ != *sender_->forks || !sender_->commit_quickly(is_filled)) [[unlikely]] return publish_slowly(is_filled);
        sender_->is_lent = false;
        if (sender_->wants_to_claim()) [[unlikely]] claim_next();
        sender_ = nullptr;
    }
    void publish(std::uint32_t size_bytes);  // shorter than it was asked for; not in a batch, and no record: those stay as long
    void give_up() {
        if (sender_) end_it();
    }

  private:
    friend class RawChannel;
    friend Result<Loan> internal::lend(internal::Ring& ring, std::uint32_t size_bytes, std::uint32_t count, std::optional<Deadline> deadline);
    void publish_slowly(bool is_filled);
    void claim_next();
    void end_it();
    internal::RingSender* sender_ = nullptr;
    std::uint32_t generation_ = 0;  // of forks, when it was lent
    Sent end_ = Sent::timed_out;
};

// One reader's place in the stream. For one thread at a time, in the process that made it.
class COMAP_API RawSubscription {
  public:
    RawSubscription();
    ~RawSubscription();
    RawSubscription(RawSubscription&& other) noexcept;
    RawSubscription& operator=(RawSubscription&& other) noexcept;
    explicit operator bool() const { return ring_ != nullptr; }

    // Copies the next message out. Blocks until there is one or the deadline is over; spins first, then sleeps.
    // Errors: too_long (out is too short; the message stays), corrupt.
    [[gnu::always_inline]] Result<Received> receive(std::span<std::byte> out, Deadline deadline = Deadline::forever()) {
        std::uint32_t size = 0;
        for (bool has_spun = false; ring_ && is_ours(); has_spun = true) {
            if (in_.receive(view_, out.data(), out.size(), size)) [[likely]] {
                if (in_.position >= note_at_) [[unlikely]] note_place();
                return Received{Reception::message, size, std::exchange(missed_, 0)};
            }
            if (has_spun || in_.run_left != 0 || !spin(deadline)) break;
        }
        return receive_slowly(out, deadline);
    }

    // The next message without copying; the same again until release(). Where publishers do not wait, it may be overwritten while
    // it is looked at: release() says so. Errors: corrupt.
    Result<Borrowed> borrow(Deadline deadline = Deadline::forever()) {
        if (ring_ && (is_ready() || spin(deadline)) && view_.is_whole(in_.position)) [[likely]] return borrowed();
        return borrow_slowly(deadline);
    }

    // The same for all messages that were published as one batch, or what is left of it; released together.
    [[gnu::always_inline]] Result<BorrowedBatch> borrow_batch(Deadline deadline = Deadline::forever()) {
        Result<BorrowedBatch> batch(tl::in_place);
        if (!ring_ || !is_ours() || in_.run_left != 0 || !in_.look_for_run(view_) || !view_.is_whole(in_.position)) [[unlikely]] {
            if (!borrow_for_batch(deadline, batch)) return batch;
        }
        is_borrowed_ = true;
        batch->end = Reception::message;
        batch->first = view_.data + in_.offset;
        batch->size_bytes = in_.size;
        batch->stride = in_.stride;
        batch->count = in_.run_left != 0 ? in_.run_left : 1;
        batch->missed = std::exchange(missed_, 0);
        return batch;
    }
    [[gnu::always_inline]] bool release_batch() {
        if (!ring_ || !is_borrowed_ || in_.run_left == 0 || !is_ours() || !view_.is_whole(in_.position)) [[unlikely]] return release();
        is_borrowed_ = false;
        in_.number += in_.run_left - 1;
        in_.run_left = 1;
        advance();
        return true;
    }

    // Goes on to the message after the one that was borrowed. False: the one that was borrowed has been overwritten meanwhile; what was read of it is worth
    // nothing, and it counts as missed.
    bool release() {
        if (!ring_ || !is_borrowed_) return true;
        is_borrowed_ = false;
        const bool ready = is_ready();
        const bool whole = view_.is_whole(in_.position);
        if (ready && whole) advance();
        return whole;
    }

    // How many messages were missed in all.
    std::uint64_t missed_in_all() const { return missed_in_all_; }

    // A message is there. Errors: corrupt.
    Result<bool> has_message() {
        auto end = await(Deadline::passed());
        if (!end) return tl::unexpected<Error>(std::move(end).error());
        return *end == Reception::message;
    }

    // Blocks until a message is there.
    Result<Reception> wait(Deadline deadline) {
        if (ring_ && !is_ready()) (void)spin(deadline);
        return await(deadline);
    }

    std::uint64_t number() const { return in_.number; }  // of the next message, counted from the channel's first
    void close();

    const std::shared_ptr<internal::Ring>& ring() const { return ring_; }
    const std::shared_ptr<internal::Object>& object() const;

  private:
    friend class RawChannel;
    friend class Waitable;
    struct Place;
    struct Hooks;

    bool is_waited_for() const { return view_.claimed == nullptr; }
    bool is_ours() const { return !is_waited_for() || generation_ == *forks_; }
    [[gnu::always_inline]] bool is_ready() { return in_.look(view_) == internal::Look::message && is_ours(); }
    Borrowed borrowed() {
        is_borrowed_ = true;
        return {Reception::message, {view_.data + in_.offset, in_.size}, std::exchange(missed_, 0)};
    }
    [[gnu::always_inline]] void advance() {
        if (in_.advance(view_) && in_.position >= note_at_) [[unlikely]] note_place();
    }
    Result<Received> receive_slowly(std::span<std::byte> out, Deadline deadline);  // without spinning
    Result<Borrowed> borrow_slowly(Deadline deadline);
    bool borrow_for_batch(Deadline deadline, Result<BorrowedBatch>& batch);
    bool spin(Deadline deadline);  // a message came while looking for it, before it is worth while to sleep
    Result<Reception> await(Deadline deadline);  // without spinning
    Result<bool> look();
    Result<void> find(From from);
    bool may_ring_the_bell() const;
    void note_place();

    std::shared_ptr<internal::Ring> ring_;
    internal::RingView<internal::RingMemory> view_;
    internal::RingIn<internal::RingMemory> in_;
    std::uint64_t missed_ = 0;         // since the last message
    std::uint64_t missed_in_all_ = 0;
    std::uint64_t note_at_ = UINT64_MAX;  // the position from which on the publishers are told of our place
    std::uint64_t waited_at_ = 0;      // the number of the next message when we last found nothing
    std::uint32_t pauses_ = 1;         // before looking again
    std::uint32_t generation_ = 0;     // of forks, when it was made
    const std::uint32_t* forks_ = nullptr;
    bool is_borrowed_ = false;
    std::unique_ptr<Place> place_;
};

// A channel of messages of any size. Publishing through one handle is for one thread at a time, except in a channel of many
// publishers; subscribing is for any.
class COMAP_API RawChannel {
  public:
    RawChannel();
    ~RawChannel();
    RawChannel(RawChannel&& other) noexcept;
    RawChannel& operator=(RawChannel&& other) noexcept;

    // Errors: as Section::create.
    static Result<RawChannel> create(std::string_view name, const ChannelOptions& options = {}, Context& context = Context::standard());
    // Errors: as Section::open; layout_mismatch (not a channel; with a type: the first field that differs).
    static Result<RawChannel> open(std::string_view name, const OpenOptions& options = {}, Context& context = Context::standard());
    static Result<RawChannel> open_or_create(std::string_view name, const ChannelOptions& options = {}, Context& context = Context::standard());

    // Channels of records.
    static Result<RawChannel> create(std::string_view name, const RecordType& type, const ChannelOptions& options = {}, Context& context = Context::standard());
    static Result<RawChannel> open(std::string_view name, const RecordType& type, const OpenOptions& options = {}, Context& context = Context::standard());
    static Result<RawChannel> open_or_create(std::string_view name, const RecordType& type, const ChannelOptions& options = {}, Context& context = Context::standard());

    explicit operator bool() const { return ring_ != nullptr; }
    const std::string& name() const;
    bool was_created() const;
    const RecordType& type() const;  // of size 0 if messages may be any bytes
    std::uint32_t message_bytes() const;
    std::uint64_t ring_bytes() const;
    std::uint64_t capacity() const;  // how many messages of that length it keeps, at least: as many as were asked for, or more
    std::chrono::nanoseconds patience() const;
    bool has_many_publishers() const;
    std::uint32_t subscribers_waited_for() const;
    Result<ObjectInfo> info() const;
    Result<void> set_keep(bool keep) const;
    Result<std::uint64_t> published() const;  // messages so far
    Result<std::uint32_t> subscribers() const;  // of those that publishers wait for: how many there are

    // Publishes one message. The first publish of a handle takes the publisher's role, which the kernel takes back when the handle is
    // closed or its process ends. Blocks only where publishers wait for subscribers or for each other, until the deadline (without:
    // the channel's patience). Errors: busy (another handle has the role), too_long, invalid_argument (not a record),
    // permission_denied, corrupt. The message is in or it is not: nothing of it is seen otherwise.
    [[gnu::always_inline]] Result<Sent> publish(std::span<const std::byte> message, std::optional<Deadline> deadline = {}) const {
        if (sender_ && sender_->is_ours() && !sender_->is_lent && sender_->fits_as_usual(message.size())) [[likely]] {
            bool is_filled = false;
            if (sender_->out.send(sender_->view, message.data(), static_cast<std::uint32_t>(message.size()), sender_->usual_bytes, is_filled)) [[likely]] return Sent::sent;
            if (is_filled) return publish_filled(static_cast<std::uint32_t>(message.size()));
        }
        return publish_slowly(message, deadline);
    }
    Result<Sent> publish(std::string_view message, std::optional<Deadline> deadline = {}) const { return publish(std::as_bytes(std::span(message)), deadline); }

    // Publishes messages of one size that lie one after the other; subscribers see all of them at once, or, of more than a
    // quarter of the ring, part by part. `done`: how many are in, also after an error. Errors: as publish.
    Result<Sent> publish_batch(std::span<const std::byte> messages, std::uint32_t message_size, std::uint64_t* done = nullptr, std::optional<Deadline> deadline = {}) const;

    // Room in the channel for `count` messages of `size_bytes`. Errors: as publish; invalid_argument (more than a quarter of the
    // ring, or another loan of this handle is not done with).
    [[gnu::always_inline]] Result<Loan> loan(std::uint32_t size_bytes, std::uint32_t count = 1, std::optional<Deadline> deadline = {}) const {
        if (!sender_ || !sender_->lend_quickly(size_bytes, count)) [[unlikely]] return loan_slowly(size_bytes, count, deadline);
        Result<Loan> lent(tl::in_place);
        lent->sender_ = sender_;
        lent->generation_ = *sender_->forks;
        lent->end_ = Sent::sent;
        return lent;
    }

    // Lets another handle publish; not while a loan is neither published nor given up.
    void give_up_role() const;

    // Errors: permission_denied (a read-only handle cannot be waited for), limit_reached (publishers wait for as many as they can), corrupt.
    Result<RawSubscription> subscribe(From from = From::next) const;

    void close();
    const std::shared_ptr<internal::Object>& object() const;

  private:
    static Result<RawChannel> made(Result<std::shared_ptr<internal::Object>> object);
    Result<Sent> publish_slowly(std::span<const std::byte> message, std::optional<Deadline> deadline) const;
    Result<Sent> publish_filled(std::uint32_t size_bytes) const;
    Result<Loan> loan_slowly(std::uint32_t size_bytes, std::uint32_t count, std::optional<Deadline> deadline) const;
    Result<RawSubscription> subscribe_at_end() const;
    std::shared_ptr<internal::Ring> ring_;
    internal::RingSender* sender_ = nullptr;  // in the ring
};

// A subscription to T's.
template <Record T>
class Subscription {
  public:
    Subscription() {}
    explicit Subscription(RawSubscription&& raw) : raw_(std::move(raw)) {}
    explicit operator bool() const { return static_cast<bool>(raw_); }
    Result<Received> receive(T& out, Deadline deadline = Deadline::forever()) { return raw_.receive(std::as_writable_bytes(std::span(&out, 1)), deadline); }
    RawSubscription& raw() { return raw_; }
    const RawSubscription& raw() const { return raw_; }

  private:
    RawSubscription raw_;
};

// A channel of T's. As RawChannel, with T for bytes.
template <Record T>
class Channel {
  public:
    Channel() = default;
    static Result<Channel> create(std::string_view name, const ChannelOptions& options = {}, Context& context = Context::standard()) {
        return made([&](const RecordType& type) { return RawChannel::create(name, type, options, context); });
    }
    static Result<Channel> open(std::string_view name, const OpenOptions& options = {}, Context& context = Context::standard()) {
        return made([&](const RecordType& type) { return RawChannel::open(name, type, options, context); });
    }
    static Result<Channel> open_or_create(std::string_view name, const ChannelOptions& options = {}, Context& context = Context::standard()) {
        return made([&](const RecordType& type) { return RawChannel::open_or_create(name, type, options, context); });
    }

    explicit operator bool() const { return static_cast<bool>(raw_); }
    Result<Sent> publish(const T& message, std::optional<Deadline> deadline = {}) const { return raw_.publish(std::as_bytes(std::span(&message, 1)), deadline); }
    Result<Sent> publish(std::span<const T> messages, std::uint64_t* done = nullptr, std::optional<Deadline> deadline = {}) const {
        return raw_.publish_batch(std::as_bytes(messages), sizeof(T), done, deadline);
    }
    Result<Subscription<T>> subscribe(From from = From::next) const {
        auto raw = raw_.subscribe(from);
        if (!raw) return tl::unexpected<Error>(std::move(raw).error());
        return Subscription<T>(std::move(*raw));
    }
    const RawChannel& raw() const { return raw_; }
    void close() { raw_.close(); }

  private:
    template <typename Make>
    static Result<Channel> made(const Make& make) {
        auto type = RecordType::parse(record_format<T>());
        if (!type) return tl::unexpected<Error>(std::move(type).error());
        auto raw = make(*type);
        if (!raw) return tl::unexpected<Error>(std::move(raw).error());
        Channel channel;
        channel.raw_ = std::move(*raw);
        return channel;
    }
    RawChannel raw_;
};

}  // namespace comap
