// SPDX-License-Identifier: Apache-2.0
// Scenarios of waiting for several objects.
#pragma once

#include "objects.hpp"

namespace comap::model {

// Two wait for a mutex, an event or a semaphore, whichever comes first; others provide them.
template <typename M>
class AnyScenario : public Scenario {
  public:
    // mutex_last: it often wakes somebody who then takes another.
    enum Variant { plain, impatient, mutex_last };

    explicit AnyScenario(Variant variant) : variant_(variant) {
        for (int i = 0; i < 2; ++i) simulation_.add_actor([this, i] { any(i); }, 100 + static_cast<std::uint32_t>(i), i);
        simulation_.add_actor([this] { lock(2); }, 102, 2);
        simulation_.add_actor([this] { give(3); }, 103, 3);
    }

    void died(int actor) override { mutex_.died(actor); }

    void at_end() override {
        for (int i = 0; i < simulation_.actor_count(); ++i)
            if (simulation_.state(i) == State::asleep) simulation_.fail("actor %d waits for ever, and the mutex is free", i);
    }

  private:
    void any(int me) {
        for (int round = 0; round < 3; ++round) {
            std::array<WaitPoint<M>, 3> points;
            PerActor<std::uint32_t> before{};
            const std::size_t first = variant_ == mutex_last ? 1 : at(me + round) % 3;  // the order is another each time
            const auto kind = [first](std::size_t index) { return (first + index) % 3; };
            for (std::size_t i = 0; i < 3; ++i) {
                points[i] = point(kind(i), me);
                before[i] = takings(kind(i), me);
            }
            const std::uint64_t began = simulation_.turn();
            Deadline deadline = Deadline::forever();
            if (variant_ == impatient && me == 0) deadline = round == 1 ? Deadline::passed() : simulation_.shortly();
            const WaitResult result = internal::wait_any(std::span<WaitPoint<M>>(points), deadline);
            if (result.end == Ended::corrupt) simulation_.fail("actor %d is told that something is corrupt", me);
            for (std::size_t i = 0; i < 3; ++i) {
                const bool is_taken = takings(kind(i), me) != before[i];
                if (is_taken != (has_it(result.end) && result.index == i)) simulation_.fail("actor %d took object %zu: %d, and is told %d, %zu", me, i, is_taken, static_cast<int>(result.end), result.index);
                if ((result.end == Ended::timed_out || (has_it(result.end) && i < result.index)) && !was_not_ready_since(kind(i), began))
                    simulation_.fail("actor %d did not see that object %zu was ready", me, i);
            }
            if (!has_it(result.end)) continue;
            if (kind(result.index) != 0) continue;
            mutex_.enter(me, result.end == Ended::acquired_abandoned);
            simulation_.work();
            mutex_.leave(me);
            points[result.index].mutex.unlock();
        }
    }

    WaitPoint<M> point(std::size_t kind, int me) {
        if (kind == 0) return mutex_.point<M>(me);
        return kind == 1 ? event_.point<M>(me) : semaphore_.point<M>(me);
    }
    std::uint32_t takings(std::size_t kind, int me) const {
        if (kind == 0) return mutex_.lock.takings[at(me)];
        return kind == 1 ? event_.takings[at(me)] : semaphore_.takings[at(me)];
    }
    bool was_not_ready_since(std::size_t kind, std::uint64_t began) const {
        if (kind == 0) return mutex_.lock.taken.at_any_time_since(began);
        return kind == 1 ? event_.unset.at_any_time_since(began) : semaphore_.empty.at_any_time_since(began);
    }

    void lock(int me) {
        for (int round = 0; round < 2; ++round) {
            auto point = mutex_.point<M>(me);
            const Ended end = wait_for(point, Deadline::forever()).end;
            if (!has_it(end)) continue;
            mutex_.enter(me, end == Ended::acquired_abandoned);
            simulation_.work();
            simulation_.work();
            mutex_.leave(me);
            point.mutex.unlock();
        }
    }

    void give(int /*me*/) {
        std::uint32_t before = 0;
        event_.of<M>().set(false);
        semaphore_.of<M>().release(1, before);
        simulation_.work();
        event_.of<M>().set(false);
    }

    Simulation& simulation_ = Simulation::now();
    Variant variant_;
    Mutex mutex_{"mutex", "mark"};
    Event event_{"event", "event.lock", false};
    Semaphore semaphore_{"semaphore", "sem.lock", 0, 2};
};

// Waiting for a mutex, an automatic event, a semaphore and a manual event together, while others take them singly.
template <typename M>
class AllScenario : public Scenario {
  public:
    enum Variant { plain, impatient, without_manual };

    explicit AllScenario(Variant variant) : variant_(variant) {
        for (int i = 0; i < 2; ++i) simulation_.add_actor([this, i] { all(i); }, 100 + static_cast<std::uint32_t>(i), i);
        simulation_.add_actor([this] { provide(2); }, 102, 2);
        simulation_.add_actor([this] { compete(3); }, 103, 3);
    }

    void after_access() override {
        for (int i = 0; i < 2; ++i) {
            Call& call = calls_[at(i)];
            if (call.runs && mutex_.lock.owner == i && event_.lock.owner == i && semaphore_.lock.owner == i && (variant_ == without_manual || manual_.is_set()))
                call.had_all = true;
        }
    }

    void died(int actor) override {
        mutex_.died(actor);
        const Call& call = calls_[at(actor)];
        if (call.runs && (event_.takings[at(actor)] != call.events || semaphore_.takings[at(actor)] != call.tokens)) mutex_.must_be_reported = true;
    }

    void at_end() override {
        const bool mutex_free = mutex_.lock.owner == kNobody;
        const bool has_tokens = semaphore_.tokens() > 0 && !internal::are_hidden(semaphore_.word.peek());
        const bool all_there = mutex_free && event_.is_set() && has_tokens && (variant_ == without_manual || manual_.is_set());
        const std::array<bool, 3> there = {mutex_free, event_.is_set(), has_tokens};
        for (int i = 0; i < simulation_.actor_count(); ++i) {
            if (simulation_.state(i) != State::asleep) continue;
            if (i < 2 && all_there) simulation_.fail("actor %d waits for all, and all are there", i);
            if (i >= 2 && there[waits_for_[at(i)]]) simulation_.fail("actor %d waits for object %zu, and it is there", i, waits_for_[at(i)]);
        }
    }

  private:
    struct Call {
        bool runs = false;
        bool had_all = false;
        std::uint32_t events = 0;
        std::uint32_t tokens = 0;
    };

    void all(int me) {
        Call& call = calls_[at(me)];
        for (int round = 0; round < 2; ++round) {
            const bool backwards = me == 1;  // the caller's order is his own, that of reserving everybody's
            const std::size_t count = variant_ == without_manual ? 3 : 4;
            std::array<WaitPoint<M>, 4> points = {mutex_.point<M>(me), event_.point<M>(me), semaphore_.point<M>(me), manual_.point<M>(me)};
            std::array<std::uint8_t, 4> order = {0, 1, 2, 3};
            if (backwards) {
                std::reverse(points.begin(), points.begin() + static_cast<std::ptrdiff_t>(count));
                std::reverse(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count));
            }
            Deadline deadline = Deadline::forever();
            if (variant_ == impatient && me == 1) deadline = round == 0 ? simulation_.shortly() : Deadline::passed();
            mutex_.only_reserves[at(me)] = true;
            call = {true, false, event_.takings[at(me)], semaphore_.takings[at(me)]};
            const Ended end = internal::wait_all(std::span<WaitPoint<M>>(points).first(count), std::span<const std::uint8_t>(order).first(count), deadline).end;
            call.runs = mutex_.only_reserves[at(me)] = false;
            check(me, call, end);
            if (!has_it(end)) continue;
            mutex_.enter(me, end == Ended::acquired_abandoned);
            simulation_.work();
            mutex_.leave(me);
            if (mutex_.of<M>(me).unlock() != internal::Unlock::unlocked) simulation_.fail("actor %d cannot unlock", me);
        }
    }

    void check(int me, const Call& call, Ended end) {
        const std::uint32_t wanted = has_it(end) ? 1 : 0;
        if (end == Ended::corrupt) simulation_.fail("actor %d is told that something is corrupt", me);
        if (event_.takings[at(me)] - call.events != wanted || semaphore_.takings[at(me)] - call.tokens != wanted || (mutex_.lock.owner == me) != has_it(end))
            simulation_.fail("actor %d is told %d and took: mutex %d, event %u, semaphore %u", me, static_cast<int>(end), mutex_.lock.owner == me,
                             event_.takings[at(me)] - call.events, semaphore_.takings[at(me)] - call.tokens);
        if (event_.lock.owner == me || semaphore_.lock.owner == me) simulation_.fail("actor %d goes on reserving", me);
        if (has_it(end) && !call.had_all) simulation_.fail("actor %d took all of them, and they were never ready together", me);
    }

    void provide(int me) {
        const auto event = event_.of<M>();
        const auto semaphore = semaphore_.of<M>();
        const auto manual = manual_.of<M>();
        std::uint32_t before = 0;
        event.set(false);
        manual.set(false);
        semaphore.release(1, before);
        waits_for_[at(me)] = 0;
        use_mutex(me, Deadline::forever());
        if (variant_ != impatient) manual.reset();
        event.set(false);
        manual.set(false);
        semaphore.release(1, before);
    }

    void compete(int me) {
        take_single(me, 1, Deadline::passed());
        use_mutex(me, Deadline::passed());
        take_single(me, 2, Deadline::passed());
        if (simulation_.random().one_in(2)) {
            take_single(me, 1, Deadline::forever());
        } else {
            take_single(me, 2, Deadline::forever());
        }
        use_mutex(me, Deadline::forever());
        event_.of<M>().set(false);
    }

    void take_single(int me, std::size_t kind, Deadline deadline) {
        waits_for_[at(me)] = kind;
        auto point = kind == 1 ? event_.point<M>(me) : semaphore_.point<M>(me);
        const std::uint32_t before = kind == 1 ? event_.takings[at(me)] : semaphore_.takings[at(me)];
        const std::uint64_t began = simulation_.turn();
        const std::uint32_t naps = simulation_.naps();
        const Ended end = wait_for(point, deadline).end;
        const std::uint32_t after = kind == 1 ? event_.takings[at(me)] : semaphore_.takings[at(me)];
        if (after - before != (has_it(end) ? 1u : 0u)) simulation_.fail("actor %d took %u of object %zu, and is told %d", me, after - before, kind, static_cast<int>(end));
        const Since& not_there = kind == 1 ? event_.unset : semaphore_.empty;
        if (end == Ended::timed_out && naps == simulation_.naps() && !not_there.at_any_time_since(began)) simulation_.fail("actor %d is told that object %zu is not there, and it was only reserved", me, kind);
    }

    void use_mutex(int me, Deadline deadline) {
        waits_for_[at(me)] = 0;
        auto point = mutex_.point<M>(me);
        const std::uint64_t began = simulation_.turn();
        const std::uint32_t naps = simulation_.naps();
        const Ended end = wait_for(point, deadline).end;
        if (end == Ended::timed_out && naps == simulation_.naps() && !mutex_.owned.at_any_time_since(began)) simulation_.fail("actor %d is told that the mutex is taken, and it was only reserved", me);
        if (!has_it(end)) return;
        mutex_.enter(me, end == Ended::acquired_abandoned);
        simulation_.work();
        mutex_.leave(me);
        point.mutex.unlock();
    }

    Simulation& simulation_ = Simulation::now();
    Variant variant_;
    Mutex mutex_{"mutex", "mark"};
    Event event_{"event", "event.lock", false};
    Semaphore semaphore_{"semaphore", "sem.lock", 0, 2};
    Event manual_{"manual", "manual.lock", true};
    PerActor<Call> calls_{};
    PerActor<std::size_t> waits_for_{};
};

// One waits for a mutex and two manual events together, which others set and reset: they must have been set at one moment.
template <typename M>
class AllManualScenario : public Scenario {
  public:
    AllManualScenario() {
        simulation_.add_actor([this] { all(0); }, 100, 0);
        for (int i = 1; i < 3; ++i) simulation_.add_actor([this, i] { toggle(i); }, 100 + static_cast<std::uint32_t>(i), i);
    }

    void after_access() override {
        if (runs_ && mutex_.lock.owner == 0 && events_[0].is_set() && events_[1].is_set()) had_all_ = true;
    }

    void died(int actor) override { mutex_.died(actor); }

    void at_end() override {
        if (simulation_.state(0) == State::asleep && events_[0].is_set() && events_[1].is_set()) simulation_.fail("it waits for all, and all are there");
    }

  private:
    void all(int me) {
        for (int round = 0; round < 2; ++round) {
            std::array<WaitPoint<M>, 3> points = {events_[0].point<M>(me), mutex_.point<M>(me), events_[1].point<M>(me)};
            const std::array<std::uint8_t, 3> order = {0, 1, 2};
            runs_ = true;
            had_all_ = false;
            const Ended end = internal::wait_all(std::span<WaitPoint<M>>(points), std::span<const std::uint8_t>(order), Deadline::forever()).end;
            runs_ = false;
            if (has_it(end) && !had_all_) simulation_.fail("it took all of them, and they were never ready together");
            if (!has_it(end)) continue;
            mutex_.enter(me, end == Ended::acquired_abandoned);
            mutex_.leave(me);
            points[1].mutex.unlock();
        }
    }

    void toggle(int me) {
        const auto event = events_[at(me) - 1].of<M>();
        for (int round = 0; round < 4; ++round) {
            event.set(false);
            event.reset();
        }
        event.set(false);
    }

    Simulation& simulation_ = Simulation::now();
    Mutex mutex_{"mutex", "mark"};
    std::array<Event, 2> events_ = {Event("manual", "manual.lock", true), Event("other", "other.lock", true)};
    bool runs_ = false;
    bool had_all_ = false;
};

// Three wait for two mutexes together; one of them has one already, and each uses one alone between.
template <typename M>
class AllMutexesScenario : public Scenario {
  public:
    AllMutexesScenario() {
        for (int i = 0; i < 3; ++i) simulation_.add_actor([this, i] { body(i); }, 100 + static_cast<std::uint32_t>(i), i);
    }

    void died(int actor) override {
        for (Mutex* mutex : {&first_, &second_}) mutex->died(actor);
    }

    void at_end() override {
        for (int i = 0; i < 3; ++i)
            if (simulation_.state(i) == State::asleep) simulation_.fail("actor %d waits for mutexes for ever", i);
    }

  private:
    void body(int me) {
        const bool has_first = me == 0 && use(first_, me, true);
        std::array<WaitPoint<M>, 2> points = {second_.point<M>(me), first_.point<M>(me)};
        const std::array<std::uint8_t, 2> order = {1, 0};
        const Deadline deadline = me == 2 ? simulation_.shortly() : Deadline::forever();
        const WaitResult result = internal::wait_all(std::span<WaitPoint<M>>(points), std::span<const std::uint8_t>(order), deadline);
        if (has_it(result.end)) {
            // The lowest one that was abandoned is told; of the other its record says it.
            enter(second_, me, points[0]);
            if (!has_first) enter(first_, me, points[1]);
            const bool second = points[0].mutex.was_abandoned();
            const bool first = !has_first && points[1].mutex.was_abandoned();
            if ((result.end == Ended::acquired_abandoned) != (first || second) || (result.end == Ended::acquired_abandoned && result.index != (second ? 0u : 1u)))
                simulation_.fail("actor %d is told %d about object %zu", me, static_cast<int>(result.end), result.index);
            simulation_.work();
            second_.leave(me);
            points[0].mutex.unlock();
            if (!has_first) first_.leave(me);
            points[1].mutex.unlock();
        } else if (second_.lock.owner == me || (first_.lock.owner == me && !has_first)) {
            simulation_.fail("actor %d goes on having what it reserved", me);
        }
        if (has_first) {
            first_.leave(me);
            points[1].mutex.unlock();
        }
        use(second_, me, false);
    }

    void enter(Mutex& mutex, int me, const WaitPoint<M>& point) { mutex.enter(me, point.mutex.was_abandoned()); }

    bool use(Mutex& mutex, int me, bool keep) {
        auto point = mutex.point<M>(me);
        const Ended end = wait_for(point, Deadline::forever()).end;
        if (!has_it(end)) return false;
        mutex.enter(me, end == Ended::acquired_abandoned);
        simulation_.work();
        if (keep) return true;
        mutex.leave(me);
        point.mutex.unlock();
        return true;
    }

    Simulation& simulation_ = Simulation::now();
    Mutex first_{"first", "first.mark"};
    Mutex second_{"second", "second.mark"};
};

}  // namespace comap::model
