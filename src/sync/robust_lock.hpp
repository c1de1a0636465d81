// SPDX-License-Identifier: Apache-2.0
// A lock word whose owner may die: the kernel then hands it over and says so.
//
// The lock word (32 bits, in the last 32 bytes of a shared page; see os/robust_list.hpp for why there):
//   bits 0..29  thread number of the owner as its own kernel namespace shows it; 0 = free. Exact, and used by the kernel only:
//               whether *we* own the lock is never answered from it (numbers repeat between PID namespaces).
//   bit 30      owner died: set by the kernel, cleared by the next owner, who is told. Exact.
//   bit 31      sleepers: somebody may be asleep on the word. May be set with nobody asleep. It is clear with somebody asleep
//               only for the moment in which all sleepers have just been woken.
// Free with sleepers (bit 31 alone) is a state of its own: unlocking sets it and wakes one in a single kernel step, and the
// bit stays until such a step finds nobody. So a thread that is woken and killed before it takes the lock takes no wake with
// it as long as anyone else locks and unlocks; if nobody ever does, the others look again by themselves (kRecheckNs), since
// the kernel passes on only one wake per death.
#pragma once

#include <atomic>
#include <cstdint>

#include <comap/deadline.hpp>
#include <comap/error.hpp>

#include "os/map.hpp"
#include "os/robust_list.hpp"

namespace comap::internal {

enum class LockEnd : std::uint8_t {
    acquired,
    acquired_abandoned,  // owned; the last owner died, what it protected may be half done
    timed_out,
    interrupted,
};

// One process's way to one lock word. Any thread may lock; the one that did unlocks. Not recursive. REQUIRES: it lives
// until every thread that locked it has unlocked it or ended (the kernel reads its pages when such a thread dies).
class RobustLock {
  public:
    RobustLock() = default;
    RobustLock(RobustLock&&) = default;
    RobustLock& operator=(RobustLock&&) = default;

    // The word at page_offset + page size - 32 of the file. Errors (as errno): EOPNOTSUPP in 32-bit programs and on systems
    // whose pages are not 4 KiB.
    static os::OsResult<RobustLock> attach(int descriptor, std::uint64_t page_offset_bytes);

    LockEnd lock(Deadline deadline);
    void unlock();  // REQUIRES: this thread has locked it

  private:
    explicit RobustLock(os::Mapping mapping) : mapping_(std::move(mapping)) {}
    std::atomic<std::uint32_t>& word() const;
    os::RobustNode* node() const;
    bool try_acquire(std::uint32_t& seen, std::uint32_t extra_bits);

    os::Mapping mapping_;  // the shared page, then a private one with the list node
};

}  // namespace comap::internal
