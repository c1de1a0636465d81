// SPDX-License-Identifier: Apache-2.0
// An object as `ls --json` and `stat --json` give it.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include <comap/context.hpp>

#include "holders.hpp"

namespace comap::tool {

using Json = nlohmann::ordered_json;

inline constexpr int kJsonSchema = 1;

std::string_view state_name(Presence presence);

Json object_json(const ObjectInfo& info, const HolderScan& scan);

// One line. Bytes that are not UTF-8 are replaced, so that this never fails.
std::string json_text(const Json& value);

}  // namespace comap::tool
