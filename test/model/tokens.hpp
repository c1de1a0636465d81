// SPDX-License-Identifier: Apache-2.0
// Scenarios of events, semaphores and the change word.
#pragma once

#include "objects.hpp"

namespace comap::model {

// Two set an automatic event, two wait for it.
template <typename M>
class AutomaticEventScenario : public Scenario {
  public:
    enum Variant { plain, impatient };

    explicit AutomaticEventScenario(Variant variant) : variant_(variant) {
        for (int i = 0; i < 2; ++i) simulation_.add_actor([this, i] { take(i); }, 100 + static_cast<std::uint32_t>(i), i);
        for (int i = 2; i < 4; ++i) simulation_.add_actor([this, i] { set(i); }, 100 + static_cast<std::uint32_t>(i), i);
    }

    void at_end() override {
        if (taken_ > sets_) simulation_.fail("%u taken of %u", taken_, sets_);
        for (int i = 0; i < simulation_.actor_count(); ++i)
            if (simulation_.state(i) == State::asleep && event_.is_set()) simulation_.fail("actor %d waits for an event that is set", i);
    }

  private:
    void take(int me) {
        for (int round = 0; round < 2; ++round) {
            auto point = event_.point<M>(me);
            const std::uint64_t began = simulation_.turn();
            const std::uint32_t before = event_.takings[at(me)];
            Deadline deadline = Deadline::forever();
            if (variant_ == impatient && me == 0) deadline = round == 0 ? Deadline::passed() : simulation_.shortly();
            const Ended end = wait_for(point, deadline).end;
            if (event_.takings[at(me)] - before != (has_it(end) ? 1u : 0u)) simulation_.fail("actor %d took %u, and is told %d", me, event_.takings[at(me)] - before, static_cast<int>(end));
            if (end == Ended::timed_out && !event_.unset.at_any_time_since(began)) simulation_.fail("actor %d is told that an event is not set that was", me);
            if (has_it(end)) ++taken_;
        }
    }

    void set(int me) {
        for (int round = 0; round < 2; ++round) {
            const std::uint64_t began = simulation_.turn();
            ++sets_;
            event_.of<M>().set(false);
            if (!event_.set.at_any_time_since(began)) simulation_.fail("an event is not set after having been set");
            if (me == 3 && round == 1) {
                event_.resets[at(me)] = true;
                if (!event_.of<M>().reset()) simulation_.fail("an event cannot be reset");
                event_.resets[at(me)] = false;
            }
        }
        ++sets_;
        event_.of<M>().set(false);
    }

    Simulation& simulation_ = Simulation::now();
    Variant variant_;
    Event event_{"event", "event.lock", false};
    std::uint32_t sets_ = 0;
    std::uint32_t taken_ = 0;
};

// Who waits for a manual event when it is set passes, even if it is reset at once.
template <typename M>
class ManualEventScenario : public Scenario {
  public:
    // read_only: those who wait cannot write; whoever sets wakes always.
    enum Variant { set_and_reset, pulse, read_only };

    explicit ManualEventScenario(Variant variant) : variant_(variant) {
        for (int i = 0; i < 2; ++i) simulation_.add_actor([this, i] { pass(i); }, 100 + static_cast<std::uint32_t>(i), i);
        for (int i = 2; i < 4; ++i) simulation_.add_actor([this, i] { set(i); }, 100 + static_cast<std::uint32_t>(i), i);
    }

    void at_end() override {
        for (int i = 0; i < 2; ++i) {
            if (simulation_.state(i) != State::asleep) continue;
            if (event_.is_set()) simulation_.fail("actor %d waits for an event that is set", i);
            if (event_.last_passed > waits_since_[at(i)]) simulation_.fail("actor %d did not pass when the event was set", i);
        }
    }

  private:
    void pass(int me) {
        for (int round = 0; round < 2; ++round) {
            auto point = event_.point<M>(me, variant_ != read_only);
            point.seen = event_.of<M>().epoch_of(event_.word.load());
            waits_since_[at(me)] = simulation_.turn();
            const bool was_set = event_.set.now();
            const Ended end = wait_for(point, Deadline::forever()).end;
            if (end != Ended::acquired && end != Ended::interrupted) simulation_.fail("actor %d is told %d", me, static_cast<int>(end));
            if (end == Ended::acquired && !was_set && event_.last_passed <= waits_since_[at(me)]) simulation_.fail("actor %d passes an event that was not set", me);
        }
    }

    void set(int me) {
        const auto event = event_.of<M>();
        if (variant_ == pulse && me == 2) {
            const std::uint64_t began = simulation_.turn();
            event.pulse_manual();
            if (event_.last_passed <= began) simulation_.fail("nobody could pass");
            return;
        }
        event.set(variant_ == read_only);
        if (variant_ == pulse) {
            event.pulse_manual();
        } else if (!event.reset()) {
            simulation_.fail("a manual event cannot be reset");
        }
    }

    Simulation& simulation_ = Simulation::now();
    Variant variant_;
    Event event_{"event", "event.lock", true};
    PerActor<std::uint64_t> waits_since_{};
};

// Two release, two take.
template <typename M>
class SemaphoreScenario : public Scenario {
  public:
    enum Variant { plain, impatient };

    explicit SemaphoreScenario(Variant variant) : variant_(variant) {
        for (int i = 0; i < 2; ++i) simulation_.add_actor([this, i] { take(i); }, 100 + static_cast<std::uint32_t>(i), i);
        for (int i = 2; i < 4; ++i) simulation_.add_actor([this, i] { release(i); }, 100 + static_cast<std::uint32_t>(i), i);
    }

    void died(int actor) override {
        if (semaphore_.releases[at(actor)] > told_[at(actor)]) semaphore_.half_released = simulation_.turn();
    }

    void at_end() override {
        std::uint32_t released = 0;
        std::uint32_t taken = 0;
        for (int i = 0; i < simulation_.actor_count(); ++i) {
            released += semaphore_.releases[at(i)];
            taken += semaphore_.takings[at(i)];
            if (simulation_.state(i) == State::asleep && semaphore_.tokens() > 0 &&
                (!internal::are_hidden(semaphore_.word.peek()) || semaphore_.half_released == 0 || came_by_ > semaphore_.half_released))
                simulation_.fail("actor %d waits, and there are %u tokens", i, semaphore_.tokens());
        }
        if (kInitial + released != taken + semaphore_.tokens()) simulation_.fail("%u released, %u taken, %u left", released, taken, semaphore_.tokens());
    }

  private:
    static constexpr std::uint32_t kInitial = 1;

    void take(int me) {
        for (int round = 0; round < 3; ++round) {
            auto point = semaphore_.point<M>(me);
            const std::uint64_t began = simulation_.turn();
            const std::uint32_t before = semaphore_.takings[at(me)];
            Deadline deadline = Deadline::forever();
            if (variant_ == impatient && me == 0) deadline = round == 0 ? Deadline::passed() : simulation_.shortly();
            const Ended end = wait_for(point, deadline).end;
            if (semaphore_.takings[at(me)] - before != (has_it(end) ? 1u : 0u))
                simulation_.fail("actor %d took %u, and is told %d", me, semaphore_.takings[at(me)] - before, static_cast<int>(end));
            if (end == Ended::timed_out && !semaphore_.empty.at_any_time_since(began)) simulation_.fail("actor %d is told that there are no tokens, and there were", me);
            came_by_ = began;
        }
    }

    void release(int me) {
        for (std::uint32_t round = 0; round < 2; ++round) {
            const std::uint32_t count = 1 + round;
            const std::uint64_t began = simulation_.turn();
            semaphore_.begin_call(me);
            std::uint32_t before = 0;
            const internal::Release end = semaphore_.of<M>().release(count, before);
            const std::uint32_t added = semaphore_.releases[at(me)] - told_[at(me)];
            if (added != (end == internal::Release::released ? count : 0)) simulation_.fail("actor %d added %u, and is told %d", me, added, static_cast<int>(end));
            if (end == internal::Release::beyond_maximum && semaphore_.most_since[at(me)] + count <= kMaximum) simulation_.fail("actor %d could have released %u", me, count);
            if (end == internal::Release::released && (before < semaphore_.least_since[at(me)] || before > semaphore_.most_since[at(me)])) simulation_.fail("actor %d is told that there were %u", me, before);
            told_[at(me)] = semaphore_.releases[at(me)];
            if (end == internal::Release::released) came_by_ = began;
        }
    }

    static constexpr std::uint32_t kMaximum = 3;
    Simulation& simulation_ = Simulation::now();
    Variant variant_;
    Semaphore semaphore_{"semaphore", "semaphore.lock", kInitial, kMaximum};
    PerActor<std::uint32_t> told_{};  // tokens that he was told to have released
    std::uint64_t came_by_ = 0;       // turn in which the last call began that has ended
};

// Two publish; two wait for each version.
template <typename M>
class ChangeScenario : public Scenario {
  public:
    enum Variant { plain, read_only };

    explicit ChangeScenario(Variant variant) : variant_(variant) {
        simulation_.name(&words_.change, "change");
        simulation_.name(&words_.watch, "watch");
        for (int i = 0; i < 2; ++i) simulation_.add_actor([this, i] { follow(i); }, 100 + static_cast<std::uint32_t>(i), i);
        for (int i = 2; i < 4; ++i) simulation_.add_actor([this, i] { publish(i); }, 100 + static_cast<std::uint32_t>(i), i);
    }

    void at_end() override {
        for (int i = 0; i < 2; ++i)
            if (simulation_.state(i) == State::asleep && seen_[at(i)] != version()) simulation_.fail("actor %d waits for a version that is there", i);
    }

  private:
    static constexpr std::uint32_t kVersions = 6;
    std::uint32_t version() const { return internal::version_of(words_.change.peek()); }

    void follow(int me) {
        while (seen_[at(me)] < kVersions) {
            WaitPoint<M> point;
            point.is = Awaited::change;
            point.may_write = variant_ != read_only;
            point.change = &words_;
            point.seen = seen_[at(me)];
            if (wait_for(point, Deadline::forever()).end != Ended::acquired) continue;
            const std::uint32_t now = internal::current_version(words_);
            if (now <= seen_[at(me)]) simulation_.fail("actor %d waited for a version later than %u", me, seen_[at(me)]);
            seen_[at(me)] = now;
        }
    }

    void publish(int me) {
        for (std::uint32_t round = 0; round < kVersions / 2; ++round) {
            const std::uint32_t before = version();
            internal::publish(words_, last_[at(me)], variant_ == read_only, -1);
            if (version() == before) simulation_.fail("a publisher did not advance the version");
        }
    }

    Simulation& simulation_ = Simulation::now();
    Variant variant_;
    internal::BasicChangeWords<M> words_{Atom32{0}, Atom32{0}};
    PerActor<std::uint32_t> seen_{};
    PerActor<std::atomic<std::uint32_t>> last_{};
};

// Two publish; two watch by descriptor: each sleeps until an event comes, and looks then. The death of a publisher is an event
// too, as it closes his file.
template <typename M>
class WatchScenario : public Scenario {
  public:
    WatchScenario() {
        simulation_.name(&words_.change, "change");
        simulation_.name(&words_.watch, "watch");
        simulation_.name(&events_, "events");
        simulation_.set_touched(&events_);
        for (int i = 0; i < 2; ++i) simulation_.add_actor([this, i] { watch(i); }, 100 + static_cast<std::uint32_t>(i), i);
        for (int i = 2; i < 4; ++i) simulation_.add_actor([this, i] { publish(i); }, 100 + static_cast<std::uint32_t>(i), i);
    }

    void died(int /*actor*/) override { simulation_.kernel_add_and_wake_all(events_, 1); }

    void at_end() override {
        for (int i = 0; i < 2; ++i)
            if (simulation_.state(i) == State::asleep && seen_[at(i)] != internal::version_of(words_.change.peek())) simulation_.fail("watcher %d was not told", i);
    }

  private:
    static constexpr std::uint32_t kVersions = 4;

    void watch(int me) {
        while (seen_[at(me)] < kVersions) {
            const std::uint32_t events = events_.load();
            internal::arm(words_);
            const std::uint32_t now = internal::version_after_arming(words_);
            if (now == seen_[at(me)]) M::wait(events_, events, Deadline::forever());
            seen_[at(me)] = now;
        }
    }

    void publish(int me) {
        for (std::uint32_t round = 0; round < kVersions / 2; ++round) internal::publish(words_, last_[at(me)], false, 3);
    }

    Simulation& simulation_ = Simulation::now();
    internal::BasicChangeWords<M> words_{Atom32{0}, Atom32{0}};
    Atom32 events_{0};
    PerActor<std::uint32_t> seen_{};
    PerActor<std::atomic<std::uint32_t>> last_{};
};

}  // namespace comap::model
