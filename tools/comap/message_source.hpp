// SPDX-License-Identifier: Apache-2.0
// Messages for a channel or a queue: from the command line, or from standard input as lines, framed, or as a whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <comap/error.hpp>
#include <comap/record.hpp>

#include "command_line.hpp"

namespace comap::tool {

struct SourceOptions {
    std::vector<std::string> texts;  // none, or "-": standard input
    bool framed = false;
    bool whole = false;
    bool is_standard_input() const { return texts.empty() || (texts.size() == 1 && texts[0] == "-"); }
};

// TEXT, --framed and --whole. `who`: our own command.
void add_source(CommandLine command, SourceOptions& options);

class MessageSource {
  public:
    // `type`: of the records; of size 0 for messages of any bytes. `name`: for what is said.
    MessageSource(const SourceOptions& options, const RecordType& type, std::uint32_t message_bytes, std::string name)
        : options_(options), type_(type), message_bytes_(message_bytes), name_(std::move(name)) {}

    // The next message; nothing: there are no more. Blocks for standard input. Errors: too_long, invalid_argument (not what such a
    // message must be), os_error.
    Result<std::optional<std::string>> next();

  private:
    using Next = Result<std::optional<std::string>>;
    Next next_of_texts();
    Next next_line();
    bool is_nothing(const std::string& line);
    Next next_framed();
    Next whole();
    Next message_of_line(std::string line) const;
    Next checked(std::string message) const;
    Result<bool> fill();  // false: the end
    Result<std::optional<std::string>> exactly(std::size_t size, bool may_end);
    tl::unexpected<Error> refuse(Code code, const std::string& what) const;
    std::string where() const;

    const SourceOptions& options_;
    const RecordType& type_;
    std::uint32_t message_bytes_;
    std::string name_;
    std::uint64_t count_ = 0;  // of messages so far
    std::uint64_t line_count_ = 0;
    std::string buffer_;
    std::size_t at_ = 0;       // what of the buffer is used
    bool has_ended_ = false;
};

// "bid=1.5 sym=\"EUR USD\"" -> "bid=1.5", "sym=EUR USD". A double quote in quotes has a \ in front.
std::vector<std::string> split_assignments(std::string_view line);

}  // namespace comap::tool
