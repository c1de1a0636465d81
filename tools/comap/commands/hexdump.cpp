// SPDX-License-Identifier: Apache-2.0
// hexdump: what an object's header says, and the bytes of its body; of a cell, those of the latest value by its fields, of a channel
// those of the last messages.
#include <deque>
#include <vector>

#include <comap/cell.hpp>
#include <comap/channel.hpp>
#include <fmt/format.h>

#include "exit.hpp"
#include "follow.hpp"
#include "format.hpp"
#include "hex.hpp"
#include "kinds.hpp"
#include "patience.hpp"
#include "record_text.hpp"
#include "streams.hpp"
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
    "  comap hexdump log                          the last 8 messages of a channel\n"
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
    line("kind", info.layout == Layout::cell || is_stream(info) ? std::string(shown_kind(info)) : fmt::format("{} of {}", kind_name(info.kind), layout_name(info.layout)));
    line("size", full_size(info.size_bytes));
    if (info.layout == Layout::text) line("capacity", full_size(info.text_capacity_bytes));
    if (info.layout == Layout::cell) line("record", full_size(info.record_bytes));
    if (info.layout == Layout::cell) line("slots", std::to_string(info.slot_count));
    if (is_stream(info)) line("messages", (info.record_format.empty() ? "up to " : "records of ") + full_size(info.message_bytes));
    if (!is_stream(info)) line("version", std::to_string(info.version));
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

constexpr std::size_t kShownMessages = 8;

struct Message {
    std::uint64_t number = 0;
    std::vector<std::byte> bytes;
};

void print_message(Tool& tool, const Options& options, const RecordType& type, const Message& message) {
    if (!options.noheadings) tool.out.print("{}\n", tool.out.styled(fmt::format("# message {}, {}", message.number, full_size(message.bytes.size())), Style::dim));
    if (type.size_bytes() != 0) print_record(tool.out, type, message.bytes);
    else print_hex(tool.out, message.bytes, 0);
}

// The last that are kept.
Result<std::deque<Message>> last_messages(RawSubscription& subscription, std::size_t message_bytes) {
    std::deque<Message> last;
    std::vector<std::byte> buffer(message_bytes);
    for (;;) {
        const auto received = subscription.receive(buffer, Deadline::passed());
        if (!received) return tl::unexpected(received.error());
        if (received->end != Reception::message) return last;
        last.push_back({subscription.number() - 1, {buffer.begin(), buffer.begin() + received->size_bytes}});
        if (last.size() > kShownMessages) last.pop_front();
    }
}

int follow_channel(Tool& tool, const Options& options, const RawChannel& channel, RawSubscription& subscription) {
    std::vector<std::byte> buffer(channel.message_bytes());
    const StopSignals stop;
    for (;;) {
        const auto received = until_stopped(stop, [&] { return subscription.receive(buffer, Deadline::forever()); });
        if (!received) return fail(received.error());
        if (received->end != Reception::message) return kNegative;  // the signal ends us
        print_message(tool, options, channel.type(), {subscription.number() - 1, {buffer.begin(), buffer.begin() + received->size_bytes}});
        if (!tool.out.flush()) return kOk;
    }
}

int show_channel(Tool& tool, const Options& options) {
    const auto channel = open_to_subscribe(tool, options.name);
    if (!channel) return fail_kind(tool.context, channel.error());
    const auto info = channel->info();
    if (!info) return fail(info.error());
    auto subscription = channel->subscribe(From::oldest);
    if (!subscription) return fail(subscription.error());
    if (!options.noheadings) print_heading(tool.out, *info);
    const auto last = last_messages(*subscription, channel->message_bytes());
    if (!last) return fail(last.error());
    for (const auto& message : *last) print_message(tool, options, channel->type(), message);
    return options.follow && tool.out.flush() ? follow_channel(tool, options, *channel, *subscription) : kOk;
}

// All the bytes of a channel or a queue. They have no version to follow.
int show_stream(Tool& tool, const Options& options, const OpenOptions& open) {
    if (options.follow) return fail_usage(fmt::format("hexdump: {} has no versions to follow; a channel is followed without --at and --count", options.name));
    const auto section = Section::open(options.name, open, tool.context);
    if (!section) return fail(section.error());
    const auto shown = dump(tool, options, *section);
    return shown ? kOk : fail(shown.error());
}

int run(Tool& tool, const Options& options) {
    const OpenOptions open = {.access = Access::read_only, .owner_uid = {}, .file = options.file};
    const auto info = tool.context.stat(options.name);
    const bool is_by_fields = info && info->layout == Layout::cell && !options.at && !options.count;
    if (info && info->layout == Layout::channel && !options.at && !options.count) return show_channel(tool, options);
    if (info && is_stream(*info)) return show_stream(tool, options, open);
    if (is_by_fields) return show(tool, options, RawCell::open(options.name, CellOpenOptions{open}, tool.context));
    return show(tool, options, Section::open(options.name, open, tool.context));
}

}  // namespace

void add_hexdump(CommandLine line, Tool& tool) {
    const auto [command, options] = add_command<Options>(line, tool, kText, run);
    add_name(command, options.name);
    command.add_flag("-f,--follow", options.follow, "Show it again after each change");
    command.add_flag("--noheadings", options.noheadings, "Only the bytes, not what the header says");
    add_size(command, "--at", options.at, "First byte (default 0); of a cell or a channel: of all there is");
    add_size(command, "--count", options.count, "How many bytes (default: to the end)");
    add_expected_file(command, options.file);
}

}  // namespace comap::tool
