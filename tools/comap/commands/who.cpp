// SPDX-License-Identifier: Apache-2.0
// who: the processes that hold an object.
#include <fmt/format.h>

#include "exit.hpp"
#include "holders.hpp"
#include "table.hpp"
#include "tool.hpp"
#include "unicode.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "who", "The processes that hold an object",
    "  comap who frames\n"
    "  kill $(comap who -t frames)\n"};

struct Options {
    std::string name;
    bool terse = false;
    bool noheadings = false;
};

std::string how(const Holder& holder) {
    if (holder.has_handle && holder.has_view) return "handle,view";
    return holder.has_view ? "view" : "handle";
}

void print_terse(Output& out, const HoldersByPid& holders) {
    for (const auto& [pid, holder] : holders) out.print("{}\n", pid);
}

void print_table(Output& out, const HoldersByPid& holders, bool with_headings) {
    Table table({{"PID", true}, {"USER"}, {"HOLDS"}, {"COMMAND"}});
    for (const auto& [pid, holder] : holders)
        table.add({std::to_string(pid), escaped(process_user(pid)), how(holder), escaped(command_line(pid))});
    table.print(out, with_headings);
}

// What the list of processes does not say.
void say_the_rest(const ObjectInfo& info, const HolderScan& scan) {
    if (scan.is_hidden(info))
        return message(fmt::format("{} is held by processes that cannot be seen from here: another user's, or in another container", info.name));
    if (info.presence == Presence::kept) return message(fmt::format("nobody holds {}; it is kept until it is removed", info.name));
    if ((info.mode & 0077) != 0 && scan.closed_process_count() > 0)
        message(fmt::format("{} of other users cannot be looked into and may hold it too; root sees all",
                            scan.closed_process_count() == 1 ? "1 process" : fmt::format("{} processes", scan.closed_process_count())));
}

int run(Tool& tool, const Options& options) {
    const auto info = tool.context.stat(options.name);
    if (!info) return fail(info.error());
    const auto scan = HolderScan::of({&*info, 1});
    const auto& holders = scan.holders(*info);
    if (options.terse) print_terse(tool.out, holders);
    else if (!holders.empty()) print_table(tool.out, holders, !options.noheadings);
    say_the_rest(*info, scan);
    return kOk;
}

}  // namespace

void add_who(CLI::App& app, Tool& tool) {
    const auto [command, options] = add_command<Options>(app, tool, kText, run);
    add_name(command, options.name);
    command->add_flag("-t,--terse", options.terse, "Process ids only, one per line");
    command->add_flag("--noheadings", options.noheadings, "No line of headings");
}

}  // namespace comap::tool
