// SPDX-License-Identifier: Apache-2.0
// Blocking in the library's waits until they succeed, time is over, or the user wants to stop.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <comap/channel.hpp>
#include <comap/event.hpp>
#include <comap/queue.hpp>
#include <comap/waiting.hpp>

#include "command_line.hpp"
#include "signals.hpp"

namespace comap::tool {

inline bool is_interrupted(Acquired end) { return end == Acquired::interrupted; }
inline bool is_interrupted(const Waited& waited) { return waited.end == Acquired::interrupted; }
inline bool is_interrupted(Sent end) { return end == Sent::interrupted; }
inline bool is_interrupted(Reception end) { return end == Reception::interrupted; }
inline bool is_interrupted(const Received& received) { return received.end == Reception::interrupted; }
inline bool is_interrupted(const Popped& popped) { return popped.end == Reception::interrupted; }
inline bool is_interrupted(const Item& item) { return item.end() == Reception::interrupted; }

// What the last wait() gave; interrupted: the user wants to stop. Blocks as wait() does.
template <typename Wait>
auto until_stopped(const StopSignals& stop, const Wait& wait) {
    for (;;) {
        auto result = wait();
        if (!result || !is_interrupted(*result) || stop.have_come()) return result;
    }
}

// --timeout S, with exit code 124.
Argument add_timeout(CommandLine command, std::optional<double>& seconds, const std::string& help);

// Says that time is over; the exit code. `what`: "NAME was not set".
int fail_timed_out(std::string_view what);

// An automatic event can be waited for only by who may write it; a manual one by who may read it.
Result<Event> open_to_wait(Context& context, const std::string& name);

}  // namespace comap::tool
