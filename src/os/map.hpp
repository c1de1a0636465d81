// SPDX-License-Identifier: Apache-2.0
// Mapping a range of a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "os/file.hpp"

namespace comap::os {

enum class MapMode : std::uint8_t { read_only, read_write, copy_on_write };

// Owns a mapping.
class Mapping {
  public:
    Mapping() = default;
    Mapping(void* address, std::size_t size_bytes) : address_(address), size_bytes_(size_bytes) {}
    ~Mapping() { reset(); }
    Mapping(Mapping&& other) noexcept
        : address_(std::exchange(other.address_, nullptr)), size_bytes_(std::exchange(other.size_bytes_, 0)) {}
    Mapping& operator=(Mapping&& other) noexcept {
        if (this != &other) {
            reset();
            address_ = std::exchange(other.address_, nullptr);
            size_bytes_ = std::exchange(other.size_bytes_, 0);
        }
        return *this;
    }
    void* address() const { return address_; }
    std::size_t size_bytes() const { return size_bytes_; }
    explicit operator bool() const { return address_ != nullptr; }
    void* release() { return std::exchange(address_, nullptr); }
    void reset();

  private:
    void* address_ = nullptr;
    std::size_t size_bytes_ = 0;
};

// `offset_bytes` is a multiple of the page size.
OsResult<Mapping> map(int descriptor, std::uint64_t offset_bytes, std::size_t size_bytes, MapMode mode);

// The same, at an address where 2 MiB pages of the file can be mapped whole.
OsResult<Mapping> map_for_huge_pages(int descriptor, std::uint64_t offset_bytes, std::size_t size_bytes, MapMode mode);

// Turns every 2 MiB page of the file that lies whole in the mapping into a huge page now. Returns how many bytes.
OsResult<std::uint64_t> make_huge(const Mapping& mapping, std::uint64_t offset_bytes);

// One page of a file with a private page right behind it.
OsResult<Mapping> map_with_private_page(int descriptor, std::uint64_t offset_bytes);

OsResult<void> populate(void* address, std::size_t size_bytes, bool for_writing);  // EFAULT: no memory for a page
OsResult<void> flush(void* address, std::size_t size_bytes, bool wait_until_written);
void unmap(void* address, std::size_t size_bytes);
std::uint64_t huge_bytes(const void* address, std::size_t size_bytes);  // mapped by huge pages now, from /proc

}  // namespace comap::os
