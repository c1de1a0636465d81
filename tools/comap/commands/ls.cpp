// SPDX-License-Identifier: Apache-2.0
// ls: the objects there are.
#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "activity.hpp"
#include "exit.hpp"
#include "format.hpp"
#include "kinds.hpp"
#include "listing.hpp"
#include "object_json.hpp"
#include "system.hpp"
#include "table.hpp"
#include "tool.hpp"
#include "unicode.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "ls", "List objects",
    "  comap ls                                all of them\n"
    "  comap ls 'camera*'                      those whose names match\n"
    "  comap ls -o name,size,holders           some columns\n"
    "  comap ls --noheadings -o name           for scripts\n"
    "  comap ls --json | jq '.objects[].name'\n"};

struct Options {
    std::string columns = "name,kind,layout,size,version,state,mode";
    bool json = false;
    bool noheadings = false;
    bool bytes = false;
    ListingOptions listing;
};

struct Row {
    const ObjectInfo& info;
    const HolderScan& scan;
    bool bytes;
};

struct Column {
    std::string_view name;
    bool is_number;
    std::string (*text)(const Row& row);
    bool needs_scan = false;
};

std::string yes_or_no(bool value) { return value ? "yes" : "no"; }

std::string holders_column(const Row& row) {
    if (row.scan.is_hidden(row.info)) return "?";
    const auto pids = row.scan.pids(row.info);
    return pids.empty() ? "-" : fmt::format("{}", fmt::join(pids, ","));
}

// What only sections have.
std::string of_section(const Row& row, const std::string& text) { return is_section(row.info) ? text : "-"; }

std::string size_column(const Row& row) {
    return of_section(row, row.bytes ? std::to_string(row.info.size_bytes) : human_size(row.info.size_bytes));
}

std::string state_column(const Row& row) {
    const auto state = row.info.presence == Presence::dead ? "" : sync_state(row.info);
    return fmt::format("{}{}{}", state_name(row.info.presence), state.empty() ? "" : ", ", state);
}

std::string owner_column(const Row& row) {
    if (row.info.owner_thread == 0) return "-";
    const auto pid = owner_pid(activities(row.info, row.scan.holders(row.info)));
    return pid ? std::to_string(*pid) : "?";
}

std::string waiters_column(const Row& row) {
    if (row.scan.is_hidden(row.info)) return "?";
    const auto doing = activities(row.info, row.scan.holders(row.info));
    const auto pids = waiting_pids(doing, Seen::yes);
    const bool is_all = waiting_pids(doing, Seen::unknown).empty();
    if (pids.empty()) return is_all ? "-" : "?";
    return fmt::format("{}{}", fmt::join(pids, ","), is_all ? "" : ",?");
}

std::string file_column(const Row& row) { return row.info.file.empty() ? "-" : escaped(row.info.file); }

constexpr std::array kColumns = {
    Column{"name", false, [](const Row& row) { return escaped(row.info.name); }},
    Column{"kind", false, [](const Row& row) { return std::string(shown_kind(row.info)); }},
    Column{"layout", false, [](const Row& row) { return of_section(row, std::string(layout_name(row.info.layout))); }},
    Column{"size", true, size_column},
    Column{"version", true, [](const Row& row) { return is_stream(row.info) ? "-" : of_section(row, std::to_string(row.info.version)); }},
    Column{"state", false, state_column},
    Column{"mode", false, [](const Row& row) { return octal(row.info.mode); }},
    Column{"holders", false, holders_column, true},
    Column{"owner", true, owner_column, true},
    Column{"waiters", false, waiters_column, true},
    Column{"keep", false, [](const Row& row) { return yes_or_no(row.info.keep); }},
    Column{"lazy", false, [](const Row& row) { return yes_or_no(row.info.lazy); }},
    Column{"uid", true, [](const Row& row) { return std::to_string(row.info.uid); }},
    Column{"user", false, [](const Row& row) { return escaped(user_name(row.info.uid)); }},
    Column{"created", false, [](const Row& row) { return iso_time(row.info.created_ns); }},
    Column{"file", false, file_column},
};

using Columns = std::vector<const Column*>;

std::string upper(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(),
                   [](char letter) { return static_cast<char>(letter >= 'a' && letter <= 'z' ? letter - 'a' + 'A' : letter); });
    return result;
}

const Column* find_column(std::string_view name) {
    const auto found = std::find_if(kColumns.begin(), kColumns.end(), [&](const Column& column) { return column.name == name; });
    return found == kColumns.end() ? nullptr : &*found;
}

std::string column_names() {
    std::vector<std::string_view> names;
    for (const auto& column : kColumns) names.push_back(column.name);
    return fmt::format("{}", fmt::join(names, ","));
}

// Nothing: a name is not of a column; said.
std::optional<Columns> parse_columns(const std::string& text) {
    Columns columns;
    std::istringstream names(text);
    for (std::string name; std::getline(names, name, ',');) {
        columns.push_back(find_column(name));
        if (columns.back() != nullptr) continue;
        fail_usage(fmt::format("ls: there is no column '{}'; columns are {}", name, column_names()));
        return std::nullopt;
    }
    return columns;
}

bool need_scan(const Columns& columns) {
    return std::any_of(columns.begin(), columns.end(), [](const Column* column) { return column->needs_scan; });
}

std::vector<ObjectInfo> readable(const std::vector<ListEntry>& entries) {
    std::vector<ObjectInfo> infos;
    for (const auto& entry : entries)
        if (entry.info) infos.push_back(*entry.info);
    return infos;
}

Json unreadable_json(const ListEntry& entry) {
    const Error& error = entry.info.error();
    return {{"name", entry.name}, {"error", code_name(error.code)}, {"message", error.message}};
}

// A list with each element on a line of its own.
class JsonLines {
  public:
    explicit JsonLines(Output& out) : out_(out) { out_.write("["); }
    void add(const Json& value) {
        out_.print("{}\n{}", is_first_ ? "" : ",", json_text(value));
        is_first_ = false;
    }
    void end() { out_.write("]"); }

  private:
    Output& out_;
    bool is_first_ = true;
};

void print_json(Output& out, const std::vector<ListEntry>& entries) {
    const auto infos = readable(entries);
    const auto scan = HolderScan::of(infos);
    out.print("{{\"schema\":{},\"objects\":", kJsonSchema);
    JsonLines objects(out);
    for (const auto& info : infos) objects.add(object_json(info, scan));
    objects.end();
    if (infos.size() < entries.size()) {
        out.write(",\n\"unreadable\":");
        JsonLines unreadable(out);
        for (const auto& entry : entries)
            if (!entry.info) unreadable.add(unreadable_json(entry));
        unreadable.end();
    }
    out.write("}\n");
}

std::vector<std::string> cells(const ListEntry& entry, const Columns& columns, const HolderScan& scan, bool bytes) {
    std::vector<std::string> row;
    for (const Column* const column : columns) {
        if (entry.info) row.push_back(column->text({*entry.info, scan, bytes}));
        else if (column->name == "name") row.push_back(escaped(entry.name));
        else if (column->name == "state") row.emplace_back(code_name(entry.info.error().code));
        else row.emplace_back("-");
    }
    return row;
}

void print_table(Output& out, const std::vector<ListEntry>& entries, const Columns& columns, const Options& options) {
    const auto scan = need_scan(columns) ? HolderScan::of(readable(entries)) : HolderScan{};
    std::vector<TableColumn> headings;
    for (const Column* const column : columns) headings.push_back({upper(column->name), column->is_number});
    Table table(std::move(headings));
    for (const auto& entry : entries) table.add(cells(entry, columns, scan, options.bytes));
    table.print(out, !options.noheadings);
}

int run(Tool& tool, const Options& options) {
    const auto columns = parse_columns(options.columns);
    if (!columns) return kUsage;
    const auto entries = listing(tool.context, options.listing);
    if (!entries) return fail(entries.error());
    if (options.json) print_json(tool.out, *entries);
    else print_table(tool.out, *entries, *columns, options);
    return kOk;
}

}  // namespace

void add_ls(CommandLine line, Tool& tool) {
    const auto [command, options] = add_command<Options>(line, tool, kText, run);
    command.add_option("PATTERN", options.listing.pattern, "Names that match: camera*, 'Global\\*' (default: all)").type_name("");
    command.add_option("-o,--output", options.columns, "Columns, with commas between: " + column_names()).type_name("COLS");
    command.add_flag("--json", options.json, "One JSON document, with the holders of each");
    command.add_flag("--noheadings", options.noheadings, "No line of headings");
    command.add_flag("-a,--all", options.listing.include_dead, "Also those whose last holder was killed");
    command.add_flag("-b,--bytes", options.bytes, "Sizes in bytes");
}

}  // namespace comap::tool
