// SPDX-License-Identifier: Apache-2.0
#include "message_form.hpp"

#include <array>
#include <cstdint>
#include <string_view>

#include "record_text.hpp"
#include "unicode.hpp"

namespace comap::tool {
namespace {

std::string_view text_of(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

std::string base64(std::span<const std::byte> bytes) {
    constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
        std::uint32_t group = 0;
        for (std::size_t i = 0; i < 3; ++i) group = group << 8 | (i < count ? std::to_integer<std::uint32_t>(bytes[at + i]) : 0);
        for (std::size_t i = 0; i < 4; ++i) text += i <= count ? kDigits[group >> (18 - 6 * i) & 63] : '=';
    }
    return text;
}

// u32, little-endian.
std::array<char, 4> size_bytes_of(std::size_t size) {
    std::array<char, 4> bytes;
    for (std::size_t i = 0; i < 4; ++i) bytes[i] = static_cast<char>(size >> (8 * i) & 0xff);
    return bytes;
}

}  // namespace

void add_form(CommandLine command, FormOptions& form) {
    const auto json = command.add_flag("--json", form.json, "One JSON object per line");
    const auto raw = command.add_flag("--raw", form.raw, "Exactly the bytes of the messages, nothing between");
    const auto framed = command.add_flag("--framed", form.framed, "Before each message its length: 4 bytes, little-endian");
    json.excludes(raw).excludes(framed);
    raw.excludes(framed);
}

std::string message_line(const RecordType& type, std::span<const std::byte> bytes) {
    if (type.size_bytes() != 0) return line_text(type, bytes);
    std::string line;
    std::string_view rest = text_of(bytes);
    for (;;) {
        const auto tab = rest.find('\t');
        line += escaped(rest.substr(0, tab));
        if (tab == rest.npos) return line;
        line += '\t';
        rest.remove_prefix(tab + 1);
    }
}

void add_message(Json& object, const RecordType& type, std::span<const std::byte> bytes) {
    if (type.size_bytes() != 0) object["value"] = record_json(type, bytes);
    else if (is_utf8(text_of(bytes))) object["text"] = text_of(bytes);
    else object["bytes_base64"] = base64(bytes);
}

void print_message(Output& out, const FormOptions& form, const RecordType& type, std::span<const std::byte> bytes, const Json& facts) {
    if (form.json) {
        Json object = {{"schema", kJsonSchema}};
        object.update(facts);
        add_message(object, type, bytes);
        out.print("{}\n", json_text(object));
    } else if (form.raw || form.framed) {
        const auto size = size_bytes_of(bytes.size());
        if (form.framed) out.write({size.data(), size.size()});
        out.write(text_of(bytes));
    } else {
        out.print("{}\n", message_line(type, bytes));
    }
}

}  // namespace comap::tool
