// SPDX-License-Identifier: Apache-2.0
// watch: prints each change of an object, without polling.
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "exit.hpp"
#include "follow.hpp"
#include "kinds.hpp"
#include "object_json.hpp"
#include "opened.hpp"
#include "patience.hpp"
#include "record_text.hpp"
#include "subscribing.hpp"
#include "tool.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "watch", "Print each change of an object",
    "  comap watch greeting                     each new value, until Ctrl-C\n"
    "  comap watch greeting --initial           the present one first\n"
    "  comap watch quote                        the fields of a cell, each time it is stored\n"
    "  comap watch frames --count 1             wait for the next change of a section\n"
    "  comap watch greeting --json --timeout 5  one JSON object per line; exit code 124 after 5 s\n"};

struct Options {
    std::string name;
    bool json = false;
    bool initial = false;
    std::uint64_t count = UINT64_MAX;
    std::optional<double> timeout_seconds;
    std::string file;
};

// What print() returns is the version that was printed: a text or a cell may have changed again since the wait.
Result<std::uint32_t> print(Output& out, const Options& options, const Text& text, std::uint32_t) {
    const auto value = text.get();
    if (!value) return tl::unexpected(value.error());
    if (options.json)
        out.print("{}\n", json_text(Json{{"name", options.name}, {"version", value->version}, {"value", value->value}}));
    else
        out.print("{}\n", value->value);
    return value->version;
}

Result<std::uint32_t> print(Output& out, const Options& options, const RawCell& cell, std::uint32_t) {
    std::vector<std::byte> record(static_cast<std::size_t>(cell.type().size_bytes()));
    const auto version = cell.load(record);
    if (!version) return version;
    if (options.json)
        out.print("{}\n", json_text(Json{{"name", options.name}, {"version", *version}, {"value", record_json(cell.type(), record)}}));
    else
        out.print("{}\n", line_text(cell.type(), record));
    return version;
}

Result<std::uint32_t> print(Output& out, const Options& options, const Section& section, std::uint32_t version) {
    const auto size_bytes = section.size_bytes();
    if (!size_bytes) return tl::unexpected(size_bytes.error());
    if (options.json)
        out.print("{}\n", json_text(Json{{"name", options.name}, {"version", version}, {"size_bytes", *size_bytes}}));
    else
        out.print("{}\n", version);
    return version;
}

// Prints what there is now. Returns whether more is wanted.
template <typename Object>
Result<bool> show(Tool& tool, const Options& options, const Object& object, Follower& follower) {
    const auto version = print(tool.out, options, object, follower.seen());
    if (!version) return tl::unexpected(version.error());
    follower.has_seen(*version);
    return tool.out.flush();
}

template <typename Object>
int follow(Tool& tool, const Options& options, const Object& object, Follower& follower) {
    for (std::uint64_t shown = 0; shown < options.count; ++shown) {
        const auto end = options.initial && shown == 0 ? Result<Followed>(Followed::changed) : follower.next();
        if (!end) return fail(end.error());
        if (*end != Followed::changed) return fail_followed(*end, options.name);
        const auto goes_on = show(tool, options, object, follower);
        if (!goes_on) return fail(goes_on.error());
        if (!*goes_on) return kOk;  // nobody reads; the output says how it ends
    }
    return kOk;
}

template <typename Object>
int watch(Tool& tool, const Options& options, const Object& object) {
    const auto version = object.version();
    if (!version) return fail(version.error());
    Follower follower(object, *version, deadline_after(options.timeout_seconds));
    return follow(tool, options, object, follower);
}

// As sub does.
int watch_channel(Tool& tool, const Options& options) {
    SubscribingOptions subscribing;
    subscribing.name = options.name;
    subscribing.from = options.initial ? From::latest : From::next;
    subscribing.count = options.count;
    subscribing.timeout_seconds = options.timeout_seconds;
    return subscribe_and_print(tool, subscribing, {.json = options.json});
}

int run(Tool& tool, const Options& options) {
    auto opened = open_to_read(tool, options.name, options.file);
    if (!opened) return fail_kind(tool.context, opened.error());
    if (std::holds_alternative<RawChannel>(*opened)) {
        opened = tl::unexpected(Error{});  // it is opened anew
        return watch_channel(tool, options);
    }
    return std::visit(
        [&](const auto& object) {
            if constexpr (std::is_same_v<std::decay_t<decltype(object)>, RawChannel>) return kOk;
            else return watch(tool, options, object);
        },
        *opened);
}

}  // namespace

void add_watch(CommandLine line, Tool& tool) {
    const auto [command, options] = add_command<Options>(line, tool, kText, run);
    add_name(command, options.name);
    command.add_flag("--json", options.json, "One JSON object per line: name, version, and value or size_bytes");
    command.add_flag("-i,--initial", options.initial, "Print what there is now first; counts as one");
    command.add_option("--count", options.count, "End after so many").positive().type_name("N");
    add_timeout(command, options.timeout_seconds, "End after so many seconds, with exit code 124");
    add_expected_file(command, options.file);
}

}  // namespace comap::tool
