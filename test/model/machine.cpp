// SPDX-License-Identifier: Apache-2.0
#include "machine.hpp"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <memory>

// The clock of whatever runs in a simulation is the simulation's: deadlines are made and compared with it. Defined here, this
// is what the C++ library's clocks call.
extern "C" int clock_gettime(clockid_t clock, struct timespec* time) noexcept {
    using comap::model::Simulation;
    if (clock != CLOCK_MONOTONIC || !Simulation::is_there()) return static_cast<int>(::syscall(SYS_clock_gettime, clock, time));
    constexpr std::uint64_t kNsPerSecond = 1'000'000'000u;
    time->tv_sec = static_cast<time_t>(Simulation::now().clock_ns() / kNsPerSecond);
    time->tv_nsec = static_cast<long>(Simulation::now().clock_ns() % kNsPerSecond);
    return 0;
}

namespace comap::model {
namespace {

constexpr std::size_t kStackBytes = std::size_t{256} * 1024;
constexpr std::uint64_t kClockStartNs = 1'000'000'000'000u;
constexpr std::uint64_t kAccessNs = 1'000;
constexpr std::uint64_t kLongNs = 5'000'000;
constexpr std::uint32_t kTimeoutsMax = 300;      // more mean that time-outs lead nowhere
constexpr std::uint64_t kTurnsMax = 30'000;      // more mean that nobody gets anywhere
constexpr std::uint64_t kSpinTurnsMax = 600'000;
constexpr std::uint64_t kAloneMax = 300;         // then another has priority: one that looks again and again waits for him
constexpr std::uint64_t kPriorityChangesBefore = 200;

// The stacks are used by one simulation after the other; what lies on that of one who was killed is forgotten.
char* stack_of(int actor) {
    static std::array<std::unique_ptr<char[]>, kActorsMax> stacks;
    auto& stack = stacks[static_cast<std::size_t>(actor)];
    if (stack == nullptr) stack = std::make_unique<char[]>(kStackBytes);
    return stack.get();
}

const char* text_of(os::Woken woken) {
    switch (woken) {
        case os::Woken::maybe: return "wakes up";
        case os::Woken::timed_out: return "wakes up: timed out";
        case os::Woken::interrupted: return "wakes up: interrupted";
        case os::Woken::refused: return "cannot sleep";
    }
    return "";
}

}  // namespace

Simulation* Simulation::now_ = nullptr;

Simulation::Simulation(const Options& options) : options_(options), random_(options.seed), clock_ns_(kClockStartNs) {
    actors_.reserve(kActorsMax);  // contexts must not move
    now_ = this;
}

Simulation::~Simulation() { now_ = nullptr; }

int Simulation::add_actor(std::function<void()> body, std::uint32_t thread_number, int process) {
    Actor& actor = actors_.emplace_back();
    actor.body = std::move(body);
    actor.thread_number = thread_number;
    actor.process = process;
    return actor_count() - 1;
}

void Simulation::name(const volatile void* word, const char* name, Tracker* tracker) { names_.push_back({word, name, tracker}); }

Deadline Simulation::shortly() { return Deadline::at_ns(clock_ns_ + 2'000 + random_.below(40) * kAccessNs); }

// ---------------------------------------------------------------- the scheduler

void Simulation::trampoline() {
    Simulation& simulation = *now_;
    simulation.live_or_die();
    simulation.self().body();
    simulation.scenario_->after_access();
    simulation.note("ends", nullptr, 0, 0);
    simulation.self().state = State::done;
    simulation.schedule();
}

void Simulation::run(Scenario& scenario) {
    scenario_ = &scenario;
    switch (random_.below(3)) {
        case 0: stickiness_ = 1; break;
        case 1: stickiness_ = 3 + static_cast<std::uint32_t>(random_.below(30)); break;
        default: stickiness_ = 0;
    }
    for (auto& change : priority_changes_) change = random_.below(kPriorityChangesBefore);
    for (Actor& actor : actors_) {
        actor.priority = static_cast<std::uint32_t>(random_.next() >> 33) + 1000;
        ::getcontext(&actor.context);
        actor.context.uc_stack.ss_sp = stack_of(static_cast<int>(&actor - actors_.data()));
        actor.context.uc_stack.ss_size = kStackBytes;
        actor.context.uc_link = nullptr;
        ::makecontext(&actor.context, &Simulation::trampoline, 0);
    }
    schedule();
    if (!has_failed()) scenario.at_end();
}

void Simulation::resume(int actor) {
    if (actor == current_) return;
    ucontext_t* const from = current_ == kNobody ? &main_ : &self().context;
    alone_ = 0;
    current_ = actor;
    ::swapcontext(from, actor == kNobody ? &main_ : &self().context);
}

void Simulation::schedule() {
    ++turn_;
    ++alone_;
    if (turn_ > (options_.can_spin ? kSpinTurnsMax : kTurnsMax)) fail("nobody gets anywhere: %llu accesses", static_cast<unsigned long long>(turn_));
    happen();
    resume(pick());
}

int Simulation::pick() {
    std::array<int, kActorsMax> runnable;
    std::size_t count = 0;
    for (;;) {
        for (int i = 0; i < actor_count(); ++i)
            if (state(i) == State::runnable) runnable[count++] = i;
        if (count > 0) break;
        if (!let_time_pass()) return kNobody;
    }
    if (count == 1) return runnable[0];
    if (stickiness_ == 0) return pick_by_priority(std::span(runnable).first(count));
    const bool goes_on = current_ != kNobody && self().state == State::runnable;
    if (goes_on && stickiness_ > 1 && !random_.one_in(stickiness_)) return current_;
    return runnable[random_.below(count)];
}

int Simulation::pick_by_priority(std::span<const int> runnable) {
    const auto highest = [&] {
        return *std::max_element(runnable.begin(), runnable.end(), [&](int a, int b) {
            return actors_[static_cast<std::size_t>(a)].priority < actors_[static_cast<std::size_t>(b)].priority;
        });
    };
    const bool changes = std::find(priority_changes_.begin(), priority_changes_.end(), turn_) != priority_changes_.end();
    if (changes || alone_ > kAloneMax) {
        Actor& first = actors_[static_cast<std::size_t>(highest())];
        std::uint32_t lowest = first.priority;
        for (const Actor& actor : actors_) lowest = std::min(lowest, actor.priority);
        first.priority = lowest > 0 ? lowest - 1 : 0;
        alone_ = 0;
    }
    return highest();
}

// Nobody can run: to the earliest deadline of those asleep.
bool Simulation::let_time_pass() {
    std::uint64_t earliest = Deadline::forever().ns();
    for (const Actor& actor : actors_)
        if (actor.state == State::asleep) earliest = std::min(earliest, actor.deadline_ns);
    if (earliest == Deadline::forever().ns()) return false;
    if (long_timeouts_ + naps_ > kTimeoutsMax) {
        fail("somebody looks again and again, and finds nothing");
        return false;
    }
    time_out_until(earliest);
    return true;
}

void Simulation::time_out_until(std::uint64_t ns) {
    clock_ns_ = std::max(clock_ns_, ns);
    for (int i = 0; i < actor_count(); ++i) {
        Actor& actor = actors_[static_cast<std::size_t>(i)];
        if (actor.state != State::asleep || actor.deadline_ns > clock_ns_) continue;
        if (actor.sleeps_for_ns >= kLongNs) ++long_timeouts_;
        else if (actor.sleeps_for_ns >= kShortNs) ++naps_;
        end_sleep(i, os::Woken::timed_out);
    }
}

// What may happen between two accesses without anybody's doing.
void Simulation::happen() {
    for (const Kill& kill : options_.kills) {
        if (!kill.any_actors_step || turn_ != kill.step) continue;
        Actor& victim = actors_[static_cast<std::size_t>(kill.actor)];
        victim.doomed = true;
        if (victim.state == State::asleep) end_sleep(kill.actor, os::Woken::interrupted);
    }
    if (options_.time_passes && clock_of_accesses_ns_ < kShortNs) {
        clock_of_accesses_ns_ += kAccessNs;
        time_out_until(clock_ns_ + kAccessNs);
    }
    if ((!options_.spurious_wakes && !options_.interrupts) || !random_.one_in(24)) return;
    const int someone = static_cast<int>(random_.below(actors_.size()));
    if (state(someone) != State::asleep) return;
    const bool by_signal = options_.interrupts && (!options_.spurious_wakes || random_.one_in(2));
    end_sleep(someone, by_signal ? os::Woken::interrupted : os::Woken::maybe);
}

// ---------------------------------------------------------------- accesses

void Simulation::begin() {
    if (current_ == kNobody) return;  // setting up, or a check
    scenario_->after_access();        // after the one before, and what its actor did then
    schedule();
    if (!self().dying) live_or_die();
}

void Simulation::live_or_die() {
    Actor& actor = self();
    ++actor.steps;
    const auto kill = std::find_if(options_.kills.begin(), options_.kills.end(), [&](const Kill& one) {
        return !one.any_actors_step && one.actor == current_ && one.step == actor.steps;
    });
    if (kill != options_.kills.end() && kill->only_stops) stop();
    if (kill != options_.kills.end() || actor.doomed) die();
}

void Simulation::end(const char* what, const volatile void* word, std::uint64_t before, std::uint64_t after, bool wrote) {
    if (current_ == kNobody) return;
    note(what, word, before, after);
    if (wrote) tell_trackers(word, self().dying);
}

void Simulation::tell_trackers(const volatile void* word, bool by_kernel) {
    for (const Named& named : names_)
        if (named.word == word && named.tracker != nullptr) named.tracker->written(current_, by_kernel);
}

void begin_access() { Simulation::now().begin(); }

void end_access(const char* what, const volatile void* word, std::uint64_t before, std::uint64_t after, bool wrote) {
    Simulation::now().end(what, word, before, after, wrote);
}

bool weak_failure() {
    Simulation& simulation = Simulation::now();
    return simulation.options().weak_failures && simulation.random().one_in(8);
}

bool is_store_dropped(const volatile void* /*word*/) { return Simulation::now().options().faults.drops_stores; }

// ---------------------------------------------------------------- sleeping and waking

os::Woken Simulation::sleep(std::span<const SimSleep> sleeps, Deadline deadline) {
    self().woken_early = false;
    for (const SimSleep& one : sleeps) {
        begin();
        const std::uint32_t now = one.word->peek();
        if (now != one.seen) {
            note("does not sleep: it was", one.word, one.seen, now);
            std::erase_if(sleepers_, [this](const Sleeper& sleeper) { return sleeper.actor == current_; });
            return os::Woken::maybe;
        }
        note("sleeps on", one.word, now, now);
        if (!self().woken_early) sleepers_.push_back({current_, one.word});
    }
    if (self().woken_early) return os::Woken::maybe;
    Actor& actor = self();
    actor.deadline_ns = deadline.ns();
    actor.sleeps_for_ns = deadline.ns() > clock_ns_ ? deadline.ns() - clock_ns_ : 0;
    if (deadline.ns() <= clock_ns_) {
        std::erase_if(sleepers_, [this](const Sleeper& sleeper) { return sleeper.actor == current_; });
        note("is too late to sleep", nullptr, 0, 0);
        return os::Woken::timed_out;
    }
    actor.state = State::asleep;
    scenario_->after_access();
    schedule();
    live_or_die();
    note(text_of(self().woken), nullptr, 0, 0);
    return self().woken;
}

void Simulation::end_sleep(int actor, os::Woken woken) {
    Actor& who = actors_[static_cast<std::size_t>(actor)];
    std::erase_if(sleepers_, [actor](const Sleeper& sleeper) { return sleeper.actor == actor; });
    if (who.state == State::asleep) {
        who.state = State::runnable;
        who.woken = woken;
    } else {
        who.woken_early = true;
    }
}

std::uint32_t Simulation::wake_sleepers(const volatile void* word, std::uint32_t count) {
    std::uint32_t woken = 0;
    while (woken < count) {
        std::array<int, kActorsMax> asleep;
        std::size_t found = 0;
        for (const Sleeper& sleeper : sleepers_)
            if (sleeper.word == word && found < asleep.size()) asleep[found++] = sleeper.actor;
        if (found == 0) break;
        end_sleep(asleep[options_.any_wake_order ? random_.below(found) : 0], os::Woken::maybe);
        ++woken;
    }
    return woken;
}

std::uint32_t Simulation::change_and_wake(Atom32& word, const char* what, Operation operation, std::uint32_t argument, bool all, bool wakes) {
    begin();
    const std::uint32_t before = word.peek();
    word.poke(operation(before, argument));
    end(what, &word, before, word.peek(), true);
    if (options_.faults.wakes_in_second_step) begin();
    const std::uint32_t count = all && !options_.faults.all_is_one ? kActorsMax : 1;
    const std::uint32_t woken = wakes ? wake_sleepers(&word, count) : 1;  // a fault also says that it woke somebody
    note("   woke", nullptr, woken, woken);
    return woken;
}

void Simulation::wake(Atom32& word, bool all) {
    begin();
    const std::uint32_t woken = wake_sleepers(&word, all && !options_.faults.all_is_one ? kActorsMax : 1);
    note("wake", &word, woken, woken);
}

bool Simulation::touch() {
    begin();
    kernel_add_and_wake_all(*touched_, 1);
    return true;
}

void Simulation::kernel_add_and_wake_all(Atom32& word, std::uint32_t addend) {
    const std::uint32_t before = word.peek();
    word.poke(before + addend);
    note("event", &word, before, word.peek());
    wake_sleepers(&word, kActorsMax);
}

// ---------------------------------------------------------------- death

void Simulation::announce(SimNode* node, const char* what) {
    begin();
    self().pending = node;
    note(what, node == nullptr ? nullptr : node->word, 0, 0);
}

void Simulation::link(SimNode* node) {
    begin();
    self().list.insert(self().list.begin(), node);
    note("link", node->word, 0, 0);
}

void Simulation::unlink(SimNode* node) {
    begin();
    std::erase(self().list, node);
    note("unlink", node->word, 0, 0);
}

void Simulation::die() {
    Actor& actor = self();
    actor.dying = true;
    ++deaths_;
    note("DIES", nullptr, 0, 0);
    for (Actor& other : actors_) {
        if (&other == &actor || other.process != actor.process || other.dying) continue;
        other.doomed = true;
        if (other.state == State::asleep) end_sleep(static_cast<int>(&other - actors_.data()), os::Woken::interrupted);
    }
    scenario_->died(current_);
    if (!options_.faults.forgets_the_dead) {
        for (SimNode* node : actor.list)
            if (node != actor.pending) handle_death_of(node, false);
        if (actor.pending != nullptr && !options_.faults.ignores_pending) handle_death_of(actor.pending, true);
    }
    actor.state = State::dead;
    schedule();
    std::abort();  // nobody runs the dead
}

void Simulation::stop() {
    ++deaths_;
    note("is stopped for ever", nullptr, 0, 0);
    self().state = State::stopped;
    schedule();
    std::abort();  // nobody lets it go on
}

void Simulation::kernel_step() { begin(); }

// As in handle_futex_death() of kernel/futex/core.c.
void Simulation::handle_death_of(SimNode* node, bool pending) {
    kernel_step();
    const std::uint32_t seen = node->word->peek();
    const std::uint32_t owner = seen & os::kOwnerMask;
    if (pending && owner == 0) {
        note("kernel: wakes one", node->word, seen, seen);
        wake_sleepers(node->word, 1);
        return;
    }
    if (owner != self().thread_number) return;
    node->word->poke((seen & os::kSleepers) | os::kOwnerDied);
    note("kernel: owner died", node->word, seen, node->word->peek());
    tell_trackers(node->word, true);
    if ((seen & os::kSleepers) == 0) return;
    kernel_step();
    const std::uint32_t woken = wake_sleepers(node->word, 1);
    note("kernel: wakes one", node->word, woken, woken);
}

// ---------------------------------------------------------------- what happened

void Simulation::fail(const char* format, ...) {
    if (failure_.empty()) {
        std::array<char, 400> text;
        va_list arguments;
        va_start(arguments, format);
        std::vsnprintf(text.data(), text.size(), format, arguments);
        va_end(arguments);
        failure_ = text.data();
    }
    if (current_ != kNobody) resume(kNobody);
}

const char* Simulation::name_of(const volatile void* word) const {
    for (const Named& named : names_)
        if (named.word == word) return named.name;
    return word == nullptr ? "" : "?";
}

std::string Simulation::line(const Access& access) const {
    std::array<char, 200> text;
    std::snprintf(text.data(), text.size(), "  %d%s %-24s %-12s", access.actor, access.dying ? "+" : " ", access.what, name_of(access.word));
    std::string result = text.data();
    if (access.before != access.after) {
        std::snprintf(text.data(), text.size(), " %llx -> %llx", static_cast<unsigned long long>(access.before), static_cast<unsigned long long>(access.after));
        result += text.data();
    } else if (access.before != 0) {
        std::snprintf(text.data(), text.size(), " %llx", static_cast<unsigned long long>(access.before));
        result += text.data();
    }
    return result + "\n";
}

void Simulation::note(const char* what, const volatile void* word, std::uint64_t before, std::uint64_t after) {
    const Access access = {current_, current_ != kNobody && self().dying, what, word, before, after};
    last_[noted_++ % last_.size()] = access;
    if (options_.trace) std::fputs(line(access).c_str(), stdout);
}

std::string Simulation::trace() const {
    std::string text;
    for (std::uint64_t i = noted_ > last_.size() ? noted_ - last_.size() : 0; i < noted_; ++i) text += line(last_[i % last_.size()]);
    for (int i = 0; i < actor_count(); ++i) {
        const Actor& actor = actors_[static_cast<std::size_t>(i)];
        constexpr std::array<const char*, 5> kStates = {"can run", "sleeps", "is done", "is dead", "is stopped"};
        text += "  actor " + std::to_string(i) + " " + kStates[static_cast<std::size_t>(actor.state)] + ", " + std::to_string(actor.steps) + " steps";
        for (const Sleeper& sleeper : sleepers_)
            if (sleeper.actor == i) text += std::string(", on ") + name_of(sleeper.word);
        text += "\n";
    }
    return text;
}

// ---------------------------------------------------------------- the machine

os::Woken SimMachine::wait(const Atom32& word, std::uint32_t seen, Deadline deadline) {
    const SimSleep sleep = {&word, seen};
    return Simulation::now().sleep(std::span(&sleep, 1), deadline);
}

os::Woken SimMachine::wait_any(std::span<const Sleep> sleeps, Deadline deadline) { return Simulation::now().sleep(sleeps, deadline); }

std::uint32_t SimMachine::add_and_wake_all(Atom32& word, std::uint32_t addend) {
    Simulation& simulation = Simulation::now();
    return simulation.change_and_wake(word, "add, wake all", [](std::uint32_t before, std::uint32_t argument) { return before + argument; },
                                      addend, true, !simulation.options().faults.set_wakes_nobody);
}

std::uint32_t SimMachine::set_bit_and_wake_all(Atom32& word, std::uint32_t bit_index) {
    Simulation& simulation = Simulation::now();
    return simulation.change_and_wake(word, "set bit, wake all", [](std::uint32_t before, std::uint32_t bit) { return before | 1u << bit; },
                                      bit_index, true, !simulation.options().faults.set_wakes_nobody);
}

std::uint32_t SimMachine::clear_bit_and_wake_all(Atom32& word, std::uint32_t bit_index) {
    Simulation& simulation = Simulation::now();
    return simulation.change_and_wake(word, "clear bit, wake all", [](std::uint32_t before, std::uint32_t bit) { return before & ~(1u << bit); },
                                      bit_index, true, !simulation.options().faults.clear_wakes_nobody);
}

std::uint32_t SimMachine::set_to_bit_and_wake_one(Atom32& word, std::uint32_t bit_index) {
    Simulation& simulation = Simulation::now();
    return simulation.change_and_wake(word, "set to bit, wake one", [](std::uint32_t, std::uint32_t bit) { return 1u << bit; },
                                      bit_index, false, !simulation.options().faults.give_wakes_nobody);
}

void SimMachine::wake(Atom32& word, bool all) { Simulation::now().wake(word, all); }

std::uint32_t SimMachine::thread_number() { return Simulation::now().thread_number_of(Simulation::now().actor()); }
std::uint64_t SimMachine::thread_token() { return static_cast<std::uint64_t>(Simulation::now().actor()) + 1; }
bool SimMachine::is_alive(std::uint64_t thread_token) {
    const State state = Simulation::now().state(static_cast<int>(thread_token) - 1);
    return state != State::dead && state != State::done;
}
void SimMachine::robust_begin(Node* node) { Simulation::now().announce(node, "announce"); }
void SimMachine::robust_end() { Simulation::now().announce(nullptr, "announce nothing"); }
void SimMachine::robust_link(Node* node) { Simulation::now().link(node); }
void SimMachine::robust_unlink(Node* node) { Simulation::now().unlink(node); }

bool SimMachine::touch(int descriptor, std::uint64_t /*scratch_offset_bytes*/) { return descriptor >= 0 && Simulation::now().touch(); }
bool SimMachine::can_spin() { return Simulation::now().options().can_spin; }

}  // namespace comap::model
