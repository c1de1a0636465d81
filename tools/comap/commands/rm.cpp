// SPDX-License-Identifier: Apache-2.0
// rm: removes objects that nobody holds, and lets held ones end with their last holder.
#include <vector>

#include <fmt/format.h>

#include "exit.hpp"
#include "holders.hpp"
#include "tool.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "rm", "Remove objects",
    "  comap rm settings greeting\n"
    "  comap rm -f settings            no matter whether it is there\n"};

struct Options {
    std::vector<std::string> names;
    bool force = false;
};

void say_who_holds(Tool& tool, const std::string& name) {
    const auto info = tool.context.stat(name);
    const auto holders = info ? holders_text(*info) : "";
    message(fmt::format("{} is still held{}{}; it ends with its last holder", name, holders.empty() ? "" : " by ", holders));
}

int remove(Tool& tool, const std::string& name, bool force) {
    const auto removed = tool.context.remove(name);
    if (!removed && force && removed.error().code == Code::not_found) return kOk;
    if (!removed) return fail(removed.error());
    if (*removed == Removed::when_last_holder_ends) say_who_holds(tool, name);
    return kOk;
}

int run(Tool& tool, const Options& options) {
    int worst = kOk;
    for (const auto& name : options.names) worst = std::max(worst, remove(tool, name, options.force));
    return worst;
}

}  // namespace

void add_rm(CommandLine line, Tool& tool) {
    const auto [command, options] = add_command<Options>(line, tool, kText, run);
    command.add_option("NAME", options.names, "Names of objects").required().type_name("");
    command.add_flag("-f,--force", options.force, "A missing one is no error");
}

}  // namespace comap::tool
