// SPDX-License-Identifier: Apache-2.0
// Text on a terminal: what may be shown as it is, and how wide it is.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace comap::tool {

// Control characters, invisible and direction-changing ones, and bytes that are not UTF-8 become \x0a and the like.
std::string escaped(std::string_view text);

// All of it is UTF-8.
bool is_utf8(std::string_view text);

// Columns that `text`, already escaped, takes on a terminal.
std::size_t display_width(std::string_view text);

}  // namespace comap::tool
