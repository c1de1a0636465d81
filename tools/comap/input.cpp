// SPDX-License-Identifier: Apache-2.0
#include "input.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "progress.hpp"
#include "system.hpp"

namespace comap::tool {
namespace {

constexpr std::uint64_t kChunkBytes = 64 * 1024;

// What a regular file on standard input holds; 0 for anything else.
std::uint64_t expected_bytes() {
    struct stat state = {};
    if (::fstat(STDIN_FILENO, &state) != 0 || !S_ISREG(state.st_mode)) return 0;
    return static_cast<std::uint64_t>(state.st_size);
}

tl::unexpected<Error> too_long(std::uint64_t room_bytes) {
    const auto expected = expected_bytes();
    const auto length = expected > room_bytes ? fmt::format("{}", expected) : fmt::format("more than {}", room_bytes);
    return tl::unexpected(Error{Code::too_long, 0, "",
                                fmt::format("standard input has {} bytes, and there is room for {}; nothing was written", length, room_bytes)});
}

}  // namespace

Result<std::string> read_standard_input(std::uint64_t room_bytes) {
    Progress progress(expected_bytes());
    std::string bytes;
    for (;;) {
        const auto size = bytes.size();
        bytes.resize(size + std::min<std::uint64_t>(kChunkBytes, room_bytes + 1 - size));
        const auto count = ::read(STDIN_FILENO, bytes.data() + size, bytes.size() - size);
        if (count < 0 && errno != EINTR)
            return tl::unexpected(Error{Code::os_error, errno, "", "standard input: " + system_text(errno)});
        bytes.resize(size + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
        if (bytes.size() > room_bytes) return too_long(room_bytes);
        if (count == 0) return bytes;
        progress.add(static_cast<std::uint64_t>(std::max<ssize_t>(count, 0)));
    }
}

}  // namespace comap::tool
