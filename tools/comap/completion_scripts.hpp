// SPDX-License-Identifier: Apache-2.0
// The files of completion/, built into the tool.
#pragma once

#include <string_view>

namespace comap::tool {

extern const std::string_view kBashCompletion;
extern const std::string_view kZshCompletion;
extern const std::string_view kFishCompletion;

}  // namespace comap::tool
