// SPDX-License-Identifier: Apache-2.0
// stat: everything about one object.
#include <comap/cell.hpp>
#include <fmt/format.h>

#include "activity.hpp"
#include "exit.hpp"
#include "format.hpp"
#include "kinds.hpp"
#include "object_json.hpp"
#include "record_text.hpp"
#include "system.hpp"
#include "table.hpp"
#include "tool.hpp"
#include "unicode.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "stat", "Everything about one object",
    "  comap stat frames\n"
    "  comap stat quote             of a cell also its fields\n"
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

// What only an open cell tells; nothing if it cannot be opened. It is closed again before anybody looks who holds it.
struct CellFacts {
    std::uint32_t history = 0;
    bool has_many_writers = false;
};

std::optional<CellFacts> cell_facts(Tool& tool, const ObjectInfo& info) {
    if (info.layout != Layout::cell) return std::nullopt;
    CellOpenOptions options;
    options.access = Access::read_only;
    const auto cell = RawCell::open(info.name, options, tool.context);
    if (!cell) return std::nullopt;
    return CellFacts{cell->history(), cell->has_many_writers()};
}

void print_cell(Sheet& sheet, const ObjectInfo& info, const std::optional<CellFacts>& facts, const std::string& record_size) {
    if (info.layout != Layout::cell) return;
    sheet.line("record", record_size);
    sheet.line("slots", std::to_string(info.slot_count));
    if (facts) sheet.line("history", fmt::format("{} before the latest", counted(facts->history, "value")));
    if (facts) sheet.line("writers", facts->has_many_writers ? "many" : "one at a time");
}

void print_fields(Output& out, const ObjectInfo& info) {
    const auto type = RecordType::parse(info.record_format);
    if (!type) return;
    Table table({{"FIELD"}, {"TYPE"}, {"OFFSET", true}});
    for_each_declared(*type, [&](const RecordPlace& place) {
        table.add({escaped(place.path), type_text(*place.field), std::to_string(place.offset_bytes)});
    });
    out.write("\n");
    table.print(out, true);
}

void add_cell_facts(Json& document, const ObjectInfo& info, const std::optional<CellFacts>& facts) {
    if (info.layout != Layout::cell) return;
    if (facts) document["history"] = facts->history;
    if (facts) document["many_writers"] = facts->has_many_writers;
    document["fields"] = Json::array();
    if (const auto type = RecordType::parse(info.record_format))
        for_each_declared(*type, [&](const RecordPlace& place) {
            document["fields"].push_back({{"name", place.path}, {"type", type_text(*place.field)}, {"offset", place.offset_bytes}});
        });
}

void print_sheet(Tool& tool, const Options& options, const ObjectInfo& info, const std::optional<CellFacts>& facts) {
    const auto size = [&](std::uint64_t size_bytes) { return options.bytes ? std::to_string(size_bytes) : full_size(size_bytes); };
    const auto scan = HolderScan::of({&info, 1});
    const auto doing = activities(info, scan.holders(info));
    Sheet sheet(tool.out);
    sheet.line("name", escaped(info.name));
    sheet.line("kind", std::string(shown_kind(info)));
    if (is_section(info)) sheet.line("layout", std::string(layout_name(info.layout)));
    if (is_section(info)) sheet.line("size", size(info.size_bytes));
    if (info.layout == Layout::text) sheet.line("capacity", size(info.text_capacity_bytes));
    print_cell(sheet, info, facts, size(info.record_bytes));
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
    if (info.layout == Layout::cell) print_fields(tool.out, info);
}

int run(Tool& tool, const Options& options) {
    const auto info = tool.context.stat(options.name);
    if (!info) return fail(info.error());
    const auto facts = cell_facts(tool, *info);
    if (!options.json) {
        print_sheet(tool, options, *info, facts);
        return kOk;
    }
    Json document = {{"schema", kJsonSchema}};
    document.update(object_json(*info, HolderScan::of({&*info, 1})));
    add_cell_facts(document, *info, facts);
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
