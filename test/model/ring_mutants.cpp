// SPDX-License-Identifier: Apache-2.0
// Mutants of rings and queues: one thing broken in each. The scenarios have to notice.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <ostream>
#include <vector>

#include "queues.hpp"
#include "rings.hpp"
#include "runs.hpp"
#include "store_buffers.hpp"

namespace comap::model {

// A machine as good as any, with words of its own kind, so that the algorithms below can be broken on it.
template <typename Machine>
struct MemoryOf : SimMemory {};
template <typename Machine>
struct BrokenOn : RingMachine {
    using Memory = MemoryOf<Machine>;
};

struct NeverBusy : BrokenOn<NeverBusy> {};            // a sender looks who waits, and then commits
struct LooksBeforeBusy : BrokenOn<LooksBeforeBusy> {};  // and looks before he says that he is about to
struct CommitsFirst : BrokenOn<CommitsFirst> {};      // commits, then fills
struct ClearsNothing : BrokenOn<ClearsNothing> {};    // leaves what lies behind the frame
struct LapsAlike : BrokenOn<LapsAlike> {};            // what is not committed looks the same in each lap
struct ChecksTooFar : BrokenOn<ChecksTooFar> {};      // a receiver allows a step more than is kept
struct FollowsPads : BrokenOn<FollowsPads> {};        // a receiver goes where a pad leads, whatever is there
struct SleepsOnBusy : BrokenOn<SleepsOnBusy> {};      // a receiver takes it that every sender has seen the bell
struct SleepsOnReady : BrokenOn<SleepsOnReady> {};    // a receiver does not look at the frame again after it has rung the bell
struct ClearsBlindly : BrokenOn<ClearsBlindly> {};    // a sender who has woken nobody clears the bell, whoever rang since
struct ClaimsLate : BrokenOn<ClaimsLate> {};          // what is written over is claimed with the next claim
struct FindsNothing : BrokenOn<FindsNothing> {};      // who comes after a dead sender goes on where that one's claim began
struct TellsNobody : BrokenOn<TellsNobody> {};        // who has made room does not say so
struct JoinsBlindly : BrokenOn<JoinsBlindly> {        // who takes a place does not look whether it was claimed meanwhile
    static constexpr bool joins_blindly = true;
};

struct SettlesBlindly : BrokenOn<SettlesBlindly> {    // a taker settles the bell while a sender may be about to commit
    static constexpr bool settles_blindly = true;
};

struct MakesNoBarrier : BufferedMachine {             // who goes to sleep does not wait until others' stores are seen
    static bool barrier_everywhere() { return RingMachine::barrier_everywhere(); }
};

struct TellsNoPusher : BrokenOn<TellsNoPusher> {};    // a taker who has made room does not say so

struct TakesLate : BrokenOn<TakesLate> {};            // a taker goes on before it has the message
struct FreesHeld : BrokenOn<FreesHeld> {};            // what is held can be written over
struct RepairsBadly : BrokenOn<RepairsBadly> {};      // what is held is not counted after a death
struct ConfirmsAll : BrokenOn<ConfirmsAll> {};        // anybody confirms
struct CountsTwice : BrokenOn<CountsTwice> {};        // neither held nor given back, for a moment
struct SeesNothingFreed : BrokenOn<SeesNothingFreed> {};  // a taker sleeps where one died who took the message for good
struct AllowsAll : BrokenOn<AllowsAll> {};            // who claims ahead has not looked so far ahead
struct GoesOnFirst : BrokenOn<GoesOnFirst> {};        // the first message is freed after `taken` is beyond it
struct CountsEarly : BrokenOn<CountsEarly> {};        // not held any more, and not free yet
struct ForgetsTheDead : BrokenOn<ForgetsTheDead> {};  // nobody looks for what the dead hold

}  // namespace comap::model

namespace comap::internal {

using namespace model;

template <>
bool RingOut<NeverBusy::Memory>::commit(const RingView<NeverBusy::Memory> view, std::uint64_t bytes, std::uint32_t state, std::uint32_t count) {
    view.frame(position + bytes).state.store(view.lap_state(position + bytes));
    auto& frame = view.frame(position);
    frame.number.store(static_cast<std::uint32_t>(number));
    if (view.somebody_waits()) {
        frame.state.store(state);
        return false;
    }
    frame.state.store(state | kFrameReady);
    position += bytes;
    number += count;
    return true;
}

template <>
bool RingOut<LooksBeforeBusy::Memory>::commit(const RingView<LooksBeforeBusy::Memory> view, std::uint64_t bytes, std::uint32_t state, std::uint32_t count) {
    view.frame(position + bytes).state.store(view.lap_state(position + bytes));
    auto& frame = view.frame(position);
    frame.number.store(static_cast<std::uint32_t>(number));
    const bool waits = view.somebody_waits();
    frame.state.store((waits ? state : view.lap_state(position)) | kFrameBusy);
    if (waits) return false;
    frame.state.store(state | kFrameReady);
    position += bytes;
    number += count;
    return true;
}

template <>
bool RingOut<ClearsNothing::Memory>::commit(const RingView<ClearsNothing::Memory> view, std::uint64_t bytes, std::uint32_t state, std::uint32_t count) {
    auto& frame = view.frame(position);
    frame.number.store(static_cast<std::uint32_t>(number));
    frame.state.store(view.lap_state(position) | kFrameBusy);
    if (view.somebody_waits()) {
        frame.state.store(state | kFrameBusy);
        return false;
    }
    frame.state.store(state | kFrameReady);
    position += bytes;
    number += count;
    return true;
}

template <>
bool RingOut<CommitsFirst::Memory>::send(const RingView<CommitsFirst::Memory> view, const void* message, std::uint32_t size, std::uint64_t bytes, bool& is_filled) {
    is_filled = has_room(view, bytes);
    if (!is_filled) return false;
    std::byte* const data = view.data + view.place(position) + view.payload_offset;
    const bool is_committed = commit(view, bytes, size, 1);
    SimMemory::copy_in(data, message, size);
    return is_committed;
}

template <>
std::uint32_t RingView<LapsAlike::Memory>::lap_state(std::uint64_t /*position*/) { return 0; }

template <>
bool RingView<ChecksTooFar::Memory>::is_whole(std::uint64_t position) const {
    return claimed == nullptr || claimed->load() <= position + size_bytes + size_bytes / kRingSteps;
}

template <>
Look RingIn<FollowsPads::Memory>::look_closely(const RingView<FollowsPads::Memory>& view, std::uint32_t state) {
    if (view.frame(position).number.load() != static_cast<std::uint32_t>(number)) return Look::strange;
    if ((state & kFramePad) != 0) {
        position = view.next_lap(position);
        state = view.frame(position).state.load();
        if ((state & kFrameReady) == 0 || view.frame(position).number.load() != static_cast<std::uint32_t>(number)) return Look::strange;
    }
    return (state & kFrameRun) == 0 ? look_at_one(view, state) : look_at_run(view, state);
}

template <>
template <typename HasSender>
RingWords<SleepsOnBusy>::Bedtime RingWords<SleepsOnBusy>::prepare(std::uint64_t position, bool may_write, const HasSender& /*has_sender*/,
                                                                  Bed<SleepsOnBusy>& bed) const {
    auto& state = view.frame(position).state;
    if (may_write) ring_bell();
    const std::uint32_t seen = state.load();
    if ((seen & kFrameReady) != 0 || !view.is_whole(position)) return Bedtime::look_again;
    bed = {&state, seen};
    return Bedtime::sleep;
}

template <>
template <typename HasSender>
RingWords<SleepsOnReady>::Bedtime RingWords<SleepsOnReady>::prepare(std::uint64_t position, bool may_write, const HasSender& has_sender,
                                                                    Bed<SleepsOnReady>& bed) const {
    auto& state = view.frame(position).state;
    if (may_write) ring_bell();
    bed = {&state, state.load()};
    if (!view.is_whole(position)) return Bedtime::look_again;
    return (bed.seen & kFrameBusy) != 0 && has_sender() ? Bedtime::doze : Bedtime::sleep;
}

template <>
void RingWords<ClearsBlindly>::commit_and_wake(Out& out, std::uint64_t bytes, std::uint32_t count) const {
    if (SimMachine::set_bit_and_wake_all(view.frame(out.position).state, kFrameReadyBit) == 0) view.bell->fetch_and(~(kBellSleeper | kBellSettled));
    out.position += bytes;
    out.number += count;
}

template <>
bool RingWords<ClaimsLate>::claim(Out& out, std::uint64_t bytes, std::uint64_t (*floor)(const RingWords&)) const {
    const std::uint64_t end = out.position + bytes + kFrameHeadBytes;
    const std::uint64_t before = control->claimed.load();
    const std::uint64_t wanted = std::max((end + step_bytes() - 1) & ~(step_bytes() - 1), before);
    control->claimed.store(std::max(before, out.limit & ~(step_bytes() - 1)));
    const std::uint64_t lowest = floor(*this);
    const std::uint64_t allowed = lowest > UINT64_MAX - view.size_bytes ? wanted : std::min(wanted, lowest + view.size_bytes);
    if (allowed < end) return false;
    out.limit = std::max(out.limit, allowed);
    control->limit.store(out.limit);
    mark_checkpoint(out, wanted);
    store_head(out);
    return true;
}

template <>
bool RingWords<AllowsAll>::claim(Out& out, std::uint64_t bytes, std::uint64_t (*floor)(const RingWords&)) const {
    const std::uint64_t end = out.position + bytes + kFrameHeadBytes;
    const std::uint64_t wanted = (end + step_bytes() - 1) & ~(step_bytes() - 1);
    if (out.allowed < end) {
        if (!may_have_room(out, bytes, floor)) return false;
        out.allowed = std::max(control->claimed.load(), wanted + kStepsAhead * step_bytes());
        control->claimed.store(out.allowed);
    }
    out.limit = std::max(out.limit, std::min(wanted, out.allowed));
    store_head(out);
    control->limit.store(out.limit);
    if (!has_checkpoint(wanted)) mark_checkpoint(out, wanted);
    return true;
}

template <>
bool RingWords<FindsNothing>::find_head(Out& out) const { return load_head(out); }

template <>
void RingWords<TellsNobody>::tell_of_room() const {}

template <>
void QueueWords<TakesLate>::take(const Queued& queued, std::uint32_t taker) const {
    const bool was_returned = takings_of(queued.word) != 0;
    if (!was_returned) ring->control->taken.store(queued.next);
    if (taker != kDone) count(1, was_returned ? -1 : 0);
    holder(queued.position).store((takings_of(queued.word) + 1) << 16 | taker);
    if (taker != kDone) return;
    free_front(queued.next);
    if (was_returned) count(0, -1);
}

template <>
bool QueueWords<SeesNothingFreed>::is_next(std::uint64_t position) const { return ring->control->taken.load() == position; }

template <>
void QueueWords<GoesOnFirst>::take_front(std::uint64_t next) const {
    ring->control->taken.store(next);
    free_up_to(next);
}

template <>
void QueueWords<TellsNoPusher>::tell_of_room_after_unlocking() const {}

template <>
void QueueWords<FreesHeld>::free_front(std::uint64_t /*taken*/) const {
    std::uint64_t position = ring->control->freed.load();
    Queued queued;
    while (at(position, queued) == Look::message && holder_of(queued.word) != kNobody) position = queued.next;
    ring->control->freed.store(position);
    ring->tell_of_room();
}

template <>
bool QueueWords<RepairsBadly>::repair() const {
    auto& control = *ring->control;
    free_front(UINT64_MAX);
    std::uint32_t returned = 0;
    Queued queued;
    std::uint64_t position = control.freed.load();
    for (; at(position, queued) == Look::message && queued.word != 0; position = queued.next) returned += holder_of(queued.word) == kNobody ? 1 : 0;
    set_tally({0, returned});
    control.taken.store(position);
    return true;
}

template <>
bool QueueWords<ConfirmsAll>::leave(std::uint64_t position, std::uint32_t /*taker*/, std::uint32_t to) const {
    holder(position).store((holder(position).load() & ~0xffffu) | to);
    return true;
}

template <>
bool QueueWords<CountsTwice>::give_back(std::uint64_t position, std::uint32_t taker) const {
    if (!leave(position, taker, kNobody)) return false;
    count(-1, 0);
    count(0, 1);
    return true;
}

template <>
bool QueueWords<CountsEarly>::confirm(std::uint64_t position, std::uint32_t taker) const {
    if (!leave(position, taker, kDone)) return false;
    count(-1, 0);
    free_front(first_not_taken());
    return true;
}

template <>
template <typename IsDead>
bool QueueWords<ForgetsTheDead>::give_back_of_dead(const IsDead& /*is_dead*/) const { return true; }

}  // namespace comap::internal

namespace comap::model {
namespace {

struct RingMutant {
    Entry entry;
    Deaths deaths;
};

template <typename M, typename RingScenario<M>::Variant variant>
RingMutant broken_ring(const char* name, Deaths deaths) {
    const auto make = []() -> std::unique_ptr<Scenario> { return std::make_unique<RingScenario<M>>(variant); };
    return {Entry{name, make, variant == RingScenario<M>::many || variant == RingScenario<M>::places}, deaths};
}
template <typename M, typename QueueScenario<M>::Variant variant = QueueScenario<M>::plain>
RingMutant broken_queue(const char* name, Deaths deaths) {
    const auto make = []() -> std::unique_ptr<Scenario> { return std::make_unique<QueueScenario<M>>(variant); };
    return {Entry{name, make, true, false, true}, deaths};
}

std::vector<RingMutant> mutants() {
    return {
        broken_ring<NeverBusy, RingScenario<NeverBusy>::lone>("ring_never_busy", Deaths::none),
        broken_ring<LooksBeforeBusy, RingScenario<LooksBeforeBusy>::lone>("ring_busy_after_looking", Deaths::none),
        broken_ring<CommitsFirst, RingScenario<CommitsFirst>::lone>("ring_committed_before_filled", Deaths::none),
        broken_ring<ClearsNothing, RingScenario<ClearsNothing>::lone>("ring_frame_behind_not_cleared", Deaths::none),
        broken_ring<LapsAlike, RingScenario<LapsAlike>::lone>("ring_laps_alike", Deaths::none),
        broken_ring<LapsAlike, RingScenario<LapsAlike>::many>("ring_laps_alike_many", Deaths::none),
        broken_ring<ChecksTooFar, RingScenario<ChecksTooFar>::lone>("ring_receiver_checks_too_far", Deaths::none),
        broken_ring<FollowsPads, RingScenario<FollowsPads>::lone>("ring_pads_followed_blindly", Deaths::none),
        broken_ring<SleepsOnBusy, RingScenario<SleepsOnBusy>::lone>("ring_slept_on_busy", Deaths::none),
        broken_ring<SleepsOnReady, RingScenario<SleepsOnReady>::lone>("ring_slept_on_ready", Deaths::none),
        broken_ring<ClearsBlindly, RingScenario<ClearsBlindly>::lone>("ring_bell_cleared_blindly", Deaths::none),
        broken_ring<ClaimsLate, RingScenario<ClaimsLate>::lone>("ring_claimed_late", Deaths::none),
        broken_ring<AllowsAll, RingScenario<AllowsAll>::places>("ring_ahead_unseen", Deaths::none),
        broken_ring<AllowsAll, RingScenario<AllowsAll>::lone_places>("ring_ahead_unseen_by_one", Deaths::none),
        broken_ring<FindsNothing, RingScenario<FindsNothing>::lone>("ring_head_taken_over_blindly", Deaths::each),
        broken_ring<FindsNothing, RingScenario<FindsNothing>::many>("ring_head_of_dead_owner_taken_over_blindly", Deaths::each),
        broken_ring<TellsNobody, RingScenario<TellsNobody>::places>("ring_room_not_told", Deaths::none),
        broken_ring<JoinsBlindly, RingScenario<JoinsBlindly>::places>("ring_place_taken_blindly", Deaths::none),
        broken_ring<MakesNoBarrier, RingScenario<MakesNoBarrier>::lone>("ring_no_barrier_before_sleep", Deaths::none),
        broken_ring<MakesNoBarrier, RingScenario<MakesNoBarrier>::watched>("ring_no_barrier_after_arming", Deaths::none),
        broken_queue<SettlesBlindly>("queue_bell_settled_blindly", Deaths::none),
        broken_queue<TellsNoPusher>("queue_room_not_told", Deaths::none),
        broken_queue<TakesLate>("queue_goes_on_before_taking", Deaths::each),
        broken_queue<GoesOnFirst, QueueScenario<GoesOnFirst>::for_good>("queue_goes_on_before_freeing", Deaths::each),
        broken_queue<SeesNothingFreed, QueueScenario<SeesNothingFreed>::for_good>("queue_freed_not_seen", Deaths::each),
        broken_queue<FreesHeld>("queue_held_is_free", Deaths::none),
        broken_queue<RepairsBadly>("queue_repair_counts_wrongly", Deaths::each),
        broken_queue<ConfirmsAll>("queue_confirmed_by_another", Deaths::none),
        broken_queue<CountsTwice>("queue_counted_in_two_steps", Deaths::each),
        broken_queue<CountsEarly>("queue_counted_before_free", Deaths::random),
        broken_queue<ForgetsTheDead>("queue_dead_keep_theirs", Deaths::each),
    };
}

void PrintTo(const RingMutant& mutant, std::ostream* out) { *out << mutant.entry.name; }

class RingMutantTest : public testing::TestWithParam<RingMutant> {};

TEST_P(RingMutantTest, is_noticed) {
    const RingMutant& mutant = GetParam();
    Totals totals;
    std::string failure;
    const std::uint64_t most = mutant.deaths == Deaths::none ? 60'000 : mutant.deaths == Deaths::random ? 20'000 : 300;
    for (std::uint64_t seed = 1; seed <= most && failure.empty(); ++seed) failure = run_seed(mutant.entry, seed, mutant.deaths, totals);
    EXPECT_FALSE(failure.empty()) << "not noticed in " << totals.runs << " runs";
    RecordProperty("runs", std::to_string(totals.runs));
    RecordProperty("failure", failure);
    if (std::getenv("COMAP_MODEL_TELL") != nullptr) std::printf("%s: %llu runs\n%s\n", mutant.entry.name, number(totals.runs), failure.c_str());
}

INSTANTIATE_TEST_SUITE_P(mutants, RingMutantTest, testing::ValuesIn(mutants()),
                         [](const testing::TestParamInfo<RingMutant>& mutant) { return std::string(mutant.param.entry.name); });

}  // namespace
}  // namespace comap::model
