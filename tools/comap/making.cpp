// SPDX-License-Identifier: Apache-2.0
#include "making.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "unicode.hpp"

namespace comap::tool {

int hold(Tool& tool, const std::string& name, const HeldSignals& signals) {
    tool.out.print("holding {}\n", escaped(name));
    if (tool.out.flush()) signals.wait();
    return kOk;
}

int fail_to_make(Tool& tool, const std::string& name, const Error& error) {
    const int status = fail(error);
    if (error.code == Code::already_exists) say_who_holds(tool.context, name);
    return status;
}

int fail_nobody_holds(std::string_view who) {
    return fail_usage(fmt::format("{}: an object that nobody holds ends at once, so give --hold (to hold it until a signal comes) or --keep (to let it stay until it is removed)", who));
}

void add_making(CommandLine command, MakingOptions& making) {
    command.add_flag("--hold", making.hold, "create: hold it until SIGINT, SIGTERM or SIGHUP; says 'holding NAME' when it is there");
    command.add_flag("--keep", making.keep, "create: it outlives its holders, until removed");
    add_mode(command, making.mode);
}

Argument add_fields(CommandLine command, std::string& fields, const std::string& what) {
    return command
        .add_option("--fields", fields,
                     what + "name:type with commas between; types are i1 i2 i4 i8, u1 u2 u4 u8, f4 f8, b1 (bool), sN (text of N bytes); "
                            "[n] or [n,m] after one makes an array; xN is N bytes of padding")
        .type_name("LIST");
}

bool fit_action(std::string_view who, const std::string& action, const std::vector<OptionOfAction>& options) {
    for (const auto& option : options) {
        if (!option.is_given || std::find(option.actions.begin(), option.actions.end(), action) != option.actions.end()) continue;
        fail_usage(fmt::format("{}: {} does not go with '{}', only with '{}'", who, option.option, action, fmt::join(option.actions, "', '")));
        return false;
    }
    return true;
}

std::vector<OptionOfAction> options_of_create(const MakingOptions& making) {
    return {{"--hold", making.hold, {"create"}}, {"--keep", making.keep, {"create"}}, {"--mode", making.mode.has_value(), {"create"}}};
}

}  // namespace comap::tool
