// SPDX-License-Identifier: Apache-2.0
#include "win32/names.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string_view>

#define XXH_INLINE_ALL
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <xxhash.h>
#pragma GCC diagnostic pop

#include <utf8.h>

#include "win32/errors.hpp"
#include "win32/text.hpp"

namespace comap::win32 {
namespace {

// An A name fits into MAX_PATH bytes with its NUL; a W name has as many 16-bit units without.
constexpr std::size_t kNameBytesMost = MAX_PATH - 1;
constexpr std::size_t kNameUnitsMost = MAX_PATH;

template <typename Char>
bool is_longer(const Char* name, std::size_t most) {
    for (std::size_t length = 0; length <= most; ++length)
        if (name[length] == 0) return false;
    return true;
}

// As UTF-8; or why not.
struct Utf8Name {
    std::string text;
    DWORD error = ERROR_SUCCESS;
};

Utf8Name utf8_name(const char* name) {
    if (is_longer(name, kNameBytesMost)) return {{}, ERROR_FILENAME_EXCED_RANGE};
    std::string text = name;
    if (!::utf8::is_valid(text.begin(), text.end())) return {{}, ERROR_INVALID_NAME};
    return {std::move(text)};
}

Utf8Name utf8_name(const WCHAR* name) {
    if (is_longer(name, kNameUnitsMost)) return {{}, ERROR_FILENAME_EXCED_RANGE};
    std::optional<std::string> text = utf8(name);
    if (!text) return {{}, ERROR_INVALID_NAME};
    return {std::move(*text)};
}

bool take(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

// Each directory of names has these three in it again: Global\Local\x is found, and is Global\x.
bool is_directory(std::string_view text) { return text == "Global" || text == "Local" || text == "Session"; }

// Takes the prefixes off. What is left may still be no name.
DWORD take_prefixes(std::string_view& text, Scope& scope) {
    for (;;) {
        if (is_directory(text)) return ERROR_INVALID_HANDLE;
        if (take(text, "Global\\") || take(text, "Session\\0\\")) scope = Scope::global;
        else if (take(text, "Session\\1\\")) scope = Scope::local;
        else if (!take(text, "Local\\")) return ERROR_SUCCESS;
        if (text.empty()) return ERROR_INVALID_NAME;
    }
}

std::string hex_digits(std::uint64_t number) {
    std::string digits;
    for (int shift = 60; shift >= 0; shift -= 4) digits += "0123456789abcdef"[(number >> shift) & 15];
    return digits;
}

// A longer name keeps its beginning, and gets a hash of the whole.
std::string fitting(std::string_view base) {
    if (base.size() <= kNameBytesMax) return std::string(base);
    const XXH128_hash_t hash = XXH3_128bits(base.data(), base.size());
    std::string out = "~" + hex_digits(hash.high64) + hex_digits(hash.low64);
    std::size_t kept = kNameBytesMax - out.size();
    while ((static_cast<unsigned char>(base[kept]) & 0xc0) == 0x80) --kept;  // not within a character
    return out.insert(0, base.substr(0, kept));
}

ObjectName parsed(std::string_view text) {
    if (text.starts_with('\\')) return {.error = ERROR_BAD_PATHNAME};
    ObjectName name;
    name.error = take_prefixes(text, name.scope);
    if (name.error != ERROR_SUCCESS) return name;
    if (text.find('\\') != text.npos) return {.error = ERROR_PATH_NOT_FOUND};
    name.native = (name.scope == Scope::global ? "Global\\" : "") + fitting(text);
    return name;
}

bool lacks_global_directory(const Error& error) { return error.code == Code::no_namespace && error.os_error == ENOENT; }

}  // namespace

template <typename Char>
ObjectName name_to_create(const Char* name) {
    if (!name || *name == 0) return {};
    const Utf8Name given = utf8_name(name);
    return given.error == ERROR_SUCCESS ? parsed(given.text) : ObjectName{.error = given.error};
}

template <typename Char>
ObjectName name_to_open(const Char* name) {
    if (!name) return {.error = ERROR_INVALID_PARAMETER};
    if (*name == 0) return {.error = ERROR_INVALID_HANDLE};
    return name_to_create(name);
}

template ObjectName name_to_create(const char*);
template ObjectName name_to_create(const WCHAR*);
template ObjectName name_to_open(const char*);
template ObjectName name_to_open(const WCHAR*);

// On Windows it takes a right to create Global objects.
DWORD code_of_creation(const Error& error) { return lacks_global_directory(error) ? ERROR_ACCESS_DENIED : win32_code(error); }

// Where there is no directory, there is no object.
DWORD code_of_opening(const Error& error) { return lacks_global_directory(error) ? ERROR_FILE_NOT_FOUND : win32_code(error); }

bool may_set_up_global() {
    struct stat root = {};
    return ::geteuid() == 0 || (::stat(Context::standard().root().c_str(), &root) == 0 && root.st_uid == ::geteuid());
}

}  // namespace comap::win32
