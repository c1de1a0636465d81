// SPDX-License-Identifier: Apache-2.0
// load: makes an object of a dump.
#include "contents.hpp"
#include "exit.hpp"
#include "kinds.hpp"
#include "making.hpp"
#include "tool.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "load", "Make an object anew from a dump",
    "  comap load quote.dump --keep                    as it was named, until 'comap rm quote'\n"
    "  comap load quote.dump copy --hold               under another name, until Ctrl-C or SIGTERM\n"
    "  comap load quote.dump --replace-contents        into the one that is there\n"};

struct Options {
    std::string path;
    std::string name;
    bool replace = false;
    MakingOptions making;
};

int run(Tool& tool, const Options& options) {
    if (!options.replace && !options.making.hold && !options.making.keep) return fail_nobody_holds("load");
    const auto dump = read_dump(options.path);
    if (!dump) return fail(dump.error());
    const std::string name = options.name.empty() ? text_of(dump->header, "name") : options.name;
    if (options.replace) {
        const auto done = put_into(tool, name, *dump);
        if (done) return kOk;
        if (done.error().code != Code::not_found) return fail_layout(tool.context, done.error());
    }
    return make(tool, "load", name, options.making, [&](const SyncOptions& sync) {
        const auto recorded = static_cast<std::uint32_t>(number_of(dump->header, "mode", 0600) & 0777);
        return make_of(tool, name, *dump, {options.making.mode.value_or(recorded), sync.keep});
    });
}

}  // namespace

void add_load(CommandLine line, Tool& tool) {
    const auto [command, options] = add_command<Options>(line, tool, kText, run);
    command.add_option("FILE", options.path, "A dump; '-': standard input").required().type_name("");
    command.add_option("NAME", options.name, "Name of the object (default: of the one that was dumped)").type_name("");
    command.add_flag("--replace-contents", options.replace, "If it is there already, put the contents into it");
    add_making(command, options.making);
}

}  // namespace comap::tool
