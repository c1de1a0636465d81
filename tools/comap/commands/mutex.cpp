// SPDX-License-Identifier: Apache-2.0
// mutex: makes one.
#include <comap/mutex.hpp>

#include "making.hpp"
#include "tool.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "mutex", "Make a mutex",
    "  comap mutex backup create --keep    until 'comap rm backup'\n"
    "  comap mutex backup create --hold    until Ctrl-C or SIGTERM\n"
    "  comap lock backup -- ./job          takes it, and makes it if there is none\n"};

struct Options {
    std::string name;
    std::string action;
    MakingOptions making;
};

int run(Tool& tool, const Options& options) {
    return make(tool, "mutex", options.name, options.making,
                [&](const SyncOptions& sync) { return Mutex::create(options.name, sync, tool.context); });
}

}  // namespace

void add_mutex(CommandLine line, Tool& tool) {
    const auto [command, options] = add_command<Options>(line, tool, kText, run);
    add_name(command, options.name);
    command.add_option("ACTION", options.action, "create").required().one_of({"create"}).type_name("");
    add_making(command, options.making);
}

}  // namespace comap::tool
