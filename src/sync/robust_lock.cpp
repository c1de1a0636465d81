// SPDX-License-Identifier: Apache-2.0
#include "sync/robust_lock.hpp"

#include <cerrno>

namespace comap::internal {
namespace {

constexpr std::uint64_t kFormatPageBytes = 4096;

}  // namespace

bool can_own_lock_words() { return os::page_size_bytes() == kFormatPageBytes && os::has_robust_list(); }

LockWord<os::Machine> lock_word_in(const os::Mapping& pages) {
    char* const behind = static_cast<char*>(pages.address()) + kFormatPageBytes;
    return {reinterpret_cast<std::atomic<std::uint32_t>*>(behind - os::kRobustWordBeforeNode), reinterpret_cast<os::RobustNode*>(behind)};
}

os::OsResult<RobustLock> RobustLock::attach(int descriptor, std::uint64_t page_offset_bytes) {
    if (!can_own_lock_words()) return tl::unexpected<int>(EOPNOTSUPP);
    auto mapping = os::map_with_private_page(descriptor, page_offset_bytes);
    if (!mapping) return tl::unexpected<int>(mapping.error());
    return RobustLock(std::move(*mapping));
}

RobustLock::RobustLock(os::Mapping mapping) : mapping_(std::move(mapping)), word_(lock_word_in(mapping_)) {}

Ended RobustLock::try_lock() {
    const Take end = word_.take(0);
    if (end == Take::taken) [[likely]] return Ended::acquired;
    if (end == Take::taken_abandoned) return Ended::acquired_abandoned;
    return end == Take::corrupt ? Ended::corrupt : Ended::timed_out;
}

Ended RobustLock::lock(Deadline deadline) {
    if (const Ended end = try_lock(); end != Ended::timed_out && end != Ended::corrupt) [[likely]] return end;
    WaitPoint<os::Machine> point;
    point.lock = word_;
    return wait_any(std::span(&point, 1), deadline).end;
}

os::OsResult<RobustLock*> RobustLockOnDemand::attach(int descriptor, std::uint64_t page_offset_bytes) {
    const os::NoForkScope no_fork;  // before the mutex, as everywhere
    const std::lock_guard guard(mutex_);
    if (!lock_) {
        auto made = RobustLock::attach(descriptor, page_offset_bytes);
        if (!made) return tl::unexpected<int>(made.error());
        lock_.emplace(std::move(*made));
    }
    // SYNC on_demand.made: complete before others find it; pairs with on_demand.use.
    attached_.store(&*lock_, std::memory_order_release);
    return &*lock_;
}

}  // namespace comap::internal
