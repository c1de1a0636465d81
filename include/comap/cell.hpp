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
#include <comap/section.hpp>

namespace comap {

struct CellOptions {
    std::uint32_t history = 0;   // how many values before the latest can be read; at most kCellHistoryMax
    bool many_writers = false;   // each store takes a lock that survives its owner; else one handle at a time may store, without one
    std::uint32_t mode = 0600;
    bool keep = false;
};
inline constexpr std::uint32_t kCellHistoryMax = 65'533;

// What is asked of a cell that is there already.
struct CellOpenOptions : OpenOptions {
    bool allow_longer = false;  // the record may have more fields behind those that this program knows; only for reading
};

namespace internal {

// Where the values are, for reading without a call.
struct CellSlots {
    const std::atomic<std::uint32_t>* change = nullptr;
    std::byte* slots = nullptr;
    std::uint32_t slot_mask = 0;
    std::uint64_t slot_bytes = 0;

    using Word = std::uintptr_t;
    static constexpr std::uint32_t kVersions = 0x7fff'ffffu;

    // The value of that version, if its slot was not written anew meanwhile. REQUIRES: out has size_bytes.
    [[gnu::always_inline]] bool copy(std::uint32_t version, void* out, std::size_t size_bytes) const {
        auto* const words = reinterpret_cast<Word*>(slots + (version & slot_mask) * slot_bytes);
        auto* const target = static_cast<std::byte*>(out);
        std::size_t done = 0;
        for (; size_bytes - done >= sizeof(Word); done += sizeof(Word)) {
            const Word word = std::atomic_ref(words[done / sizeof(Word)]).load(std::memory_order_relaxed);
            std::memcpy(target + done, &word, sizeof word);
        }
        if (done < size_bytes) {
            const Word word = std::atomic_ref(words[done / sizeof(Word)]).load(std::memory_order_relaxed);
            std::memcpy(target + done, &word, size_bytes - done);
        }
        // SYNC cell.check: what was copied was loaded before the version is looked at again; pairs with cell.overwrite.
        std::atomic_thread_fence(std::memory_order_acquire);
        const std::uint32_t now = change->load(std::memory_order_relaxed) >> 1;
        return ((now - version) & kVersions) < slot_mask;  // the writer works in the slot after the latest
    }

    [[gnu::always_inline]] std::uint32_t version() const {
        return change->load(std::memory_order_acquire) >> 1;  // SYNC cell.read: pairs with change.publish
    }
};

}  // namespace internal

// A cell whose record is known when the program runs: the value is its bytes. The const functions may be called by several
// threads at once; storing in a cell that has not many writers is for one thread at a time.
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
    bool has_many_writers() const;
    Result<ObjectInfo> info() const;
    Result<void> set_keep(bool keep) const;

    // The latest value; `out` may be shorter than the record. Returns its version. Never blocks. Errors: busy (for two seconds every
    // value was overwritten while it was copied), invalid_argument (out is longer than the record).
    Result<std::uint32_t> load(std::span<std::byte> out) const;

    // The value that was the latest at that version. Errors: not_found (it is overwritten by now, or was not stored yet).
    Result<void> load_version(std::uint32_t version, std::span<std::byte> out) const;

    // Makes these bytes the latest value; returns its version. The first store of a handle takes the writer's role, which the kernel
    // takes back when the handle is closed or its process ends. With many writers: blocks on the others until the deadline; two
    // seconds if there is none.
    // Errors: busy (another handle has the role, or the deadline), permission_denied, invalid_argument (not the record's size).
    Result<std::uint32_t> store(std::span<const std::byte> value, std::optional<Deadline> deadline = {}) const;

    // Lets another handle have the writer's role.
    void give_up_role() const;

    Result<std::uint32_t> version() const;
    // As Section::wait.
    Result<Wait> wait(std::uint32_t seen, Deadline deadline, WaitFor what = WaitFor::change) const;
    void close();

    const std::shared_ptr<internal::Object>& object() const { return object_; }
    const internal::CellSlots& slots() const { return slots_; }

    // For Cell<T>: runs change(value, context) on a copy of the latest value, alone among writers, and stores what it made of it.
    Result<std::uint32_t> update(void (*change)(std::byte* value, void* context), void* context, std::optional<Deadline> deadline = {}) const;

  private:
    struct Mapping;
    static Result<RawCell> map(std::shared_ptr<internal::Object> object);
    std::shared_ptr<internal::Object> object_;
    std::shared_ptr<Mapping> mapping_;
    internal::CellSlots slots_;
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

    Result<std::uint32_t> store(const T& value, std::optional<Deadline> deadline = {}) const {
        return raw_.store(std::as_bytes(std::span(&value, 1)), deadline);
    }

    // Changes the latest value by change(T&), as one step. Errors: as store.
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
