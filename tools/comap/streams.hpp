// SPDX-License-Identifier: Apache-2.0
// Channels and queues as the commands make and open them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <comap/channel.hpp>
#include <comap/queue.hpp>

#include "appearing.hpp"
#include "command_line.hpp"
#include "follow.hpp"
#include "message_form.hpp"
#include "message_source.hpp"
#include "tool.hpp"

namespace comap::tool {

// What a channel or a queue has if nothing else is said.
inline constexpr std::uint32_t kStreamMessageBytes = 4096;
inline constexpr std::uint64_t kStreamCapacity = 1024;

// --message-bytes, --capacity and --patience.
struct StreamOptions {
    std::optional<std::uint64_t> message_bytes;
    std::optional<std::uint64_t> capacity;
    std::optional<double> patience_seconds;
};

// `when`: "create" or "if it is made now".
void add_stream(CommandLine command, StreamOptions& options, const std::string& when);

// Errors: invalid_argument (too long messages).
Result<ChannelOptions> channel_options(const StreamOptions& options);
Result<QueueOptions> queue_options(const StreamOptions& options);

// What a message of that size takes in a ring, at most.
std::uint64_t frame_bytes(std::uint64_t message_bytes, std::uint64_t size_bytes);

// Opened for reading, if that is enough: not where publishers wait for their subscribers.
Result<RawChannel> open_to_subscribe(Tool& tool, const std::string& name);

// The latest message. Nothing: there is none.
struct LatestMessage {
    std::uint64_t number = 0;
    std::vector<std::byte> bytes;
};
Result<std::optional<LatestMessage>> latest_message(const RawChannel& channel);

// What a channel is like, and making another. Errors: invalid_argument (not what a channel can be), and as RawChannel::create.
Json shape_of(const RawChannel& channel);
struct ShapedOptions {
    RecordType type;  // of size 0: messages of any bytes
    ChannelOptions channel;
};
Result<ShapedOptions> shaped_options(const Json& shape);

// What pub and push are given.
struct SendingOptions {
    std::string name;
    SourceOptions source;
    StreamOptions stream;  // if it is made now; the patience: of each message
    std::optional<std::uint32_t> mode;
    std::optional<double> wait_seconds;
    std::optional<double> rate;
    bool verbose = false;
};
void add_sending(CommandLine command, SendingOptions& options, const std::string& did);

// Where messages go.
struct Sink {
    std::string_view did;  // "published"
    const RecordType& type;
    std::uint32_t message_bytes = 0;
    std::function<Result<Sent>(std::string_view, std::optional<Deadline>)> send;
    std::function<Result<void>()> keep;  // after the first message; none: nothing is to be done
};

// Sends all messages of the source. The exit code.
int send_all(const SendingOptions& options, const Sink& sink);

// Opens it, with --wait when it is there, else makes it if there is none; such a one ends with us until it is told to be kept.
template <typename Stream, typename Options>
Result<Stream> open_to_send(Tool& tool, const SendingOptions& sending, Result<Options> options) {
    if (!options) return tl::unexpected(options.error());
    if (!sending.wait_seconds) {
        if (sending.mode) options->mode = *sending.mode;
        return Stream::open_or_create(sending.name, *options, tool.context);
    }
    const StopSignals stop;
    return open_when_there(tool.context, sending.name, deadline_after(sending.wait_seconds), stop, [&] { return Stream::open(sending.name, {}, tool.context); });
}

// Says why it could not be opened. `was_waited_for`: it was given time to appear. The exit code.
int fail_to_open(Tool& tool, const std::string& name, const Error& error, bool was_waited_for);

}  // namespace comap::tool
