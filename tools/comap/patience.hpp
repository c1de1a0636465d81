// SPDX-License-Identifier: Apache-2.0
// Blocking in the library's waits until they succeed, time is over, or the user wants to stop.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

#include <comap/event.hpp>
#include <comap/waiting.hpp>

#include "signals.hpp"

namespace comap::tool {

inline Acquired end_of(Acquired end) { return end; }
inline Acquired end_of(const Waited& waited) { return waited.end; }

// What the last wait() gave; interrupted: the user wants to stop. Blocks as wait() does.
template <typename Wait>
auto until_stopped(const StopSignals& stop, const Wait& wait) {
    for (;;) {
        const auto result = wait();
        if (!result || end_of(*result) != Acquired::interrupted || stop.have_come()) return result;
    }
}

// Demands a number of seconds: finite, not negative.
CLI::Option* seconds_only(CLI::Option* option);

// --timeout S, with exit code 124.
CLI::Option* add_timeout(CLI::App* command, std::optional<double>& seconds, const std::string& help);

// Says that time is over; the exit code. `what`: "NAME was not set".
int fail_timed_out(std::string_view what);

// An automatic event can be waited for only by who may write it; a manual one by who may read it.
Result<Event> open_to_wait(Context& context, const std::string& name);

}  // namespace comap::tool
