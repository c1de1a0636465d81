// SPDX-License-Identifier: Apache-2.0
// queue: makes one.
#include <comap/queue.hpp>

#include "making.hpp"
#include "patience.hpp"
#include "streams.hpp"
#include "tool.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "queue", "Make a queue: messages that one taker gets each",
    "  comap queue jobs create --keep                               until 'comap rm jobs'\n"
    "  comap queue moves create --fields from:u4,to:u4 --hold       of records; until Ctrl-C or SIGTERM\n"
    "  comap push jobs resize.png                                   adds a message\n"
    "  comap pop jobs --confirm -- ./work                           takes one, and gives it back if that fails\n"};

struct Options {
    std::string name;
    std::string action;
    std::string fields;
    StreamOptions stream;
    MakingOptions making;
};

int run(Tool& tool, const Options& options) {
    if (!options.fields.empty() && options.stream.message_bytes) return fail_usage("queue: a message is a record, as long as its --fields: leave --message-bytes out");
    auto queue = queue_options(options.stream);
    if (!queue) return fail(queue.error());
    std::optional<RecordType> type;
    if (!options.fields.empty()) {
        auto parsed = RecordType::from_list(options.fields);
        if (!parsed) return fail(parsed.error());
        type = std::move(*parsed);
    }
    return make(tool, "queue", options.name, options.making, [&](const SyncOptions& sync) {
        queue->mode = sync.mode;
        queue->keep = sync.keep;
        return type ? RawQueue::create(options.name, *type, *queue, tool.context) : RawQueue::create(options.name, *queue, tool.context);
    });
}

}  // namespace

void add_queue(CommandLine line, Tool& tool) {
    const auto [command, options] = add_command<Options>(line, tool, kText, run);
    add_name(command, options.name);
    command.add_option("ACTION", options.action, "create").required().one_of({"create"}).type_name("");
    add_fields(command, options.fields, "create: messages are records: ");
    add_stream(command, options.stream, "create");
    command.add_option("--patience", options.stream.patience_seconds, "create: how long a push waits for room (default 2)").seconds();
    add_making(command, options.making);
}

}  // namespace comap::tool
