// SPDX-License-Identifier: Apache-2.0
// A storm: processes of several threads that take and give, of which one after the other is killed at a random instant and
// replaced; and after every few kills a break, in which the books must be right to the last token.
#pragma once

#include <cstdint>
#include <string>

#include "board.hpp"

namespace comap::storm {

enum class Scenario : std::uint8_t { mutex, event, semaphore, all, any };

struct Run {
    Scenario scenario = Scenario::mutex;
    std::string root;
    Board* board = nullptr;
    std::uint64_t seed = 1;
    std::uint64_t kills = 0;
};

// What was hit, for the line that is printed.
struct Tally {
    std::uint64_t kills = 0;
    std::uint64_t kills_of_stopped = 0;  // with everybody stopped: what the dead one had is known exactly
    std::uint64_t stops = 0;
    std::uint64_t signals = 0;
    std::uint64_t breaks = 0;
    std::uint64_t operations = 0;
    std::uint64_t dead_having = 0, dead_taking = 0, dead_giving = 0, dead_idle = 0;  // threads
    std::uint64_t owners_marked_by_kernel = 0;
    std::uint64_t lost_events = 0, lost_tokens = 0;
};

// The life of a worker process.
int work(const Run& run, std::size_t process, std::uint32_t serial, struct Things& inherited);

// Returns when all is over; violations are on the board.
Tally storm(const Run& run);

}  // namespace comap::storm
