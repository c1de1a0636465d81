// SPDX-License-Identifier: Apache-2.0
// Names of objects, and the file names that stand for them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <comap/context.hpp>

namespace comap::internal {

inline constexpr std::size_t kFileNameBytesMax = 255;   // of the file system
inline constexpr std::size_t kHashedPrefixBytes = 200;  // of a file name that would be longer

struct Name {
    Scope scope = Scope::local;
    std::string base;       // without the scope prefix
    std::string file_name;  // in the directory of the scope
    std::string full() const;  // "base" or "Global\base": what open takes
};

// "x" and "Local\x" are local, "Global\x" is global. Errors: invalid_argument, saying what is wrong with the name.
Result<Name> parse_name(std::string_view given);

std::string full_name(Scope scope, std::string_view base);

// '/', '%', control characters and a first '.' or '#' become %XX. What would be longer than a file name may be becomes
// its first bytes, "%~" and the XXH3 128-bit hash of the whole base name in hexadecimal.
std::string file_name_of(std::string_view base);

// The base name of such a file name; nothing if it is not one, or is a hashed one (then the header has the name).
std::optional<std::string> base_of(std::string_view file_name);
bool is_hashed(std::string_view file_name);

}  // namespace comap::internal
