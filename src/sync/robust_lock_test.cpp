// SPDX-License-Identifier: Apache-2.0
#include "sync/robust_lock.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <random>
#include <thread>

#include "support/process.hpp"

namespace comap::internal {
namespace {

using test::Child;
using test::Line;

// A page with a lock word in a memory file, and a page of plain memory shared with children for counting.
struct RobustLockTest : ::testing::Test {
    os::Fd file = *os::make_memory_file(0600);
    std::uint32_t* counter = static_cast<std::uint32_t*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));

    void SetUp() override { ASSERT_TRUE(os::reserve(file.number(), 0, 4096)); }
    void TearDown() override { ::munmap(counter, 4096); }
    RobustLock attach() { return std::move(*RobustLock::attach(file.number(), 0)); }
    std::uint32_t word() const {
        std::uint32_t value = 0;
        EXPECT_EQ(*os::read_at(file.number(), &value, sizeof value, 4064), sizeof value);
        return value;
    }
};

TEST_F(RobustLockTest, LocksAndUnlocks) {
    RobustLock lock = attach();
    EXPECT_EQ(lock.lock(Deadline::passed()), Ended::acquired);
    EXPECT_EQ(word(), os::thread_number());
    RobustLock other = attach();
    EXPECT_EQ(other.lock(Deadline::passed()), Ended::timed_out);
    EXPECT_EQ(other.lock(Deadline::after(std::chrono::milliseconds(5))), Ended::timed_out);
    lock.unlock();
    EXPECT_EQ(word(), 0u);
    EXPECT_EQ(other.lock(Deadline::passed()), Ended::acquired);
    other.unlock();
}

TEST_F(RobustLockTest, EveryKindOfDeathHandsOverAndSaysSo) {
    RobustLock lock = attach();
    enum class Death { thread_exit, process_exit, kill, exec };
    for (const Death death : {Death::thread_exit, Death::process_exit, Death::kill, Death::exec}) {
        if (death == Death::thread_exit) {
            std::thread([&] { EXPECT_EQ(lock.lock(Deadline::forever()), Ended::acquired); }).join();
        } else {
            Child child([&](const Line& line) {
                auto& mine = *new RobustLock(attach());  // stays mapped until the process ends
                CHILD_CHECK(mine.lock(Deadline::forever()) == Ended::acquired);
                line.say();
                line.hear();
                if (death == Death::exec) ::execl("/bin/cat", "cat", "/dev/null", static_cast<char*>(nullptr));
                if (death == Death::kill) ::pause();
                return 0;
            });
            ASSERT_EQ(child.line().hear(), '.');
            EXPECT_EQ(lock.lock(Deadline::passed()), Ended::timed_out);
            child.line().say();
            if (death == Death::kill) child.kill();
            else child.wait();
        }
        EXPECT_EQ(lock.lock(Deadline::forever()), Ended::acquired_abandoned);
        lock.unlock();
        EXPECT_EQ(lock.lock(Deadline::forever()), Ended::acquired);  // told once
        lock.unlock();
    }
}

TEST_F(RobustLockTest, ASleepingWaiterIsWokenByTheOwnersDeath) {
    for (int round = 0; round < 30; ++round) {
        Child owner([&](const Line& line) {
            RobustLock mine = attach();
            CHILD_CHECK(mine.lock(Deadline::forever()) != Ended::timed_out);
            line.say();
            ::pause();
            return 0;
        });
        ASSERT_EQ(owner.line().hear(), '.');
        Child waiter([&](const Line&) {
            RobustLock mine = attach();
            CHILD_CHECK(mine.lock(Deadline::forever()) == Ended::acquired_abandoned);
            mine.unlock();
            return 0;
        });
        test::wait_until([&] { return test::is_asleep(waiter.pid()); }, "the waiter sleeps");
        owner.kill();
        EXPECT_EQ(waiter.wait(), 0);
    }
}

// Threads of several processes count without atomics; some of them are killed in the middle and restarted.
TEST_F(RobustLockTest, ExcludesUnderKills) {
    const auto count_on = [&](const Line& line) {
        RobustLock mine = attach();
        line.say();
        const auto work = [&] {
            for (;;) {
                CHILD_CHECK(mine.lock(Deadline::forever()) != Ended::timed_out);
                // Two words that are equal outside the lock, and whenever the last owner did not die in between.
                const std::uint32_t value = counter[0];
                counter[0] = value + 1;
                counter[1] = value + 1;
                mine.unlock();
            }
        };
        std::thread second(work);
        work();
        return 0;
    };
    std::minstd_rand random(3);
    RobustLock lock = attach();
    for (int round = 0; round < 200; ++round) {
        Child a(count_on), b(count_on);
        ASSERT_EQ(a.line().hear(), '.');
        ASSERT_EQ(b.line().hear(), '.');
        test::pass_time(static_cast<std::uint32_t>(random() % 500000));
        a.kill();
        const Ended end = lock.lock(Deadline::after(std::chrono::seconds(30)));
        ASSERT_TRUE(end == Ended::acquired || end == Ended::acquired_abandoned);
        if (end == Ended::acquired) { EXPECT_EQ(counter[0], counter[1]); }
        counter[1] = counter[0];
        lock.unlock();
        b.kill();
        const Ended last = lock.lock(Deadline::after(std::chrono::seconds(30)));
        ASSERT_TRUE(last == Ended::acquired || last == Ended::acquired_abandoned);
        counter[1] = counter[0];
        lock.unlock();
    }
    EXPECT_GT(counter[0], 0u);
}

// Our nodes and those of the C library's robust mutexes on one list, taken and given back in every order.
TEST_F(RobustLockTest, LivesBesideTheCLibrarysRobustMutexes) {
    struct Mutexes {
        pthread_mutex_t of[3];
    };
    auto* const shared = static_cast<Mutexes*>(::mmap(nullptr, sizeof(Mutexes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    pthread_mutexattr_t attributes;
    ::pthread_mutexattr_init(&attributes);
    ::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    for (pthread_mutex_t& mutex : shared->of) ::pthread_mutex_init(&mutex, &attributes);

    std::vector<os::Fd> files;
    std::vector<RobustLock> locks;
    for (int i = 0; i < 3; ++i) {
        files.push_back(std::move(*os::make_memory_file(0600)));
        ASSERT_TRUE(os::reserve(files.back().number(), 0, 4096));
        locks.push_back(std::move(*RobustLock::attach(files.back().number(), 0)));
    }
    std::minstd_rand random(5);
    bool has[6] = {};
    const auto flip = [&](std::size_t which) {
        if (which < 3) {
            if (has[which]) {
                locks[which].unlock();
            } else {
                ASSERT_EQ(locks[which].lock(Deadline::passed()), Ended::acquired);
            }
        } else {
            pthread_mutex_t& mutex = shared->of[which - 3];
            ASSERT_EQ(has[which] ? ::pthread_mutex_unlock(&mutex) : ::pthread_mutex_trylock(&mutex), 0);
        }
        has[which] = !has[which];
    };
    for (int step = 0; step < 20000; ++step) flip(random() % 6);
    for (std::size_t i = 0; i < 6; ++i)
        if (has[i]) flip(i);
    // A child takes all six in a random order, gives some back, and dies: each of those it had is abandoned, once.
    for (int round = 0; round < 50; ++round) {
        Child child([&](const Line& line) {
            std::vector<RobustLock> mine;
            for (const os::Fd& fd : files) mine.push_back(std::move(*RobustLock::attach(fd.number(), 0)));
            std::swap(locks, mine);
            std::size_t order[6] = {0, 1, 2, 3, 4, 5};
            std::shuffle(order, order + 6, std::minstd_rand(static_cast<unsigned>(round) + 1));
            for (const std::size_t which : order) flip(which);
            flip(order[1]);
            flip(order[4]);
            line.say(static_cast<char>('0' + order[1]));
            line.say(static_cast<char>('0' + order[4]));
            ::pause();
            return 0;
        });
        const int given_back[2] = {child.line().hear() - '0', child.line().hear() - '0'};
        child.kill();
        for (int which = 0; which < 6; ++which) {
            const bool was_given_back = which == given_back[0] || which == given_back[1];
            if (which < 3) {
                EXPECT_EQ(locks[static_cast<std::size_t>(which)].lock(Deadline::passed()), was_given_back ? Ended::acquired : Ended::acquired_abandoned);
                locks[static_cast<std::size_t>(which)].unlock();
            } else {
                pthread_mutex_t& mutex = shared->of[which - 3];
                EXPECT_EQ(::pthread_mutex_trylock(&mutex), was_given_back ? 0 : EOWNERDEAD);
                if (!was_given_back) ::pthread_mutex_consistent(&mutex);
                ::pthread_mutex_unlock(&mutex);
            }
        }
    }
    ::munmap(shared, sizeof(Mutexes));
}

// A peer scribbles over the whole shared page, the word and the bytes around it, while a thread has the lock.
TEST_F(RobustLockTest, ScribblingPeersCannotCrashTheOwner) {
    std::minstd_rand random(9);
    for (int round = 0; round < 200; ++round) {
        RobustLock lock = attach();
        ASSERT_NE(lock.lock(Deadline::after(std::chrono::milliseconds(1))), Ended::interrupted);
        std::string garbage(4096, '\0');
        for (char& byte : garbage) byte = static_cast<char>(random());
        ASSERT_TRUE(os::write_at(file.number(), garbage.data(), garbage.size(), 0));
        const std::uint32_t free_word = 0;
        lock.unlock();
        ASSERT_TRUE(os::write_at(file.number(), &free_word, sizeof free_word, 4064));
    }
}

TEST_F(RobustLockTest, TheSameThreadNumberInTwoPidNamespacesIsTwoOwners) {
    // A child in a namespace of its own has number 1 there; so has its sibling in another.
    const auto own_namespace = [&](const Line& line, const std::function<int()>& body) {
        if (::unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0 && ::unshare(CLONE_NEWPID) != 0) return 77;
        const pid_t inner = ::fork();
        if (inner == 0) ::_exit(body());
        int status = 0;
        ::waitpid(inner, &status, 0);
        (void)line;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
    };
    Child first([&](const Line& line) {
        return own_namespace(line, [&] {
            CHILD_CHECK(::getpid() == 1);
            RobustLock mine = attach();
            CHILD_CHECK(mine.lock(Deadline::forever()) == Ended::acquired);
            line.say();
            line.hear();
            mine.unlock();
            return 0;
        });
    });
    const int ready = first.line().hear();
    if (ready < 0) {
        EXPECT_EQ(first.wait(), 77);
        GTEST_SKIP() << "this system lets us make no PID namespace";
    }
    Child second([&](const Line& line) {
        return own_namespace(line, [&] {
            CHILD_CHECK(::getpid() == 1);
            RobustLock mine = attach();
            CHILD_CHECK(mine.lock(Deadline::after(std::chrono::milliseconds(20))) == Ended::timed_out);
            line.say();
            CHILD_CHECK(mine.lock(Deadline::forever()) == Ended::acquired);
            mine.unlock();
            return 0;
        });
    });
    ASSERT_EQ(second.line().hear(), '.');
    first.line().say();
    EXPECT_EQ(first.wait(), 0);
    EXPECT_EQ(second.wait(), 0);
}

}  // namespace
}  // namespace comap::internal
