// SPDX-License-Identifier: Apache-2.0
#include "recording.hpp"

#include "checksum.hpp"

namespace comap::tool {
namespace {

constexpr std::size_t kFrameHeadBytes = 16;

}  // namespace

Result<void> write_message(DataWriter& file, const RecordedMessage& message) {
    std::string head;
    append_number(head, message.after_ns, 8);
    append_number(head, message.bytes.size(), 4);
    append_number(head, message.missed, 4);
    std::string check;
    append_number(check, crc32(message.bytes, crc32(head)), 4);
    for (const std::string_view part : {std::string_view(head), message.bytes, std::string_view(check)})
        if (auto done = file.write(part); !done) return done;
    return {};
}

Result<std::optional<RecordedMessage>> RecordingReader::next() {
    const auto head = file_.read(kFrameHeadBytes);
    if (!head) return tl::unexpected(head.error());
    if (head->empty()) return std::nullopt;
    is_cut_off_ = head->size() < kFrameHeadBytes;
    if (is_cut_off_) return std::nullopt;
    RecordedMessage message;
    message.after_ns = number_in(*head, 0, 8);
    const auto size = number_in(*head, 8, 4);
    message.missed = static_cast<std::uint32_t>(number_in(*head, 12, 4));
    if (size > message_bytes_) return file_.corrupt("is damaged: a message in it is too long");
    const std::uint32_t check = crc32(*head);
    const auto rest = file_.read(size + 4);
    if (!rest) return tl::unexpected(rest.error());
    is_cut_off_ = rest->size() < size + 4;
    if (is_cut_off_) return std::nullopt;
    message.bytes = rest->substr(0, size);
    if (number_in(*rest, size, 4) != crc32(message.bytes, check)) return file_.corrupt("is damaged: the checksum of a message in it is wrong");
    return message;
}

}  // namespace comap::tool
