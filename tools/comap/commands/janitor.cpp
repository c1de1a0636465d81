// SPDX-License-Identifier: Apache-2.0
// janitor: removes objects as soon as their last holder is killed.
#include <algorithm>
#include <cerrno>
#include <csignal>

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "../janitor.hpp"
#include "exit.hpp"
#include "listing.hpp"
#include "signals.hpp"
#include "tool.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "janitor", "Remove objects as soon as their last holder is killed",
    "  comap janitor --verbose\n"
    "  systemctl --user enable --now comap-janitor\n"};

struct Options {
    bool verbose = false;
};

std::vector<Scope> scopes_to_watch(Tool& tool) {
    if (::geteuid() == 0 && exists(tool.context, Scope::global)) return {Scope::local, Scope::global};
    return {Scope::local};
}

int milliseconds_until(Janitor::Clock::time_point due) {
    if (due == Janitor::Clock::time_point::max()) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(due - Janitor::Clock::now());
    return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

// Takes the signal that has come, so that it does not end us once it is let through.
bool take_signal(const Descriptor& stop) {
    signalfd_siginfo info = {};
    return ::read(stop.number(), &info, sizeof info) > 0;
}

int run(Tool& tool, const Options& options) {
    const HeldSignals signals({SIGINT, SIGTERM, SIGHUP});
    const Descriptor stop(::signalfd(-1, &signals.set(), SFD_CLOEXEC | SFD_NONBLOCK));
    if (!stop) return fail_system("janitor: signalfd", errno);
    Janitor janitor(tool.context.root(), options.verbose);
    auto done = janitor.begin(scopes_to_watch(tool));
    while (done) {
        pollfd waits[] = {{stop.number(), POLLIN, 0}, {janitor.descriptor(), POLLIN, 0}};
        ::poll(waits, 2, milliseconds_until(janitor.next_due()));
        if (take_signal(stop)) return kOk;
        done = janitor.work();
    }
    return fail(done.error());
}

}  // namespace

void add_janitor(CommandLine line, Tool& tool) {
    const auto [command, options] = add_command<Options>(line, tool, kText, run);
    command.add_flag("-v,--verbose", options.verbose, "Say what is watched and what is removed, on standard error");
}

}  // namespace comap::tool
