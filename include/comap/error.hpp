// SPDX-License-Identifier: Apache-2.0
// Result<T>: a value, or an Error that names the object, says what was wrong and what to do.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include <comap/codes.h>
#include <comap/export.h>

namespace comap {

enum class Code : std::int32_t {
#define COMAP_CODE_ENTRY(number, c_name, cpp_name, text) cpp_name = number,
    COMAP_CODES(COMAP_CODE_ENTRY)
#undef COMAP_CODE_ENTRY
};

// "not_found"; "unknown" for a number that is in no list.
COMAP_API std::string_view code_name(Code code) noexcept;

// "no live object has this name"
COMAP_API std::string_view code_text(Code code) noexcept;

struct Error {
    Code code = Code::ok;
    int os_error = 0;     // errno of the call that failed, or 0
    std::string object;   // the object's full name, or empty
    std::string message;  // a whole sentence for people: what, why, what to do
};

// A failed call leaves everything as it was, unless its comment says otherwise.
template <typename T>
using Result = tl::expected<T, Error>;

}  // namespace comap
