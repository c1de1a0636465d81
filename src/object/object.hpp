// SPDX-License-Identifier: Apache-2.0
// Object: what every handle shares. It holds the object in the kernel's eyes and knows its checked header.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <comap/context.hpp>
#include <comap/deadline.hpp>
#include <comap/section.hpp>

#include "base/name.hpp"
#include "object/header.hpp"
#include "object/lifetime.hpp"
#include "object/namespaces.hpp"
#include "os/change_events.hpp"
#include "os/map.hpp"
#include "os/word.hpp"
#include "sync/waiting.hpp"

namespace comap::internal {

// Of the object's file: its write lock is the role of a cell's lone writer, or of a channel's lone sender.
inline constexpr std::uint64_t kSoleByte = 1;

inline constexpr std::uint32_t kSettlePauses = 300;  // of up to a millisecond

// Looks until it is not under way any more; false: it still was after so many pauses.
template <typename IsUnderWay>
bool settles(const IsUnderWay& is_under_way, std::uint32_t pauses_max) {
    for (std::uint32_t pause = 0; is_under_way(); ++pause) {
        if (pause == pauses_max) return false;
        os::pause_briefly(pause);
    }
    return true;
}

// What is asked of a new object.
struct NewObject {
    Kind kind = Kind::section;
    Layout layout = Layout::bytes;
    std::uint64_t size_bytes = 0;
    std::uint64_t capacity_bytes = 0;
    std::uint32_t slot_count = 0;
    std::uint32_t writer_count = 0;
    std::uint32_t flags = 0;     // besides those that follow from the options
    std::string format = {};
    std::uint32_t sync_parameter = 0;  // of a SyncBlock, for the kinds that have one
    std::uint64_t sync_state = 0;
    CreateOptions options;
};

// Thread-safe. Lets go of the object when it is destroyed.
class Object {
    struct Private {
        explicit Private() = default;
    };

  public:
    explicit Object(Private) {}
    static Result<std::shared_ptr<Object>> create(Namespaces& namespaces, std::string_view name, const NewObject& wanted);
    static Result<std::shared_ptr<Object>> create_unnamed(const NewObject& wanted);
    static Result<std::shared_ptr<Object>> open(Namespaces& namespaces, std::string_view name, const OpenOptions& options,
                                                Kind kind = Kind::section);
    static Result<std::shared_ptr<Object>> open_or_create(Namespaces& namespaces, std::string_view name, const NewObject& wanted);
    static Result<std::shared_ptr<Object>> from_descriptor(Namespaces& namespaces, int descriptor, const OpenOptions& options,
                                                           Kind kind = Kind::section);
    ~Object();
    Object(const Object&) = delete;
    Object& operator=(const Object&) = delete;

    const std::string& name() const { return full_name_; }
    const Header& header() const { return header_; }
    Access access() const { return access_; }
    bool was_created() const { return was_created_; }
    int descriptor() const { return fd_.number(); }
    Result<ObjectInfo> info() const;
    Result<int> share_descriptor(Access access) const;
    Result<BodyFile> body_file(Access access) const;
    Result<BodyFile> own_body_file(Access access) const;

    // For who cannot own a lock word of the object: `noun`, `done`: "the text 'x'", "written".
    tl::unexpected<Error> cannot_lock(int os_error, std::string_view noun, std::string_view done) const;

    // The change word counts versions: not of channels and queues, whose readers wait for messages. Errors: layout_mismatch.
    Result<void> require_versions() const;

    // Errors: kind_mismatch, layout_mismatch, naming both.
    Result<void> require_kind(Kind wanted) const;
    Result<void> require_layout(Layout wanted) const;
    Result<void> require_writable(std::string_view doing) const;

    // The size now; only what is really behind it, whatever the header says.
    Result<std::uint64_t> size_bytes() const;
    // The same without a system call where nothing new can be known: as when it was opened or last asked, and as the header
    // page says where that is mapped (by version, wait and publish).
    Result<std::uint64_t> last_known_size_bytes() const;
    Result<void> grow(std::uint64_t size_bytes);
    Result<void> set_keep(bool keep);

    // Maps a range of the body. REQUIRES: size > 0. Errors: invalid_argument (outside), no_space.
    Result<os::Mapping> map_body(std::uint64_t offset_bytes, std::uint64_t size_bytes, os::MapMode mode, bool for_huge_pages) const;

    // One page of this object's file, or (in_section) of the file that its body is in, mapped with a private page behind; through
    // an open file of its own where possible, so that it does not hold the object. Read-only, and alone, where we may not write.
    Result<os::Mapping> map_sync_page(std::uint64_t page_offset_bytes, bool in_section) const;
    bool sync_pages_are_writable(bool in_section) const;
    Result<os::FileState> sync_file_state(bool in_section) const;

    // Where the body's byte 0 is in the file that map_body maps.
    std::uint64_t body_offset_bytes() const { return header_.has(kFlagFile) ? header_.file_offset_bytes : kHeaderBytes; }

    // The header page, mapped when first asked for; writable if the object's mode lets us write, whatever the access asked for.
    Result<HeaderPage*> page() const {
        if (HeaderPage* const known = page_.load(std::memory_order_acquire)) [[likely]] return known;  // SYNC page.use: pairs with page.map
        return map_page();
    }
    bool page_is_writable() const { return writable_; }
    bool always_wakes() const { return header_.has(kFlagAlwaysWake); }

    Result<void> publish() const;
    Result<std::uint32_t> version() const;
    Result<Wait> wait(std::uint32_t seen, Deadline deadline, WaitFor what) const;
    Result<bool> is_only_holder() const;

    // The mode is such that a publisher can be told that we wait: else permission_denied.
    Result<void> require_waitable() const;

    // For waiting until the version is not `seen`.
    WaitPoint<os::Machine> change_point(HeaderPage& page, std::uint32_t seen) const;

    // Asks for an event of the file at the next publish; what was published before must be looked for after this. False: after
    // so many pauses a publisher is still where he may not see it, or the kernel makes no barriers here.
    bool arm(HeaderPage& page, std::uint32_t pauses_max) const;

    // The write lock of kSoleByte is had, by whatever handle, or cannot be asked for.
    bool is_sole_role_taken() const;

  private:
    bool has_lone_writer() const;
    bool is_being_stored() const;  // REQUIRES: the page is mapped
    static Result<std::shared_ptr<Object>> adopt(std::shared_ptr<Directory> directory, std::string full_name, std::string file_name,
                                                 Held held, const OpenOptions& options, std::optional<Kind> kind);
    static Result<std::shared_ptr<Object>> make(Namespaces* namespaces, const Name* name, const NewObject& wanted);
    static Result<std::shared_ptr<Object>> open_named(Namespaces& namespaces, const Name& name, const OpenOptions& options,
                                                      std::optional<Kind> kind);
    Result<HeaderPage*> map_page() const;
    static std::string describe_rival(Namespaces& namespaces, const Name& name);
    Result<void> read_header();
    Result<void> open_backing_file(const OpenOptions& options);
    Result<void> check_backing_file(const os::FileState& state) const;
    Result<Wait> wait_for_change_or_alone(std::uint32_t seen, Deadline deadline) const;
    Result<std::unique_ptr<os::ChangeEvents>> take_own_events(bool& is_new) const;
    void give_back_own_events(std::unique_ptr<os::ChangeEvents> events) const;

    std::shared_ptr<Directory> directory_;  // none: unnamed
    std::string file_name_;
    std::string full_name_;
    os::Fd fd_;
    os::Fd body_fd_;  // the backing file, if any
    Header header_;
    os::FileState state_;
    Access access_ = Access::read_write;
    bool writable_ = false;  // fd_
    bool was_created_ = false;
    mutable std::atomic<std::uint64_t> known_size_bytes_{0};  // checked against the file; only grows
    mutable std::atomic<HeaderPage*> page_{nullptr};
    mutable std::atomic<std::uint32_t> last_published_{0};  // see change_word.hpp
    mutable std::mutex own_events_mutex_;
    mutable std::unique_ptr<os::ChangeEvents> own_events_;  // kept between waits, if any thread has waited for being alone
};

}  // namespace comap::internal
