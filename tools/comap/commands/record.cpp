// SPDX-License-Identifier: Apache-2.0
// record: writes the messages of a channel to a file, with their times.
#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "exit.hpp"
#include "format.hpp"
#include "recording.hpp"
#include "streams.hpp"
#include "subscribing.hpp"
#include "tool.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "record", "Write the messages of a channel to a file, with their times",
    "  comap record ticks day.rec                    until Ctrl-C\n"
    "  comap record ticks day.rec --from oldest --count 1000\n"
    "  comap record ticks - | xz > day.rec.xz\n"
    "  comap replay day.rec again                    publishes them again\n"};

struct Options {
    SubscribingOptions subscribing;
    std::string path;
    bool verbose = false;
};

std::uint64_t now_ns(std::chrono::nanoseconds since) { return static_cast<std::uint64_t>(since.count()); }

class Recorder {
  public:
    Recorder(Tool& tool, const Options& options) : tool_(tool), options_(options) {}

    Result<bool> begin(const RawChannel& channel) {
        auto file = DataWriter::create(tool_.out, options_.path);
        if (!file) return tl::unexpected(file.error());
        file_ = std::move(*file);
        Json header = {{"channel", options_.subscribing.name}, {"started_ns", now_ns(std::chrono::system_clock::now().time_since_epoch())}};
        header.update(shape_of(channel));
        if (const auto done = file_.write_head(kRecordingMagic, header); !done) return tl::unexpected(done.error());
        return settle();
    }

    Result<bool> take(std::span<const std::byte> bytes, std::uint64_t missed) {
        const std::uint64_t now = now_ns(std::chrono::steady_clock::now().time_since_epoch());
        if (count_ == 0) first_ns_ = now;
        missed_ += missed;
        ++count_;
        const RecordedMessage message = {now - first_ns_, static_cast<std::uint32_t>(std::min<std::uint64_t>(missed, UINT32_MAX)), {reinterpret_cast<const char*>(bytes.data()), bytes.size()}};
        if (const auto done = write_message(file_, message); !done) return tl::unexpected(done.error());
        return file_.is_open();
    }

    // A recorder that is killed has written what had come.
    Result<bool> settle() {
        if (const auto done = file_.flush(); !done) return tl::unexpected(done.error());
        return file_.is_open();
    }

    void say() const {
        if (options_.verbose || missed_ > 0)
            message(fmt::format("{} of {} recorded, {} missed", counted(count_, "message"), options_.subscribing.name, missed_));
    }

  private:
    Tool& tool_;
    const Options& options_;
    DataWriter file_;
    std::uint64_t first_ns_ = 0;
    std::uint64_t count_ = 0;
    std::uint64_t missed_ = 0;
};

int run(Tool& tool, const Options& options) {
    Recorder recorder(tool, options);
    const int status = subscribe(tool, options.subscribing, {
        [&](const RawChannel& channel) { return recorder.begin(channel); },
        [&](std::span<const std::byte> bytes, std::uint64_t, std::uint64_t missed) { return recorder.take(bytes, missed); },
        [&] { return recorder.settle(); },
    });
    recorder.say();
    return status;
}

}  // namespace

void add_record(CommandLine line, Tool& tool) {
    const auto [command, options] = add_command<Options>(line, tool, kText, run);
    command.add_option("CHANNEL", options.subscribing.name, "Name of the channel").required().type_name("");
    command.add_option("FILE", options.path, "Where to write; '-': standard output").required().type_name("");
    add_subscribing(command, options.subscribing);
    command.add_flag("-v,--verbose", options.verbose, "Say how many were recorded");
}

}  // namespace comap::tool
