// SPDX-License-Identifier: Apache-2.0
// Telling others that an object changed.
//
// The change word (32 bits, in the object's header page):
//   bit 0       sleeper: somebody may be asleep on this word. May be set with nobody asleep; never clear with somebody asleep.
//   bits 1..31  version: how many changes were published, modulo 2^31. Exact.
// A waiter sets the sleeper bit by compare-and-swap on the value it saw and sleeps on exactly that value. A publisher that
// finds the bit clear adds 2 by compare-and-swap; one that finds it set lets the kernel add 2 and wake all in one step, so
// that it cannot die in between. If that woke nobody, the bit was stale: a second such step clears it (and wakes those who
// came meanwhile; they look again).
//
// The watch word (32 bits, next to it) does the same for those who watch by file descriptor:
//   bit 0       armed: somebody may be watching. May be set with nobody watching; never clear with somebody watching who has
//               not yet been sent an event for it.
//   bits 1..31  counts armings and disarmings, so that a publisher only disarms what it has sent an event for.
// A watcher arms, then reads the version; a publisher advances the version, then reads the watch word: one of them sees the
// other (both are sequentially consistent).
//
// Objects that somebody may read but not write are `always_wake`: such a reader cannot set either bit, so every publish wakes.
//
// The storing word (32 bits, in a cache line that no reader touches; of cells for one writer, who advances the version by a plain
// store: it costs a quarter of a compare-and-swap): the change word, without the sleeper bit, that the store makes which was begun
// last. The writer sets it, looks at both bits, and only then advances the version; who has set a bit has the kernel make a barrier on
// all processors before looking at this word. The version has come so far: every store from now on sees the bit. It has not: a store
// may have looked too early, and is waited for if its writer lives.
#pragma once

#include <atomic>
#include <cstdint>

#include <comap/deadline.hpp>
#include <comap/section.hpp>

#include "os/machine.hpp"
#include "sync/lock_word.hpp"

namespace comap::internal {

template <typename Machine>
struct BasicChangeWords {
    typename Machine::template Atom<std::uint32_t> change;
    typename Machine::template Atom<std::uint32_t> watch;
};
using ChangeWords = BasicChangeWords<os::Machine>;
static_assert(sizeof(ChangeWords) == 8 && std::atomic<std::uint32_t>::is_always_lock_free);

inline constexpr std::uint32_t kSleeperBit = 0;
inline constexpr std::uint32_t kSleeper = 1u << kSleeperBit;
inline constexpr std::uint32_t kOneVersion = 2;
inline constexpr std::uint32_t kVersionMask = 0x7fff'ffffu;
inline constexpr std::uint32_t kArmed = 1;
inline constexpr std::uint64_t kScratchOffsetBytes = 4068;  // in the header page; may hold anything

inline std::uint32_t version_of(std::uint32_t change_word) { return change_word >> 1; }

template <typename Machine>
std::uint32_t current_version(const BasicChangeWords<Machine>& words) {
    // SYNC change.seen: what was written before a version is seen by whoever sees the version; pairs with change.publish.
    return version_of(words.change.load(std::memory_order_acquire));
}

// Sends an event to the watchers, then disarms exactly the arming that it answered. Without an event it stays armed.
template <typename Machine>
void notify_watchers(BasicChangeWords<Machine>& words, std::uint32_t watch, int descriptor) {
    if (!Machine::touch(descriptor, kScratchOffsetBytes)) return;
    if ((watch & kArmed) != 0) words.watch.compare_exchange_strong(watch, watch + 1, std::memory_order_seq_cst, std::memory_order_relaxed);
}

// Slow half of publish: somebody sleeps, or could without our seeing it.
template <typename Machine>
void publish_and_wake(BasicChangeWords<Machine>& words, bool always_wake) {
    // SYNC change.publish: as below; the kernel's read-modify-write is a full barrier; pairs with change.seen.
    const std::uint32_t woken = Machine::add_and_wake_all(words.change, kOneVersion);
    if (woken == 0 && !always_wake) Machine::clear_bit_and_wake_all(words.change, kSleeperBit);
}

// `last` is the process's own: the word as it was after the last publish here, which is most often what it still is. Trying
// that first fetches the word's line once, for writing, and not before that for reading.
template <typename Machine>
void publish(BasicChangeWords<Machine>& words, std::atomic<std::uint32_t>& last, bool always_wake, int descriptor) {
    std::uint32_t seen = last.load(std::memory_order_relaxed);
    for (;;) {
        if (always_wake || (seen & kSleeper) != 0) [[unlikely]] {
            publish_and_wake(words, always_wake);
            break;
        }
        // SYNC change.publish: everything written before is seen with the new version; pairs with change.seen.
        if (words.change.compare_exchange_weak(seen, seen + kOneVersion, std::memory_order_seq_cst, std::memory_order_relaxed)) {
            last.store(seen + kOneVersion, std::memory_order_relaxed);
            break;
        }
    }
    // SYNC watch.look: the version is advanced before the watch word is read; pairs with watch.arm.
    const std::uint32_t watch = words.watch.load(std::memory_order_seq_cst);
    if (always_wake || (watch & kArmed) != 0) [[unlikely]] notify_watchers(words, watch, descriptor);
}

// Asks for an event at the next publish. What was published before must be looked for after this.
template <typename Machine>
void arm(BasicChangeWords<Machine>& words) {
    std::uint32_t seen = words.watch.load(std::memory_order_relaxed);
    std::uint32_t armed = 0;
    do {
        armed = (seen & kArmed) != 0 ? seen + 2 : seen + 1;
        // SYNC watch.arm: armed before the version is read; pairs with watch.look.
    } while (!words.watch.compare_exchange_weak(seen, armed, std::memory_order_seq_cst, std::memory_order_relaxed));
}

// The version, for one who has armed.
template <typename Machine>
std::uint32_t version_after_arming(const BasicChangeWords<Machine>& words) {
    // SYNC watch.arm: this load comes after the arming; pairs with watch.look.
    return version_of(words.change.load(std::memory_order_seq_cst));
}

// Of a cell for one writer, for one who has set a bit and then had a barrier made on all processors: whether a store is under
// way that may not have seen the bit.
template <typename Machine>
bool is_storing(const BasicChangeWords<Machine>& words, const typename Machine::template Atom<std::uint32_t>& storing) {
    // SYNC change.settle: looked at after the barrier; pairs with cell.storing.
    const std::uint32_t begun = storing.load(std::memory_order_seq_cst);
    const std::uint32_t now = words.change.load(std::memory_order_seq_cst) & ~kSleeper;  // read later: it may be ahead
    return static_cast<std::int32_t>(now - begun) < 0;
}

inline constexpr std::uint32_t kSpinTurns = 2000;  // some 30-40 us: about what being woken by another processor costs

// How long one looks before going to sleep. Who looks in vain again and again shares his processor with those who could bring
// something, or it comes too seldom: he looks only shortly then, and now and then as long as at first. Any thread may use it.
class SpinBudget {
  public:
    // found(): what is looked for is there. False: it is not, it is time to sleep.
    template <typename Machine, typename Found>
    bool spin(const Found& found) {
        if (!Machine::can_spin()) return false;
        const std::uint32_t vain = vain_.load(std::memory_order_relaxed);
        const std::uint32_t turns = vain < kVainAtFirst || vain % kVainBetween == 0 ? kSpinTurns : kSpinTurnsShort;
        for (std::uint32_t turn = 0; turn < turns; ++turn) {
            if (found()) {
                if (vain != 0) vain_.store(0, std::memory_order_relaxed);
                return true;
            }
            Machine::spin_pause();
        }
        vain_.store(vain + 1, std::memory_order_relaxed);
        return false;
    }

  private:
    static constexpr std::uint32_t kVainAtFirst = 2;
    static constexpr std::uint32_t kVainBetween = 16;
    static constexpr std::uint32_t kSpinTurnsShort = 50;
    std::atomic<std::uint32_t> vain_{0};
};

// Spins until the version is not `seen`; false if it still is after kSpinTurns.
template <typename Machine>
bool spin_for_change(const BasicChangeWords<Machine>& words, std::uint32_t seen) {
    if (!Machine::can_spin()) return current_version(words) != seen;
    for (std::uint32_t turn = 0; turn < kSpinTurns; ++turn) {
        if (current_version(words) != seen) return true;
        Machine::spin_pause();
    }
    return false;
}

// Makes sure that the next publish wakes who sleeps on the returned bed; false if the version is not `seen` any more.
// `may_write`: the mapping of the words is writable; else the object is always_wake.
template <typename Machine>
bool prepare_for_change(BasicChangeWords<Machine>& words, bool may_write, std::uint32_t seen, Bed<Machine>& bed) {
    std::uint32_t word = words.change.load(std::memory_order_acquire);
    do {
        if (version_of(word) != seen) return false;
        if ((word & kSleeper) != 0 || !may_write) {
            bed = {&words.change, word};
            return true;
        }
    } while (!words.change.compare_exchange_weak(word, word | kSleeper, std::memory_order_relaxed, std::memory_order_relaxed));
    bed = {&words.change, word | kSleeper};
    return true;
}

}  // namespace comap::internal
