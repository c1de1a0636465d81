// SPDX-License-Identifier: Apache-2.0
// A dump: what an object is and what is in it, in a file, so that one like it can be made. FORMAT.md describes it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data_file.hpp"
#include "tool.hpp"

namespace comap::tool {

// Errors: as opening it, and os_error.
Result<void> write_dump(Tool& tool, const std::string& name, const std::string& path);

struct Dump {
    Json header;
    std::vector<std::string> items;
};

// All of it is checked. Errors: corrupt (also if it is cut off), version_mismatch, not_found, os_error.
Result<Dump> read_dump(const std::string& path);

struct LoadOptions {
    std::uint32_t mode = 0600;
    bool keep = false;
};

// Makes an object with these contents; holds it while what is returned lives. Errors: already_exists and the like; invalid_argument
// (the header describes no object).
Result<std::shared_ptr<void>> make_of(Tool& tool, const std::string& name, const Dump& dump, const LoadOptions& options);

// Puts the contents into an object of the same kind. Errors: not_found, kind_mismatch, layout_mismatch and what its own functions say.
Result<void> put_into(Tool& tool, const std::string& name, const Dump& dump);

}  // namespace comap::tool
