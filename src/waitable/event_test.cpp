// SPDX-License-Identifier: Apache-2.0
#include <comap/event.hpp>

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <comap/mutex.hpp>

#include "support/process.hpp"
#include "support/sleeper.hpp"

namespace comap::test {
namespace {

using namespace std::chrono_literals;

constexpr EventOptions kManual = {.reset = Reset::manual};

struct EventTest : ::testing::Test {
    TempRoot root;
    Context& context = root.context();

    Event create(const std::string& name, const EventOptions& options = {}) {
        auto made = Event::create(name, options, context);
        EXPECT_OK(made);
        return std::move(*made);
    }
    static Acquired look(const Event& event) { return *event.wait(Deadline::passed()); }
};

// Threads asleep on an event; `passed` counts those whose wait ended.
struct Crowd {
    std::atomic<int> passed{0};
    std::vector<std::unique_ptr<Sleeper>> sleepers;
    Crowd(const Event& event, int size) {
        for (int i = 0; i < size; ++i)
            sleepers.push_back(std::make_unique<Sleeper>([&] {
                EXPECT_EQ(*event.wait(), Acquired::acquired);
                ++passed;
            }));
        for (const auto& sleeper : sleepers) sleeper->wait_until_asleep();
    }
    void wait_until_passed(int count) const {
        wait_until([&] { return passed == count; }, "so many passed");
    }
    // Those who still sleep are seen to go on sleeping: a look at each.
    bool others_sleep() const {
        for (const auto& sleeper : sleepers)
            if (!sleeper->is_done()) sleeper->wait_until_asleep();
        return true;
    }
};

TEST_F(EventTest, BeginsAndBecomesAsAsked) {
    const Event plain = create("plain");
    EXPECT_EQ(plain.reset_kind(), Reset::automatic);
    EXPECT_FALSE(*plain.is_set());
    const Event set = create("set", {.initially_set = true});
    EXPECT_TRUE(*set.is_set());
    const Event manual = create("manual", kManual);
    EXPECT_EQ(manual.reset_kind(), Reset::manual);
    EXPECT_FALSE(*manual.is_set());
    const auto same = Event::open_or_create("set", {.reset = Reset::manual, .initially_set = false}, context);
    ASSERT_OK(same);
    EXPECT_EQ(same->reset_kind(), Reset::automatic);
    EXPECT_TRUE(*same->is_set());
    EXPECT_EQ(Event::open("manual", {}, context)->reset_kind(), Reset::manual);
    EXPECT_EQ(Event::create_unnamed(kManual)->reset_kind(), Reset::manual);
    const auto section = Section::create("s", 8192, {}, context);
    EXPECT_TRUE(*Event::create_in(*section, sync_offset(0), {.reset = Reset::manual, .initially_set = true})->is_set());
    EXPECT_EQ(Event::open_in(*section, sync_offset(0))->reset_kind(), Reset::manual);
}

TEST_F(EventTest, SetsCollapse) {
    const Event event = create("e");
    for (int i = 0; i < 5; ++i) EXPECT_OK(event.set());
    EXPECT_TRUE(*event.is_set());
    EXPECT_EQ(look(event), Acquired::acquired);
    EXPECT_FALSE(*event.is_set());
    EXPECT_EQ(look(event), Acquired::timed_out);
    EXPECT_OK(event.reset());
    EXPECT_OK(event.set());
    EXPECT_OK(event.reset());
    EXPECT_OK(event.reset());
    EXPECT_EQ(look(event), Acquired::timed_out);
}

TEST_F(EventTest, AManualOneStaysSet) {
    const Event event = create("e", kManual);
    EXPECT_EQ(look(event), Acquired::timed_out);
    EXPECT_OK(event.set());
    EXPECT_OK(event.set());
    for (int i = 0; i < 3; ++i) EXPECT_EQ(look(event), Acquired::acquired);
    EXPECT_EQ(*event.wait(), Acquired::acquired);
    EXPECT_OK(event.reset());
    EXPECT_EQ(look(event), Acquired::timed_out);
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(*event.wait(Deadline::after(10ms)), Acquired::timed_out);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 10ms);
}

TEST_F(EventTest, AnAutomaticOneLetsOnePassEachTime) {
    const Event event = create("e");
    Crowd crowd(event, 4);
    for (int i = 1; i <= 4; ++i) {
        EXPECT_OK(event.set());
        crowd.wait_until_passed(i);
        EXPECT_TRUE(crowd.others_sleep());
        EXPECT_EQ(crowd.passed, i);
        EXPECT_FALSE(*event.is_set());
    }
}

TEST_F(EventTest, AManualOneLetsAllPass) {
    const Event event = create("e", kManual);
    Crowd crowd(event, 5);
    EXPECT_OK(event.set());
    crowd.wait_until_passed(5);
    EXPECT_TRUE(*event.is_set());
}

TEST_F(EventTest, AllWhoSleptPassThoughItIsResetAtOnce) {
    for (const std::uint32_t mode : {0600u, 0644u}) {
        const Event event = create("e", {.reset = Reset::manual, .mode = mode});
        for (int round = 0; round < 20; ++round) {
            Crowd crowd(event, 3);
            EXPECT_OK(event.set());
            EXPECT_OK(event.reset());
            crowd.wait_until_passed(3);
            EXPECT_FALSE(*event.is_set());
            EXPECT_EQ(look(event), Acquired::timed_out);
        }
    }
}

TEST_F(EventTest, PulseOfAManualOneLetsAllPassAndLeavesItReset) {
    for (const std::uint32_t mode : {0600u, 0644u}) {
        const Event event = create("e", {.reset = Reset::manual, .mode = mode});
        EXPECT_OK(event.pulse());
        EXPECT_EQ(look(event), Acquired::timed_out);
        for (int round = 0; round < 20; ++round) {
            Crowd crowd(event, 3);
            EXPECT_OK(event.pulse());
            crowd.wait_until_passed(3);
            EXPECT_FALSE(*event.is_set());
        }
        EXPECT_OK(event.set());
        EXPECT_OK(event.pulse());
        EXPECT_FALSE(*event.is_set());
        EXPECT_EQ(look(event), Acquired::timed_out);
    }
}

TEST_F(EventTest, PulseOfAnAutomaticOneWithoutWaitersLeavesItReset) {
    for (const std::uint32_t mode : {0600u, 0644u}) {
        const Event event = create("e", {.mode = mode});
        EXPECT_OK(event.pulse());
        EXPECT_FALSE(*event.is_set());
        EXPECT_OK(event.set());
        EXPECT_OK(event.pulse());
        EXPECT_FALSE(*event.is_set());
        EXPECT_EQ(look(event), Acquired::timed_out);
    }
}

TEST_F(EventTest, PulseOfAnAutomaticOneLetsAtMostOnePass) {
    for (const std::uint32_t mode : {0600u, 0644u}) {
        const Event event = create("e", {.mode = mode});
        Crowd crowd(event, 3);
        int pulses = 0;
        for (; pulses < 2000 && crowd.passed < 3; ++pulses) {
            const int before = crowd.passed;
            EXPECT_OK(event.pulse());
            EXPECT_FALSE(*event.is_set());
            EXPECT_TRUE(crowd.others_sleep());
            EXPECT_LE(crowd.passed, before + 1);
        }
        EXPECT_EQ(crowd.passed, 3) << "after " << pulses << " pulses, mode " << mode;
        while (crowd.passed < 3) (void)event.set();
    }
}

// Who sleeps when it is pulsed is let pass by that pulse. (Unless he does not get the processor for long: rare.)
TEST_F(EventTest, PulseOfAnAutomaticOneReachesASleeper) {
    const Event event = create("e");
    constexpr int kRounds = 100;
    int reached = 0;
    for (int round = 0; round < kRounds; ++round) {
        Crowd crowd(event, 1);
        EXPECT_OK(event.pulse());
        EXPECT_FALSE(*event.is_set());
        EXPECT_TRUE(crowd.others_sleep());
        reached += crowd.passed;
        while (crowd.passed == 0) (void)event.set();
    }
    EXPECT_GE(reached, kRounds * 9 / 10);
}

TEST_F(EventTest, GoesToAndFroBetweenProcesses) {
    Child child([&](const Line& line) {
        line.hear();
        const auto ping = Event::open("ping", {}, context);
        const auto pong = Event::open("pong", {}, context);
        CHILD_CHECK(ping && pong);
        for (int i = 0; i < 5000; ++i) {
            CHILD_CHECK(*ping->wait() == Acquired::acquired);
            CHILD_CHECK(pong->set());
        }
        return 0;
    });
    const Event ping = create("ping");
    const Event pong = create("pong");
    child.line().say();
    for (int i = 0; i < 5000; ++i) {
        ASSERT_OK(ping.set());
        ASSERT_EQ(*pong.wait(), Acquired::acquired);
    }
    EXPECT_EQ(child.wait(), 0);
    EXPECT_FALSE(*ping.is_set());
    EXPECT_FALSE(*pong.is_set());
}

TEST_F(EventTest, OfTwoWaitersExactlyOneTakesEachSet) {
    const Event event = create("e");
    const Event answer = create("answer");
    std::atomic<int> taken{0};
    std::atomic<bool> over{false};
    const auto take = [&] {
        while (!over) {
            const Acquired end = *event.wait(Deadline::after(5ms));
            if (end != Acquired::acquired || over) continue;
            ++taken;
            EXPECT_OK(answer.set());
        }
    };
    std::thread one(take), two(take);
    for (int i = 0; i < 3000; ++i) {
        EXPECT_OK(event.set());
        EXPECT_EQ(*answer.wait(), Acquired::acquired);
    }
    EXPECT_EQ(taken, 3000);
    over = true;
    one.join();
    two.join();
}

// --- who may do what

TEST_F(EventTest, OnlyManualOnesOfAReadableModeAreWaitedForByReaders) {
    struct Case {
        EventOptions options;
        bool may_wait;
    };
    for (const Case& one : {Case{{.reset = Reset::manual, .mode = 0644}, true}, Case{{.reset = Reset::manual, .mode = 0600}, false},
                            Case{{.reset = Reset::automatic, .mode = 0644}, false}}) {
        const Post post;
        Child reader([&](const Line& line) {
            const int descriptor = post.receive();
            const auto mine = Event::from_descriptor(descriptor, {.access = Access::read_only}, context);
            CHILD_CHECK(mine);
            CHILD_CHECK(mine->is_set() && !*mine->is_set());
            CHILD_CHECK(!mine->set() && !mine->reset() && !mine->pulse());
            line.say();
            const auto end = mine->wait();
            if (!one.may_wait) {
                CHILD_CHECK(!end && end.error().code == Code::permission_denied);
                const auto any = wait_one(*mine, Deadline::passed());
                CHILD_CHECK(!any && any.error().code == Code::permission_denied);
                return 0;
            }
            CHILD_CHECK(end && *end == Acquired::acquired);
            CHILD_CHECK(*wait_one(*mine) == Acquired::acquired);
            return 0;
        });
        const Event event = create("e", one.options);
        const auto descriptor = event.share_descriptor(Access::read_only);
        ASSERT_OK(descriptor);
        post.send(*descriptor);
        ::close(*descriptor);
        ASSERT_EQ(reader.line().hear(), '.');
        if (one.may_wait) {
            wait_until([&] { return is_asleep(reader.pid()); }, "the reader sleeps");
            EXPECT_OK(event.set());
        }
        EXPECT_EQ(reader.wait(), 0);
    }
}

TEST_F(EventTest, AnotherUserWaitsForWhatHeMayRead) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
    TempRoot shared{0755};
    ASSERT_OK(shared.context().setup_global());
    const auto event = Event::create("Global\\e", {.reset = Reset::manual, .mode = 0644}, shared.context());
    const auto hidden = Event::create("Global\\hidden", kManual, shared.context());
    const auto mutex = Mutex::create("Global\\m", {.mode = 0644}, shared.context());
    ASSERT_OK(event);
    Child other([&](const Line& line) {
        CHILD_CHECK(::setgid(65534) == 0 && ::setuid(65534) == 0);
        Context mine(ContextOptions{.root = shared.path()});
        const auto unreadable = Event::open("Global\\hidden", {.access = Access::read_only}, mine);
        CHILD_CHECK(!unreadable && unreadable.error().code == Code::permission_denied);
        const auto writer = Event::open("Global\\e", {}, mine);
        CHILD_CHECK(!writer && writer.error().code == Code::permission_denied);
        const auto lock = Mutex::open("Global\\m", {}, mine);
        CHILD_CHECK(!lock && lock.error().code == Code::permission_denied);
        const auto reader = Event::open("Global\\e", {.access = Access::read_only}, mine);
        CHILD_CHECK(reader);
        CHILD_CHECK(*reader->wait(Deadline::passed()) == Acquired::timed_out);
        line.say();
        CHILD_CHECK(*reader->wait() == Acquired::acquired);
        return 0;
    });
    ASSERT_EQ(other.line().hear(), '.');
    wait_until([&] { return is_asleep(other.pid()); }, "the other user sleeps");
    EXPECT_OK(event->set());
    EXPECT_EQ(other.wait(), 0);
}

TEST_F(EventTest, AHandledSignalEndsTheWait) {
    for (const bool restarts : {false, true})
        for (const Reset reset : {Reset::automatic, Reset::manual}) {
            const Event event = create("e", {.reset = reset});
            const Handled handled(SIGUSR1, restarts);
            Sleeper sleeper([&] { EXPECT_EQ(*event.wait(), Acquired::interrupted); });
            sleeper.disturb(SIGUSR1);
            sleeper.join();
            EXPECT_FALSE(*event.is_set());
            EXPECT_OK(event.set());
            EXPECT_EQ(look(event), Acquired::acquired);
        }
}

// One who waits and is killed takes nothing with him.
TEST_F(EventTest, AKilledSleeperTakesNothing) {
    for (int round = 0; round < 10; ++round) {
        Child dying([&](const Line& line) {
            line.hear();
            const auto mine = Event::open("e", {}, context);
            CHILD_CHECK(mine);
            line.say();
            (void)mine->wait();
            return 0;
        });
        const Event event = create("e");
        dying.line().say();
        ASSERT_EQ(dying.line().hear(), '.');
        wait_until([&] { return is_asleep(dying.pid()); }, "it sleeps");
        Crowd crowd(event, 1);
        dying.kill();
        EXPECT_OK(event.set());
        crowd.wait_until_passed(1);
    }
}

// The mapping of a file-backed section that was opened for reading cannot tell who sets the event that somebody sleeps.
TEST_F(EventTest, InAFileOpenedForReadingIsNotWaitedFor) {
    const std::string file = root.path() + "/body";
    write_file(file, std::string(4096, '\0'));
    const auto section = Section::create("s", 4096, {.file = file}, context);
    ASSERT_OK(section);
    const auto event = Event::create_in(*section, sync_offset(0), {.reset = Reset::manual});
    ASSERT_OK(event);
    const auto reading = Section::open("s", {.access = Access::read_only, .file = file}, context);
    ASSERT_OK(reading);
    const auto seen = Event::open_in(*reading, sync_offset(0));
    ASSERT_OK(seen);
    EXPECT_CODE(Code::permission_denied, seen->wait(Deadline::forever()));
    EXPECT_CODE(Code::permission_denied, wait_one(*seen, Deadline::forever()));
    EXPECT_FALSE(*seen->is_set());
}

}  // namespace
}  // namespace comap::test
