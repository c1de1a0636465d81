// SPDX-License-Identifier: Apache-2.0
// Section: named shared memory that lives exactly as long as someone holds it, and View: a mapped range of one.
// The idea is that of the Windows section object (CreateFileMapping, MapViewOfFile).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <comap/context.hpp>
#include <comap/deadline.hpp>
#include <comap/error.hpp>
#include <comap/export.h>

namespace comap {

namespace internal {
class Object;
}

enum class Access : std::uint8_t { read_only, read_write };
enum class Protection : std::uint8_t { read_only, read_write, copy_on_write };

struct CreateOptions {
    std::uint32_t mode = 0600;  // who may open it; bits for group and others on request. Set exactly, whatever the umask.
    bool keep = false;          // outlives its holders, until removed
    bool lazy = false;          // memory is taken when touched: touching may then kill the process when memory is short
    std::string file = {};      // path of an existing file that is the body, made longer if need be (and left so
                                // if another process took the name meanwhile); empty: memory
    std::uint64_t file_offset = 0;     // where the body begins in the file, bytes, a multiple of the page size
    Access access = Access::read_write;  // of this handle; read_only is also how a read-only file is used
    std::span<const std::byte> initial = {};  // the body's first bytes, there before anyone can open it; the rest is zero. Not with a file
};

struct OpenOptions {
    Access access = Access::read_write;
    std::optional<std::uint32_t> owner_uid = {};  // the object must belong to this user, else permission_denied
    std::string file = {};  // the file the caller expects under the section. Needed where the path in the object cannot be
                       // believed: its owner does not own the file, or others may write the object.
};

struct ViewOptions {
    std::uint64_t offset_bytes = 0;  // any byte
    std::uint64_t size_bytes = 0;    // 0: up to the end, as this handle knows it (size_bytes(), version() and wait() learn)
    std::optional<Protection> protection = {};  // none: as the section was opened
    bool prefault = false;           // every page is mapped before the call returns
    bool huge_pages = false;         // ask for 2 MiB pages; unsupported if the kernel will not give any
};

// A new descriptor (close-on-exec, the caller closes it) of the file that the body is in. Neither it nor a mapping of it holds
// the object or its name: the memory lives as long as they do, the name may be free before.
struct BodyFile {
    int descriptor = -1;
    std::uint64_t offset_bytes = 0;  // of the body's first byte in the file
    std::uint64_t size_bytes = 0;    // of the body, as this handle knows it (size_bytes(), version() and wait() learn)
};

// How a wait ended. None of these is an error.
enum class Wait : std::uint8_t { changed, timed_out, interrupted, alone };

enum class WaitFor : std::uint8_t {
    change,           // ends when the version is not the one seen
    change_or_alone,  // also when no other holder is left
};

// A mapped range. Movable; unmaps itself. Keeps the object and its name alive, also after the Section was closed.
// Not thread-safe itself; the bytes are shared memory, and ordering accesses to them is the caller's business.
class COMAP_API View {
  public:
    View() = default;
    ~View();
    View(View&& other) noexcept;
    View& operator=(View&& other) noexcept;

    std::byte* data() const { return data_; }
    std::size_t size() const { return size_bytes_; }
    std::uint64_t offset() const { return offset_bytes_; }
    Protection protection() const { return protection_; }
    explicit operator bool() const { return data_ != nullptr; }

    std::span<const std::byte> bytes() const { return {data_, size_bytes_}; }

    // Empty unless the view is read_write or copy_on_write.
    std::span<std::byte> writable_bytes() const {
        return protection_ == Protection::read_only ? std::span<std::byte>{} : std::span<std::byte>{data_, size_bytes_};
    }

    // The whole Ts in the view, from its first byte, which must be aligned for T (else the span is empty).
    // For a read-only view, T must be const (else the span is empty).
    template <typename T>
        requires std::is_trivially_copyable_v<std::remove_const_t<T>>
    std::span<T> as() const {
        if (reinterpret_cast<std::uintptr_t>(data_) % alignof(T) != 0) return {};
        if (!std::is_const_v<T> && protection_ == Protection::read_only) return {};
        return {reinterpret_cast<T*>(data_), size_bytes_ / sizeof(T)};
    }

    // Starts writing changed pages to the backing file; waits until they are there if asked. Nothing to do for memory.
    // Errors: invalid_argument (copy_on_write views are never written back), os_error (the disk's).
    Result<void> flush(bool wait_until_written = true) const;

    // Bytes of this view that are mapped by huge pages now. Reads /proc: for diagnosis, not for loops.
    std::uint64_t huge_page_bytes() const;

    void close();

  private:
    friend class Section;
    std::shared_ptr<internal::Object> object_;  // what is held
    std::byte* data_ = nullptr;
    std::size_t size_bytes_ = 0;
    std::uint64_t offset_bytes_ = 0;
    void* map_ = nullptr;
    std::size_t map_size_bytes_ = 0;
    Protection protection_ = Protection::read_only;
};

// A handle to a section. Movable, cheap to keep. Its const functions may be called by several threads at once.
// Errors common to all that take a name: invalid_argument (not a name), no_namespace, permission_denied, os_error.
class COMAP_API Section {
  public:
    Section() = default;
    ~Section();
    Section(Section&& other) noexcept;
    Section& operator=(Section&& other) noexcept;

    // Makes a section of `size_bytes` zero bytes (or over a file, whose bytes stay; a shorter file is extended when it may
    // be written). Memory is committed here: a later touch cannot fail for want of it.
    // Errors: already_exists, no_space (asked and available), invalid_argument, busy, not_found (the file).
    static Result<Section> create(std::string_view name, std::uint64_t size_bytes, const CreateOptions& options = {},
                                  Context& context = Context::standard());

    // Errors: not_found, kind_mismatch, version_mismatch, corrupt, file_changed, busy.
    static Result<Section> open(std::string_view name, const OpenOptions& options = {},
                                Context& context = Context::standard());

    // Opens the section, or makes it if there is none: exactly one of several callers makes it; was_created() says which.
    // An existing section keeps its own size and mode.
    static Result<Section> open_or_create(std::string_view name, std::uint64_t size_bytes,
                                          const CreateOptions& options = {}, Context& context = Context::standard());

    // A section without a name: reached by fork or by passing its descriptor.
    static Result<Section> create_unnamed(std::uint64_t size_bytes, const CreateOptions& options = {});

    // The section behind a descriptor that share_descriptor() gave, perhaps in another process. The descriptor is
    // duplicated; the caller's stays his. `context` is where its name, if any, is looked after.
    static Result<Section> from_descriptor(int descriptor, const OpenOptions& options = {},
                                           Context& context = Context::standard());

    // A new descriptor (close-on-exec, the caller closes it) to be passed over a UNIX socket or inherited. It holds the
    // object like any handle. A read_only one cannot be used to write.
    Result<int> share_descriptor(Access access) const;

    // The same by the section's own descriptor, which stays the section's and must not be closed; no system call. A mapping of it
    // holds the object and its name as a View does, unless the body is a file. `size_bytes` is as this handle knows it.
    Result<BodyFile> own_body_file(Access access) const;

    // Where the body lies, for who maps it himself. Errors: permission_denied (read_write through a read-only handle),
    // layout_mismatch (to write a text or the like), os_error.
    Result<BodyFile> body_file(Access access) const;

    explicit operator bool() const { return object_ != nullptr; }
    const std::string& name() const;  // as given to open; empty for an unnamed section
    bool was_created() const;         // by this handle
    Access access() const;
    Result<ObjectInfo> info() const;

    // Size of the body now, also after another process has grown it. Never shrinks.
    Result<std::uint64_t> size_bytes() const;

    // Makes the body at least this long; the new bytes are zero (a file's own). Views stay as they are; map a new one to see
    // the rest. Publishes. Errors: no_space, invalid_argument (smaller than now), permission_denied.
    Result<void> grow(std::uint64_t size_bytes);

    // Errors: invalid_argument (beyond the end: both numbers), permission_denied (writing through a read-only handle),
    // layout_mismatch (a text may be looked at as bytes, but is written by its own functions).
    Result<View> view(const ViewOptions& options = {}) const;

    // Makes the object outlive its holders, or end with them again. Only its owner can.
    Result<void> set_keep(bool keep);

    // Tells everyone who waits that the object changed. Wait-free unless somebody sleeps. What was written to the section
    // before is seen by whoever sees the new version. Errors: permission_denied (read-only handle), layout_mismatch (a text
    // is changed by its own functions).
    Result<void> publish() const;

    // Changes published so far, modulo 2^31.
    Result<std::uint32_t> version() const;

    // Waits until the version differs from `seen` or the deadline is over. Spins for some 30 us, then sleeps. Works through
    // a read-only handle. interrupted: a signal was handled meanwhile. Not safe in a signal handler.
    Result<Wait> wait(std::uint32_t seen, Deadline deadline, WaitFor what = WaitFor::change) const;

    // No other open of the object exists, in any process; a forked child shares its parent's and is not counted.
    Result<bool> is_only_holder() const;

    // Lets go. The object ends here if no view of this handle and no other holder is left.
    void close();

    const std::shared_ptr<internal::Object>& object() const { return object_; }

  private:
    explicit Section(std::shared_ptr<internal::Object> object);
    std::shared_ptr<internal::Object> object_;
};

}  // namespace comap
