// SPDX-License-Identifier: Apache-2.0
// Storing in a cell: the latest value of a record, in slots. Reading, and the lone writer's quickest store, are in
// <comap/cell.hpp>, for they take no call.
//
// One writer: the value of version v lies in slot v mod the number of slots S. He writes the slot of v+1, then publishes: by plain
// stores while nobody sleeps on the cell or watches it (sync/change_word.hpp, the storing word).
//
// Several writers: each has a *place*, S slots of his own that nobody else writes. Which slot has the value of version v is said
// by entry v mod S of the directory (64 bits, exact):
//   bits 0..31   version
//   bits 32..63  index of the slot, of those of all places
// A store fills a slot of its place, claims the next version v+1 by compare-and-swap of the entry, and advances the change word from
// v to v+1 by compare-and-swap. Whoever finds v+1 claimed and the change word still at v advances it himself and goes on with v+2.
// So nobody waits for anybody: one who is stopped or killed has claimed nothing, or what others complete for him.
//   - The entry of v+1 is claimed only while the version is v: the claimer looks at the version again after the entry and swaps
//     exactly what he saw, and an entry never has the same contents twice (but after 2^31 versions).
//   - The entries of v-S+2 to v are still there when the version is v: so old a value can be read.
//   - A writer fills his slots in turn. When it is a slot's turn, S-1 later values of his own are in others: it is older than
//     the oldest version that can be read. The next owner of a place takes first the slots that no such version refers to, then
//     the others by age.
// Advancing and waking are two steps here: one who dies or is stopped between them leaves others asleep. Those look again every 50 ms.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <comap/cell.hpp>

#include "os/machine.hpp"
#include "sync/change_word.hpp"

namespace comap::internal {

template <typename Machine>
struct CellSlotsOn {
    using Type = BasicCellSlots<Machine>;
};
template <>
struct CellSlotsOn<os::Machine> {
    using Type = CellSlots;
};

// A cell as a process that stores in it sees it.
template <typename Machine>
struct CellWords {
    typename CellSlotsOn<Machine>::Type slots;
    BasicChangeWords<Machine>* words = nullptr;
    bool always_wakes = false;
    int descriptor = -1;
    std::size_t record_bytes = 0;
};

// The lone writer's store where somebody may wait; returns its version. `last`: as for publish().
template <typename Machine>
std::uint32_t store_alone(const CellWords<Machine>& cell, std::atomic<std::uint32_t>& last, const void* value) {
    const std::uint32_t next = (current_version(*cell.words) + 1) & kVersionMask;
    cell.slots.fill(cell.slots.slot(next & cell.slots.slot_mask), value, cell.record_bytes);
    cell.slots.storing->store(next * kOneVersion, std::memory_order_relaxed);
    publish(*cell.words, last, cell.always_wakes, cell.descriptor);
    return next;
}

// Whether the directory denies what the change word says: then somebody wrote over one of them.
template <typename Slots>
bool denies_version(const Slots& slots, std::uint32_t version) {
    std::uint32_t slot = 0;
    if (slots.find(version, slot)) return false;
    // SYNC cell.deny: an entry of a later version comes with the version before that; pairs with cell.claim.
    std::atomic_thread_fence(std::memory_order_acquire);
    return slots.version() == version;
}

inline std::uint64_t cell_entry(std::uint32_t version, std::uint32_t slot) { return std::uint64_t{slot} << 32 | version; }
inline std::uint32_t version_of_entry(std::uint64_t entry) { return static_cast<std::uint32_t>(entry); }
inline std::uint32_t slot_of_entry(std::uint64_t entry) { return static_cast<std::uint32_t>(entry >> 32); }

// Tells those who watch by descriptor.
template <typename Machine>
void tell_watchers(const CellWords<Machine>& cell) {
    // SYNC watch.look: the version is advanced before the watch word is read; pairs with watch.arm.
    const std::uint32_t watch = cell.words->watch.load(std::memory_order_seq_cst);
    if (cell.always_wakes || (watch & kArmed) != 0) [[unlikely]] notify_watchers(*cell.words, watch, cell.descriptor);
}

// Makes the claimed version after `from` the latest, unless another has; wakes and tells those who wait for it.
template <typename Machine>
void advance_version(const CellWords<Machine>& cell, std::uint32_t from) {
    auto& change = cell.words->change;
    std::uint32_t seen = change.load(std::memory_order_acquire);
    while (version_of(seen) == from) {
        // SYNC change.publish: the value and its entry are seen with the new version; pairs with change.seen.
        if (!change.compare_exchange_weak(seen, seen + kOneVersion, std::memory_order_seq_cst, std::memory_order_acquire)) continue;
        if (cell.always_wakes) Machine::wake(change, true);
        else if ((seen & kSleeper) != 0) Machine::clear_bit_and_wake_all(change, kSleeperBit);
        break;
    }
    tell_watchers(cell);
}

enum class CellStored : std::uint8_t {
    stored,
    again,      // another writer came first; the next attempt may do
    overtaken,  // the latest version is not the one that was asked for
};

// What the owner of a place knows about his slots. In the process's own memory; for one thread at a time.
template <typename Machine>
class CellPlace {
  public:
    // REQUIRES: the place is the caller's from now on, and its last owner does nothing any more.
    void take(const CellWords<Machine>& cell, std::uint32_t place) {
        const std::uint32_t count = cell.slots.slot_mask + 1;
        const std::uint32_t first = place * count;
        const std::uint32_t now = current_version(*cell.words);
        is_referred_to_.assign(count, false);
        by_age_.clear();
        // From what may be claimed already to the oldest that can be read, which are all that fit into the directory.
        for (std::uint32_t age = 0; age < count; ++age) {
            const std::uint32_t version = (now + 1 - age) & kVersionMask;
            // SYNC cell.inherit: no order is needed, as the slots are not read here; no partner.
            const std::uint64_t entry = cell.slots.directory[version & cell.slots.slot_mask].load(std::memory_order_relaxed);
            const std::uint32_t own = slot_of_entry(entry) - first;
            if (version_of_entry(entry) != version || own >= count || is_referred_to_[own]) continue;
            is_referred_to_[own] = true;
            by_age_.push_back(first + own);
        }
        turns_.clear();
        for (std::uint32_t own = 0; own < count; ++own)
            if (!is_referred_to_[own]) turns_.push_back(first + own);
        turns_.insert(turns_.end(), by_age_.rbegin(), by_age_.rend());
        turn_ = 0;
    }

    // One store, in as many attempts as it takes.
    class Store {
      public:
        Store(CellPlace& place, const CellWords<Machine>& cell, const void* value) : place_(place), cell_(cell), value_(value) {}

        // `after`: the version that must be the latest until then, if any.
        CellStored attempt(const std::uint32_t* after, std::uint32_t& version) {
            const std::uint32_t now = current_version(*cell_.words);
            const std::uint32_t next = (now + 1) & kVersionMask;
            auto& entry = cell_.slots.directory[next & cell_.slots.slot_mask];
            // SYNC cell.help: the claimed value is seen before its version is published here, and the version that it was claimed at
            // below; pairs with cell.claim.
            std::uint64_t seen = entry.load(std::memory_order_acquire);
            if (version_of_entry(seen) == next) {
                advance_version(cell_, now);
                return CellStored::again;
            }
            if (current_version(*cell_.words) != now) return CellStored::again;  // what was seen may be a later claim
            if (after != nullptr && *after != now) return CellStored::overtaken;
            if (!is_filled_) cell_.slots.fill(cell_.slots.slot(place_.slot()), value_, cell_.record_bytes);
            is_filled_ = true;
            // SYNC cell.claim: the value is complete, and the version before was seen; pairs with cell.help, cell.deny.
            if (!entry.compare_exchange_strong(seen, cell_entry(next, place_.slot()), std::memory_order_release, std::memory_order_relaxed))
                return CellStored::again;
            place_.go_on();
            advance_version(cell_, now);
            version = next;
            return CellStored::stored;
        }

      private:
        CellPlace& place_;
        const CellWords<Machine>& cell_;
        const void* value_;
        bool is_filled_ = false;  // and not claimed yet: nobody refers to it
    };

  private:
    std::uint32_t slot() const { return turns_[turn_]; }
    void go_on() { turn_ = turn_ + 1 < turns_.size() ? turn_ + 1 : 0; }

    std::vector<std::uint32_t> turns_;  // our slots, in the order in which they are filled
    std::size_t turn_ = 0;
    std::vector<bool> is_referred_to_;  // what follows is for take() only
    std::vector<std::uint32_t> by_age_;
};

}  // namespace comap::internal
