// SPDX-License-Identifier: Apache-2.0
// Who is stopped while he waits delays nobody else.
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>

#include <array>
#include <functional>
#include <memory>

#include "support/process.hpp"

namespace comap::test {
namespace {

constexpr int kRounds = 2000;
Deadline a_minute() { return Deadline::after(std::chrono::seconds(60)); }

struct Things {
    Mutex mutex;
    Event event;
    Semaphore semaphore;

    static Things open(Context& context) {
        return {Mutex::open_or_create("m", {}, context).value(), Event::open_or_create("e", {}, context).value(),
                Semaphore::open_or_create("s", {}, context).value()};
    }
    Acquired wait(const std::string& way) const {
        const std::array<Waitable, 3> list = {mutex, event, semaphore};
        if (way == "mutex") return mutex.lock(Deadline::forever()).value();
        if (way == "event") return event.wait().value();
        if (way == "semaphore") return semaphore.acquire().value();
        return (way == "any" ? wait_any(list) : wait_all(list)).value().end;
    }
};

bool has(const Result<Acquired>& end) { return end && *end == Acquired::acquired; }

// Takes and gives all of them, alone and together.
int work(const Things& own) {
    const std::array<Waitable, 3> list = {own.semaphore, own.event, own.mutex};
    for (int round = 0; round < kRounds; ++round) {
        CHILD_CHECK(has(own.mutex.lock(a_minute())));
        CHILD_CHECK(own.mutex.unlock());
        CHILD_CHECK(own.event.set() && has(own.event.wait(a_minute())));
        CHILD_CHECK(own.semaphore.release(2) && has(own.semaphore.acquire(a_minute())) && has(own.semaphore.acquire(a_minute())));
        CHILD_CHECK(own.event.set() && own.semaphore.release());
        const auto all = wait_all(list, a_minute());
        CHILD_CHECK(all && all->end == Acquired::acquired);
        CHILD_CHECK(own.mutex.unlock());
        CHILD_CHECK(own.event.set());
        const auto any = wait_any(std::span(list).first(2), a_minute());
        CHILD_CHECK(any && any->end == Acquired::acquired && any->index == 1);
    }
    return 0;
}

// Competes for the mutex until told to end.
int compete(const Things& own, const Line& line) {
    for (int round = 0; round < kRounds; ++round) {
        CHILD_CHECK(has(own.mutex.lock(a_minute())));
        ::sched_yield();
        CHILD_CHECK(own.mutex.unlock());
    }
    line.say();
    return 0;
}

TEST(StoppedWaiter, DelaysNobody) {
    for (const std::string way : {"mutex", "event", "semaphore", "any", "all"}) {
        SCOPED_TRACE(way);
        TempRoot root;
        const Things things = Things::open(root.context());
        const auto in_child = [&](const std::function<int(const Things&, const Line&)>& body) {
            return std::make_unique<Child>([&root, body](const Line& line) {
                auto* const context = new Context(ContextOptions{.root = root.path()});
                return body(*new Things(Things::open(*context)), line);
            });
        };
        ASSERT_TRUE(has(things.mutex.lock(Deadline::passed())));
        const auto waiter = in_child([way](const Things& own, const Line& line) {
            line.say();
            CHILD_CHECK(own.wait(way) == Acquired::acquired);
            return 0;
        });
        ASSERT_EQ(waiter->line().hear(), '.');
        wait_until([&] { return is_asleep(waiter->pid()); }, "the waiter sleeps");
        waiter->signal(SIGSTOP);
        wait_until([&] { return is_stopped(waiter->pid()); }, "the waiter is stopped");
        ASSERT_OK(things.mutex.unlock());

        const auto worker = in_child([](const Things& own, const Line&) { return work(own); });
        const auto first = in_child(compete);
        const auto second = in_child(compete);
        EXPECT_EQ(worker->wait(), 0);
        EXPECT_EQ(first->wait(), 0);
        EXPECT_EQ(second->wait(), 0);

        // Nothing is left for him but the mutex. He gets the rest when he goes on.
        EXPECT_TRUE(is_stopped(waiter->pid()));
        EXPECT_FALSE(*things.event.is_set());
        EXPECT_EQ(*things.semaphore.count(), 0u);
        EXPECT_OK(things.event.set());
        EXPECT_OK(things.semaphore.release());
        waiter->signal(SIGCONT);
        EXPECT_EQ(waiter->wait(), 0);
    }
}

// Killed while stopped: the same.
TEST(StoppedWaiter, TakesNothingWithHimWhenHeIsKilled) {
    for (const std::string way : {"mutex", "event", "semaphore", "any", "all"}) {
        SCOPED_TRACE(way);
        TempRoot root;
        const Things things = Things::open(root.context());
        ASSERT_TRUE(has(things.mutex.lock(Deadline::passed())));
        Child waiter([&](const Line& line) {
            Context context(ContextOptions{.root = root.path()});
            const Things own = Things::open(context);
            line.say();
            return own.wait(way) == Acquired::acquired ? 0 : 1;
        });
        ASSERT_EQ(waiter.line().hear(), '.');
        wait_until([&] { return is_asleep(waiter.pid()); }, "the waiter sleeps");
        waiter.signal(SIGSTOP);
        wait_until([&] { return is_stopped(waiter.pid()); }, "the waiter is stopped");
        ASSERT_OK(things.mutex.unlock());
        ASSERT_OK(things.event.set());
        ASSERT_OK(things.semaphore.release());
        waiter.kill();
        EXPECT_TRUE(has(things.mutex.lock(a_minute())));
        EXPECT_TRUE(has(things.event.wait(a_minute())));
        EXPECT_TRUE(has(things.semaphore.acquire(a_minute())));
        EXPECT_OK(things.mutex.unlock());
    }
}

}  // namespace
}  // namespace comap::test
