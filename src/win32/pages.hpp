// SPDX-License-Identifier: Apache-2.0
// The pages of this process: how many, with which protection, where there is room for them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include <windows.h>

namespace comap::win32 {

inline constexpr std::size_t kGranularityBytes = 64 * 1024;

std::size_t page_size_bytes();

// Up to the next page; 0 if there is no such number.
std::uint64_t rounded_to_pages(std::uint64_t size_bytes);

inline std::uintptr_t rounded_up(std::uintptr_t number, std::uintptr_t unit) { return (number + unit - 1) / unit * unit; }

// As mmap and mprotect take it; nothing: there is no such protection. PAGE_NOCACHE and PAGE_WRITECOMBINE, which may go with one,
// have no effect.
std::optional<int> os_protection(DWORD protection);

// Copy on write: what is written stays in the view.
bool is_private(DWORD protection);

// What mmap, asked for that address by MAP_FIXED_NOREPLACE, returned; fails with EEXIST if it lies elsewhere: a kernel before
// Linux 4.17 takes the address for a hint.
void* only_at(std::uintptr_t address, void* mapped, std::size_t size_bytes);

// Pages that nobody can touch; with those flags, or any address if that is 0. MAP_FAILED, and errno.
void* map_nothing(std::uintptr_t address, std::size_t size_bytes, int flags);

// The same, at a multiple of the granularity. REQUIRES: whole pages.
void* map_nothing_aligned(std::size_t size_bytes);

}  // namespace comap::win32
