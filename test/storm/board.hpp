// SPDX-License-Identifier: Apache-2.0
// The books of the storm: anonymous shared memory in which every thread says what it has and what it is about to do, so that
// after a kill the parent knows what the dead one had. It is for checking only; nothing under test uses it.
//
// A thread says "taking" before the call and "having" after it, "giving" before the call and "nothing" after it. So one killed
// while it says "having" had the thing for certain, one killed in a call had it or not.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace comap::storm {

inline constexpr std::size_t kProcessCount = 4;
inline constexpr std::size_t kThreadCount = 3;  // of a process at most
inline constexpr std::size_t kWorkerSlotCount = kProcessCount * kThreadCount;
inline constexpr std::size_t kParentSlot = kWorkerSlotCount;
inline constexpr std::size_t kSlotCount = kWorkerSlotCount + 1;

// What there is to take, as bits of a set.
enum Thing : std::uint32_t { kMutex = 0, kEvent = 1, kSemaphore = 2 };
inline constexpr std::size_t kThingCount = 3;
constexpr std::uint32_t bit(Thing thing) { return 1u << thing; }

enum class Says : std::uint32_t { nothing, taking, having, giving };

// What a thread says of all three, in one word.
class Saying {
  public:
    constexpr explicit Saying(std::uint32_t word = 0) : word_(word) {}
    constexpr std::uint32_t word() const { return word_; }
    constexpr Says of(Thing thing) const { return static_cast<Says>(word_ >> 2 * thing & 3); }
    constexpr Saying with(Thing thing, Says says) const { return Saying((word_ & ~(3u << 2 * thing)) | static_cast<std::uint32_t>(says) << 2 * thing); }
    constexpr bool is(Thing thing, Says says) const { return of(thing) == says; }
    constexpr bool is_unsure(Thing thing) const { return is(thing, Says::taking) || is(thing, Says::giving); }
    constexpr Saying with_all_or_none() const { return Saying(word_ | kAllOrNone); }
    constexpr bool is_all_or_none() const { return (word_ & kAllOrNone) != 0; }

  private:
    static constexpr std::uint32_t kAllOrNone = 1u << 2 * kThingCount;  // it is in wait_all
    std::uint32_t word_;
};

struct alignas(64) Slot {
    std::atomic<std::uint32_t> saying;
    std::atomic<std::uint32_t> begun;       // its thread has opened everything
    std::atomic<std::uint32_t> parked_at;   // number of the break that it rests in; 0: it works
    std::atomic<std::int32_t> thread;       // its number, as the kernel shows it
    std::atomic<std::uint64_t> operations;  // of this life

    Saying says() const { return Saying(saying.load(std::memory_order_seq_cst)); }
};

// One thread of one process's life: serial << 8 | slot.
constexpr std::uint64_t life_of(std::uint32_t serial, std::size_t slot) { return std::uint64_t{serial} << 8 | slot; }

struct Board {
    std::array<Slot, kSlotCount> slots;
    std::array<std::atomic<std::uint32_t>, kProcessCount> doomed;  // the last serial of that place that was killed; set before

    // The mutex's journal: life << 1 | 1 while that thread owns it, life << 1 once it is about to unlock. Who gets the mutex
    // from one that had not said so must be told that it is abandoned.
    std::atomic<std::uint64_t> journal;
    std::atomic<std::uint64_t> inside;         // life of who is between lock and unlock
    std::atomic<std::uint64_t> told_of_owner;  // abandonments told of one that owned it for certain
    std::atomic<std::uint64_t> told_of_other;  // of one that was killed in a call, by what the journal says
    std::uint64_t first = 0;                   // what the mutex protects: equal outside it
    std::uint64_t second = 0;

    // Bits, one for each token that there is: who has a token takes a bit, and must find one free.
    std::array<std::atomic<std::uint32_t>, kThingCount> places;
    std::array<std::uint32_t, kThingCount> all_places{};

    std::atomic<std::uint32_t> pause;  // number of the break in which everybody is to rest; 0: none
    std::atomic<std::uint32_t> over;
    std::atomic<std::uint64_t> taken, timed_out, interrupted;
    std::atomic<std::uint32_t> violated;  // 1: being written, 2: `violation` can be read
    char violation[600];

    static Board& make();  // shared with all children; never freed

    void report(const std::string& what);  // the first is kept; everybody ends
    bool is_over() const { return over.load(std::memory_order_seq_cst) != 0; }
    bool has_violation() const { return violated.load(std::memory_order_seq_cst) != 0; }
    bool is_doomed(std::uint64_t life) const;
};

std::string describe(Saying saying);

}  // namespace comap::storm
