// SPDX-License-Identifier: Apache-2.0
// A mutex whose owner ends, in every way in which one can end, and by every way to the mutex.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <thread>

#include "ways.hpp"

namespace comap::test {
namespace {

const Deadline kNow = Deadline::passed();
Deadline a_moment() { return Deadline::after(std::chrono::milliseconds(20)); }

enum class Death { thread_exit, process_exit, exec, kill };
constexpr std::array<Death, 4> kDeaths = {Death::thread_exit, Death::process_exit, Death::exec, Death::kill};
const char* name_of(Death death) {
    return death == Death::thread_exit ? "thread exit" : death == Death::process_exit ? "process exit" : death == Death::exec ? "exec" : "kill";
}

struct Abandonment : ::testing::Test {
    TempRoot root;
    Objects objects = Objects::create(root.context());

    // In a child: objects of its own, never destroyed.
    Objects& open_own() const {
        auto* const context = new Context(ContextOptions{.root = root.path()});
        return *new Objects(Objects::open(*context));
    }

    // Takes the mutex, says so, and ends as told.
    int own_and_end(const Line& line, Way way, Death death) const {
        const Objects& own = open_own();
        const auto take_and_say = [&] {
            CHILD_CHECK(own.take(way) == "acquired");
            line.say();
            line.hear();
        };
        if (death == Death::thread_exit) {
            std::thread(take_and_say).join();
            line.hear();  // the process lives on
            return 0;
        }
        take_and_say();
        if (death == Death::exec) ::execl("/bin/cat", "cat", static_cast<char*>(nullptr));  // which lives on too
        return 0;
    }

    std::unique_ptr<Child> waiter(Way way, const std::string& wanted) const {
        return std::make_unique<Child>([this, way, wanted](const Line& line) {
            const Objects& own = open_own();
            line.say();
            const std::string end = own.take(way);
            if (end != wanted) std::fprintf(stderr, "the waiter in %s: %s, not %s\n", name_of(way), end.c_str(), wanted.c_str());
            CHILD_CHECK(end == wanted);
            CHILD_CHECK(own.mutex.was_abandoned() == (wanted == "abandoned"));
            CHILD_CHECK(own.mutex.unlock());
            return 0;
        });
    }
};

TEST_F(Abandonment, TheNextIsToldOnceHoweverTheOwnerEndedAndWhicheverWayHeComes) {
    for (const Death death : kDeaths) {
        for (const Way way : kWays) {
            for (const Way next : kWays) {
                SCOPED_TRACE(std::string(name_of(death)) + " of one who came by " + name_of(way) + ", the next by " + name_of(next));
                Child owner([&](const Line& line) { return own_and_end(line, way, death); });
                ASSERT_EQ(owner.line().hear(), '.');
                EXPECT_EQ(objects.take(next, kNow), "timed out");
                if (death == Death::kill) owner.kill();
                else owner.line().say();
                EXPECT_EQ(objects.take(next, Deadline::after(std::chrono::seconds(60))), "abandoned");
                EXPECT_TRUE(objects.mutex.was_abandoned());
                EXPECT_OK(objects.mutex.unlock());
                EXPECT_EQ(objects.take(next, kNow), "acquired");
                EXPECT_FALSE(objects.mutex.was_abandoned());
                EXPECT_OK(objects.mutex.unlock());
            }
        }
    }
}

TEST_F(Abandonment, ASleepingWaiterIsTold) {
    for (const Death death : kDeaths) {
        for (const Way way : kWays) {
            SCOPED_TRACE(std::string(name_of(death)) + ", a waiter in " + name_of(way));
            Child owner([&](const Line& line) { return own_and_end(line, Way::lock, death); });
            ASSERT_EQ(owner.line().hear(), '.');
            const auto sleeper = waiter(way, "abandoned");
            ASSERT_EQ(sleeper->line().hear(), '.');
            wait_until([&] { return is_asleep(sleeper->pid()); }, "the waiter sleeps");
            if (death == Death::kill) owner.kill();
            else owner.line().say();
            EXPECT_EQ(sleeper->wait(), 0);
            EXPECT_EQ(objects.take(Way::lock, kNow), "acquired");
            EXPECT_OK(objects.mutex.unlock());
        }
    }
}

// One of several sleepers is killed before: the others get on.
TEST_F(Abandonment, OfSeveralSleepersOneIsTold) {
    for (int round = 0; round < 10; ++round) {
        Child owner([&](const Line& line) { return own_and_end(line, Way::lock, Death::kill); });
        ASSERT_EQ(owner.line().hear(), '.');
        std::array<std::unique_ptr<Child>, 4> sleepers;
        for (std::size_t i = 0; i < sleepers.size(); ++i) {
            sleepers[i] = std::make_unique<Child>([this, way = kWays[i % kWays.size()]](const Line& line) {
                const Objects& own = open_own();
                line.say();
                const std::string end = own.take(way);
                CHILD_CHECK(end == "acquired" || end == "abandoned");
                CHILD_CHECK(own.mutex.unlock());
                return end == "abandoned" ? 1 : 0;
            });
            ASSERT_EQ(sleepers[i]->line().hear(), '.');
            wait_until([&] { return is_asleep(sleepers[i]->pid()); }, "the waiter sleeps");
        }
        const std::size_t first_dead = static_cast<std::size_t>(round) % sleepers.size();
        sleepers[first_dead]->kill();
        owner.kill();
        int told = 0;
        for (std::size_t i = 0; i < sleepers.size(); ++i)
            if (i != first_dead) told += sleepers[i]->wait();
        EXPECT_EQ(told, 1);
    }
}

TEST_F(Abandonment, ClosingTheHandleReleasesNothing) {
    Child owner([&](const Line& line) {
        Objects& own = open_own();
        CHILD_CHECK(own.take(Way::lock) == "acquired");
        own.mutex.close();
        line.say();
        line.hear();
        return 0;
    });
    ASSERT_EQ(owner.line().hear(), '.');
    for (const Way way : kWays) EXPECT_EQ(objects.take(way, a_moment()), "timed out");
    owner.line().say();
    EXPECT_EQ(owner.wait(), 0);
    EXPECT_EQ(objects.take(Way::all, Deadline::after(std::chrono::seconds(60))), "abandoned");
    EXPECT_OK(objects.mutex.unlock());
}

TEST_F(Abandonment, WhoClosedTheHandleAndOpensItAgainStillOwnsIt) {
    Child owner([&](const Line& line) {
        Objects& own = open_own();
        CHILD_CHECK(own.take(Way::any) == "acquired");
        own.mutex.close();
        Context context(ContextOptions{.root = root.path()});
        auto again = Mutex::open("m", {}, context);
        CHILD_CHECK(again && again->is_owned());
        std::thread([&] { CHILD_CHECK(*again->lock(kNow) == Acquired::timed_out); }).join();
        line.say();
        line.hear();
        CHILD_CHECK(again->unlock());
        CHILD_CHECK(again->unlock().error().code == Code::not_owner);
        line.say();
        line.hear();
        return 0;
    });
    ASSERT_EQ(owner.line().hear(), '.');
    EXPECT_EQ(objects.take(Way::lock, kNow), "timed out");
    owner.line().say();
    ASSERT_EQ(owner.line().hear(), '.');
    EXPECT_EQ(objects.take(Way::lock, kNow), "acquired");
    EXPECT_OK(objects.mutex.unlock());
    owner.line().say();
    EXPECT_EQ(owner.wait(), 0);
}

// The thread that owned it ends after the handle was closed, the process lives on; again and again.
TEST_F(Abandonment, ThreadsThatEndWithClosedHandles) {
    Child owner([&](const Line& line) {
        for (int round = 0; round < 20; ++round) {
            std::thread([&] {
                Objects& own = open_own();
                CHILD_CHECK(own.take(kWays[static_cast<std::size_t>(round) % kWays.size()]) == "acquired");
                own.mutex.close();
            }).join();
            line.say();
            line.hear();
        }
        return 0;
    });
    for (int round = 0; round < 20; ++round) {
        ASSERT_EQ(owner.line().hear(), '.');
        EXPECT_EQ(objects.take(Way::lock, Deadline::after(std::chrono::seconds(60))), "abandoned");
        EXPECT_OK(objects.mutex.unlock());
        owner.line().say();
    }
    EXPECT_EQ(owner.wait(), 0);
}

TEST_F(Abandonment, AForkedChildOwnsNothing) {
    Child owner([&](const Line& line) {
        const Objects& own = open_own();
        CHILD_CHECK(own.take(Way::lock) == "acquired" && own.take(Way::lock) == "acquired");
        Child forked([&](const Line&) {
            CHILD_CHECK(!own.mutex.is_owned());
            CHILD_CHECK(own.mutex.unlock().error().code == Code::not_owner);
            CHILD_CHECK(own.mutex.unlock_abandoned().error().code == Code::not_owner);
            for (const Way way : kWays) CHILD_CHECK(own.take(way, kNow) == "timed out");
            return 0;
        });
        CHILD_CHECK(forked.wait() == 0);
        Child killed([&](const Line& inner) {
            inner.say();
            return own.take(Way::lock) == "never" ? 0 : 1;
        });
        CHILD_CHECK(killed.line().hear() == '.');
        wait_until([&] { return is_asleep(killed.pid()); }, "the forked child waits");
        killed.kill();
        CHILD_CHECK(own.mutex.is_owned());
        line.say();
        line.hear();
        CHILD_CHECK(own.mutex.unlock() && own.mutex.is_owned() && own.mutex.unlock() && !own.mutex.is_owned());
        return 0;
    });
    ASSERT_EQ(owner.line().hear(), '.');
    for (const Way way : kWays) EXPECT_EQ(objects.take(way, a_moment()), "timed out");
    owner.line().say();
    EXPECT_EQ(objects.take(Way::lock, Deadline::after(std::chrono::seconds(60))), "acquired");
    EXPECT_EQ(owner.wait(), 0);
    EXPECT_OK(objects.mutex.unlock());
}

// The forked child shares its parent's open files and mappings; the lock ends with the parent all the same.
TEST_F(Abandonment, AForkedChildIsToldOfItsParentsDeath) {
    for (const Way way : kWays) {
        Child owner([&](const Line& line) {
            const Objects& own = open_own();
            CHILD_CHECK(own.take(way) == "acquired");
            const pid_t forked = ::fork();
            if (forked == 0) {
                line.say();
                const std::string end = own.take(way);
                line.say_text(end);
                ::_exit(own.mutex.unlock() ? 0 : 1);
            }
            ::pause();
            return 0;
        });
        ASSERT_EQ(owner.line().hear(), '.');
        owner.kill();
        EXPECT_EQ(owner.line().hear_text(), "abandoned") << name_of(way);
        EXPECT_EQ(objects.take(way, Deadline::after(std::chrono::seconds(60))), "acquired");
        EXPECT_OK(objects.mutex.unlock());
    }
}

}  // namespace
}  // namespace comap::test
