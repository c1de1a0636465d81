// SPDX-License-Identifier: Apache-2.0
#include "subscribing.hpp"

#include <map>
#include <vector>

#include <fmt/format.h>

#include "appearing.hpp"
#include "exit.hpp"
#include "follow.hpp"
#include "format.hpp"
#include "patience.hpp"
#include "streams.hpp"

namespace comap::tool {
namespace {

int fail_too_few(const SubscribingOptions& options, std::uint64_t taken) {
    return fail_timed_out(taken == 0 ? fmt::format("no message came in {}", options.name) : fmt::format("{} came in {}", counted(taken, "message"), options.name));
}

// The next message; `settle` is called before it blocks. Nothing: no more are wanted.
Result<std::optional<Received>> next(RawSubscription& subscription, std::span<std::byte> buffer, Deadline deadline, const StopSignals& stop, const Subscriber& subscriber) {
    auto received = subscription.receive(buffer, Deadline::passed());
    if (!received) return tl::unexpected(received.error());
    if (received->end == Reception::message) return *received;
    const auto goes_on = subscriber.settle();
    if (!goes_on) return tl::unexpected(goes_on.error());
    if (!*goes_on) return std::nullopt;
    received = until_stopped(stop, [&] { return subscription.receive(buffer, deadline); });
    if (!received) return tl::unexpected(received.error());
    return *received;
}

int follow(const SubscribingOptions& options, const RawChannel& channel, RawSubscription& subscription, const StopSignals& stop, const Subscriber& subscriber) {
    const Deadline deadline = deadline_after(options.timeout_seconds);
    std::vector<std::byte> buffer(channel.message_bytes());
    std::uint64_t taken = 0;
    while (taken < options.count && !stop.have_come()) {
        const auto received = next(subscription, buffer, deadline, stop, subscriber);
        if (!received) return fail(received.error());
        if (!*received) return kOk;
        if ((*received)->end == Reception::timed_out) return fail_too_few(options, taken);
        if ((*received)->end == Reception::interrupted) break;
        if ((*received)->missed > 0)
            message(fmt::format("{} of {} {} missed: they came faster than they were taken", counted((*received)->missed, "message"), options.name, (*received)->missed == 1 ? "was" : "were"));
        const auto goes_on = subscriber.take(std::span(buffer).first((*received)->size_bytes), subscription.number() - 1, (*received)->missed);
        if (!goes_on) return fail(goes_on.error());
        if (!*goes_on) return kOk;
        ++taken;
    }
    const auto settled = subscriber.settle();
    if (!settled) return fail(settled.error());
    return stop.have_come() ? kNegative : kOk;  // the signal ends us
}

}  // namespace

void add_subscribing(CommandLine command, SubscribingOptions& options) {
    const auto set_from = [&options](const std::string& text) {
        static const std::map<std::string, From> kFrom = {{"oldest", From::oldest}, {"latest", From::latest}, {"next", From::next}};
        options.from = kFrom.at(text);
        return std::string();
    };
    command.add_judged("--from", set_from, "Where to begin: oldest (all that is kept), latest (the last message), next (what is published from now on, the default)")
        .one_of({"oldest", "latest", "next"})
        .type_name("WHERE");
    command.add_option("--count", options.count, "End after so many").positive().type_name("N");
    add_timeout(command, options.timeout_seconds, "End after so many seconds, with exit code 124");
    command.add_option("--wait", options.wait_seconds, "Wait up to so many seconds until the channel is there; exit code 124").seconds();
}

int subscribe(Tool& tool, const SubscribingOptions& options, const Subscriber& subscriber) {
    const StopSignals stop;
    const auto open = [&] { return open_to_subscribe(tool, options.name); };
    const auto channel = options.wait_seconds ? open_when_there(tool.context, options.name, deadline_after(options.wait_seconds), stop, open) : open();
    if (!channel) return fail_to_open(tool, options.name, channel.error(), options.wait_seconds.has_value());
    auto subscription = channel->subscribe(options.from);
    if (!subscription) return fail(subscription.error());
    const auto goes_on = subscriber.begin(*channel);
    if (!goes_on) return fail(goes_on.error());
    return *goes_on ? follow(options, *channel, *subscription, stop, subscriber) : kOk;
}

int subscribe_and_print(Tool& tool, const SubscribingOptions& options, const FormOptions& form) {
    RecordType type;
    return subscribe(tool, options, {
        [&](const RawChannel& channel) -> Result<bool> {
            type = channel.type();
            return true;
        },
        [&](std::span<const std::byte> bytes, std::uint64_t number, std::uint64_t missed) -> Result<bool> {
            print_message(tool.out, form, type, bytes, form.json ? Json{{"number", number}, {"missed", missed}} : Json{});
            return !tool.out.has_failed();
        },
        [&]() -> Result<bool> { return tool.out.flush(); },
    });
}

}  // namespace comap::tool
