// SPDX-License-Identifier: Apache-2.0
// Whether this system can do what objects need, and what to do if not.
#pragma once

#include <string>
#include <vector>

#include <comap/context.hpp>

namespace comap::tool {

enum class Health { ok, warn, fail };

struct Finding {
    std::string name;
    Health health = Health::ok;
    std::string detail;  // what is so
    std::string advice;  // what to do; empty when all is well
};

std::string_view health_name(Health health);

// Tries things out in the Local namespace; leaves nothing behind.
std::vector<Finding> check_up(Context& context);

}  // namespace comap::tool
