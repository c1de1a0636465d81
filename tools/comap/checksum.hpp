// SPDX-License-Identifier: Apache-2.0
// The CRC-32 of zlib and Ethernet (IEEE 802.3).
#pragma once

#include <cstdint>
#include <string_view>

namespace comap::tool {

// `before`: the checksum of what comes before these bytes.
std::uint32_t crc32(std::string_view bytes, std::uint32_t before = 0);

}  // namespace comap::tool
