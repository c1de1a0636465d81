// SPDX-License-Identifier: Apache-2.0
// Standard input, as a whole.
#pragma once

#include <cstdint>
#include <string>

#include <comap/error.hpp>

namespace comap::tool {

// Reads to the end, but no more than `room_bytes`. Errors: too_long (there is more), os_error.
Result<std::string> read_standard_input(std::uint64_t room_bytes);

}  // namespace comap::tool
