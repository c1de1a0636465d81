// SPDX-License-Identifier: Apache-2.0
#include "output.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include <unistd.h>

#include "exit.hpp"
#include "system.hpp"

namespace comap::tool {
namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;

bool is_set(const char* variable) {
    const char* const value = std::getenv(variable);
    return value != nullptr && value[0] != '\0';
}

bool is_dumb_terminal() {
    const char* const terminal = std::getenv("TERM");
    return terminal == nullptr || std::string_view(terminal) == "dumb";
}

const char* code_of(Style style) {
    switch (style) {
        case Style::plain: return "";
        case Style::bold: return "1";
        case Style::dim: return "2";
        case Style::red: return "31";
        case Style::green: return "32";
        case Style::yellow: return "33";
    }
    return "";
}

[[noreturn]] void end_by_signal(int signal_number) {
    std::signal(signal_number, SIG_DFL);
    std::raise(signal_number);
    std::_Exit(kSignalBase + signal_number);
}

}  // namespace

void Output::use_color(const std::string& color) {
    const bool is_wanted = is_terminal(STDOUT_FILENO) && !is_set("NO_COLOR") && !is_dumb_terminal();
    is_colored_ = color == "always" || (color == "auto" && is_wanted);
}

void Output::write(std::string_view bytes) {
    if (buffer_.size() + bytes.size() < kBufferBytes) {
        buffer_ += bytes;
        return;
    }
    flush();
    if (bytes.size() >= kBufferBytes) write_through(bytes);
    else buffer_ = bytes;
}

bool Output::flush() {
    write_through(buffer_);
    buffer_.clear();
    return !has_failed();
}

void Output::write_through(std::string_view bytes) {
    while (!bytes.empty() && !has_failed()) {
        const auto count = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
        if (count < 0 && errno != EINTR) os_error_ = errno;
        if (count > 0) bytes.remove_prefix(static_cast<std::size_t>(count));
    }
}

std::string Output::styled(std::string_view text, Style style) const {
    if (!is_colored_ || style == Style::plain) return std::string(text);
    return fmt::format("\x1b[{}m{}\x1b[0m", code_of(style), text);
}

int Output::finish(int status) {
    flush();
    if (os_error_ == EPIPE) end_by_signal(SIGPIPE);
    if (os_error_ != 0) return fail_system("standard output", os_error_);
    return status;
}

}  // namespace comap::tool
