// SPDX-License-Identifier: Apache-2.0
// An object opened for reading as what it is: a text, a cell, or a section of bytes. By one handle only: a second one would count
// as another holder.
#pragma once

#include <string>
#include <variant>

#include <comap/cell.hpp>
#include <comap/section.hpp>
#include <comap/text.hpp>

namespace comap::tool {

struct Tool;

using Opened = std::variant<Section, Text, RawCell>;

// `file`: the file that the caller expects under it, or empty.
Result<Opened> open_to_read(Tool& tool, const std::string& name, const std::string& file);

}  // namespace comap::tool
