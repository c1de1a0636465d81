// SPDX-License-Identifier: Apache-2.0
#include "system.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <system_error>

#include <fcntl.h>
#include <pwd.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace comap::tool {

void Descriptor::close() {
    if (number_ >= 0) ::close(std::exchange(number_, -1));
}

void keep_closed_streams_closed() {
    for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (::fcntl(stream, F_GETFD) < 0) (void)::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);  // gets that number; neither read nor written
}

std::string system_text(int os_error) { return std::generic_category().message(os_error); }

void write_error_stream(std::string_view text) {
    while (!text.empty()) {
        const auto count = ::write(STDERR_FILENO, text.data(), text.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return;
        text.remove_prefix(static_cast<std::size_t>(count));
    }
}

std::optional<std::string> file_text(const std::string& path) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!file) return std::nullopt;
    std::string text;
    std::array<char, 16384> chunk;
    for (;;) {
        const auto count = ::read(file.number(), chunk.data(), chunk.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return std::nullopt;
        if (count == 0) return text;
        text.append(chunk.data(), static_cast<std::size_t>(count));
    }
}

std::optional<std::uint64_t> file_number(const std::string& path) {
    const auto text = file_text(path);
    std::uint64_t number = 0;
    if (!text || std::from_chars(text->data(), text->data() + text->size(), number).ec != std::errc{}) return std::nullopt;
    return number;
}

std::optional<SpaceBytes> space_of(const std::string& path) {
    struct statvfs state = {};
    if (::statvfs(path.c_str(), &state) != 0) return std::nullopt;
    return SpaceBytes{state.f_blocks * state.f_frsize, state.f_bavail * state.f_frsize};
}

std::string user_name(std::uint32_t uid) {
    const passwd* const entry = ::getpwuid(uid);
    return entry != nullptr ? entry->pw_name : std::to_string(uid);
}

bool is_terminal(int descriptor) { return ::isatty(descriptor) == 1; }

}  // namespace comap::tool
