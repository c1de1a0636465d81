// SPDX-License-Identifier: Apache-2.0
// Making an object from the command line: one that somebody holds or that is kept, because else it would end at once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <comap/sync_object.hpp>

#include "command_line.hpp"
#include "exit.hpp"
#include "holders.hpp"
#include "signals.hpp"
#include "tool.hpp"

namespace comap::tool {

// "holding NAME" on standard output, then until one of the signals comes. The exit code.
int hold(Tool& tool, const std::string& name, const HeldSignals& signals);

// Says that it could not be made, and who has the name. The exit code.
int fail_to_make(Tool& tool, const std::string& name, const Error& error);

// --hold, --keep and --mode of `event NAME create` and its like.
struct MakingOptions {
    bool hold = false;
    bool keep = false;
    std::optional<std::uint32_t> mode;
    SyncOptions sync() const { return {.mode = mode.value_or(0600), .keep = keep}; }
};

void add_making(CommandLine command, MakingOptions& making);

// --fields LIST. `what`: begins its help.
Argument add_fields(CommandLine command, std::string& fields, const std::string& what);

// A usage error: neither --hold nor --keep was given.
int fail_nobody_holds(std::string_view who);

// `create(options)` makes the object. `who`: our own command. The exit code.
template <typename Create>
int make(Tool& tool, std::string_view who, const std::string& name, const MakingOptions& making, const Create& create) {
    if (!making.hold && !making.keep) return fail_nobody_holds(who);
    const HeldSignals signals({SIGINT, SIGTERM, SIGHUP});
    const auto object = create(making.sync());
    if (!object) return fail_to_make(tool, name, object.error());
    return making.hold ? hold(tool, name, signals) : kOk;
}

// An option that goes with some of the actions of a command only.
struct OptionOfAction {
    std::string_view option;
    bool is_given = false;
    std::vector<std::string_view> actions;
};

// Nothing is given that does not go with the action; else says what.
bool fit_action(std::string_view who, const std::string& action, const std::vector<OptionOfAction>& options);

// The same list for --hold, --keep and --mode.
std::vector<OptionOfAction> options_of_create(const MakingOptions& making);

}  // namespace comap::tool
