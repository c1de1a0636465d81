// SPDX-License-Identifier: Apache-2.0
#include "message_source.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>
#include <unistd.h>

#include "format.hpp"
#include "input.hpp"
#include "record_text.hpp"
#include "system.hpp"

namespace comap::tool {
namespace {

constexpr std::size_t kChunkBytes = 64 * 1024;

// Lines of records are longer than the records.
std::uint64_t line_bytes_max(const RecordType& type, std::uint32_t message_bytes) { return type.size_bytes() != 0 ? (1u << 20) + 64 * type.size_bytes() : message_bytes; }

Result<std::string> record_of(const RecordType& type, const Result<RecordPatches>& patches) {
    if (!patches) return tl::unexpected(patches.error());
    std::string record(static_cast<std::size_t>(type.size_bytes()), '\0');
    apply(*patches, reinterpret_cast<std::byte*>(record.data()));
    return record;
}

}  // namespace

void add_source(CommandLine command, SourceOptions& options) {
    command.add_option("TEXT", options.texts, "Messages; of records FIELD=VALUE..., or a JSON object each; '-' or none: the lines of standard input").type_name("");
    const auto framed = command.add_flag("--framed", options.framed, "Standard input has before each message its length: 4 bytes, little-endian");
    command.add_flag("--whole", options.whole, "All of standard input is one message").excludes(framed);
}

std::vector<std::string> split_assignments(std::string_view line) {
    std::vector<std::string> words;
    bool is_in_word = false;
    bool is_quoted = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char one = line[i];
        const bool is_blank = one == ' ' || one == '\t' || one == '\r';
        if (is_blank && !is_quoted) {
            is_in_word = false;
            continue;
        }
        if (!is_in_word) words.emplace_back();
        is_in_word = true;
        if (one == '"') is_quoted = !is_quoted;
        else if (one == '\\' && is_quoted && i + 1 < line.size() && line[i + 1] == '"') words.back() += line[++i];
        else words.back() += one;
    }
    return words;
}

Result<std::optional<std::string>> MessageSource::next() {
    auto message = [&]() -> Next {
        if (!options_.is_standard_input()) return next_of_texts();
        if (options_.whole) return whole();
        return options_.framed ? next_framed() : next_line();
    }();
    if (message && *message) ++count_;
    return message;
}

MessageSource::Next MessageSource::next_of_texts() {
    if (options_.framed || options_.whole) return refuse(Code::invalid_argument, "--framed and --whole are for standard input");
    if (count_ >= options_.texts.size()) return std::nullopt;
    if (type_.size_bytes() == 0) return checked(options_.texts[count_]);
    if (options_.texts[0].starts_with('{')) return message_of_line(options_.texts[count_]);
    if (count_ > 0) return std::nullopt;  // all of them are one record
    auto record = record_of(type_, parse_assignments(type_, options_.texts));
    if (!record) return tl::unexpected(record.error());
    return std::optional(std::move(*record));
}

// An empty line is a message, but no record.
bool MessageSource::is_nothing(const std::string& line) {
    ++line_count_;
    return type_.size_bytes() != 0 && line.find_first_not_of(" \t\r") == line.npos;
}

MessageSource::Next MessageSource::next_line() {
    std::size_t searched = at_;
    for (;;) {
        const auto end = buffer_.find('\n', searched);
        if (end != buffer_.npos) {
            std::string line = buffer_.substr(at_, end - at_);
            at_ = end + 1;
            searched = at_;
            if (is_nothing(line)) continue;
            return message_of_line(std::move(line));
        }
        if (buffer_.size() - at_ > line_bytes_max(type_, message_bytes_)) return ++line_count_, message_of_line(buffer_.substr(at_));  // too long
        searched = buffer_.size() - at_;
        const auto more = fill();
        if (!more) return tl::unexpected(more.error());
        if (!*more) break;
    }
    if (at_ == buffer_.size()) return std::nullopt;
    std::string line = buffer_.substr(at_);
    at_ = buffer_.size();
    if (is_nothing(line)) return std::nullopt;
    return message_of_line(std::move(line));
}

MessageSource::Next MessageSource::next_framed() {
    auto head = exactly(4, true);
    if (!head || !*head) return head;
    std::uint32_t size = 0;
    for (std::size_t i = 0; i < 4; ++i) size |= static_cast<std::uint32_t>(static_cast<unsigned char>((**head)[i])) << (8 * i);
    if (size > message_bytes_)
        return refuse(Code::too_long, fmt::format("has {} bytes, and messages of {} have at most {}", size, name_, message_bytes_));
    auto message = exactly(size, false);
    if (!message || !*message) return message;
    return checked(std::move(**message));
}

MessageSource::Next MessageSource::whole() {
    if (has_ended_) return std::nullopt;
    has_ended_ = true;
    auto bytes = read_standard_input(message_bytes_);
    if (!bytes) return tl::unexpected(bytes.error());
    return checked(std::move(*bytes));
}

MessageSource::Next MessageSource::message_of_line(std::string line) const {
    if (type_.size_bytes() == 0) return checked(std::move(line));
    if (line.size() > line_bytes_max(type_, message_bytes_)) return refuse(Code::too_long, fmt::format("is longer than {} bytes", line_bytes_max(type_, message_bytes_)));
    const auto first = line.find_first_not_of(" \t\r");
    auto record = first != line.npos && line[first] == '{' ? record_of(type_, parse_json(type_, line)) : record_of(type_, parse_assignments(type_, split_assignments(line)));
    if (!record) return refuse(record.error().code, "cannot be used: " + record.error().message);
    return std::optional(std::move(*record));
}

MessageSource::Next MessageSource::checked(std::string message) const {
    if (message.size() > message_bytes_)
        return refuse(Code::too_long, fmt::format("has {}{} bytes, and messages of {} have at most {}", has_ended_ || at_ > 0 || !options_.is_standard_input() ? "" : "at least ", message.size(), name_, message_bytes_));
    if (type_.size_bytes() != 0 && message.size() != type_.size_bytes())
        return refuse(Code::invalid_argument, fmt::format("has {} bytes, and the records of {} have {}", message.size(), name_, type_.size_bytes()));
    return std::optional(std::move(message));
}

Result<bool> MessageSource::fill() {
    if (has_ended_) return false;
    buffer_.erase(0, at_);
    at_ = 0;
    const auto size = buffer_.size();
    buffer_.resize(size + kChunkBytes);
    for (;;) {
        const auto count = ::read(STDIN_FILENO, buffer_.data() + size, kChunkBytes);
        if (count < 0 && errno == EINTR) continue;
        buffer_.resize(size + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
        if (count < 0) return tl::unexpected(Error{Code::os_error, errno, "", "standard input: " + system_text(errno)});
        has_ended_ = count == 0;
        return count > 0;
    }
}

// So many bytes of standard input. Nothing: it is at its end, if it may be.
Result<std::optional<std::string>> MessageSource::exactly(std::size_t size, bool may_end) {
    while (buffer_.size() - at_ < size) {
        const auto more = fill();
        if (!more) return tl::unexpected(more.error());
        if (*more) continue;
        if (may_end && at_ == buffer_.size()) return std::nullopt;
        return refuse(Code::invalid_argument, "is cut off: standard input ends in the middle of it");
    }
    std::string bytes = buffer_.substr(at_, size);
    at_ += size;
    return std::optional(std::move(bytes));
}

tl::unexpected<Error> MessageSource::refuse(Code code, const std::string& what) const {
    return tl::unexpected(Error{code, 0, name_, fmt::format("{} {}", where(), what)});
}

std::string MessageSource::where() const {
    if (options_.framed || options_.whole || !options_.is_standard_input()) return fmt::format("message {}", count_ + 1);
    return fmt::format("line {} of standard input", line_count_);
}

}  // namespace comap::tool
