// SPDX-License-Identifier: Apache-2.0
#include "patience.hpp"

#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "exit.hpp"

namespace comap::tool {

CLI::Option* seconds_only(CLI::Option* option) {
    const auto check = [](const std::string& text) {
        double seconds = -1;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
        const bool is_good = error == std::errc() && end == text.data() + text.size() && std::isfinite(seconds) && seconds >= 0;
        return is_good ? std::string() : fmt::format("'{}' is not a number of seconds", text);
    };
    return option->check(CLI::Validator(check, ""))->type_name("S");
}

CLI::Option* add_timeout(CLI::App* command, std::optional<double>& seconds, const std::string& help) {
    return seconds_only(command->add_option("--timeout", seconds, help));
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
