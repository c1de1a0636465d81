// SPDX-License-Identifier: Apache-2.0
// A recording: the messages of a channel with their times, in a file. FORMAT.md describes it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include <comap/channel.hpp>

#include "data_file.hpp"

namespace comap::tool {

struct RecordedMessage {
    std::uint64_t after_ns = 0;  // since the first
    std::uint32_t missed = 0;    // messages that the recorder missed before it
    std::string_view bytes;      // stay until the next is read
};

Result<void> write_message(DataWriter& file, const RecordedMessage& message);

class RecordingReader {
  public:
    // `message_bytes`: of the longest.
    RecordingReader(DataReader& file, std::uint64_t message_bytes) : file_(file), message_bytes_(message_bytes) {}

    // Nothing: that was the last whole one. Errors: corrupt, os_error.
    Result<std::optional<RecordedMessage>> next();

    // After the last: what follows is the beginning of another.
    bool is_cut_off() const { return is_cut_off_; }

  private:
    DataReader& file_;
    std::uint64_t message_bytes_;
    bool is_cut_off_ = false;
};

}  // namespace comap::tool
