// SPDX-License-Identifier: Apache-2.0
// Mutants: the algorithms or their machine with one thing broken. The scenarios have to notice each.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <ostream>

#include "cells.hpp"
#include "locks.hpp"
#include "runs.hpp"
#include "several.hpp"
#include "store_buffers.hpp"
#include "tokens.hpp"

namespace comap::model {

// Each a machine as good as any; the algorithms below are broken on it.
struct ForgetsSleepers : SimMachine {};      // the next owner does not know of those who sleep
struct KeepsWakes : SimMachine {};           // who was woken for nothing does not pass it on
struct StealsReserved : SimMachine {};       // an event is taken though somebody has reserved it
struct LeavesReservations : SimMachine {};   // nobody clears that of the dead
struct MarksLast : SimMachine {};            // wait_all takes the tokens, then marks the mutexes
struct ShowsAtOnce : SimMachine {};          // tokens for sleepers are not hidden: added, and the sleepers woken after that
struct AnnouncesNothing : SimMachine {       // a lock word is taken before the kernel is told, and given after that
    static void robust_begin(Node*) {}
};
struct ArmsLate : SimMachine {};             // a watcher reads the version before he arms
struct SleepsOnSet : SimMachine {};          // does not look whether the event is set before it goes to sleep
struct NeverChecks : SimMachine {};          // a reader of a cell does not look at the version again
struct ChecksTooLate : SimMachine {};        // or allows one version too many
struct PublishesFirst : SimMachine {};       // the lone writer advances the version, then fills the slot
struct ForgetsToLook : SimMachine {};        // the lone writer's quick store does not look who sleeps
struct LooksBeforeBegun : SimMachine {};     // or looks, and then says that he has begun
struct OverlooksWatchers : SimMachine {};    // or does not look who watches
struct SleepsWhileStored : SimMachine {};    // who goes to sleep takes it that every store has seen the sleeper bit
struct CellWithoutBarrier : BufferedMachine {  // or does not wait until others' stores are seen
    static bool barrier_everywhere() { return SimMachine::barrier_everywhere(); }
};
struct LooksOnce : SimMachine {};            // a claimer does not look at the version after the entry
struct ClaimsFirst : SimMachine {};          // claims the entry, then fills the slot
struct HelpsNobody : SimMachine {};          // waits until the claimer advances the version himself
struct AdvancesBlindly : SimMachine {};      // adds to the version, whatever it is
struct DropsSleepers : SimMachine {};        // advances without the sleeper bit, and wakes nobody
struct TellsEarly : SimMachine {};           // looks who watches before the version is advanced
struct InheritsNothing : SimMachine {};      // the next owner of a place does not look which slots are referred to
struct UpdatesBlindly : SimMachine {};       // an update does not care which version it comes after
struct InheritsUnclaimed : SimMachine {};    // nor which was claimed and not published

}  // namespace comap::model

namespace comap::internal {

template <>
Take LockWord<model::ForgetsSleepers>::take(std::uint32_t /*extra_bits*/) const {
    std::uint32_t seen = word->load();
    while (is_free(seen)) {
        const bool abandoned = (seen & os::kOwnerDied) != 0;
        model::SimMachine::robust_begin(node);
        const bool taken = word->compare_exchange_strong(seen, model::SimMachine::thread_number());
        if (taken) model::SimMachine::robust_link(node);
        model::SimMachine::robust_end();
        if (taken) return abandoned ? Take::taken_abandoned : Take::taken;
    }
    return Take::not_ready;
}

template <>
void LockWord<model::KeepsWakes>::pass_wake_on() const {}

template <>
Take EventWord<model::StealsReserved>::take() const {
    std::uint32_t seen = word->load();
    while ((seen & kEventSet) != 0)
        if (word->compare_exchange_weak(seen, seen & ~(kEventSet | kEventSleeper))) return Take::taken;
    return Take::not_ready;
}

template <>
void EventWord<model::LeavesReservations>::clear_reservation(std::uint32_t /*seen*/) const {}

template <>
Take try_all(std::span<WaitPoint<model::MarksLast>> points, std::span<const std::uint8_t> order, std::size_t& index) {
    Take end = Take::taken;
    std::size_t reserved = 0;
    for (; reserved < order.size() && end == Take::taken; ++reserved) {
        index = order[reserved];
        end = points[index].looks_ready();
        if (end == Take::taken) end = points[index].reserve();
        if (end == Take::taken && points[index].looks_ready() != Take::taken) end = Take::not_ready;
    }
    if (end != Take::taken) {
        while (reserved > 0) points[order[--reserved]].cancel();
        return end;
    }
    for (auto& point : points)
        if (point.has_tokens()) point.take_reserved();
    for (auto& point : points)
        if (point.is == Awaited::mutex && point.own_mutex() == Take::taken_abandoned) end = Take::taken_abandoned;
    return end;
}

template <>
Release SemaphoreWord<model::ShowsAtOnce>::release(std::uint32_t count, std::uint32_t& before) const {
    std::uint64_t seen = word->load();
    for (;;) {
        before = tokens_of(seen);
        if (count > maximum - before) return Release::beyond_maximum;
        if (word->compare_exchange_weak(seen, awake(seen) + count * kSemaphoreOneToken)) break;
    }
    if (are_hidden(seen)) model::SimMachine::wake(lower_half(), true);
    return Release::released;
}

template <>
void arm(BasicChangeWords<model::ArmsLate>& words) {
    model::Simulation::now().work();
    static_cast<void>(words);
}

template <>
std::uint32_t version_after_arming(const BasicChangeWords<model::ArmsLate>& words) {
    const std::uint32_t version = version_of(words.change.load());
    auto& watch = const_cast<BasicChangeWords<model::ArmsLate>&>(words).watch;
    std::uint32_t seen = watch.load();
    while (!watch.compare_exchange_weak(seen, (seen & kArmed) != 0 ? seen + 2 : seen + 1)) {}
    return version;
}

template <>
bool EventWord<model::SleepsOnSet>::prepare(Bed<model::SleepsOnSet>& bed, bool /*may_write*/) const {
    const std::uint32_t seen = word->fetch_or(kEventSleeper) | kEventSleeper;
    bed = {word, seen};
    return true;
}

template <>
bool BasicCellSlots<model::NeverChecks>::is_still_there(std::uint32_t /*version*/) const { return true; }

template <>
bool BasicCellSlots<model::ChecksTooLate>::is_still_there(std::uint32_t version) const { return (change->load() >> 1) - version <= slot_mask; }

template <>
bool BasicCellSlots<model::PublishesFirst>::store_unless_awaited(std::uint32_t seen, WordAtom* to, const void* value, std::size_t size_bytes) const {
    if (!change->compare_exchange_strong(seen, seen + kNextVersion)) return false;
    storing->store(seen + kNextVersion);
    fill(to, value, size_bytes);
    return true;
}

template <>
bool BasicCellSlots<model::ForgetsToLook>::store_unless_awaited(std::uint32_t seen, WordAtom* to, const void* value, std::size_t size_bytes) const {
    fill(to, value, size_bytes);
    storing->store(seen + kNextVersion);
    change->store(seen + kNextVersion);
    return true;
}

template <>
bool BasicCellSlots<model::LooksBeforeBegun>::store_unless_awaited(std::uint32_t seen, WordAtom* to, const void* value, std::size_t size_bytes) const {
    fill(to, value, size_bytes);
    const bool is_awaited = change->load() != seen || (watch->load() & kArmed) != 0;
    storing->store(seen + kNextVersion);
    if (is_awaited) return false;
    change->store(seen + kNextVersion);
    return true;
}

template <>
bool is_storing(const BasicChangeWords<model::SleepsWhileStored>& /*words*/, const model::Atom32& /*storing*/) {
    return false;
}

template <>
bool BasicCellSlots<model::OverlooksWatchers>::store_unless_awaited(std::uint32_t seen, WordAtom* to, const void* value, std::size_t size_bytes) const {
    fill(to, value, size_bytes);
    storing->store(seen + kNextVersion);
    if (change->load() != seen) return false;
    change->store(seen + kNextVersion);
    return true;
}

template <>
void advance_version(const CellWords<model::AdvancesBlindly>& cell, std::uint32_t from) {
    if (current_version(*cell.words) != from) return;
    cell.words->change.fetch_add(kOneVersion);
    model::SimMachine::clear_bit_and_wake_all(cell.words->change, kSleeperBit);
}

template <>
void advance_version(const CellWords<model::DropsSleepers>& cell, std::uint32_t from) {
    std::uint32_t seen = cell.words->change.load();
    while (version_of(seen) == from && !cell.words->change.compare_exchange_weak(seen, (seen & ~kSleeper) + kOneVersion)) {}
}

template <>
void advance_version(const CellWords<model::TellsEarly>& cell, std::uint32_t from) {
    tell_watchers(cell);
    std::uint32_t seen = cell.words->change.load();
    while (version_of(seen) == from && !cell.words->change.compare_exchange_weak(seen, seen + kOneVersion)) {}
}

// A store without the parts that a mutant leaves out.
template <typename Machine>
struct ShortStore {
    bool looks_again = true;
    bool fills_first = true;
    bool helps = true;
    bool minds_after = true;

    template <typename GoOn>
    CellStored attempt(const CellWords<Machine>& cell, std::uint32_t slot, const void* value, const GoOn& go_on, const std::uint32_t* after, std::uint32_t& version) const {
        const std::uint32_t now = current_version(*cell.words);
        const std::uint32_t next = now + 1;
        auto& entry = cell.slots.directory[next & cell.slots.slot_mask];
        std::uint64_t seen = entry.load();
        if (version_of_entry(seen) == next) {
            if (helps) advance_version(cell, now);
            return CellStored::again;
        }
        if (looks_again && current_version(*cell.words) != now) return CellStored::again;
        if (minds_after && after != nullptr && *after != now) return CellStored::overtaken;
        if (fills_first) cell.slots.fill(cell.slots.slot(slot), value, cell.record_bytes);
        if (!entry.compare_exchange_strong(seen, cell_entry(next, slot))) return CellStored::again;
        if (!fills_first) cell.slots.fill(cell.slots.slot(slot), value, cell.record_bytes);
        go_on();
        advance_version(cell, now);
        version = next;
        return CellStored::stored;
    }
};

template <>
CellStored CellPlace<model::LooksOnce>::Store::attempt(const std::uint32_t* after, std::uint32_t& version) {
    return ShortStore<model::LooksOnce>{.looks_again = false}.attempt(cell_, place_.slot(), value_, [this] { place_.go_on(); }, after, version);
}
template <>
CellStored CellPlace<model::ClaimsFirst>::Store::attempt(const std::uint32_t* after, std::uint32_t& version) {
    return ShortStore<model::ClaimsFirst>{.fills_first = false}.attempt(cell_, place_.slot(), value_, [this] { place_.go_on(); }, after, version);
}
template <>
CellStored CellPlace<model::HelpsNobody>::Store::attempt(const std::uint32_t* after, std::uint32_t& version) {
    return ShortStore<model::HelpsNobody>{.helps = false}.attempt(cell_, place_.slot(), value_, [this] { place_.go_on(); }, after, version);
}
template <>
CellStored CellPlace<model::UpdatesBlindly>::Store::attempt(const std::uint32_t* after, std::uint32_t& version) {
    return ShortStore<model::UpdatesBlindly>{.minds_after = false}.attempt(cell_, place_.slot(), value_, [this] { place_.go_on(); }, after, version);
}

template <>
void CellPlace<model::InheritsNothing>::take(const CellWords<model::InheritsNothing>& cell, std::uint32_t place) {
    turns_.clear();
    for (std::uint32_t own = 0; own <= cell.slots.slot_mask; ++own) turns_.push_back(place * (cell.slots.slot_mask + 1) + own);
    turn_ = 0;
}

template <>
void CellPlace<model::InheritsUnclaimed>::take(const CellWords<model::InheritsUnclaimed>& cell, std::uint32_t place) {
    const std::uint32_t now = current_version(*cell.words);
    turns_.clear();
    for (std::uint32_t own = 0; own <= cell.slots.slot_mask; ++own) turns_.push_back(place * (cell.slots.slot_mask + 1) + own);
    for (std::uint32_t age = cell.slots.slot_mask; age-- > 0;) {
        const std::uint64_t entry = cell.slots.directory[(now - age) & cell.slots.slot_mask].load();
        if (version_of_entry(entry) == now - age && std::erase(turns_, slot_of_entry(entry)) > 0) turns_.push_back(slot_of_entry(entry));
    }
    turn_ = 0;
}

}  // namespace comap::internal

namespace comap::model {
namespace {

struct Mutant {
    const char* name;
    Faults faults;
    Entry entry;
    Deaths deaths;
};

template <template <typename> class Kind, typename Broken, auto... arguments>
std::unique_ptr<Scenario> make() {
    return std::make_unique<Kind<Broken>>(arguments...);
}

Mutant fault(const char* name, bool Faults::* what, const char* scenario, Deaths deaths) {
    Faults faults;
    faults.*what = true;
    return {name, faults, *find_scenario(scenario), deaths};
}

template <template <typename> class Kind, typename Broken, auto... arguments>
Mutant broken(const char* name, Deaths deaths, bool may_recheck_after_death = true) {
    return {name, {}, Entry{name, &make<Kind, Broken, arguments...>, may_recheck_after_death, deaths == Deaths::stops}, deaths};
}

std::vector<Mutant> mutants() {
    return {
        fault("event_set_wakes_nobody", &Faults::set_wakes_nobody, "event_automatic", Deaths::none),
        fault("pulse_wakes_nobody", &Faults::set_wakes_nobody, "event_pulse", Deaths::none),
        fault("semaphore_shows_and_wakes_nobody", &Faults::set_wakes_nobody, "semaphore", Deaths::none),
        fault("publish_wakes_nobody", &Faults::set_wakes_nobody, "change", Deaths::none),
        fault("manual_event_wakes_one", &Faults::all_is_one, "event_manual", Deaths::none),
        fault("event_wakes_one", &Faults::all_is_one, "event_automatic", Deaths::each),
        fault("publish_wakes_one", &Faults::all_is_one, "change", Deaths::none),
        fault("reserver_wakes_one", &Faults::all_is_one, "all", Deaths::none),
        fault("clears_sleepers_of_lock_wakes_nobody", &Faults::clear_wakes_nobody, "lock", Deaths::none),
        fault("clears_sleepers_of_change_wakes_nobody", &Faults::clear_wakes_nobody, "change", Deaths::none),
        fault("event_set_in_two_steps", &Faults::wakes_in_second_step, "event_automatic", Deaths::each),
        fault("publish_in_two_steps", &Faults::wakes_in_second_step, "change", Deaths::each),
        fault("semaphore_shows_in_two_steps", &Faults::wakes_in_second_step, "semaphore", Deaths::each),
        fault("give_wakes_nobody", &Faults::give_wakes_nobody, "mutex", Deaths::none),
        fault("owner_mark_not_written", &Faults::drops_stores, "mutex", Deaths::each),
        fault("no_robust_list", &Faults::forgets_the_dead, "lock", Deaths::each),
        fault("announcement_ignored", &Faults::ignores_pending, "lock", Deaths::each),
        broken<LockScenario, ForgetsSleepers, LockScenario<ForgetsSleepers>::plain>("owner_forgets_sleepers", Deaths::none),
        broken<AnyScenario, KeepsWakes, AnyScenario<KeepsWakes>::mutex_last>("taker_of_another_keeps_wake", Deaths::none),
        broken<AllScenario, KeepsWakes, AllScenario<KeepsWakes>::plain>("wait_all_keeps_wake", Deaths::none),
        broken<AllMutexesScenario, KeepsWakes>("wait_all_for_mutexes_keeps_wake", Deaths::none),
        broken<LockScenario, AnnouncesNothing, LockScenario<AnnouncesNothing>::plain>("taken_before_announced", Deaths::each),
        broken<AllScenario, StealsReserved, AllScenario<StealsReserved>::plain>("reservation_not_honoured", Deaths::none),
        broken<AllScenario, LeavesReservations, AllScenario<LeavesReservations>::plain>("reservation_of_dead_stays", Deaths::each),
        broken<AllScenario, MarksLast, AllScenario<MarksLast>::plain>("mutexes_marked_last", Deaths::each),
        broken<SemaphoreScenario, ShowsAtOnce, SemaphoreScenario<ShowsAtOnce>::plain>("release_in_two_steps", Deaths::each, false),
        broken<AutomaticEventScenario, SleepsOnSet, AutomaticEventScenario<SleepsOnSet>::plain>("sleeps_on_set_event", Deaths::none, false),
        broken<WatchScenario, ArmsLate>("watcher_arms_late", Deaths::none, false),
        fault("store_wakes_nobody", &Faults::set_wakes_nobody, "cell", Deaths::none),
        fault("store_among_wakes_nobody", &Faults::clear_wakes_nobody, "cell_among", Deaths::none),
        broken<CellScenario, NeverChecks, CellScenario<NeverChecks>::followed>("cell_reader_never_checks", Deaths::none, false),
        broken<CellScenario, ChecksTooLate, CellScenario<ChecksTooLate>::followed>("cell_reader_checks_too_late", Deaths::none, false),
        broken<CellScenario, PublishesFirst, CellScenario<PublishesFirst>::followed>("cell_published_before_filled", Deaths::none, false),
        broken<CellScenario, ForgetsToLook, CellScenario<ForgetsToLook>::followed>("cell_quick_store_forgets_sleepers", Deaths::none, false),
        broken<CellScenario, LooksBeforeBegun, CellScenario<LooksBeforeBegun>::followed>("cell_looked_before_begun", Deaths::none, false),
        broken<CellScenario, LooksBeforeBegun, CellScenario<LooksBeforeBegun>::watched>("cell_looked_for_watchers_before_begun", Deaths::none, false),
        broken<CellScenario, OverlooksWatchers, CellScenario<OverlooksWatchers>::watched>("cell_watchers_overlooked", Deaths::none, false),
        broken<CellScenario, SleepsWhileStored, CellScenario<SleepsWhileStored>::followed>("cell_sleeps_while_stored", Deaths::none, false),
        broken<CellScenario, SleepsWhileStored, CellScenario<SleepsWhileStored>::watched>("cell_watched_while_stored", Deaths::none, false),
        broken<CellScenario, CellWithoutBarrier, CellScenario<CellWithoutBarrier>::followed>("cell_sleeper_without_barrier", Deaths::none, false),
        broken<CellScenario, CellWithoutBarrier, CellScenario<CellWithoutBarrier>::watched>("cell_watcher_without_barrier", Deaths::none, false),
        broken<CellAmongScenario, NeverChecks, CellAmongScenario<NeverChecks>::stores>("cell_reader_among_never_checks", Deaths::none),
        broken<CellAmongScenario, ChecksTooLate, CellAmongScenario<ChecksTooLate>::places>("cell_reader_among_checks_too_late", Deaths::none),
        broken<CellAmongScenario, LooksOnce, CellAmongScenario<LooksOnce>::places>("cell_claimed_after_one_look", Deaths::none),
        broken<CellAmongScenario, ClaimsFirst, CellAmongScenario<ClaimsFirst>::stores>("cell_claimed_before_filled", Deaths::none),
        broken<CellAmongScenario, HelpsNobody, CellAmongScenario<HelpsNobody>::stores>("cell_claimer_not_helped", Deaths::stops),
        broken<CellAmongScenario, AdvancesBlindly, CellAmongScenario<AdvancesBlindly>::stores>("cell_version_advanced_twice", Deaths::none),
        broken<CellAmongScenario, DropsSleepers, CellAmongScenario<DropsSleepers>::stores>("cell_sleepers_dropped", Deaths::none),
        broken<CellAmongScenario, TellsEarly, CellAmongScenario<TellsEarly>::watched>("cell_watchers_told_early", Deaths::none, false),
        broken<CellAmongScenario, InheritsNothing, CellAmongScenario<InheritsNothing>::places>("cell_place_inherited_blindly", Deaths::none),
        broken<CellAmongScenario, InheritsUnclaimed, CellAmongScenario<InheritsUnclaimed>::places>("cell_claim_of_dead_not_inherited", Deaths::each),
        broken<CellAmongScenario, UpdatesBlindly, CellAmongScenario<UpdatesBlindly>::updates>("cell_update_lost", Deaths::none),
    };
}

void PrintTo(const Mutant& mutant, std::ostream* out) { *out << mutant.name; }

class MutantTest : public testing::TestWithParam<Mutant> {};

// A hundred times what it takes, mostly one seed or a few.
TEST_P(MutantTest, is_noticed) {
    const Mutant& mutant = GetParam();
    Totals totals;
    std::string failure;
    const std::uint64_t most = mutant.deaths == Deaths::none ? 20'000 : 400;
    for (std::uint64_t seed = 1; seed <= most && failure.empty(); ++seed) failure = run_seed(mutant.entry, seed, mutant.deaths, totals, mutant.faults);
    EXPECT_FALSE(failure.empty()) << "not noticed in " << totals.runs << " runs";
    RecordProperty("runs", std::to_string(totals.runs));
    RecordProperty("failure", failure);
    if (std::getenv("COMAP_MODEL_TELL") != nullptr) std::printf("%s: %llu runs\n%s\n", mutant.name, number(totals.runs), failure.c_str());
}

INSTANTIATE_TEST_SUITE_P(mutants, MutantTest, testing::ValuesIn(mutants()),
                         [](const testing::TestParamInfo<Mutant>& mutant) { return std::string(mutant.param.name); });

}  // namespace
}  // namespace comap::model
