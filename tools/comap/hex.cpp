// SPDX-License-Identifier: Apache-2.0
#include "hex.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "unicode.hpp"

namespace comap::tool {
namespace {

constexpr std::size_t kLineBytes = 16;
constexpr std::string_view kDigits = "0123456789abcdef";
using Line = std::array<unsigned char, kLineBytes>;

void append_hex(std::string& text, const Line& line, std::size_t count) {
    for (std::size_t i = 0; i < kLineBytes; ++i) {
        if (i == kLineBytes / 2) text += ' ';
        text += ' ';
        text += i < count ? kDigits[line[i] >> 4] : ' ';
        text += i < count ? kDigits[line[i] & 15] : ' ';
    }
}

void append_characters(std::string& text, const Line& line, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) text += line[i] >= 0x20 && line[i] < 0x7f ? static_cast<char>(line[i]) : '.';
}

void print_line(Output& out, const Line& line, std::size_t count, std::uint64_t offset_bytes) {
    std::string text = fmt::format("{:08x} ", offset_bytes);
    append_hex(text, line, count);
    text += "  |";
    append_characters(text, line, count);
    text += "|\n";
    out.write(text);
}

// The bytes are shared and may change while they are shown: each line is copied once, then compared and printed.
std::size_t copy_line(Line& line, std::span<const std::byte> bytes) {
    const auto count = std::min(bytes.size(), kLineBytes);
    std::transform(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count), line.begin(),
                   [](std::byte byte) { return static_cast<unsigned char>(byte); });
    return count;
}

}  // namespace

void print_hex(Output& out, std::span<const std::byte> bytes, std::uint64_t offset_bytes) {
    Line line = {};
    Line before = {};
    bool is_first = true;
    bool is_folding = false;
    for (std::size_t at = 0; at < bytes.size() && !out.has_failed(); at += kLineBytes) {
        const auto count = copy_line(line, bytes.subspan(at));
        const bool is_repeated = !is_first && count == kLineBytes && line == before;
        if (!is_repeated) print_line(out, line, count, offset_bytes + at);
        else if (!is_folding) out.write("*\n");
        is_folding = is_repeated;
        is_first = false;
        before = line;
    }
    out.print("{:08x}\n", offset_bytes + bytes.size());
}

void print_labelled_hex(Output& out, std::span<const std::byte> bytes, std::uint64_t offset_bytes, const std::string& label, std::size_t label_width) {
    Line line = {};
    for (std::size_t at = 0; at < bytes.size() && !out.has_failed(); at += kLineBytes) {
        out.print("{}{:{}}  ", at == 0 ? label : "", "", label_width - (at == 0 ? display_width(label) : 0));
        const auto count = copy_line(line, bytes.subspan(at));
        print_line(out, line, count, offset_bytes + at);
    }
}

}  // namespace comap::tool
