// SPDX-License-Identifier: Apache-2.0
#include "os/map.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <cstdio>
#include <memory>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25  // Linux 6.1
#endif

namespace comap::os {
namespace {

constexpr std::uint64_t kHugeBytes = std::uint64_t{2} << 20;

int protection_of(MapMode mode) { return mode == MapMode::read_only ? PROT_READ : PROT_READ | PROT_WRITE; }
int flags_of(MapMode mode) { return mode == MapMode::copy_on_write ? MAP_PRIVATE : MAP_SHARED; }

OsResult<Mapping> map_at(void* address, int fixed, int descriptor, std::uint64_t offset_bytes, std::size_t size_bytes,
                         MapMode mode) {
    void* const mapped = ::mmap(address, size_bytes, protection_of(mode), flags_of(mode) | fixed, descriptor,
                                static_cast<off_t>(offset_bytes));
    if (mapped == MAP_FAILED) return tl::unexpected<int>(errno);
    return Mapping(mapped, size_bytes);
}

OsResult<Mapping> reserve_addresses(std::size_t size_bytes) {
    void* const mapped = ::mmap(nullptr, size_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) return tl::unexpected<int>(errno);
    return Mapping(mapped, size_bytes);
}

}  // namespace

void Mapping::reset() {
    if (address_) unmap(address_, size_bytes_);
    address_ = nullptr;
}

OsResult<Mapping> map(int descriptor, std::uint64_t offset_bytes, std::size_t size_bytes, MapMode mode) {
    return map_at(nullptr, 0, descriptor, offset_bytes, size_bytes, mode);
}

OsResult<Mapping> map_for_huge_pages(int descriptor, std::uint64_t offset_bytes, std::size_t size_bytes, MapMode mode) {
    const std::uint64_t page = page_size_bytes();
    const std::size_t whole_bytes = static_cast<std::size_t>((size_bytes + page - 1) / page * page);
    auto room = reserve_addresses(whole_bytes + kHugeBytes);
    if (!room) return room;
    const auto begin = reinterpret_cast<std::uintptr_t>(room->address());
    const std::uint64_t wanted = offset_bytes % kHugeBytes;
    const auto shift = static_cast<std::size_t>((wanted + kHugeBytes - begin % kHugeBytes) % kHugeBytes);
    char* const target = static_cast<char*>(room->address()) + shift;
    auto mapped = map_at(target, MAP_FIXED, descriptor, offset_bytes, size_bytes, mode);
    if (!mapped) return mapped;
    char* const room_begin = static_cast<char*>(room->release());
    if (shift > 0) unmap(room_begin, shift);
    if (shift < kHugeBytes) unmap(target + whole_bytes, kHugeBytes - shift);
    return mapped;
}

OsResult<std::uint64_t> make_huge(const Mapping& mapping, std::uint64_t offset_bytes) {
    const std::uint64_t first = (offset_bytes + kHugeBytes - 1) / kHugeBytes * kHugeBytes;
    const std::uint64_t end = (offset_bytes + mapping.size_bytes()) / kHugeBytes * kHugeBytes;
    if (first >= end) return std::uint64_t{0};
    char* const begin = static_cast<char*>(mapping.address()) + (first - offset_bytes);
    const auto size_bytes = static_cast<std::size_t>(end - first);
    ::madvise(begin, size_bytes, MADV_HUGEPAGE);
    if (::madvise(begin, size_bytes, MADV_COLLAPSE) < 0) return tl::unexpected<int>(errno);
    return end - first;
}

OsResult<Mapping> map_with_private_page(int descriptor, std::uint64_t offset_bytes) {
    const auto page = static_cast<std::size_t>(page_size_bytes());
    void* const both = ::mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (both == MAP_FAILED) return tl::unexpected<int>(errno);
    Mapping mapping(both, 2 * page);
    auto shared = map_at(both, MAP_FIXED, descriptor, offset_bytes, page, MapMode::read_write);
    if (!shared) return shared;
    shared->release();
    return mapping;
}

OsResult<void> populate(void* address, std::size_t size_bytes, bool for_writing) {
    int result = 0;
    do {
        result = ::madvise(address, size_bytes, for_writing ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
    } while (result < 0 && errno == EINTR);
    if (result < 0) return tl::unexpected<int>(errno);
    return {};
}

OsResult<void> flush(void* address, std::size_t size_bytes, bool wait_until_written) {
    if (::msync(address, size_bytes, wait_until_written ? MS_SYNC : MS_ASYNC) < 0) return tl::unexpected<int>(errno);
    return {};
}

void unmap(void* address, std::size_t size_bytes) { ::munmap(address, size_bytes); }

std::uint64_t huge_bytes(const void* address, std::size_t size_bytes) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/thread-self/smaps", "re"), std::fclose);
    if (!file) return 0;
    const auto begin = reinterpret_cast<std::uintptr_t>(address);
    std::uint64_t total = 0;
    bool inside = false;
    char line[512];
    while (std::fgets(line, sizeof line, file.get())) {
        unsigned long long from = 0, to = 0, kib = 0;
        if (std::sscanf(line, "%llx-%llx ", &from, &to) == 2) inside = from < begin + size_bytes && to > begin;
        else if (inside && (std::sscanf(line, "ShmemPmdMapped: %llu", &kib) == 1 || std::sscanf(line, "FilePmdMapped: %llu", &kib) == 1))
            total += kib * 1024;
    }
    return total;
}

}  // namespace comap::os
