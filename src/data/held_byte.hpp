// SPDX-License-Identifier: Apache-2.0
// A role that one handle has for long: the write lock on a byte of the object's file, through an open file of its own. The
// kernel takes it back when the handle is closed or its process ends, however that ends. Costs nothing while it is had.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "object/object.hpp"
#include "os/file.hpp"
#include "os/robust_list.hpp"

namespace comap::internal {

// Not passed on to forked children.
class HeldByte {
  public:
    HeldByte() = default;
    ~HeldByte() { drop(); }
    HeldByte(const HeldByte&) = delete;
    HeldByte& operator=(const HeldByte&) = delete;

    bool is_ours() const { return generation_.load(std::memory_order_relaxed) == os::fork_generation; }
    std::uint64_t byte() const { return byte_; }  // REQUIRES: is_ours()

    // Takes the first free one of `count` bytes; nothing to do if it has one. False: others have all.
    os::OsResult<bool> take(const Object& object, std::uint64_t first, std::uint64_t count);
    void drop();

    // Whether another has that byte; takes nothing.
    static bool is_held(const Object& object, std::uint64_t byte) {
        const auto locked = os::ask_lock(object.descriptor(), byte);
        return locked && *locked != os::Locked::no;
    }

  private:
    std::mutex mutex_;
    os::Fd file_;  // closed in the child of a fork
    std::uint64_t byte_ = 0;
    std::atomic<std::uint32_t> generation_{0};  // of forks, when it was taken; 0: not taken
};

}  // namespace comap::internal
