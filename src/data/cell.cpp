// SPDX-License-Identifier: Apache-2.0
// The body of a cell is a power of two of slots; of one for several writers, a directory and so many slots for each writer. How
// values are stored and loaded is in sync/cell_word.hpp and <comap/cell.hpp>; here are the roles: who may store.
#include <comap/cell.hpp>

#include <algorithm>
#include <bit>
#include <chrono>
#include <mutex>
#include <optional>
#include <vector>

#include "base/error.hpp"
#include "data/held_byte.hpp"
#include "object/object.hpp"
#include "os/robust_list.hpp"
#include "sync/cell_word.hpp"

namespace comap {
namespace {

using namespace internal;

constexpr std::uint64_t kPlaceByte = kSoleByte + 1;  // of the object's file: its write lock is the first place of several writers
constexpr std::uint32_t kSlotsUsual = 8;
constexpr std::uint64_t kBodyBytesMin = 4096;  // a page: what the least body takes
constexpr std::uint32_t kReadAttemptsMax = 64;
constexpr std::uint32_t kStoreAttemptsMin = 16;  // whatever the deadline: none of them waits, and one may be spent on helping another

tl::unexpected<Error> closed() { return fail(Code::invalid_argument, 0, "", "this cell handle is closed"); }

Result<NewObject> new_cell(std::string_view name, const RecordType& type, const CellOptions& options) {
    if (type.size_bytes() == 0) return fail(Code::invalid_argument, 0, name, "the cell '", shown(name), "' needs the description of its record");
    if (options.history > kCellHistoryMax)
        return fail(Code::invalid_argument, 0, name, "the cell '", shown(name), "' cannot keep a history of ", options.history, " values; at most ", kCellHistoryMax);
    if (options.writers == 0 || options.writers > kCellWritersMax)
        return fail(Code::invalid_argument, 0, name, "the cell '", shown(name), "' cannot have ", options.writers, " writers; from 1 to ", kCellWritersMax);
    NewObject wanted;
    wanted.layout = Layout::cell;
    wanted.capacity_bytes = type.size_bytes();
    wanted.slot_count = std::max(kCellSlotsMin, std::bit_ceil(options.history + 3));  // the latest, the next, and one that may be overwritten while read
    wanted.writer_count = options.writers > 1 ? options.writers : 0;
    // A reader beside a writer who never pauses has to begin again when the writer was faster by all slots. More of them cost nothing
    // while they fit into the page that a cell has anyway.
    while (wanted.slot_count < kSlotsUsual && cell_body_bytes(type.size_bytes(), wanted.slot_count * 2, wanted.writer_count) <= kBodyBytesMin) wanted.slot_count *= 2;
    wanted.size_bytes = cell_body_bytes(type.size_bytes(), wanted.slot_count, wanted.writer_count);
    wanted.format = type.format();
    wanted.flags = options.writers > 1 ? kFlagManyWriters : 0;
    wanted.options.mode = options.mode;
    wanted.options.keep = options.keep;
    return wanted;
}

Deadline patience() { return Deadline::after(std::chrono::seconds(2)); }

// Threads of this process that store by the same handle come one after the other. A forked child is not delayed by a thread that
// only its parent has: what that protects, the role, the child does not have either.
class ThreadLock {
  public:
    void lock() {
        const std::uint32_t mine = os::fork_generation * 2;
        std::uint32_t seen = 0;
        // SYNC cell.thread_next: what the last thread did is seen by the next; pairs with cell.thread_done.
        if (word_.compare_exchange_strong(seen, mine, std::memory_order_acquire, std::memory_order_relaxed)) [[likely]] return;
        for (;;) {
            if ((seen | kSleeping) != (mine | kSleeping)) {
                if (word_.compare_exchange_strong(seen, mine | kSleeping, std::memory_order_acquire, std::memory_order_relaxed)) return;
            } else if (seen == (mine | kSleeping) || word_.compare_exchange_strong(seen, mine | kSleeping, std::memory_order_relaxed, std::memory_order_relaxed)) {
                word_.wait(mine | kSleeping, std::memory_order_relaxed);
                seen = word_.load(std::memory_order_relaxed);
            }
        }
    }
    void unlock() {
        // SYNC cell.thread_done: pairs with cell.thread_next.
        if ((word_.exchange(0, std::memory_order_seq_cst) & kSleeping) != 0) word_.notify_one();
    }

  private:
    static constexpr std::uint32_t kSleeping = 1;
    std::atomic<std::uint32_t> word_{0};  // twice the count of forks of whose thread has it, and whether others may sleep; 0: free
};

}  // namespace

struct RawCell::Mapping {
    ~Mapping() { drop_role(); }

    std::shared_ptr<Object> object;
    RecordType type;
    HeaderPage* page = nullptr;
    os::Mapping map;
    CellWords<os::Machine> words;
    CellRole alone;  // of one writer
    ThreadLock storing;  // several writers: place and its slots' turns
    CellPlace<os::Machine> place;

    HeldByte role;

    bool has_role() const { return role.is_ours(); }
    bool is_for_one() const { return words.slots.directory == nullptr; }
    CellWriter writer() { return {&alone, &os::fork_generation}; }

    // REQUIRES: one thread at a time, which for several writers `storing` sees to. Errors: busy (others have all roles).
    Result<void> take_role() {
        if (has_role()) [[likely]] return {};
        const std::uint64_t first = is_for_one() ? kSoleByte : kPlaceByte;
        const std::uint64_t count = is_for_one() ? 1 : object->header().writer_count;
        const auto taken = role.take(*object, first, count);
        if (!taken) return fail(code_of(taken.error()), taken.error(), object->name(), "the writer's role in the cell '", shown(object->name()), "' cannot be had: ", os_text(taken.error()));
        if (!*taken && is_for_one())
            return fail(Code::busy, 0, object->name(), "the cell '", shown(object->name()),
                        "' has a writer, and only one at a time may store in it; end that one, or create the cell for several writers");
        if (!*taken)
            return fail(Code::busy, 0, object->name(), "the cell '", shown(object->name()), "' has ", count,
                        " writers, and no more at a time may store in it; end one, or create the cell for more");
        if (!is_for_one()) {
            place.take(words, static_cast<std::uint32_t>(role.byte() - first));
            return {};
        }
        const std::uint32_t seen = current_version(page->change) * kOneVersion;
        alone.begin(words.slots, seen);
        page->storing.store(seen, std::memory_order_relaxed);  // a dead writer may have left what he had begun
        if (!words.always_wakes && os::take_part_in_barriers()) alone.taken.store(os::fork_generation, std::memory_order_relaxed);
        return {};
    }

    void drop_role() {
        const std::lock_guard no_store(storing);
        alone.taken.store(0, std::memory_order_relaxed);
        role.drop();
    }

    Result<void> prepare_to_store() {
        COMAP_TRY(object->require_writable("written"));
        if (is_for_one()) return take_role();
        const std::lock_guard guard(storing);
        return take_role();
    }

    // REQUIRES: has_role(), of a cell for one writer.
    std::uint32_t store_next(const void* value) {
        const std::uint32_t quick = writer().store_quickly(words.slots, value, words.record_bytes);
        if (quick != CellWriter::kNone) return quick;
        const std::uint32_t version = store_alone(words, alone.last, value);
        alone.begin(words.slots, version * kOneVersion);
        return version;
    }

    // Several writers. `after`: the version that the value was made from, if any. Overtaken: another is the latest by now.
    Result<CellStored> store_among(const void* value, const std::uint32_t* after, Deadline deadline, std::uint32_t& version) {
        const std::lock_guard guard(storing);
        COMAP_TRY(take_role());
        CellPlace<os::Machine>::Store store(place, words, value);
        for (std::uint32_t attempt = 1;; ++attempt) {
            const CellStored end = store.attempt(after, version);
            if (end != CellStored::again) return end;
            if (attempt >= kStoreAttemptsMin && deadline.is_over()) return CellStored::again;
        }
    }

    tl::unexpected<Error> always_overtaken() const {
        return fail(Code::busy, 0, object->name(), "the cell '", shown(object->name()),
                    "' is stored by others so fast that this store always came too late; try again");
    }
};

RawCell::RawCell() = default;
RawCell::~RawCell() = default;
RawCell::RawCell(RawCell&& other) noexcept
    : object_(std::move(other.object_)), mapping_(std::move(other.mapping_)), slots_(std::exchange(other.slots_, {})), writer_(std::exchange(other.writer_, {})) {}
RawCell& RawCell::operator=(RawCell&& other) noexcept {
    if (this != &other) {
        close();
        object_ = std::move(other.object_);
        mapping_ = std::move(other.mapping_);
        slots_ = std::exchange(other.slots_, {});
        writer_ = std::exchange(other.writer_, {});
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
    auto* const body = static_cast<std::byte*>(mapping->map.address());
    CellSlots& slots = mapping->words.slots;
    slots.change = &mapping->page->change.change;
    slots.watch = &mapping->page->change.watch;
    slots.storing = &mapping->page->storing;
    slots.words = reinterpret_cast<CellSlots::WordAtom*>(body + cell_directory_bytes(header.slot_count, header.writer_count));
    slots.directory = header.writer_count > 1 ? reinterpret_cast<std::atomic<std::uint64_t>*>(body) : nullptr;
    slots.slot_mask = header.slot_count - 1;
    slots.slot_count = header.slot_count * std::max(header.writer_count, 1u);
    slots.slot_words = cell_slot_bytes(header.capacity_bytes) / sizeof(CellSlots::Word);
    mapping->words.words = &mapping->page->change;
    mapping->words.always_wakes = object->always_wakes();
    mapping->words.descriptor = object->descriptor();
    mapping->words.record_bytes = static_cast<std::size_t>(header.capacity_bytes);
    RawCell cell;
    cell.slots_ = slots;
    cell.writer_ = mapping->writer();
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
std::uint32_t RawCell::writers() const { return mapping_ ? std::max(object_->header().writer_count, 1u) : 0; }
Result<ObjectInfo> RawCell::info() const { return object_ ? object_->info() : closed(); }
Result<void> RawCell::set_keep(bool keep) const { return object_ ? object_->set_keep(keep) : closed(); }
Result<std::uint32_t> RawCell::version() const { return object_ ? object_->version() : closed(); }

Result<Wait> RawCell::wait(std::uint32_t seen, Deadline deadline, WaitFor what) const { return object_ ? object_->wait(seen, deadline, what) : closed(); }

void RawCell::close() {
    slots_ = {};
    writer_ = {};
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
        if (denies_version(slots_, version))
            return fail(Code::corrupt, 0, name(), "the cell '", shown(name()), "' is damaged: somebody wrote over its directory; the next store may repair it");
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
    if (mapping_->is_for_one()) {
        if (!mapping_->has_role()) [[unlikely]] COMAP_TRY(mapping_->prepare_to_store());
        return mapping_->store_next(value.data());
    }
    COMAP_TRY(object_->require_writable("written"));
    std::uint32_t version = 0;
    COMAP_GET(const CellStored end, mapping_->store_among(value.data(), nullptr, deadline ? *deadline : patience(), version));
    if (end != CellStored::stored) return mapping_->always_overtaken();
    return version;
}

Result<std::uint32_t> RawCell::update(void (*change)(std::byte* value, void* context), void* context, std::optional<Deadline> given) const {
    if (!mapping_) return closed();
    COMAP_TRY(mapping_->prepare_to_store());
    const Deadline deadline = given ? *given : patience();
    std::vector<std::byte> value(mapping_->words.record_bytes);
    for (std::uint32_t attempt = 1;; ++attempt) {
        COMAP_GET(const std::uint32_t before, load(value));
        change(value.data(), context);
        if (mapping_->is_for_one()) return mapping_->store_next(value.data());
        std::uint32_t version = 0;
        COMAP_GET(const CellStored end, mapping_->store_among(value.data(), &before, deadline, version));
        if (end == CellStored::stored) return version;
        if (attempt >= kStoreAttemptsMin && deadline.is_over()) return mapping_->always_overtaken();
    }
}

void RawCell::give_up_role() const {
    if (!mapping_) return;
    mapping_->drop_role();
}

}  // namespace comap
