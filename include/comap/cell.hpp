// SPDX-License-Identifier: Apache-2.0
// Cell<T>: the latest value of a record. Readers never block and never see a torn value, whatever the writers do or wherever
// they die. The values lie in slots, of which the object's version picks one: that is the step that makes a value the latest. The idea of
// several slots for one value is old (Simpson's four-slot mechanism, 1990).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <comap/record.hpp>
#include <comap/ring.hpp>
#include <comap/section.hpp>

namespace comap {

struct CellOptions {
    std::uint32_t history = 0;  // how many values before the latest can be read, at least; at most kCellHistoryMax
    std::uint32_t writers = 1;  // how many handles may store at a time; at most kCellWritersMax
    std::uint32_t mode = 0600;
    bool keep = false;
};
inline constexpr std::uint32_t kCellHistoryMax = 65'533;
inline constexpr std::uint32_t kCellWritersMax = 64;

// What is asked of a cell that is there already.
struct CellOpenOptions : OpenOptions {
    bool allow_longer = false;  // the record may have more fields behind those that this program knows; only for reading
};

namespace internal {

// Where the values of a cell are, and the steps that readers and a lone writer take without a call; sync/cell_word.hpp has the
// rest. On a machine, so that the model test runs this very code.
template <typename Machine>
struct BasicCellSlots {
    using Word = std::uintptr_t;
    using WordAtom = typename Machine::template Atom<Word>;
    static constexpr std::uint32_t kVersions = 0x7fff'ffffu;
    static constexpr std::uint32_t kNextVersion = 2;  // of the change word
    static constexpr std::uint32_t kArmed = 1;        // of the watch word

    // See sync/change_word.hpp.
    typename Machine::template Atom<std::uint32_t>* change = nullptr;
    typename Machine::template Atom<std::uint32_t>* watch = nullptr;
    typename Machine::template Atom<std::uint32_t>* storing = nullptr;
    WordAtom* words = nullptr;  // of all slots
    typename Machine::template Atom<std::uint64_t>* directory = nullptr;  // several writers: version and slot of each value
    std::uint32_t slot_mask = 0;   // slots of one writer, less one; the size of the directory, less one
    std::uint32_t slot_count = 0;  // of all writers
    std::uint64_t slot_words = 0;

    [[gnu::always_inline]] std::uint32_t version() const {
        return change->load(std::memory_order_acquire) >> 1;  // SYNC cell.read: pairs with change.publish
    }

    // The slot of that version's value. False: the directory says another version. With one writer it follows from the version.
    [[gnu::always_inline]] bool find(std::uint32_t version, std::uint32_t& slot) const {
        slot = version & slot_mask;
        if (!directory) [[likely]] return true;
        // Whoever has seen the version sees its entry, or a later one.
        const std::uint64_t entry = directory[slot].load(std::memory_order_relaxed);
        slot = static_cast<std::uint32_t>(entry >> 32);
        return static_cast<std::uint32_t>(entry) == version && slot < slot_count;
    }

    // Whether what was copied of that version was not being written anew.
    [[gnu::always_inline]] bool is_still_there(std::uint32_t version) const {
        // SYNC cell.check: what was copied was loaded before the version is looked at again; pairs with cell.overwrite.
        std::atomic_thread_fence(std::memory_order_acquire);
        const std::uint32_t now = change->load(std::memory_order_relaxed) >> 1;
        return ((now - version) & kVersions) < slot_mask;  // a writer works in a slot at least so old
    }

    // The value of that version, if it was there and its slot was not written anew meanwhile. REQUIRES: out has size_bytes.
    [[gnu::always_inline]] bool copy(std::uint32_t version, void* out, std::size_t size_bytes) const {
        std::uint32_t slot = 0;
        if (!find(version, slot)) return false;
        const WordAtom* const from = this->slot(slot);
        auto* const target = static_cast<std::byte*>(out);
        std::size_t done = 0;
#pragma GCC unroll 8
        for (; size_bytes - done >= sizeof(Word); done += sizeof(Word)) {
            const Word word = from[done / sizeof(Word)].load(std::memory_order_relaxed);
            std::memcpy(target + done, &word, sizeof word);
        }
        if (done < size_bytes) {
            const Word word = from[done / sizeof(Word)].load(std::memory_order_relaxed);
            std::memcpy(target + done, &word, size_bytes - done);
        }
        return is_still_there(version);
    }

    [[gnu::always_inline]] WordAtom* slot(std::uint32_t index) const { return words + index * slot_words; }

    // Into a slot that nobody reads; a last part of a word is filled up with zeros.
    [[gnu::always_inline]] void fill(WordAtom* to, const void* value, std::size_t size_bytes) const {
        // SYNC cell.overwrite: the version that was seen before is seen by whoever sees any of the bytes below; pairs with cell.check.
        std::atomic_thread_fence(std::memory_order_release);
        const auto* const source = static_cast<const std::byte*>(value);
        std::size_t done = 0;
#pragma GCC unroll 8
        for (; size_bytes - done >= sizeof(Word); done += sizeof(Word)) {
            Word word;
            std::memcpy(&word, source + done, sizeof word);
            to[done / sizeof(Word)].store(word, std::memory_order_relaxed);
        }
        if (done == size_bytes) return;
        Word word = 0;
        std::memcpy(&word, source + done, size_bytes - done);
        to[done / sizeof(Word)].store(word, std::memory_order_relaxed);
    }

    // The slot that the lone writer fills after that change word.
    WordAtom* next_slot(std::uint32_t seen) const { return slot(((seen >> 1) + 1) & slot_mask); }

    // The lone writer's store, if nobody sleeps on the cell or watches it: plain stores. `seen`: the change word after his last store;
    // `to`: next_slot of it. False: nothing is published, and nothing that a reader sees has changed.
    [[gnu::always_inline]] bool store_unless_awaited(std::uint32_t seen, WordAtom* to, const void* value, std::size_t size_bytes) const {
        const std::uint32_t next = seen + kNextVersion;
        fill(to, value, size_bytes);
        storing->store(next, std::memory_order_relaxed);
        Machine::light_barrier();  // SYNC cell.storing: begun before looking who waits; pairs with change.settle.
        if (change->load(std::memory_order_relaxed) != seen || (watch->load(std::memory_order_relaxed) & kArmed) != 0) [[unlikely]] return false;
        // SYNC change.publish: the value is seen with the new version; pairs with change.seen.
        change->store(next, std::memory_order_release);
        return true;
    }
};
using CellSlots = BasicCellSlots<RingMemory>;

// The role of the lone writer, for storing without a call. In the process's own memory.
struct CellRole {
    std::atomic<std::uint32_t> taken{0};  // the count of forks when the handle took the role; 0: not taken, or each store takes a call
    std::atomic<std::uint32_t> last{0};   // the change word after our last store, without the sleeper bit
    // The slot that follows from it. One goes on from the other: what is stored waits for its address, which `last` would give late.
    std::atomic<CellSlots::WordAtom*> next{nullptr};
    CellSlots::WordAtom* end = nullptr;   // behind the last slot

    void begin(const CellSlots& slots, std::uint32_t word) {
        last.store(word, std::memory_order_relaxed);
        next.store(slots.next_slot(word), std::memory_order_relaxed);
        end = slots.slot(slots.slot_mask) + slots.slot_words;
    }
};

// The lone writer's role as his handle sees it.
struct CellWriter {
    CellRole* role = nullptr;
    const std::uint32_t* forks = nullptr;  // counted up in every child of a fork

    static constexpr std::uint32_t kNone = ~0u;  // no version

    // The version that was stored, if that could be done without a call.
    [[gnu::always_inline]] std::uint32_t store_quickly(const CellSlots& slots, const void* value, std::size_t size_bytes) const {
        if (!role || role->taken.load(std::memory_order_relaxed) != *forks) [[unlikely]] return kNone;
        const std::uint32_t seen = role->last.load(std::memory_order_relaxed);
        CellSlots::WordAtom* const to = role->next.load(std::memory_order_relaxed);
        if (!slots.store_unless_awaited(seen, to, value, size_bytes)) [[unlikely]] return kNone;
        role->last.store(seen + CellSlots::kNextVersion, std::memory_order_relaxed);
        CellSlots::WordAtom* const behind = to + slots.slot_words;
        role->next.store(behind == role->end ? slots.words : behind, std::memory_order_relaxed);
        return (seen + CellSlots::kNextVersion) >> 1;
    }
};

}  // namespace internal

// A cell whose record is known when the program runs: the value is its bytes. The const functions may be called by several
// threads at once; storing in a cell for one writer is for one thread at a time.
class COMAP_API RawCell {
  public:
    RawCell();
    ~RawCell();
    RawCell(RawCell&& other) noexcept;
    RawCell& operator=(RawCell&& other) noexcept;

    // A new cell has the version 0, and a value of zeros. Errors: as Section::create.
    static Result<RawCell> create(std::string_view name, const RecordType& type, const CellOptions& options = {}, Context& context = Context::standard());
    // Errors: as Section::open; layout_mismatch (not a cell; or, with a type, the first field that differs).
    static Result<RawCell> open(std::string_view name, const CellOpenOptions& options = {}, Context& context = Context::standard());
    static Result<RawCell> open(std::string_view name, const RecordType& type, const CellOpenOptions& options = {}, Context& context = Context::standard());
    static Result<RawCell> open_or_create(std::string_view name, const RecordType& type, const CellOptions& options = {}, Context& context = Context::standard());

    explicit operator bool() const { return mapping_ != nullptr; }
    const std::string& name() const;
    bool was_created() const;
    const RecordType& type() const;          // as it is in the cell
    std::uint32_t history() const;           // how many values before the latest can be read
    std::uint32_t writers() const;           // how many handles may store at a time
    Result<ObjectInfo> info() const;
    Result<void> set_keep(bool keep) const;

    // The latest value; `out` may be shorter than the record. Returns its version. Never blocks. Errors: busy (for two seconds every
    // value was overwritten while it was copied), invalid_argument (out is longer than the record).
    Result<std::uint32_t> load(std::span<std::byte> out) const;

    // The value that was the latest at that version. Errors: not_found (it is overwritten by now, or was not stored yet).
    Result<void> load_version(std::uint32_t version, std::span<std::byte> out) const;

    // Makes these bytes the latest value; returns its version. The first store of a handle takes the role of a writer, which the
    // kernel takes back when the handle is closed or its process ends; as many handles as the cell has writers can have one. Never
    // waits for another writer, not for one that is stopped or killed in the middle either. Where others came first it begins again,
    // until the deadline; two seconds if there is none.
    // Errors: busy (others have the roles, or the deadline), permission_denied, invalid_argument (not the record's size).
    Result<std::uint32_t> store(std::span<const std::byte> value, std::optional<Deadline> deadline = {}) const;

    // Lets another handle have the role of a writer.
    void give_up_role() const;

    Result<std::uint32_t> version() const;
    // As Section::wait.
    Result<Wait> wait(std::uint32_t seen, Deadline deadline, WaitFor what = WaitFor::change) const;
    void close();

    const std::shared_ptr<internal::Object>& object() const { return object_; }
    const internal::CellSlots& slots() const { return slots_; }
    const internal::CellWriter& writer() const { return writer_; }

    // For Cell<T>: runs change(value, context) on a copy of the latest value and stores what it made of it, as one step: where
    // another writer came between, it runs again, on the value that is the latest then.
    Result<std::uint32_t> update(void (*change)(std::byte* value, void* context), void* context, std::optional<Deadline> deadline = {}) const;

  private:
    struct Mapping;
    static Result<RawCell> map(std::shared_ptr<internal::Object> object);
    std::shared_ptr<internal::Object> object_;
    std::shared_ptr<Mapping> mapping_;
    internal::CellSlots slots_;
    internal::CellWriter writer_;  // the role is in the mapping
};

// A cell of T's. As RawCell, with T for bytes.
template <Record T>
class Cell {
  public:
    Cell() = default;

    static Result<Cell> create(std::string_view name, const CellOptions& options = {}, Context& context = Context::standard()) {
        return made(type(), [&](const RecordType& type) { return RawCell::create(name, type, options, context); });
    }
    static Result<Cell> open(std::string_view name, const CellOpenOptions& options = {}, Context& context = Context::standard()) {
        return made(type(), [&](const RecordType& type) { return RawCell::open(name, type, options, context); });
    }
    static Result<Cell> open_or_create(std::string_view name, const CellOptions& options = {}, Context& context = Context::standard()) {
        return made(type(), [&](const RecordType& type) { return RawCell::open_or_create(name, type, options, context); });
    }

    // The latest value. Errors: as RawCell::load.
    Result<T> load() const {
        Result<T> value{tl::in_place};
        if (auto version = load(*value); !version) [[unlikely]] return tl::unexpected<Error>(std::move(version).error());
        return value;
    }

    // The same into `out`; returns its version.
    Result<std::uint32_t> load(T& out) const {
        const internal::CellSlots& slots = raw_.slots();
        if (raw_) [[likely]] {
            const std::uint32_t version = slots.version();
            if (slots.copy(version, &out, sizeof(T))) [[likely]] return version;
        }
        return raw_.load(std::as_writable_bytes(std::span(&out, 1)));
    }

    [[gnu::always_inline]] Result<std::uint32_t> store(const T& value) const {
        const std::uint32_t version = raw_.writer().store_quickly(raw_.slots(), &value, sizeof(T));
        if (version != internal::CellWriter::kNone) [[likely]] return version;
        return raw_.store(std::as_bytes(std::span(&value, 1)));
    }
    Result<std::uint32_t> store(const T& value, std::optional<Deadline> deadline) const { return raw_.store(std::as_bytes(std::span(&value, 1)), deadline); }

    // Changes the latest value by change(T&), as one step; with several writers it may be called several times. Errors: as store.
    template <typename Change>
        requires std::is_invocable_v<Change, T&>
    Result<std::uint32_t> update(Change&& change, std::optional<Deadline> deadline = {}) const {
        const auto call = [](std::byte* bytes, void* context) {
            T value;
            std::memcpy(&value, bytes, sizeof value);
            (*static_cast<std::remove_reference_t<Change>*>(context))(value);
            std::memcpy(bytes, &value, sizeof value);
        };
        return raw_.update(call, const_cast<void*>(static_cast<const void*>(&change)), deadline);
    }

    // The value of an earlier version. Errors: as RawCell::load_version.
    Result<T> load_version(std::uint32_t version) const {
        Result<T> value{tl::in_place};
        if (auto done = raw_.load_version(version, std::as_writable_bytes(std::span(&*value, 1))); !done) return tl::unexpected<Error>(std::move(done).error());
        return value;
    }

    Result<std::uint32_t> version() const { return raw_.version(); }
    Result<Wait> wait(std::uint32_t seen, Deadline deadline, WaitFor what = WaitFor::change) const { return raw_.wait(seen, deadline, what); }
    const RawCell& raw() const { return raw_; }
    explicit operator bool() const { return static_cast<bool>(raw_); }
    void close() { raw_.close(); }

  private:
    static Result<RecordType> type() { return RecordType::parse(record_format<T>()); }
    template <typename Make>
    static Result<Cell> made(Result<RecordType> type, const Make& make) {
        if (!type) return tl::unexpected<Error>(std::move(type).error());
        auto raw = make(*type);
        if (!raw) return tl::unexpected<Error>(std::move(raw).error());
        Cell cell;
        cell.raw_ = std::move(*raw);
        return cell;
    }
    RawCell raw_;
};

}  // namespace comap
