// SPDX-License-Identifier: Apache-2.0
#include <comap/mutex.hpp>

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <functional>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <comap/event.hpp>

#include "support/process.hpp"
#include "support/sleeper.hpp"

namespace comap::test {
namespace {

using namespace std::chrono_literals;

struct MutexTest : ::testing::Test {
    TempRoot root;
    Context& context = root.context();

    Mutex create(const std::string& name) {
        auto made = Mutex::create(name, {}, context);
        EXPECT_OK(made);
        return std::move(*made);
    }
    Mutex open(const std::string& name) {
        auto opened = Mutex::open(name, {}, context);
        EXPECT_OK(opened);
        return std::move(*opened);
    }
    std::string block(const std::string& name) const { return sync_block(root.local() + "/" + name); }

    // Whether another thread gets it at once (and gives it back).
    static bool is_free_for_others(const Mutex& mutex) {
        bool got = false;
        std::thread([&] {
            got = mutex.try_lock();
            if (got) { EXPECT_OK(mutex.unlock()); }
        }).join();
        return got;
    }
    std::size_t mapped_here() const {
        const std::string maps = read_file("/proc/self/maps");
        std::size_t count = 0;
        for (std::size_t at = maps.find(root.path()); at != maps.npos; at = maps.find(root.path(), at + 1)) ++count;
        return count;
    }
};

TEST_F(MutexTest, IsRecursiveThroughAnyHandle) {
    const Mutex one = create("m");
    const Mutex two = open("m");
    EXPECT_EQ(*one.lock(Deadline::forever()), Acquired::acquired);
    EXPECT_EQ(*two.lock(Deadline::passed()), Acquired::acquired);
    EXPECT_TRUE(one.try_lock());
    EXPECT_TRUE(one.is_owned());
    EXPECT_TRUE(two.is_owned());
    EXPECT_FALSE(two.was_abandoned());
    std::thread([&] {
        EXPECT_FALSE(one.is_owned());
        EXPECT_FALSE(two.try_lock());
    }).join();
    EXPECT_OK(two.unlock());
    EXPECT_OK(one.unlock());
    EXPECT_FALSE(is_free_for_others(one));
    EXPECT_OK(two.unlock());
    EXPECT_FALSE(two.is_owned());
    EXPECT_TRUE(is_free_for_others(one));
    EXPECT_CODE(Code::not_owner, one.unlock());
}

TEST_F(MutexTest, LockEndsAsTheDeadlineSays) {
    Child owner([&](const Line& line) {
        line.hear();
        const auto mine = Mutex::open("m", {}, context);
        CHILD_CHECK(mine && *mine->lock(Deadline::forever()) == Acquired::acquired);
        line.say();
        line.hear();
        CHILD_CHECK(mine->unlock());
        line.say();
        line.hear();
        return 0;
    });
    const Mutex mutex = create("m");
    owner.line().say();
    ASSERT_EQ(owner.line().hear(), '.');
    EXPECT_EQ(*mutex.lock(Deadline::passed()), Acquired::timed_out);
    EXPECT_FALSE(mutex.try_lock());
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(*mutex.lock(Deadline::after(10ms)), Acquired::timed_out);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 10ms);
    EXPECT_FALSE(mutex.try_lock_for(1ms));
    EXPECT_FALSE(mutex.is_owned());
    owner.line().say();
    ASSERT_EQ(owner.line().hear(), '.');
    EXPECT_EQ(*mutex.lock(Deadline::after(1ms)), Acquired::acquired);
    EXPECT_OK(mutex.unlock());
    owner.line().say();
    EXPECT_EQ(owner.wait(), 0);
}

TEST_F(MutexTest, OnlyItsOwnerUnlocksIt) {
    const Mutex mutex = create("m");
    const std::string before = block("m");
    EXPECT_CODE(Code::not_owner, mutex.unlock());
    EXPECT_CODE(Code::not_owner, mutex.unlock_abandoned());
    EXPECT_EQ(block("m"), before);
    ASSERT_OK(mutex.lock(Deadline::forever()));
    const std::string locked = block("m");
    std::thread([&] {
        EXPECT_CODE(Code::not_owner, mutex.unlock());
        EXPECT_CODE(Code::not_owner, mutex.unlock_abandoned());
    }).join();
    EXPECT_EQ(block("m"), locked);
    EXPECT_TRUE(mutex.is_owned());
    EXPECT_OK(mutex.unlock());
}

TEST_F(MutexTest, SleepersTakeTurns) {
    const Mutex mutex = create("m");
    ASSERT_OK(mutex.lock(Deadline::forever()));
    int count = 0;  // guarded
    {
        std::vector<std::unique_ptr<Sleeper>> sleepers;
        for (int i = 0; i < 6; ++i)
            sleepers.push_back(std::make_unique<Sleeper>([&] {
                EXPECT_EQ(*mutex.lock(Deadline::forever()), Acquired::acquired);
                ++count;
                EXPECT_OK(mutex.unlock());
            }));
        for (const auto& sleeper : sleepers) sleeper->wait_until_asleep();
        EXPECT_EQ(count, 0);
        EXPECT_OK(mutex.unlock());
    }
    EXPECT_EQ(count, 6);
}

TEST_F(MutexTest, ProcessesAndThreadsExcludeEachOther) {
    const auto section = Section::create("s", 4096, {}, context);
    const auto view = section->view();
    auto* const counters = reinterpret_cast<std::uint64_t*>(view->data());
    const auto count_on = [&](const Line& line) {
        const auto mine = Mutex::open("m", {}, context);
        CHILD_CHECK(mine);
        line.say();
        line.hear();
        const auto work = [&] {
            for (int i = 0; i < 5000; ++i) {
                const std::lock_guard guard(*mine);
                const std::uint64_t value = counters[0];
                counters[0] = value + 1;
                counters[1] = value + 1;
            }
        };
        std::thread second(work);
        work();
        second.join();
        CHILD_CHECK(!mine->is_owned());
        return 0;
    };
    const Mutex mutex = create("m");
    Child a(count_on), b(count_on);
    for (const Child* child : {&a, &b}) ASSERT_EQ(child->line().hear(), '.');
    for (const Child* child : {&a, &b}) child->line().say();
    EXPECT_EQ(a.wait(), 0);
    EXPECT_EQ(b.wait(), 0);
    EXPECT_EQ(counters[0], 20000u);
    EXPECT_EQ(counters[1], 20000u);
    EXPECT_EQ(*mutex.lock(Deadline::passed()), Acquired::acquired);
    EXPECT_OK(mutex.unlock());
}

// --- the standard's classes

TEST_F(MutexTest, WorksWithTheStandardsLocks) {
    Mutex a = create("a");
    Mutex b = create("b");
    {
        const std::scoped_lock both(a, b);
        EXPECT_TRUE(a.is_owned() && b.is_owned());
        EXPECT_FALSE(is_free_for_others(a) || is_free_for_others(b));
        std::thread([&] {
            std::unique_lock<Mutex> lock(a, std::defer_lock);
            EXPECT_FALSE(lock.try_lock());
            EXPECT_FALSE(lock.try_lock_for(2ms));
            EXPECT_FALSE(lock.try_lock_until(std::chrono::steady_clock::now() + 2ms));
            EXPECT_FALSE(lock.try_lock_until(std::chrono::system_clock::now() - 1h));
            EXPECT_FALSE(lock.owns_lock());
        }).join();
    }
    EXPECT_TRUE(is_free_for_others(a) && is_free_for_others(b));
    std::unique_lock<Mutex> lock(a, std::defer_lock);
    EXPECT_TRUE(lock.try_lock_for(1ms));
    lock.unlock();
    EXPECT_TRUE(lock.try_lock_until(std::chrono::system_clock::now() + 1h));
    lock.unlock();
    EXPECT_FALSE(a.is_owned());
}

TEST_F(MutexTest, StdLockOfTwoDoesNotDeadlock) {
    Mutex a = create("a");
    Mutex b = create("b");
    int count = 0;  // guarded by both
    const auto work = [&](Mutex& first, Mutex& second) {
        for (int i = 0; i < 2000; ++i) {
            std::lock(first, second);
            ++count;
            EXPECT_OK(second.unlock());
            EXPECT_OK(first.unlock());
        }
    };
    std::thread one([&] { work(a, b); });
    std::thread two([&] { work(b, a); });
    one.join();
    two.join();
    EXPECT_EQ(count, 4000);
}

TEST_F(MutexTest, ErrorsOfTheStandardsNamesAreThrown) {
    const auto made = create("m");
    const auto descriptor = made.share_descriptor(Access::read_only);
    const auto reader = Mutex::from_descriptor(*descriptor, {.access = Access::read_only}, context);
    ASSERT_OK(reader);
    EXPECT_THROW(reader->lock(), std::system_error);
    EXPECT_THROW((void)reader->try_lock(), std::system_error);
    EXPECT_THROW((void)reader->try_lock_for(1ms), std::system_error);
    try {
        reader->lock();
    } catch (const std::system_error& error) {
        EXPECT_NE(std::string(error.what()).find("'m'"), std::string::npos) << error.what();
    }
    ::close(*descriptor);
}

// --- owners that end

TEST_F(MutexTest, EveryEndOfAnOwnerIsToldOnce) {
    enum class End { thread, process, kill, exec };
    for (const End end : {End::thread, End::process, End::kill, End::exec}) {
        Mutex mutex = create("m");
        if (end == End::thread) {
            std::thread([&] {
                EXPECT_OK(mutex.lock(Deadline::forever()));
                EXPECT_OK(mutex.lock(Deadline::forever()));
            }).join();
        } else {
            Child child([&](const Line& line) {
                auto& mine = *new Result<Mutex>(Mutex::open("m", {}, context));
                CHILD_CHECK(mine && *mine->lock(Deadline::forever()) == Acquired::acquired);
                line.say();
                line.hear();
                if (end == End::exec) ::execl("/bin/cat", "cat", "/dev/null", static_cast<char*>(nullptr));
                if (end == End::kill) ::pause();
                return 0;
            });
            ASSERT_EQ(child.line().hear(), '.');
            EXPECT_EQ(*mutex.lock(Deadline::passed()), Acquired::timed_out);
            child.line().say();
            if (end == End::kill) child.kill();
            else child.wait();
        }
        EXPECT_TRUE(mutex.info()->is_abandoned);
        EXPECT_FALSE(mutex.was_abandoned());
        EXPECT_EQ(*mutex.lock(Deadline::forever()), Acquired::acquired_abandoned);
        EXPECT_TRUE(mutex.was_abandoned());
        std::thread([&] { EXPECT_FALSE(mutex.was_abandoned()); }).join();
        EXPECT_EQ(*mutex.lock(Deadline::forever()), Acquired::acquired);  // the second time is plain recursion
        EXPECT_TRUE(mutex.was_abandoned());
        EXPECT_OK(mutex.unlock());
        EXPECT_OK(mutex.unlock());
        EXPECT_FALSE(mutex.was_abandoned());
        EXPECT_EQ(*mutex.lock(Deadline::forever()), Acquired::acquired);  // told once
        EXPECT_FALSE(mutex.was_abandoned());
        EXPECT_OK(mutex.unlock());
    }
}

TEST_F(MutexTest, TheStandardsNamesTellItThroughWasAbandoned) {
    Mutex mutex = create("m");
    std::thread([&] { mutex.lock(); }).join();
    {
        const std::lock_guard guard(mutex);
        EXPECT_TRUE(mutex.was_abandoned());
    }
    const std::lock_guard guard(mutex);
    EXPECT_FALSE(mutex.was_abandoned());
}

TEST_F(MutexTest, UnlockAbandonedTellsTheNextOwnerOnce) {
    const Mutex mutex = create("m");
    for (int round = 0; round < 3; ++round) {  // may be handed on as often as it takes
        ASSERT_OK(mutex.lock(Deadline::forever()));
        EXPECT_EQ(mutex.was_abandoned(), round > 0);
        EXPECT_OK(mutex.unlock_abandoned());
        EXPECT_FALSE(mutex.is_owned());
    }
    std::thread([&] {
        EXPECT_EQ(*mutex.lock(Deadline::passed()), Acquired::acquired_abandoned);
        EXPECT_OK(mutex.unlock());
    }).join();
    EXPECT_EQ(*mutex.lock(Deadline::passed()), Acquired::acquired);
    EXPECT_OK(mutex.unlock());
}

TEST_F(MutexTest, UnlockAbandonedInsideOfAnotherLockIsNotForgotten) {
    const Mutex mutex = create("m");
    ASSERT_OK(mutex.lock(Deadline::forever()));
    ASSERT_OK(mutex.lock(Deadline::forever()));
    EXPECT_OK(mutex.unlock_abandoned());
    EXPECT_TRUE(mutex.is_owned());
    EXPECT_OK(mutex.unlock());
    EXPECT_EQ(*mutex.lock(Deadline::passed()), Acquired::acquired_abandoned);
    EXPECT_OK(mutex.unlock());
    EXPECT_EQ(*mutex.lock(Deadline::passed()), Acquired::acquired);
    EXPECT_OK(mutex.unlock());
}

TEST_F(MutexTest, ASleeperIsWokenByTheOwnersDeath) {
    for (int round = 0; round < 15; ++round) {
        Child owner([&](const Line& line) {
            line.hear();
            const auto mine = Mutex::open("m", {}, context);
            CHILD_CHECK(mine && *mine->lock(Deadline::forever()) == Acquired::acquired);
            line.say();
            ::pause();
            return 0;
        });
        const Mutex mutex = create("m");
        owner.line().say();
        ASSERT_EQ(owner.line().hear(), '.');
        Sleeper waiter([&] {
            EXPECT_EQ(*mutex.lock(Deadline::forever()), Acquired::acquired_abandoned);
            EXPECT_OK(mutex.unlock());
        });
        waiter.wait_until_asleep();
        owner.kill();
        waiter.join();
    }
}

// --- handles and ownership

TEST_F(MutexTest, ClosingAHandleDoesNotUnlock) {
    Mutex one = create("m");
    const Mutex two = open("m");
    ASSERT_OK(one.lock(Deadline::forever()));
    one.close();
    EXPECT_TRUE(two.is_owned());
    EXPECT_FALSE(is_free_for_others(two));
    EXPECT_OK(two.unlock());
    EXPECT_TRUE(is_free_for_others(two));
}

TEST_F(MutexTest, ReopeningThenUnlockingWorks) {
    Child other([&](const Line& line) {
        line.hear();
        const auto mine = Mutex::open("m", {}, context);
        CHILD_CHECK(mine);
        line.say();
        line.hear();
        CHILD_CHECK(*mine->lock(Deadline::passed()) == Acquired::timed_out);
        line.say();
        line.hear();
        CHILD_CHECK(*mine->lock(Deadline::passed()) == Acquired::acquired);
        CHILD_CHECK(mine->unlock());
        return 0;
    });
    Mutex mutex = create("m");
    ASSERT_OK(mutex.lock(Deadline::forever()));
    ASSERT_OK(mutex.lock(Deadline::forever()));
    other.line().say();
    ASSERT_EQ(other.line().hear(), '.');
    mutex.close();
    other.line().say();
    ASSERT_EQ(other.line().hear(), '.');
    const Mutex again = open("m");
    EXPECT_TRUE(again.is_owned());
    EXPECT_OK(again.unlock());
    EXPECT_OK(again.unlock());
    EXPECT_CODE(Code::not_owner, again.unlock());
    other.line().say();
    EXPECT_EQ(other.wait(), 0);
}

TEST_F(MutexTest, TheNameEndsWithTheLastHandleThoughLocked) {
    Mutex old = create("m");
    ASSERT_OK(old.lock(Deadline::forever()));
    old.close();
    EXPECT_EQ(root.file_count(), 0u);
    EXPECT_CODE(Code::not_found, Mutex::open("m", {}, context));
    const Mutex next = create("m");
    EXPECT_FALSE(next.is_owned());
    EXPECT_TRUE(is_free_for_others(next));
    EXPECT_EQ(*next.lock(Deadline::passed()), Acquired::acquired);
    EXPECT_OK(next.unlock());
}

TEST_F(MutexTest, WhatAClosedButLockedOneNeedsIsGivenBackWhenItsOwnerEnds) {
    std::thread([&] {
        for (int i = 0; i < 50; ++i) {
            Mutex mutex = create("m");
            EXPECT_OK(mutex.lock(Deadline::forever()));
            mutex.close();
        }
        EXPECT_GE(mapped_here(), 50u);
    }).join();
    create("m").close();
    create("m").close();
    EXPECT_EQ(mapped_here(), 0u);
}

TEST_F(MutexTest, ManyLockedAtOnceAreGivenBackInAnyOrder) {
    std::vector<Mutex> mutexes;
    for (int i = 0; i < 40; ++i) mutexes.push_back(create("m" + std::to_string(i)));
    for (int round = 0; round < 3; ++round) {
        for (const Mutex& mutex : mutexes) ASSERT_OK(mutex.lock(Deadline::passed()));
        for (std::size_t i = 0; i < mutexes.size(); ++i) {
            const Mutex& mutex = mutexes[(i * 17 + static_cast<std::size_t>(round)) % mutexes.size()];
            ASSERT_OK(mutex.unlock());
            EXPECT_TRUE(i % 10 != 0 || is_free_for_others(mutex));
        }
    }
    std::thread([&] {
        for (const Mutex& mutex : mutexes) EXPECT_OK(mutex.lock(Deadline::passed()));
    }).join();
    for (const Mutex& mutex : mutexes) EXPECT_EQ(*mutex.lock(Deadline::passed()), Acquired::acquired_abandoned);
}

TEST_F(MutexTest, AForkedChildOwnsNothing) {
    const Mutex mutex = create("m");
    ASSERT_OK(mutex.lock(Deadline::forever()));
    Child child([&](const Line& line) {
        CHILD_CHECK(!mutex.is_owned());
        const auto unlocked = mutex.unlock();
        CHILD_CHECK(!unlocked && unlocked.error().code == Code::not_owner);
        CHILD_CHECK(*mutex.lock(Deadline::passed()) == Acquired::timed_out);
        line.say();
        CHILD_CHECK(*mutex.lock(Deadline::forever()) == Acquired::acquired);
        line.say();
        ::pause();
        return 0;
    });
    Child passer_by([&](const Line&) { return mutex.is_owned() ? 1 : 0; });
    EXPECT_EQ(passer_by.wait(), 0);  // its end abandons nothing
    ASSERT_EQ(child.line().hear(), '.');
    EXPECT_TRUE(mutex.is_owned());
    EXPECT_OK(mutex.unlock());
    ASSERT_EQ(child.line().hear(), '.');
    EXPECT_EQ(*mutex.lock(Deadline::passed()), Acquired::timed_out);
    child.kill();
    EXPECT_EQ(*mutex.lock(Deadline::forever()), Acquired::acquired_abandoned);
    EXPECT_OK(mutex.unlock());
}

// --- signals

TEST_F(MutexTest, AHandledSignalEndsLockButNotTheStandardsNames) {
    const Mutex mutex = create("m");
    ASSERT_OK(mutex.lock(Deadline::forever()));
    for (const bool restarts : {false, true}) {
        const Handled handled(SIGUSR1, restarts);
        Sleeper sleeper([&] { EXPECT_EQ(*mutex.lock(Deadline::forever()), Acquired::interrupted); });
        sleeper.disturb(SIGUSR1);
        sleeper.join();
        EXPECT_EQ(mutex.info()->owner_thread, static_cast<std::uint32_t>(::gettid()));
    }
    const Handled handled(SIGUSR1, false);
    Sleeper stubborn([&] { EXPECT_FALSE(mutex.try_lock_for(50ms)); });
    stubborn.disturb(SIGUSR1);
    stubborn.join();
    EXPECT_OK(mutex.unlock());
}

// --- several that are made in place

TEST_F(MutexTest, OpenOrCreateInMakesOneOfManyCallers) {
    const auto section = Section::create("s", 8192, {}, context);
    const auto count_on = [&](const Line& line) {
        const auto mine = Section::open("s", {}, context);
        CHILD_CHECK(mine);
        line.say();
        line.hear();
        const auto mutex = Mutex::open_or_create_in(*mine, sync_offset(1));
        CHILD_CHECK(mutex);
        const auto view = mine->view();
        auto* const counter = reinterpret_cast<std::uint64_t*>(view->data());
        for (int i = 0; i < 2000; ++i) {
            const std::lock_guard guard(*mutex);
            *counter = *counter + 1;
        }
        return 0;
    };
    Child a(count_on), b(count_on), c(count_on);
    for (const Child* child : {&a, &b, &c}) ASSERT_EQ(child->line().hear(), '.');
    for (const Child* child : {&a, &b, &c}) child->line().say();
    for (Child* child : {&a, &b, &c}) EXPECT_EQ(child->wait(), 0);
    EXPECT_EQ(*reinterpret_cast<std::uint64_t*>(section->view()->data()), 6000u);
    const auto event = Event::create_in(*section, sync_offset(0));
    EXPECT_CODE(Code::kind_mismatch, Mutex::open_or_create_in(*section, sync_offset(0)));
}

// More than the kernel would hand over: they are taken and given like all others.
TEST_F(MutexTest, ManyAreOwnedByOneThread) {
    constexpr std::uint64_t kCount = 2100;
    const auto section = Section::create("many", kCount * kSyncPageBytes, {}, context);
    ASSERT_OK(section);
    std::vector<Mutex> mutexes;
    for (std::uint64_t i = 0; i < kCount; ++i) mutexes.push_back(*Mutex::create_in(*section, sync_offset(i)));
    for (const Mutex& mutex : mutexes) ASSERT_EQ(*mutex.lock(Deadline::passed()), Acquired::acquired);
    for (const Mutex& mutex : mutexes) ASSERT_OK(mutex.unlock());
    mutexes.clear();
    const Mutex other = create("m");
    EXPECT_EQ(*other.lock(Deadline::passed()), Acquired::acquired);
    EXPECT_OK(other.unlock());
}

TEST_F(MutexTest, LongestDurationsAreForever) {
    const Mutex mutex = create("m");
    EXPECT_TRUE(mutex.try_lock_for(std::chrono::hours::max()));
    std::thread([&] {
        EXPECT_FALSE(mutex.try_lock_for(std::chrono::hours::min()));
        EXPECT_FALSE(mutex.try_lock_for(std::chrono::duration<double>(std::nan(""))));
        EXPECT_FALSE(mutex.try_lock_until(std::chrono::steady_clock::time_point::min()));
        EXPECT_FALSE(mutex.try_lock_until(std::chrono::time_point<std::chrono::system_clock, std::chrono::hours>::min()));
    }).join();
    EXPECT_OK(mutex.unlock());
}

TEST_F(MutexTest, WhoWaitsForeverIsThereWhenItIsUnlocked) {
    const Mutex mutex = create("m");
    const std::function<bool()> ways[] = {
        [&] { return mutex.try_lock_for(std::chrono::hours::max()); },
        [&] { return mutex.try_lock_for(std::chrono::duration<float>(9223371776.f)); },  // rounds to more nanoseconds than there are
        [&] { return mutex.try_lock_until(std::chrono::steady_clock::time_point::max()); },
        [&] { return mutex.try_lock_until(std::chrono::time_point<std::chrono::system_clock, std::chrono::hours>::max()); },
    };
    for (const auto& way : ways) {
        mutex.lock();
        Sleeper waiter([&] {
            EXPECT_TRUE(way());
            EXPECT_OK(mutex.unlock());
        });
        waiter.wait_until_asleep();
        EXPECT_OK(mutex.unlock());
    }
}

}  // namespace
}  // namespace comap::test
