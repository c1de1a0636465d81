// SPDX-License-Identifier: Apache-2.0
#include "streams.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>

#include <fmt/format.h>

#include "data_file.hpp"
#include "exit.hpp"
#include "format.hpp"
#include "kinds.hpp"
#include "patience.hpp"
#include "signals.hpp"

namespace comap::tool {
namespace {

std::chrono::nanoseconds nanoseconds_of(double seconds) { return std::chrono::nanoseconds(static_cast<std::int64_t>(std::min(seconds, 9e9) * 1e9)); }

template <typename Options>
Result<Options> stream_options(const StreamOptions& given) {
    Options options;
    const std::uint64_t message_bytes = given.message_bytes.value_or(kStreamMessageBytes);
    if (message_bytes > kMessageBytesMax)
        return tl::unexpected(Error{Code::invalid_argument, 0, "", fmt::format("messages cannot have {} bytes; at most {}", message_bytes, kMessageBytesMax)});
    options.message_bytes = static_cast<std::uint32_t>(message_bytes);
    options.capacity = given.capacity.value_or(kStreamCapacity);
    if (given.patience_seconds) options.patience = nanoseconds_of(*given.patience_seconds);
    return options;
}

// So many messages per second, counted from the first.
class Pace {
  public:
    explicit Pace(std::optional<double> rate) : rate_(rate) { ::clock_gettime(CLOCK_MONOTONIC, &begin_); }
    void wait(std::uint64_t count) const {
        if (!rate_) return;
        const auto after_ns = static_cast<std::uint64_t>(static_cast<double>(count) / *rate_ * 1e9) + static_cast<std::uint64_t>(begin_.tv_nsec);
        const timespec until = {begin_.tv_sec + static_cast<std::time_t>(after_ns / 1'000'000'000), static_cast<long>(after_ns % 1'000'000'000)};
        while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
        }
    }

  private:
    std::optional<double> rate_;
    timespec begin_{};
};

Result<Sent> send_one(const SendingOptions& options, const Sink& sink, std::string_view message) {
    std::optional<Deadline> deadline;
    if (options.stream.patience_seconds) deadline = deadline_after(options.stream.patience_seconds);
    for (;;) {
        auto sent = sink.send(message, deadline);
        if (!sent || *sent != Sent::interrupted) return sent;
    }
}

}  // namespace

void add_stream(CommandLine command, StreamOptions& options, const std::string& when) {
    add_size(command, "--message-bytes", options.message_bytes, fmt::format("{}: the longest message (default {})", when, kStreamMessageBytes));
    command.add_option("--capacity", options.capacity, fmt::format("{}: how many messages of that size are kept, at least (default {})", when, kStreamCapacity))
        .positive()
        .type_name("N");
}

Result<ChannelOptions> channel_options(const StreamOptions& options) {
    auto channel = stream_options<ChannelOptions>(options);
    if (channel) channel->many_publishers = true;
    return channel;
}

Result<QueueOptions> queue_options(const StreamOptions& options) { return stream_options<QueueOptions>(options); }

std::uint64_t frame_bytes(std::uint64_t message_bytes, std::uint64_t size_bytes) {
    const std::uint64_t alignment = message_bytes <= 256 ? 8 : 64;
    const std::uint64_t head = message_bytes <= 256 ? 16 : 64;
    return (head + size_bytes + alignment - 1) / alignment * alignment;
}

Result<RawChannel> open_to_subscribe(Tool& tool, const std::string& name) {
    const auto info = tool.context.stat(name);
    if (!info) return tl::unexpected(info.error());
    const bool is_waited_for = info->layout == Layout::channel && info->slot_count > 0;
    return RawChannel::open(name, {.access = is_waited_for ? Access::read_write : Access::read_only, .owner_uid = {}, .file = {}}, tool.context);
}

Result<std::optional<LatestMessage>> latest_message(const RawChannel& channel) {
    auto subscription = channel.subscribe(From::latest);
    if (!subscription) return tl::unexpected(subscription.error());
    LatestMessage latest;
    latest.bytes.resize(channel.message_bytes());
    const auto received = subscription->receive(latest.bytes, Deadline::passed());
    if (!received) return tl::unexpected(received.error());
    if (received->end != Reception::message) return std::nullopt;
    latest.number = subscription->number() - 1;
    latest.bytes.resize(received->size_bytes);
    return std::optional(std::move(latest));
}

Json shape_of(const RawChannel& channel) {
    return {{"record_format", channel.type().format()},
            {"message_bytes", channel.message_bytes()},
            {"capacity", channel.capacity()},
            {"many_publishers", channel.has_many_publishers()},
            {"subscribers_waited_for", channel.subscribers_waited_for()}};
}

Result<ShapedOptions> shaped_options(const Json& shape) {
    ShapedOptions options;
    if (const auto format = text_of(shape, "record_format"); !format.empty()) {
        auto type = RecordType::parse(format);
        if (!type) return tl::unexpected(type.error());
        options.type = std::move(*type);
    }
    const auto message_bytes = number_of(shape, "message_bytes");
    if (message_bytes < 1 || message_bytes > kMessageBytesMax)
        return tl::unexpected(Error{Code::invalid_argument, 0, "", fmt::format("messages cannot have {} bytes; from 1 to {} can be", message_bytes, kMessageBytesMax)});
    options.channel.message_bytes = static_cast<std::uint32_t>(message_bytes);
    options.channel.capacity = std::max<std::uint64_t>(number_of(shape, "capacity"), 1);
    options.channel.many_publishers = flag_of(shape, "many_publishers");
    options.channel.subscribers_waited_for = static_cast<std::uint32_t>(std::min<std::uint64_t>(number_of(shape, "subscribers_waited_for"), UINT32_MAX));
    return options;
}

void add_sending(CommandLine command, SendingOptions& options, const std::string& did) {
    add_name(command, options.name);
    add_source(command, options.source);
    command.add_option("--wait", options.wait_seconds, "Wait up to so many seconds until it is there, instead of making it; exit code 124").seconds();
    command.add_option("--patience", options.stream.patience_seconds, "How long each message may wait, for room or for others (default: as it was made); exit code 124").seconds();
    command.add_option("--rate", options.rate, "So many messages per second").positive().type_name("N");
    add_stream(command, options.stream, "If it is made now");
    add_mode(command, options.mode);
    command.add_flag("-v,--verbose", options.verbose, fmt::format("Say how many were {}", did));
}

int send_all(const SendingOptions& options, const Sink& sink) {
    MessageSource source(options.source, sink.type, sink.message_bytes, options.name);
    const Pace pace(options.rate);
    std::uint64_t count = 0;
    const auto say = [&] { message(fmt::format("{} {} {}: {}", counted(count, "message"), count == 1 ? "was" : "were", sink.did, options.name)); };
    const auto stop = [&](int status) {
        if (count > 0 || options.verbose) say();
        return status;
    };
    for (;;) {
        const auto text = source.next();
        if (!text) return stop(fail(text.error()));
        if (!*text) break;
        pace.wait(count);
        const auto sent = send_one(options, sink, **text);
        if (!sent) return stop(fail(sent.error()));
        if (*sent != Sent::sent) return stop(fail_timed_out(fmt::format("a message for {} had to wait, for room or for others", options.name)));
        if (++count == 1 && sink.keep)
            if (const auto kept = sink.keep(); !kept) return stop(fail(kept.error()));
    }
    if (options.verbose) say();
    return kOk;
}

int fail_to_open(Tool& tool, const std::string& name, const Error& error, bool was_waited_for) {
    if (was_waited_for && StopSignals::came()) return kNegative;  // the signal ends us
    if (was_waited_for && error.code == Code::not_found) return fail_timed_out(fmt::format("there is no {}", name));
    return fail_layout(tool.context, error);
}

}  // namespace comap::tool
