// SPDX-License-Identifier: Apache-2.0
// replay: publishes what was recorded, at the times it was.
#include <cerrno>
#include <ctime>
#include <limits>

#include <fmt/format.h>

#include "exit.hpp"
#include "format.hpp"
#include "kinds.hpp"
#include "patience.hpp"
#include "recording.hpp"
#include "streams.hpp"
#include "tool.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "replay", "Publish again what was recorded, at the times it was",
    "  comap replay day.rec                    in the channel it was recorded from; made if there is none, and kept\n"
    "  comap replay day.rec again --speed 10   in another, ten times as fast\n"
    "  comap replay day.rec --as-fast-as-possible\n"
    "  comap replay day.rec --loop             again and again, until Ctrl-C\n"};

struct Options {
    std::string path;
    std::string name;
    double speed = 1;
    bool flat_out = false;
    bool loop = false;
    bool verbose = false;
    std::optional<double> patience_seconds;
    std::optional<std::uint32_t> mode;
};

// The clock that messages are published by.
class Clock {
  public:
    explicit Clock(double speed) : speed_(speed) { ::clock_gettime(CLOCK_MONOTONIC, &begin_); }

    // Blocks until so much of the recording is over. False: a signal came.
    bool wait(std::uint64_t after_ns, const StopSignals& stop) const {
        const double scaled = static_cast<double>(after_ns) / speed_;
        const auto ns = (scaled < 4e18 ? static_cast<std::uint64_t>(scaled) : std::uint64_t{4'000'000'000'000'000'000}) + static_cast<std::uint64_t>(begin_.tv_nsec);
        const timespec until = {begin_.tv_sec + static_cast<std::time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
        while (!stop.have_come() && ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
        }
        return !stop.have_come();
    }

  private:
    double speed_;
    timespec begin_{};
};

struct Replayed {
    std::uint64_t count = 0;
    std::uint64_t missed = 0;  // by the recorder
    bool is_cut_off = false;
    bool was_stopped = false;
};

Result<RawChannel> open_channel(Tool& tool, const std::string& name, const Options& options, const Json& header) {
    auto shaped = shaped_options(header);
    if (!shaped) return tl::unexpected(Error{Code::corrupt, 0, "", fmt::format("{} describes no channel: {}", options.path, shaped.error().message)});
    shaped->channel.mode = options.mode.value_or(shaped->channel.mode);
    if (shaped->type.size_bytes() == 0) return RawChannel::open_or_create(name, shaped->channel, tool.context);
    return RawChannel::open_or_create(name, shaped->type, shaped->channel, tool.context);
}

// Once through the file. Errors: also timed_out's sentence, as busy.
Result<void> replay_once(const Options& options, const RawChannel& channel, DataReader& file, std::uint64_t message_bytes, const StopSignals& stop, Replayed& replayed) {
    RecordingReader reader(file, message_bytes);
    const Clock clock(options.speed);
    const auto send = [&](const RecordedMessage& message) {
        std::optional<Deadline> deadline;
        if (options.patience_seconds) deadline = deadline_after(options.patience_seconds);
        return until_stopped(stop, [&] { return channel.publish(message.bytes, deadline); });
    };
    for (;;) {
        const auto message = reader.next();
        if (!message) return tl::unexpected(message.error());
        if (!*message) break;
        replayed.was_stopped = options.flat_out ? stop.have_come() : !clock.wait((*message)->after_ns, stop);
        if (replayed.was_stopped) return {};
        const auto sent = send(**message);
        if (!sent) return tl::unexpected(sent.error());
        replayed.was_stopped = *sent == Sent::interrupted;
        if (replayed.was_stopped) return {};
        if (*sent == Sent::timed_out) return tl::unexpected(Error{Code::ok, 0, channel.name(), fmt::format("a message for {} had to wait, for room or for others", channel.name())});
        replayed.missed += (*message)->missed;
        if (++replayed.count == 1 && channel.was_created())
            if (const auto kept = channel.set_keep(true); !kept) return kept;
    }
    replayed.is_cut_off = reader.is_cut_off();
    return {};
}

int run(Tool& tool, const Options& options) {
    auto file = DataReader::open(options.path);
    if (!file) return fail(file.error());
    const auto header = file->read_head(kRecordingMagic);
    if (!header) return fail(header.error());
    const std::string name = options.name.empty() ? text_of(*header, "channel") : options.name;
    if (name.empty()) return fail_usage("replay: the recording does not say which channel it is of: name one");
    const auto channel = open_channel(tool, name, options, *header);
    if (!channel) return fail_layout(tool.context, channel.error());
    const StopSignals stop;
    Replayed replayed;
    Result<void> done;
    do {
        const auto before = replayed.count;
        done = replay_once(options, *channel, *file, number_of(*header, "message_bytes"), stop, replayed);
        if (!done || replayed.was_stopped || replayed.count == before) break;
        if (options.loop) done = file->rewind();
    } while (done && options.loop);
    if (!done || options.verbose) message(fmt::format("{} of {} published in {}", counted(replayed.count, "message"), file->shown_path(), name));
    if (replayed.missed > 0) message(fmt::format("{}: the recorder had missed {}", file->shown_path(), counted(replayed.missed, "message")));
    if (replayed.is_cut_off) message(fmt::format("{} is cut off behind its last whole message: {} published", file->shown_path(), counted(replayed.count, "message")));
    if (!done) return done.error().code == Code::ok ? fail_timed_out(done.error().message) : fail(done.error());
    return replayed.was_stopped ? kNegative : kOk;  // the signal ends us
}

}  // namespace

void add_replay(CommandLine line, Tool& tool) {
    const auto [command, options] = add_command<Options>(line, tool, kText, run);
    command.add_option("FILE", options.path, "A recording; '-': standard input").required().type_name("");
    command.add_option("CHANNEL", options.name, "Name of the channel (default: of the one that was recorded)").type_name("");
    const auto speed = command.add_option("--speed", options.speed, "So many times as fast (default 1)")
                           .within(1e-6, 1e9)
                           .type_name("X");
    command.add_flag("--as-fast-as-possible", options.flat_out, "Without waiting").excludes(speed);
    command.add_flag("--loop", options.loop, "Again and again");
    command.add_option("--patience", options.patience_seconds, "How long each message may wait, for room or for others (default: as the channel was made); exit code 124").seconds();
    add_mode(command, options.mode);
    command.add_flag("-v,--verbose", options.verbose, "Say how many were published");
}

}  // namespace comap::tool
