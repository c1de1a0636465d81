// SPDX-License-Identifier: Apache-2.0
// UTF-8 and UTF-16: "A" calls take the one, "W" calls the other.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <windows.h>

namespace comap::win32 {

constexpr char32_t kReplacement = U'\uFFFD';

// The code point at `at`, which moves behind it. None: the units there are no code point; `at` moves behind the longest part that
// could have begun one. Reads no further than it must. REQUIRES: at < end.
std::optional<char32_t> take_code_point(const char*& at, const char* end);
std::optional<char32_t> take_code_point(const WCHAR*& at, const WCHAR* end);

void append_code_point(std::string& text, char32_t code_point);
void append_code_point(std::u16string& text, char32_t code_point);

// Up to the NUL; nothing: unpaired surrogates. REQUIRES: not NULL.
std::optional<std::string> utf8(const WCHAR* text);

// What is malformed becomes U+FFFD.
std::string utf8_mended(std::u16string_view text);
std::u16string utf16(std::string_view text);

// The same text in the units of T.
template <typename T>
std::basic_string<T> text_as(std::string_view text) {
    if constexpr (sizeof(T) == 1)
        return std::string(text);
    else
        return utf16(text);
}

}  // namespace comap::win32
