// SPDX-License-Identifier: Apache-2.0
// What VirtualAlloc reserved.
#pragma once

#include <cstdint>
#include <optional>

#include <windows.h>

namespace comap::win32 {

// Pages next to one another that are alike, within one reservation.
struct MemoryRun {
    std::uintptr_t base = 0;
    std::size_t size_bytes = 0;
    std::uintptr_t allocation_base = 0;
    DWORD allocation_protection = 0;
    DWORD protection = 0;  // 0: reserved only
};

// The run that begins at that address's page; nothing: not allocated by VirtualAlloc. Any thread may call it.
std::optional<MemoryRun> find_memory_run(const void* address);

}  // namespace comap::win32
