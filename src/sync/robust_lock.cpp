// SPDX-License-Identifier: Apache-2.0
#include "sync/robust_lock.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "os/word.hpp"

namespace comap::internal {
namespace {

constexpr std::uint32_t kSleepersBit = 31;
constexpr std::uint64_t kFormatPageBytes = 4096;
constexpr std::uint32_t kSpinTurns = 200;  // some 3 us: longer than most holders need
constexpr std::chrono::nanoseconds kRecheckNs = std::chrono::milliseconds(50);

bool is_free(std::uint32_t word) { return (word & os::kOwnerMask) == 0; }

}  // namespace

os::OsResult<RobustLock> RobustLock::attach(int descriptor, std::uint64_t page_offset_bytes) {
    if (os::page_size_bytes() != kFormatPageBytes || !os::has_robust_list()) return tl::unexpected<int>(EOPNOTSUPP);
    auto mapping = os::map_with_private_page(descriptor, page_offset_bytes);
    if (!mapping) return tl::unexpected<int>(mapping.error());
    return RobustLock(std::move(*mapping));
}

os::RobustNode* RobustLock::node() const {
    return reinterpret_cast<os::RobustNode*>(static_cast<char*>(mapping_.address()) + kFormatPageBytes);
}

std::atomic<std::uint32_t>& RobustLock::word() const {
    char* const place = static_cast<char*>(mapping_.address()) + kFormatPageBytes - os::kRobustWordBeforeNode;
    return *reinterpret_cast<std::atomic<std::uint32_t>*>(place);
}

// One attempt on a word that is free in `seen`. On failure `seen` is what the word was. Announced to the kernel only for the
// moment of the attempt: were we to die while we announce a word that somebody of our number in another PID namespace owns,
// the kernel would take it from him.
bool RobustLock::try_acquire(std::uint32_t& seen, std::uint32_t extra_bits) {
    const std::uint32_t mine = os::thread_number() | (seen & os::kSleepers) | extra_bits;
    // SYNC lock.take: what the last owner wrote is seen by the next; pairs with lock.give.
    os::robust_begin(node());
    const bool taken = word().compare_exchange_strong(seen, mine, std::memory_order_acquire, std::memory_order_relaxed);
    if (taken) os::robust_link(node());
    os::robust_end();
    return taken;
}

LockEnd RobustLock::lock(Deadline deadline) {
    std::uint32_t extra_bits = 0;  // once we have slept, others may sleep too without their bit: a wake cleared it
    std::uint32_t spins_left = os::can_spin() ? kSpinTurns : 0;
    std::uint32_t seen = word().load(std::memory_order_relaxed);
    LockEnd end = LockEnd::timed_out;
    for (;;) {
        if (is_free(seen)) {
            const bool abandoned = (seen & os::kOwnerDied) != 0;
            if (!try_acquire(seen, extra_bits)) continue;
            end = abandoned ? LockEnd::acquired_abandoned : LockEnd::acquired;
            break;
        }
        if (spins_left > 0) {
            --spins_left;
            os::spin_pause();
            seen = word().load(std::memory_order_relaxed);
            continue;
        }
        if (deadline.is_over()) break;
        const std::uint32_t sleeping = seen | os::kSleepers;
        if (seen != sleeping && !word().compare_exchange_strong(seen, sleeping, std::memory_order_relaxed, std::memory_order_relaxed))
            continue;
        extra_bits = os::kSleepers;
        const os::Woken woken = os::wait_word(word(), sleeping, earlier(deadline, Deadline::after(kRecheckNs)));
        seen = word().load(std::memory_order_relaxed);
        if (woken == os::Woken::interrupted && !is_free(seen)) {
            end = LockEnd::interrupted;
            break;
        }
    }
    return end;
}

void RobustLock::unlock() {
    os::robust_begin(node());
    os::robust_unlink(node());
    std::uint32_t mine = os::thread_number();
    // SYNC lock.give: everything done under the lock is seen by the next owner; pairs with lock.take.
    if (!word().compare_exchange_strong(mine, 0, std::memory_order_release, std::memory_order_relaxed)) {
        // The kernel's read-modify-write is a full barrier: SYNC lock.give: as above; pairs with lock.take.
        if (os::set_to_bit_and_wake_one(word(), kSleepersBit) == 0) os::clear_bit_and_wake_all(word(), kSleepersBit);
    }
    os::robust_end();
}

}  // namespace comap::internal
