// SPDX-License-Identifier: Apache-2.0
// hexdump: what an object's header says, and the bytes of its body.
#include <fmt/format.h>

#include "exit.hpp"
#include "follow.hpp"
#include "format.hpp"
#include "hex.hpp"
#include "kinds.hpp"
#include "system.hpp"
#include "tool.hpp"
#include "unicode.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "hexdump", "Show the bytes of an object",
    "  comap hexdump frames                       all of it; repeated lines as *\n"
    "  comap hexdump frames --at 4K --count 256\n"
    "  comap hexdump frames --follow              again after each change\n"};

struct Options {
    std::string name;
    bool follow = false;
    bool noheadings = false;
    std::uint64_t at = 0;
    std::optional<std::uint64_t> count;
    std::string file;
};

void print_heading(Output& out, const ObjectInfo& info) {
    const auto line = [&](std::string_view label, const std::string& value) {
        out.print("{}\n", out.styled(fmt::format("# {:<8} {}", label, value), Style::dim));
    };
    line("name", escaped(info.name));
    line("kind", fmt::format("{} of {}", kind_name(info.kind), layout_name(info.layout)));
    line("size", full_size(info.size_bytes));
    if (info.layout == Layout::text) line("capacity", full_size(info.text_capacity_bytes));
    line("version", std::to_string(info.version));
    line("mode", fmt::format("{} {}{}", octal(info.mode), user_name(info.uid), info.keep ? ", kept" : ""));
    line("created", iso_time(info.created_ns));
    if (!info.file.empty()) line("file", fmt::format("{} at {}", escaped(info.file), info.file_offset));
}

Result<void> print_body(Tool& tool, const Options& options, const Section& section) {
    if (options.count == 0u) return {};
    const auto view = section.view({.offset_bytes = options.at,
                                    .size_bytes = options.count.value_or(0),
                                    .protection = Protection::read_only});
    if (!view) return tl::unexpected(view.error());
    print_hex(tool.out, view->bytes(), options.at);
    return {};
}

Result<bool> dump(Tool& tool, const Options& options, const Section& section) {
    const auto info = section.info();
    if (!info) return tl::unexpected(info.error());
    if (!options.noheadings) print_heading(tool.out, *info);
    const auto done = print_body(tool, options, section);
    if (!done) return tl::unexpected(done.error());
    return tool.out.flush();
}

int follow(Tool& tool, const Options& options, const Section& section, std::uint32_t seen) {
    Follower follower(section, seen, Deadline::forever());
    for (;;) {
        const auto end = follower.next();
        if (!end) return fail(end.error());
        if (*end != Followed::changed) return fail_followed(*end, options.name);
        tool.out.write("\n");
        const auto goes_on = dump(tool, options, section);
        if (!goes_on) return fail(goes_on.error());
        if (!*goes_on) return kOk;  // nobody reads; the output says how it ends
    }
}

int run(Tool& tool, const Options& options) {
    const auto section = Section::open(options.name, {.access = Access::read_only, .owner_uid = {}, .file = options.file}, tool.context);
    if (!section) return fail_kind(tool.context, section.error());
    const auto seen = section->version();
    if (!seen) return fail(seen.error());
    const auto goes_on = dump(tool, options, *section);
    if (!goes_on) return fail(goes_on.error());
    return options.follow && *goes_on ? follow(tool, options, *section, *seen) : kOk;
}

}  // namespace

void add_hexdump(CLI::App& app, Tool& tool) {
    const auto [command, options] = add_command<Options>(app, tool, kText, run);
    add_name(command, options.name);
    command->add_flag("-f,--follow", options.follow, "Show it again after each change");
    command->add_flag("--noheadings", options.noheadings, "Only the bytes, not what the header says");
    add_size(command, "--at", options.at, "First byte (default 0)");
    add_size(command, "--count", options.count, "How many bytes (default: to the end)");
    add_expected_file(command, options.file);
}

}  // namespace comap::tool
