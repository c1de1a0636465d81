// SPDX-License-Identifier: Apache-2.0
// get: the value of a text or a cell, the latest message of a channel, or the bytes of a section.
#include <algorithm>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "exit.hpp"
#include "kinds.hpp"
#include "message_form.hpp"
#include "object_json.hpp"
#include "opened.hpp"
#include "progress.hpp"
#include "record_text.hpp"
#include "streams.hpp"
#include "system.hpp"
#include "tool.hpp"
#include "unicode.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "get", "Print a text, a cell, a channel's latest message, or the bytes of a section",
    "  comap get greeting                      the text and a newline\n"
    "  comap get greeting --raw > copy         exactly its bytes\n"
    "  comap get quote                         a line for each field of a cell\n"
    "  comap get quote bid                     the value of one field\n"
    "  comap get quote --json | jq .value.bid\n"
    "  comap get frames --at 4K --count 64 | xxd\n"
    "  comap get message --encoding utf-16     what a program of Windows calls wrote\n"};

constexpr std::size_t kChunkBytes = 1 << 20;

struct Options {
    std::string name;
    std::string field;
    bool raw = false;
    bool json = false;
    std::optional<std::uint64_t> at;
    std::optional<std::uint64_t> count;
    std::string encoding;
    std::string file;
};

Json value_json(const Options& options, std::uint32_t version, Json value) {
    Json document = {{"schema", kJsonSchema}, {"name", options.name}, {"version", version}};
    if (!options.field.empty()) document["field"] = options.field;
    document["value"] = std::move(value);
    return document;
}

int print_all(Tool& tool, const Options& options, const Text& text) {
    if (!options.field.empty()) return fail_usage(fmt::format("get: {} is a text, which has no fields", options.name));
    if (options.at || options.count)
        return fail_usage(fmt::format("get: {} is a text; --at and --count are for sections of bytes", options.name));
    const auto value = text.get();
    if (!value) return fail(value.error());
    if (options.json) {
        tool.out.print("{}\n", json_text(value_json(options, value->version, value->value)));
        return kOk;
    }
    tool.out.write(value->value);
    if (!options.raw) tool.out.write("\n");
    return kOk;
}

void write_bytes(Output& out, std::string_view bytes) {
    Progress progress(bytes.size());
    while (!bytes.empty() && !out.has_failed()) {
        const auto chunk = bytes.substr(0, kChunkBytes);
        out.write(chunk);
        progress.add(chunk.size());
        bytes.remove_prefix(chunk.size());
    }
}

template <typename Root>
void print_lines(Output& out, const Root& root, std::span<const std::byte> record) {
    std::size_t width = 0;
    for_each_value(root, [&](const RecordPlace& place) { width = std::max(width, display_width(escaped(place.path))); });
    for_each_value(root, [&](const RecordPlace& place) {
        if (out.has_failed()) return;
        const auto label = escaped(place.path);
        out.print("{}:{:{}} {}\n", label, "", width - display_width(label), value_text(place, record, false));
    });
}

int print_field(Tool& tool, const Options& options, const RecordType& type, std::uint32_t version, std::span<const std::byte> record) {
    const auto place = find_place(type, options.field);
    if (!place) return fail(place.error());
    if (options.json) tool.out.print("{}\n", json_text(value_json(options, version, place_json(*place, record))));
    else if (options.raw) tool.out.write({reinterpret_cast<const char*>(record.data() + place->offset_bytes), place->size_bytes()});
    else if (place->field->kind == FieldKind::record) print_lines(tool.out, *place, record);
    else tool.out.print("{}\n", value_text(*place, record, false));
    return kOk;
}

int print_all(Tool& tool, const Options& options, const RawCell& cell) {
    if (options.at || options.count)
        return fail_usage(fmt::format("get: {} is a cell; --at and --count are for sections of bytes", options.name));
    std::vector<std::byte> record(static_cast<std::size_t>(cell.type().size_bytes()));
    const auto version = cell.load(record);
    if (!version) return fail(version.error());
    if (!options.field.empty()) return print_field(tool, options, cell.type(), *version, record);
    if (options.json) tool.out.print("{}\n", json_text(value_json(options, *version, record_json(cell.type(), record))));
    else if (options.raw) write_bytes(tool.out, {reinterpret_cast<const char*>(record.data()), record.size()});
    else print_lines(tool.out, cell.type(), record);
    return kOk;
}

int print_all(Tool& tool, const Options& options, const RawChannel& channel) {
    if (options.at || options.count)
        return fail_usage(fmt::format("get: {} is a channel; --at and --count are for sections of bytes", options.name));
    if (!options.field.empty() && channel.type().size_bytes() == 0) return fail_usage(fmt::format("get: the messages of {} are no records and have no fields", options.name));
    const auto latest = latest_message(channel);
    if (!latest) return fail(latest.error());
    if (!*latest) {
        message(fmt::format("{} has no message yet", options.name));
        return kNegative;
    }
    const auto& bytes = (*latest)->bytes;
    if (options.json) {
        Json document = {{"schema", kJsonSchema}, {"name", options.name}, {"number", (*latest)->number}};
        if (options.field.empty()) {
            add_message(document, channel.type(), bytes);
        } else {
            const auto place = find_place(channel.type(), options.field);
            if (!place) return fail(place.error());
            document["field"] = options.field;
            document["value"] = place_json(*place, bytes);
        }
        tool.out.print("{}\n", json_text(document));
    } else if (!options.field.empty()) {
        return print_field(tool, options, channel.type(), 0, bytes);
    } else if (options.raw) {
        write_bytes(tool.out, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    } else if (channel.type().size_bytes() != 0) {
        print_lines(tool.out, channel.type(), bytes);
    } else {
        tool.out.print("{}\n", message_line(channel.type(), bytes));
    }
    return kOk;
}

// Up to the first NUL. Errors: invalid_argument (it is no such text).
Result<std::string> text_of(std::string_view bytes, bool is_utf16) {
    if (is_utf16) {
        std::u16string units(bytes.size() / sizeof(char16_t), u'\0');
        std::memcpy(units.data(), bytes.data(), units.size() * sizeof(char16_t));
        return utf8_from_utf16(std::u16string_view(units).substr(0, units.find(u'\0')));
    }
    const std::string_view text = bytes.substr(0, bytes.find('\0'));
    const auto checked = utf16_from_utf8(text);
    return checked ? Result<std::string>(text) : tl::unexpected<Error>(checked.error());
}

int print_all(Tool& tool, const Options& options, const Section& section) {
    if (!options.field.empty() || options.json)
        return fail_usage(fmt::format("get: {} holds bytes, which have no fields and are no JSON", options.name));
    if (!options.raw && options.encoding.empty() && is_terminal(STDOUT_FILENO))
        return fail_usage(fmt::format("get: {} holds bytes, which may upset a terminal; redirect them, use 'comap hexdump {}', say their --encoding, or insist with --raw",
                                      options.name, options.name));
    if (options.count == 0u) return kOk;
    const auto view = section.view({.offset_bytes = options.at.value_or(0),
                                    .size_bytes = options.count.value_or(0),
                                    .protection = Protection::read_only});
    if (!view) return fail(view.error());
    const std::string_view bytes(reinterpret_cast<const char*>(view->data()), view->size());
    if (options.encoding.empty()) {
        write_bytes(tool.out, bytes);
    } else {
        const auto text = text_of(bytes, options.encoding == "utf-16");
        if (!text) return fail(text.error());
        tool.out.print("{}\n", *text);
    }
    tool.out.flush();
    return kOk;
}

int run(Tool& tool, const Options& options) {
    if (options.raw && options.json) return fail_usage("get: --raw and --json do not go together");
    const auto opened = open_to_read(tool, options.name, options.file);
    if (!opened) return fail_kind(tool.context, opened.error());
    if (!options.encoding.empty() && !std::holds_alternative<Section>(*opened))
        return fail_usage(fmt::format("get: {} holds no mere bytes; --encoding is for sections of bytes", options.name));
    return std::visit([&](const auto& object) { return print_all(tool, options, object); }, *opened);
}

}  // namespace

void add_get(CommandLine line, Tool& tool) {
    const auto [command, options] = add_command<Options>(line, tool, kText, run);
    add_name(command, options.name);
    command.add_option("FIELD", options.field, "Of a cell or a record, only this: bid, book.ask, m[1,2]").type_name("");
    command.add_flag("--raw", options.raw, "Exactly the bytes: no newline after a text; bytes to a terminal too");
    command.add_flag("--json", options.json, "A text, a cell or a message as JSON, with its version or number");
    command.add_option("--encoding", options.encoding, "Of a section: its bytes as text, up to the first NUL, and a newline: utf-8 or utf-16")
        .type_name("NAME")
        .one_of({"utf-8", "utf-16"});
    add_size(command, "--at", options.at, "First byte, of a section (default 0)");
    add_size(command, "--count", options.count, "How many bytes (default: to the end)");
    add_expected_file(command, options.file);
}

}  // namespace comap::tool
