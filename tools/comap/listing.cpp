// SPDX-License-Identifier: Apache-2.0
#include "listing.hpp"

#include <algorithm>
#include <cerrno>

#include <fnmatch.h>
#include <sys/stat.h>

namespace comap::tool {
namespace {

constexpr std::string_view kLocal = "Local\\";
constexpr std::string_view kGlobal = "Global\\";

struct Pattern {
    bool in_local = true;
    bool in_global = true;
    std::string own_name;  // the part after the namespace
};

Pattern parse_pattern(const std::string& text) {
    if (text.starts_with(kLocal)) return {true, false, text.substr(kLocal.size())};
    if (text.starts_with(kGlobal)) return {false, true, text.substr(kGlobal.size())};
    return {true, true, text};
}

std::string own_name(std::string_view name) {
    for (const auto prefix : {kLocal, kGlobal})
        if (name.starts_with(prefix)) return std::string(name.substr(prefix.size()));
    return std::string(name);
}

bool matches(const std::string& pattern, std::string_view name) {
    return pattern == "*" || ::fnmatch(pattern.c_str(), own_name(name).c_str(), FNM_NOESCAPE) == 0;
}

// There could be objects.
Result<void> check_root(const Context& context) {
    struct stat state = {};
    if (::stat(context.root().c_str(), &state) == 0 && S_ISDIR(state.st_mode)) return {};
    return tl::unexpected(Error{Code::no_namespace, ENOENT, "", "there is no directory " + context.root() + " to hold objects; is COMAP_DIR right?"});
}

Result<void> append(Context& context, Scope scope, const std::string& pattern, bool include_dead, std::vector<ListEntry>& entries) {
    if (!exists(context, scope)) return check_root(context);  // without any object yet there is no directory
    return context.list(scope, include_dead, [&](const ListEntry& entry) {
        if (matches(pattern, entry.name)) entries.push_back(entry);
        return true;
    });
}

}  // namespace

bool exists(Context& context, Scope scope) {
    struct stat state = {};
    return ::lstat(context.directory(scope).c_str(), &state) == 0;
}

Result<std::vector<ListEntry>> listing(Context& context, const ListingOptions& options) {
    const Pattern pattern = parse_pattern(options.pattern);
    std::vector<ListEntry> entries;
    Result<void> done;
    if (pattern.in_local) done = append(context, Scope::local, pattern.own_name, options.include_dead, entries);
    if (done && pattern.in_global) done = append(context, Scope::global, pattern.own_name, options.include_dead, entries);
    if (!done) return tl::unexpected(done.error());
    std::sort(entries.begin(), entries.end(), [](const ListEntry& a, const ListEntry& b) { return a.name < b.name; });
    return entries;
}

}  // namespace comap::tool
