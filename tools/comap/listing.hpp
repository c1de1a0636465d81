// SPDX-License-Identifier: Apache-2.0
// The objects of both namespaces, sorted by name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <comap/context.hpp>

namespace comap::tool {

struct ListingOptions {
    std::string pattern = "*";  // of the shell's kind; "Global\..." and "Local\..." look in that namespace only
    bool include_dead = false;
};

// A namespace that does not exist has no objects. Errors: no_namespace and the like, when it exists but cannot be used.
Result<std::vector<ListEntry>> listing(Context& context, const ListingOptions& options);

// Whether the namespace's directory is there.
bool exists(Context& context, Scope scope);

}  // namespace comap::tool
