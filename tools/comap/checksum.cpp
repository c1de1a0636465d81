// SPDX-License-Identifier: Apache-2.0
#include "checksum.hpp"

#include <array>
#include <cstddef>
#include <cstring>

namespace comap::tool {
namespace {

constexpr std::size_t kSlices = 8;  // bytes at a time

using Tables = std::array<std::array<std::uint32_t, 256>, kSlices>;

constexpr Tables make_tables() {
    Tables tables{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t rest = i;
        for (int bit = 0; bit < 8; ++bit) rest = (rest >> 1) ^ ((rest & 1) != 0 ? 0xedb88320u : 0u);
        tables[0][i] = rest;
    }
    for (std::size_t slice = 1; slice < kSlices; ++slice)
        for (std::size_t i = 0; i < 256; ++i) tables[slice][i] = (tables[slice - 1][i] >> 8) ^ tables[0][tables[slice - 1][i] & 0xff];
    return tables;
}

constexpr Tables kTables = make_tables();

std::uint32_t byte_at(std::string_view bytes, std::size_t at) { return static_cast<unsigned char>(bytes[at]); }

}  // namespace

std::uint32_t crc32(std::string_view bytes, std::uint32_t before) {
    std::uint32_t rest = ~before;
    for (; bytes.size() >= kSlices; bytes.remove_prefix(kSlices)) {
        std::uint32_t next = 0;
        for (std::size_t i = 0; i < 4; ++i) next ^= kTables[kSlices - 1 - i][((rest >> (8 * i)) ^ byte_at(bytes, i)) & 0xff];
        for (std::size_t i = 4; i < kSlices; ++i) next ^= kTables[kSlices - 1 - i][byte_at(bytes, i)];
        rest = next;
    }
    for (std::size_t i = 0; i < bytes.size(); ++i) rest = (rest >> 8) ^ kTables[0][(rest ^ byte_at(bytes, i)) & 0xff];
    return ~rest;
}

}  // namespace comap::tool
