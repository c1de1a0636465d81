// SPDX-License-Identifier: Apache-2.0
#include "unicode.hpp"

#include <array>
#include <cstdint>
#include <cwchar>

#include <fmt/format.h>

namespace comap::tool {
namespace {

struct Character {
    char32_t point = 0;
    std::size_t size_bytes = 1;
    bool is_valid = false;
};

struct Lead {
    unsigned char mask;
    unsigned char value;
    std::size_t size_bytes;
    char32_t least;  // anything below is an overlong form
};
constexpr std::array<Lead, 4> kLeads = {{{0x80, 0x00, 1, 0}, {0xe0, 0xc0, 2, 0x80}, {0xf0, 0xe0, 3, 0x800}, {0xf8, 0xf0, 4, 0x10000}}};

bool is_scalar(char32_t point) { return point <= 0x10ffff && (point < 0xd800 || point > 0xdfff); }

Character decode(std::string_view text, const Lead& lead) {
    char32_t point = static_cast<unsigned char>(text[0]) & static_cast<unsigned char>(~lead.mask);
    for (std::size_t i = 1; i < lead.size_bytes; ++i) {
        if (i >= text.size() || (static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return {};
        point = (point << 6) | (static_cast<unsigned char>(text[i]) & 0x3f);
    }
    if (point < lead.least || !is_scalar(point)) return {};
    return {point, lead.size_bytes, true};
}

// REQUIRES: text is not empty.
Character first_character(std::string_view text) {
    for (const auto& lead : kLeads)
        if ((static_cast<unsigned char>(text[0]) & lead.mask) == lead.value) return decode(text, lead);
    return {};
}

bool is_between(char32_t point, char32_t first, char32_t last) { return point >= first && point <= last; }

bool is_printable(char32_t point) {
    if (point < 0x20 || is_between(point, 0x7f, 0x9f)) return false;
    const bool is_hidden = is_between(point, 0x200b, 0x200f) || is_between(point, 0x2028, 0x202e) ||
                           is_between(point, 0x2060, 0x206f) || point == 0xfeff || is_between(point, 0xe0000, 0xe007f);
    return !is_hidden;
}

void append_escaped(std::string& out, std::string_view bytes) {
    for (const char byte : bytes) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
}

}  // namespace

std::string escaped(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const Character character = first_character(text);
        const auto bytes = text.substr(0, character.size_bytes);
        if (character.is_valid && is_printable(character.point)) out += bytes;
        else append_escaped(out, bytes);
        text.remove_prefix(bytes.size());
    }
    return out;
}

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const Character character = first_character(text);
        if (!character.is_valid) return false;
        text.remove_prefix(character.size_bytes);
    }
    return true;
}

std::size_t display_width(std::string_view text) {
    std::size_t width = 0;
    while (!text.empty()) {
        const Character character = first_character(text);
        const int columns = character.point < 0x80 ? 1 : ::wcwidth(static_cast<wchar_t>(character.point));
        width += columns < 0 ? 1 : static_cast<std::size_t>(columns);
        text.remove_prefix(character.size_bytes);
    }
    return width;
}

}  // namespace comap::tool
