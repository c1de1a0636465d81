// SPDX-License-Identifier: Apache-2.0
// cell: makes one.
#include <comap/cell.hpp>

#include <fmt/format.h>

#include "making.hpp"
#include "tool.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "cell", "Make a cell: the latest value of a record",
    "  comap cell quote create --fields t:f8,bid:f8,ask:f8,sym:s16 --keep   until 'comap rm quote'\n"
    "  comap cell quote create --fields bid:f8,ask:f8 --history 100 --hold  until Ctrl-C or SIGTERM\n"
    "  comap put quote bid=1.25 sym=EURUSD                                  sets two fields\n"
    "  comap get quote                                                      prints all\n"};

struct Options {
    std::string name;
    std::string action;
    std::string fields;
    CellOptions cell;
    MakingOptions making;
};

int run(Tool& tool, const Options& options) {
    const auto type = RecordType::from_list(options.fields);
    if (!type) return fail(type.error());
    return make(tool, "cell", options.name, options.making, [&](const SyncOptions& sync) {
        CellOptions cell = options.cell;
        cell.mode = sync.mode;
        cell.keep = sync.keep;
        return RawCell::create(options.name, *type, cell, tool.context);
    });
}

}  // namespace

void add_cell(CommandLine line, Tool& tool) {
    const auto [command, options] = add_command<Options>(line, tool, kText, run);
    add_name(command, options.name);
    command.add_option("ACTION", options.action, "create").required().one_of({"create"}).type_name("");
    add_fields(command, options.fields, "create: ").required();
    command.add_option("--history", options.cell.history, fmt::format("create: how many values before the latest can be read, at least (default 0, at most {})", kCellHistoryMax))
        .type_name("N");
    command.add_option("--writers", options.cell.writers, fmt::format("create: how many processes may store at a time (default 1, at most {})", kCellWritersMax))
        .type_name("N");
    add_making(command, options.making);
}

}  // namespace comap::tool
