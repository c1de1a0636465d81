// SPDX-License-Identifier: Apache-2.0
#include "progress.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <unistd.h>

#include "format.hpp"
#include "system.hpp"

namespace comap::tool {
namespace {

constexpr std::uint64_t kLongCopyBytes = 64ull << 20;
constexpr auto kInterval = std::chrono::milliseconds(100);

}  // namespace

Progress::Progress(std::uint64_t total_bytes) : total_bytes_(total_bytes), is_wanted_(is_terminal(STDERR_FILENO)) {}

Progress::~Progress() {
    if (was_shown_) write_error_stream("\r\x1b[K");
}

void Progress::add(std::uint64_t size_bytes) {
    done_bytes_ += size_bytes;
    if (!is_wanted_ || std::max(total_bytes_, done_bytes_) <= kLongCopyBytes) return;
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return;
    next_ = now + kInterval;
    show();
}

void Progress::show() {
    was_shown_ = true;
    if (total_bytes_ == 0) return write_error_stream(fmt::format("\r\x1b[K{}", human_size(done_bytes_)));
    const auto percent = static_cast<double>(done_bytes_) * 100 / static_cast<double>(total_bytes_);
    write_error_stream(fmt::format("\r\x1b[K{:3.0f} %  {} of {}", percent, human_size(done_bytes_), human_size(total_bytes_)));
}

}  // namespace comap::tool
