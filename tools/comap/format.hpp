// SPDX-License-Identifier: Apache-2.0
// Sizes, times and modes as people write and read them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <comap/error.hpp>

namespace comap::tool {

// "4096", "64K", "1M", "2GiB", "0x1000": powers of 1024. Errors: invalid_argument, with the limit.
Result<std::uint64_t> parse_size(std::string_view text);

// "0640". Errors: invalid_argument.
Result<std::uint32_t> parse_mode(std::string_view text);

// "0", "512", "64K", "1.5M"
std::string human_size(std::uint64_t size_bytes);

// "64K (65536 bytes)"
std::string full_size(std::uint64_t size_bytes);

// "2026-11-20T21:18:24Z"
std::string iso_time(std::uint64_t nanoseconds_since_1970);

// "0600"
std::string octal(std::uint32_t mode);

// "1 object", "2 objects"
std::string counted(std::uint64_t count, std::string_view noun);

}  // namespace comap::tool
