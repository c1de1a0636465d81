// SPDX-License-Identifier: Apache-2.0
// How the tool ends: its exit codes, and the messages that say why.
#pragma once

#include <string_view>

#include <comap/error.hpp>

namespace comap::tool {

inline constexpr int kOk = 0;
inline constexpr int kNegative = 1;       // not found, exists, busy, locked, does not fit
inline constexpr int kUsage = 2;
inline constexpr int kEnvironment = 3;    // permission, limits, space, the system
inline constexpr int kDamaged = 4;        // corrupt, abandoned, changed underneath, of another format
inline constexpr int kTimedOut = 124;
inline constexpr int kRunFailed = 125;    // `run` or `lock` itself failed
inline constexpr int kCannotExecute = 126;
inline constexpr int kCommandNotFound = 127;
inline constexpr int kSignalBase = 128;

// The one place that maps the library's codes to exit codes.
int exit_code(Code code);

// Writes "comap: TEXT" to standard error; control characters are escaped.
void message(std::string_view text);

// The same for an error; returns its exit code.
int fail(const Error& error);

// The same for a wrong command line.
int fail_usage(std::string_view text);

// For calls of the tool's own to the system: "WHAT: text of errno".
int fail_system(std::string_view what, int os_error);

}  // namespace comap::tool
