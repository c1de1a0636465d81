// SPDX-License-Identifier: Apache-2.0
// Where the words of a mutex, an event or a semaphore lie: the last 64 bytes of a page, one cache line. Of a named object that is
// its header page; inside a section, any page of it. FORMAT.md describes every byte; this is the same in code.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "os/robust_list.hpp"

namespace comap::internal {

inline constexpr std::size_t kSyncBlockBytes = 64;
inline constexpr std::uint64_t kSyncBlockInPage = 4096 - kSyncBlockBytes;

// All numbers are little-endian. Fields marked * change during the object's life.
struct SyncBlock {                         // offset in the block
    std::atomic<std::uint32_t> kind;       //  0  Kind: mutex, event or semaphore; 0: nothing is here
    std::uint32_t parameter;               //  4  event: 1 = manual, 0 = automatic; semaphore: the maximum; else 0
    std::atomic<std::uint64_t> state;      //  8* event (lower half) or semaphore: see sync/event_word.hpp, semaphore_word.hpp
    std::atomic<std::uint32_t> mark;       // 16* mutex: see sync/mutex_word.hpp
    std::array<std::byte, 12> reserved_20; // 20
    std::atomic<std::uint32_t> lock;       // 32* see sync/lock_word.hpp
    std::array<std::byte, 28> scratch_36;  // 36* may hold anything; never read
};
static_assert(sizeof(SyncBlock) == kSyncBlockBytes && offsetof(SyncBlock, state) == 8 && offsetof(SyncBlock, mark) == 16);
static_assert(offsetof(SyncBlock, lock) == kSyncBlockBytes - os::kRobustWordBeforeNode);

}  // namespace comap::internal
