// SPDX-License-Identifier: Apache-2.0
// The scoreboard of the races: anonymous shared memory in which each process says what it holds, so that the others can see
// when the library contradicts it. It is for checking only; nothing under test uses it.
//
// A process says that it holds an object after the library gave it, and takes that back before it lets go. So whatever the
// board says is held is really held, and two statements about the same moment that exclude each other are a violation.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace comap::race {

inline constexpr const char* kName = "it";
inline constexpr std::size_t kWorkerCount = 8;
inline constexpr std::size_t kChildSlotCount = 24;  // children that workers fork
inline constexpr std::size_t kSlotCount = kWorkerCount + kChildSlotCount + 1;
inline constexpr std::size_t kKeepSlot = kSlotCount - 1;  // the sticky bit, which is as good as a holder

// What one process says that it holds. Only its process writes count and inode.
struct alignas(64) Slot {
    std::atomic<std::uint64_t> count;   // odd: holds `inode`. Counted up at the begin and at the end of each hold.
    std::atomic<std::uint64_t> inode;
    std::atomic<std::uint32_t> doomed;  // set before its process is killed: what it says counts no more
    std::atomic<std::uint32_t> taken;   // child slots: somebody uses it

    void begin(std::uint64_t held_inode);
    void end();
    void clear();  // by the one who killed its process, after its end
};

struct Board {
    std::array<Slot, kSlotCount> slots;
    std::atomic<std::uint64_t> generations;  // objects made
    std::atomic<std::uint64_t> found;        // objects opened that were there
    std::atomic<std::uint64_t> missing;      // opens that found none
    std::atomic<std::uint64_t> rounds;       // of all workers
    std::atomic<std::uint64_t> busy, kills, stops, forks, removals, keeps;
    std::atomic<std::uint64_t> stops_begun, stops_ended;
    std::atomic<std::uint32_t> keep_claim;   // worker + 1 that may set and clear the sticky bit now
    std::atomic<std::uint32_t> over;         // everybody ends
    std::atomic<std::uint32_t> phase, arrived;  // of scenarios that go step by step
    std::atomic<std::uint32_t> violated;     // 1: being written, 2: `violation` can be read
    char violation[600];

    static Board& make();  // shared with all children; never freed

    // The first violation is kept; everybody ends.
    void report(const std::string& what);
    bool is_over() const { return over.load(std::memory_order_seq_cst) != 0; }
    bool has_violation() const { return violated.load(std::memory_order_seq_cst) != 0; }

    void add(std::atomic<std::uint64_t>& counter) { counter.fetch_add(1, std::memory_order_relaxed); }
};

// Who held what before a call.
class Snapshot {
  public:
    explicit Snapshot(const Board& board);

    // Checks what a call said against those who held an object from before it until now.
    void check_found(Board& board, std::uint64_t inode, const char* call) const;  // it found this object
    void check_missing(Board& board, const char* call) const;                     // it found none, made one, or removed one
    void check_busy(Board& board, const char* call) const;                        // it gave up

  private:
    bool still_held(const Board& board, std::size_t slot) const;
    std::array<std::uint64_t, kSlotCount> counts_{};  // 0: it held nothing
    std::array<std::uint64_t, kSlotCount> inodes_{};
    std::uint64_t stops_ended_ = 0;
};

// Everybody who holds something now holds this object. REQUIRES: the caller holds it and its slot says so.
void check_all_hold(Board& board, std::uint64_t inode);

bool nobody_holds(const Board& board);

std::string describe_slot(std::size_t slot);

}  // namespace comap::race
