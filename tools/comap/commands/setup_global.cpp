// SPDX-License-Identifier: Apache-2.0
// setup-global: makes the directory of the Global namespace.
#include <fmt/format.h>

#include "exit.hpp"
#include "tool.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {"setup-global", "Make the directory of Global\\ objects (once, as root)", "  sudo comap setup-global\n"};

struct Options {};

int run(Tool& tool, const Options&) {
    const auto made = tool.context.setup_global();
    if (!made) return fail(made.error());
    tool.out.print("{} {}\n", tool.context.directory(Scope::global), *made ? "made" : "was there already");
    return kOk;
}

}  // namespace

void add_setup_global(CommandLine line, Tool& tool) { add_command<Options>(line, tool, kText, run); }

}  // namespace comap::tool
