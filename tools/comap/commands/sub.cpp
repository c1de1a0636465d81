// SPDX-License-Identifier: Apache-2.0
// sub: prints the messages of a channel.
#include "subscribing.hpp"
#include "tool.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "sub", "Print each message of a channel",
    "  comap sub log                            each new one, until Ctrl-C\n"
    "  comap sub log --from oldest --count 10   those that are kept, too; ends after 10\n"
    "  comap sub log --wait 5 --timeout 60      waits until the channel is there; exit code 124 after 60 s\n"
    "  comap sub ticks --json | jq .value.bid   one JSON object per line\n"
    "  comap sub a --framed | comap pub b --framed   any bytes\n"};

struct Options {
    SubscribingOptions subscribing;
    FormOptions form;
};

int run(Tool& tool, const Options& options) { return subscribe_and_print(tool, options.subscribing, options.form); }

}  // namespace

void add_sub(CommandLine line, Tool& tool) {
    const auto [command, options] = add_command<Options>(line, tool, kText, run);
    add_name(command, options.subscribing.name);
    add_subscribing(command, options.subscribing);
    add_form(command, options.form);
}

}  // namespace comap::tool
