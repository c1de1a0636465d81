// SPDX-License-Identifier: Apache-2.0
// Bytes as people read them: canonical hex dump, repeated lines folded to one '*'.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "output.hpp"

namespace comap::tool {

// The lines alone, each after a label: that one in front of the first, blanks as wide in front of others. Nothing is folded.
void print_labelled_hex(Output& out, std::span<const std::byte> bytes, std::uint64_t offset_bytes, const std::string& label, std::size_t label_width);

// `offset_bytes`: of the first byte, as it is shown.
void print_hex(Output& out, std::span<const std::byte> bytes, std::uint64_t offset_bytes);

}  // namespace comap::tool
