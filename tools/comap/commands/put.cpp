// SPDX-License-Identifier: Apache-2.0
// put: sets a text or fields of a cell, or writes bytes into a section. All of it or nothing.
#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include <comap/cell.hpp>
#include <comap/text.hpp>
#include <fmt/format.h>

#include "exit.hpp"
#include "input.hpp"
#include "kinds.hpp"
#include "progress.hpp"
#include "record_text.hpp"
#include "tool.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "put", "Set a text or fields of a cell, or write bytes into a section",
    "  comap put greeting 'hello'             made if there is none, and kept\n"
    "  date | comap put now -                 the value from standard input\n"
    "  comap put quote bid=1.25 m[0]=3        fields of a cell; the others keep their values\n"
    "  comap put quote --json '{\"bid\":1.25}'  the same from JSON; '-' or none: standard input\n"
    "  comap put frames --at 4096 < image     raw bytes into a section\n"
    "  comap put greeting -- -5               a value that begins with '-'\n"};

constexpr int kCreateTries = 100;  // others may make and end it in between, for ever

struct Options {
    std::string name;
    std::string value = "-";
    bool is_value_given = false;
    std::vector<std::string> more;
    bool json = false;
    std::optional<std::uint64_t> at;
    TextOptions text;
    std::optional<std::uint32_t> mode;
    std::uint64_t capacity_bytes = TextOptions{}.capacity_bytes;
    std::string file;
};

Result<std::string> value_of(const Options& options, std::uint64_t room_bytes) {
    if (options.value != "-") return options.value;
    return read_standard_input(room_bytes);
}

tl::unexpected<Error> does_not_fit(const Options& options, std::size_t length, std::uint64_t room_bytes) {
    return tl::unexpected(Error{Code::too_long, 0, options.name,
                                fmt::format("the value for {} has {} bytes, and there is room for {}; nothing was written",
                                            options.name, length, room_bytes)});
}

// A text that is there as soon as it has its value; only then it stays. Killed before, it ends with us.
Result<void> create_text(Tool& tool, const Options& options, const std::string& value) {
    if (value.size() > options.capacity_bytes) return does_not_fit(options, value.size(), options.capacity_bytes);
    if (const auto checked = utf16_from_utf8(value); !checked) return tl::unexpected(checked.error());
    auto text = Text::create(options.name, options.text, tool.context);
    if (!text) return tl::unexpected(text.error());
    if (const auto version = text->set(value); !version) return tl::unexpected(version.error());
    return text->set_keep(true);
}

Result<void> set_text(Tool& tool, const Options& options, const std::string& value) {
    const auto text = Text::open(options.name, {}, tool.context);
    if (!text) return tl::unexpected(text.error());
    return text->set(value).map([](std::uint32_t) {});
}

bool is_one_of(const Result<void>& done, Code code) { return !done && done.error().code == code; }

Result<void> set_or_create(Tool& tool, const Options& options, const std::string& value) {
    Result<void> done;
    for (int i = 0; i < kCreateTries; ++i) {
        done = set_text(tool, options, value);
        if (!is_one_of(done, Code::not_found)) return done;
        done = create_text(tool, options, value);
        if (!is_one_of(done, Code::already_exists)) return done;
    }
    return done;
}

// How long a value may be; the object may still change before it is set, and is asked again then.
std::uint64_t room_for_text(Tool& tool, const Options& options) {
    const auto info = tool.context.stat(options.name);
    const bool is_text = info && info->layout == Layout::text;
    return is_text ? info->text_capacity_bytes : options.capacity_bytes;
}

// What is said then is said by fail_kind.
bool is_stream_there(Tool& tool, const Options& options) {
    const auto info = tool.context.stat(options.name);
    return info && is_stream(*info);
}

int put_text(Tool& tool, Options options) {
    if (options.capacity_bytes > UINT32_MAX)
        return fail_usage(fmt::format("put: --capacity {}: a text has room for {} bytes at most", options.capacity_bytes, UINT32_MAX));
    options.text.mode = options.mode.value_or(options.text.mode);
    options.text.capacity_bytes = static_cast<std::uint32_t>(options.capacity_bytes);
    const auto value = value_of(options, room_for_text(tool, options));
    if (!value) return fail(value.error());
    const auto done = set_or_create(tool, options, *value);
    if (done) return kOk;
    const int status = fail_kind(tool.context, done.error());
    if (done.error().code == Code::layout_mismatch && !is_stream_there(tool, options)) message("to write raw bytes into a section, give --at OFFSET");
    return status;
}

void copy(std::span<std::byte> target, std::string_view bytes) {
    constexpr std::size_t kChunkBytes = 1 << 20;
    Progress progress(bytes.size());
    for (std::size_t done = 0; done < bytes.size();) {
        const auto count = std::min(kChunkBytes, bytes.size() - done);
        std::memcpy(target.data() + done, bytes.data() + done, count);
        progress.add(count);
        done += count;
    }
}

Result<void> write_bytes(const Section& section, std::uint64_t offset_bytes, std::string_view bytes) {
    if (bytes.empty()) return {};
    const auto view = section.view({.offset_bytes = offset_bytes, .size_bytes = bytes.size(), .protection = Protection::read_write});
    if (!view) return tl::unexpected(view.error());
    copy(view->writable_bytes(), bytes);
    return section.publish();
}

Result<std::uint64_t> room_for_bytes(const Section& section, const Options& options) {
    const auto info = section.info();
    if (!info) return tl::unexpected(info.error());
    if (info->layout != Layout::bytes)
        return tl::unexpected(Error{Code::layout_mismatch, 0, options.name,
                                    fmt::format("{} holds a {}: it is set {}, without --at", options.name, layout_name(info->layout),
                                                info->layout == Layout::cell ? "by its fields" : "as a whole")});
    if (*options.at > info->size_bytes)
        return tl::unexpected(Error{Code::invalid_argument, 0, options.name,
                                    fmt::format("--at {} is beyond the {} bytes of {}", *options.at, info->size_bytes, options.name)});
    return info->size_bytes - *options.at;
}

Result<void> put_bytes(Tool& tool, const Options& options) {
    const auto section = Section::open(options.name, {.access = Access::read_write, .owner_uid = {}, .file = options.file}, tool.context);
    if (!section) return tl::unexpected(section.error());
    const auto room = room_for_bytes(*section, options);
    if (!room) return tl::unexpected(room.error());
    const auto bytes = value_of(options, *room);
    if (!bytes) return tl::unexpected(bytes.error());
    if (bytes->size() > *room) return does_not_fit(options, bytes->size(), *room);
    return write_bytes(*section, *options.at, *bytes);
}

// JSON has more bytes than the record.
std::uint64_t room_for_json(const RecordType& type) { return (1u << 20) + 64 * type.size_bytes(); }

Result<RecordPatches> patches_of(const Options& options, const RecordType& type) {
    if (options.json) {
        const auto text = value_of(options, room_for_json(type));
        return text ? parse_json(type, *text) : tl::unexpected(text.error());
    }
    std::vector<std::string> assignments = options.more;
    assignments.insert(assignments.begin(), options.value);
    return parse_assignments(type, assignments);
}

Result<void> put_fields(Tool& tool, const Options& options) {
    const auto cell = RawCell::open(options.name, {}, tool.context);
    if (!cell) return tl::unexpected(cell.error());
    auto patches = patches_of(options, cell->type());
    if (!patches) return tl::unexpected(patches.error());
    const auto change = [](std::byte* value, void* context) { apply(*static_cast<const RecordPatches*>(context), value); };
    return cell->update(change, &*patches).map([](std::uint32_t) {});
}

int put_cell(Tool& tool, const Options& options) {
    if (options.json && !options.more.empty()) return fail_usage("put: --json takes one JSON object, or reads it from standard input");
    if (!options.json && !options.is_value_given)
        return fail_usage(fmt::format("put: {} is a cell: give FIELD=VALUE, or --json for a JSON object on standard input", options.name));
    const auto done = put_fields(tool, options);
    if (done) return kOk;
    const int status = fail_kind(tool.context, done.error());
    if (done.error().code == Code::layout_mismatch && !is_stream_there(tool, options)) message("only a cell has fields; a text takes one value, and raw bytes are written with --at OFFSET");
    return status;
}

bool is_for_cell(Tool& tool, const Options& options) {
    if (options.json || !options.more.empty()) return true;
    const auto info = tool.context.stat(options.name);
    return info && info->layout == Layout::cell;
}

int run(Tool& tool, const Options& options) {
    if (options.at && (options.json || !options.more.empty())) return fail_usage("put: --at takes one value, and no fields");
    if (!options.at) return is_for_cell(tool, options) ? put_cell(tool, options) : put_text(tool, options);
    const auto done = put_bytes(tool, options);
    return done ? kOk : fail_kind(tool.context, done.error());
}

}  // namespace

void add_put(CommandLine line, Tool& tool) {
    const auto [command, options] = add_command<Options>(line, tool, kText, run);
    add_name(command, options.name);
    const auto set_value = [&given = options](const std::string& value) {
        given.value = value;
        given.is_value_given = true;
        return std::string();
    };
    command.add_judged("VALUE", set_value, "The value, or FIELD=VALUE of a cell; '-' or none: standard input, exactly as it is").type_name("");
    command.add_option("FIELD=VALUE", options.more, "More fields of the cell: bid=1.25, book.ask=2, m[1,2]=3, list=1,2,3").type_name("");
    command.add_flag("--json", options.json, "Fields of a cell: the value is a JSON object");
    add_size(command, "--at", options.at, "Write raw bytes there, into a section that exists, and publish");
    add_mode(command, options.mode);
    add_size(command, "--capacity", options.capacity_bytes, "Longest value, if it is made now (default 64K)");
    add_expected_file(command, options.file);
}

}  // namespace comap::tool
