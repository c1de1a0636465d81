// SPDX-License-Identifier: Apache-2.0
// pop: takes messages from a queue, and prints them or runs a command for each.
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <optional>
#include <vector>

#include <comap/queue.hpp>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include "child.hpp"
#include "exit.hpp"
#include "follow.hpp"
#include "kinds.hpp"
#include "message_form.hpp"
#include "patience.hpp"
#include "streams.hpp"
#include "system.hpp"
#include "tool.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "pop", "Take messages from a queue",
    "  comap pop jobs                                   the next; waits for one\n"
    "  comap pop jobs --timeout 0                       exit code 1 if there is none\n"
    "  comap pop jobs --follow --json                   one after the other, until Ctrl-C\n"
    "  comap pop jobs --confirm -- ./work               the message on its standard input; given back if it fails\n"
    "  comap pop jobs --confirm --follow -- ./work      one after the other, until one fails\n"};

struct Options {
    std::string name;
    std::vector<std::string> command;
    FormOptions form;
    std::optional<std::uint64_t> count;
    bool follow = false;
    bool confirm = false;
    std::optional<double> timeout_seconds;
    std::optional<double> wait_seconds;

    std::uint64_t wanted() const { return follow ? UINT64_MAX : count.value_or(1); }
    bool is_look() const { return timeout_seconds == 0.0; }
};

// A message that was taken: for good, or to be confirmed.
struct Taken {
    Reception end = Reception::timed_out;
    std::span<const std::byte> bytes;
    bool redelivered = false;
    Item item;
};

class Taker {
  public:
    Taker(const RawQueue& queue, bool confirms) : queue_(queue), confirms_(confirms), buffer_(confirms ? 0 : queue.message_bytes()) {}

    Result<Taken> take(Deadline deadline, const StopSignals& stop) {
        if (confirms_) {
            auto item = until_stopped(stop, [&] { return queue_.take(deadline); });
            if (!item) return tl::unexpected(item.error());
            Taken taken = {item->end(), item->bytes(), item->redelivered(), {}};
            taken.item = std::move(*item);
            return taken;
        }
        const auto popped = until_stopped(stop, [&] { return queue_.pop(buffer_, deadline); });
        if (!popped) return tl::unexpected(popped.error());
        return Taken{popped->end, std::span(buffer_).first(popped->size_bytes), popped->redelivered, {}};
    }

    static Result<void> confirm(Taken& taken) { return taken.item ? taken.item.confirm() : Result<void>(); }

  private:
    const RawQueue& queue_;
    bool confirms_;
    std::vector<std::byte> buffer_;
};

// A file in memory, to be somebody's standard input. Nothing: errno says why.
std::optional<Descriptor> file_of(std::span<const std::byte> bytes) {
    Descriptor file(::memfd_create("comap-message", MFD_CLOEXEC));
    if (!file) return std::nullopt;
    while (!bytes.empty()) {
        const auto count = ::write(file.number(), bytes.data(), bytes.size());
        if (count < 0 && errno != EINTR) return std::nullopt;
        bytes = bytes.subspan(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    }
    if (::lseek(file.number(), 0, SEEK_SET) != 0) return std::nullopt;
    return file;
}

// The command's exit code; 125 to 127 if it could not be run.
int run_command(const Options& options, const Taken& taken, const HeldSignals& signals) {
    const auto input = file_of(taken.bytes);
    if (!input) {
        fail_system("pop: the message cannot be given to the command", errno);
        return kRunFailed;
    }
    const auto child = spawn(options.command, signals, WithoutUs::dies, input->number());
    return child.os_error == 0 ? wait_for(child.pid, signals) : fail_to_spawn("pop", options.command[0], child.os_error);
}

int fail_too_few(const Options& options, std::uint64_t count) {
    if (options.is_look() && options.follow && count > 0) return kOk;  // that was all
    if (options.is_look()) {
        message(fmt::format("{} has no message to take", options.name));
        return kNegative;
    }
    return fail_timed_out(fmt::format("{} had no message to take", options.name));
}

// Prints it. Only what was written counts as done; else it is given back.
int print(Tool& tool, const Options& options, const RawQueue& queue, Taken& taken) {
    print_message(tool.out, options.form, queue.type(), taken.bytes, options.form.json ? Json{{"redelivered", taken.redelivered}} : Json{});
    if (!tool.out.flush()) return kOk;  // the output says how it ends
    const auto confirmed = Taker::confirm(taken);
    return confirmed ? kOk : fail(confirmed.error());
}

int work(const Options& options, Taken& taken, const HeldSignals& signals) {
    const int status = run_command(options, taken, signals);
    if (status != kOk) return status;
    const auto confirmed = Taker::confirm(taken);
    if (confirmed) return kOk;
    fail(confirmed.error());
    return kRunFailed;
}

// One message. Nothing: go on.
std::optional<int> take_one(Tool& tool, const Options& options, const RawQueue& queue, Taker& taker, Deadline deadline, std::uint64_t count) {
    std::optional<StopSignals> stop(std::in_place, options.command.empty() ? StopSignals::Ignored::stop_too : StopSignals::Ignored::stay_ignored);
    auto taken = taker.take(deadline, *stop);
    if (!taken) return fail_kind(tool.context, taken.error());
    if (taken->end == Reception::timed_out) return fail_too_few(options, count);
    if (taken->end == Reception::interrupted) return kNegative;  // the signal ends us
    int status = kOk;
    if (options.command.empty()) {
        status = print(tool, options, queue, *taken);
        if (stop->have_come()) return status;
    } else {
        const HeldSignals signals({SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT});
        if (stop->have_come()) return kNegative;  // what was taken to be confirmed goes back
        stop.reset();
        status = work(options, *taken, signals);
    }
    return status == kOk && !tool.out.has_failed() ? std::nullopt : std::optional(status);
}

int run(Tool& tool, const Options& options) {
    if (!options.command.empty() && (options.form.json || options.form.raw || options.form.framed))
        return fail_usage("pop: a command gets the bytes of the message on its standard input: leave --json, --raw and --framed out");
    const auto open = [&] { return RawQueue::open(options.name, {}, tool.context); };
    const auto queue = [&] {
        const StopSignals stop;
        return options.wait_seconds ? open_when_there(tool.context, options.name, deadline_after(options.wait_seconds), stop, open) : open();
    }();
    if (!queue) return fail_to_open(tool, options.name, queue.error(), options.wait_seconds.has_value());
    Taker taker(*queue, options.confirm);
    const Deadline deadline = options.is_look() ? Deadline::passed() : deadline_after(options.timeout_seconds);
    for (std::uint64_t count = 0; count < options.wanted(); ++count)
        if (const auto status = take_one(tool, options, *queue, taker, deadline, count)) return *status;
    return kOk;
}

}  // namespace

void add_pop(CommandLine line, Tool& tool) {
    const auto [command, options] = add_command<Options>(line, tool, kText, run);
    add_name(command, options.name);
    command.add_option("COMMAND", options.command, "What to run for each, and its arguments, after '--'; dies if 'comap pop' is killed").type_name("");
    const auto count = command.add_option("--count", options.count, "How many (default 1)").positive().type_name("N");
    command.add_flag("-f,--follow", options.follow, "One after the other, without end").excludes(count);
    command.add_flag("--confirm", options.confirm, "It goes back if it cannot be printed, or the command fails, or we are killed");
    add_timeout(command, options.timeout_seconds, "End after so many seconds, with exit code 124; 0: with 1 if there is no message");
    command.add_option("--wait", options.wait_seconds, "Wait up to so many seconds until the queue is there; exit code 124").seconds();
    add_form(command, options.form);
}

}  // namespace comap::tool
