// SPDX-License-Identifier: Apache-2.0
// The body of a cell is a power of two of slots. The value of version v lies in slot v mod their number; a writer, alone, writes the
// next slot and then advances the object's version: that is the one step that makes it the value. A reader takes the slot of the
// current version, copies it, and looks at the version again: the slot is written next when the version is that many less one
// further. A writer that dies has written into a slot that no version has reached.
#include <comap/cell.hpp>

#include <algorithm>
#include <bit>
#include <chrono>
#include <mutex>
#include <optional>
#include <vector>

#include "base/error.hpp"
#include "object/object.hpp"
#include "os/robust_list.hpp"
#include "sync/robust_lock.hpp"

namespace comap {
namespace {

using namespace internal;

constexpr std::uint64_t kRoleByte = 1;  // of the object's file: its write lock is the writer's role
constexpr std::uint32_t kReadAttemptsMax = 64;

tl::unexpected<Error> closed() { return fail(Code::invalid_argument, 0, "", "this cell handle is closed"); }

Result<NewObject> new_cell(std::string_view name, const RecordType& type, const CellOptions& options) {
    if (type.size_bytes() == 0) return fail(Code::invalid_argument, 0, name, "the cell '", shown(name), "' needs the description of its record");
    if (options.history > kCellHistoryMax)
        return fail(Code::invalid_argument, 0, name, "the cell '", shown(name), "' cannot keep a history of ", options.history, " values; at most ", kCellHistoryMax);
    NewObject wanted;
    wanted.layout = Layout::cell;
    wanted.capacity_bytes = type.size_bytes();
    wanted.slot_count = std::max(kCellSlotsMin, std::bit_ceil(options.history + 3));  // the latest, the next, and one that may be overwritten while read
    wanted.size_bytes = wanted.slot_count * cell_slot_bytes(type.size_bytes());
    wanted.format = type.format();
    wanted.flags = options.many_writers ? kFlagManyWriters : 0;
    wanted.options.mode = options.mode;
    wanted.options.keep = options.keep;
    return wanted;
}

Deadline patience() { return Deadline::after(std::chrono::seconds(2)); }

using Word = CellSlots::Word;

// Into a slot that nobody reads; a last part of a word is filled up with zeros. REQUIRES: target is aligned.
[[gnu::always_inline]] inline void copy_in(std::byte* target, const std::byte* source, std::size_t size_bytes) {
    auto* const words = reinterpret_cast<Word*>(target);
    std::size_t done = 0;
    for (; size_bytes - done >= sizeof(Word); done += sizeof(Word)) {
        Word word;
        std::memcpy(&word, source + done, sizeof word);
        std::atomic_ref(words[done / sizeof(Word)]).store(word, std::memory_order_relaxed);
    }
    if (done == size_bytes) return;
    Word word = 0;
    std::memcpy(&word, source + done, size_bytes - done);
    std::atomic_ref(words[done / sizeof(Word)]).store(word, std::memory_order_relaxed);
}

}  // namespace

struct RawCell::Mapping {
    ~Mapping() { drop_role(); }

    std::shared_ptr<Object> object;
    RecordType type;
    HeaderPage* page = nullptr;
    os::Mapping map;
    std::mutex mutex;  // role, lock
    os::Fd role;       // an open file with the write lock on kRoleByte; closed in the child of a fork
    std::atomic<std::uint32_t> role_generation{0};  // of forks, when it was taken; 0: not taken
    std::optional<RobustLock> lock;  // attached at the first store, with many writers
    std::atomic<RobustLock*> attached{nullptr};

    bool has_role() const { return role_generation.load(std::memory_order_relaxed) == os::fork_generation; }

    Result<void> take_role() {
        const os::NoForkScope no_fork;  // a child must not keep an open file with the lock
        const std::lock_guard guard(mutex);
        if (has_role()) return {};
        role.release();  // a parent's, that was closed when we were forked
        auto own = os::reopen(object->descriptor(), true);
        if (!own) return fail(code_of(own.error()), own.error(), object->name(), "the cell '", shown(object->name()), "' cannot be written: ", os_text(own.error()));
        const auto locked = os::try_write_lock(own->number(), kRoleByte);
        if (!locked)
            return fail(code_of(locked.error()), locked.error(), object->name(), "the writer's role in the cell '", shown(object->name()), "' cannot be had: ", os_text(locked.error()));
        if (!*locked)
            return fail(Code::busy, 0, object->name(), "the cell '", shown(object->name()),
                        "' has a writer, and only one at a time may store in it; end that one, or create the cell for many writers");
        role = std::move(*own);
        os::keep_from_children(role.number());
        role_generation.store(os::fork_generation, std::memory_order_relaxed);
        return {};
    }

    void drop_role() {
        const os::NoForkScope no_fork;
        const std::lock_guard guard(mutex);
        if (has_role()) {
            os::forget_for_children(role.number());
            os::release_lock(role.number(), kRoleByte);
            role.reset();
        }
        role.release();
        role_generation.store(0, std::memory_order_relaxed);
    }
    Result<RobustLock*> writer_lock() {
        if (RobustLock* const known = attached.load(std::memory_order_acquire)) return known;  // SYNC cell.lock_use: pairs with cell.lock_made
        const os::NoForkScope no_fork;  // before the mutex, as everywhere here
        const std::lock_guard guard(mutex);
        if (!lock) {
            auto made = RobustLock::attach(object->descriptor(), 0);
            if (!made)
                return fail(code_of(made.error()), made.error(), object->name(), "the cell '", shown(object->name()),
                            "' cannot be written by this program: its lock needs a 64-bit program, glibc and 4 KiB pages (", os_text(made.error()), ")");
            lock.emplace(std::move(*made));
        }
        // SYNC cell.lock_made: complete before others find it; pairs with cell.lock_use.
        attached.store(&*lock, std::memory_order_release);
        return &*lock;
    }

    Result<void> lock_writers(Deadline deadline) {
        COMAP_GET(RobustLock* const writers, writer_lock());
        Ended end = writers->lock(deadline);
        while (end == Ended::interrupted) end = writers->lock(deadline);
        // An owner that died left at worst a slot half written that no version has reached.
        if (end == Ended::acquired || end == Ended::acquired_abandoned) return {};
        if (end == Ended::corrupt) return fail(Code::corrupt, 0, object->name(), "the cell '", shown(object->name()), "' is damaged: its lock word was overwritten");
        return fail(Code::busy, 0, object->name(), "the cell '", shown(object->name()),
                    "' is being written by a process that does not finish (is it stopped?); try again, or end that process");
    }

    std::byte* slot(std::uint32_t version) const {
        const std::uint32_t mask = object->header().slot_count - 1;
        return static_cast<std::byte*>(map.address()) + (version & mask) * cell_slot_bytes(object->header().capacity_bytes);
    }

    // REQUIRES: alone among writers. fill(target) writes the value.
    template <typename Fill>
    Result<std::uint32_t> store_next(const Fill& fill) {
        const std::uint32_t next = (current_version(page->change) + 1) & kVersionMask;
        // SYNC cell.overwrite: the versions so far are seen by whoever sees any of the bytes below; pairs with cell.check.
        std::atomic_thread_fence(std::memory_order_release);
        fill(slot(next));
        COMAP_TRY(object->publish());
        return next;
    }

    // Runs `store` alone among writers.
    template <typename Store>
    Result<std::uint32_t> alone(std::optional<Deadline> deadline, const Store& store) {
        COMAP_TRY(object->require_writable("written"));
        if (!object->header().has(kFlagManyWriters)) {
            COMAP_TRY(take_role());
            return store();
        }
        COMAP_TRY(lock_writers(deadline ? *deadline : patience()));
        struct Unlock {
            RobustLock& lock;
            ~Unlock() { lock.unlock(); }
        } const unlock{*lock};
        return store();
    }
};

RawCell::RawCell() = default;
RawCell::~RawCell() = default;
RawCell::RawCell(RawCell&& other) noexcept
    : object_(std::move(other.object_)), mapping_(std::move(other.mapping_)), slots_(std::exchange(other.slots_, {})) {}
RawCell& RawCell::operator=(RawCell&& other) noexcept {
    if (this != &other) {
        close();
        object_ = std::move(other.object_);
        mapping_ = std::move(other.mapping_);
        slots_ = std::exchange(other.slots_, {});
    }
    return *this;
}

Result<RawCell> RawCell::map(std::shared_ptr<Object> object) {
    COMAP_TRY(object->require_layout(Layout::cell));
    auto mapping = std::make_shared<Mapping>();
    const Header& header = object->header();
    auto type = RecordType::parse(header.format);
    if (!type || type->size_bytes() != header.capacity_bytes)
        return fail(Code::corrupt, 0, object->name(), "the cell '", shown(object->name()), "' is damaged: ", type ? "its record has another size than it says" : type.error().message);
    mapping->type = std::move(*type);
    COMAP_GET(mapping->page, object->page());
    const bool writes = object->access() == Access::read_write;
    COMAP_GET(mapping->map, object->map_body(0, header.size_bytes, writes ? os::MapMode::read_write : os::MapMode::read_only, false));
    RawCell cell;
    cell.slots_ = {&mapping->page->change.change, static_cast<std::byte*>(mapping->map.address()), header.slot_count - 1, cell_slot_bytes(header.capacity_bytes)};
    mapping->object = object;
    cell.object_ = std::move(object);
    cell.mapping_ = std::move(mapping);
    return cell;
}

namespace {

Result<void> require_type(const RawCell& cell, const RecordType& wanted, bool allow_longer) {
    const std::string difference = wanted.first_difference(cell.type(), allow_longer);
    if (difference.empty()) return {};
    return fail(Code::layout_mismatch, 0, cell.name(), "the cell '", shown(cell.name()), "' holds another record: ", difference);
}

}  // namespace

Result<RawCell> RawCell::create(std::string_view name, const RecordType& type, const CellOptions& options, Context& context) {
    COMAP_GET(const NewObject wanted, new_cell(name, type, options));
    COMAP_GET(auto object, Object::create(context.namespaces(), name, wanted));
    return map(std::move(object));
}

Result<RawCell> RawCell::open(std::string_view name, const CellOpenOptions& options, Context& context) {
    COMAP_GET(auto object, Object::open(context.namespaces(), name, options));
    return map(std::move(object));
}

Result<RawCell> RawCell::open(std::string_view name, const RecordType& type, const CellOpenOptions& options, Context& context) {
    if (options.allow_longer && options.access != Access::read_only)
        return fail(Code::invalid_argument, 0, name, "a cell whose record may be longer can only be opened for reading: a store would lose the fields that this program does not know");
    COMAP_GET(RawCell cell, open(name, options, context));
    COMAP_TRY(require_type(cell, type, options.allow_longer));
    return cell;
}

Result<RawCell> RawCell::open_or_create(std::string_view name, const RecordType& type, const CellOptions& options, Context& context) {
    COMAP_GET(const NewObject wanted, new_cell(name, type, options));
    COMAP_GET(auto object, Object::open_or_create(context.namespaces(), name, wanted));
    COMAP_GET(RawCell cell, map(std::move(object)));
    COMAP_TRY(require_type(cell, type, false));
    return cell;
}

const std::string& RawCell::name() const {
    static const std::string none;
    return object_ ? object_->name() : none;
}
const RecordType& RawCell::type() const {
    static const RecordType none;
    return mapping_ ? mapping_->type : none;
}
bool RawCell::was_created() const { return object_ && object_->was_created(); }
std::uint32_t RawCell::history() const { return mapping_ ? object_->header().slot_count - 3 : 0; }
bool RawCell::has_many_writers() const { return mapping_ && object_->header().has(kFlagManyWriters); }
Result<ObjectInfo> RawCell::info() const { return object_ ? object_->info() : closed(); }
Result<void> RawCell::set_keep(bool keep) const { return object_ ? object_->set_keep(keep) : closed(); }
Result<std::uint32_t> RawCell::version() const { return object_ ? object_->version() : closed(); }

Result<Wait> RawCell::wait(std::uint32_t seen, Deadline deadline, WaitFor what) const { return object_ ? object_->wait(seen, deadline, what) : closed(); }

void RawCell::close() {
    slots_ = {};
    mapping_.reset();
    object_.reset();
}

Result<std::uint32_t> RawCell::load(std::span<std::byte> out) const {
    if (!mapping_) return closed();
    const std::uint64_t record_bytes = mapping_->type.size_bytes();
    if (out.size() > record_bytes)
        return fail(Code::invalid_argument, 0, name(), out.size(), " bytes are asked of the cell '", shown(name()), "'; its record has ", record_bytes);
    Deadline patience_over = Deadline::forever();
    for (std::uint32_t attempt = 0;; ++attempt) {
        const std::uint32_t version = slots_.version();
        if (slots_.copy(version, out.data(), out.size())) return version;
        // The writer was faster by all slots, which happens when this thread was interrupted: the next try has a better chance.
        if (attempt < kReadAttemptsMax) continue;
        if (attempt == kReadAttemptsMax) patience_over = patience();
        if (patience_over.is_over())
            return fail(Code::busy, 0, name(), "the cell '", shown(name()), "' is stored faster than it can be read; create it with a longer history");
        os::pause_briefly(attempt - kReadAttemptsMax);
    }
}

Result<void> RawCell::load_version(std::uint32_t version, std::span<std::byte> out) const {
    if (!mapping_) return closed();
    if (out.size() > mapping_->type.size_bytes())
        return fail(Code::invalid_argument, 0, name(), out.size(), " bytes are asked of the cell '", shown(name()), "'; its record has ", mapping_->type.size_bytes());
    const std::uint32_t now = slots_.version();
    const std::uint32_t age = (now - version) & kVersionMask;
    if (version <= kVersionMask && age <= history() && slots_.copy(version, out.data(), out.size())) return {};
    return fail(Code::not_found, 0, name(), "the cell '", shown(name()), "' has no value of version ", version, ": its latest is ", slots_.version(), ", and ", history(),
                " before it are kept");
}

Result<std::uint32_t> RawCell::store(std::span<const std::byte> value, std::optional<Deadline> deadline) const {
    if (!mapping_) return closed();
    if (value.size() != mapping_->type.size_bytes())
        return fail(Code::invalid_argument, 0, name(), value.size(), " bytes cannot be stored in the cell '", shown(name()), "': its record has ", mapping_->type.size_bytes());
    const auto fill = [&](std::byte* target) { copy_in(target, value.data(), value.size()); };
    if (mapping_->has_role()) [[likely]] return mapping_->store_next(fill);
    return mapping_->alone(deadline, [&] { return mapping_->store_next(fill); });
}

Result<std::uint32_t> RawCell::update(void (*change)(std::byte* value, void* context), void* context, std::optional<Deadline> deadline) const {
    if (!mapping_) return closed();
    return mapping_->alone(deadline, [&]() -> Result<std::uint32_t> {
        std::vector<std::byte> value(static_cast<std::size_t>(mapping_->type.size_bytes()));
        COMAP_TRY(load(value));
        change(value.data(), context);
        return mapping_->store_next([&](std::byte* target) { copy_in(target, value.data(), value.size()); });
    });
}

void RawCell::give_up_role() const {
    if (!mapping_) return;
    mapping_->drop_role();
}

}  // namespace comap
