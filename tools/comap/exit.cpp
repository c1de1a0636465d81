// SPDX-License-Identifier: Apache-2.0
#include "exit.hpp"

#include <string>

#include <fmt/format.h>

#include "system.hpp"
#include "unicode.hpp"

namespace comap::tool {

int exit_code(Code code) {
    switch (code) {
        case Code::ok: return kOk;
        case Code::not_found:
        case Code::already_exists:
        case Code::kind_mismatch:
        case Code::layout_mismatch:
        case Code::too_long:
        case Code::not_owner:
        case Code::limit_reached:
        case Code::busy: return kNegative;
        case Code::invalid_argument: return kUsage;
        case Code::permission_denied:
        case Code::no_space:
        case Code::no_namespace:
        case Code::unsupported:
        case Code::os_error: return kEnvironment;
        case Code::corrupt:
        case Code::file_changed:
        case Code::version_mismatch: return kDamaged;
    }
    return kEnvironment;
}

void message(std::string_view text) { write_error_stream(fmt::format("comap: {}\n", escaped(text))); }

int fail(const Error& error) {
    message(error.message.empty() ? code_text(error.code) : std::string_view(error.message));
    return exit_code(error.code);
}

int fail_usage(std::string_view text) {
    message(text);
    return kUsage;
}

int fail_system(std::string_view what, int os_error) {
    message(fmt::format("{}: {}", what, system_text(os_error)));
    return kEnvironment;
}

}  // namespace comap::tool
