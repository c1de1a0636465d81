// SPDX-License-Identifier: Apache-2.0
// event: makes one, sets and resets it, waits for it.
#include <optional>

#include <comap/event.hpp>
#include <fmt/format.h>

#include "exit.hpp"
#include "follow.hpp"
#include "kinds.hpp"
#include "making.hpp"
#include "patience.hpp"
#include "tool.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "event", "Make an event, set or reset it, wait for it",
    "  comap event ready create --manual --keep   lets everybody pass once it is set; until 'comap rm ready'\n"
    "  comap event work create --hold             lets one pass for each set; until Ctrl-C or SIGTERM\n"
    "  comap event ready set\n"
    "  comap event ready reset\n"
    "  comap event ready pulse                    lets pass who waits now; who comes a moment later waits on\n"
    "  comap event ready wait --timeout 2.5       exit code 124 after 2.5 s\n"};

struct Options {
    std::string name;
    std::string action;
    bool manual = false;
    bool set = false;
    MakingOptions making;
    std::optional<double> timeout_seconds;
};

int create(Tool& tool, const Options& options) {
    return make(tool, "event", options.name, options.making, [&](const SyncOptions& sync) {
        const EventOptions event = {options.manual ? Reset::manual : Reset::automatic, options.set, sync.mode, sync.keep};
        return Event::create(options.name, event, tool.context);
    });
}

int wait(Tool& tool, const Options& options) {
    const auto event = open_to_wait(tool.context, options.name);
    if (!event) return fail_kind(tool.context, event.error());
    const Deadline deadline = deadline_after(options.timeout_seconds);
    const StopSignals stop;
    const auto end = until_stopped(stop, [&] { return event->wait(deadline); });
    if (!end) return fail(end.error());
    if (*end == Acquired::timed_out) return fail_timed_out(fmt::format("{} was not set", options.name));
    return *end == Acquired::interrupted ? kNegative : kOk;
}

Result<void> change(const Event& event, const std::string& action) {
    if (action == "set") return event.set();
    return action == "reset" ? event.reset() : event.pulse();
}

int open_and_change(Tool& tool, const Options& options) {
    const auto event = Event::open(options.name, {}, tool.context);
    if (!event) return fail_kind(tool.context, event.error());
    const auto changed = change(*event, options.action);
    return changed ? kOk : fail(changed.error());
}

int run(Tool& tool, const Options& options) {
    auto limited = options_of_create(options.making);
    limited.push_back({"--manual", options.manual, {"create"}});
    limited.push_back({"--set", options.set, {"create"}});
    limited.push_back({"--timeout", options.timeout_seconds.has_value(), {"wait"}});
    if (!fit_action("event", options.action, limited)) return kUsage;
    if (options.action == "create") return create(tool, options);
    return options.action == "wait" ? wait(tool, options) : open_and_change(tool, options);
}

}  // namespace

void add_event(CommandLine line, Tool& tool) {
    const auto [command, options] = add_command<Options>(line, tool, kText, run);
    add_name(command, options.name);
    command.add_option("ACTION", options.action, "create, set, reset, pulse or wait")
        .required()
        .one_of({"create", "set", "reset", "pulse", "wait"})
        .type_name("");
    command.add_flag("--manual", options.manual, "create: once set, it lets everybody pass until it is reset; else one, who resets it");
    command.add_flag("--set", options.set, "create: it is set at once");
    add_making(command, options.making);
    add_timeout(command, options.timeout_seconds, "wait: exit code 124 after so many seconds");
}

}  // namespace comap::tool
