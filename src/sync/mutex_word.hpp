// SPDX-License-Identifier: Apache-2.0
// A recursive mutex: a lock word (lock_word.hpp), its owner's mark beside it, and a record in the owner's process.
//
// The mark (32 bits): kMarkTag and the owner's thread number while he has the mutex; 0 otherwise. The owner writes it right
// after taking the lock word and clears it right before giving it. So one who takes the word and finds a mark knows that the
// last owner died with it: the mutex is abandoned. One who died while he only reserved the word (wait_all) leaves no mark, and
// nothing is reported. The mark of an abandoned mutex stays until the next owner has it: it is reported once, whatever happens
// in between.
#pragma once

#include <atomic>
#include <cstdint>

#include "sync/lock_word.hpp"

namespace comap::internal {

inline constexpr std::uint32_t kMarkTag = 0xca00'0000u;  // above every thread number

// What the process of the owner knows; never in shared memory. In the child of a fork the owner's token is nobody's.
struct OwnerRecord {
    std::atomic<std::uint64_t> token{0};  // Machine::thread_token() of the owner, if it is a thread of this process
    std::atomic<std::uint32_t> number{0};  // its thread number
    std::atomic<std::uint32_t> depth{0};  // by the owner only
    std::atomic<bool> was_abandoned{false};  // when he took it; by the owner only
};

enum class Unlock : std::uint8_t { unlocked, still_locked, not_owner, corrupt };

template <typename Machine>
struct MutexWord {
    using Atom32 = typename Machine::template Atom<std::uint32_t>;
    LockWord<Machine> lock;
    Atom32* mark = nullptr;
    OwnerRecord* record = nullptr;

    bool is_mine() const { return record->token.load(std::memory_order_relaxed) == Machine::thread_token(); }

    Take take(std::uint32_t extra_bits) const {
        if (is_mine()) return lock_again();
        const Take end = lock.take(extra_bits);
        if (end == Take::taken || end == Take::taken_abandoned) return own();
        // Without a mark its owner is just coming or going, or has it reserved: not to be answered from.
        if (end == Take::not_ready && mark->load(std::memory_order_relaxed) == 0) return Take::reserved;
        return end;
    }

    Take lock_again() const {
        record->depth.store(record->depth.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        return Take::taken;
    }

    // For who has taken the lock word: makes him the owner.
    Take own() const {
        const bool abandoned = mark->load(std::memory_order_relaxed) != 0;
        mark->store(kMarkTag | Machine::thread_number(), std::memory_order_relaxed);
        record->number.store(Machine::thread_number(), std::memory_order_relaxed);
        record->depth.store(1, std::memory_order_relaxed);
        record->was_abandoned.store(abandoned, std::memory_order_relaxed);
        record->token.store(Machine::thread_token(), std::memory_order_relaxed);
        return abandoned ? Take::taken_abandoned : Take::taken;
    }

    // `as_abandoned`: the next owner is told that this one did not finish.
    Unlock unlock(bool as_abandoned = false) const {
        if (!is_mine()) return Unlock::not_owner;
        const std::uint32_t depth = record->depth.load(std::memory_order_relaxed);
        if (depth > 1) {
            record->depth.store(depth - 1, std::memory_order_relaxed);
            return Unlock::still_locked;
        }
        record->token.store(0, std::memory_order_relaxed);
        if (!as_abandoned) mark->store(0, std::memory_order_relaxed);
        return lock.give() ? Unlock::unlocked : Unlock::corrupt;
    }

    // The mark is another's than the lock word's owner. So it is for an instant after an owner has died; if it stays so,
    // somebody wrote what he should not.
    bool is_contradictory(std::uint32_t& fingerprint) const {
        const std::uint32_t owner = lock.word->load(std::memory_order_relaxed) & os::kOwnerMask;
        const std::uint32_t said = mark->load(std::memory_order_relaxed);
        fingerprint = owner ^ said;
        return owner != 0 && said != 0 && said != (kMarkTag | owner);
    }
};

}  // namespace comap::internal
