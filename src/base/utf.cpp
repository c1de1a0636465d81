// SPDX-License-Identifier: Apache-2.0
#include "base/utf.hpp"

#include <cstdint>
#include <cstring>
#include <iterator>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <utf8.h>
#pragma GCC diagnostic pop

#include <comap/text.hpp>

#include "base/error.hpp"

namespace comap {
namespace internal {
namespace {

// Bytes from the front that are ASCII, in steps of eight.
std::size_t ascii_prefix(std::string_view text) {
    std::size_t size = 0;
    while (text.size() - size >= sizeof(std::uint64_t)) {
        std::uint64_t word;
        std::memcpy(&word, text.data() + size, sizeof word);
        if ((word & 0x8080'8080'8080'8080u) != 0) break;
        size += sizeof word;
    }
    return size;
}

}  // namespace

std::optional<std::size_t> first_invalid_utf8(std::string_view text) {
    const char* const end = text.data() + text.size();
    const char* const bad = utf8::find_invalid(text.data() + ascii_prefix(text), end);
    if (bad == end) return std::nullopt;
    return static_cast<std::size_t>(bad - text.data());
}

}  // namespace internal

Result<std::u16string> utf16_from_utf8(std::string_view utf8_text) {
    if (const auto at = internal::first_invalid_utf8(utf8_text))
        return internal::fail(Code::invalid_argument, 0, "", "the text is not UTF-8: the byte at ", *at,
                              " does not belong to a character");
    std::u16string out;
    out.reserve(utf8_text.size());
    utf8::unchecked::utf8to16(utf8_text.begin(), utf8_text.end(), std::back_inserter(out));
    return out;
}

Result<std::string> utf8_from_utf16(std::u16string_view utf16_text) {
    std::string out;
    out.reserve(utf16_text.size());
    for (std::size_t i = 0; i < utf16_text.size(); ++i) {
        std::uint32_t point = utf16_text[i];
        const bool is_lead = point >= 0xd800 && point < 0xdc00;
        const bool is_pair = is_lead && i + 1 < utf16_text.size() && utf16_text[i + 1] >= 0xdc00 && utf16_text[i + 1] < 0xe000;
        if (point >= 0xd800 && point < 0xe000 && !is_pair)
            return internal::fail(Code::invalid_argument, 0, "", "the text is not UTF-16: the unit at ", i,
                                  " is half of a surrogate pair");
        if (is_pair) point = 0x10000 + ((point - 0xd800) << 10) + (utf16_text[++i] - 0xdc00u);
        utf8::append(static_cast<char32_t>(point), std::back_inserter(out));
    }
    return out;
}

}  // namespace comap
