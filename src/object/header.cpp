// SPDX-License-Identifier: Apache-2.0
#include "object/header.hpp"

#include <bit>
#include <cstring>

#include <comap/cell.hpp>
#include <comap/channel.hpp>
#include <comap/record.hpp>

#include "base/error.hpp"
#include "base/name.hpp"
#include "base/utf.hpp"
#include "os/file.hpp"
#include "sync/event_word.hpp"
#include "sync/mutex_word.hpp"
#include "sync/ring_words.hpp"
#include "sync/semaphore_word.hpp"

namespace comap::internal {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

// One field out of the bytes, by its place in HeaderPage. REQUIRES: bytes.size() >= offset + sizeof(T).
template <typename T>
T field(std::span<const std::byte> bytes, std::size_t offset) {
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

template <typename T>
void set_field(std::string& bytes, std::size_t offset, T value) {
    std::memcpy(bytes.data() + offset, &value, sizeof value);
}

std::string_view chars(std::span<const std::byte> bytes, std::size_t offset, std::size_t size) {
    return {reinterpret_cast<const char*>(bytes.data()) + offset, size};
}

// Of channels and queues.
std::string_view ring_fault(const Header& header) {
    if (header.capacity_bytes == 0 || header.capacity_bytes > kMessageBytesMax) return "the length of its messages is impossible";
    if (header.has(kFlagFile)) return "a channel or a queue cannot lie in a file";
    const std::uint64_t ring_bytes = header.size_bytes - kRingControlBytes;
    if (header.size_bytes <= kRingControlBytes || ring_bytes > kRingBytesMax || ring_bytes < kRingBytesMin || !std::has_single_bit(ring_bytes)) return "the size of its ring is impossible";
    // The longest frame, a pad before it and two claims must fit.
    if (ring_bytes / 4 < header.capacity_bytes + 64) return "its ring is too small for its messages";
    if (header.layout == Layout::queue && !header.has(kFlagManyWriters)) return "a queue has many senders";
    return header.slot_count <= kRingPlacesMax ? "" : "the number of its places is impossible";
}

// What every layout demands of the other fields; nothing if it is so, else what is wrong.
std::string_view layout_fault(const Header& header) {
    switch (header.layout) {
        case Layout::bytes:
            return header.capacity_bytes == 0 ? "" : "bytes have no capacity";
        case Layout::text:
            if (header.capacity_bytes == 0 || header.capacity_bytes > kTextCapacityMax) return "the text's capacity is impossible";
            if (header.has(kFlagFile)) return "a text cannot lie in a file";
            return header.size_bytes == text_body_bytes(header.capacity_bytes) ? "" : "the text's size does not fit its capacity";
        case Layout::channel:
        case Layout::queue:
            return ring_fault(header);
        case Layout::cell:
            if (header.format.empty() || header.capacity_bytes == 0 || header.capacity_bytes > kRecordBytesMax) return "the cell's record is impossible";
            if (header.has(kFlagFile)) return "a cell cannot lie in a file";
            if (header.slot_count < kCellSlotsMin || header.slot_count > kCellSlotsMax || !std::has_single_bit(header.slot_count)) return "the number of its slots is impossible";
            if (header.has(kFlagManyWriters) != (header.writer_count > 1) || header.writer_count > kCellWritersMax) return "the number of its writers is impossible";
            return header.size_bytes == cell_body_bytes(header.capacity_bytes, header.slot_count, header.writer_count) ? "" : "the cell's size does not fit its record";
    }
    return "its layout is unknown";
}

std::string_view file_fault(const Header& header) {
    if (!header.has(kFlagFile)) return header.path.empty() ? "" : "memory has no path";
    if (header.path.empty() || header.path[0] != '/') return "the path of its file is not absolute";
    if (header.path.find('\0') != header.path.npos) return "the path of its file has a NUL";
    if (header.file_offset_bytes % kHeaderBytes != 0) return "its file offset is not a multiple of the page size";
    if (header.file_offset_bytes + header.size_bytes < header.file_offset_bytes) return "its file range wraps around";
    return "";
}

std::string_view size_fault(const Header& header, std::uint64_t file_size_bytes) {
    if (header.kind != Kind::section) return header.size_bytes == 0 && (header.flags & (kFlagLazy | kFlagFile)) == 0 && header.layout == Layout::bytes ? "" : "it has a body";
    if (header.size_bytes == 0) return "its size is zero";
    if (header.size_bytes > INT64_MAX - kHeaderBytes) return "its size is impossible";
    if (!header.has(kFlagFile) && header.size_bytes > file_size_bytes - kHeaderBytes) return "its file is shorter than its size says";
    return "";
}

std::string_view first_fault(const Header& header, std::uint64_t file_size_bytes) {
    if (header.kind < Kind::section || header.kind > Kind::semaphore) return "its kind is unknown";
    if ((header.flags & ~kFlagsKnown) != 0) return "it has unknown flags";
    for (const std::string_view fault : {size_fault(header, file_size_bytes), layout_fault(header), file_fault(header)})
        if (!fault.empty()) return fault;
    return "";
}

}  // namespace

std::uint64_t text_slot_bytes(std::uint64_t capacity_bytes) {
    return kTextSlotHeaderBytes + (capacity_bytes + 63) / 64 * 64;
}
std::uint64_t cell_slot_bytes(std::uint64_t record_bytes) { return (record_bytes + 63) / 64 * 64; }
std::uint64_t cell_directory_bytes(std::uint32_t slot_count, std::uint32_t writer_count) {
    return writer_count > 1 ? (slot_count * sizeof(std::uint64_t) + 63) / 64 * 64 : 0;
}
std::uint64_t cell_body_bytes(std::uint64_t record_bytes, std::uint32_t slot_count, std::uint32_t writer_count) {
    const std::uint64_t slots = std::uint64_t{slot_count} * (writer_count > 1 ? writer_count : 1);
    return cell_directory_bytes(slot_count, writer_count) + slots * cell_slot_bytes(record_bytes);
}
std::uint64_t text_body_bytes(std::uint64_t capacity_bytes) { return kTextSlotCount * text_slot_bytes(capacity_bytes); }

bool has_magic(std::span<const std::byte> bytes) {
    return bytes.size() >= sizeof kMagic && field<std::uint64_t>(bytes, offsetof(HeaderPage, magic)) == kMagic;
}

std::string header_bytes(const Header& header) {
    const std::size_t end = header.format.empty() ? offsetof(HeaderPage, path) + header.path.size() : offsetof(HeaderPage, record_format) + header.format.size();
    std::string bytes(end, '\0');
    set_field(bytes, offsetof(HeaderPage, magic), kMagic);
    set_field(bytes, offsetof(HeaderPage, format), kFormat);
    set_field(bytes, offsetof(HeaderPage, kind), header.kind);
    set_field(bytes, offsetof(HeaderPage, layout), header.layout);
    set_field(bytes, offsetof(HeaderPage, flags), header.flags);
    set_field(bytes, offsetof(HeaderPage, size_bytes), header.size_bytes);
    set_field(bytes, offsetof(HeaderPage, created_ns), header.created_ns);
    set_field(bytes, offsetof(HeaderPage, capacity_bytes), header.capacity_bytes);
    set_field(bytes, offsetof(HeaderPage, slot_count), header.slot_count);
    set_field(bytes, offsetof(HeaderPage, writer_count), header.writer_count);
    set_field(bytes, offsetof(HeaderPage, format_size_bytes), static_cast<std::uint32_t>(header.format.size()));
    set_field(bytes, offsetof(HeaderPage, name_size_bytes), static_cast<std::uint32_t>(header.name.size()));
    set_field(bytes, offsetof(HeaderPage, path_size_bytes), static_cast<std::uint32_t>(header.path.size()));
    set_field(bytes, offsetof(HeaderPage, file_device), header.file_device);
    set_field(bytes, offsetof(HeaderPage, file_inode), header.file_inode);
    set_field(bytes, offsetof(HeaderPage, file_offset_bytes), header.file_offset_bytes);
    std::memcpy(bytes.data() + offsetof(HeaderPage, name), header.name.data(), header.name.size());
    std::memcpy(bytes.data() + offsetof(HeaderPage, path), header.path.data(), header.path.size());
    if (!header.format.empty()) std::memcpy(bytes.data() + offsetof(HeaderPage, record_format), header.format.data(), header.format.size());
    return bytes;
}

Result<Header> parse_header(std::span<const std::byte> bytes, std::uint64_t file_size_bytes, std::string_view object) {
    const auto corrupt = [&](std::string_view why) {
        return fail(Code::corrupt, 0, object, "the object '", shown(object), "' is damaged: ", why,
                    "; end its holders, then remove it with `comap rm`");
    };
    if (!has_magic(bytes))
        return fail(Code::corrupt, 0, object, "the file under the name '", shown(object),
                    "' is not a comap object (it does not begin like one); `comap rm` removes it");
    if (bytes.size() < kHeaderCoreBytes || file_size_bytes < kHeaderBytes) return corrupt("its header is cut off");
    const auto format = field<std::uint32_t>(bytes, offsetof(HeaderPage, format));
    if (format != kFormat)
        return fail(Code::version_mismatch, 0, object, "the object '", shown(object), "' has format version ", format,
                    ", this library reads version ", kFormat, "; use the same release of comap in all programs");
    Header header;
    header.kind = field<Kind>(bytes, offsetof(HeaderPage, kind));
    header.layout = field<Layout>(bytes, offsetof(HeaderPage, layout));
    header.flags = field<std::uint32_t>(bytes, offsetof(HeaderPage, flags));
    header.size_bytes = field<std::uint64_t>(bytes, offsetof(HeaderPage, size_bytes));
    header.created_ns = field<std::uint64_t>(bytes, offsetof(HeaderPage, created_ns));
    header.capacity_bytes = field<std::uint64_t>(bytes, offsetof(HeaderPage, capacity_bytes));
    header.version = version_of(field<std::uint32_t>(bytes, offsetof(HeaderPage, change)));
    header.file_device = field<std::uint64_t>(bytes, offsetof(HeaderPage, file_device));
    header.file_inode = field<std::uint64_t>(bytes, offsetof(HeaderPage, file_inode));
    header.file_offset_bytes = field<std::uint64_t>(bytes, offsetof(HeaderPage, file_offset_bytes));
    header.slot_count = field<std::uint32_t>(bytes, offsetof(HeaderPage, slot_count));
    // Without the flag the bytes are reserved.
    if (header.layout == Layout::cell && header.has(kFlagManyWriters)) header.writer_count = field<std::uint32_t>(bytes, offsetof(HeaderPage, writer_count));
    const auto format_size = field<std::uint32_t>(bytes, offsetof(HeaderPage, format_size_bytes));
    const auto name_size = field<std::uint32_t>(bytes, offsetof(HeaderPage, name_size_bytes));
    const auto path_size = field<std::uint32_t>(bytes, offsetof(HeaderPage, path_size_bytes));
    if (name_size > kNameBytesMax) return corrupt("its name is too long");
    if (path_size > kPathRoomBytes || path_size > bytes.size() - kHeaderCoreBytes) return corrupt("its path is too long");
    header.name = chars(bytes, offsetof(HeaderPage, name), name_size);
    header.path = chars(bytes, offsetof(HeaderPage, path), path_size);
    if (format_size > kRecordFormatMax || (format_size > 0 && bytes.size() < offsetof(HeaderPage, record_format) + format_size)) return corrupt("its record description is too long");
    if (format_size > 0) header.format = chars(bytes, offsetof(HeaderPage, record_format), format_size);
    if (const std::string_view fault = first_fault(header, file_size_bytes); !fault.empty()) return corrupt(fault);
    return header;
}

ObjectInfo describe(const Header& header, const os::FileState& state, std::string name) {
    ObjectInfo info;
    info.name = std::move(name);
    info.kind = header.kind;
    info.layout = header.layout;
    info.size_bytes = header.size_bytes;
    info.version = header.version;
    info.keep = state.is_sticky();
    info.lazy = header.has(kFlagLazy);
    info.mode = state.mode & 0777;
    info.uid = state.uid;
    info.created_ns = header.created_ns;
    info.device = state.device;
    info.inode = state.inode;
    info.text_capacity_bytes = header.layout == Layout::text ? header.capacity_bytes : 0;
    info.record_bytes = header.layout != Layout::text && !header.format.empty() ? header.capacity_bytes : 0;
    info.message_bytes = header.layout == Layout::channel || header.layout == Layout::queue ? header.capacity_bytes : 0;
    info.has_many_writers = header.has(kFlagManyWriters);
    info.record_format = header.format;
    info.slot_count = header.slot_count;
    info.file = header.path;
    info.file_offset = header.file_offset_bytes;
    return info;
}

bool describe_sync(const SyncBlock& block, ObjectInfo& info) {
    const std::uint32_t lock = block.lock.load(std::memory_order_relaxed);
    const std::uint32_t mark = block.mark.load(std::memory_order_relaxed);
    const std::uint64_t state = block.state.load(std::memory_order_relaxed);
    switch (info.kind) {
        case Kind::mutex:
            info.owner_thread = mark == (kMarkTag | (lock & os::kOwnerMask)) ? lock & os::kOwnerMask : 0;
            info.is_abandoned = mark != 0 && is_free(lock);
            info.may_have_sleepers = (lock & os::kSleepers) != 0;
            return !is_impossible(lock) && (mark == 0 || (mark & ~(2 * kThreadNumberMax - 1)) == kMarkTag);
        case Kind::event:
            info.is_manual = block.parameter == 1;
            info.is_set = (state & kEventSet) != 0;
            info.may_have_sleepers = !info.is_set && (state & kEventSleeper) != 0;
            break;
        case Kind::semaphore:
            info.count = shown_tokens_of(state);
            info.maximum = block.parameter;
            info.may_have_sleepers = are_hidden(state);
            return info.count <= info.maximum && info.maximum > 0;
        case Kind::section:
            break;
    }
    return true;
}

}  // namespace comap::internal
