// SPDX-License-Identifier: Apache-2.0
// A semaphore: a count of tokens between 0 and a maximum.
//
// The semaphore word (64 bits; sleepers sleep on its lower half):
//   bit 0       sleeper: somebody may be asleep. May be set with nobody asleep. Never clear with somebody asleep, unless bit 1
//               is set: then everybody was just woken.
//   bit 1       shown: see below. May be stale while bit 0 is clear; means nothing then.
//   bit 2       reserved, as in event_word.hpp. Exact while the lock word is owned, else stale.
//   bits 3..33  tokens. Exact.
//   bits 34..63 epoch: how often a token was reserved, modulo 2^30. Exact.
// While somebody may sleep (bit 0 without bit 1) the tokens are hidden: nobody takes one, and there were none when the
// sleeper went to bed. Who releases adds his tokens, still hidden, and lets the kernel set bit 1 and wake all in one step: that
// shows them. If he is killed in between, his release has not happened; whoever comes by next shows the tokens for him. Taking
// one clears both bits, since everybody is awake then.
#pragma once

#include <cstdint>

#include "sync/lock_word.hpp"

namespace comap::internal {

inline constexpr std::uint64_t kSemaphoreSleeper = 1u << 0;
inline constexpr std::uint32_t kSemaphoreShownBit = 1;
inline constexpr std::uint64_t kSemaphoreShown = 1u << kSemaphoreShownBit;
inline constexpr std::uint64_t kSemaphoreReserved = 1u << 2;
inline constexpr std::uint32_t kSemaphoreTokenShift = 3;
inline constexpr std::uint64_t kSemaphoreOneToken = 1u << kSemaphoreTokenShift;
inline constexpr std::uint32_t kSemaphoreMaximum = 0x7fff'ffffu;
inline constexpr std::uint64_t kSemaphoreOneEpoch = std::uint64_t{1} << 34;

inline std::uint32_t tokens_of(std::uint64_t word) { return static_cast<std::uint32_t>(word >> kSemaphoreTokenShift) & kSemaphoreMaximum; }
inline bool are_hidden(std::uint64_t word) { return (word & (kSemaphoreSleeper | kSemaphoreShown)) == kSemaphoreSleeper; }

inline std::uint32_t shown_tokens_of(std::uint64_t word) { return are_hidden(word) ? 0 : tokens_of(word); }

enum class Release : std::uint8_t { released, beyond_maximum, corrupt };

template <typename Machine>
struct SemaphoreWord {
    using Atom64 = typename Machine::template Atom<std::uint64_t>;
    using Atom32 = typename Machine::template Atom<std::uint32_t>;
    Atom64* word = nullptr;
    std::uint32_t maximum = 0;

    Atom32& lower_half() const { return *reinterpret_cast<Atom32*>(word); }  // little-endian
    void show() const { Machine::set_bit_and_wake_all(lower_half(), kSemaphoreShownBit); }

    // The same with everybody awake.
    static std::uint64_t awake(std::uint64_t seen) { return seen & ~(kSemaphoreSleeper | kSemaphoreShown); }

    // `before`: how many there were. REQUIRES: count > 0.
    Release release(std::uint32_t count, std::uint32_t& before) const {
        std::uint64_t seen = word->load(std::memory_order_acquire);
        for (;;) {
            const std::uint32_t tokens = tokens_of(seen);
            if (tokens > maximum) return Release::corrupt;
            if (are_hidden(seen) && tokens > 0) {  // of somebody who is about to show them, or died before he could
                show();
                seen = word->load(std::memory_order_acquire);
                continue;
            }
            if (count > maximum - tokens) return Release::beyond_maximum;
            before = tokens;
            const bool hidden = are_hidden(seen);
            const std::uint64_t wanted = (hidden ? seen : awake(seen)) + count * kSemaphoreOneToken;
            // SYNC semaphore.release: what was done before is seen by whoever gets a token; pairs with semaphore.take.
            if (!word->compare_exchange_weak(seen, wanted, std::memory_order_seq_cst, std::memory_order_acquire)) continue;
            if (hidden) show();
            return Release::released;
        }
    }

    // Taken: in `seen` there is a token, and it is shown; nobody has taken it yet.
    Take find_token(std::uint64_t& seen) const {
        for (;;) {
            const std::uint32_t tokens = tokens_of(seen);
            if (tokens > maximum) return Take::corrupt;
            if (tokens == 0) return Take::not_ready;
            if (!are_hidden(seen)) return Take::taken;
            show();
            seen = value();
        }
    }

    Take take() const {
        std::uint64_t seen = value();
        for (;;) {
            if (const Take found = find_token(seen); found != Take::taken) return found;
            if ((seen & kSemaphoreReserved) != 0) return Take::reserved;
            if (word->compare_exchange_weak(seen, awake(seen) - kSemaphoreOneToken, std::memory_order_acq_rel, std::memory_order_acquire)) return Take::taken;
        }
    }

    bool prepare(Bed<Machine>& bed) const {
        std::uint64_t seen = word->load(std::memory_order_relaxed);
        std::uint64_t asleep = seen;
        do {
            if (tokens_of(seen) > 0) return false;
            asleep = awake(seen) | kSemaphoreSleeper;
        } while (seen != asleep && !word->compare_exchange_weak(seen, asleep, std::memory_order_relaxed, std::memory_order_relaxed));
        bed = {&lower_half(), static_cast<std::uint32_t>(asleep)};
        return true;
    }

    // --- reserving, by the owner of the object's lock word
    Take reserve() const {
        std::uint64_t seen = value();
        for (;;) {
            if (const Take found = find_token(seen); found != Take::taken) return found;
            const std::uint64_t wanted = (awake(seen) | kSemaphoreReserved) + kSemaphoreOneEpoch;
            if (word->compare_exchange_weak(seen, wanted, std::memory_order_acq_rel, std::memory_order_acquire)) return Take::taken;
        }
    }
    void end_reservation(bool take) const {
        std::uint64_t seen = word->load(std::memory_order_relaxed);
        while (!word->compare_exchange_weak(seen, (seen & ~kSemaphoreReserved) - (take ? kSemaphoreOneToken : 0), std::memory_order_acq_rel,
                                            std::memory_order_relaxed)) {}
    }
    std::uint64_t value() const {
        return word->load(std::memory_order_acquire);  // SYNC semaphore.take: what those did who released is seen; pairs with semaphore.release
    }
    static bool is_reserved(std::uint64_t seen) { return (seen & kSemaphoreReserved) != 0; }
    void clear_reservation(std::uint64_t seen) const {
        word->compare_exchange_strong(seen, seen & ~kSemaphoreReserved, std::memory_order_acq_rel, std::memory_order_relaxed);
    }
};

}  // namespace comap::internal
