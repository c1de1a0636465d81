// SPDX-License-Identifier: Apache-2.0
#include <comap/queue.hpp>

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <comap/comap.hpp>

#include "support/process.hpp"

namespace comap::test {
namespace {

using namespace std::chrono_literals;

struct Job {
    std::uint64_t number;
    std::uint32_t kind;
    Padding<4> unused;
};
COMAP_RECORD(Job, number, kind, unused);

class QueueTest : public testing::Test {
  protected:
    TempRoot root;
    Context& context = root.context();

    RawQueue make(const QueueOptions& options = {}, const char* name = "work") {
        auto queue = RawQueue::create(name, options, context);
        EXPECT_OK(queue);
        return std::move(*queue);
    }
    RawQueue open(const char* name = "work", const OpenOptions& options = {}) {
        auto queue = RawQueue::open(name, options, context);
        EXPECT_OK(queue);
        return std::move(*queue);
    }
    static void push(const RawQueue& queue, std::string_view message) {
        const auto sent = queue.push(message);
        ASSERT_OK(sent);
        EXPECT_EQ(Sent::sent, *sent);
    }
    static std::string pop(const RawQueue& queue, bool* redelivered = nullptr) {
        std::string text(queue.message_bytes(), '?');
        const auto popped = queue.pop(std::as_writable_bytes(std::span(text)), Deadline::passed());
        if (!popped) return "error: " + popped.error().message;
        if (popped->end != Reception::message) return "-";
        if (redelivered != nullptr) *redelivered = popped->redelivered;
        text.resize(popped->size_bytes);
        return text;
    }
    static Item take(const RawQueue& queue, Deadline deadline = Deadline::passed()) {
        auto item = queue.take(deadline);
        EXPECT_OK(item);
        return std::move(*item);
    }
    static std::string text_of(const Item& item) { return item ? std::string(reinterpret_cast<const char*>(item.bytes().data()), item.bytes().size()) : "-"; }
    static std::string counts(const RawQueue& queue) {
        const auto counts = queue.counts();
        return counts ? std::to_string(counts->waiting) + "+" + std::to_string(counts->held) : counts.error().message;
    }
};

TEST_F(QueueTest, EachMessageGoesToOneTakerInOrder) {
    const RawQueue queue = make();
    const RawQueue other = open();
    EXPECT_EQ("-", pop(queue));
    push(queue, "a");
    push(other, "");
    push(queue, "c");
    EXPECT_EQ("3+0", counts(queue));
    EXPECT_EQ("a", pop(other));
    EXPECT_EQ("", pop(queue));
    EXPECT_EQ("c", pop(other));
    EXPECT_EQ("-", pop(queue));
    EXPECT_EQ("-", pop(other));
    EXPECT_EQ("0+0", counts(queue));
}

TEST_F(QueueTest, ATakenMessageComesBackUnlessItIsConfirmed) {
    const RawQueue queue = make();
    push(queue, "a");
    push(queue, "b");
    push(queue, "c");
    {
        Item a = take(queue);
        EXPECT_EQ("a", text_of(a));
        EXPECT_FALSE(a.redelivered());
        Item b = take(queue);
        EXPECT_EQ("b", text_of(b));
        EXPECT_EQ("1+2", counts(queue));
        ASSERT_OK(b.confirm());
        EXPECT_CODE(Code::invalid_argument, b.confirm());
        EXPECT_EQ("1+1", counts(queue));
    }
    EXPECT_EQ("2+0", counts(queue));
    bool redelivered = false;
    EXPECT_EQ("a", pop(queue, &redelivered));
    EXPECT_TRUE(redelivered);
    EXPECT_EQ("c", pop(queue, &redelivered));
    EXPECT_FALSE(redelivered);
    EXPECT_EQ("-", pop(queue));
}

TEST_F(QueueTest, AMessageGivenBackIsNextAndCountsItsTakings) {
    const RawQueue queue = make();
    push(queue, "a");
    push(queue, "b");
    for (std::uint32_t turn = 1; turn <= 5; ++turn) {
        Item item = take(queue);
        EXPECT_EQ("a", text_of(item));
        EXPECT_EQ(turn, item.takings());
        ASSERT_OK(item.give_back());
        EXPECT_OK(item.give_back());
        EXPECT_FALSE(item);
    }
}

TEST_F(QueueTest, AWatcherIsToldOfWhatIsGivenBack) {
    const RawQueue queue = make();
    const RawQueue other = open();
    push(queue, "a");
    Item item = take(queue);
    auto watcher = Watcher::create();
    ASSERT_OK(watcher);
    ASSERT_OK(watcher->add(other, 7));
    ASSERT_FALSE(watcher->next()->has_value());
    ASSERT_OK(item.give_back());
    const auto changed = watcher->next();
    ASSERT_OK(changed);
    ASSERT_TRUE(changed->has_value());
    EXPECT_EQ(7u, (*changed)->tag);
    EXPECT_EQ("a", pop(other));
}

TEST_F(QueueTest, MessagesAreConfirmedInAnyOrder) {
    const RawQueue queue = make({.message_bytes = 40, .capacity = 20});
    std::mt19937 random(3);
    std::vector<Item> held;
    std::uint32_t pushed = 0;
    std::uint32_t confirmed = 0;
    while (confirmed < 2000) {
        if (random() % 2 == 0 && *queue.push(std::to_string(pushed), Deadline::passed()) == Sent::sent) ++pushed;
        if (random() % 2 == 0)
            if (Item item = take(queue)) held.push_back(std::move(item));
        if (!held.empty() && random() % 2 == 0) {
            std::swap(held[random() % held.size()], held.back());
            ASSERT_OK(held.back().confirm());
            held.pop_back();
            ++confirmed;
        }
        if (random() % 500 == 0) {
            held.clear();
        }
    }
}

TEST_F(QueueTest, AFullQueueRefusesAndTakesAgainWhenThereIsRoom) {
    const RawQueue queue = make({.message_bytes = 100, .capacity = 5, .patience = 0ns});
    std::uint32_t count = 0;
    const std::string message(100, 'x');
    while (*queue.push(message) == Sent::sent) ++count;
    EXPECT_GE(count, 5u);
    Item held = take(queue);
    for (std::uint32_t i = 1; i < count; ++i) EXPECT_EQ(message, pop(queue));
    EXPECT_EQ("-", pop(queue));
    EXPECT_EQ(Sent::timed_out, *queue.push(message));  // the first is held still
    ASSERT_OK(held.confirm());
    EXPECT_EQ(Sent::sent, *queue.push(message));
    EXPECT_EQ(message, pop(queue));
}

TEST_F(QueueTest, ATakerThatDiesGivesItsMessagesBack) {
    const RawQueue queue = make();
    push(queue, "a");
    push(queue, "b");
    push(queue, "c");
    Child child([&](const Line& line) {
        const RawQueue own = open();
        Item a = take(own);
        Item b = take(own);
        CHILD_CHECK(b.confirm().has_value());
        line.say();
        return line.hear();
    });
    child.line().hear();
    EXPECT_EQ("c", pop(queue));
    EXPECT_EQ("-", pop(queue));
    EXPECT_EQ("0+1", counts(queue));
    Child sleeper([&](const Line& line) {
        const RawQueue own = open();
        line.say();
        Item item = take(own, Deadline::forever());
        CHILD_CHECK(text_of(item) == "a" && item.redelivered());
        CHILD_CHECK(item.confirm().has_value());
        return 0;
    });
    sleeper.line().hear();
    wait_until([&] { return is_asleep(sleeper.pid()); }, "taker asleep");
    child.kill();
    EXPECT_EQ(0, sleeper.wait());
    EXPECT_EQ("-", pop(queue));
    EXPECT_EQ("0+0", counts(queue));
}

TEST_F(QueueTest, TheNextOwnerOfAPlaceDoesNotKeepWhatADeadOneHad) {
    const RawQueue queue = make();
    push(queue, "a");
    push(queue, "b");
    Child child([&](const Line& line) {
        const RawQueue own = open();
        Item a = take(own);
        line.say();
        return line.hear();
    });
    child.line().hear();
    child.kill();
    const RawQueue other = open();
    Item b = take(other);
    EXPECT_EQ("b", text_of(b));
    bool redelivered = false;
    EXPECT_EQ("a", pop(queue, &redelivered));
    EXPECT_TRUE(redelivered);
}

TEST_F(QueueTest, ASleepingTakerIsWokenByAPush) {
    const RawQueue queue = make();
    Child child([&](const Line& line) {
        const RawQueue own = open();
        line.say();
        for (std::uint32_t i = 0; i < 20; ++i) {
            std::array<std::byte, 1024> out;
            CHILD_CHECK(own.pop(out)->end == Reception::message);
        }
        return 0;
    });
    child.line().hear();
    for (std::uint32_t i = 0; i < 20; ++i) {
        wait_until([&] { return is_asleep(child.pid()); }, "taker asleep");
        push(queue, "x");
    }
    EXPECT_EQ(0, child.wait());
}

TEST_F(QueueTest, ASleepingPusherIsWokenByATaker) {
    const RawQueue queue = make({.message_bytes = 64, .capacity = 4});
    Child child([&](const Line&) {
        const RawQueue own = open();
        for (std::uint32_t i = 0; i < 3000; ++i) CHILD_CHECK(*own.push(std::to_string(i), Deadline::forever()) == Sent::sent);
        return 0;
    });
    wait_until([&] { return is_asleep(child.pid()); }, "pusher asleep");
    for (std::uint32_t i = 0; i < 3000; ++i) {
        std::array<char, 64> out;
        const auto popped = queue.pop(std::as_writable_bytes(std::span(out)));
        ASSERT_OK(popped);
        ASSERT_EQ(std::to_string(i), std::string(out.data(), popped->size_bytes));
    }
    EXPECT_EQ(0, child.wait());
}

TEST_F(QueueTest, ManyPushersAndTakersLoseAndDoubleNothing) {
    constexpr std::uint64_t kEach = 20'000;
    const auto queue = Queue<Job>::create("jobs", {.capacity = 100, .patience = 60s}, context);
    ASSERT_OK(queue);
    std::vector<std::unique_ptr<Child>> pushers;
    std::vector<std::unique_ptr<Child>> takers;
    for (std::uint64_t who = 0; who < 2; ++who) {
        pushers.push_back(std::make_unique<Child>([&, who](const Line&) {
            const auto own = Queue<Job>::open("jobs", {}, context);
            for (std::uint64_t i = 0; i < kEach; ++i) CHILD_CHECK(*own->push({who << 32 | i, 0, {}}) == Sent::sent);
            return 0;
        }));
        takers.push_back(std::make_unique<Child>([&, who](const Line& line) {
            const auto own = Queue<Job>::open("jobs", {}, context);
            std::array<std::uint64_t, 2> last{};
            std::uint64_t sum = 0;
            for (std::uint64_t count = 0;; ++count) {
                Job job{};
                if (who == 0 || count % 2 == 0) {
                    CHILD_CHECK(own->pop(job)->end == Reception::message);
                } else {
                    auto item = own->take();
                    CHILD_CHECK(item.has_value() && *item);
                    std::memcpy(&job, item->bytes().data(), sizeof job);
                    CHILD_CHECK(item->confirm().has_value());
                }
                if (job.kind == 1) {
                    line.say_text(std::to_string(sum) + " " + std::to_string(count) + "\n");
                    return 0;
                }
                CHILD_CHECK(last[job.number >> 32] <= (job.number & 0xffff'ffff));
                last[job.number >> 32] = job.number & 0xffff'ffff;
                sum += job.number;
            }
        }));
    }
    for (auto& pusher : pushers) EXPECT_EQ(0, pusher->wait());
    for (std::uint32_t i = 0; i < 2; ++i) EXPECT_EQ(Sent::sent, *queue->push({0, 1, {}}));
    std::uint64_t sum = 0;
    std::uint64_t count = 0;
    for (auto& taker : takers) {
        const std::string said = taker->line().hear_text();
        sum += std::stoull(said);
        count += std::stoull(said.substr(said.find(' ')));
        EXPECT_EQ(0, taker->wait());
    }
    EXPECT_EQ(2 * kEach, count);
    EXPECT_EQ(kEach * (kEach - 1) + (kEach << 32), sum);
}

TEST_F(QueueTest, WhatDoesNotFitIsRefusedAndNothingIsLost) {
    const RawQueue queue = make({.message_bytes = 10});
    EXPECT_CODE(Code::too_long, queue.push("12345678901"));
    push(queue, "1234567890");
    std::array<std::byte, 9> small;
    EXPECT_CODE(Code::too_long, queue.pop(small, Deadline::passed()));
    EXPECT_EQ("1234567890", pop(queue));
    EXPECT_CODE(Code::layout_mismatch, RawChannel::open("work", {}, context));
    EXPECT_CODE(Code::layout_mismatch, Queue<Job>::open("work", {}, context));
    EXPECT_CODE(Code::invalid_argument, RawQueue{}.push("closed"));
    EXPECT_CODE(Code::permission_denied, open("work", {.access = Access::read_only}).pop(small, Deadline::passed()));
}

TEST_F(QueueTest, AnItemOutlivesTheHandle) {
    RawQueue queue = make({.keep = true});
    push(queue, "a");
    Item item = take(queue);
    queue.close();
    EXPECT_EQ("a", text_of(item));
    ASSERT_OK(item.confirm());
    EXPECT_EQ("0+0", counts(open()));
}

TEST_F(QueueTest, AForkedChildDoesNotHaveItsParentsItems) {
    const RawQueue queue = make();
    push(queue, "a");
    Item item = take(queue);
    Child child([&](const Line&) {
        CHILD_CHECK(item.confirm().error().code == Code::not_owner);
        return 0;
    });
    EXPECT_EQ(0, child.wait());
    EXPECT_EQ("0+1", counts(queue));
    ASSERT_OK(item.confirm());
}

}  // namespace
}  // namespace comap::test
