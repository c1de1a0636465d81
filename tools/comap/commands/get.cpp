// SPDX-License-Identifier: Apache-2.0
// get: the value of a text, or the bytes of a section.
#include <algorithm>
#include <optional>

#include <fmt/format.h>
#include <unistd.h>

#include "exit.hpp"
#include "kinds.hpp"
#include "opened.hpp"
#include "progress.hpp"
#include "system.hpp"
#include "tool.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "get", "Print a text, or the bytes of a section",
    "  comap get greeting                      the text and a newline\n"
    "  comap get greeting --raw > copy         exactly its bytes\n"
    "  comap get frames --at 4K --count 64 | xxd\n"};

constexpr std::size_t kChunkBytes = 1 << 20;

struct Options {
    std::string name;
    bool raw = false;
    std::optional<std::uint64_t> at;
    std::optional<std::uint64_t> count;
    std::string file;
};

int print_all(Tool& tool, const Options& options, const Text& text) {
    if (options.at || options.count)
        return fail_usage(fmt::format("get: {} is a text; --at and --count are for sections of bytes", options.name));
    const auto value = text.get();
    if (!value) return fail(value.error());
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

int print_all(Tool& tool, const Options& options, const Section& section) {
    if (!options.raw && is_terminal(STDOUT_FILENO))
        return fail_usage(fmt::format("get: {} holds bytes, which may upset a terminal; redirect them, use 'comap hexdump {}', or insist with --raw",
                                      options.name, options.name));
    if (options.count == 0u) return kOk;
    const auto view = section.view({.offset_bytes = options.at.value_or(0),
                                    .size_bytes = options.count.value_or(0),
                                    .protection = Protection::read_only});
    if (!view) return fail(view.error());
    write_bytes(tool.out, {reinterpret_cast<const char*>(view->data()), view->size()});
    tool.out.flush();
    return kOk;
}

int run(Tool& tool, const Options& options) {
    const auto opened = open_to_read(tool, options.name, options.file);
    if (!opened) return fail_kind(tool.context, opened.error());
    return std::visit([&](const auto& object) { return print_all(tool, options, object); }, *opened);
}

}  // namespace

void add_get(CLI::App& app, Tool& tool) {
    const auto [command, options] = add_command<Options>(app, tool, kText, run);
    add_name(command, options.name);
    command->add_flag("--raw", options.raw, "Exactly the bytes: no newline after a text; bytes to a terminal too");
    add_size(command, "--at", options.at, "First byte, of a section (default 0)");
    add_size(command, "--count", options.count, "How many bytes (default: to the end)");
    add_expected_file(command, options.file);
}

}  // namespace comap::tool
