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
#include "streams.hpp"
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
    "  comap stat log               of a channel how many were published, of a queue how many wait\n"
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
    std::uint32_t writers = 1;
};

std::optional<CellFacts> cell_facts(Tool& tool, const ObjectInfo& info) {
    if (info.layout != Layout::cell) return std::nullopt;
    CellOpenOptions options;
    options.access = Access::read_only;
    const auto cell = RawCell::open(info.name, options, tool.context);
    if (!cell) return std::nullopt;
    return CellFacts{cell->history(), cell->writers()};
}

void print_cell(Sheet& sheet, const ObjectInfo& info, const std::optional<CellFacts>& facts, const std::string& record_size) {
    if (info.layout != Layout::cell) return;
    sheet.line("record", record_size);
    sheet.line("slots", std::to_string(info.slot_count));
    if (facts) sheet.line("history", fmt::format("{} before the latest", counted(facts->history, "value")));
    if (facts) sheet.line("writers", facts->writers > 1 ? fmt::format("up to {} at a time", facts->writers) : "one at a time");
}

// What only an open channel or queue tells.
struct StreamFacts {
    std::uint64_t ring_bytes = 0;
    std::uint64_t capacity = 0;
    std::optional<std::uint64_t> published;
    std::optional<QueueCounts> counts;
};

std::optional<StreamFacts> stream_facts(Tool& tool, const ObjectInfo& info) {
    const auto facts = [&](const auto& stream) {
        return StreamFacts{stream.ring_bytes(), stream.capacity(), std::nullopt, std::nullopt};
    };
    if (info.layout == Layout::channel) {
        const auto channel = RawChannel::open(info.name, {.access = Access::read_only, .owner_uid = {}, .file = {}}, tool.context);
        if (!channel) return std::nullopt;
        StreamFacts of_channel = facts(*channel);
        if (const auto published = channel->published()) of_channel.published = *published;
        return of_channel;
    }
    if (info.layout != Layout::queue) return std::nullopt;
    auto queue = RawQueue::open(info.name, {}, tool.context);
    if (!queue) queue = RawQueue::open(info.name, {.access = Access::read_only, .owner_uid = {}, .file = {}}, tool.context);
    if (!queue) return std::nullopt;
    StreamFacts of_queue = facts(*queue);
    if (const auto counts = queue->counts()) of_queue.counts = *counts;
    return of_queue;
}

template <typename Size>
void print_stream(Sheet& sheet, const ObjectInfo& info, const std::optional<StreamFacts>& facts, const Size& size) {
    if (!is_stream(info)) return;
    sheet.line("messages", fmt::format("{}{}", info.record_format.empty() ? "up to " : "records of ", size(info.message_bytes)));
    if (facts) sheet.line("ring", fmt::format("{}, at least {}", size(facts->ring_bytes), counted(facts->capacity, "message")));
    if (facts && facts->published) sheet.line("published", std::to_string(*facts->published));
    if (facts && facts->counts) sheet.line("waiting", std::to_string(facts->counts->waiting));
    if (facts && facts->counts) sheet.line("held", fmt::format("{} (taken, not confirmed)", facts->counts->held));
    if (info.layout != Layout::channel) return;
    sheet.line("writers", info.has_many_writers ? "many publishers" : "one publisher at a time");
    sheet.line("waits for", info.slot_count == 0 ? "no subscribers" : fmt::format("up to {}, the most there can be", counted(info.slot_count, "subscriber")));
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

void add_stream_facts(Json& document, const ObjectInfo& info, const std::optional<StreamFacts>& facts) {
    if (!is_stream(info) || !facts) return;
    document["ring_bytes"] = facts->ring_bytes;
    document["capacity"] = facts->capacity;
    if (facts->published) document["published"] = *facts->published;
    if (facts->counts) document["waiting"] = facts->counts->waiting;
    if (facts->counts) document["held"] = facts->counts->held;
}

void add_cell_facts(Json& document, const ObjectInfo& info, const std::optional<CellFacts>& facts) {
    if (info.record_format.empty()) return;
    if (facts) document["history"] = facts->history;
    if (facts) document["writers"] = facts->writers;
    document["fields"] = Json::array();
    if (const auto type = RecordType::parse(info.record_format))
        for_each_declared(*type, [&](const RecordPlace& place) {
            document["fields"].push_back({{"name", place.path}, {"type", type_text(*place.field)}, {"offset", place.offset_bytes}});
        });
}

void print_sheet(Tool& tool, const Options& options, const ObjectInfo& info, const std::optional<CellFacts>& facts, const std::optional<StreamFacts>& stream) {
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
    print_stream(sheet, info, stream, size);
    if (is_section(info) && !is_stream(info)) sheet.line("version", std::to_string(info.version));
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
    if (!info.record_format.empty()) print_fields(tool.out, info);
}

int run(Tool& tool, const Options& options) {
    const auto info = tool.context.stat(options.name);
    if (!info) return fail(info.error());
    const auto facts = cell_facts(tool, *info);
    const auto stream = stream_facts(tool, *info);
    if (!options.json) {
        print_sheet(tool, options, *info, facts, stream);
        return kOk;
    }
    Json document = {{"schema", kJsonSchema}};
    document.update(object_json(*info, HolderScan::of({&*info, 1})));
    add_cell_facts(document, *info, facts);
    add_stream_facts(document, *info, stream);
    tool.out.print("{}\n", json_text(document));
    return kOk;
}

}  // namespace

void add_stat(CommandLine line, Tool& tool) {
    const auto [command, options] = add_command<Options>(line, tool, kText, run);
    add_name(command, options.name);
    command.add_flag("--json", options.json, "As JSON");
    command.add_flag("-b,--bytes", options.bytes, "Sizes in bytes only");
}

}  // namespace comap::tool
