// SPDX-License-Identifier: Apache-2.0
// libFuzzer: any bytes as a name, as a file name, as UTF-8 and as UTF-16.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include <comap/text.hpp>

#include "base/name.hpp"

namespace {

void must(bool condition) {
    if (!condition) std::abort();
}

void check_name(std::string_view given) {
    const auto name = comap::internal::parse_name(given);
    if (!name) return;
    const std::string& file_name = name->file_name;
    must(!file_name.empty() && file_name.size() <= comap::internal::kFileNameBytesMax);
    must(file_name.find('/') == std::string::npos && file_name.find('\0') == std::string::npos && file_name[0] != '.');
    must(comap::internal::is_hashed(file_name) || comap::internal::base_of(file_name) == name->base);
    must(comap::internal::parse_name(name->full())->file_name == file_name);
}

void check_conversion(std::string_view bytes) {
    if (const auto wide = comap::utf16_from_utf8(bytes)) must(*comap::utf8_from_utf16(*wide) == bytes);
    std::u16string units(bytes.size() / 2, u'\0');
    if (!units.empty()) std::memcpy(units.data(), bytes.data(), units.size() * 2);
    if (const auto narrow = comap::utf8_from_utf16(units)) must(*comap::utf16_from_utf8(*narrow) == units);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    check_name(bytes);
    (void)comap::internal::base_of(bytes);
    check_conversion(bytes);
    return 0;
}
