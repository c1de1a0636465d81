// SPDX-License-Identifier: Apache-2.0
// An event: set or not. A manual one stays set until it is reset and lets everybody pass; an automatic one lets one pass, who
// resets it.
//
// The event word (32 bits):
//   bit 0      sleeper: somebody may be asleep on the word. May be set with nobody asleep. While the event is not set, never
//              clear with somebody asleep; while it is set, nobody is asleep, and the bit means nothing.
//   bit 1      set. Exact.
//   bit 2      reserved (automatic only): somebody who waits for several objects has reserved the event; see wait_all in
//              waiting.hpp. Exact while the lock word is owned, else stale.
//   bits 3..31 epoch: how often the event was reset by somebody, or (automatic) reserved, modulo 2^29. Exact.
// Setting is one compare-and-swap if nobody sleeps; else one step of the kernel sets the bit and wakes all, so that a setter
// that is killed has either not set it or has woken everyone. It wakes all, because one who was woken may be killed before he
// takes it. A waiter of a manual event who finds it reset, but the epoch advanced, was let pass too.
#pragma once

#include <cstdint>

#include "sync/lock_word.hpp"

namespace comap::internal {

inline constexpr std::uint32_t kEventSleeper = 1u << 0;
inline constexpr std::uint32_t kEventSetBit = 1;
inline constexpr std::uint32_t kEventSet = 1u << kEventSetBit;
inline constexpr std::uint32_t kEventReserved = 1u << 2;
inline constexpr std::uint32_t kEventOneEpoch = 1u << 3;

template <typename Machine>
struct EventWord {
    using Atom32 = typename Machine::template Atom<std::uint32_t>;
    Atom32* word = nullptr;

    static std::uint32_t epoch_of(std::uint32_t seen) { return seen / kEventOneEpoch; }

    // `always_wake`: there may be sleepers who cannot set their bit (they may only read).
    void set(bool always_wake) const {
        std::uint32_t seen = word->load(std::memory_order_relaxed);
        for (;;) {
            if (always_wake || (seen & (kEventSet | kEventSleeper)) == kEventSleeper) {
                // SYNC event.set: as below; the kernel's read-modify-write is a full barrier; pairs with event.take.
                Machine::set_bit_and_wake_all(*word, kEventSetBit);
                return;
            }
            // Written also if it is set already: who takes it then sees what was done before this call.
            // SYNC event.set: what was done before is seen by whoever finds it set; pairs with event.take.
            if (word->compare_exchange_weak(seen, (seen | kEventSet) & ~kEventSleeper, std::memory_order_seq_cst, std::memory_order_relaxed)) return;
        }
    }

    // False: it is reserved at this moment; nothing was done.
    bool reset() const {
        std::uint32_t seen = word->load(std::memory_order_relaxed);
        while ((seen & kEventSet) != 0) {
            if ((seen & kEventReserved) != 0) return false;
            const std::uint32_t wanted = (seen & ~(kEventSet | kEventSleeper)) + kEventOneEpoch;
            if (word->compare_exchange_weak(seen, wanted, std::memory_order_acq_rel, std::memory_order_relaxed)) return true;
        }
        return true;
    }

    // Sets it and wakes those who sleep; whether anybody did.
    bool set_for_sleepers() const { return Machine::set_bit_and_wake_all(*word, kEventSetBit) > 0; }

    // Lets everybody pass who waits for this manual event now, and leaves it reset.
    void pulse_manual() const {
        std::uint32_t seen = word->load(std::memory_order_relaxed);
        while ((seen & kEventSet) != 0)
            if (word->compare_exchange_weak(seen, (seen & ~(kEventSet | kEventSleeper)) + kEventOneEpoch, std::memory_order_acq_rel, std::memory_order_relaxed)) return;
        Machine::add_and_wake_all(*word, kEventOneEpoch);
    }

    // An automatic event: one attempt.
    Take take() const {
        // SYNC event.take: what the setter did before is seen; pairs with event.set.
        std::uint32_t seen = word->load(std::memory_order_acquire);
        while ((seen & kEventSet) != 0) {
            if ((seen & kEventReserved) != 0) return Take::reserved;
            if (word->compare_exchange_weak(seen, seen & ~(kEventSet | kEventSleeper), std::memory_order_acq_rel, std::memory_order_acquire)) return Take::taken;
        }
        return Take::not_ready;
    }

    // A manual event: whether it is set, or was since the epoch (one that is seen now by whoever has not waited yet).
    Take look(std::uint32_t epoch) const {
        const std::uint32_t seen = word->load(std::memory_order_acquire);  // SYNC event.take: as above; pairs with event.set
        return (seen & kEventSet) != 0 || epoch_of(seen) != epoch ? Take::taken : Take::not_ready;
    }

    // Makes sure that the next set wakes who sleeps on the returned bed. False: look again.
    bool prepare(Bed<Machine>& bed, bool may_write) const {
        std::uint32_t seen = word->load(std::memory_order_relaxed);
        do {
            if ((seen & kEventSet) != 0) return false;
            if ((seen & kEventSleeper) != 0 || !may_write) {
                bed = {word, seen};
                return true;
            }
        } while (!word->compare_exchange_weak(seen, seen | kEventSleeper, std::memory_order_relaxed, std::memory_order_relaxed));
        bed = {word, seen | kEventSleeper};
        return true;
    }

    bool is_set() const { return (value() & kEventSet) != 0; }
    bool has_sleepers() const { return (value() & (kEventSet | kEventSleeper)) == kEventSleeper; }  // or had

    // --- reserving, by the owner of the object's lock word
    Take reserve() const {
        std::uint32_t seen = word->load(std::memory_order_acquire);
        while ((seen & kEventSet) != 0) {  // a reservation that is there is that of somebody who died
            const std::uint32_t wanted = (seen | kEventReserved) + kEventOneEpoch;
            if (word->compare_exchange_weak(seen, wanted, std::memory_order_acq_rel, std::memory_order_acquire)) return Take::taken;
        }
        return Take::not_ready;
    }
    void end_reservation(bool take) const {
        std::uint32_t seen = word->load(std::memory_order_relaxed);
        const std::uint32_t cleared = kEventReserved | (take ? kEventSet | kEventSleeper : 0);
        while (!word->compare_exchange_weak(seen, seen & ~cleared, std::memory_order_acq_rel, std::memory_order_relaxed)) {}
    }

    // Clears the reservation of somebody who died. REQUIRES: `seen` was read before the lock word was seen without an owner.
    std::uint32_t value() const { return word->load(std::memory_order_acquire); }
    static bool is_reserved(std::uint32_t seen) { return (seen & kEventReserved) != 0; }
    void clear_reservation(std::uint32_t seen) const {
        word->compare_exchange_strong(seen, seen & ~kEventReserved, std::memory_order_acq_rel, std::memory_order_relaxed);
    }
};

}  // namespace comap::internal
