// SPDX-License-Identifier: Apache-2.0
// A recursive mutex: a lock word (lock_word.hpp), its owner's mark beside it, and a record in the owner's process.
//
// The mark (32 bits): kMarkTag and the owner's thread number while he has the mutex; 0 otherwise. The owner writes it right
// after taking the lock word and clears it right before giving it. So one who takes the word and finds a mark knows that the
// last owner died with it: the mutex is abandoned. One who died while he only reserved the word (wait_all) leaves no mark, and
// nothing is reported. The mark of an abandoned mutex stays until the next owner has it: it is reported once, whatever happens
// in between. (Unlocked as abandoned, it is kMarkTag alone.)
#pragma once

#include <atomic>
#include <cstdint>

#include "sync/lock_word.hpp"

namespace comap::internal {

inline constexpr std::uint32_t kMarkTag = 0xca00'0000u;  // above every thread number

// What the process of the owner knows; never in shared memory. In the child of a fork the owner's token is nobody's.
struct OwnerRecord {
    std::atomic<std::uint64_t> token{0};  // Machine::thread_token() of the owner, if it is a thread of this process
    std::atomic<std::uint32_t> depth{0};  // how often he has locked it, and kWasAbandoned; by the owner only
};
inline constexpr std::uint32_t kWasAbandoned = 1u << 31;  // so it was when he took it
inline constexpr std::uint32_t kGivesUp = 1u << 30;       // he has unlocked it as abandoned, and still has it
inline constexpr std::uint32_t kDepthMask = kGivesUp - 1;

enum class Unlock : std::uint8_t { unlocked, still_locked, not_owner, corrupt };

template <typename Machine>
struct MutexWord {
    using Atom32 = typename Machine::template Atom<std::uint32_t>;
    LockWord<Machine> lock;
    Atom32* mark = nullptr;
    OwnerRecord* record = nullptr;

    bool was_abandoned() const { return (record->depth.load(std::memory_order_relaxed) & kWasAbandoned) != 0; }
    bool is_mine() const { return record->token.load(std::memory_order_relaxed) == Machine::thread_token(); }

    // The usual case alone, for speed: free, with nobody asleep, and not abandoned. False: nothing was done.
    [[gnu::always_inline]] bool take_if_quiet() const {
        std::uint32_t seen = 0;
        const std::uint64_t token = Machine::thread_token();
        const std::uint32_t number = Machine::thread_number();
        if (lock.word->load(std::memory_order_relaxed) != 0 || record->token.load(std::memory_order_relaxed) != 0) return false;
        if (mark->load(std::memory_order_relaxed) != 0 || !lock.try_take(seen, 0)) return false;
        if (mark->load(std::memory_order_relaxed) != 0) {  // it came and went meanwhile, and is abandoned
            lock.give();
            return false;
        }
        own(token, number);
        return true;
    }

    Take take(std::uint32_t extra_bits) const {
        if (is_mine()) return lock_again();
        if (is_taken_from_us()) return Take::reserved;
        const Take end = lock.take(extra_bits);
        if (end == Take::taken || end == Take::taken_abandoned) return own();
        return end == Take::not_ready ? refusal() : end;
    }
    // The word is free, but a living thread of this process owns it: somebody wrote over it. Then nobody here may take it: the
    // node is on that thread's list. (For a moment it is so after a thread has ended; callers look again.)
    bool is_taken_from_us() const {
        // SYNC record.look: an owner that gave the word has cleared its record before; pairs with lock.give.
        if (!is_free(lock.word->load(std::memory_order_acquire))) return false;
        const std::uint64_t owner = record->token.load(std::memory_order_relaxed);
        return owner != 0 && owner != Machine::thread_token() && Machine::is_alive(owner);
    }

    // Without the owner's mark he is just coming or going, or has it reserved: not to be answered from.
    Take refusal() const {
        const std::uint32_t owner = lock.word->load(std::memory_order_relaxed) & os::kOwnerMask;
        return owner != 0 && mark->load(std::memory_order_relaxed) == (kMarkTag | owner) ? Take::not_ready : Take::reserved;
    }

    Take lock_again() const {
        if (is_at_limit()) return Take::too_deep;
        record->depth.store(record->depth.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        return Take::taken;
    }

    bool is_at_limit() const { return (record->depth.load(std::memory_order_relaxed) & kDepthMask) == kDepthMask; }

    // For who has taken the lock word: makes him the owner.
    Take own(std::uint64_t token = Machine::thread_token(), std::uint32_t number = Machine::thread_number()) const {
        const bool abandoned = mark->load(std::memory_order_relaxed) != 0;
        mark->store(kMarkTag | number, std::memory_order_relaxed);
        std::atomic_signal_fence(std::memory_order_seq_cst);  // before anything the owner does: for the one who finds the mark after a kill
        record->depth.store(abandoned ? 1 | kWasAbandoned : 1, std::memory_order_relaxed);
        record->token.store(token, std::memory_order_relaxed);
        return abandoned ? Take::taken_abandoned : Take::taken;
    }

    // `as_abandoned`: the next owner is told that this one did not finish.
    [[gnu::always_inline]] Unlock unlock(bool as_abandoned = false) const {
        const std::uint64_t token = Machine::thread_token();
        if (record->token.load(std::memory_order_relaxed) != token) return Unlock::not_owner;
        const std::uint32_t depth = record->depth.load(std::memory_order_relaxed);
        if ((depth & kDepthMask) > 1) {
            record->depth.store((depth - 1) | (as_abandoned ? kGivesUp : 0), std::memory_order_relaxed);
            return Unlock::still_locked;
        }
        as_abandoned = as_abandoned || (depth & kGivesUp) != 0;
        record->token.store(0, std::memory_order_relaxed);
        std::atomic_signal_fence(std::memory_order_seq_cst);  // after everything the owner did
        mark->store(as_abandoned ? kMarkTag : 0, std::memory_order_relaxed);
        return lock.give() ? Unlock::unlocked : Unlock::corrupt;
    }

    // The mark is another's than the lock word's owner. So it is for an instant after an owner has died; if it stays so,
    // somebody wrote what he should not.
    bool is_contradictory() const {
        if (is_taken_from_us()) return true;
        const std::uint32_t owner = lock.word->load(std::memory_order_relaxed) & os::kOwnerMask;
        const std::uint32_t said = mark->load(std::memory_order_relaxed);
        return owner != 0 && said != 0 && said != (kMarkTag | owner);
    }
};

}  // namespace comap::internal
