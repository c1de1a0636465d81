// SPDX-License-Identifier: Apache-2.0
// The header page of an object's file. FORMAT.md describes every byte; this is the same in code.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <comap/context.hpp>

#include "sync/change_word.hpp"
#include "sync/sync_block.hpp"

namespace comap::internal {

inline constexpr std::uint64_t kHeaderBytes = 4096;
inline constexpr std::uint64_t kMagic = 0x4a42'4f50'414d'4f43u;  // "COMAPOBJ", little-endian
inline constexpr std::uint32_t kFormat = 1;
inline constexpr std::size_t kNameRoomBytes = 256;
inline constexpr std::size_t kPathRoomBytes = 1632;
inline constexpr std::size_t kFormatRoomBytes = 1984;

inline constexpr std::uint32_t kFlagLazy = 1u << 0;
inline constexpr std::uint32_t kFlagFile = 1u << 1;        // the body is a range of another file
inline constexpr std::uint32_t kFlagAlwaysWake = 1u << 2;  // see sync/change_word.hpp
inline constexpr std::uint32_t kFlagManyWriters = 1u << 3;  // cells: several handles may store at a time, each in slots of its own
inline constexpr std::uint32_t kFlagsKnown = kFlagLazy | kFlagFile | kFlagAlwaysWake | kFlagManyWriters;

// All numbers are little-endian. Written before the object has a name; afterwards only the fields marked * change.
struct HeaderPage {                        // offset
    std::uint64_t magic;                   //    0
    std::uint32_t format;                  //    8  version of this format
    std::uint32_t kind;                    //   12  Kind
    std::uint32_t layout;                  //   16  Layout
    std::uint32_t flags;                   //   20  kFlag...
    std::atomic<std::uint64_t> size_bytes; //   24* of the body; only grows
    std::uint64_t created_ns;              //   32  since 1970
    std::uint64_t capacity_bytes;          //   40  texts: the longest value; cells: the record
    std::uint32_t slot_count;              //   48  cells
    std::uint32_t format_size_bytes;       //   52
    std::uint32_t name_size_bytes;         //   56
    std::uint32_t path_size_bytes;         //   60
    ChangeWords change;                    //   64*
    std::array<std::byte, 56> reserved_72; //   72  the rest of that cache line
    char name[kNameRoomBytes];             //  128  without the scope
    std::uint64_t file_device;             //  384  the backing file
    std::uint64_t file_inode;              //  392
    std::uint64_t file_offset_bytes;       //  400
    std::uint32_t writer_count;            //  408  cells for several writers
    std::atomic<std::uint32_t> storing;    //  412* cells for one writer: see sync/change_word.hpp
    char path[kPathRoomBytes];             //  416
    char record_format[kFormatRoomBytes];         // 2048  description of a record, as in <comap/record.hpp>
    SyncBlock sync;                        // 4032* see sync/sync_block.hpp; of a text, only the lock word is used
};
static_assert(sizeof(HeaderPage) == kHeaderBytes);
static_assert(offsetof(HeaderPage, size_bytes) == 24 && offsetof(HeaderPage, change) == 64 && offsetof(HeaderPage, name) == 128);
static_assert(offsetof(HeaderPage, file_device) == 384 && offsetof(HeaderPage, path) == 416 && offsetof(HeaderPage, sync) == kSyncBlockInPage);
static_assert(kSyncBlockInPage + offsetof(SyncBlock, scratch_36) == kScratchOffsetBytes);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

// What is read at once when an object is opened; the path only where there is one.
inline constexpr std::size_t kHeaderCoreBytes = offsetof(HeaderPage, path);

// A checked copy of the fields that never change (and of the size, as it was).
struct Header {
    Kind kind = Kind::section;
    Layout layout = Layout::bytes;
    std::uint32_t flags = 0;
    std::uint64_t size_bytes = 0;
    std::uint64_t created_ns = 0;
    std::uint64_t capacity_bytes = 0;
    std::uint32_t slot_count = 0;
    std::uint32_t writer_count = 0;
    std::uint32_t version = 0;
    std::string name;  // without the scope; empty for unnamed objects
    std::uint64_t file_device = 0;
    std::uint64_t file_inode = 0;
    std::uint64_t file_offset_bytes = 0;
    std::string path;
    std::string format;

    bool has(std::uint32_t flag) const { return (flags & flag) != 0; }
};

// The bytes of a new object's header, up to the end of its path or its format.
std::string header_bytes(const Header& header);

// Any bytes may be given: they are checked as if an enemy had written them. `bytes` are the first kHeaderBytes of the file,
// or fewer if it is shorter. The name is only known to be short enough: callers compare it with the one they came by.
// Errors: corrupt, version_mismatch; `object` is only for the sentence.
Result<Header> parse_header(std::span<const std::byte> bytes, std::uint64_t file_size_bytes, std::string_view object);

// What its header and its file say of an object; `presence` is left as held.
ObjectInfo describe(const Header& header, const os::FileState& state, std::string name);

// What the block at the end of the header page says of a mutex, an event or a semaphore. False: nothing that could be.
bool describe_sync(const SyncBlock& block, ObjectInfo& info);

bool has_magic(std::span<const std::byte> bytes);

// Size of the body of a text of that capacity.
std::uint64_t text_body_bytes(std::uint64_t capacity_bytes);
inline constexpr std::uint32_t kTextSlotCount = 4;
inline constexpr std::uint64_t kTextSlotHeaderBytes = 64;
inline constexpr std::uint64_t kTextCapacityMax = 1u << 30;
std::uint64_t text_slot_bytes(std::uint64_t capacity_bytes);

// The same of a cell.
inline constexpr std::uint32_t kCellSlotsMin = 4;
inline constexpr std::uint32_t kCellSlotsMax = 1u << 16;
std::uint64_t cell_slot_bytes(std::uint64_t record_bytes);
std::uint64_t cell_directory_bytes(std::uint32_t slot_count, std::uint32_t writer_count);  // none for one writer
std::uint64_t cell_body_bytes(std::uint64_t record_bytes, std::uint32_t slot_count, std::uint32_t writer_count);

}  // namespace comap::internal
