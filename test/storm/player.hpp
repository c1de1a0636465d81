// SPDX-License-Identifier: Apache-2.0
// One thread that takes and gives a mutex, an event and a semaphore, keeps the books about it, and checks what it is told.
#pragma once

#include <cstdint>
#include <string>

#include <comap/comap.hpp>

#include "board.hpp"

namespace comap::storm {

inline constexpr std::uint32_t kTokenCount = 4;  // of the semaphore; the event is one token

struct Things {
    Mutex mutex;
    Event event;
    Semaphore semaphore;
    Event gate;  // a manual one: set while everybody works

    static Things create(Context& context);
    static Things open(Context& context);
    void close();
};

// Numbers from a seed, the same on every machine.
class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed * 0x9e37'79b9'7f4a'7c15u + 1) {}
    std::uint64_t next();
    std::uint64_t below(std::uint64_t bound) { return next() % bound; }
    bool one_in(std::uint64_t bound) { return below(bound) == 0; }

  private:
    std::uint64_t state_;
};

enum class How : std::uint8_t { one, any, all };

class Player {
  public:
    Player(Board& board, const Things& things, std::size_t slot, std::uint32_t serial, std::uint64_t seed)
        : board_(board), things_(things), slot_(board.slots[slot]), life_(life_of(serial, slot)), random_(seed) {}

    // Takes what `how` says of that set and keeps the books. Returns what it has: 0 if its time was over or a signal came.
    std::uint32_t take(std::uint32_t set, How how, Deadline deadline);

    // Uses all that it has for a moment, then gives it back.
    void use(std::uint32_t set);
    void give(std::uint32_t set);

    Random& random() { return random_; }
    Slot& slot() { return slot_; }

  private:
    struct Ended {
        std::uint32_t has = 0;
        bool abandoned = false;
    };
    Ended wait_for_list(std::uint32_t set, How how, Deadline deadline);
    Ended wait_for_one(Thing thing, Deadline deadline);
    Ended ended(const Result<Acquired>& end, std::uint32_t set);
    void enter(bool abandoned);
    void give_mutex();
    void give_token(Thing thing);
    void claim(Thing thing);
    void say(Saying saying) { slot_.saying.store(saying.word(), std::memory_order_seq_cst); }
    void fail(const std::string& call, const Error& error) { board_.report(call + " failed: " + std::string(code_name(error.code)) + ": " + error.message); }

    Board& board_;
    const Things& things_;
    Slot& slot_;
    std::uint64_t life_;
    Random random_;
    std::uint32_t place_[kThingCount] = {};
};

}  // namespace comap::storm
