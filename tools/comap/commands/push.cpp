// SPDX-License-Identifier: Apache-2.0
// push: adds messages to a queue.
#include <comap/queue.hpp>

#include "exit.hpp"
#include "streams.hpp"
#include "tool.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "push", "Add messages to a queue",
    "  comap push jobs a.png b.png            two messages; the queue is made if there is none, and kept\n"
    "  find . -name '*.png' | comap push jobs each line a message\n"
    "  comap push moves from=1 to=2           a record: fields that are not given are 0\n"
    "  comap push jobs --patience 60 < list   waits up to a minute for room for each\n"};

int run(Tool& tool, const SendingOptions& options) {
    const auto queue = open_to_send<RawQueue>(tool, options, queue_options(options.stream));
    if (!queue) return fail_to_open(tool, options.name, queue.error(), options.wait_seconds.has_value());
    Sink sink = {"added", queue->type(), queue->message_bytes(), [&](std::string_view message, std::optional<Deadline> deadline) { return queue->push(message, deadline); }, {}};
    if (queue->was_created()) sink.keep = [&] { return queue->set_keep(true); };
    return send_all(options, sink);
}

}  // namespace

void add_push(CommandLine line, Tool& tool) {
    const auto [command, options] = add_command<SendingOptions>(line, tool, kText, run);
    add_sending(command, options, "added");
}

}  // namespace comap::tool
