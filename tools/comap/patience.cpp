// SPDX-License-Identifier: Apache-2.0
#include "patience.hpp"

#include <fmt/format.h>

#include "exit.hpp"

namespace comap::tool {

Argument add_timeout(CommandLine command, std::optional<double>& seconds, const std::string& help) {
    return command.add_option("--timeout", seconds, help).seconds();
}

int fail_timed_out(std::string_view what) {
    message(fmt::format("time is over, and {}", what));
    return kTimedOut;
}

Result<Event> open_to_wait(Context& context, const std::string& name) {
    auto event = Event::open(name, {}, context);
    if (event || event.error().code != Code::permission_denied) return event;
    auto readable = Event::open(name, {.access = Access::read_only, .owner_uid = {}, .file = {}}, context);
    return readable && readable->reset_kind() == Reset::manual ? std::move(readable) : std::move(event);
}

}  // namespace comap::tool
