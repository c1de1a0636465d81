// SPDX-License-Identifier: Apache-2.0
// lock: runs a command while it owns a mutex.
#include <csignal>
#include <optional>
#include <vector>

#include <comap/mutex.hpp>
#include <fmt/format.h>

#include "activity.hpp"
#include "child.hpp"
#include "exit.hpp"
#include "follow.hpp"
#include "kinds.hpp"
#include "patience.hpp"
#include "signals.hpp"
#include "tool.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "lock", "Run a command while it owns a mutex",
    "  comap lock backup -- rsync -a /home /mnt     one at a time; made if there is none, and kept\n"
    "  comap lock backup -w 2.5 -- ./job            exit code 1 if it cannot be had within 2.5 s\n"
    "  comap lock backup -n -- ./job                the same, at once\n"
    "  comap lock db --abandoned=fail -- ./write    exit code 4 if the last owner was killed\n"};

struct Options {
    std::string name;
    std::vector<std::string> command;
    std::optional<double> wait_seconds;
    bool nonblock = false;
    std::string abandoned = "run";
    std::optional<std::uint32_t> mode;

    Deadline deadline() const { return nonblock ? Deadline::passed() : deadline_after(wait_seconds); }
};

int fail_to_lock(Tool& tool, const Error& error) {
    fail_kind(tool.context, error);
    return kRunFailed;
}

int fail_locked(const Options& options, const Mutex& mutex) {
    const auto info = mutex.info();
    const auto owner = info ? owner_text(*info, activities(*info, HolderScan::of({&*info, 1}).holders(*info))) : "";
    message(fmt::format("{} could not be had in time: it is locked{}{}", options.name, owner.empty() ? "" : " by ", owner));
    return kNegative;
}

// Owns the mutex while it lives. Until done() is called the next owner is told that this one did not finish,
// if this one was told so of the last.
class Ownership {
  public:
    Ownership(const Mutex& mutex, bool was_abandoned) : mutex_(mutex), stays_abandoned_(was_abandoned) {}
    ~Ownership() {
        const auto unlocked = stays_abandoned_ ? mutex_.unlock_abandoned() : mutex_.unlock();
        if (!unlocked) fail(unlocked.error());
    }
    Ownership(const Ownership&) = delete;
    Ownership& operator=(const Ownership&) = delete;
    void done() { stays_abandoned_ = false; }

  private:
    const Mutex& mutex_;
    bool stays_abandoned_;
};

int run_owning(const Options& options, Ownership& ownership, const HeldSignals& signals) {
    const auto child = spawn(options.command, signals, WithoutUs::dies);
    if (child.os_error != 0) return fail_to_spawn("lock", options.command[0], child.os_error);
    const int status = wait_for(child.pid, signals);
    ownership.done();
    return status;
}

int run(Tool& tool, const Options& options) {
    const auto mutex = Mutex::open_or_create(options.name, {.mode = options.mode.value_or(0600), .keep = true}, tool.context);
    if (!mutex) return fail_to_lock(tool, mutex.error());
    const Deadline deadline = options.deadline();
    std::optional<StopSignals> stop(std::in_place, StopSignals::Ignored::stay_ignored);
    const auto end = until_stopped(*stop, [&] { return mutex->lock(deadline); });
    if (!end) return fail_to_lock(tool, end.error());
    if (*end == Acquired::timed_out) return fail_locked(options, *mutex);
    if (*end == Acquired::interrupted) return kNegative;  // the signal ends us
    const bool was_abandoned = *end == Acquired::acquired_abandoned;
    const HeldSignals signals({SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT});
    Ownership ownership(*mutex, was_abandoned);
    if (stop->have_come()) return kNegative;
    stop.reset();
    if (was_abandoned && options.abandoned == "fail") {
        message(fmt::format("the last owner of {} was killed while it had it; it stays abandoned, and the command was not run", options.name));
        return kDamaged;
    }
    if (was_abandoned)
        message(fmt::format("note: the last owner of {} was killed while it had it; what it protects may be half done", options.name));
    return run_owning(options, ownership, signals);
}

}  // namespace

void add_lock(CommandLine line, Tool& tool) {
    const auto [command, options] = add_command<Options>(line, tool, kText, run);
    command.add_option("NAME", options.name, "Name of the mutex; made, and kept, if there is none").required().type_name("");
    command.add_option("COMMAND", options.command, "What to run, and its arguments, after NAME, or after '--'; dies if 'comap lock' is killed")
        .required()
        .type_name("");
    const auto wait = command.add_option("-w,--timeout", options.wait_seconds, "Exit code 1 if it cannot be had in so many seconds").seconds();
    command.add_flag("-n,--nonblock", options.nonblock, "The same as -w 0").excludes(wait);
    command.add_option("--abandoned", options.abandoned, "If its last owner was killed: run (with a note, the default), or fail with exit code 4")
        .one_of({"run", "fail"})
        .type_name("WHAT");
    add_mode(command, options.mode);
}

}  // namespace comap::tool
