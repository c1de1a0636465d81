// SPDX-License-Identifier: Apache-2.0
// The storms over channels and queues: publishers, subscribers, pushers and takers of which one after the other is stopped or
// killed at a random instant and replaced, with numbered and checksummed messages.
#pragma once

#include <cstdint>

#include "storm.hpp"

namespace comap::storm {

enum class RingKind : std::uint8_t {
    channel,          // one publisher at a time, who waits for its subscribers
    channel_many,     // several, who wait too
    channel_overrun,  // several, who wait for nobody
    queue,
};

struct RingTally {
    std::uint64_t kills = 0;
    std::uint64_t kills_of_stopped = 0;
    std::uint64_t stops = 0;
    std::uint64_t sent = 0;
    std::uint64_t received = 0;     // by the one that is not killed
    std::uint64_t missed = 0;
    std::uint64_t redelivered = 0;
    std::uint64_t lost_by_dead = 0;  // taken without confirming by one that was killed at once
};

// Returns when all is over; violations are on the board.
RingTally storm_on_ring(const Run& run, RingKind kind);

}  // namespace comap::storm
