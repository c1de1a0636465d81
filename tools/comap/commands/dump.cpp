// SPDX-License-Identifier: Apache-2.0
// dump: writes what an object is and what is in it to a file.
#include "contents.hpp"
#include "exit.hpp"
#include "kinds.hpp"
#include "tool.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "dump", "Write an object and its contents to a file",
    "  comap dump quote quote.dump\n"
    "  comap load quote.dump --keep            makes it anew\n"
    "  comap dump jobs - | ssh other comap load - --keep\n"};

struct Options {
    std::string name;
    std::string path;
};

int run(Tool& tool, const Options& options) {
    const auto done = write_dump(tool, options.name, options.path);
    return done ? kOk : fail_kind(tool.context, done.error());
}

}  // namespace

void add_dump(CommandLine line, Tool& tool) {
    const auto [command, options] = add_command<Options>(line, tool, kText, run);
    add_name(command, options.name);
    command.add_option("FILE", options.path, "Where to write; '-': standard output").required().type_name("");
}

}  // namespace comap::tool
