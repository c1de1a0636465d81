// SPDX-License-Identifier: Apache-2.0
// UTF-8 checks. The conversions are public: comap/text.hpp.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace comap::internal {

// Position of the first byte that is not part of a well-formed character; nothing if all are.
std::optional<std::size_t> first_invalid_utf8(std::string_view text);

}  // namespace comap::internal
