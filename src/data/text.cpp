// SPDX-License-Identifier: Apache-2.0
// The body of a text is four slots. The value of version v lies in slot v mod 4; a writer, alone under the lock, writes the
// next slot and then advances the object's version: that is the one step that makes it the value.
//
// A slot:                                   offset
//   version   u32, of the value in it            0   exact once the object has that version
//   length    u32, bytes                         4
//   zero                                         8
//   bytes     capacity, rounded up to 64        64
//
// A reader takes the slot of the current version, copies it, and looks at the version again: the slot is written next for
// version v+4, which begins only when v+3 is current. So up to v+2 what it copied is whole.
#include <comap/text.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>

#include "base/error.hpp"
#include "base/utf.hpp"
#include "object/object.hpp"
#include "sync/robust_lock.hpp"

namespace comap {
namespace {

using namespace internal;

using Word = std::uintptr_t;  // what slots are copied in: atomic, so that a reader and a writer may meet
static_assert(std::atomic_ref<Word>::is_always_lock_free);
constexpr Word kHighBits = static_cast<Word>(0x8080'8080'8080'8080u);
constexpr std::uint32_t kSafeAdvance = 2;  // versions by which the object may have moved on while a slot was copied
constexpr std::uint32_t kReadAttemptsMax = 64;

struct SlotHeader {
    std::uint32_t version;
    std::uint32_t length_bytes;
};

std::uint32_t load(std::uint32_t& field) { return std::atomic_ref(field).load(std::memory_order_relaxed); }
void store(std::uint32_t& field, std::uint32_t value) { std::atomic_ref(field).store(value, std::memory_order_relaxed); }

Word copy_word(char* target, Word& source) {
    const Word word = std::atomic_ref(source).load(std::memory_order_relaxed);
    std::memcpy(target, &word, sizeof word);
    return word;
}

// Copies out of shared memory; returns all bytes or-ed together (in each byte place of a word).
// REQUIRES: source is aligned and readable up to the next multiple of a word.
[[gnu::always_inline]] inline Word copy_out(char* target, const char* source, std::size_t size_bytes) {
    auto* words = reinterpret_cast<Word*>(const_cast<char*>(source));
    char* const end = target + size_bytes / sizeof(Word) * sizeof(Word);
    Word seen = 0;
    while (end - target >= static_cast<std::ptrdiff_t>(4 * sizeof(Word))) {  // for short values the loop costs more than the copying
        seen |= copy_word(target, words[0]) | copy_word(target + sizeof(Word), words[1]);
        seen |= copy_word(target + 2 * sizeof(Word), words[2]) | copy_word(target + 3 * sizeof(Word), words[3]);
        target += 4 * sizeof(Word);
        words += 4;
    }
    for (; target != end; target += sizeof(Word)) seen |= copy_word(target, *words++);
    if (const std::size_t rest_bytes = size_bytes % sizeof(Word); rest_bytes > 0) [[unlikely]] {
        Word word = std::atomic_ref(*words).load(std::memory_order_relaxed);
        word &= (Word{1} << (8 * rest_bytes)) - 1;
        seen |= word;
        std::memcpy(target, &word, rest_bytes);
    }
    return seen;
}

// Copies into shared memory from any place; a last part of a word is filled up with zeros. REQUIRES: target is aligned.
void copy_in(char* target, std::string_view source) {
    auto* words = reinterpret_cast<Word*>(target);
    while (!source.empty()) {
        Word word = 0;
        const std::size_t part = std::min(source.size(), sizeof word);
        std::memcpy(&word, source.data(), part);
        std::atomic_ref(*words++).store(word, std::memory_order_relaxed);
        source.remove_prefix(part);
    }
}

// Bytes to add at any place of a slot that nobody reads yet.
void append_in(char* slot_bytes, std::size_t at, std::string_view source) {
    const std::size_t inside = at % sizeof(Word);
    if (inside == 0) return copy_in(slot_bytes + at, source);
    auto& word = *reinterpret_cast<Word*>(slot_bytes + at - inside);
    Word mixed = std::atomic_ref(word).load(std::memory_order_relaxed);
    const std::size_t part = std::min(source.size(), sizeof mixed - inside);
    std::memcpy(reinterpret_cast<char*>(&mixed) + inside, source.data(), part);
    std::atomic_ref(word).store(mixed, std::memory_order_relaxed);
    copy_in(slot_bytes + at - inside + sizeof mixed, source.substr(part));
}

tl::unexpected<Error> closed() { return fail(Code::invalid_argument, 0, "", "this text handle is closed"); }

NewObject text_of(const TextOptions& options) {
    NewObject wanted;
    wanted.layout = Layout::text;
    wanted.capacity_bytes = options.capacity_bytes;
    wanted.size_bytes = text_body_bytes(options.capacity_bytes);
    wanted.options.mode = options.mode;
    wanted.options.keep = options.keep;
    return wanted;
}

Result<void> check_capacity(std::string_view name, const TextOptions& options) {
    if (options.capacity_bytes >= 1 && options.capacity_bytes <= kTextCapacityMax) return {};
    return fail(Code::invalid_argument, 0, name, "the capacity of the text '", shown(name), "' is ", options.capacity_bytes,
                " bytes; it must be from 1 to ", kTextCapacityMax);
}

}  // namespace

// This handle's view of the slots.
struct Text::Mapping {
    std::shared_ptr<Object> object;
    HeaderPage* page = nullptr;
    os::Mapping map;   // of the whole body
    char* slots = nullptr;
    std::uint64_t slot_bytes = 0;
    std::uint32_t capacity_bytes = 0;
    RobustLockOnDemand lock;

    char* slot(std::uint32_t version) const { return slots + (version % kTextSlotCount) * slot_bytes; }
    static SlotHeader& header(char* slot) { return *reinterpret_cast<SlotHeader*>(slot); }
    static char* bytes(char* slot) { return slot + kTextSlotHeaderBytes; }

    std::uint32_t version() const { return current_version(page->change); }

    // Whether a slot of that version that was just read was whole.
    bool was_whole(std::uint32_t version) const {
        // SYNC text.check: what was copied was loaded before the version is looked at again; pairs with text.overwrite.
        std::atomic_thread_fence(std::memory_order_acquire);
        const std::uint32_t now = version_of(page->change.change.load(std::memory_order_relaxed));
        return ((now - version) & kVersionMask) <= kSafeAdvance;
    }

    tl::unexpected<Error> corrupt(std::string_view what) const {
        return fail(Code::corrupt, 0, object->name(), "the text '", shown(object->name()), "' is damaged: ", what, "; set it anew");
    }
    tl::unexpected<Error> too_long(std::size_t length, std::string_view what, std::size_t room) const {
        return fail(Code::too_long, 0, object->name(), "the value of '", shown(object->name()), "' has ", length, " bytes, ", what, " ", room);
    }

    Result<RobustLock*> writer_lock();
    template <typename Write>
    Result<std::uint32_t> write(Deadline deadline, const Write& write_slot);
    // What became of an attempt to copy a value out.
    enum class Copied : std::uint8_t { whole, misplaced, too_long, not_utf8 };
    template <typename Copy>
    Result<TextLength> read(std::size_t room_bytes, const Copy& copy) const;
    [[gnu::cold]] tl::unexpected<Error> unreadable(Copied copied, std::size_t length, std::size_t room_bytes) const;

    // `seen`: the bytes of the copy, or-ed together.
    static Copied check(Word seen, std::string_view copy) {
        return (seen & kHighBits) == 0 || !first_invalid_utf8(copy) ? Copied::whole : Copied::not_utf8;
    }
};

Result<RobustLock*> Text::Mapping::writer_lock() {
    const auto writers = lock.get(object->descriptor(), 0);
    if (!writers) return object->cannot_lock(writers.error(), cat("the text '", shown(object->name()), "'"), "written");
    return *writers;
}

// Runs write_slot(old slot, new slot) under the lock; what it returns is the length of the new value.
template <typename Write>
Result<std::uint32_t> Text::Mapping::write(Deadline deadline, const Write& write_slot) {
    COMAP_TRY(object->require_writable("written"));
    COMAP_GET(RobustLock* const writers, writer_lock());
    Ended locked = writers->lock(deadline);
    while (locked == Ended::interrupted) locked = writers->lock(deadline);
    if (locked == Ended::corrupt) return corrupt("its lock word was overwritten");
    if (locked == Ended::timed_out)
        return fail(Code::busy, 0, object->name(), "the text '", shown(object->name()),
                    "' is being written by a process that does not finish (is it stopped?); try again, or end that process");
    struct Unlock {
        RobustLock* lock;
        ~Unlock() { lock->unlock(); }
    } const unlock{writers};
    // An owner that died left at worst a slot half written that no version has reached: nothing to repair.
    const std::uint32_t old_version = version();
    const std::uint32_t new_version = (old_version + 1) & kVersionMask;
    char* const target = slot(new_version);
    // SYNC text.overwrite: the versions so far are seen by whoever sees any of the bytes below; pairs with text.check.
    std::atomic_thread_fence(std::memory_order_release);
    store(header(target).version, new_version);
    COMAP_GET(const std::size_t length, write_slot(slot(old_version), target));
    store(header(target).length_bytes, static_cast<std::uint32_t>(length));
    COMAP_TRY(object->publish());
    return new_version;
}

tl::unexpected<Error> Text::Mapping::unreadable(Copied copied, std::size_t length, std::size_t room_bytes) const {
    if (copied == Copied::too_long) return too_long(length, "the caller's buffer has", room_bytes);
    return corrupt(copied == Copied::not_utf8 ? "its value is not UTF-8" : "its current value is not where it must be");
}

// Runs copy(slot bytes, length) until it has copied a whole value, of at most room_bytes.
template <typename Copy>
Result<TextLength> Text::Mapping::read(std::size_t room_bytes, const Copy& copy) const {
    Deadline patience = Deadline::forever();
    for (std::uint32_t attempt = 0;; ++attempt) {
        const std::uint32_t now = version();
        char* const from = slot(now);
        const std::uint32_t slot_version = load(header(from).version);
        const std::size_t length = load(header(from).length_bytes);
        Copied copied = Copied::misplaced;
        if (slot_version == now && length <= capacity_bytes) copied = length <= room_bytes ? copy(bytes(from), length) : Copied::too_long;
        if (was_whole(now)) [[likely]] {
            if (copied == Copied::whole) [[likely]] return TextLength{length, now};
            return unreadable(copied, length, room_bytes);
        }
        // The writers were faster by three values. Each of them was whole when it was current: the next try has as good
        // a chance as this one; after many, let others run.
        if (attempt < kReadAttemptsMax) continue;
        if (attempt == kReadAttemptsMax) patience = default_deadline();
        if (patience.is_over())
            return fail(Code::busy, 0, object->name(), "the text '", shown(object->name()), "' is changed faster than it can be read; do its writers work properly?");
        os::pause_briefly(attempt - kReadAttemptsMax);
    }
}

Text::Text(std::shared_ptr<Mapping> mapping) : object_(mapping->object), mapping_(std::move(mapping)) {}
Text::~Text() { close(); }
Text::Text(Text&& other) noexcept = default;
Text& Text::operator=(Text&& other) noexcept = default;

Result<Text> Text::map(std::shared_ptr<Object> object) {
    COMAP_TRY(object->require_layout(Layout::text));
    auto mapping = std::make_shared<Mapping>();
    COMAP_GET(mapping->page, object->page());
    const bool writes = object->access() == Access::read_write;
    COMAP_GET(mapping->map, object->map_body(0, object->header().size_bytes, writes ? os::MapMode::read_write : os::MapMode::read_only, false));
    mapping->slots = static_cast<char*>(mapping->map.address()) + (mapping->map.size_bytes() - object->header().size_bytes);
    mapping->slot_bytes = text_slot_bytes(object->header().capacity_bytes);
    mapping->capacity_bytes = static_cast<std::uint32_t>(object->header().capacity_bytes);
    mapping->object = std::move(object);
    return Text(std::move(mapping));
}

Result<Text> Text::create(std::string_view name, const TextOptions& options, Context& context) {
    COMAP_TRY(check_capacity(name, options));
    COMAP_GET(auto object, Object::create(context.namespaces(), name, text_of(options)));
    return map(std::move(object));
}

Result<Text> Text::open(std::string_view name, const OpenOptions& options, Context& context) {
    COMAP_GET(auto object, Object::open(context.namespaces(), name, options));
    return map(std::move(object));
}

Result<Text> Text::open_or_create(std::string_view name, const TextOptions& options, Context& context) {
    COMAP_TRY(check_capacity(name, options));
    COMAP_GET(auto object, Object::open_or_create(context.namespaces(), name, text_of(options)));
    return map(std::move(object));
}

const std::string& Text::name() const {
    static const std::string none;
    return object_ ? object_->name() : none;
}

bool Text::was_created() const { return object_ && object_->was_created(); }
std::uint32_t Text::capacity_bytes() const { return mapping_ ? mapping_->capacity_bytes : 0; }
Result<ObjectInfo> Text::info() const { return object_ ? object_->info() : closed(); }
Result<void> Text::set_keep(bool keep) { return object_ ? object_->set_keep(keep) : closed(); }
Result<std::uint32_t> Text::version() const { return object_ ? object_->version() : closed(); }
Deadline Text::default_deadline() { return Deadline::after(std::chrono::seconds(2)); }

Result<Wait> Text::wait(std::uint32_t seen, Deadline deadline, WaitFor what) const {
    return object_ ? object_->wait(seen, deadline, what) : closed();
}

void Text::close() {
    mapping_.reset();
    object_.reset();
}

Result<std::uint32_t> Text::set(std::string_view value, Deadline deadline) const {
    if (!mapping_) return closed();
    if (value.size() > mapping_->capacity_bytes) return mapping_->too_long(value.size(), "its capacity is", mapping_->capacity_bytes);
    if (const auto at = first_invalid_utf8(value))
        return fail(Code::invalid_argument, 0, name(), "the value for '", shown(name()), "' is not UTF-8 (from byte ", *at, " on)");
    return mapping_->write(deadline, [&](char*, char* target) -> Result<std::size_t> {
        copy_in(Mapping::bytes(target), value);
        return value.size();
    });
}

Result<std::uint32_t> Text::append(std::string_view value, Deadline deadline) const {
    if (!mapping_) return closed();
    if (const auto at = first_invalid_utf8(value))
        return fail(Code::invalid_argument, 0, name(), "the value for '", shown(name()), "' is not UTF-8 (from byte ", *at, " on)");
    return mapping_->write(deadline, [&](char* old, char* target) -> Result<std::size_t> {
        const std::size_t length = load(Mapping::header(old).length_bytes);
        if (length > mapping_->capacity_bytes) return mapping_->corrupt("its current value is not where it must be");
        if (value.size() > mapping_->capacity_bytes - length)
            return mapping_->too_long(length + value.size(), "with what is added; its capacity is", mapping_->capacity_bytes);
        const char* const from = Mapping::bytes(old);
        for (std::size_t done = 0; done < length; done += sizeof(Word)) {
            auto& word = *reinterpret_cast<Word*>(const_cast<char*>(from) + done);
            auto& copy = *reinterpret_cast<Word*>(Mapping::bytes(target) + done);
            std::atomic_ref(copy).store(std::atomic_ref(word).load(std::memory_order_relaxed), std::memory_order_relaxed);
        }
        append_in(Mapping::bytes(target), length, value);
        return length + value.size();
    });
}

Result<TextLength> Text::get(std::span<char> out) const {
    if (!mapping_) return closed();
    return mapping_->read(out.size(), [&](const char* from, std::size_t length) {
        const Word seen = copy_out(out.data(), from, length);
        return Mapping::check(seen, {out.data(), length});
    });
}

Result<TextValue> Text::get() const {
    if (!mapping_) return closed();
    TextValue out;
    const auto read = mapping_->read(mapping_->capacity_bytes, [&](const char* from, std::size_t length) {
        out.value.resize(length);
        const Word seen = copy_out(out.value.data(), from, length);
        return Mapping::check(seen, out.value);
    });
    if (!read) return tl::unexpected<Error>(read.error());
    out.version = read->version;
    return out;
}

}  // namespace comap
