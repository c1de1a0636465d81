// SPDX-License-Identifier: Apache-2.0
// Who has which message of a queue: a ring of frames (ring_words.hpp) whose frames have a third word, the holder:
//
//   bits 0..15   0: nobody, it waits; 1 and up: the taker whose place that is, + 1; 0xffff: done, it can be overwritten
//   bits 16..31  how often it was taken, at most 65535
//
// One store is every step of a message's life, so that a taker may die anywhere: of that word; or of `freed`, where the first of all
// messages is taken for good, so that its lines stay where they are, and its sender gets them back at once. Both change under the
// takers' lock only. What else is written down (where to go on, how many are held or given back) can be found out from the frames,
// and is when an owner of the lock has died.
//
// A taker who sees without the lock that nothing waits, and that nothing is held or was given back, sleeps until something is pushed.
// So both counts are one word, and what is written down is changed in such an order that it never says so while an owner who dies
// there leaves anything to do: a message is counted before it is behind `taken`, and is so until its room is free; and where `freed` is
// beyond `taken`, an owner is between the two, or died there.
#pragma once

#include <cstdint>

#include "sync/ring_words.hpp"

namespace comap::internal {

inline constexpr std::uint32_t kNobody = 0;
inline constexpr std::uint32_t kDone = 0xffff;
inline constexpr std::uint32_t holder_of(std::uint32_t word) { return word & 0xffff; }
inline constexpr std::uint32_t takings_of(std::uint32_t word) { return word >> 16; }

// A message in the queue.
struct Queued {
    std::uint64_t position = 0;  // of its frame
    std::uint64_t next = 0;      // of the one behind
    std::uint32_t size = 0;
    std::uint32_t word = 0;      // the holder word as it was
};

struct QueueTally {
    std::uint32_t held = 0;
    std::uint32_t returned = 0;
};

// REQUIRES, but where it says otherwise: the takers' lock.
template <typename Machine>
struct QueueWords {
    using Ring = RingWords<Machine>;
    using Atom32 = typename Machine::template Atom<std::uint32_t>;
    const Ring* ring = nullptr;

    Atom32& holder(std::uint64_t position) const { return reinterpret_cast<Atom32*>(&ring->view.frame(position))[2]; }

    // Without the lock, too.
    QueueTally tally() const {
        const std::uint64_t counts = ring->control->counts.load(std::memory_order_seq_cst);
        return {static_cast<std::uint32_t>(counts), static_cast<std::uint32_t>(counts >> 32)};
    }

    // Without the lock: nothing is to be had, as far as can be seen.
    bool looks_empty() const {
        const std::uint64_t position = first_not_taken();
        const QueueTally now = tally();
        if (now.held != 0 || now.returned != 0 || !ring->is_possible(position)) return false;
        // SYNC queue.empty: the frame before where it begins; pairs with queue.taken, queue.overwrites.
        return (ring->view.frame(position).state.load(std::memory_order_acquire) & kFrameReady) == 0 && is_next(position);
    }

    // Without the lock, after looking at the frame at `position`: that is still where what was never taken begins.
    bool is_next(std::uint64_t position) const {
        // SYNC queue.empty: what is behind `taken` is counted; pairs with queue.taken, queue.overwrites.
        return ring->control->taken.load(std::memory_order_acquire) == position && ring->control->freed.load(std::memory_order_relaxed) <= position;
    }

    // The message at that place. nothing: none was pushed there yet; `position` then is where it will be seen.
    Look at(std::uint64_t position, Queued& queued) const {
        const auto& view = ring->view;
        if (!ring->is_possible(position)) return Look::strange;
        std::uint32_t state = view.frame(position).state.load(std::memory_order_acquire);  // SYNC ring.look: pairs with ring.commit.
        queued.position = position;
        if ((state & kFrameReady) == 0) return Look::nothing;
        if ((state & kFramePad) != 0) {
            if (view.place(position) == 0) return Look::strange;
            queued.position = position = view.next_lap(position);
            state = view.frame(position).state.load(std::memory_order_acquire);  // SYNC ring.look: pairs with ring.commit.
            if ((state & kFrameReady) == 0) return Look::strange;
        }
        queued.size = state & kFrameSizeMask;
        if ((state & (kFramePad | kFrameRun)) != 0 || queued.size > view.message_bytes || !view.fits_lap(position, view.frame_bytes(queued.size))) return Look::strange;
        queued.next = position + view.frame_bytes(queued.size);
        queued.word = holder(position).load(std::memory_order_relaxed);
        return Look::message;
    }

    // The message whose turn it is: one that was given back, else the first that was never taken.
    Look find(Queued& queued) const {
        auto& control = *ring->control;
        if (const QueueTally now = tally(); now.returned != 0) {
            const Look look = find_returned(queued);
            if (look != Look::nothing) return look;
            set_tally({now.held, 0});
        }
        const Look look = at(control.taken.load(std::memory_order_relaxed), queued);
        return look == Look::message && queued.word != 0 ? Look::strange : look;
    }

    // `taker`: a place + 1, or kDone, once it was copied.
    void take(const Queued& queued, std::uint32_t taker) const {
        const bool was_returned = takings_of(queued.word) != 0;
        if (taker == kDone && !was_returned && ring->control->freed.load(std::memory_order_relaxed) == queued.position) [[likely]] return take_front(queued.next);
        const std::uint32_t takings = takings_of(queued.word) < 0xffff ? takings_of(queued.word) + 1 : 0xffff;
        holder(queued.position).store(takings << 16 | taker, std::memory_order_release);
        if (taker != kDone) count(1, was_returned ? -1 : 0);
        // SYNC queue.taken: counted before; pairs with queue.empty.
        if (!was_returned) ring->control->taken.store(queued.next, std::memory_order_release);
        if (taker != kDone) return;
        free_front(first_not_taken());
        if (was_returned) count(0, -1);
    }

    // The taker has done with it. False: it is not his (any more).
    bool confirm(std::uint64_t position, std::uint32_t taker) const {
        if (!leave(position, taker, kDone)) return false;
        free_front(first_not_taken());
        count(-1, 0);
        return true;
    }
    bool give_back(std::uint64_t position, std::uint32_t taker) const {
        if (!leave(position, taker, kNobody)) return false;
        count(-1, 1);
        return true;
    }

    // Gives back what is held by places for which is_dead(place) is true.
    template <typename IsDead>
    bool give_back_of_dead(const IsDead& is_dead) const {
        return for_each([&](const Queued& queued) {
            const std::uint32_t taker = holder_of(queued.word);
            if (taker != kNobody && taker != kDone && is_dead(taker - 1)) give_back(queued.position, taker);
        });
    }

    // Without the lock, for one who has just let go of it: tells senders who wait for room. They would come for every message, and soon wait again:
    // they are told when all that they claimed has room, or when no message is left whose taker could tell them. Else they find out
    // themselves, for no wait for room is long.
    void tell_of_room_after_unlocking() const {
        // SYNC ring.told: letting go is a read-modify-write: what was freed is seen before we look who waits; pairs with ring.full.
        Machine::Memory::barrier_after_update();
        if (!ring->senders_wait()) [[likely]] return;
        const auto& control = *ring->control;
        const std::uint64_t taken = first_not_taken();
        const bool is_little = control.freed.load(std::memory_order_relaxed) + ring->view.size_bytes < control.claimed.load(std::memory_order_relaxed);
        const bool is_left = ring->is_possible(taken) && (ring->view.frame(taken).state.load(std::memory_order_relaxed) & kFrameReady) != 0;
        if (!is_little || !is_left) publish_and_wake(ring->control->space, false);
    }

    // After an owner of the lock has died: finds out anew what is written down. False: damaged.
    bool repair() const {
        auto& control = *ring->control;
        QueueTally found;
        Queued queued;
        std::uint64_t position = control.freed.load(std::memory_order_relaxed);
        for (std::uint64_t steps = 0; steps <= most_steps(); ++steps) {
            const Look look = at(position, queued);
            if (look == Look::strange) return false;
            if (look == Look::nothing || queued.word == 0) {
                free_front(position);
                set_tally(found);
                control.taken.store(position, std::memory_order_release);  // SYNC queue.taken: as in take(); pairs with queue.empty.
                return true;
            }
            if (holder_of(queued.word) == kNobody) ++found.returned;
            else if (holder_of(queued.word) != kDone) ++found.held;
            position = queued.next;
        }
        return false;
    }

    // Visits what was taken and not freed, and, with `also_waiting`, what was not taken. False: damaged.
    template <typename Visit>
    bool for_each(const Visit& visit, bool also_waiting = false) const {
        Queued queued;
        std::uint64_t position = ring->control->freed.load(std::memory_order_relaxed);
        for (std::uint64_t steps = 0; steps <= most_steps(); ++steps) {
            const Look look = at(position, queued);
            if (look != Look::message) return look == Look::nothing;
            if (queued.word == 0 && !also_waiting) return true;
            visit(queued);
            position = queued.next;
        }
        return false;
    }

  private:
    std::uint64_t first_not_taken() const { return ring->control->taken.load(std::memory_order_relaxed); }
    std::uint64_t most_steps() const { return ring->view.size_bytes / 16; }

    Look find_returned(Queued& queued) const {
        std::uint64_t position = ring->control->freed.load(std::memory_order_relaxed);
        for (std::uint64_t steps = 0; steps <= most_steps(); ++steps) {
            const Look look = at(position, queued);
            if (look != Look::message) return look;
            if (queued.word == 0) return Look::nothing;
            if (holder_of(queued.word) == kNobody) return Look::message;
            position = queued.next;
        }
        return Look::strange;
    }

    // The first of all messages, for good. `next`: the one behind.
    void take_front(std::uint64_t next) const {
        free_up_to(next);
        // SYNC queue.taken: freed before; pairs with queue.empty.
        ring->control->taken.store(next, std::memory_order_release);
    }

    bool leave(std::uint64_t position, std::uint32_t taker, std::uint32_t to) const {
        const std::uint32_t word = holder(position).load(std::memory_order_relaxed);
        if (holder_of(word) != taker) return false;
        holder(position).store((word & ~0xffffu) | to, std::memory_order_release);
        return true;
    }

    void set_tally(const QueueTally& now) const { ring->control->counts.store(std::uint64_t{now.returned} << 32 | now.held, std::memory_order_seq_cst); }
    void count(int held, int returned) const {
        const QueueTally now = tally();
        set_tally({now.held + static_cast<std::uint32_t>(held), now.returned + static_cast<std::uint32_t>(returned)});
    }

    // `taken`: where what was never taken begins. It is not looked at: that is the senders' line.
    void free_front(std::uint64_t taken) const {
        auto& control = *ring->control;
        const std::uint64_t before = control.freed.load(std::memory_order_relaxed);
        std::uint64_t position = before;
        Queued queued;
        for (std::uint64_t steps = 0; steps <= most_steps() && position != taken && at(position, queued) == Look::message && holder_of(queued.word) == kDone; ++steps) position = queued.next;
        if (position != before) free_up_to(position);
    }
    void free_up_to(std::uint64_t position) const {
        ring->control->freed.store(position, std::memory_order_release);  // SYNC ring.done: what was read was read before; pairs with ring.room.
    }
};

}  // namespace comap::internal
