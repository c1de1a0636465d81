// SPDX-License-Identifier: Apache-2.0
// Runs of scenarios: which there are, and one run of one of them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "machine.hpp"

namespace comap::model {

struct Entry {
    const char* name;
    std::unique_ptr<Scenario> (*make)();  // in the simulation that is there
    bool may_recheck_after_death;         // locks: a wake can die with who was woken. Others never wait for a time-out
    bool survives_stops = false;          // one who is stopped for ever delays nobody
    bool may_recheck = false;             // looking again after a while is part of the algorithm
    std::uint32_t cost = 1;               // how much longer a run takes than most do: so many times fewer seeds
};

std::span<const Entry> scenarios();
const Entry* find_scenario(const std::string& name);

struct Report {
    std::string failure;               // empty: none
    std::string trace;
    std::vector<std::uint64_t> steps;  // of each actor
    std::uint64_t turns = 0;
    std::uint32_t deaths = 0;
    std::uint32_t rechecks = 0;
    bool can_spin = false;
};

// Everything follows from the seed: the order of the actors, and what may happen besides.
Report run(const Entry& entry, std::uint64_t seed, const std::vector<Kill>& kills, const Faults& faults = {}, bool trace = false);

// How to see that run again.
std::string replay(const Entry& entry, std::uint64_t seed, const std::vector<Kill>& kills);

// The runs of a scenario with one seed: without a death, with the death of each actor before each of its steps, with two at
// random, or with each actor stopped before each of its steps. Stops at the first failure, which it returns, or an empty text.
enum class Deaths : std::uint8_t { none, each, random, stops };
struct Totals {
    std::uint64_t runs = 0;
    std::uint64_t turns = 0;
    std::uint64_t rechecks = 0;
};
std::string run_seed(const Entry& entry, std::uint64_t seed, Deaths deaths, Totals& totals, const Faults& faults = {});

}  // namespace comap::model
