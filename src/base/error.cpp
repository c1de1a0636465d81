// SPDX-License-Identifier: Apache-2.0
#include "base/error.hpp"

#include <cerrno>
#include <cstring>

namespace comap {

std::string_view code_name(Code code) noexcept {
    switch (code) {
#define COMAP_CODE_ENTRY(number, c_name, cpp_name, text) \
    case Code::cpp_name:                                 \
        return #cpp_name;
        COMAP_CODES(COMAP_CODE_ENTRY)
#undef COMAP_CODE_ENTRY
    }
    return "unknown";
}

std::string_view code_text(Code code) noexcept {
    switch (code) {
#define COMAP_CODE_ENTRY(number, c_name, cpp_name, text) \
    case Code::cpp_name:                                 \
        return text;
        COMAP_CODES(COMAP_CODE_ENTRY)
#undef COMAP_CODE_ENTRY
    }
    return "a code of another version of this library";
}

namespace internal {

std::string os_text(int os_error) {
    char buffer[128];
    return cat(std::string_view(::strerror_r(os_error, buffer, sizeof buffer)), " (errno ", os_error, ")");
}

Code code_of(int os_error) {
    switch (os_error) {
        case EACCES:
        case EPERM:
        case EROFS:
            return Code::permission_denied;
        case ENOSPC:
        case EDQUOT:
        case ENOMEM:
        case EFBIG:
            return Code::no_space;
        case EOPNOTSUPP:
        case ENOSYS:
            return Code::unsupported;
        default:
            return Code::os_error;
    }
}

std::string shown(std::string_view name) {
    constexpr char kHex[] = "0123456789abcdef";
    std::string out;
    for (const char c : name) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte != 0x7f) {
            out += c;
        } else {
            out += "\\x";
            out += kHex[byte >> 4];
            out += kHex[byte & 15];
        }
    }
    return out;
}

}  // namespace internal
}  // namespace comap
