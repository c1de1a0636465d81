// SPDX-License-Identifier: Apache-2.0
#include "board.hpp"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <new>

namespace comap::race {
namespace {

// All statements have one order that everybody agrees on; that is what makes them comparable.
constexpr auto kOrder = std::memory_order_seq_cst;

bool is_odd(std::uint64_t count) { return count % 2 == 1; }

}  // namespace

void Slot::begin(std::uint64_t held_inode) {
    inode.store(held_inode, kOrder);
    count.fetch_add(1, kOrder);
}

void Slot::end() { count.fetch_add(1, kOrder); }

void Slot::clear() {
    if (is_odd(count.load(kOrder))) end();
    doomed.store(0, kOrder);
}

Board& Board::make() {
    void* const memory = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        std::perror("mmap");
        std::exit(2);
    }
    return *::new (memory) Board{};
}

void Board::report(const std::string& what) {
    std::uint32_t none = 0;
    if (violated.compare_exchange_strong(none, 1, kOrder)) {
        std::snprintf(violation, sizeof violation, "%s", what.c_str());
        violated.store(2, kOrder);
    }
    over.store(1, kOrder);
}

Snapshot::Snapshot(const Board& board) {
    stops_ended_ = board.stops_ended.load(kOrder);
    for (std::size_t i = 0; i < kSlotCount; ++i) {
        const Slot& slot = board.slots[i];
        const std::uint64_t count = slot.count.load(kOrder);
        if (!is_odd(count)) continue;
        inodes_[i] = slot.inode.load(kOrder);
        if (slot.count.load(kOrder) == count && slot.doomed.load(kOrder) == 0) counts_[i] = count;
    }
}

// Its process lives or the count has changed; `doomed` is set before a kill, and cleared only after the count was changed.
bool Snapshot::still_held(const Board& board, std::size_t slot) const {
    return counts_[slot] != 0 && board.slots[slot].doomed.load(kOrder) == 0 && board.slots[slot].count.load(kOrder) == counts_[slot];
}

void Snapshot::check_found(Board& board, std::uint64_t inode, const char* call) const {
    for (std::size_t i = 0; i < kSlotCount; ++i)
        if (still_held(board, i) && inodes_[i] != inode)
            board.report(std::string(call) + " led to inode " + std::to_string(inode) + " while " + describe_slot(i) + " held inode " +
                         std::to_string(inodes_[i]) + " all the time");
}

void Snapshot::check_missing(Board& board, const char* call) const {
    for (std::size_t i = 0; i < kSlotCount; ++i)
        if (still_held(board, i))
            board.report(std::string(call) + " although " + describe_slot(i) + " held inode " + std::to_string(inodes_[i]) + " all the time");
}

void Snapshot::check_busy(Board& board, const char* call) const {
    const bool somebody_was_stopped = board.stops_begun.load(kOrder) > stops_ended_;
    if (!somebody_was_stopped) board.report(std::string(call) + " gave up as busy although nobody was stopped");
    board.add(board.busy);
}

bool nobody_holds(const Board& board) {
    for (const Slot& slot : board.slots)
        if (is_odd(slot.count.load(kOrder))) return false;
    return true;
}

void check_all_hold(Board& board, std::uint64_t inode) { Snapshot(board).check_found(board, inode, "a hold"); }

std::string describe_slot(std::size_t slot) {
    if (slot == kKeepSlot) return "the keep bit";
    if (slot >= kWorkerCount) return "forked child " + std::to_string(slot - kWorkerCount);
    return "worker " + std::to_string(slot);
}

}  // namespace comap::race
