// SPDX-License-Identifier: Apache-2.0
#include <comap/semaphore.hpp>

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/process.hpp"
#include "support/sleeper.hpp"

namespace comap::test {
namespace {

using namespace std::chrono_literals;

struct SemaphoreTest : ::testing::Test {
    TempRoot root;
    Context& context = root.context();

    Semaphore create(const std::string& name, const SemaphoreOptions& options = {}) {
        auto made = Semaphore::create(name, options, context);
        EXPECT_OK(made);
        return std::move(*made);
    }
    static Acquired look(const Semaphore& semaphore) { return *semaphore.acquire(Deadline::passed()); }
};

TEST_F(SemaphoreTest, OptionsAreChecked) {
    struct Case {
        std::uint32_t initial, maximum;
        bool is_possible;
    };
    for (const Case& one : {Case{0, 1, true}, Case{1, 1, true}, Case{0, kSemaphoreCountMax, true}, Case{kSemaphoreCountMax, kSemaphoreCountMax, true},
                            Case{0, 0, false}, Case{1, 0, false}, Case{2, 1, false}, Case{0, kSemaphoreCountMax + 1, false}, Case{0, UINT32_MAX, false},
                            Case{kSemaphoreCountMax, 5, false}, Case{UINT32_MAX, kSemaphoreCountMax, false}}) {
        const SemaphoreOptions options = {.initial = one.initial, .maximum = one.maximum};
        const auto section = Section::create("s", 4096, {}, context);
        const auto made = Semaphore::create("x", options, context);
        const auto in_place = Semaphore::create_in(*section, sync_offset(0), options);
        if (one.is_possible) {
            ASSERT_OK(made);
            ASSERT_OK(in_place);
            EXPECT_EQ(*made->count(), one.initial);
            EXPECT_EQ(made->maximum(), one.maximum);
            EXPECT_EQ(*in_place->count(), one.initial);
            EXPECT_EQ(Semaphore::open("x", {}, context)->maximum(), one.maximum);
            continue;
        }
        EXPECT_CODE(Code::invalid_argument, made);
        EXPECT_CODE(Code::invalid_argument, in_place);
        EXPECT_CODE(Code::invalid_argument, Semaphore::open_or_create("x", options, context));
        EXPECT_CODE(Code::invalid_argument, Semaphore::create_unnamed(options));
        EXPECT_CODE(Code::not_found, Semaphore::open_in(*section, sync_offset(0)));
        EXPECT_EQ(root.file_count(), 1u);
    }
}

TEST_F(SemaphoreTest, AnExistingOneKeepsItsOwnNumbers) {
    const Semaphore semaphore = create("x", {.initial = 3, .maximum = 5});
    const auto same = Semaphore::open_or_create("x", {.initial = 1, .maximum = 100}, context);
    ASSERT_OK(same);
    EXPECT_EQ(same->maximum(), 5u);
    EXPECT_EQ(*same->count(), 3u);
}

TEST_F(SemaphoreTest, ReleaseIsExactOrRefused) {
    const Semaphore semaphore = create("x", {.initial = 2, .maximum = 5});
    struct Case {
        std::int64_t count;
        Code code;
        std::uint32_t before, after;
    };
    for (const Case& one : {Case{0, Code::invalid_argument, 2, 2}, Case{-1, Code::invalid_argument, 2, 2}, Case{INT64_MIN, Code::invalid_argument, 2, 2},
                            Case{4, Code::limit_reached, 2, 2}, Case{kSemaphoreCountMax, Code::limit_reached, 2, 2},
                            Case{std::int64_t{kSemaphoreCountMax} + 1, Code::limit_reached, 2, 2}, Case{std::int64_t{1} << 32, Code::limit_reached, 2, 2},
                            Case{(std::int64_t{1} << 32) + 1, Code::limit_reached, 2, 2}, Case{INT64_MAX, Code::limit_reached, 2, 2},
                            Case{2, Code::ok, 2, 4}, Case{2, Code::limit_reached, 4, 4}, Case{1, Code::ok, 4, 5}, Case{1, Code::limit_reached, 5, 5}}) {
        EXPECT_EQ(*semaphore.count(), one.before);
        const auto released = semaphore.release(one.count);
        if (one.code == Code::ok) {
            ASSERT_OK(released);
            EXPECT_EQ(*released, one.before);
        } else {
            EXPECT_CODE(one.code, released);
        }
        EXPECT_EQ(*semaphore.count(), one.after) << one.count;
    }
    for (std::uint32_t left = 5; left > 0; --left) {
        EXPECT_EQ(*semaphore.count(), left);
        EXPECT_EQ(look(semaphore), Acquired::acquired);
    }
    EXPECT_EQ(look(semaphore), Acquired::timed_out);
    EXPECT_EQ(*semaphore.count(), 0u);
}

TEST_F(SemaphoreTest, TheLargestMaximumWorks) {
    const Semaphore semaphore = create("x");
    EXPECT_EQ(semaphore.maximum(), 0x7fff'ffffu);
    EXPECT_EQ(*semaphore.release(0x7fff'fffe), 0u);
    EXPECT_CODE(Code::limit_reached, semaphore.release(2));
    EXPECT_EQ(*semaphore.release(1), 0x7fff'fffeu);
    EXPECT_EQ(*semaphore.count(), 0x7fff'ffffu);
    EXPECT_CODE(Code::limit_reached, semaphore.release(1));
    EXPECT_EQ(look(semaphore), Acquired::acquired);
    EXPECT_EQ(*semaphore.count(), 0x7fff'fffeu);
    EXPECT_EQ(context.stat("x")->count, 0x7fff'fffeu);
}

TEST_F(SemaphoreTest, TheDeadlineIsKept) {
    const Semaphore semaphore = create("x");
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(*semaphore.acquire(Deadline::after(10ms)), Acquired::timed_out);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 10ms);
    EXPECT_OK(semaphore.release());
    EXPECT_EQ(*semaphore.acquire(), Acquired::acquired);
}

TEST_F(SemaphoreTest, ReleasingSeveralWakesAsMany) {
    const Semaphore semaphore = create("x", {.maximum = 100});
    std::atomic<int> passed{0};
    std::vector<std::unique_ptr<Sleeper>> sleepers;
    for (int i = 0; i < 7; ++i)
        sleepers.push_back(std::make_unique<Sleeper>([&] {
            EXPECT_EQ(*semaphore.acquire(), Acquired::acquired);
            ++passed;
        }));
    const auto expect_passed = [&](int count) {
        wait_until([&] { return passed == count; }, "so many passed");
        for (const auto& sleeper : sleepers) sleeper->wait_until_asleep();
        EXPECT_EQ(passed, count);
        EXPECT_EQ(*semaphore.count(), 0u);
    };
    expect_passed(0);
    EXPECT_EQ(*semaphore.release(1), 0u);
    expect_passed(1);
    EXPECT_EQ(*semaphore.release(4), 0u);
    expect_passed(5);
    EXPECT_EQ(*semaphore.release(5), 0u);
    wait_until([&] { return passed == 7; }, "the last passed");
    EXPECT_EQ(*semaphore.count(), 3u);
}

TEST_F(SemaphoreTest, ProcessesAndThreadsLoseNoToken) {
    const auto work_on = [&](const Line& line) {
        line.hear();
        const auto mine = Semaphore::open("x", {}, context);
        CHILD_CHECK(mine);
        const auto work = [&] {
            for (int i = 0; i < 3000; ++i) {
                CHILD_CHECK(*mine->acquire() == Acquired::acquired);
                const auto before = mine->release();
                CHILD_CHECK(before && *before < 3);
            }
        };
        std::thread second(work), third(work);
        work();
        second.join();
        third.join();
        return 0;
    };
    Child a(work_on), b(work_on);
    const Semaphore semaphore = create("x", {.initial = 3, .maximum = 3});
    for (const Child* child : {&a, &b}) child->line().say();
    EXPECT_EQ(a.wait(), 0);
    EXPECT_EQ(b.wait(), 0);
    EXPECT_EQ(*semaphore.count(), 3u);
}

// As many tokens as were released are taken, when producers and consumers sleep and wake all the time.
TEST_F(SemaphoreTest, WhatIsReleasedIsTaken) {
    const Semaphore full = create("full");
    const Semaphore room = create("room", {.initial = 4, .maximum = 4});
    std::atomic<int> taken{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 4000; ++i) {
                EXPECT_EQ(*room.acquire(), Acquired::acquired);
                EXPECT_OK(full.release());
            }
        });
        threads.emplace_back([&] {
            for (int i = 0; i < 4000; ++i) {
                EXPECT_EQ(*full.acquire(), Acquired::acquired);
                ++taken;
                EXPECT_OK(room.release());
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(taken, 8000);
    EXPECT_EQ(*full.count(), 0u);
    EXPECT_EQ(*room.count(), 4u);
}

TEST_F(SemaphoreTest, AKilledSleeperTakesNoToken) {
    for (int round = 0; round < 10; ++round) {
        Child dying([&](const Line& line) {
            line.hear();
            const auto mine = Semaphore::open("x", {}, context);
            CHILD_CHECK(mine);
            line.say();
            (void)mine->acquire();
            return 0;
        });
        const Semaphore semaphore = create("x");
        dying.line().say();
        ASSERT_EQ(dying.line().hear(), '.');
        wait_until([&] { return is_asleep(dying.pid()); }, "it sleeps");
        dying.kill();
        EXPECT_EQ(*semaphore.release(2), 0u);
        EXPECT_EQ(*semaphore.count(), 2u);
        EXPECT_EQ(look(semaphore), Acquired::acquired);
        EXPECT_EQ(*semaphore.count(), 1u);
    }
}

TEST_F(SemaphoreTest, AHandledSignalEndsTheWait) {
    const Semaphore semaphore = create("x");
    for (const bool restarts : {false, true}) {
        const Handled handled(SIGUSR1, restarts);
        Sleeper sleeper([&] { EXPECT_EQ(*semaphore.acquire(), Acquired::interrupted); });
        sleeper.disturb(SIGUSR1);
        sleeper.join();
        EXPECT_EQ(*semaphore.count(), 0u);
    }
    EXPECT_OK(semaphore.release());
    EXPECT_EQ(*semaphore.count(), 1u);
}

}  // namespace
}  // namespace comap::test
