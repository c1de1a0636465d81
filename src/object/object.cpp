// SPDX-License-Identifier: Apache-2.0
#include "object/object.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>

#include "base/error.hpp"
#include "os/change_events.hpp"
#include "sync/change_word.hpp"
#include "sync/sync_block.hpp"
#include "sync/waiting.hpp"

namespace comap::internal {
namespace {

constexpr std::uint32_t kModeMask = 0666;
constexpr std::uint32_t kSticky = 01000;

// Some class of users may read but not write.
bool has_mere_readers(std::uint32_t mode) {
    for (const std::uint32_t shift : {0u, 3u, 6u})
        if (((mode >> shift) & 04) != 0 && ((mode >> shift) & 02) == 0) return true;
    return false;
}

std::string quoted(std::string_view name) { return name.empty() ? "the unnamed object" : cat("'", shown(name), "'"); }

std::string with_article(Kind kind) { return cat(kind == Kind::event ? "an " : "a ", kind_name(kind)); }

tl::unexpected<Error> no_room(int os_error, std::string_view name, std::uint64_t asked_bytes, std::uint64_t available) {
    return fail(Code::no_space, os_error, name, "not enough space for ", quoted(name), ": asked for ", asked_bytes, " bytes, available are ",
                available);
}

tl::unexpected<Error> cannot(int os_error, std::string_view name, std::string_view doing) {
    return fail(code_of(os_error), os_error, name, quoted(name), " cannot be ", doing, ": ", os_text(os_error));
}

tl::unexpected<Error> file_cannot(int os_error, std::string_view name, const std::string& path) {
    const Code code = os_error == ENOENT ? Code::not_found : os_error == EINVAL ? Code::invalid_argument : code_of(os_error);
    const std::string why = os_error == EINVAL ? "it is not a regular file" : os_text(os_error);
    return fail(code, os_error, name, "the file ", path, " cannot be the body of ", quoted(name), ": ", why);
}

Result<void> check_new(std::string_view name, const NewObject& wanted) {
    constexpr std::uint64_t kSizeMax = INT64_MAX - kHeaderBytes;
    if (wanted.kind == Kind::section && (wanted.size_bytes == 0 || wanted.size_bytes > kSizeMax))
        return fail(Code::invalid_argument, 0, name, "the size of ", quoted(name), " is ", wanted.size_bytes,
                    " bytes; it must be from 1 to ", kSizeMax);
    if ((wanted.options.mode & ~kModeMask) != 0 || (wanted.options.mode & 0600) != 0600)
        return fail(Code::invalid_argument, 0, name, "the mode of ", quoted(name),
                    " must have read and write for the owner, and no other bits than read and write (0600, 0644, 0660, ...)");
    if (wanted.options.initial.size() > wanted.size_bytes || (!wanted.options.initial.empty() && !wanted.options.file.empty()))
        return fail(Code::invalid_argument, 0, name, "the ", wanted.options.initial.size(), " initial bytes of ", quoted(name),
                    wanted.options.file.empty() ? " are more than its size" : " would overwrite a file, which has its own");
    if (wanted.options.file_offset % os::page_size_bytes() != 0)
        return fail(Code::invalid_argument, 0, name, "the file offset ", wanted.options.file_offset, " of ", quoted(name),
                    " is not a multiple of the page size ", os::page_size_bytes());
    if (wanted.options.file_offset > kSizeMax - wanted.size_bytes)
        return fail(Code::invalid_argument, 0, name, "the file range of ", quoted(name), " ends beyond the largest offset");
    if (wanted.options.file.empty() && wanted.options.access == Access::read_only)
        return fail(Code::invalid_argument, 0, name, "a new section in memory that is read-only would stay empty; create it for writing");
    return {};
}

// The file that is to be the body: opened, long enough, its place noted in the header.
Result<os::Fd> take_backing_file(std::string_view name, const NewObject& wanted, Header& header) {
    const CreateOptions& options = wanted.options;
    const auto path = os::absolute_path(options.file);
    if (!path) return file_cannot(path.error(), name, options.file);
    if (path->size() > kPathRoomBytes)
        return fail(Code::invalid_argument, 0, name, "the path of the file has ", path->size(), " bytes; at most ", kPathRoomBytes, " fit");
    os::FileState state;
    const bool writes = options.access == Access::read_write;
    auto fd = os::open_path_checked(*path, writes, state);
    if (!fd) return file_cannot(fd.error(), name, *path);
    const std::uint64_t end = options.file_offset + wanted.size_bytes;
    if (!writes && state.size_bytes < end)
        return fail(Code::invalid_argument, 0, name, "the file ", *path, " has ", state.size_bytes, " bytes; ", quoted(name), " would end at ",
                    end, " and may not extend it");
    if (writes) {
        const bool lazy_and_long = options.lazy && state.size_bytes >= end;
        const std::uint64_t from = options.lazy ? end - 1 : options.file_offset;
        const auto reserved = lazy_and_long ? os::OsResult<void>{} : os::reserve(fd->number(), from, end - from);
        if (!reserved && code_of(reserved.error()) == Code::no_space)
            return no_room(reserved.error(), name, wanted.size_bytes, os::available_bytes(fd->number()));
        if (!reserved) return file_cannot(reserved.error(), name, *path);
    }
    header.flags |= kFlagFile;
    header.path = *path;
    header.file_device = state.device;
    header.file_inode = state.inode;
    header.file_offset_bytes = options.file_offset;
    return std::move(*fd);
}

// Memory for the header page and, unless it is elsewhere or lazy, the body.
os::OsResult<void> reserve_object(int descriptor, const Header& header) {
    if (header.has(kFlagFile)) return os::reserve(descriptor, 0, kHeaderBytes);
    if (!header.has(kFlagLazy)) return os::reserve(descriptor, 0, kHeaderBytes + header.size_bytes);
    if (auto first = os::reserve(descriptor, 0, kHeaderBytes); !first) return first;
    return os::reserve(descriptor, kHeaderBytes + header.size_bytes - 1, 1);
}

os::OsResult<void> write_sync_block(int descriptor, const NewObject& wanted) {
    SyncBlock block{};
    block.kind.store(static_cast<std::uint32_t>(wanted.kind), std::memory_order_relaxed);
    block.parameter = wanted.sync_parameter;
    block.state.store(wanted.sync_state, std::memory_order_relaxed);
    return os::write_at(descriptor, &block, sizeof block, kSyncBlockInPage);
}

Header header_of(const Name* name, const NewObject& wanted) {
    Header header;
    header.kind = wanted.kind;
    header.layout = wanted.layout;
    header.size_bytes = wanted.size_bytes;
    header.capacity_bytes = wanted.capacity_bytes;
    header.slot_count = wanted.slot_count;
    header.writer_count = wanted.writer_count;
    header.format = wanted.format;
    header.flags = wanted.flags;
    header.created_ns = os::real_time_ns();
    if (name) header.name = name->base;
    if (wanted.options.lazy) header.flags |= kFlagLazy;
    if (has_mere_readers(wanted.options.mode)) header.flags |= kFlagAlwaysWake;
    return header;
}

}  // namespace

Object::~Object() {
    if (HeaderPage* const page = page_.load(std::memory_order_relaxed)) os::unmap(page, kHeaderBytes);
    body_fd_.reset();
    if (directory_ && fd_) leave(*directory_, file_name_, std::move(fd_));
}

// --- making ------------------------------------------------------------------------------------------------------------

Result<std::shared_ptr<Object>> Object::make(Namespaces* namespaces, const Name* name, const NewObject& wanted) {
    const std::string full = name ? name->full() : std::string();
    COMAP_TRY(check_new(full, wanted));
    auto object = std::make_shared<Object>(Private{});
    object->header_ = header_of(name, wanted);
    if (name) {
        COMAP_GET(object->directory_, namespaces->open(name->scope));
        object->file_name_ = name->file_name;
        object->full_name_ = full;
    }
    if (!wanted.options.file.empty()) {
        COMAP_GET(object->body_fd_, take_backing_file(full, wanted, object->header_));
    }
    const std::uint32_t mode = wanted.options.mode | (wanted.options.keep ? kSticky : 0);
    Directory* const directory = object->directory_.get();
    auto fd = directory ? os::make_unnamed(directory->fd.number(), mode) : os::make_memory_file(mode);
    if (!fd && fd.error() == ENOENT && directory && namespaces->forget_if_removed(*directory)) return make(namespaces, name, wanted);
    if (!fd && fd.error() == EOPNOTSUPP)
        return fail(Code::unsupported, fd.error(), full, "the file system of ", directory ? directory->path : "", " cannot make files without a name; use tmpfs, ext4, xfs or btrfs");
    if (!fd) return cannot(fd.error(), full, "made");
    auto reserved = reserve_object(fd->number(), object->header_);
    if (!reserved && code_of(reserved.error()) == Code::no_space && directory) {
        sweep_all(*directory);  // what the dead have is ours to use
        reserved = reserve_object(fd->number(), object->header_);
    }
    if (!reserved && code_of(reserved.error()) == Code::no_space)
        return no_room(reserved.error(), full, wanted.size_bytes, os::available_bytes(fd->number()));
    if (!reserved) return cannot(reserved.error(), full, "given memory");
    const std::string bytes = header_bytes(object->header_);
    if (const auto written = os::write_at(fd->number(), bytes.data(), bytes.size(), 0); !written)
        return cannot(written.error(), full, "written");
    if (const auto& initial = wanted.options.initial; !initial.empty())
        if (const auto written = os::write_at(fd->number(), initial.data(), initial.size(), kHeaderBytes); !written) return cannot(written.error(), full, "written");
    if (wanted.kind != Kind::section)
        if (const auto written = write_sync_block(fd->number(), wanted); !written) return cannot(written.error(), full, "written");
    const auto locked = os::try_read_lock(fd->number());
    if (!locked) return cannot(locked.error(), full, "held");
    object->fd_ = std::move(*fd);
    object->access_ = wanted.options.access;
    object->writable_ = true;
    object->was_created_ = true;
    object->known_size_bytes_.store(wanted.size_bytes, std::memory_order_relaxed);
    return object;
}

Result<std::shared_ptr<Object>> Object::create_unnamed(const NewObject& wanted) { return make(nullptr, nullptr, wanted); }

// " (text, 262400 bytes)": what is in the way; nothing if it cannot be read.
std::string Object::describe_rival(Namespaces& namespaces, const Name& name) {
    const auto rival = open_named(namespaces, name, {.access = Access::read_only}, std::nullopt);
    if (!rival) return "";
    const Header& header = (*rival)->header();
    if (header.kind != Kind::section) return cat(" (", kind_name(header.kind), "); open it, or use another name");
    const bool is_plain = header.layout == Layout::bytes;
    return cat(" (", is_plain ? kind_name(header.kind) : layout_name(header.layout), ", ", header.size_bytes, " bytes); open it, or use another name");
}

Result<std::shared_ptr<Object>> Object::create(Namespaces& namespaces, std::string_view given, const NewObject& wanted) {
    COMAP_GET(const Name name, parse_name(given));
    if (!wanted.options.file.empty())  // before the file is made longer for nothing
        if (std::string rival = describe_rival(namespaces, name); !rival.empty())
            return fail(Code::already_exists, EEXIST, given, "an object '", shown(given), "' already exists in ", namespaces.path(name.scope), rival);
    COMAP_GET(auto object, make(&namespaces, &name, wanted));
    Held held{std::move(object->fd_), {}, true};
    const auto linked = link_held(*object->directory_, name, held);
    if (!linked) {
        if (linked.error().os_error == ENOENT && namespaces.forget_if_removed(*object->directory_))
            return create(namespaces, given, wanted);
        Error error = linked.error();
        if (error.code == Code::already_exists) error.message += describe_rival(namespaces, name);
        return tl::unexpected<Error>(std::move(error));
    }
    object->fd_ = std::move(held.fd);
    sweep_some(*object->directory_);
    return object;
}

// --- opening -----------------------------------------------------------------------------------------------------------

Result<void> Object::read_header() {
    alignas(HeaderPage) std::array<std::byte, kHeaderBytes> bytes;
    const auto count = os::read_at(fd_.number(), bytes.data(), kHeaderCoreBytes, 0);
    if (!count) return cannot(count.error(), full_name_, "read");
    std::size_t size = *count;
    bool has_more = false;  // a path, a format
    if (size == kHeaderCoreBytes) {
        const auto* const page = reinterpret_cast<const HeaderPage*>(bytes.data());
        has_more = (page->flags & kFlagFile) != 0 || page->format_size_bytes != 0;
    }
    if (has_more) {
        const auto more = os::read_at(fd_.number(), bytes.data() + size, kSyncBlockInPage - size, size);
        if (!more) return cannot(more.error(), full_name_, "read");
        size += *more;
    }
    auto parsed = parse_header(std::span<const std::byte>(bytes).first(size), state_.size_bytes, full_name_);
    if (!parsed && parsed.error().code == Code::corrupt) {  // it may have grown since we asked for its length
        const auto state = os::state(fd_.number());
        if (state) state_.size_bytes = state->size_bytes;
        parsed = parse_header(std::span<const std::byte>(bytes).first(size), state_.size_bytes, full_name_);
    }
    COMAP_GET(header_, std::move(parsed));
    return {};
}

Result<void> Object::check_backing_file(const os::FileState& state) const {
    const std::uint64_t end = header_.file_offset_bytes + header_.size_bytes;
    const auto changed = [&](std::string_view how) {
        return fail(Code::file_changed, 0, full_name_, "the file ", header_.path, " under ", quoted(full_name_), " ", how,
                    "; restore it, or end the section's holders and create it anew");
    };
    if (state.device != header_.file_device || state.inode != header_.file_inode) return changed("was replaced by another");
    if (state.size_bytes < end) return changed(cat("was shortened to ", state.size_bytes, " bytes, the section ends at ", end));
    return {};
}

Result<void> Object::open_backing_file(const OpenOptions& options) {
    os::FileState state;
    const bool writes = access_ == Access::read_write;
    auto fd = os::open_path_checked(header_.path, writes, state);
    if (!fd && fd.error() == ENOENT)
        return fail(Code::file_changed, ENOENT, full_name_, "the file ", header_.path, " under ", quoted(full_name_), " was removed");
    if (!fd) return file_cannot(fd.error(), full_name_, header_.path);
    const bool believable = state_.uid == state.uid && (state_.mode & 0022) == 0;
    if (!options.file.empty()) {
        const auto expected = os::absolute_path(options.file);
        if (!expected || *expected != header_.path)
            return fail(Code::file_changed, 0, full_name_, quoted(full_name_), " lies in the file ", header_.path, ", not in ", options.file);
    } else if (!believable) {
        return fail(Code::permission_denied, 0, full_name_, quoted(full_name_), " says that it lies in the file ", header_.path,
                    ", but others than that file's owner could have written so; name the file yourself when opening");
    }
    COMAP_TRY(check_backing_file(state));
    body_fd_ = std::move(*fd);
    return {};
}

Result<std::shared_ptr<Object>> Object::adopt(std::shared_ptr<Directory> directory, std::string full_name, std::string file_name,
                                              Held held, const OpenOptions& options, std::optional<Kind> kind) {
    auto object = std::make_shared<Object>(Private{});
    object->directory_ = std::move(directory);
    object->full_name_ = std::move(full_name);
    object->file_name_ = std::move(file_name);
    object->fd_ = std::move(held.fd);  // from here on, letting go is the destructor's work
    object->state_ = held.state;
    object->writable_ = held.writable;
    object->access_ = options.access;
    if (options.owner_uid && *options.owner_uid != held.state.uid)
        return fail(Code::permission_denied, 0, object->full_name_, quoted(object->full_name_), " belongs to user ", held.state.uid,
                    ", not to user ", *options.owner_uid, " as demanded");
    COMAP_TRY(object->read_header());
    if (kind) COMAP_TRY(object->require_kind(*kind));
    object->known_size_bytes_.store(object->header_.size_bytes, std::memory_order_relaxed);
    if (object->header_.has(kFlagFile)) COMAP_TRY(object->open_backing_file(options));
    return object;
}

Result<std::shared_ptr<Object>> Object::open_named(Namespaces& namespaces, const Name& name, const OpenOptions& options,
                                                   std::optional<Kind> kind) {
    COMAP_GET(auto directory, namespaces.open(name.scope));
    auto held = open_held(*directory, name, options.access == Access::read_write);
    if (!held) {
        if (held.error().code == Code::not_found && namespaces.forget_if_removed(*directory)) return open_named(namespaces, name, options, kind);
        return tl::unexpected<Error>(std::move(held).error());
    }
    COMAP_GET(auto object, adopt(std::move(directory), name.full(), name.file_name, std::move(*held), options, kind));
    if (object->header_.name != name.base)
        return fail(Code::corrupt, 0, name.full(), quoted(name.full()), " is damaged: its header names another object, '", shown(object->header_.name), "'");
    return object;
}

Result<std::shared_ptr<Object>> Object::open(Namespaces& namespaces, std::string_view given, const OpenOptions& options, Kind kind) {
    COMAP_GET(const Name name, parse_name(given));
    return open_named(namespaces, name, options, kind);
}

Result<std::shared_ptr<Object>> Object::open_or_create(Namespaces& namespaces, std::string_view given, const NewObject& wanted) {
    COMAP_GET(const Name name, parse_name(given));
    COMAP_TRY(check_new(given, wanted));
    OpenOptions open_options;
    open_options.access = wanted.options.access;
    open_options.file = wanted.options.file;
    const Deadline patience = Deadline::after(std::chrono::seconds(10));  // each round means that another caller got on
    for (;;) {
        auto opened = open_named(namespaces, name, open_options, wanted.kind);
        if (opened || opened.error().code != Code::not_found) return opened;
        auto created = create(namespaces, given, wanted);
        if (created || created.error().code != Code::already_exists || patience.is_over()) return created;
    }
}

Result<std::shared_ptr<Object>> Object::from_descriptor(Namespaces& namespaces, int descriptor, const OpenOptions& options, Kind kind) {
    auto own = os::duplicate(descriptor);
    if (!own) return fail(own.error() == EBADF ? Code::invalid_argument : code_of(own.error()), own.error(), "", "the descriptor ", descriptor, " cannot be used: ", os_text(own.error()));
    const auto writable = os::is_writable(own->number());
    auto state = os::state(own->number());
    if (!writable || !state || !state->is_regular)
        return fail(Code::invalid_argument, 0, "", "the descriptor ", descriptor, " is not that of a comap object");
    if (!*writable && options.access == Access::read_write)
        return fail(Code::permission_denied, 0, "", "the descriptor ", descriptor, " was shared for reading only; open it so");
    const auto locked = os::try_read_lock(own->number());
    if (!locked)
        return fail(locked.error() == EBADF ? Code::invalid_argument : code_of(locked.error()), locked.error(), "", "the object behind descriptor ",
                    descriptor, " cannot be held: ", os_text(locked.error()));
    if (!*locked) return fail(Code::busy, 0, "", "the object behind descriptor ", descriptor, " is being removed");
    COMAP_GET(auto object, adopt(nullptr, "", "", Held{std::move(*own), *state, *writable}, options, kind));
    if (object->header_.name.empty()) return object;
    const auto name = parse_name(object->header_.name);
    if (!name || name->base != object->header_.name)
        return fail(Code::corrupt, 0, "", "the object behind descriptor ", descriptor, " is damaged: the name in its header is not a name");
    // Named: it is ours to remove when we are the last, if its name leads to it in this context.
    for (const Scope scope : {Scope::local, Scope::global}) {
        auto directory = namespaces.open(scope);
        if (!directory) continue;
        const auto named = os::state_at((*directory)->fd.number(), name->file_name);
        if (!named || !named->is_same_file(*state)) continue;
        object->directory_ = *directory;
        object->file_name_ = name->file_name;
        object->full_name_ = full_name(scope, object->header_.name);
        return object;
    }
    object->full_name_ = object->header_.name;
    return object;
}

// --- looking -----------------------------------------------------------------------------------------------------------

Result<int> Object::share_descriptor(Access access) const {
    if (access == Access::read_write) COMAP_TRY(require_writable("shared for writing"));
    auto fd = os::reopen(fd_.number(), access == Access::read_write);
    if (!fd) return cannot(fd.error(), full_name_, "shared");
    const auto locked = os::try_read_lock(fd->number());
    if (!locked || !*locked) return cannot(locked ? EAGAIN : locked.error(), full_name_, "shared");
    return fd->release();
}

Result<BodyFile> Object::own_body_file(Access access) const {
    if (access == Access::read_write) {
        COMAP_TRY(require_writable("mapped for writing"));
        COMAP_TRY(require_layout(Layout::bytes));
    }
    COMAP_GET(const std::uint64_t size, last_known_size_bytes());
    return BodyFile{header_.has(kFlagFile) ? body_fd_.number() : fd_.number(), body_offset_bytes(), size};
}

Result<BodyFile> Object::body_file(Access access) const {
    COMAP_GET(BodyFile body, own_body_file(access));
    auto fd = os::reopen(body.descriptor, access == Access::read_write);
    if (!fd) return cannot(fd.error(), full_name_, "mapped");
    body.descriptor = fd->release();
    return body;
}

Result<void> Object::require_layout(Layout wanted) const {
    if (header_.layout == wanted) return {};
    return fail(Code::layout_mismatch, 0, full_name_, quoted(full_name_), " holds ", layout_name(header_.layout), ", not ", layout_name(wanted));
}

tl::unexpected<Error> Object::cannot_lock(int os_error, std::string_view noun, std::string_view done) const {
    return fail(code_of(os_error), os_error, full_name_, noun, " cannot be ", done, " by this program: its lock needs a 64-bit program, glibc and 4 KiB pages (", os_text(os_error), ")");
}

Result<void> Object::require_versions() const {
    if (header_.layout != Layout::channel && header_.layout != Layout::queue) return {};
    return fail(Code::layout_mismatch, 0, full_name_, "'", shown(full_name_), "' is a ", layout_name(header_.layout), ", which has messages instead of versions: wait for them by a ",
                header_.layout == Layout::queue ? "queue handle" : "subscription");
}

Result<void> Object::require_kind(Kind wanted) const {
    if (header_.kind == wanted) return {};
    return fail(Code::kind_mismatch, 0, full_name_, quoted(full_name_), " is ", with_article(header_.kind), ", not ", with_article(wanted));
}

Result<void> Object::require_writable(std::string_view doing) const {
    if (access_ == Access::read_write) return {};
    return fail(Code::permission_denied, 0, full_name_, quoted(full_name_), " was opened for reading only and cannot be ", doing);
}

Result<HeaderPage*> Object::map_page() const {
    auto mapped = os::map(fd_.number(), 0, kHeaderBytes, writable_ ? os::MapMode::read_write : os::MapMode::read_only);
    if (!mapped) return cannot(mapped.error(), full_name_, "mapped");
    HeaderPage* expected = nullptr;
    auto* const ours = static_cast<HeaderPage*>(mapped->address());
    // SYNC page.map: the mapping is complete before others find it; pairs with page.use.
    if (!page_.compare_exchange_strong(expected, ours, std::memory_order_acq_rel, std::memory_order_acquire)) return expected;
    mapped->release();
    return ours;
}

Result<std::uint64_t> Object::size_bytes() const {
    std::uint64_t known = known_size_bytes_.load(std::memory_order_relaxed);  // first: what is read later is not less
    std::uint64_t said = 0;
    const auto count = os::read_at(fd_.number(), &said, sizeof said, offsetof(HeaderPage, size_bytes));
    if (!count) return cannot(count.error(), full_name_, "read");
    const auto state = os::state(header_.has(kFlagFile) ? body_fd_.number() : fd_.number());
    if (!state) return cannot(state.error(), full_name_, "examined");
    if (said == known && state->size_bytes >= body_offset_bytes() + said) return said;
    if (*count < sizeof said || said < known || said > INT64_MAX || state->size_bytes < body_offset_bytes() + said) {
        const Code code = header_.has(kFlagFile) ? Code::file_changed : Code::corrupt;
        return fail(code, 0, full_name_, quoted(full_name_), " is damaged: its header says ", said, " bytes, its file has room for ",
                    state->size_bytes - std::min(state->size_bytes, body_offset_bytes()));
    }
    while (known < said && !known_size_bytes_.compare_exchange_weak(known, said, std::memory_order_relaxed, std::memory_order_relaxed)) {}
    return said;
}

Result<std::uint64_t> Object::last_known_size_bytes() const {
    const std::uint64_t known = known_size_bytes_.load(std::memory_order_relaxed);
    const HeaderPage* const page = page_.load(std::memory_order_acquire);  // SYNC page.use: pairs with page.map
    if (!page || page->size_bytes.load(std::memory_order_relaxed) == known) return known;
    return size_bytes();
}

Result<ObjectInfo> Object::info() const {
    const auto state = os::state(fd_.number());
    if (!state) return cannot(state.error(), full_name_, "examined");
    COMAP_GET(const std::uint32_t now, version());
    COMAP_GET(const std::uint64_t size, size_bytes());
    ObjectInfo info = describe(header_, *state, full_name_);
    info.size_bytes = size;
    info.version = now;
    if (header_.kind == Kind::section) return info;
    COMAP_GET(const HeaderPage* const page, this->page());
    describe_sync(page->sync, info);
    return info;
}

// --- changing ----------------------------------------------------------------------------------------------------------

Result<void> Object::grow(std::uint64_t size) {
    COMAP_TRY(require_writable("grown"));
    COMAP_TRY(require_layout(Layout::bytes));
    COMAP_GET(const std::uint64_t now, size_bytes());
    if (size < now || size > INT64_MAX - kHeaderBytes - body_offset_bytes())
        return fail(Code::invalid_argument, 0, full_name_, quoted(full_name_), " has ", now, " bytes and cannot be given ", size,
                    ": a section only grows");
    if (size == now) return {};
    COMAP_GET(HeaderPage* const page, this->page());
    const int descriptor = header_.has(kFlagFile) ? body_fd_.number() : fd_.number();
    const std::uint64_t from = header_.has(kFlagLazy) ? size - 1 : now;
    auto reserved = os::reserve(descriptor, body_offset_bytes() + from, size - from);
    if (!reserved && code_of(reserved.error()) == Code::no_space && directory_ && !header_.has(kFlagFile)) {
        sweep_all(*directory_);
        reserved = os::reserve(descriptor, body_offset_bytes() + from, size - from);
    }
    if (!reserved && code_of(reserved.error()) == Code::no_space)
        return no_room(reserved.error(), full_name_, size - now, os::available_bytes(descriptor));
    if (!reserved) return cannot(reserved.error(), full_name_, "grown");
    std::uint64_t said = page->size_bytes.load(std::memory_order_relaxed);
    // SYNC size.grow: the room is there before the size says so. Read by a system call: no partner in this process.
    while (said < size && !page->size_bytes.compare_exchange_weak(said, size, std::memory_order_release, std::memory_order_relaxed)) {}
    internal::publish(page->change, last_published_, always_wakes(), fd_.number());
    return {};
}

Result<void> Object::set_keep(bool keep) {
    const auto state = os::state(fd_.number());
    if (!state) return cannot(state.error(), full_name_, "examined");
    const auto set = os::set_mode(fd_.number(), keep ? state->mode | kSticky : state->mode & ~kSticky);
    if (!set) return cannot(set.error(), full_name_, keep ? "kept (only its owner can)" : "let end (only its owner can)");
    return {};
}

Result<os::Mapping> Object::map_body(std::uint64_t offset, std::uint64_t size, os::MapMode mode, bool for_huge_pages) const {
    std::uint64_t available = known_size_bytes_.load(std::memory_order_relaxed);
    if (offset > available || size > available - offset) {
        COMAP_GET(available, size_bytes());
    }
    if (offset > available || size > available - offset)
        return fail(Code::invalid_argument, 0, full_name_, "a view of bytes ", offset, " to ", offset + size, " does not lie in ",
                    quoted(full_name_), ", which has ", available, " bytes");
    const std::uint64_t begin = (body_offset_bytes() + offset) / os::page_size_bytes() * os::page_size_bytes();
    const std::uint64_t map_size = body_offset_bytes() + offset + size - begin;
    if (map_size > SIZE_MAX / 2)
        return fail(Code::invalid_argument, 0, full_name_, "a view of ", size, " bytes is too large for this program's address space");
    const int descriptor = header_.has(kFlagFile) ? body_fd_.number() : fd_.number();
    auto mapped = for_huge_pages ? os::map_for_huge_pages(descriptor, begin, static_cast<std::size_t>(map_size), mode)
                                 : os::map(descriptor, begin, static_cast<std::size_t>(map_size), mode);
    if (!mapped) return cannot(mapped.error(), full_name_, "mapped");
    return std::move(*mapped);
}

bool Object::sync_pages_are_writable(bool in_section) const { return in_section && header_.has(kFlagFile) ? access_ == Access::read_write : writable_; }

Result<os::FileState> Object::sync_file_state(bool in_section) const {
    const auto state = os::state(in_section && header_.has(kFlagFile) ? body_fd_.number() : fd_.number());
    if (!state) return cannot(state.error(), full_name_, "examined");
    return *state;
}

Result<os::Mapping> Object::map_sync_page(std::uint64_t page_offset, bool in_section) const {
    const os::Fd& file = in_section && header_.has(kFlagFile) ? body_fd_ : fd_;
    const bool writable = sync_pages_are_writable(in_section);
    const auto own = os::reopen(file.number(), writable);  // a descriptor from another user cannot always be opened anew
    const int descriptor = own ? own->number() : file.number();
    auto mapped = writable ? os::map_with_private_page(descriptor, page_offset)
                           : os::map(descriptor, page_offset, static_cast<std::size_t>(kHeaderBytes), os::MapMode::read_only);
    if (!mapped) return cannot(mapped.error(), full_name_, "mapped");
    return std::move(*mapped);
}

// --- notification ------------------------------------------------------------------------------------------------------

Result<void> Object::publish() const {
    if (access_ != Access::read_write) return require_writable("published");
    HeaderPage* page = page_.load(std::memory_order_acquire);  // SYNC page.use: pairs with page.map
    if (!page) [[unlikely]] {
        COMAP_GET(page, this->page());
    }
    internal::publish(page->change, last_published_, always_wakes(), fd_.number());
    Result<void> done;  // not {}, which would fill it with zeros first
    return done;
}

Result<std::uint32_t> Object::version() const {
    COMAP_GET(const HeaderPage* const page, this->page());
    return current_version(page->change);
}

Result<void> Object::require_waitable() const {
    if (writable_ || always_wakes()) return {};
    return fail(Code::permission_denied, 0, full_name_, quoted(full_name_),
                " cannot be waited on by somebody who may only read it: when it was created its mode had no such readers");
}

Result<bool> Object::is_only_holder() const {
    const auto lock = os::ask_lock(fd_.number());
    if (!lock) return cannot(lock.error(), full_name_, "asked for its holders");
    return *lock == os::Locked::no;
}

bool Object::has_lone_writer() const { return header_.layout == Layout::cell && !header_.has(kFlagManyWriters); }

bool Object::is_sole_role_taken() const {
    const auto locked = os::ask_lock(fd_.number(), kSoleByte);
    return !locked || *locked != os::Locked::no;
}

bool Object::is_being_stored() const {
    const HeaderPage& page = *page_.load(std::memory_order_acquire);  // SYNC page.use: pairs with page.map
    return is_storing<os::Machine>(page.change, page.storing) && is_sole_role_taken();
}

WaitPoint<os::Machine> Object::change_point(HeaderPage& page, std::uint32_t seen) const {
    WaitPoint<os::Machine> point;
    point.is = Awaited::change;
    point.may_write = writable_ && !always_wakes();
    point.change = &page.change;
    point.looks_again = header_.has(kFlagManyWriters);
    if (has_lone_writer()) {
        point.is_being_stored = [](void* object) { return static_cast<const Object*>(object)->is_being_stored(); };
        point.data = const_cast<Object*>(this);
    }
    point.seen = seen;
    return point;
}

bool Object::arm(HeaderPage& page, std::uint32_t pauses_max) const {
    if (!writable_) return true;  // always_wake
    internal::arm(page.change);
    if (!has_lone_writer() || always_wakes()) return true;
    return os::barrier_everywhere() && settles([this] { return is_being_stored(); }, pauses_max);
}

Result<Wait> Object::wait(std::uint32_t seen, Deadline deadline, WaitFor what) const {
    seen &= kVersionMask;
    COMAP_GET(HeaderPage* const page, this->page());
    if (current_version(page->change) != seen) return Wait::changed;
    if (!writable_) COMAP_TRY(require_waitable());
    if (what == WaitFor::change_or_alone) return wait_for_change_or_alone(seen, deadline);
    WaitPoint<os::Machine> point = change_point(*page, seen);
    switch (wait_any(std::span(&point, 1), deadline).end) {
        case Ended::timed_out:
            return Wait::timed_out;
        case Ended::interrupted:
            return Wait::interrupted;
        default:
            return Wait::changed;
    }
}

namespace {

constexpr std::uint32_t kLeavingAttempts = 12;  // about a millisecond
constexpr std::uint32_t kLooksAfterClose = 9;
constexpr std::chrono::milliseconds kFirstLookAfterClose{2};

// After somebody closed the object: the kernel may take another moment to drop his lock. Ends early at a change.
Result<bool> becomes_only_holder(const Object& object, const ChangeWords& words, std::uint32_t seen) {
    for (std::uint32_t attempt = 0;; ++attempt) {
        COMAP_GET(const bool alone, object.is_only_holder());
        if (alone || attempt >= kLeavingAttempts || current_version(words) != seen) return alone;
        os::pause_briefly(attempt);
    }
}

// Takes all events off; whether one of them says that somebody closed the object.
bool take_events(os::ChangeEvents& events) {
    bool somebody_left = false;
    for (auto event = events.next(); event && *event; event = events.next())
        somebody_left = somebody_left || (*event)->closed || (*event)->overflowed;
    return somebody_left;
}

}  // namespace

// Events of this object's file. Making and closing an inotify instance takes the kernel milliseconds, so one is kept.
Result<std::unique_ptr<os::ChangeEvents>> Object::take_own_events(bool& is_new) const {
    {
        const std::lock_guard guard(own_events_mutex_);
        is_new = !own_events_;
        if (own_events_) return std::move(own_events_);
    }
    auto events = os::ChangeEvents::create();
    if (!events)
        return fail(code_of(events.error()), events.error(), full_name_, "no more inotify instances for this user (fs.inotify.max_user_instances): ",
                    os_text(events.error()));
    const auto watch = events->add(fd_.number());
    if (!watch) return cannot(watch.error(), full_name_, "watched");
    return std::make_unique<os::ChangeEvents>(std::move(*events));
}

void Object::give_back_own_events(std::unique_ptr<os::ChangeEvents> events) const {
    const std::lock_guard guard(own_events_mutex_);
    if (!own_events_) own_events_ = std::move(events);
}

Result<Wait> Object::wait_for_change_or_alone(std::uint32_t seen, Deadline deadline) const {
    COMAP_GET(HeaderPage* const page, this->page());
    bool is_new = false;
    COMAP_GET(std::unique_ptr<os::ChangeEvents> events, take_own_events(is_new));
    struct GiveBack {
        const Object& object;
        std::unique_ptr<os::ChangeEvents>& events;
        ~GiveBack() { object.give_back_own_events(std::move(events)); }
    } const give_back{*this, events};
    // The event of a close comes before the lock is dropped, and nothing tells of that: after a close we look again, at
    // growing intervals, for about a second; then all who were leaving have left.
    const bool somebody_left = take_events(*events) || is_new;
    std::uint32_t looks_left = somebody_left ? kLooksAfterClose : 0;
    COMAP_GET(bool alone, is_only_holder());
    for (;;) {
        const bool is_told = arm(*page, 0);
        // The last words of one who published and left are a change first.
        if (version_after_arming(page->change) != seen) return Wait::changed;
        if (alone) return Wait::alone;
        if (spin_for_change(page->change, seen)) return Wait::changed;
        Deadline look_again = looks_left > 0 ? Deadline::after(kFirstLookAfterClose * (1u << (kLooksAfterClose - looks_left))) : Deadline::forever();
        if (!is_told) look_again = earlier(look_again, Deadline::after(kDoze));
        const os::Ready ready = events->wait(earlier(deadline, look_again));
        if (ready != os::Ready::readable && current_version(page->change) != seen) return Wait::changed;
        if (ready == os::Ready::interrupted) return Wait::interrupted;
        if (ready == os::Ready::timed_out) {
            if (deadline.is_over() || (is_told && looks_left == 0)) return Wait::timed_out;
            if (looks_left > 0 && is_told) --looks_left;
            COMAP_GET(alone, is_only_holder());
        } else if (take_events(*events)) {
            looks_left = kLooksAfterClose;
            COMAP_GET(alone, becomes_only_holder(*this, page->change, seen));
        }
    }
}

}  // namespace comap::internal
