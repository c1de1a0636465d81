// SPDX-License-Identifier: Apache-2.0
#include "base/name.hpp"

#define XXH_INLINE_ALL
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <xxhash.h>
#pragma GCC diagnostic pop

#include "base/error.hpp"
#include "base/utf.hpp"

namespace comap::internal {
namespace {

constexpr char kHex[] = "0123456789ABCDEF";
constexpr std::string_view kHashMark = "%~";
constexpr std::size_t kHashDigits = 32;

bool must_encode(unsigned char byte, bool is_first) {
    return byte < 0x20 || byte == 0x7f || byte == '/' || byte == '%' || (is_first && (byte == '.' || byte == '#'));
}

int hex_value(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

bool needs_encoding(std::string_view base) {
    for (std::size_t i = 0; i < base.size(); ++i)
        if (must_encode(static_cast<unsigned char>(base[i]), i == 0)) return true;
    return false;
}

std::string encode(std::string_view base) {
    if (!needs_encoding(base)) return std::string(base);
    std::string out;
    for (std::size_t i = 0; i < base.size(); ++i) {
        const auto byte = static_cast<unsigned char>(base[i]);
        if (must_encode(byte, i == 0)) {
            out += '%';
            out += kHex[byte >> 4];
            out += kHex[byte & 15];
        } else {
            out += base[i];
        }
    }
    return out;
}

std::string hash_digits(std::string_view base) {
    const XXH128_hash_t hash = XXH3_128bits(base.data(), base.size());
    std::string out;
    for (const std::uint64_t half : {std::uint64_t{hash.high64}, std::uint64_t{hash.low64}})
        for (int shift = 60; shift >= 0; shift -= 4) out += kHex[(half >> shift) & 15];
    return out;
}

// At most `size_max` bytes from the front, cut between characters and between encoded bytes.
std::string_view cut(std::string_view encoded, std::size_t size_max) {
    std::size_t size = size_max;
    while (size > 0 && (static_cast<unsigned char>(encoded[size]) & 0xc0) == 0x80) --size;
    for (std::size_t back = 1; back <= 2 && back <= size; ++back)
        if (encoded[size - back] == '%') return encoded.substr(0, size - back);
    return encoded.substr(0, size);
}

bool take_prefix(std::string_view& name, std::string_view prefix) {
    if (!name.starts_with(prefix)) return false;
    name.remove_prefix(prefix.size());
    return true;
}

}  // namespace

std::string full_name(Scope scope, std::string_view base) {
    return scope == Scope::global ? cat("Global\\", base) : std::string(base);
}

std::string Name::full() const { return full_name(scope, base); }

std::string file_name_of(std::string_view base) {
    std::string encoded = encode(base);
    if (encoded.size() <= kFileNameBytesMax) return encoded;
    return cat(cut(encoded, kHashedPrefixBytes), kHashMark, hash_digits(base));
}

bool is_hashed(std::string_view file_name) {
    return file_name.size() > kHashMark.size() + kHashDigits &&
           file_name.substr(file_name.size() - kHashDigits - kHashMark.size(), kHashMark.size()) == kHashMark;
}

std::optional<std::string> base_of(std::string_view file_name) {
    std::string out;
    for (std::size_t i = 0; i < file_name.size(); ++i) {
        if (file_name[i] != '%') {
            out += file_name[i];
            continue;
        }
        if (i + 2 >= file_name.size()) return std::nullopt;
        const int high = hex_value(file_name[i + 1]);
        const int low = hex_value(file_name[i + 2]);
        if (high < 0 || low < 0) return std::nullopt;
        out += static_cast<char>(high << 4 | low);
        i += 2;
    }
    const auto name = parse_name(out);
    if (!name || name->base != out || name->file_name != file_name) return std::nullopt;
    return out;
}

Result<Name> parse_name(std::string_view given) {
    const auto bad = [&](const auto&... parts) {
        return fail(Code::invalid_argument, 0, given, "the name '", shown(given), "' ", parts...);
    };
    Name name;
    std::string_view base = given;
    if (take_prefix(base, "Global\\")) name.scope = Scope::global;
    else take_prefix(base, "Local\\");
    if (base.empty()) return bad("is empty; give at least one character");
    if (base.size() > kNameBytesMax) return bad("has ", base.size(), " bytes; at most ", kNameBytesMax, " are allowed");
    if (base.find('\\') != base.npos)
        return bad("contains a backslash other than the one of Local\\ or Global\\; use another character");
    if (base.find('\0') != base.npos) return bad("contains a NUL byte");
    if (const auto at = first_invalid_utf8(base)) return bad("is not UTF-8 (from byte ", *at, " on)");
    name.base = base;
    name.file_name = file_name_of(base);
    return name;
}

}  // namespace comap::internal
