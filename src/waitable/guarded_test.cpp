// SPDX-License-Identifier: Apache-2.0
#include <comap/guarded.hpp>

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <comap/text.hpp>

#include "support/process.hpp"

namespace comap::test {
namespace {

struct Account {
    std::uint64_t count = 0;
    std::uint64_t copy = 0;  // the same as count, unless somebody died in between
};

struct GuardedTest : ::testing::Test {
    TempRoot root;
    Context& context = root.context();

    Guarded<Account> open(const Account& initial = {}) {
        auto guarded = Guarded<Account>::open_or_create("g", initial, {}, context);
        EXPECT_OK(guarded);
        return std::move(*guarded);
    }
    // A child that locks, changes half of the value and is killed.
    void die_in_the_middle() {
        Child child([&](const Line& line) {
            const auto mine = Guarded<Account>::open_or_create("g", {}, {}, context);
            CHILD_CHECK(mine);
            auto locked = mine->lock(Deadline::forever(), [](Account& account) {
                account.copy = account.count;
                return Repair::repaired;
            });
            CHILD_CHECK(locked && *locked);
            locked->value->operator->()->count += 1000;
            line.say();
            ::pause();
            return 0;
        });
        ASSERT_EQ(child.line().hear(), '.');
        child.kill();
    }
};

Repair never_asked(Account&) {
    ADD_FAILURE() << "nobody died";
    return Repair::repaired;
}

TEST_F(GuardedTest, AllSeeTheInitialValueOfTheOneWhoMadeIt) {
    const auto first = open({5, 5});
    const auto second = open({7, 7});
    {
        const auto locked = second.lock(Deadline::forever(), never_asked);
        ASSERT_OK(locked);
        ASSERT_TRUE(*locked);
        EXPECT_EQ(locked->end, Acquired::acquired);
        EXPECT_EQ((*locked->value)->count, 5u);
        (*locked->value)->count = 9;
        EXPECT_TRUE(first.mutex().is_owned());
    }
    EXPECT_FALSE(first.mutex().is_owned());
    EXPECT_EQ((**first.lock(Deadline::forever(), never_asked)->value).count, 9u);
    EXPECT_EQ(first.section().name(), "g");
}

TEST_F(GuardedTest, ProcessesAndThreadsCountTogether) {
    const auto count_on = [&](const Line& line) {
        line.say();
        line.hear();
        const auto mine = Guarded<Account>::open_or_create("g", {100, 100}, {}, context);
        CHILD_CHECK(mine);
        const auto work = [&] {
            for (int i = 0; i < 2000; ++i) {
                auto locked = mine->lock(Deadline::forever(), never_asked);
                CHILD_CHECK(locked && *locked);
                Account& account = **locked->value;
                account.count = account.count + 1;
                account.copy = account.copy + 1;
                if (i % 2 == 0) locked->value->unlock();
            }
        };
        std::thread second(work);
        work();
        second.join();
        line.say();
        line.hear();
        return 0;
    };
    Child a(count_on), b(count_on), c(count_on);
    for (const Child* child : {&a, &b, &c}) ASSERT_EQ(child->line().hear(), '.');
    for (const Child* child : {&a, &b, &c}) child->line().say();
    for (const Child* child : {&a, &b, &c}) ASSERT_EQ(child->line().hear(), '.');
    const auto guarded = open();
    const auto locked = guarded.lock(Deadline::forever(), never_asked);
    EXPECT_EQ((*locked->value)->count, 12100u);
    EXPECT_EQ((*locked->value)->copy, 12100u);
    for (Child* child : {&a, &b, &c}) {
        child->line().say();
        EXPECT_EQ(child->wait(), 0);
    }
}

// Each brings another initial value: all see the same one, whole.
TEST_F(GuardedTest, OneOfManyMakersDecides) {
    for (int round = 0; round < 10; ++round) {
        std::vector<std::unique_ptr<Child>> children;
        for (std::uint64_t i = 1; i <= 6; ++i)
            children.push_back(std::make_unique<Child>([&, i](const Line& line) {
                line.say();
                line.hear();
                const auto mine = Guarded<Account>::open_or_create("g", {i, i}, {}, context);
                CHILD_CHECK(mine);
                {
                    const auto locked = mine->lock(Deadline::forever(), never_asked);
                    CHILD_CHECK(locked && *locked);
                    CHILD_CHECK((*locked->value)->count == (*locked->value)->copy);
                    line.say(static_cast<char>('0' + (*locked->value)->count));
                }
                line.hear();
                return 0;
            }));
        for (const auto& child : children) ASSERT_EQ(child->line().hear(), '.');
        for (const auto& child : children) child->line().say();
        const int first = children[0]->line().hear();
        EXPECT_TRUE(first >= '1' && first <= '6');
        for (std::size_t i = 1; i < children.size(); ++i) EXPECT_EQ(children[i]->line().hear(), first);
        for (const auto& child : children) child->line().say();
        for (const auto& child : children) EXPECT_EQ(child->wait(), 0);
    }
}

TEST_F(GuardedTest, LockEndsAsTheDeadlineSays) {
    const auto guarded = open();
    const auto locked = guarded.lock(Deadline::forever(), never_asked);
    std::thread([&] {
        const auto refused = guarded.lock(Deadline::passed(), never_asked);
        ASSERT_OK(refused);
        EXPECT_FALSE(*refused);
        EXPECT_EQ(refused->end, Acquired::timed_out);
    }).join();
    EXPECT_TRUE(guarded.mutex().is_owned());
}

TEST_F(GuardedTest, WhoComesAfterADeathIsAskedUntilSomebodyRepairs) {
    const auto guarded = open({3, 3});
    { ASSERT_OK(guarded.lock(Deadline::forever(), never_asked)); }
    die_in_the_middle();
    int asked = 0;
    for (int round = 0; round < 3; ++round) {
        const auto given_up = guarded.lock(Deadline::forever(), [&](Account& account) {
            ++asked;
            EXPECT_EQ(account.count, 1003u);
            EXPECT_EQ(account.copy, 3u);
            return Repair::give_up;
        });
        ASSERT_OK(given_up);
        EXPECT_FALSE(*given_up);
        EXPECT_EQ(given_up->end, Acquired::acquired_abandoned);
        EXPECT_FALSE(guarded.mutex().is_owned());
    }
    EXPECT_EQ(asked, 3);
    {
        const auto repaired = guarded.lock(Deadline::forever(), [&](Account& account) {
            ++asked;
            account.count = account.copy;
            return Repair::repaired;
        });
        ASSERT_OK(repaired);
        ASSERT_TRUE(*repaired);
        EXPECT_EQ(repaired->end, Acquired::acquired);
        EXPECT_EQ((*repaired->value)->count, 3u);
    }
    EXPECT_EQ(asked, 4);
    EXPECT_TRUE(*guarded.lock(Deadline::forever(), never_asked));
}

TEST_F(GuardedTest, ARepairThatThrowsLeavesItAbandoned) {
    const auto guarded = open();
    { ASSERT_OK(guarded.lock(Deadline::forever(), never_asked)); }
    die_in_the_middle();
    EXPECT_THROW((void)guarded.lock(Deadline::forever(), [](Account&) -> Repair { throw 1; }), int);
    EXPECT_FALSE(guarded.mutex().is_owned());
    bool was_asked = false;
    const auto locked = guarded.lock(Deadline::forever(), [&](Account&) {
        was_asked = true;
        return Repair::repaired;
    });
    EXPECT_TRUE(was_asked);
}

// The value is there before the name is: a maker may be killed at once.
TEST_F(GuardedTest, AMakerThatIsKilledLeavesTheInitialValue) {
    for (const bool while_locked : {false, true}) {
        Child child([&](const Line& line) {
            const auto mine = Guarded<Account>::open_or_create("g", {1, 1}, {}, context);
            CHILD_CHECK(mine);
            if (while_locked) CHILD_CHECK(mine->mutex().lock(Deadline::forever()));
            line.say();
            ::pause();
            return 0;
        });
        ASSERT_EQ(child.line().hear(), '.');
        const auto guarded = open({2, 2});
        child.kill();
        bool was_asked = false;
        const auto locked = guarded.lock(Deadline::forever(), [&](Account&) {
            was_asked = true;
            return Repair::repaired;
        });
        ASSERT_OK(locked);
        ASSERT_TRUE(*locked);
        EXPECT_EQ(was_asked, while_locked);
        EXPECT_EQ((*locked->value)->count, 1u);
        EXPECT_EQ((*locked->value)->copy, 1u);
    }
}

TEST_F(GuardedTest, AnotherSizeOrKindIsRefused) {
    const auto guarded = open();
    using Large = std::array<std::uint64_t, 600>;
    EXPECT_CODE(Code::layout_mismatch, (Guarded<Large>::open_or_create("g", {}, {}, context)));
    EXPECT_CODE(Code::layout_mismatch, (Guarded<std::array<Account, 2>>::open_or_create("g", {}, {}, context)));  // in a section of the same size
    const auto section = Section::create("s", 100, {}, context);
    EXPECT_CODE(Code::layout_mismatch, Guarded<Account>::open_or_create("s", {}, {}, context));
    const auto text = Text::create("t", {}, context);
    EXPECT_CODE(Code::layout_mismatch, Guarded<Account>::open_or_create("t", {}, {}, context));
    const auto mutex = Mutex::create("m", {}, context);
    EXPECT_CODE(Code::kind_mismatch, Guarded<Account>::open_or_create("m", {}, {}, context));
    auto large = Guarded<Large>::open_or_create("large", {}, {}, context);
    ASSERT_OK(large);
    EXPECT_EQ(*large->section().size_bytes(), 8192u);
    EXPECT_TRUE(*large->lock(Deadline::passed(), [](Large&) { return Repair::repaired; }));
}

// One who is killed at any moment of his work: the next is asked exactly if he had the lock.
TEST_F(GuardedTest, KilledAnywhere) {
    const auto guarded = open({1, 1});
    { ASSERT_OK(guarded.lock(Deadline::forever(), never_asked)); }
    for (std::uint32_t round = 0; round < 60; ++round) {
        Child child([&](const Line& line) {
            const auto mine = Guarded<Account>::open_or_create("g", {}, {}, context);
            CHILD_CHECK(mine);
            line.say();
            for (;;) {
                auto locked = mine->lock(Deadline::forever(), [](Account&) { return Repair::give_up; });
                CHILD_CHECK(locked && *locked);
                ++(*locked->value)->count;
                ++(*locked->value)->copy;
            }
            return 0;
        });
        ASSERT_EQ(child.line().hear(), '.');
        pass_time(round * 3000);
        child.kill();
        bool was_asked = false;
        const auto locked = guarded.lock(Deadline::forever(), [&](Account& account) {
            was_asked = true;
            account.copy = account.count;
            return Repair::repaired;
        });
        ASSERT_OK(locked);
        ASSERT_TRUE(*locked);
        if (!was_asked) { EXPECT_EQ((*locked->value)->count, (*locked->value)->copy); }
    }
}

}  // namespace
}  // namespace comap::test
