// SPDX-License-Identifier: Apache-2.0
// One process's way to one lock word (lock_word.hpp) in a file: its page mapped, with a private page behind.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>

#include <comap/deadline.hpp>

#include "os/map.hpp"
#include "sync/waiting.hpp"

namespace comap::internal {

// Any thread may lock; the one that did unlocks. Not recursive. REQUIRES: it lives until every thread that locked it has
// unlocked it or ended (the kernel reads its pages when such a thread dies).
class RobustLock {
  public:
    RobustLock() = default;
    RobustLock(RobustLock&&) = default;
    RobustLock& operator=(RobustLock&&) = default;

    // The word at page_offset + page size - 32 of the file. Errors (as errno): EOPNOTSUPP in 32-bit programs and on systems
    // whose pages are not 4 KiB.
    static os::OsResult<RobustLock> attach(int descriptor, std::uint64_t page_offset_bytes);

    Ended try_lock();  // timed_out: another has it
    // The usual case, without a call: nobody has it, sleeps for it, or died with it.
    [[gnu::always_inline]] bool lock_at_once() {
        std::uint32_t seen = word_.word->load(std::memory_order_relaxed);
        return seen == 0 && word_.try_take(seen, 0);
    }
    Ended lock(Deadline deadline);
    bool unlock() { return word_.give(); }  // false: somebody wrote over the word, which was left as it is. REQUIRES: this thread has locked it

  private:
    explicit RobustLock(os::Mapping mapping);

    os::Mapping mapping_;  // the shared page, then a private one with the list node
    LockWord<os::Machine> word_;
};

// One that is attached when it is first wanted: most handles never lock. Any number of threads may ask at once.
class RobustLockOnDemand {
  public:
    // nullptr: not attached yet.
    RobustLock* known() const { return attached_.load(std::memory_order_acquire); }  // SYNC on_demand.use: pairs with on_demand.made.

    os::OsResult<RobustLock*> get(int descriptor, std::uint64_t page_offset_bytes) {
        if (RobustLock* const one = known()) [[likely]] return one;
        return attach(descriptor, page_offset_bytes);
    }

    // REQUIRES: get() has given one.
    RobustLock& operator*() { return *lock_; }

  private:
    os::OsResult<RobustLock*> attach(int descriptor, std::uint64_t page_offset_bytes);

    std::mutex mutex_;  // lock_
    std::optional<RobustLock> lock_;
    std::atomic<RobustLock*> attached_{nullptr};
};

// The lock word and the list node of such a pair of pages.
LockWord<os::Machine> lock_word_in(const os::Mapping& pages);

// Programs of this kind can own lock words: the kernel keeps their list where we expect it.
bool can_own_lock_words();

}  // namespace comap::internal
