// SPDX-License-Identifier: Apache-2.0
// pub: publishes messages in a channel.
#include <comap/channel.hpp>

#include "exit.hpp"
#include "streams.hpp"
#include "tool.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "pub", "Publish messages in a channel",
    "  comap pub log 'hello'                  made if there is none, and kept\n"
    "  tail -f app.log | comap pub log        each line a message\n"
    "  comap pub image --whole < cat.png      all of standard input as one message\n"
    "  comap pub ticks t=1.5 bid=1.25         a record: fields that are not given are 0\n"
    "  comap pub ticks '{\"t\":1.5}'            the same from JSON; on standard input one per line\n"
    "  comap pub log --rate 10 -v < lines     10 per second; says how many\n"};

int run(Tool& tool, const SendingOptions& options) {
    const auto channel = open_to_send<RawChannel>(tool, options, channel_options(options.stream));
    if (!channel) return fail_to_open(tool, options.name, channel.error(), options.wait_seconds.has_value());
    Sink sink = {"published", channel->type(), channel->message_bytes(), [&](std::string_view message, std::optional<Deadline> deadline) { return channel->publish(message, deadline); }, {}};
    if (channel->was_created()) sink.keep = [&] { return channel->set_keep(true); };
    return send_all(options, sink);
}

}  // namespace

void add_pub(CommandLine line, Tool& tool) {
    const auto [command, options] = add_command<SendingOptions>(line, tool, kText, run);
    add_sending(command, options, "published");
}

}  // namespace comap::tool
