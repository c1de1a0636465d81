// SPDX-License-Identifier: Apache-2.0
// The storm over a cell: writers and readers of which one after the other is stopped or killed at a random instant and replaced.
// Every store is one version and one more than the value before it, so that a value says itself which version it is.
#pragma once

#include <cstdint>

#include "storm.hpp"

namespace comap::storm {

struct CellTally {
    std::uint64_t kills = 0;
    std::uint64_t kills_of_stopped = 0;
    std::uint64_t stops = 0;
    std::uint64_t stores = 0;
    std::uint64_t loads = 0;
    std::uint64_t awaited = 0;  // kills after which the next writer and a reader were awaited
};

// Returns when all is over; violations are on the board.
CellTally storm_on_cell(const Run& run, bool many_writers);

}  // namespace comap::storm
