// SPDX-License-Identifier: Apache-2.0
// Making errors: whole sentences, put together from parts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include <comap/error.hpp>

namespace comap {

// fail(Code::not_found, 0, name, "no section ", name, " in ", directory): the rest makes the sentence.
namespace internal {

inline void put(std::string& out, std::string_view part) { out += part; }
template <typename T>
    requires std::is_integral_v<T>
void put(std::string& out, T part) {
    out += std::to_string(part);
}

template <typename... Parts>
std::string cat(const Parts&... parts) {
    std::string out;
    (put(out, parts), ...);
    return out;
}

template <typename... Parts>
[[gnu::cold]] tl::unexpected<Error> fail(Code code, int os_error, std::string_view object, const Parts&... parts) {
    return tl::unexpected<Error>(Error{code, os_error, std::string(object), cat(parts...)});
}

// The system's own words for an errno: "Permission denied (13)".
std::string os_text(int os_error);

// The code that an errno amounts to when nothing better is known.
Code code_of(int os_error);

// A name for people: control characters are written as \x0a. A backslash cannot be part of a name, so this is unambiguous.
std::string shown(std::string_view name);

}  // namespace internal

// Ends the calling function with the error of a failed expression.
#define COMAP_TRY(expression)                                                            \
    do {                                                                                 \
        if (auto comap_try_ = (expression); !comap_try_) [[unlikely]]                    \
            return tl::unexpected<::comap::Error>(std::move(comap_try_).error());        \
    } while (false)

#define COMAP_JOIN_(a, b) a##b
#define COMAP_JOIN(a, b) COMAP_JOIN_(a, b)
// COMAP_GET(auto fd, open(...)): the same, else the value.
#define COMAP_GET(target, expression)                                                              \
    auto COMAP_JOIN(comap_get_, __LINE__) = (expression);                                          \
    if (!COMAP_JOIN(comap_get_, __LINE__)) [[unlikely]]                                            \
        return tl::unexpected<::comap::Error>(std::move(COMAP_JOIN(comap_get_, __LINE__)).error()); \
    target = std::move(*COMAP_JOIN(comap_get_, __LINE__))

}  // namespace comap
