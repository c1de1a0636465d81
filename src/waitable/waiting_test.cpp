// SPDX-License-Identifier: Apache-2.0
#include <comap/waiting.hpp>

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <comap/event.hpp>
#include <comap/mutex.hpp>
#include <comap/semaphore.hpp>
#include <comap/text.hpp>

#include "support/process.hpp"
#include "support/sleeper.hpp"

namespace comap::test {
namespace {

using namespace std::chrono_literals;
using List = std::vector<Waitable>;

struct WaitingTest : ::testing::Test {
    TempRoot root;
    Context& context = root.context();
    Mutex mutex = *Mutex::create("mutex", {}, context);
    Event automatic = *Event::create("automatic", {}, context);
    Event manual = *Event::create("manual", {.reset = Reset::manual}, context);
    Semaphore semaphore = *Semaphore::create("semaphore", {.initial = 0, .maximum = 10}, context);
    Section section = *Section::create("section", 100, {}, context);
    Text text = *Text::create("text", {}, context);

    static Waited any_now(const List& list) {
        const auto waited = wait_any(list, Deadline::passed());
        EXPECT_OK(waited);
        return waited.value_or(Waited{});
    }
    static Waited all_now(const List& list) {
        const auto waited = wait_all(list, Deadline::passed());
        EXPECT_OK(waited);
        return waited.value_or(Waited{});
    }
    static bool is_free_for_others(const Mutex& one) {
        bool got = false;
        std::thread([&] {
            got = one.try_lock();
            if (got) { EXPECT_OK(one.unlock()); }
        }).join();
        return got;
    }
};

#define EXPECT_WAITED(wanted_end, wanted_index, waited)              \
    do {                                                             \
        const Waited expect_waited_ = (waited);                      \
        EXPECT_EQ(expect_waited_.end, Acquired::wanted_end);         \
        EXPECT_EQ(expect_waited_.index, std::size_t{wanted_index});  \
    } while (false)

// --- any

TEST_F(WaitingTest, AnyTakesTheFirstThatIsReadyAndNoOther) {
    const List list = {automatic, semaphore, manual, mutex};
    EXPECT_WAITED(acquired, 3, any_now(list));
    EXPECT_TRUE(mutex.is_owned());
    ASSERT_OK(manual.set());
    EXPECT_WAITED(acquired, 2, any_now(list));
    ASSERT_OK(semaphore.release(2));
    EXPECT_WAITED(acquired, 1, any_now(list));
    EXPECT_EQ(*semaphore.count(), 1u);
    ASSERT_OK(automatic.set());
    EXPECT_WAITED(acquired, 0, any_now(list));
    EXPECT_FALSE(*automatic.is_set());
    EXPECT_EQ(*semaphore.count(), 1u);
    EXPECT_TRUE(*manual.is_set());
    EXPECT_OK(mutex.unlock());
    EXPECT_CODE(Code::not_owner, mutex.unlock());  // it was taken once
    EXPECT_WAITED(acquired, 0, any_now({mutex, semaphore}));
    EXPECT_OK(mutex.unlock());
}

TEST_F(WaitingTest, AnyThatTimesOutTakesNothing) {
    std::thread([&] {
        ASSERT_OK(mutex.lock(Deadline::forever()));
        Sleeper other([&] {
            const List list = {mutex, automatic, manual, semaphore, {section, 0}, {text, 0}};
            EXPECT_WAITED(timed_out, 0, any_now(list));
            const auto begin = std::chrono::steady_clock::now();
            EXPECT_WAITED(timed_out, 0, *wait_any(list, Deadline::after(10ms)));
            EXPECT_GE(std::chrono::steady_clock::now() - begin, 10ms);
        });
        other.join();
        EXPECT_OK(mutex.unlock());
    }).join();
    EXPECT_TRUE(is_free_for_others(mutex));
}

TEST_F(WaitingTest, AnyIsWokenByWhicheverComes) {
    ASSERT_OK(mutex.lock(Deadline::forever()));
    const auto expect_woken = [&](std::size_t index, const auto& wake) {
        Sleeper sleeper([&] {
            const List list = {automatic, mutex, manual, {section, *section.version()}, semaphore, {text, *text.version()}};
            const auto waited = wait_any(list);
            ASSERT_OK(waited);
            EXPECT_WAITED(acquired, index, *waited);
            if (index == 1) { EXPECT_OK(mutex.unlock()); }
        });
        sleeper.wait_until_asleep();
        EXPECT_FALSE(sleeper.is_done());
        wake();
    };
    expect_woken(0, [&] { EXPECT_OK(automatic.set()); });
    expect_woken(4, [&] { EXPECT_OK(semaphore.release()); });
    expect_woken(3, [&] { EXPECT_OK(section.publish()); });
    expect_woken(5, [&] { EXPECT_OK(text.set("news")); });
    expect_woken(2, [&] { EXPECT_OK(manual.pulse()); });
    expect_woken(1, [&] { EXPECT_OK(mutex.unlock()); });
    EXPECT_FALSE(*automatic.is_set());
    EXPECT_EQ(*semaphore.count(), 0u);
}

TEST_F(WaitingTest, AnyTellsOfAnAbandonedMutex) {
    std::thread([&] { ASSERT_OK(mutex.lock(Deadline::forever())); }).join();
    EXPECT_WAITED(acquired_abandoned, 2, any_now({automatic, semaphore, mutex}));
    EXPECT_TRUE(mutex.was_abandoned());
    EXPECT_OK(mutex.unlock());
    EXPECT_WAITED(acquired, 0, any_now({mutex}));
    EXPECT_OK(mutex.unlock());
    EXPECT_EQ(*wait_one(mutex), Acquired::acquired);
    EXPECT_OK(mutex.unlock());
}

TEST_F(WaitingTest, AnySleeperIsWokenByADeath) {
    Child owner([&](const Line& line) {
        const auto mine = Mutex::open("mutex", {}, context);
        CHILD_CHECK(mine && mine->lock(Deadline::forever()));
        line.say();
        ::pause();
        return 0;
    });
    ASSERT_EQ(owner.line().hear(), '.');
    Sleeper sleeper([&] {
        EXPECT_WAITED(acquired_abandoned, 1, *wait_any(List{automatic, mutex, semaphore}));
        EXPECT_OK(mutex.unlock());
    });
    sleeper.wait_until_asleep();
    owner.kill();
}

TEST_F(WaitingTest, TheSameObjectTwiceIsFineForAny) {
    ASSERT_OK(semaphore.release(3));
    EXPECT_WAITED(acquired, 0, any_now({semaphore, semaphore}));
    EXPECT_EQ(*semaphore.count(), 2u);
    EXPECT_WAITED(acquired, 0, any_now({mutex, mutex}));
    EXPECT_OK(mutex.unlock());
    EXPECT_FALSE(mutex.is_owned());
    Sleeper sleeper([&] { EXPECT_WAITED(acquired, 0, *wait_any(List{automatic, manual, automatic})); });
    sleeper.wait_until_asleep();
    EXPECT_OK(automatic.set());
}

TEST_F(WaitingTest, LongListsWork) {
    const auto space = Section::create("space", 128 * 4096, {}, context);
    std::vector<Event> events;
    for (std::uint64_t i = 0; i < kWaitCountMax; ++i) events.push_back(*Event::create_in(*space, sync_offset(i)));
    for (const std::size_t count : {std::size_t{1}, std::size_t{2}, std::size_t{64}, std::size_t{128}}) {
        List list;
        for (std::size_t i = 0; i < count; ++i) list.push_back(events[i]);
        EXPECT_WAITED(timed_out, 0, any_now(list));
        for (const std::size_t which : {std::size_t{0}, count / 2, count - 1}) {
            ASSERT_OK(events[which].set());
            EXPECT_WAITED(acquired, which, any_now(list));
            Sleeper sleeper([&] { EXPECT_WAITED(acquired, which, *wait_any(list)); });
            sleeper.wait_until_asleep();
            EXPECT_OK(events[which].set());
            sleeper.join();
        }
        for (std::size_t i = 0; i + 1 < count; ++i) ASSERT_OK(events[i].set());
        EXPECT_WAITED(timed_out, 0, count > 1 ? all_now(list) : Waited{});
        for (std::size_t i = 0; i + 1 < count; ++i) EXPECT_TRUE(*events[i].is_set());
        ASSERT_OK(events[count - 1].set());
        EXPECT_WAITED(acquired, 0, all_now(list));
        for (std::size_t i = 0; i < count; ++i) EXPECT_FALSE(*events[i].is_set());
        Sleeper sleeper([&] { EXPECT_WAITED(acquired, 0, *wait_all(list)); });
        sleeper.wait_until_asleep();
        for (std::size_t i = count; i-- > 0;) ASSERT_OK(events[i].set());
    }
    for (const Event& event : events) EXPECT_FALSE(*event.is_set());
}

TEST_F(WaitingTest, BadListsAreRefused) {
    const List too_long(kWaitCountMax + 1, Waitable(mutex));
    const Mutex closed;
    const Section closed_section;
    for (const auto& wait : {&wait_any, &wait_all}) {
        const auto refused = wait(too_long, Deadline::passed());
        EXPECT_CODE(Code::invalid_argument, refused);
        EXPECT_NE(refused.error().message.find("128"), std::string::npos) << refused.error().message;
        EXPECT_NE(refused.error().message.find("129"), std::string::npos) << refused.error().message;
        EXPECT_CODE(Code::invalid_argument, wait(List{}, Deadline::passed()));
        EXPECT_CODE(Code::invalid_argument, wait(List{mutex, closed}, Deadline::passed()));
        EXPECT_CODE(Code::invalid_argument, wait(List{closed}, Deadline::passed()));
        EXPECT_CODE(Code::invalid_argument, wait(List{mutex, {closed_section, 0}}, Deadline::passed()));
        EXPECT_FALSE(mutex.is_owned());
    }
    EXPECT_CODE(Code::invalid_argument, wait_one(closed, Deadline::passed()));
}

TEST_F(WaitingTest, AReadOnlyHandleInAListIsRefused) {
    const auto descriptor = semaphore.share_descriptor(Access::read_only);
    const auto reader = Semaphore::from_descriptor(*descriptor, {.access = Access::read_only}, context);
    ASSERT_OK(reader);
    ASSERT_OK(semaphore.release());
    EXPECT_CODE(Code::permission_denied, wait_any(List{mutex, *reader}, Deadline::passed()));
    EXPECT_CODE(Code::permission_denied, wait_all(List{mutex, *reader}, Deadline::passed()));
    EXPECT_FALSE(mutex.is_owned());
    EXPECT_EQ(*semaphore.count(), 1u);
    ::close(*descriptor);
}

// --- all

TEST_F(WaitingTest, AllTakesEverythingAtOnce) {
    const List list = {mutex, automatic, semaphore, manual, {section, *section.version()}};
    ASSERT_OK(automatic.set());
    ASSERT_OK(semaphore.release(2));
    ASSERT_OK(manual.set());
    ASSERT_OK(section.publish());
    EXPECT_WAITED(acquired, 0, all_now(list));
    EXPECT_TRUE(mutex.is_owned());
    EXPECT_FALSE(*automatic.is_set());
    EXPECT_EQ(*semaphore.count(), 1u);
    EXPECT_TRUE(*manual.is_set());
    EXPECT_OK(mutex.unlock());
    EXPECT_CODE(Code::not_owner, mutex.unlock());
}

// Each of the objects in turn is the one that is not ready: nothing is taken of the others.
TEST_F(WaitingTest, AllThatTimesOutTakesNothing) {
    const std::uint32_t seen = *section.version();
    for (int missing = 0; missing < 5; ++missing)
        for (const bool waits : {false, true}) {
            if (missing != 1) { ASSERT_OK(automatic.set()); }
            if (missing != 2) { ASSERT_OK(semaphore.release(2)); }
            if (missing != 3) { ASSERT_OK(manual.set()); }
            const List list = {mutex, automatic, semaphore, manual, {section, missing == 4 ? *section.version() : *section.version() - 1}};
            if (missing == 0) { ASSERT_OK(mutex.lock(Deadline::forever())); }
            std::thread([&] {
                EXPECT_WAITED(timed_out, 0, *wait_all(list, waits ? Deadline::after(5ms) : Deadline::passed()));
                EXPECT_FALSE(mutex.is_owned());
            }).join();
            EXPECT_EQ(mutex.is_owned(), missing == 0);
            if (missing == 0) { ASSERT_OK(mutex.unlock()); }
            EXPECT_TRUE(is_free_for_others(mutex));
            EXPECT_EQ(*automatic.is_set(), missing != 1);
            EXPECT_EQ(*semaphore.count(), missing != 2 ? 2u : 0u);
            EXPECT_EQ(*manual.is_set(), missing != 3);
            EXPECT_EQ(*automatic.wait(Deadline::passed()), missing != 1 ? Acquired::acquired : Acquired::timed_out);
            EXPECT_EQ(*semaphore.acquire(Deadline::passed()), missing != 2 ? Acquired::acquired : Acquired::timed_out);
            while (*semaphore.acquire(Deadline::passed()) == Acquired::acquired) {}
            ASSERT_OK(manual.reset());
            if (missing == 0) { ASSERT_OK(section.publish()); }
        }
    EXPECT_NE(*section.version(), seen);
}

TEST_F(WaitingTest, AllWakesWhenTheLastIsReady) {
    ASSERT_OK(mutex.lock(Deadline::forever()));
    Sleeper sleeper([&] {
        const List list = {semaphore, mutex, automatic, {text, 0}, manual};
        EXPECT_WAITED(acquired, 0, *wait_all(list));
        EXPECT_TRUE(mutex.is_owned());
        EXPECT_OK(mutex.unlock());
    });
    const auto still_sleeps = [&] {
        sleeper.wait_until_asleep();
        EXPECT_FALSE(sleeper.is_done());
    };
    still_sleeps();
    ASSERT_OK(semaphore.release());
    still_sleeps();
    ASSERT_OK(mutex.unlock());
    still_sleeps();
    EXPECT_TRUE(is_free_for_others(mutex));  // a sleeper has nothing reserved
    ASSERT_OK(manual.set());
    ASSERT_OK(text.set("news"));
    still_sleeps();
    EXPECT_EQ(*semaphore.count(), 1u);
    ASSERT_OK(automatic.set());
    sleeper.join();
    EXPECT_EQ(*semaphore.count(), 0u);
    EXPECT_FALSE(*automatic.is_set());
    EXPECT_TRUE(*manual.is_set());
}

// A manual event that was set for a moment, while something else was missing, does not count later.
TEST_F(WaitingTest, AllNeedsManualEventsSetAtTheSameMoment) {
    Sleeper sleeper([&] { EXPECT_WAITED(acquired, 0, *wait_all(List{manual, semaphore})); });
    sleeper.wait_until_asleep();
    ASSERT_OK(manual.set());
    sleeper.wait_until_asleep();
    ASSERT_OK(manual.reset());
    ASSERT_OK(semaphore.release());
    sleeper.wait_until_asleep();
    EXPECT_FALSE(sleeper.is_done());
    EXPECT_EQ(*semaphore.count(), 1u);
    ASSERT_OK(manual.set());
    sleeper.join();
    EXPECT_EQ(*semaphore.count(), 0u);
}

TEST_F(WaitingTest, AllRefusesTheSameObjectTwice) {
    ASSERT_OK(semaphore.release(5));
    const auto second = Semaphore::open("semaphore", {}, context);
    for (const List& list : {List{mutex, semaphore, mutex}, List{semaphore, mutex, *second}, List{{section, 0}, mutex, {section, 5}}}) {
        const auto refused = wait_all(list, Deadline::passed());
        EXPECT_CODE(Code::invalid_argument, refused);
        EXPECT_NE(refused.error().message.find("twice"), std::string::npos);
    }
    EXPECT_EQ(*semaphore.count(), 5u);
    EXPECT_TRUE(is_free_for_others(mutex));
    const auto space = Section::create("space", 8192, {}, context);
    const auto first = Event::create_in(*space, sync_offset(0), {.initially_set = true});
    const auto other = Event::create_in(*space, sync_offset(1), {.initially_set = true});
    ASSERT_OK(space->publish());
    EXPECT_WAITED(acquired, 0, all_now({*first, *other, {*space, 0}}));  // three things of one section
}

TEST_F(WaitingTest, AllCountsAnOwnMutexOnceMore) {
    ASSERT_OK(mutex.lock(Deadline::forever()));
    ASSERT_OK(semaphore.release());
    EXPECT_WAITED(acquired, 0, all_now({mutex, semaphore}));
    EXPECT_WAITED(timed_out, 0, all_now({mutex, semaphore}));
    EXPECT_OK(mutex.unlock());
    EXPECT_TRUE(mutex.is_owned());
    EXPECT_OK(mutex.unlock());
    EXPECT_FALSE(mutex.is_owned());
    EXPECT_TRUE(is_free_for_others(mutex));
}

TEST_F(WaitingTest, AllTellsOfTheFirstAbandonedMutex) {
    const auto second = Mutex::create("second", {}, context);
    std::thread([&] {
        ASSERT_OK(mutex.lock(Deadline::forever()));
        ASSERT_OK(second->lock(Deadline::forever()));
    }).join();
    // Not told, and not used up, by an attempt that takes nothing.
    EXPECT_WAITED(timed_out, 0, all_now({semaphore, *second, mutex}));
    EXPECT_TRUE(mutex.info()->is_abandoned && second->info()->is_abandoned);
    ASSERT_OK(semaphore.release());
    EXPECT_WAITED(acquired_abandoned, 1, all_now({semaphore, *second, mutex}));
    EXPECT_TRUE(mutex.was_abandoned() && second->was_abandoned());
    EXPECT_OK(mutex.unlock());
    EXPECT_OK(second->unlock());
    EXPECT_WAITED(acquired, 0, all_now({*second, mutex}));
    EXPECT_OK(mutex.unlock());
    EXPECT_OK(second->unlock());
}

TEST_F(WaitingTest, AHandledSignalEndsAWaitForSeveral) {
    const Handled handled(SIGUSR1, false);
    Sleeper any([&] { EXPECT_WAITED(interrupted, 0, *wait_any(List{automatic, semaphore})); });
    any.disturb(SIGUSR1);
    ASSERT_OK(semaphore.release());
    Sleeper all([&] { EXPECT_WAITED(interrupted, 0, *wait_all(List{automatic, semaphore})); });
    all.disturb(SIGUSR1);
    EXPECT_EQ(*semaphore.count(), 1u);
}

// --- many at once

// Threads of two processes take overlapping sets, each in an order of its own, and give everything back.
TEST_F(WaitingTest, OverlappingSetsLoseNothing) {
    const auto space = Section::create("space", 8192, {}, context);
    const auto view = space->view();
    auto* const counters = reinterpret_cast<std::uint64_t*>(view->data());  // 0: under the mutex; 1: under the event
    const auto work_on = [&](const Line& line) {
        line.hear();
        const auto a = Mutex::open("mutex", {}, context);
        const auto b = Event::open("automatic", {}, context);
        const auto c = Semaphore::open("semaphore", {}, context);
        const auto d = Mutex::open("d", {}, context);
        const auto e = Semaphore::open("e", {}, context);
        CHILD_CHECK(a && b && c && d && e);
        const auto work = [&](unsigned seed) {
            std::minstd_rand random(seed);
            std::vector<int> order = {0, 1, 2, 3, 4};
            for (int i = 0; i < 1500; ++i) {
                std::shuffle(order.begin(), order.end(), random);
                const std::size_t count = 2 + random() % 4;
                List list;
                bool has[5] = {};
                for (std::size_t k = 0; k < count; ++k) {
                    const int which = order[k];
                    has[which] = true;
                    list.push_back(which == 0 ? Waitable(*a) : which == 1 ? Waitable(*b) : which == 2 ? Waitable(*c) : which == 3 ? Waitable(*d) : Waitable(*e));
                }
                const Deadline deadline = random() % 4 == 0 ? Deadline::after(std::chrono::microseconds(random() % 200)) : Deadline::forever();
                const auto waited = wait_all(list, deadline);
                CHILD_CHECK(waited);
                CHILD_CHECK(waited->end == Acquired::acquired || (waited->end == Acquired::timed_out && !deadline.is_forever()));
                if (waited->end == Acquired::timed_out) continue;
                if (has[0]) counters[0] = counters[0] + 1;
                if (has[1]) counters[1] = counters[1] + 1;
                if (has[0]) counters[2] = counters[2] + 1;
                if (has[1]) counters[3] = counters[3] + 1;
                if (has[4]) CHILD_CHECK(e->release());
                if (has[3]) CHILD_CHECK(d->unlock());
                if (has[2]) CHILD_CHECK(c->release());
                if (has[1]) CHILD_CHECK(b->set());
                if (has[0]) CHILD_CHECK(a->unlock());
            }
        };
        std::thread second(work, static_cast<unsigned>(::getpid()));
        work(static_cast<unsigned>(::getpid()) + 1);
        second.join();
        return 0;
    };
    const auto d = Mutex::create("d", {}, context);
    const auto e = Semaphore::create("e", {.initial = 1, .maximum = 1}, context);
    ASSERT_OK(automatic.set());
    ASSERT_OK(semaphore.release(2));
    Child one(work_on), two(work_on);
    one.line().say();
    two.line().say();
    EXPECT_EQ(one.wait(), 0);
    EXPECT_EQ(two.wait(), 0);
    EXPECT_EQ(counters[0], counters[2]);
    EXPECT_EQ(counters[1], counters[3]);
    EXPECT_TRUE(*automatic.is_set());
    EXPECT_EQ(*semaphore.count(), 2u);
    EXPECT_EQ(*e->count(), 1u);
    EXPECT_WAITED(acquired, 0, all_now({mutex, *d, automatic, semaphore, *e}));
    EXPECT_OK(mutex.unlock());
    EXPECT_OK(d->unlock());
}

// Somebody reserves a token of the first again and again and mostly has to give it back, because another takes the second:
// there is always a token left in the first, so that nobody who looks may be told that there is none. (Unless the one who
// reserves loses the processor for several milliseconds in that very instant: rare.)
TEST_F(WaitingTest, WhoLooksIsNotToldNoBecauseOfAReservation) {
    const auto space = Section::create("space", 8192, {}, context);
    const auto first = Semaphore::create_in(*space, sync_offset(0), {.initial = 2, .maximum = 2});
    const auto second = Semaphore::create_in(*space, sync_offset(1), {.initial = 1, .maximum = 1});
    std::atomic<bool> over{false};
    std::thread reserving([&] {
        while (!over)
            if (all_now({*first, *second}).end == Acquired::acquired) {
                EXPECT_OK(first->release());
                EXPECT_OK(second->release());
            }
    });
    std::thread snatching([&] {
        while (!over)
            if (*second->acquire(Deadline::passed()) == Acquired::acquired) { EXPECT_OK(second->release()); }
    });
    constexpr int kLooks = 30000;
    int refused = 0;
    for (int i = 0; i < kLooks; ++i) {
        if (*first->acquire(Deadline::passed()) == Acquired::acquired) { EXPECT_OK(first->release()); }
        else ++refused;
    }
    over = true;
    reserving.join();
    snatching.join();
    EXPECT_LT(refused, kLooks / 100);
    EXPECT_EQ(*first->count(), 2u);
    EXPECT_EQ(*second->count(), 1u);
}

// The philosophers: each wants the two forks beside him, all at once.
TEST_F(WaitingTest, FiveAtATableAllEat) {
    std::vector<Mutex> forks;
    for (int i = 0; i < 5; ++i) forks.push_back(*Mutex::create("fork" + std::to_string(i), {}, context));
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < 5; ++i)
        threads.emplace_back([&, i] {
            const List two = {forks[i], forks[(i + 1) % 5]};
            for (int meal = 0; meal < 1000; ++meal) {
                const auto waited = wait_all(two);
                ASSERT_OK(waited);
                ASSERT_EQ(waited->end, Acquired::acquired);
                ASSERT_OK(forks[i].unlock());
                ASSERT_OK(forks[(i + 1) % 5].unlock());
            }
        });
    for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace comap::test
