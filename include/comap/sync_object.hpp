// SPDX-License-Identifier: Apache-2.0
// What mutexes, events and semaphores have in common. Each is an object of its own with a name (or without, shared by descriptor),
// or lies inside a section, for those who lay out their own memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <comap/context.hpp>
#include <comap/section.hpp>
#include <comap/waiting.hpp>

namespace comap {

// Room that one takes inside a section: the last 64 bytes of any of its 4 KiB pages. The rest of the page is yours.
inline constexpr std::size_t kSyncBytes = 64;
inline constexpr std::uint64_t kSyncPageBytes = 4096;

// The place in the page-th page of a section: page * 4096 + 4032.
constexpr std::uint64_t sync_offset(std::uint64_t page) { return page * kSyncPageBytes + kSyncPageBytes - kSyncBytes; }

struct SyncOptions {
    std::uint32_t mode = 0600;  // who may open it; bits for group and others on request
    bool keep = false;          // outlives its holders, until removed
};

// Holds its object. Movable; any number of threads may use one handle at once, except that closing is the last use.
class COMAP_API SyncObject {
  public:
    explicit operator bool() const { return core_ != nullptr; }
    const std::string& name() const;  // as given to open; empty for one without a name or inside a section
    bool was_created() const { return was_created_; }
    Access access() const { return access_; }
    Result<ObjectInfo> info() const;  // of the section, for one that lies in a section

    // Makes the object outlive its holders, or end with them again. Only its owner can.
    Result<void> set_keep(bool keep);

    // As Section::share_descriptor.
    Result<int> share_descriptor(Access access) const;

    // Lets go of the object; of an owned mutex too, which then stays locked until its owner's thread ends.
    void close();

    const std::shared_ptr<internal::Object>& object() const { return object_; }
    const std::shared_ptr<internal::SyncCore>& core() const { return core_; }

  protected:
    SyncObject();
    ~SyncObject();
    SyncObject(SyncObject&& other) noexcept;
    SyncObject& operator=(SyncObject&& other) noexcept;
    struct Parts;
    static Result<Parts> create(Kind kind, std::uint32_t parameter, std::uint64_t state, std::string_view name, const SyncOptions& options, Context& context);
    static Result<Parts> open(Kind kind, std::string_view name, const OpenOptions& options, Context& context);
    static Result<Parts> open_or_create(Kind kind, std::uint32_t parameter, std::uint64_t state, std::string_view name, const SyncOptions& options, Context& context);
    static Result<Parts> create_unnamed(Kind kind, std::uint32_t parameter, std::uint64_t state, const SyncOptions& options);
    static Result<Parts> from_descriptor(Kind kind, int descriptor, const OpenOptions& options, Context& context);
    static Result<Parts> create_in(Kind kind, std::uint32_t parameter, std::uint64_t state, const Section& section, std::uint64_t offset_bytes);
    static Result<Parts> open_in(Kind kind, const Section& section, std::uint64_t offset_bytes);
    void adopt(Parts&& parts);
    template <typename Handle>
    static Result<Handle> made(Result<Parts>&& parts);
    bool is_writable() const { return core_ && access_ == Access::read_write; }
    tl::unexpected<Error> unusable() const;  // why it is not
    tl::unexpected<Error> unwaitable() const;
    tl::unexpected<Error> damaged() const;
    Result<Acquired> wait(Deadline deadline) const;

    std::shared_ptr<internal::Object> object_;
    std::shared_ptr<internal::SyncCore> core_;
    Access access_ = Access::read_write;
    bool was_created_ = false;
};

}  // namespace comap
