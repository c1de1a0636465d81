// SPDX-License-Identifier: Apache-2.0
// Scenarios of locks and mutexes.
#pragma once

#include "objects.hpp"

namespace comap::model {

// Three actors lock and unlock a bare lock word, as RobustLock does.
template <typename M>
class LockScenario : public Scenario {
  public:
    enum Variant { plain, same_number, impatient };

    explicit LockScenario(Variant variant) : variant_(variant) {
        for (int i = 0; i < 3; ++i)
            simulation_.add_actor([this, i] { body(i); }, variant == same_number && i == 1 ? 100 : 100 + static_cast<std::uint32_t>(i), i);
    }

    void at_end() override {
        for (int i = 0; i < 3; ++i)
            if (simulation_.state(i) == State::asleep) simulation_.fail("actor %d waits for a lock for ever", i);
        if (simulation_.deaths() == 0 && counted_ != entered_) simulation_.fail("%u of %u counted", counted_, entered_);
        if (lock_.was_robbed && variant_ != same_number) simulation_.fail("the kernel took a lock from a living owner");
    }

  private:
    void body(int me) {
        const LockWord<M> word = lock_.of<M>(me);
        for (int round = 0; round < 2; ++round) {
            const Ended end = lock(word, deadline_of(me, round));
            if (end == Ended::corrupt) simulation_.fail("actor %d is told that the lock is corrupt", me);
            if (end == Ended::timed_out && variant_ != impatient) simulation_.fail("actor %d timed out without a deadline", me);
            if (!has_it(end)) continue;
            lock_.enter(me);
            if (!lock_.was_robbed && (end == Ended::acquired_abandoned) != lock_.took_of_dead[at(me)])
                simulation_.fail("actor %d is told the wrong thing about the last owner: %d", me, static_cast<int>(end));
            ++entered_;
            const std::uint32_t count = counted_;
            simulation_.work();
            counted_ = count + 1;
            lock_.leave(me);
            if (!word.give() && !lock_.was_robbed) simulation_.fail("actor %d finds its lock overwritten", me);
        }
    }

    Ended lock(const LockWord<M>& word, Deadline deadline) {
        const Take end = word.take(0);
        if (end == Take::taken) return Ended::acquired;
        if (end == Take::taken_abandoned) return Ended::acquired_abandoned;
        WaitPoint<M> point;
        point.lock = word;
        return wait_for(point, deadline).end;
    }

    // The last one waits as long as it takes.
    Deadline deadline_of(int me, int round) {
        if (variant_ != impatient || me == 2) return Deadline::forever();
        return (me + round) % 2 == 0 ? simulation_.shortly() : Deadline::passed();
    }

    Simulation& simulation_ = Simulation::now();
    Variant variant_;
    Lock lock_{"lock"};
    std::uint32_t counted_ = 0;
    std::uint32_t entered_ = 0;
};

// Actors lock and unlock a mutex, some of them more than once.
template <typename M>
class MutexScenario : public Scenario {
  public:
    // `threads`: the first two actors are threads of one process.
    enum Variant { plain, impatient, same_number, threads };

    explicit MutexScenario(Variant variant) : variant_(variant) {
        for (int i = 0; i < 3; ++i)
            simulation_.add_actor([this, i] { body(i); }, variant == same_number && i == 1 ? 100 : 100 + static_cast<std::uint32_t>(i), process_of(i));
    }

    void died(int actor) override { mutex_.died(actor); }

    void at_end() override {
        for (int i = 0; i < 3; ++i)
            if (simulation_.state(i) == State::asleep) simulation_.fail("actor %d waits for a mutex for ever", i);
        if (simulation_.deaths() == 0 && counted_ != entered_) simulation_.fail("%u of %u counted", counted_, entered_);
    }

  private:
    int process_of(int actor) const { return variant_ == threads && actor == 1 ? 0 : actor; }

    void body(int me) {
        const auto mutex = mutex_.of<M>(process_of(me));
        if (mutex.unlock() != internal::Unlock::not_owner) simulation_.fail("actor %d unlocks what it has not", me);
        for (int round = 0; round < 2; ++round) {
            auto point = mutex_.point<M>(process_of(me));
            const bool waits = variant_ != impatient || me == 2;
            const std::uint64_t began = simulation_.turn();
            const std::uint32_t naps = simulation_.naps();
            const bool only_looks = !waits && (me + round) % 2 == 1;
            const Ended end = lock(point, waits ? Deadline::forever() : only_looks ? Deadline::passed() : simulation_.shortly());
            if (end == Ended::corrupt || (waits && end == Ended::timed_out)) simulation_.fail("actor %d is told %d", me, static_cast<int>(end));
            if (only_looks && end == Ended::timed_out && naps == simulation_.naps() && !mutex_.owned.at_any_time_since(began))
                simulation_.fail("actor %d is told that the mutex is taken, and nobody has it", me);
            if (!has_it(end)) continue;
            mutex_.enter(me, end == Ended::acquired_abandoned);
            ++entered_;
            const std::uint32_t count = counted_;
            simulation_.work();
            if (me == 1) lock_again(point);
            counted_ = count + 1;
            const bool as_abandoned = me == 2 && round == 0;
            mutex_.leave(me, as_abandoned);
            if (mutex.unlock(as_abandoned) != internal::Unlock::unlocked && !mutex_.lock.was_robbed) simulation_.fail("actor %d cannot unlock", me);
        }
    }

    // As Mutex::lock does.
    Ended lock(WaitPoint<M>& point, Deadline deadline) {
        if (point.mutex.take_if_quiet()) return Ended::acquired;
        const Take end = point.mutex.take(0);
        if (end == Take::taken) return Ended::acquired;
        return end == Take::taken_abandoned ? Ended::acquired_abandoned : wait_for(point, deadline).end;
    }

    void lock_again(WaitPoint<M>& point) {
        if (lock(point, Deadline::passed()) != Ended::acquired) simulation_.fail("an owner does not get its mutex again");
        if (point.mutex.unlock() != internal::Unlock::still_locked) simulation_.fail("an owner has lost its mutex with the first of two unlocks");
    }

    Simulation& simulation_ = Simulation::now();
    Variant variant_;
    Mutex mutex_{"mutex", "mark"};
    std::uint32_t counted_ = 0;
    std::uint32_t entered_ = 0;
};

// Two wait for a mutex and an event together, so that the mutex is often reserved for nothing; a third only looks whether the
// mutex is free, and a fourth locks it.
template <typename M>
class MutexReservedScenario : public Scenario {
  public:
    MutexReservedScenario() {
        for (int i = 0; i < 2; ++i) simulation_.add_actor([this, i] { both(i); }, 100 + static_cast<std::uint32_t>(i), i);
        simulation_.add_actor([this] { look(2); }, 102, 2);
        simulation_.add_actor([this] { feed(3); }, 103, 3);
    }

    void died(int actor) override { mutex_.died(actor); }

    void at_end() override {
        for (int i = 0; i < 2; ++i)
            if (simulation_.state(i) == State::asleep && event_.is_set() && mutex_.lock.owner == kNobody) simulation_.fail("actor %d waits for what is there", i);
        for (int i = 2; i < 4; ++i)
            if (simulation_.state(i) == State::asleep) simulation_.fail("actor %d waits for a mutex for ever", i);
    }

  private:
    void both(int me) {
        std::array<WaitPoint<M>, 2> points = {mutex_.point<M>(me), event_.point<M>(me)};
        const std::array<std::uint8_t, 2> order = {0, 1};
        mutex_.only_reserves[at(me)] = true;
        const Ended end = internal::wait_all(std::span<WaitPoint<M>>(points), std::span<const std::uint8_t>(order), Deadline::forever()).end;
        mutex_.only_reserves[at(me)] = false;
        if (!has_it(end)) {
            if (end != Ended::interrupted) simulation_.fail("actor %d is told %d", me, static_cast<int>(end));
            return;
        }
        mutex_.enter(me, end == Ended::acquired_abandoned);
        simulation_.work();
        mutex_.leave(me);
        points[0].mutex.unlock();
    }

    void look(int me) {
        for (int round = 0; round < 3; ++round) {
            auto point = mutex_.point<M>(me);
            const std::uint64_t began = simulation_.turn();
            const std::uint32_t naps = simulation_.naps();
            const Ended end = wait_for(point, Deadline::passed()).end;
            if (end == Ended::timed_out && naps == simulation_.naps() && !mutex_.owned.at_any_time_since(began))
                simulation_.fail("actor %d is told that the mutex is taken, and it was only reserved", me);
            if (has_it(end)) use(me, point, end);
        }
    }

    void feed(int me) {
        for (int round = 0; round < 2; ++round) {
            event_.of<M>().set(false);
            auto event = event_.point<M>(me);
            if (round == 0) wait_for(event, Deadline::passed());  // takes it from those who wait for both
        }
        auto point = mutex_.point<M>(me);
        const Ended end = wait_for(point, Deadline::forever()).end;
        if (has_it(end)) use(me, point, end);
        event_.of<M>().set(false);
    }

    void use(int me, WaitPoint<M>& point, Ended end) {
        mutex_.enter(me, end == Ended::acquired_abandoned);
        simulation_.work();
        mutex_.leave(me, me == 3);
        point.mutex.unlock(me == 3);
    }

    Simulation& simulation_ = Simulation::now();
    Mutex mutex_{"mutex", "mark"};
    Event event_{"event", "event.lock", false};
};

}  // namespace comap::model
