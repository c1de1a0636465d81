// SPDX-License-Identifier: Apache-2.0
// Following the messages of a channel until enough have come, time is over, or the user wants to stop.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include <comap/channel.hpp>

#include "command_line.hpp"
#include "message_form.hpp"
#include "tool.hpp"

namespace comap::tool {

struct SubscribingOptions {
    std::string name;
    From from = From::next;
    std::uint64_t count = UINT64_MAX;
    std::optional<double> timeout_seconds;
    std::optional<double> wait_seconds;
};

// --from, --count, --timeout and --wait.
void add_subscribing(CommandLine command, SubscribingOptions& options);

// What is done with the messages. `take`: with each; `settle`: when no other is there yet. False: no more are wanted.
struct Subscriber {
    std::function<Result<bool>(const RawChannel& channel)> begin;
    std::function<Result<bool>(std::span<const std::byte> bytes, std::uint64_t number, std::uint64_t missed)> take;
    std::function<Result<bool>()> settle;
};

// The exit code.
int subscribe(Tool& tool, const SubscribingOptions& options, const Subscriber& subscriber);

// Prints them. The exit code.
int subscribe_and_print(Tool& tool, const SubscribingOptions& options, const FormOptions& form);

}  // namespace comap::tool
