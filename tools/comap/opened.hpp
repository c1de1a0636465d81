// SPDX-License-Identifier: Apache-2.0
// An object opened for reading as what it is: a text, a cell, a channel, or a section of bytes. By one handle only: a second one would
// count as another holder.
#pragma once

#include <string>
#include <variant>

#include <comap/cell.hpp>
#include <comap/channel.hpp>
#include <comap/section.hpp>
#include <comap/text.hpp>

namespace comap::tool {

struct Tool;

using Opened = std::variant<Section, Text, RawCell, RawChannel>;

// `file`: the file that the caller expects under it, or empty. Errors: layout_mismatch (a queue: only who takes messages sees them).
Result<Opened> open_to_read(Tool& tool, const std::string& name, const std::string& file);

}  // namespace comap::tool
