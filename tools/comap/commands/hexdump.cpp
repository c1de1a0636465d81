// SPDX-License-Identifier: Apache-2.0
// hexdump: what an object's header says, and the bytes of its body; of a cell, those of the latest value by its fields.
#include <comap/cell.hpp>
#include <fmt/format.h>

#include "exit.hpp"
#include "follow.hpp"
#include "format.hpp"
#include "hex.hpp"
#include "kinds.hpp"
#include "record_text.hpp"
#include "system.hpp"
#include "tool.hpp"
#include "unicode.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "hexdump", "Show the bytes of an object",
    "  comap hexdump frames                       all of it; repeated lines as *\n"
    "  comap hexdump frames --at 4K --count 256\n"
    "  comap hexdump quote                        the latest value of a cell, by its fields\n"
    "  comap hexdump quote --at 0                 all slots of a cell\n"
    "  comap hexdump frames --follow              again after each change\n"};

struct Options {
    std::string name;
    bool follow = false;
    bool noheadings = false;
    std::optional<std::uint64_t> at;
    std::optional<std::uint64_t> count;
    std::string file;
};

void print_heading(Output& out, const ObjectInfo& info) {
    const auto line = [&](std::string_view label, const std::string& value) {
        out.print("{}\n", out.styled(fmt::format("# {:<8} {}", label, value), Style::dim));
    };
    line("name", escaped(info.name));
    line("kind", info.layout == Layout::cell ? std::string(shown_kind(info)) : fmt::format("{} of {}", kind_name(info.kind), layout_name(info.layout)));
    line("size", full_size(info.size_bytes));
    if (info.layout == Layout::text) line("capacity", full_size(info.text_capacity_bytes));
    if (info.layout == Layout::cell) line("record", full_size(info.record_bytes));
    if (info.layout == Layout::cell) line("slots", std::to_string(info.slot_count));
    line("version", std::to_string(info.version));
    line("mode", fmt::format("{} {}{}", octal(info.mode), user_name(info.uid), info.keep ? ", kept" : ""));
    line("created", iso_time(info.created_ns));
    if (!info.file.empty()) line("file", fmt::format("{} at {}", escaped(info.file), info.file_offset));
}

Result<void> print_body(Tool& tool, const Options& options, const Section& section) {
    if (options.count == 0u) return {};
    const auto view = section.view({.offset_bytes = options.at.value_or(0),
                                    .size_bytes = options.count.value_or(0),
                                    .protection = Protection::read_only});
    if (!view) return tl::unexpected(view.error());
    print_hex(tool.out, view->bytes(), options.at.value_or(0));
    return {};
}

// The fields that are there, and what is between them.
void print_record(Output& out, const RecordType& type, std::span<const std::byte> record) {
    constexpr std::string_view kPadding = "(padding)";
    std::size_t width = kPadding.size();
    for_each_value(type, [&](const RecordPlace& place) { width = std::max(width, display_width(escaped(place.path))); });
    std::uint64_t end = 0;
    const auto print = [&](const std::string& label, std::uint64_t from, std::uint64_t to) {
        if (from < to) print_labelled_hex(out, record.subspan(from, to - from), from, label, width);
        end = to;
    };
    for_each_value(type, [&](const RecordPlace& place) {
        print(std::string(kPadding), end, place.offset_bytes);
        print(escaped(place.path), place.offset_bytes, place.offset_bytes + place.size_bytes());
    });
    print(std::string(kPadding), end, record.size());
}

Result<void> print_body(Tool& tool, const Options&, const RawCell& cell) {
    std::vector<std::byte> record(static_cast<std::size_t>(cell.type().size_bytes()));
    const auto version = cell.load(record);
    if (!version) return tl::unexpected(version.error());
    print_record(tool.out, cell.type(), record);
    return {};
}

template <typename Object>
Result<bool> dump(Tool& tool, const Options& options, const Object& object) {
    const auto info = object.info();
    if (!info) return tl::unexpected(info.error());
    if (!options.noheadings) print_heading(tool.out, *info);
    const auto done = print_body(tool, options, object);
    if (!done) return tl::unexpected(done.error());
    return tool.out.flush();
}

template <typename Object>
int follow(Tool& tool, const Options& options, const Object& object, std::uint32_t seen) {
    Follower follower(object, seen, Deadline::forever());
    for (;;) {
        const auto end = follower.next();
        if (!end) return fail(end.error());
        if (*end != Followed::changed) return fail_followed(*end, options.name);
        tool.out.write("\n");
        const auto goes_on = dump(tool, options, object);
        if (!goes_on) return fail(goes_on.error());
        if (!*goes_on) return kOk;  // nobody reads; the output says how it ends
    }
}

template <typename Object>
int show(Tool& tool, const Options& options, const Result<Object>& object) {
    if (!object) return fail_kind(tool.context, object.error());
    const auto seen = object->version();
    if (!seen) return fail(seen.error());
    const auto goes_on = dump(tool, options, *object);
    if (!goes_on) return fail(goes_on.error());
    return options.follow && *goes_on ? follow(tool, options, *object, *seen) : kOk;
}

int run(Tool& tool, const Options& options) {
    const OpenOptions open = {.access = Access::read_only, .owner_uid = {}, .file = options.file};
    const auto info = tool.context.stat(options.name);
    const bool is_by_fields = info && info->layout == Layout::cell && !options.at && !options.count;
    if (is_by_fields) return show(tool, options, RawCell::open(options.name, CellOpenOptions{open}, tool.context));
    return show(tool, options, Section::open(options.name, open, tool.context));
}

}  // namespace

void add_hexdump(CLI::App& app, Tool& tool) {
    const auto [command, options] = add_command<Options>(app, tool, kText, run);
    add_name(command, options.name);
    command->add_flag("-f,--follow", options.follow, "Show it again after each change");
    command->add_flag("--noheadings", options.noheadings, "Only the bytes, not what the header says");
    add_size(command, "--at", options.at, "First byte (default 0); of a cell: of all its slots");
    add_size(command, "--count", options.count, "How many bytes (default: to the end)");
    add_expected_file(command, options.file);
}

}  // namespace comap::tool
