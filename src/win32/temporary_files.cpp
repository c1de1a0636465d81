// SPDX-License-Identifier: Apache-2.0
// Where temporary files go, and names for them.
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include "win32/errors.hpp"
#include "win32/files.hpp"
#include "win32/text.hpp"

namespace comap::win32 {
namespace {

std::string temporary_directory() {
    for (const char* variable : {"TMPDIR", "TMP", "TEMP"})
        if (const char* const value = ::secure_getenv(variable); value && *value) return std::string(value) + (std::strchr(value, '\0')[-1] == '/' ? "" : "/");
    return "/tmp/";
}

// The length without the NUL; if there is not enough room, the length with it.
template <typename T>
DWORD give_text(const std::basic_string<T>& text, DWORD room, T* buffer) {
    if (!buffer || room <= text.size()) return static_cast<DWORD>(text.size() + 1);
    std::memcpy(buffer, text.c_str(), (text.size() + 1) * sizeof(T));
    return static_cast<DWORD>(text.size());
}

struct TemporaryName {
    UINT number = 0;  // 0: none, and the last error is set
    std::string path;
};

std::string name_with_number(const std::string& directory, std::string_view prefix, UINT number) {
    std::array<char, 16> text{};
    std::snprintf(text.data(), text.size(), "%x.tmp", number);
    return directory + std::string(prefix) + text.data();
}

TemporaryName failed(DWORD code) {
    SetLastError(code);
    return {};
}

// The first three characters.
std::string_view short_prefix(std::string_view prefix) {
    const char* at = prefix.data();
    for (int count = 0; count < 3 && at != prefix.data() + prefix.size(); ++count) (void)take_code_point(at, prefix.data() + prefix.size());
    return prefix.substr(0, static_cast<std::size_t>(at - prefix.data()));
}

// A number that is given is used as it is; else the first one for which there is no file yet, and the file is made.
TemporaryName temporary_name(const char* directory_name, const char* prefix, UINT unique) {
    std::optional<std::string> directory = native_path(directory_name ? directory_name : "");
    if (!directory) return failed(directory_name && *directory_name ? ERROR_DIRECTORY : ERROR_INVALID_PARAMETER);
    if (directory->size() > MAX_PATH - 14) return failed(ERROR_BUFFER_OVERFLOW);
    struct stat found;
    if (::stat(directory->c_str(), &found) < 0 || !S_ISDIR(found.st_mode)) return failed(ERROR_DIRECTORY);
    if (directory->back() != '/') *directory += '/';
    const std::string_view start = short_prefix(prefix ? prefix : "");
    if (unique & 0xffff) return {unique & 0xffff, name_with_number(*directory, start, unique & 0xffff)};
    struct timespec now = {};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    const auto first = static_cast<UINT>(now.tv_nsec / 1000 + ::getpid());
    for (UINT tried = 0; tried < 0xffff; ++tried) {
        const UINT number = (first + tried) % 0xffff + 1;
        const std::string path = name_with_number(*directory, start, number);
        const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (descriptor >= 0) {
            ::close(descriptor);
            return {number, path};
        }
        if (errno != EEXIST) return failed(path_code(errno, path));
    }
    return failed(ERROR_FILE_EXISTS);
}

template <typename T>
UINT give_temporary_name(const char* directory, const char* prefix, UINT unique, T* buffer) {
    if (!buffer) return failed(ERROR_INVALID_PARAMETER).number;
    const TemporaryName made = temporary_name(directory, prefix, unique);
    if (made.number != 0) give_text(text_as<T>(made.path), MAX_PATH, buffer);
    return made.number;
}

}  // namespace
}  // namespace comap::win32

using namespace comap::win32;

extern "C" {

DWORD GetTempPathA(DWORD room, LPSTR buffer) { return give_text(temporary_directory(), room, buffer); }
DWORD GetTempPathW(DWORD room, LPWSTR buffer) { return give_text(utf16(temporary_directory()), room, buffer); }

UINT GetTempFileNameA(LPCSTR directory, LPCSTR prefix, UINT unique, LPSTR out) { return give_temporary_name(directory, prefix, unique, out); }

UINT GetTempFileNameW(LPCWSTR directory, LPCWSTR prefix, UINT unique, LPWSTR out) {
    const auto narrow_directory = directory ? utf8(directory) : std::string();
    const auto narrow_prefix = prefix ? utf8(prefix) : std::string();
    if (!narrow_directory || !narrow_prefix) return failed(ERROR_INVALID_NAME).number;
    return give_temporary_name(narrow_directory->c_str(), narrow_prefix->c_str(), unique, out);
}
}
