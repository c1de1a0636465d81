// SPDX-License-Identifier: Apache-2.0
// The objects of the scenarios: the shared words, and what is known of them by watching every write. What the algorithms
// answer is compared with that.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "machine.hpp"
#include "sync/waiting.hpp"

namespace comap::model {

using internal::Awaited;
using internal::Ended;
using internal::LockWord;
using internal::OwnerRecord;
using internal::Take;
using internal::WaitPoint;
using internal::WaitResult;

template <typename T>
using PerActor = std::array<T, kActorsMax>;

inline std::size_t at(int actor) { return static_cast<std::size_t>(actor); }
inline unsigned long long number(std::uint64_t value) { return value; }

// Whether something was so at any moment since a turn.
class Since {
  public:
    void is(bool now) {
        if (is_ && !now) ended_ = Simulation::now().turn();
        is_ = now;
    }
    bool at_any_time_since(std::uint64_t turn) const { return is_ || ended_ > turn; }
    bool now() const { return is_; }

  private:
    bool is_ = false;
    std::uint64_t ended_ = 0;
};

// A lock word: who took it last by writing his number, and has not given it.
struct Lock : Tracker {
    explicit Lock(const char* name) { Simulation::now().name(&word, name, this); }

    Atom32 word{0};
    PerActor<SimNode> nodes{};  // by process
    int owner = kNobody;
    bool freed_by_death = false;          // its last owner died with it
    PerActor<bool> took_of_dead{};        // the actor's last taking was of such a word
    PerActor<std::uint32_t> takings{};
    // The kernel has taken it from its owner at the death of another of his number, who had announced it: CAVEATS.md, "Two
    // containers, one thread number". What comes after that is not checked.
    bool was_robbed = false;
    Since taken;

    template <typename M>
    LockWord<M> of(int process) {
        nodes[at(process)].word = &word;
        return {&word, &nodes[at(process)]};
    }

    void written(int actor, bool by_kernel) override {
        Simulation& simulation = Simulation::now();
        const std::uint32_t before = last_ & os::kOwnerMask;
        const std::uint32_t after = word.peek() & os::kOwnerMask;
        last_ = word.peek();
        if (before == after) return;
        const bool of_another = owner != actor && owner != kNobody;
        if (by_kernel && of_another && simulation.thread_number_of(owner) == simulation.thread_number_of(actor) && simulation.has_announced(actor)) was_robbed = true;
        if (before == 0) {
            took_of_dead[at(actor)] = freed_by_death;
            freed_by_death = false;
            ++takings[at(actor)];
            if (after != simulation.thread_number_of(actor)) simulation.fail("actor %d writes the owner %u into a lock word", actor, after);
        } else if (!was_robbed && after != 0) {
            simulation.fail("actor %d takes a lock word from its owner %u", actor, before);
        } else if (!was_robbed && owner != actor) {
            simulation.fail("actor %d gives a lock word that actor %d has", actor, owner);
        }
        owner = after != 0 ? actor : kNobody;
        if (after == 0) freed_by_death = by_kernel;
        taken.is(owner != kNobody);
    }

    // --- by the scenario: between the return of the taking call and the beginning of the giving one
    int inside = kNobody;

    void enter(int actor) {
        Simulation& simulation = Simulation::now();
        if (!was_robbed) {
            if (inside != kNobody && simulation.is_alive(inside)) simulation.fail("actors %d and %d have the lock at the same time", inside, actor);
            if (owner != actor) simulation.fail("actor %d is told that it has the lock, and has not", actor);
        }
        inside = actor;
    }
    void leave(int actor) {
        if (inside == actor) inside = kNobody;
    }

  private:
    std::uint32_t last_ = 0;
};

// A mutex: what must be, may be and must not be reported to its next owner.
struct Mutex : Tracker {
    Mutex(const char* name, const char* mark_name) : lock(name) {
        Simulation::now().name(&mark, mark_name, this);
        Simulation::now().name(&lock.word, name, this);
    }

    Lock lock;
    Atom32 mark{0};
    PerActor<OwnerRecord> records{};  // by process
    bool must_be_reported = false;
    bool may_be_reported = false;
    PerActor<bool> only_reserves{};  // is in wait_all: not its owner before he has marked it
    Since owned;

    template <typename M>
    internal::MutexWord<M> of(int process) {
        return {lock.of<M>(process), &mark, &records[at(process)]};
    }
    template <typename M>
    WaitPoint<M> point(int process) {
        WaitPoint<M> point;
        point.is = Awaited::mutex;
        point.lock = lock.of<M>(process);
        point.mutex = of<M>(process);
        return point;
    }

    void written(int /*actor*/, bool /*by_kernel*/) override { owned.is(lock.owner != kNobody && (!only_reserves[at(lock.owner)] || is_marked_by(lock.owner))); }
    bool is_marked_by(int actor) const {
        return actor != kNobody && mark.peek() == (internal::kMarkTag | Simulation::now().thread_number_of(actor));
    }

    void died(int actor) {
        if (lock.inside == actor) must_be_reported = true;
        else if (lock.owner == actor && is_marked_by(actor)) may_be_reported = true;
    }
    void enter(int actor, bool told_abandoned) {
        lock.enter(actor);
        if (lock.was_robbed) return;
        if (must_be_reported && !told_abandoned) Simulation::now().fail("actor %d is not told that the last owner died", actor);
        if (told_abandoned && !must_be_reported && !may_be_reported) Simulation::now().fail("actor %d is told that the last owner died, and none did", actor);
        must_be_reported = may_be_reported = false;
    }
    // `as_abandoned` with unlock(true).
    void leave(int actor, bool as_abandoned = false) {
        lock.leave(actor);
        must_be_reported = as_abandoned;
    }
};

struct Event : Tracker {
    Event(const char* name, const char* lock_name, bool is_manual_event) : lock(lock_name), is_manual(is_manual_event) {
        Simulation::now().name(&word, name, this);
        unset.is(true);
    }

    Lock lock;
    bool is_manual;
    Atom32 word{0};
    PerActor<std::uint32_t> takings{};  // cleared the bit, not by reset
    PerActor<bool> resets{};            // is in reset() or pulse_manual()
    std::uint64_t last_passed = 0;      // turn in which it was set, or its epoch went on, so that everybody passes
    Since set, unset;

    template <typename M>
    internal::EventWord<M> of() { return {&word}; }
    template <typename M>
    WaitPoint<M> point(int process, bool may_write = true) {
        WaitPoint<M> point;
        point.is = is_manual ? Awaited::manual_event : Awaited::automatic_event;
        point.may_write = may_write;
        point.lock = lock.of<M>(process);
        point.event = of<M>();
        return point;
    }

    void written(int actor, bool /*by_kernel*/) override {
        const std::uint32_t now = word.peek();
        const bool was_set = (last_ & internal::kEventSet) != 0;
        const bool is_set = (now & internal::kEventSet) != 0;
        if ((!was_set && is_set) || (is_manual && internal::EventWord<SimMachine>::epoch_of(now) != internal::EventWord<SimMachine>::epoch_of(last_)))
            last_passed = Simulation::now().turn();
        if (was_set && !is_set && !resets[at(actor)]) ++takings[at(actor)];
        set.is(is_set);
        unset.is(!is_set);
        last_ = now;
    }
    bool is_set() const { return (word.peek() & internal::kEventSet) != 0; }

  private:
    std::uint32_t last_ = 0;
};

struct Semaphore : Tracker {
    Semaphore(const char* name, const char* lock_name, std::uint32_t initial, std::uint32_t maximum_count)
        : lock(lock_name), maximum(maximum_count), word(initial * internal::kSemaphoreOneToken), last_(initial) {
        Simulation::now().name(&word, name, this);
        empty.is(initial == 0);
        least_since.fill(initial);
        most_since.fill(initial);
    }

    Lock lock;
    std::uint32_t maximum;
    Atom64 word;
    PerActor<std::uint32_t> takings{};
    PerActor<std::uint32_t> releases{};     // tokens
    PerActor<std::uint32_t> least_since{};  // tokens since begin_call()
    PerActor<std::uint32_t> most_since{};
    std::uint64_t half_released = 0;        // turn in which a releaser died before he showed his tokens
    Since empty;

    template <typename M>
    internal::SemaphoreWord<M> of() { return {&word, maximum}; }
    template <typename M>
    WaitPoint<M> point(int process) {
        WaitPoint<M> point;
        point.is = Awaited::semaphore;
        point.lock = lock.of<M>(process);
        point.semaphore = of<M>();
        return point;
    }

    std::uint32_t tokens() const { return internal::tokens_of(word.peek()); }
    void begin_call(int actor) { least_since[at(actor)] = most_since[at(actor)] = tokens(); }

    void written(int actor, bool /*by_kernel*/) override {
        const std::uint32_t now = tokens();
        if (now > maximum) Simulation::now().fail("%u tokens of at most %u", now, maximum);
        if (now > last_) releases[at(actor)] += now - last_;
        if (now < last_) takings[at(actor)] += last_ - now;
        for (std::size_t i = 0; i < kActorsMax; ++i) {
            least_since[i] = std::min(least_since[i], now);
            most_since[i] = std::max(most_since[i], now);
        }
        empty.is(now == 0);
        last_ = now;
    }

  private:
    std::uint32_t last_;
};

template <typename M>
WaitResult wait_for(WaitPoint<M>& point, Deadline deadline) {
    return internal::wait_any(std::span<WaitPoint<M>>(&point, 1), deadline);
}

inline bool has_it(Ended end) { return end == Ended::acquired || end == Ended::acquired_abandoned; }

}  // namespace comap::model
