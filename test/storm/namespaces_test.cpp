// SPDX-License-Identifier: Apache-2.0
// Two owners with the same thread number, each in a PID namespace of its own.
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <memory>

#include "ways.hpp"

namespace comap::test {
namespace {

constexpr int kCannot = 77;

// A process with the number 1 in a namespace of its own.
class Contained {
  public:
    Contained(const std::string& root, const std::function<int(const Line&, const Objects&)>& body)
        : outer_([&](const Line& line) { return contain(line, root, body); }) {
        const std::string number = outer_.line().hear_text();
        if (!number.empty()) inner_ = std::stoi(number);
    }
    bool is_possible() const { return inner_ > 0; }
    const Line& line() const { return outer_.line(); }
    pid_t pid() const { return inner_; }
    int wait() { return outer_.wait(); }
    int kill() {
        ::kill(inner_, SIGKILL);  // from outside: a namespace's first process can be killed so only
        return outer_.wait();
    }

  private:
    static int contain(const Line& line, const std::string& root, const std::function<int(const Line&, const Objects&)>& body) {
        if (!enter_new_pid_namespace()) return kCannot;
        const pid_t inner = ::fork();
        if (inner == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            CHILD_CHECK(::getpid() == 1 && ::gettid() == 1);
            auto* const context = new Context(ContextOptions{.root = root});
            line.hear();  // until its number has been said
            ::_exit(body(line, *new Objects(Objects::open(*context))));
        }
        if (inner < 0) return kCannot;
        line.say_text(std::to_string(inner));
        int status = 0;
        ::waitpid(inner, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }

    Child outer_;
    pid_t inner_ = -1;
};

struct TwoContainers : ::testing::TestWithParam<Way> {
    TempRoot root;
    Objects objects = Objects::create(root.context());

    // Takes the mutex and says so; unlocks it when told, and says whether it could.
    std::unique_ptr<Contained> owner() {
        return contained([](const Line& line, const Objects& own) {
            CHILD_CHECK(own.take(GetParam()) == "acquired");
            line.say();
            line.hear();
            CHILD_CHECK(own.mutex.is_owned());
            CHILD_CHECK(own.mutex.unlock());
            return 0;
        });
    }

    // Looks, sleeps until it gets it, and ends with what it was told.
    std::unique_ptr<Contained> waiter(const std::string& wanted) {
        return contained([wanted](const Line& line, const Objects& own) {
            CHILD_CHECK(!own.mutex.is_owned());
            CHILD_CHECK(own.mutex.unlock().error().code == Code::not_owner);
            CHILD_CHECK(own.take(GetParam(), Deadline::passed()) == "timed out");
            CHILD_CHECK(own.take(GetParam(), Deadline::after(std::chrono::milliseconds(20))) == "timed out");
            line.say();
            CHILD_CHECK(own.take(GetParam()) == wanted);
            CHILD_CHECK(own.mutex.unlock());
            return 0;
        });
    }

    std::unique_ptr<Contained> contained(const std::function<int(const Line&, const Objects&)>& body) {
        auto made = std::make_unique<Contained>(root.path(), body);
        if (made->is_possible()) made->line().say();
        return made;
    }

    void expect_free() const {
        EXPECT_EQ(objects.take(GetParam(), Deadline::after(std::chrono::seconds(60))), "acquired");
        EXPECT_OK(objects.mutex.unlock());
    }
};

#define SKIP_IF_IMPOSSIBLE(process)                                       \
    if (!(process)->is_possible()) {                                      \
        EXPECT_EQ((process)->wait(), kCannot);                            \
        GTEST_SKIP() << "this system lets us make no PID namespace";      \
    }

TEST_P(TwoContainers, ExcludeEachOther) {
    const auto first = owner();
    SKIP_IF_IMPOSSIBLE(first);
    ASSERT_EQ(first->line().hear(), '.');
    const auto second = waiter("acquired");
    ASSERT_EQ(second->line().hear(), '.');
    wait_until([&] { return is_asleep(second->pid()); }, "the waiter sleeps");
    first->line().say();
    EXPECT_EQ(first->wait(), 0);
    EXPECT_EQ(second->wait(), 0);
    expect_free();
}

TEST_P(TwoContainers, TheWaiterIsToldOfTheOwnersDeath) {
    const auto first = owner();
    SKIP_IF_IMPOSSIBLE(first);
    ASSERT_EQ(first->line().hear(), '.');
    const auto second = waiter("abandoned");
    ASSERT_EQ(second->line().hear(), '.');
    wait_until([&] { return is_asleep(second->pid()); }, "the waiter sleeps");
    first->kill();
    EXPECT_EQ(second->wait(), 0);
    expect_free();
}

TEST_P(TwoContainers, TheWaitersDeathTakesNothingFromTheOwner) {
    const auto first = owner();
    SKIP_IF_IMPOSSIBLE(first);
    ASSERT_EQ(first->line().hear(), '.');
    for (int round = 0; round < 10; ++round) {
        const auto second = waiter("never");
        ASSERT_EQ(second->line().hear(), '.');
        if (round % 2 == 0) wait_until([&] { return is_asleep(second->pid()); }, "the waiter sleeps");
        second->kill();
        EXPECT_EQ(objects.take(GetParam(), Deadline::passed()), "timed out");
    }
    const auto third = waiter("acquired");
    ASSERT_EQ(third->line().hear(), '.');
    first->line().say();
    EXPECT_EQ(first->wait(), 0);
    EXPECT_EQ(third->wait(), 0);
    expect_free();
}

// Owner and waiter in turn: the one with the number of the dead comes next, and is killed with it too.
TEST_P(TwoContainers, OwnersDieOneAfterTheOther) {
    for (int round = 0; round < 10; ++round) {
        const auto one = contained([round](const Line& line, const Objects& own) {
            CHILD_CHECK(own.take(GetParam()) == (round == 0 ? "acquired" : "abandoned"));
            line.say();
            line.hear();
            return 0;
        });
        SKIP_IF_IMPOSSIBLE(one);
        ASSERT_EQ(one->line().hear(), '.');
        EXPECT_EQ(objects.take(GetParam(), Deadline::passed()), "timed out");
        one->kill();
    }
    EXPECT_EQ(objects.take(GetParam(), Deadline::after(std::chrono::seconds(60))), "abandoned");
    EXPECT_OK(objects.mutex.unlock());
    expect_free();
}

INSTANTIATE_TEST_SUITE_P(By, TwoContainers, ::testing::ValuesIn(kWays), [](const auto& way) { return std::string(name_of(way.param)); });

}  // namespace
}  // namespace comap::test
