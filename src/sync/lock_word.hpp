// SPDX-License-Identifier: Apache-2.0
// A lock word whose owner may die: the kernel then hands it over and says so.
//
// The lock word (32 bits, in the last 32 bytes of a shared page; see os/robust_list.hpp for why there):
//   bits 0..29  thread number of the owner as its own kernel namespace shows it; 0 = free. Exact, and used by the kernel only:
//               whether *we* own the lock is never answered from it (numbers repeat between PID namespaces).
//   bit 30      owner died: set by the kernel, cleared by the next owner. Exact.
//   bit 31      sleepers: somebody may be asleep on the word. May be set with nobody asleep. It is clear with somebody asleep
//               only for the moment in which all sleepers have just been woken.
// Free with sleepers (bit 31 alone) is a state of its own: unlocking sets it and wakes one in a single kernel step, and the
// bit stays until such a step finds nobody. So a thread that is woken and killed before it takes the lock takes no wake with
// it as long as anyone else locks and unlocks; if nobody ever does, the others look again by themselves (kRecheck), since
// the kernel passes on only one wake per death.
//
// Who is woken and does not take the lock (he had to wait for several things, or his time was over) passes the wake on.
#pragma once

#include <chrono>
#include <cstdint>

#include "os/machine.hpp"

namespace comap::internal {

// How an attempt on one word ended.
enum class Take : std::uint8_t {
    taken,
    taken_abandoned,  // owned; the last owner died, what it protected may be half done
    not_ready,
    reserved,  // ready, but reserved by somebody who waits for several objects: not to be answered from
    corrupt,   // the words cannot have been left so by comap
    too_deep,  // this thread has locked it as often as can be counted
};

// A word to sleep on, and what it must still be: {word, seen}.
template <typename Machine>
using Bed = typename Machine::Sleep;

inline constexpr std::uint32_t kSleepersBit = 31;
inline constexpr std::uint32_t kThreadNumberMax = 1u << 22;  // the kernel's own limit
inline constexpr std::chrono::nanoseconds kRecheck = std::chrono::milliseconds(50);

inline bool is_free(std::uint32_t lock_word) { return (lock_word & os::kOwnerMask) == 0; }
inline bool is_impossible(std::uint32_t lock_word) { return (lock_word & os::kOwnerMask) > kThreadNumberMax; }

// One process's way to a lock word: the word, and the node that announces it to the kernel. The node is that of whichever
// thread of the process owns the word.
template <typename Machine>
struct LockWord {
    using Atom32 = typename Machine::template Atom<std::uint32_t>;
    Atom32* word = nullptr;
    typename Machine::Node* node = nullptr;

    // One attempt on a word that is free in `seen`. On failure `seen` is what the word was. Announced to the kernel only for
    // the moment of the attempt: were we to die while we announce a word that somebody of our number in another PID namespace
    // owns, the kernel would take it from him.
    bool try_take(std::uint32_t& seen, std::uint32_t extra_bits) const {
        const std::uint32_t mine = Machine::thread_number() | (seen & os::kSleepers) | extra_bits;
        // SYNC lock.take: what the last owner wrote is seen by the next; pairs with lock.give.
        Machine::robust_begin(node);
        const bool taken = word->compare_exchange_strong(seen, mine, std::memory_order_acquire, std::memory_order_relaxed);
        if (taken && !Machine::claim(node)) [[unlikely]] {  // the word of a living owner was overwritten: it is left as it was
            word->store(seen, std::memory_order_relaxed);
            seen = mine;
            Machine::robust_end();
            return false;
        }
        if (taken) Machine::robust_link(node);
        Machine::robust_end();
        return taken;
    }

    // Takes it if it is free. `extra_bits`: kSleepers from who has slept, for others may sleep too without their bit: a wake
    // cleared it.
    Take take(std::uint32_t extra_bits) const {
        std::uint32_t seen = word->load(std::memory_order_relaxed);
        while (is_free(seen)) {
            const bool abandoned = (seen & os::kOwnerDied) != 0;
            if (try_take(seen, extra_bits)) return abandoned ? Take::taken_abandoned : Take::taken;
        }
        return is_impossible(seen) ? Take::corrupt : Take::not_ready;
    }

    // Lets go of it; `to_all`: wakes everyone who sleeps on it, else one. False: the word is not what its owner left, and was
    // left as it is. REQUIRES: this thread has taken it.
    bool give(bool to_all = false) const {
        const std::uint32_t mine = Machine::thread_number();
        Machine::robust_begin(node);
        Machine::robust_unlink(node);
        Machine::unclaim(node);
        std::uint32_t seen = mine;
        bool is_ours = true;
        // SYNC lock.give: everything done under the lock is seen by the next owner; pairs with lock.take.
        if (!word->compare_exchange_strong(seen, 0, std::memory_order_release, std::memory_order_relaxed)) [[unlikely]]
            is_ours = give_to_sleepers(seen, mine, to_all);
        Machine::robust_end();
        return is_ours;
    }

    [[gnu::noinline]] bool give_to_sleepers(std::uint32_t seen, std::uint32_t mine, bool to_all) const {
        if (seen != (mine | os::kSleepers)) return false;
        // The kernel's read-modify-write is a full barrier: SYNC lock.give: as above; pairs with lock.take.
        if (Machine::set_to_bit_and_wake_one(*word, kSleepersBit) == 0 || to_all) Machine::clear_bit_and_wake_all(*word, kSleepersBit);
        return true;
    }

    // Makes sure that the next owner wakes who sleeps on the returned bed. False: the word is free now, look again.
    bool prepare(Bed<Machine>& bed) const {
        std::uint32_t seen = word->load(std::memory_order_relaxed);
        do {
            if (is_free(seen)) return false;
            if ((seen & os::kSleepers) != 0) break;
        } while (!word->compare_exchange_weak(seen, seen | os::kSleepers, std::memory_order_relaxed, std::memory_order_relaxed));
        bed = {word, seen | os::kSleepers};
        return true;
    }

    // For one who slept on the word and does not take it: another may have his wake.
    void pass_wake_on() const {
        if (is_free(word->load(std::memory_order_relaxed))) Machine::wake(*word, false);
    }
};

}  // namespace comap::internal
