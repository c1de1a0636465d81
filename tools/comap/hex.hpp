// SPDX-License-Identifier: Apache-2.0
// Bytes as people read them: canonical hex dump, repeated lines folded to one '*'.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "output.hpp"

namespace comap::tool {

// `offset_bytes`: of the first byte, as it is shown.
void print_hex(Output& out, std::span<const std::byte> bytes, std::uint64_t offset_bytes);

}  // namespace comap::tool
