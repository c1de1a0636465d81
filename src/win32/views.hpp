// SPDX-License-Identifier: Apache-2.0
// The views of this process: mapped at multiples of 64 KiB, and known by their addresses until they are unmapped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include <windows.h>

#include "win32/pages.hpp"

namespace comap::win32 {

struct View {
    std::uintptr_t base = 0;
    std::size_t size_bytes = 0;  // whole pages
    DWORD protection = 0;        // as it was mapped: PAGE_...
    std::uint64_t offset_bytes = 0;  // in the file
    const void* holder = nullptr;    // whom the mapping keeps from ending; NULL: nobody
    bool is_reprotected = false;     // pages of it may have another protection by now
    std::uintptr_t end() const { return base + size_bytes; }
};

struct ViewRequest {
    int descriptor = -1;
    std::uint64_t offset_bytes = 0;  // in the file
    std::size_t size_bytes = 0;      // whole pages
    DWORD protection = 0;
    void* address = nullptr;  // a multiple of 64 KiB; NULL: anywhere
    const void* holder = nullptr;
};

// Any thread may call these at any time.

// NULL, and the last error is set.
void* map_view(const ViewRequest& request);

// Maps the views of that holder anew, where they are, through the descriptor that open() makes and this closes: then they hold
// nothing. They are of shared memory, so nobody who uses one meanwhile notices. open() is not called if there are none. Where it
// gives -1, or the kernel has no room, they go on holding until they are unmapped.
void release_views(const void* holder, const std::function<int()>& open);

// mprotect on pages of that view; false and errno.
bool protect_pages(const View& view, std::uintptr_t begin, std::size_t size_bytes, int protection);

// The view in which that address lies.
std::optional<View> find_view(const void* address);

}  // namespace comap::win32
