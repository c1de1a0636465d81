// SPDX-License-Identifier: Apache-2.0
// stat: everything about one object.
#include <fmt/format.h>

#include "activity.hpp"
#include "exit.hpp"
#include "format.hpp"
#include "kinds.hpp"
#include "object_json.hpp"
#include "system.hpp"
#include "tool.hpp"
#include "unicode.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "stat", "Everything about one object",
    "  comap stat frames\n"
    "  comap stat frames --json\n"};

struct Options {
    std::string name;
    bool json = false;
    bool bytes = false;
};

class Sheet {
  public:
    explicit Sheet(Output& out) : out_(out) {}
    void line(std::string_view label, const std::string& value) { out_.print("{:<9} {}\n", label, value); }

  private:
    Output& out_;
};

std::string state_text(const ObjectInfo& info, const std::string& owner) {
    const auto state = info.presence == Presence::dead ? "" : sync_state(info, owner);
    return fmt::format("{}{}{}{}{}", state_name(info.presence), info.keep && info.presence == Presence::held ? ", kept" : "",
                       info.lazy ? ", lazy" : "", state.empty() ? "" : ", ", state);
}

std::string waiters_text(const ObjectInfo& info, const HolderScan& scan, const ActivityByPid& doing) {
    std::string text;
    for (const int pid : waiting_pids(doing, Seen::yes)) text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", pid, command_name(pid));
    if (scan.is_hidden(info) || !waiting_pids(doing, Seen::unknown).empty()) text += text.empty() ? "unknown" : ", perhaps others";
    return text.empty() ? "none" : text;
}

void print_sheet(Tool& tool, const Options& options, const ObjectInfo& info) {
    const auto size = [&](std::uint64_t size_bytes) { return options.bytes ? std::to_string(size_bytes) : full_size(size_bytes); };
    const auto scan = HolderScan::of({&info, 1});
    const auto doing = activities(info, scan.holders(info));
    Sheet sheet(tool.out);
    sheet.line("name", escaped(info.name));
    sheet.line("kind", std::string(kind_name(info.kind)));
    if (is_section(info)) sheet.line("layout", std::string(layout_name(info.layout)));
    if (is_section(info)) sheet.line("size", size(info.size_bytes));
    if (info.layout == Layout::text) sheet.line("capacity", size(info.text_capacity_bytes));
    if (is_section(info)) sheet.line("version", std::to_string(info.version));
    sheet.line("state", escaped(state_text(info, owner_text(info, doing))));
    sheet.line("mode", octal(info.mode));
    sheet.line("owner", fmt::format("{} ({})", escaped(user_name(info.uid)), info.uid));
    sheet.line("created", iso_time(info.created_ns));
    if (!info.file.empty()) sheet.line("file", escaped(info.file));
    if (!info.file.empty()) sheet.line("offset", std::to_string(info.file_offset));
    const auto holders = holders_text(info, scan);
    sheet.line("holders", holders.empty() ? "none" : escaped(holders));
    if (!is_section(info)) sheet.line("waiters", escaped(waiters_text(info, scan, doing)));
    if (const auto path = tool.context.object_path(info.name)) sheet.line("path", escaped(*path));
}

int run(Tool& tool, const Options& options) {
    const auto info = tool.context.stat(options.name);
    if (!info) return fail(info.error());
    if (!options.json) {
        print_sheet(tool, options, *info);
        return kOk;
    }
    Json document = {{"schema", kJsonSchema}};
    document.update(object_json(*info, HolderScan::of({&*info, 1})));
    tool.out.print("{}\n", json_text(document));
    return kOk;
}

}  // namespace

void add_stat(CLI::App& app, Tool& tool) {
    const auto [command, options] = add_command<Options>(app, tool, kText, run);
    add_name(command, options.name);
    command->add_flag("--json", options.json, "As JSON");
    command->add_flag("-b,--bytes", options.bytes, "Sizes in bytes only");
}

}  // namespace comap::tool
