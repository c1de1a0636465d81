// SPDX-License-Identifier: Apache-2.0
#include "win32/pages.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace comap::win32 {
namespace {

DWORD without_hints(DWORD protection) { return protection & ~DWORD{PAGE_NOCACHE | PAGE_WRITECOMBINE}; }

}  // namespace

std::size_t page_size_bytes() {
    static const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return size;
}

std::uint64_t rounded_to_pages(std::uint64_t size_bytes) {
    const std::uint64_t page = page_size_bytes();
    return (size_bytes + page - 1) & ~(page - 1);
}

std::optional<int> os_protection(DWORD protection) {
    switch (without_hints(protection)) {
        case PAGE_NOACCESS: return PROT_NONE;
        case PAGE_READONLY: return PROT_READ;
        case PAGE_READWRITE:
        case PAGE_WRITECOPY: return PROT_READ | PROT_WRITE;
        case PAGE_EXECUTE:  // what can be executed can be read there
        case PAGE_EXECUTE_READ: return PROT_READ | PROT_EXEC;
        case PAGE_EXECUTE_READWRITE:
        case PAGE_EXECUTE_WRITECOPY: return PROT_READ | PROT_WRITE | PROT_EXEC;
        default: return std::nullopt;
    }
}

bool is_private(DWORD protection) {
    const DWORD plain = without_hints(protection);
    return plain == PAGE_WRITECOPY || plain == PAGE_EXECUTE_WRITECOPY;
}

void* only_at(std::uintptr_t address, void* mapped, std::size_t size_bytes) {
    if (mapped == MAP_FAILED || reinterpret_cast<std::uintptr_t>(mapped) == address) return mapped;
    ::munmap(mapped, size_bytes);
    errno = EEXIST;
    return MAP_FAILED;
}

void* map_nothing(std::uintptr_t address, std::size_t size_bytes, int flags) {
    return ::mmap(reinterpret_cast<void*>(address), size_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
}

// Takes more addresses than are needed, wherever they are, and gives back what is over.
void* map_nothing_aligned(std::size_t size_bytes) {
    if (size_bytes > SIZE_MAX - kGranularityBytes) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    const std::size_t room_bytes = size_bytes + kGranularityBytes;
    void* const room = map_nothing(0, room_bytes, 0);
    if (room == MAP_FAILED) return room;
    const auto begin = reinterpret_cast<std::uintptr_t>(room);
    const std::uintptr_t base = rounded_up(begin, kGranularityBytes);
    const std::uintptr_t end = base + size_bytes;
    if (base > begin) ::munmap(room, base - begin);
    ::munmap(reinterpret_cast<void*>(end), begin + room_bytes - end);
    return reinterpret_cast<void*>(base);
}

}  // namespace comap::win32
