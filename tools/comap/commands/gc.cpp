// SPDX-License-Identifier: Apache-2.0
// gc: gives back the memory of objects whose last holder was killed.
#include <fmt/format.h>

#include "exit.hpp"
#include "format.hpp"
#include "listing.hpp"
#include "tool.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {"gc", "Remove what killed processes left behind", "  comap gc\n"};

struct Options {};

int report(Tool& tool, const Collected& all) {
    tool.out.print("removed {} of {}, {} given back\n", all.removed_count, counted(all.examined_count, "object"),
                   human_size(all.removed_bytes));
    if (all.refused_count > 0)
        message(fmt::format("{} of other users could not be removed; root and their owners can", counted(all.refused_count, "dead object")));
    return kOk;
}

int run(Tool& tool, const Options&) {
    Collected all;
    for (const auto scope : {Scope::local, Scope::global}) {
        if (!exists(tool.context, scope)) continue;
        const auto collected = tool.context.collect(scope);
        if (!collected) return fail(collected.error());
        all.examined_count += collected->examined_count;
        all.removed_count += collected->removed_count;
        all.removed_bytes += collected->removed_bytes;
        all.refused_count += collected->refused_count;
    }
    return report(tool, all);
}

}  // namespace

void add_gc(CommandLine line, Tool& tool) { add_command<Options>(line, tool, kText, run); }

}  // namespace comap::tool
