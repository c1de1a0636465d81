// SPDX-License-Identifier: Apache-2.0
// channel: makes one.
#include <comap/channel.hpp>

#include <fmt/format.h>

#include "making.hpp"
#include "patience.hpp"
#include "streams.hpp"
#include "tool.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "channel", "Make a channel: messages that every subscriber sees",
    "  comap channel log create --keep                           until 'comap rm log'\n"
    "  comap channel ticks create --fields t:f8,bid:f8 --hold    of records; until Ctrl-C or SIGTERM\n"
    "  comap channel jobs create --wait-for 4 --keep             publishers wait for up to 4 subscribers\n"
    "  comap pub log hello                                       publishes\n"
    "  comap sub log                                             prints each message\n"};

struct Options {
    std::string name;
    std::string action;
    std::string fields;
    std::string publishers = "many";
    std::uint32_t wait_for = 0;
    StreamOptions stream;
    MakingOptions making;
};

int run(Tool& tool, const Options& options) {
    if (!options.fields.empty() && options.stream.message_bytes) return fail_usage("channel: a message is a record, as long as its --fields: leave --message-bytes out");
    auto channel = channel_options(options.stream);
    if (!channel) return fail(channel.error());
    channel->many_publishers = options.publishers == "many";
    channel->subscribers_waited_for = options.wait_for;
    std::optional<RecordType> type;
    if (!options.fields.empty()) {
        auto parsed = RecordType::from_list(options.fields);
        if (!parsed) return fail(parsed.error());
        type = std::move(*parsed);
    }
    return make(tool, "channel", options.name, options.making, [&](const SyncOptions& sync) {
        channel->mode = sync.mode;
        channel->keep = sync.keep;
        return type ? RawChannel::create(options.name, *type, *channel, tool.context) : RawChannel::create(options.name, *channel, tool.context);
    });
}

}  // namespace

void add_channel(CommandLine line, Tool& tool) {
    const auto [command, options] = add_command<Options>(line, tool, kText, run);
    add_name(command, options.name);
    command.add_option("ACTION", options.action, "create").required().one_of({"create"}).type_name("");
    add_fields(command, options.fields, "create: messages are records: ");
    add_stream(command, options.stream, "create");
    command.add_option("--publishers", options.publishers, "create: many (the default), or one at a time, which is faster")
        .one_of({"many", "one"})
        .type_name("WHO");
    command.add_option("--wait-for", options.wait_for, fmt::format("create: publishers wait for up to so many subscribers, the most there can be (default 0: for none; at most {})", kWaitedSubscribersMax))
        .type_name("N");
    command.add_option("--patience", options.stream.patience_seconds, "create: how long a publisher waits, for others or for room (default 2)").seconds();
    add_making(command, options.making);
}

}  // namespace comap::tool
