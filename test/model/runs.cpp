// SPDX-License-Identifier: Apache-2.0
#include "runs.hpp"

#include <array>

#include "cells.hpp"
#include "locks.hpp"
#include "queues.hpp"
#include "rings.hpp"
#include "several.hpp"
#include "store_buffers.hpp"
#include "tokens.hpp"

namespace comap::model {
namespace {

using M = SimMachine;

template <template <typename> class Kind, auto... arguments>
std::unique_ptr<Scenario> make() {
    return std::make_unique<Kind<M>>(arguments...);
}

template <RingScenario<BufferedMachine>::Variant variant>
std::unique_ptr<Scenario> make_buffered() {
    return std::make_unique<RingScenario<BufferedMachine>>(variant);
}
template <CellScenario<BufferedMachine>::Variant variant>
std::unique_ptr<Scenario> make_cell_buffered() {
    return std::make_unique<CellScenario<BufferedMachine>>(variant);
}
template <QueueScenario<BufferedMachine>::Variant variant>
std::unique_ptr<Scenario> make_queue_buffered() {
    return std::make_unique<QueueScenario<BufferedMachine>>(variant);
}
template <RingScenario<RingMachine>::Variant variant>
std::unique_ptr<Scenario> make_ring() {
    return std::make_unique<RingScenario<RingMachine>>(variant);
}

template <QueueScenario<RingMachine>::Variant variant>
std::unique_ptr<Scenario> make_queue() {
    return std::make_unique<QueueScenario<RingMachine>>(variant);
}

constexpr std::array kScenarios = {
    Entry{"lock", &make<LockScenario, LockScenario<M>::plain>, true},
    Entry{"lock_impatient", &make<LockScenario, LockScenario<M>::impatient>, true},
    Entry{"lock_same_number", &make<LockScenario, LockScenario<M>::same_number>, true},
    Entry{"mutex", &make<MutexScenario, MutexScenario<M>::plain>, true},
    Entry{"mutex_impatient", &make<MutexScenario, MutexScenario<M>::impatient>, true},
    Entry{"mutex_same_number", &make<MutexScenario, MutexScenario<M>::same_number>, true},
    Entry{"mutex_threads", &make<MutexScenario, MutexScenario<M>::threads>, true},
    Entry{"mutex_reserved", &make<MutexReservedScenario>, true},
    Entry{"event_automatic", &make<AutomaticEventScenario, AutomaticEventScenario<M>::plain>, false},
    Entry{"event_impatient", &make<AutomaticEventScenario, AutomaticEventScenario<M>::impatient>, false},
    Entry{"event_manual", &make<ManualEventScenario, ManualEventScenario<M>::set_and_reset>, false},
    Entry{"event_pulse", &make<ManualEventScenario, ManualEventScenario<M>::pulse>, false},
    Entry{"event_read_only", &make<ManualEventScenario, ManualEventScenario<M>::read_only>, false},
    Entry{"semaphore", &make<SemaphoreScenario, SemaphoreScenario<M>::plain>, false},
    Entry{"semaphore_impatient", &make<SemaphoreScenario, SemaphoreScenario<M>::impatient>, false},
    Entry{"change", &make<ChangeScenario, ChangeScenario<M>::plain>, false},
    Entry{"change_read_only", &make<ChangeScenario, ChangeScenario<M>::read_only>, false},
    Entry{"watch", &make<WatchScenario>, false},
    Entry{"any", &make<AnyScenario, AnyScenario<M>::plain>, true},
    Entry{"any_impatient", &make<AnyScenario, AnyScenario<M>::impatient>, true},
    Entry{"any_mutex_last", &make<AnyScenario, AnyScenario<M>::mutex_last>, true},
    Entry{"all", &make<AllScenario, AllScenario<M>::plain>, true},
    Entry{"all_impatient", &make<AllScenario, AllScenario<M>::impatient>, true},
    Entry{"all_without_manual", &make<AllScenario, AllScenario<M>::without_manual>, true},
    Entry{"all_manual", &make<AllManualScenario>, true},
    Entry{"all_mutexes", &make<AllMutexesScenario>, true},
    Entry{"cell", &make<CellScenario, CellScenario<M>::followed>, false},
    Entry{"cell_sandboxed", &make<CellScenario, CellScenario<M>::sandboxed>, true},
    Entry{"cell_lone_watched", &make<CellScenario, CellScenario<M>::watched>, false},
    Entry{"cell_buffered", &make_cell_buffered<CellScenario<BufferedMachine>::followed>, false, false, false, 2},
    Entry{"cell_buffered_watched", &make_cell_buffered<CellScenario<BufferedMachine>::watched>, false, false, false, 2},
    Entry{"cell_among", &make<CellAmongScenario, CellAmongScenario<M>::stores>, true, true},
    Entry{"cell_update", &make<CellAmongScenario, CellAmongScenario<M>::updates>, true, true},
    Entry{"cell_places", &make<CellAmongScenario, CellAmongScenario<M>::places>, true, true},
    Entry{"cell_watched", &make<CellAmongScenario, CellAmongScenario<M>::watched>, false},
    Entry{"ring", &make_ring<RingScenario<RingMachine>::lone>, false, true, false, 2},
    Entry{"ring_buffered", &make_buffered<RingScenario<BufferedMachine>::lone>, false, false, false, 6},
    Entry{"ring_buffered_many", &make_buffered<RingScenario<BufferedMachine>::many>, true, false, false, 6},
    Entry{"ring_buffered_places", &make_buffered<RingScenario<BufferedMachine>::places>, true, false, false, 6},
    Entry{"ring_buffered_watched", &make_buffered<RingScenario<BufferedMachine>::watched>, false, false, false, 6},
    Entry{"ring_read_only", &make_ring<RingScenario<RingMachine>::read_only>, false, true, false, 2},
    Entry{"ring_many", &make_ring<RingScenario<RingMachine>::many>, true, false, false, 2},
    Entry{"ring_places", &make_ring<RingScenario<RingMachine>::places>, true, false, false, 4},
    Entry{"ring_lone_places", &make_ring<RingScenario<RingMachine>::lone_places>, true, false, false, 4},
    Entry{"ring_buffered_lone_places", &make_buffered<RingScenario<BufferedMachine>::lone_places>, true, false, false, 6},
    Entry{"queue", &make_queue<QueueScenario<RingMachine>::plain>, true, false, true, 4},
    Entry{"queue_buffered", &make_queue_buffered<QueueScenario<BufferedMachine>::plain>, true, false, true, 6},
    Entry{"queue_for_good", &make_queue<QueueScenario<RingMachine>::for_good>, true, false, true, 4},
    Entry{"queue_confirm", &make_queue<QueueScenario<RingMachine>::confirm>, true, false, true, 4},
    Entry{"ring_watched", &make_ring<RingScenario<RingMachine>::watched>, false, false, false, 2},
};

Options options_of(std::uint64_t seed, const std::vector<Kill>& kills, const Faults& faults, bool trace) {
    Options options;
    Random random(seed ^ 0x5eed);
    options.seed = seed;
    options.kills = kills;
    options.faults = faults;
    options.trace = trace;
    options.weak_failures = random.one_in(2);
    options.any_wake_order = random.one_in(2);
    options.time_passes = random.one_in(2);
    // These can stand in for a wake that was lost, so most seeds do without.
    options.spurious_wakes = random.one_in(6);
    options.interrupts = random.one_in(6);
    options.can_spin = random.one_in(50);  // long runs
    return options;
}

}  // namespace

std::span<const Entry> scenarios() { return kScenarios; }

const Entry* find_scenario(const std::string& name) {
    for (const Entry& entry : kScenarios)
        if (name == entry.name) return &entry;
    return nullptr;
}

Report run(const Entry& entry, std::uint64_t seed, const std::vector<Kill>& kills, const Faults& faults, bool trace) {
    const Options options = options_of(seed, kills, faults, trace);
    Simulation simulation(options);
    const std::unique_ptr<Scenario> scenario = entry.make();
    simulation.run(*scenario);
    if (simulation.long_timeouts() > 0 && !entry.may_recheck && (simulation.deaths() == 0 || !entry.may_recheck_after_death))
        simulation.fail("somebody was not woken and had to look again by himself (%u times)", simulation.long_timeouts());
    Report report;
    report.failure = simulation.failure();
    if (simulation.has_failed()) report.trace = simulation.trace();
    for (int i = 0; i < simulation.actor_count(); ++i) report.steps.push_back(simulation.steps(i));
    report.turns = simulation.turn();
    report.deaths = simulation.deaths();
    report.rechecks = simulation.long_timeouts();
    report.can_spin = options.can_spin;
    return report;
}

std::string replay(const Entry& entry, std::uint64_t seed, const std::vector<Kill>& kills) {
    std::string text = "model_tests --scenario " + std::string(entry.name) + " --seed " + std::to_string(seed);
    for (const Kill& kill : kills) text += (kill.only_stops ? " --stop " : " --kill ") + std::to_string(kill.actor) + (kill.any_actors_step ? "@" : ":") + std::to_string(kill.step);
    return text + " --trace";
}

std::string run_seed(const Entry& entry, std::uint64_t seed, Deaths deaths, Totals& totals, const Faults& faults) {
    std::string failure;
    const auto one = [&](const std::vector<Kill>& kills) {
        Report report = run(entry, seed, kills, faults);
        ++totals.runs;
        totals.turns += report.turns;
        totals.rechecks += report.rechecks;
        if (!report.failure.empty()) failure = replay(entry, seed, kills) + "\n" + report.failure + "\n" + report.trace;
        return report;
    };
    const Report whole = one({});
    if (!failure.empty() || deaths == Deaths::none || whole.can_spin) return failure;
    if (deaths == Deaths::random) {
        Random random(seed ^ 0xdead);
        for (int round = 0; round < 8 && failure.empty(); ++round) {
            std::vector<Kill> kills;
            for (int death = 0; death < 2; ++death) {
                const std::uint64_t actor = random.below(whole.steps.size());
                const bool any_actors_step = random.one_in(2);
                kills.push_back({static_cast<int>(actor), 1 + random.below(any_actors_step ? whole.turns : whole.steps[actor]), any_actors_step});
            }
            one(kills);
        }
        return failure;
    }
    for (std::size_t actor = 0; actor < whole.steps.size(); ++actor)
        for (std::uint64_t step = 1; step <= whole.steps[actor] && failure.empty(); ++step)
            one({{static_cast<int>(actor), step, false, deaths == Deaths::stops}});
    return failure;
}

}  // namespace comap::model
