// SPDX-License-Identifier: Apache-2.0
#include "data_file.hpp"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "checksum.hpp"
#include "unicode.hpp"

namespace comap::tool {
namespace {

constexpr std::size_t kBufferBytes = 256 * 1024;
constexpr std::size_t kHeaderBytesMax = 1 << 20;

tl::unexpected<Error> refused(const std::string& path, int os_error) {
    return tl::unexpected(Error{Code::os_error, os_error, "", fmt::format("{}: {}", path, system_text(os_error))});
}

}  // namespace

void append_number(std::string& bytes, std::uint64_t number, std::size_t size_bytes) {
    for (std::size_t i = 0; i < size_bytes; ++i) bytes += static_cast<char>(number >> (8 * i) & 0xff);
}

std::uint64_t number_in(std::string_view bytes, std::size_t at, std::size_t size_bytes) {
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < size_bytes; ++i) number |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
    return number;
}

// ---- writing

Result<DataWriter> DataWriter::create(Output& out, const std::string& path) {
    DataWriter writer;
    writer.out_ = &out;
    writer.path_ = path;
    writer.is_standard_ = path == "-";
    if (writer.is_standard_) {
        if (is_terminal(STDOUT_FILENO)) return tl::unexpected(Error{Code::invalid_argument, 0, "", "the bytes of the file may upset a terminal: redirect them, or name a file"});
        return writer;
    }
    writer.file_ = Descriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666));
    if (!writer.file_) return refused(path, errno);
    return writer;
}

Result<void> DataWriter::write(std::string_view bytes) {
    if (is_standard_) {
        out_->write(bytes);
        return {};
    }
    if (buffer_.size() + bytes.size() < kBufferBytes) {
        buffer_ += bytes;
        return {};
    }
    if (auto done = flush(); !done) return done;
    if (bytes.size() >= kBufferBytes) return write_through(bytes);
    buffer_ = bytes;
    return {};
}

Result<void> DataWriter::write_head(std::string_view magic, const Json& header) {
    const std::string text = json_text(header);
    std::string head(magic);
    append_number(head, kDataFileVersion, 4);
    append_number(head, text.size(), 4);
    head += text;
    append_number(head, crc32(head), 4);
    return write(head);
}

Result<void> DataWriter::flush() {
    if (is_standard_) {
        out_->flush();
        return {};
    }
    auto done = write_through(buffer_);
    buffer_.clear();
    return done;
}

Result<void> DataWriter::write_through(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto count = ::write(file_.number(), bytes.data(), bytes.size());
        if (count < 0 && errno != EINTR) return refused(path_, errno);
        if (count > 0) bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
}

// ---- reading

Result<DataReader> DataReader::open(const std::string& path) {
    DataReader reader;
    reader.shown_path_ = path == "-" ? "standard input" : path;
    reader.number_ = STDIN_FILENO;
    if (path == "-") return reader;
    reader.file_ = Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!reader.file_) {
        const int os_error = errno;
        if (os_error != ENOENT) return refused(path, os_error);
        return tl::unexpected(Error{Code::not_found, os_error, "", fmt::format("{}: {}", path, system_text(os_error))});
    }
    reader.number_ = reader.file_.number();
    return reader;
}

Result<std::string_view> DataReader::read(std::size_t size_bytes) {
    while (buffer_.size() - at_ < size_bytes) {
        buffer_.erase(0, at_);
        at_ = 0;
        const auto size = buffer_.size();
        buffer_.resize(size + kBufferBytes);  // as much as is there, not as much as a damaged file says
        const auto count = ::read(number_, buffer_.data() + size, buffer_.size() - size);
        const int os_error = errno;
        buffer_.resize(size + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
        if (count < 0 && os_error == EINTR) continue;
        if (count < 0) return refused(shown_path_, os_error);
        if (count == 0) break;
    }
    const auto bytes = std::string_view(buffer_).substr(at_, size_bytes);
    at_ += bytes.size();
    return bytes;
}

Result<Json> DataReader::read_head(std::string_view magic) {
    const auto first = read(kMagicBytes + 8);
    if (!first) return tl::unexpected(first.error());
    std::string head(*first);
    if (head.size() < kMagicBytes + 8 || !head.starts_with(magic)) return corrupt(magic == kDumpMagic ? "is no dump" : "is no recording");
    const auto version = number_in(head, kMagicBytes, 4);
    if (version != kDataFileVersion)
        return tl::unexpected(Error{Code::version_mismatch, 0, "", fmt::format("{} is of format version {}; this program knows version {}", shown_path_, version, kDataFileVersion)});
    const auto size = number_in(head, kMagicBytes + 4, 4);
    if (size > kHeaderBytesMax) return corrupt("has an impossible header");
    const auto rest = read(size + 4);
    if (!rest) return tl::unexpected(rest.error());
    if (rest->size() < size + 4) return corrupt("is cut off in its header");
    head += rest->substr(0, size);
    if (number_in(*rest, size, 4) != crc32(head)) return corrupt("has a damaged header");
    head_bytes_ = head.size() + 4;
    auto header = Json::parse(rest->substr(0, size), nullptr, false);
    if (!header.is_object()) return corrupt("has a header that is no JSON object");
    return header;
}

Result<void> DataReader::rewind() {
    if (::lseek(number_, static_cast<off_t>(head_bytes_), SEEK_SET) < 0) return refused(shown_path_, errno);
    buffer_.clear();
    at_ = 0;
    return {};
}

tl::unexpected<Error> DataReader::corrupt(std::string_view what) const {
    return tl::unexpected(Error{Code::corrupt, 0, "", fmt::format("{} {}", shown_path_, what)});
}

// ---- headers

std::uint64_t number_of(const Json& header, const char* key, std::uint64_t otherwise) {
    const auto found = header.find(key);
    return found != header.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : otherwise;
}

std::string text_of(const Json& header, const char* key) {
    const auto found = header.find(key);
    return found != header.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool flag_of(const Json& header, const char* key) {
    const auto found = header.find(key);
    return found != header.end() && found->is_boolean() && found->get<bool>();
}

}  // namespace comap::tool
