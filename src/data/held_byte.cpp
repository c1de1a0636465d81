// SPDX-License-Identifier: Apache-2.0
#include "data/held_byte.hpp"

namespace comap::internal {

os::OsResult<bool> HeldByte::take(const Object& object, std::uint64_t first, std::uint64_t count) {
    const os::NoForkScope no_fork;  // a child must not keep an open file with the lock
    const std::lock_guard guard(mutex_);
    if (is_ours()) return true;
    file_.release();  // a parent's, that was closed when we were forked
    auto own = os::reopen(object.descriptor(), true);
    if (!own) return tl::unexpected<int>(own.error());
    for (byte_ = first; byte_ < first + count; ++byte_) {
        const auto locked = os::try_write_lock(own->number(), byte_);
        if (!locked) return tl::unexpected<int>(locked.error());
        if (!*locked) continue;
        file_ = std::move(*own);
        os::keep_from_children(file_.number());
        generation_.store(os::fork_generation, std::memory_order_relaxed);
        return true;
    }
    return false;
}

void HeldByte::drop() {
    const os::NoForkScope no_fork;
    const std::lock_guard guard(mutex_);
    if (is_ours()) {
        os::forget_for_children(file_.number());
        os::release_lock(file_.number(), byte_);
        file_.reset();
    }
    file_.release();
    generation_.store(0, std::memory_order_relaxed);
}

}  // namespace comap::internal
