// SPDX-License-Identifier: Apache-2.0
// create: makes a section and holds it, or makes one that stays.
#include <csignal>

#include "exit.hpp"
#include "making.hpp"
#include "signals.hpp"
#include "tool.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "create", "Make a section: named shared memory",
    "  comap create frames 64M --hold               until Ctrl-C or SIGTERM\n"
    "  comap create settings 4096 --keep            until 'comap rm settings'\n"
    "  comap create log 1M --hold --file data.bin   the bytes of a file\n"};

struct Options {
    std::string name;
    std::uint64_t size_bytes = 0;
    bool hold = false;
    CreateOptions create;
};

int run(Tool& tool, const Options& options) {
    if (!options.hold && !options.create.keep) return fail_nobody_holds("create");
    const HeldSignals signals({SIGINT, SIGTERM, SIGHUP});
    const auto section = Section::create(options.name, options.size_bytes, options.create, tool.context);
    if (!section) return fail_to_make(tool, options.name, section.error());
    return options.hold ? hold(tool, options.name, signals) : kOk;
}

}  // namespace

void add_create(CommandLine line, Tool& tool) {
    const auto [command, options] = add_command<Options>(line, tool, kText, run);
    add_name(command, options.name);
    add_size(command, "SIZE", options.size_bytes, "Bytes: 4096, 64K, 1M, 2G").required();
    command.add_flag("--hold", options.hold, "Hold it until SIGINT, SIGTERM or SIGHUP; says 'holding NAME' when it is there");
    command.add_flag("--keep", options.create.keep, "It outlives its holders, until removed");
    command.add_flag("--lazy", options.create.lazy, "Take memory when it is touched, not now");
    add_mode(command, options.create.mode);
    const auto file = command.add_option("--file", options.create.file, "An existing file whose bytes it is").type_name("PATH");
    add_size(command, "--offset", options.create.file_offset, "Where in the file it begins: a multiple of the page size").needs(file);
}

}  // namespace comap::tool
