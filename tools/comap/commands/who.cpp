// SPDX-License-Identifier: Apache-2.0
// who: the processes that hold an object.
#include <fmt/format.h>

#include "activity.hpp"
#include "exit.hpp"
#include "holders.hpp"
#include "kinds.hpp"
#include "object_json.hpp"
#include "table.hpp"
#include "tool.hpp"
#include "unicode.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "who", "The processes that hold an object",
    "  comap who frames\n"
    "  comap who backup                 who owns the mutex, and who waits for it\n"
    "  kill $(comap who -t frames)\n"
    "  comap who frames --json\n"};

struct Options {
    std::string name;
    bool terse = false;
    bool noheadings = false;
    bool json = false;
};

std::string how(const ObjectInfo& info, const Holder& holder) {
    if (!is_section(info)) return holder.has_handle ? "handle" : "-";
    if (holder.has_handle && holder.has_view) return "handle,view";
    return holder.has_view ? "view" : "handle";
}

void print_terse(Output& out, const HoldersByPid& holders) {
    for (const auto& [pid, holder] : holders) out.print("{}\n", pid);
}

// For sections only what is seen: nobody has to sleep on one to wait for it.
std::string what(const ObjectInfo& info, const Activity& activity) {
    const bool owns = activity.owns == Seen::yes;
    const bool waits = activity.waits == Seen::yes;
    if (owns || waits) return fmt::format("{}{}{}", owns ? "owns" : "", owns && waits ? "," : "", waits ? "waits" : "");
    const bool is_unknown = activity.owns == Seen::unknown || activity.waits == Seen::unknown;
    return is_unknown && !is_section(info) ? "?" : "-";
}

void print_table(Output& out, const ObjectInfo& info, const HoldersByPid& holders, bool with_headings) {
    const auto doing = activities(info, holders);
    Table table({{"PID", true}, {"USER"}, {"HOLDS"}, {"DOES"}, {"COMMAND"}});
    for (const auto& [pid, holder] : holders)
        table.add({std::to_string(pid), escaped(process_user(pid)), how(info, holder), what(info, doing.at(pid)), escaped(command_line(pid))});
    table.print(out, with_headings);
}

Json seen_json(Seen seen) { return seen == Seen::unknown ? Json(nullptr) : Json(seen == Seen::yes); }

void print_json(Output& out, const ObjectInfo& info, const HolderScan& scan) {
    const auto& holders = scan.holders(info);
    const auto doing = activities(info, holders);
    Json list = Json::array();
    for (const auto& [pid, holder] : holders) {
        Json entry = {{"pid", pid}, {"user", process_user(pid)}, {"handle", holder.has_handle}};
        if (is_section(info)) entry["view"] = holder.has_view;
        if (info.kind == Kind::mutex) entry["owns"] = seen_json(doing.at(pid).owns);
        entry["waits"] = seen_json(doing.at(pid).waits);
        entry["command"] = command_line(pid);
        list.push_back(std::move(entry));
    }
    out.print("{}\n", json_text(Json{{"schema", kJsonSchema}, {"name", info.name}, {"kind", shown_kind(info)}, {"holders", std::move(list)}}));
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
    if (options.json) print_json(tool.out, *info, scan);
    else if (options.terse) print_terse(tool.out, holders);
    else if (!holders.empty()) print_table(tool.out, *info, holders, !options.noheadings);
    say_the_rest(*info, scan);
    return kOk;
}

}  // namespace

void add_who(CommandLine line, Tool& tool) {
    const auto [command, options] = add_command<Options>(line, tool, kText, run);
    add_name(command, options.name);
    const auto terse = command.add_flag("-t,--terse", options.terse, "Process ids only, one per line");
    command.add_flag("--noheadings", options.noheadings, "No line of headings");
    command.add_flag("--json", options.json, "As JSON").excludes(terse);
}

}  // namespace comap::tool
