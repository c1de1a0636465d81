// SPDX-License-Identifier: Apache-2.0
#include <comap/channel.hpp>

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <comap/comap.hpp>

#include "data/ring.hpp"
#include "support/process.hpp"

namespace comap::test {
namespace {

using namespace std::chrono_literals;

struct Tick {
    std::uint64_t number;
    double price;
    FixedText<16> symbol;
};
COMAP_RECORD(Tick, number, price, symbol);

struct OtherTick {
    std::uint64_t number;
    float price;
    Padding<4> unused;
    FixedText<16> symbol;
};
COMAP_RECORD(OtherTick, number, price, unused, symbol);

class ChannelTest : public testing::Test {
  protected:
    TempRoot root;
    Context& context = root.context();

    RawChannel make(const ChannelOptions& options = {}, const char* name = "stream") {
        auto channel = RawChannel::create(name, options, context);
        EXPECT_OK(channel);
        return std::move(*channel);
    }
    RawChannel open(const char* name = "stream", const OpenOptions& options = {}) {
        auto channel = RawChannel::open(name, options, context);
        EXPECT_OK(channel);
        return std::move(*channel);
    }
    static RawSubscription subscribe(const RawChannel& channel, From from = From::next) {
        auto subscription = channel.subscribe(from);
        EXPECT_OK(subscription);
        return std::move(*subscription);
    }
    static void publish(const RawChannel& channel, std::string_view message) {
        const auto sent = channel.publish(message);
        ASSERT_OK(sent);
        EXPECT_EQ(Sent::sent, *sent);
    }
    // What comes next: the message, or "-" if there is none.
    static std::string next(RawSubscription& subscription, std::uint64_t* missed = nullptr) {
        std::string text(subscription.ring()->words().view.message_bytes, '?');
        const auto received = subscription.receive(std::as_writable_bytes(std::span(text)), Deadline::passed());
        if (!received) return "error: " + received.error().message;
        if (missed != nullptr) *missed = received->missed;
        if (received->end != Reception::message) return "-";
        text.resize(received->size_bytes);
        return text;
    }
};

// A message that says of itself whether it is whole: its number, its length, then bytes that follow from them.
std::string numbered(std::uint64_t number, std::size_t size) {
    std::string message(std::max<std::size_t>(size, 16), '\0');
    const std::uint64_t length = message.size();
    std::memcpy(message.data(), &number, 8);
    std::memcpy(message.data() + 8, &length, 8);
    for (std::size_t i = 16; i < message.size(); ++i) message[i] = static_cast<char>(number * 131 + i * 7);
    return message;
}
std::uint64_t number_of(std::span<const std::byte> message) {
    std::uint64_t number = 0;
    EXPECT_GE(message.size(), 16u);
    std::memcpy(&number, message.data(), 8);
    const std::string whole = numbered(number, message.size());
    EXPECT_EQ(0, std::memcmp(whole.data(), message.data(), message.size())) << "message " << number << " is torn";
    return number;
}

TEST_F(ChannelTest, EachSubscriberSeesEachMessageInOrder) {
    const RawChannel channel = make();
    RawSubscription one = subscribe(channel);
    RawSubscription two = subscribe(open());
    EXPECT_EQ("-", next(one));
    publish(channel, "first");
    publish(channel, "");
    publish(channel, "third");
    for (RawSubscription* each : {&one, &two}) {
        EXPECT_EQ("first", next(*each));
        EXPECT_EQ("", next(*each));
        EXPECT_EQ("third", next(*each));
        EXPECT_EQ("-", next(*each));
    }
    EXPECT_EQ(3u, *channel.published());
    EXPECT_EQ(3u, *open().published());
}

TEST_F(ChannelTest, JoinersChooseWhereTheyBegin) {
    const RawChannel channel = make();
    RawSubscription early = subscribe(channel, From::latest);
    EXPECT_EQ("-", next(early));
    publish(channel, "a");
    publish(channel, "b");
    publish(channel, "c");
    RawSubscription oldest = subscribe(channel, From::oldest);
    RawSubscription latest = subscribe(channel, From::latest);
    RawSubscription newest = subscribe(channel, From::next);
    EXPECT_EQ("a", next(oldest));
    EXPECT_EQ("b", next(oldest));
    EXPECT_EQ("c", next(oldest));
    EXPECT_EQ("-", next(oldest));
    EXPECT_EQ("c", next(latest));
    EXPECT_EQ("-", next(latest));
    EXPECT_EQ("-", next(newest));
    EXPECT_EQ("a", next(early));
    publish(channel, "d");
    for (RawSubscription* each : {&oldest, &latest, &newest}) EXPECT_EQ("d", next(*each));
}

TEST_F(ChannelTest, MessagesOfAnySizeGoRoundTheRing) {
    for (const std::uint32_t longest : {16u, 100u, 256u, 257u, 5000u}) {
        SCOPED_TRACE(longest);
        const RawChannel channel = make({.message_bytes = longest, .capacity = 8, .subscribers_waited_for = 1}, "sizes");
        RawSubscription subscription = subscribe(channel);
        std::mt19937 random(longest);
        std::uint64_t sent = 0;
        std::uint64_t received = 0;
        std::vector<std::byte> out(longest);
        while (sent < 3000) {
            const std::string message = numbered(sent, 16 + random() % (longest - 15));
            const auto end = channel.publish(message, Deadline::passed());
            ASSERT_OK(end);
            if (*end == Sent::sent) ++sent;
            if (*end == Sent::sent && random() % 3 != 0) continue;
            for (;;) {
                const auto got = subscription.receive(out, Deadline::passed());
                ASSERT_OK(got);
                if (got->end != Reception::message) break;
                EXPECT_EQ(0u, got->missed);
                ASSERT_EQ(received++, number_of(std::span(out).first(got->size_bytes)));
            }
            ASSERT_EQ(sent, received);
        }
    }
}

TEST_F(ChannelTest, AtLeastTheCapacityIsKept) {
    struct Case {
        std::uint32_t longest;
        std::vector<std::uint64_t> capacities;  // the last ones: as many as their rings have room for
        std::uint32_t places;
    };
    for (const auto& [longest, capacities, places] : {
             Case{8, {1, 3, 10, 100, 221, 445}, 0}, Case{8, {1, 3, 10, 100, 173, 349}, 2},
             Case{64, {1, 3, 10, 100, 196}, 0}, Case{64, {1, 3, 10, 100, 153}, 2},
             Case{1024, {1, 3, 10, 49, 100}, 0}, Case{1024, {1, 3, 10, 38, 100}, 2},
             Case{70'000, {1, 3, 10, 49, 100}, 0}, Case{70'000, {1, 3, 10, 38, 100}, 2}}) {
        for (const std::uint64_t capacity : capacities) {
            for (const std::uint32_t copies_in : {1u, 2u, 0u}) {  // each, one of two, none; the others are loans
                SCOPED_TRACE(testing::Message() << longest << " x " << capacity << ", " << places << " places, " << copies_in);
                const RawChannel channel = make({.message_bytes = longest, .capacity = capacity, .subscribers_waited_for = places}, "kept");
                ASSERT_GE(channel.capacity(), capacity);
                const RawChannel again = make({.message_bytes = longest, .capacity = channel.capacity(), .subscribers_waited_for = places}, "again");
                ASSERT_EQ(again.ring_bytes(), channel.ring_bytes());
                const std::string message(longest, 'x');
                for (std::uint32_t turn = 0; turn < 7 * capacity + 13; ++turn) {
                    if (copies_in != 0 && turn % copies_in == 0) publish(channel, message);
                    else channel.loan(longest)->publish();
                    if (turn + 1 < capacity) continue;
                    RawSubscription oldest = subscribe(channel, From::oldest);
                    std::uint64_t count = 0;
                    while (oldest.borrow(Deadline::passed())->end == Reception::message) {
                        ASSERT_TRUE(oldest.release());
                        ++count;
                    }
                    ASSERT_GE(count, capacity) << "after " << turn + 1;
                }
            }
        }
    }
}

TEST_F(ChannelTest, BatchesOfLongMessagesKeepTheCapacity) {
    struct Case {
        std::uint32_t longest, capacity, run;
    };
    // As many as their rings have room for, but for what batches lose.
    for (const auto [longest, capacity, run] : {Case{4032, 6, 2}, Case{4096, 8, 2}, Case{4032, 213, 9}}) {
        SCOPED_TRACE(testing::Message() << longest << " x " << capacity << ", " << run << " at once");
        const RawChannel channel = make({.message_bytes = longest, .capacity = capacity}, "kept");
        for (std::uint32_t sent = run; sent < 7 * capacity; sent += run) {
            channel.loan(longest, run)->publish();
            if (sent < capacity) continue;
            RawSubscription oldest = subscribe(channel, From::oldest);
            std::uint64_t count = 0;
            while (oldest.borrow(Deadline::passed())->end == Reception::message) {
                ASSERT_TRUE(oldest.release());
                ++count;
            }
            ASSERT_GE(count, capacity) << "after " << sent;
        }
    }
}

TEST_F(ChannelTest, WhoIsTooSlowLearnsHowManyItMissed) {
    const RawChannel channel = make({.message_bytes = 64, .capacity = 16});
    RawSubscription slow = subscribe(channel);
    std::uint64_t next_number = 0;
    std::uint64_t missed_in_all = 0;
    std::mt19937 random(7);
    std::uint64_t sent = 0;
    std::vector<std::byte> out(64);
    for (std::uint32_t round = 0; round < 200; ++round) {
        for (auto burst = random() % 120; burst > 0; --burst) publish(channel, numbered(sent++, 64));
        for (auto reads = random() % 40; reads > 0; --reads) {
            const auto got = slow.receive(out, Deadline::passed());
            ASSERT_OK(got);
            if (got->end != Reception::message) break;
            next_number += got->missed;
            missed_in_all += got->missed;
            ASSERT_EQ(next_number++, number_of(out));
        }
    }
    EXPECT_GT(missed_in_all, 0u);
    EXPECT_EQ(missed_in_all, slow.missed_in_all());
}

TEST_F(ChannelTest, PublishersWaitForTheirSubscribers) {
    const RawChannel channel = make({.message_bytes = 64, .capacity = 4, .subscribers_waited_for = 2, .patience = 0ns});
    RawSubscription one = subscribe(channel);
    std::uint64_t sent = 0;
    while (*channel.publish(numbered(sent, 64)) == Sent::sent) ++sent;
    EXPECT_GE(sent, 4u);
    RawSubscription two = subscribe(channel, From::oldest);
    EXPECT_CODE(Code::limit_reached, channel.subscribe());
    std::vector<std::byte> out(64);
    for (std::uint64_t number = 0; number < sent; ++number) {
        ASSERT_EQ(Reception::message, one.receive(out, Deadline::passed())->end);
        ASSERT_EQ(number, number_of(out));
    }
    // `one` has read all, `two` nothing.
    two.close();
    EXPECT_EQ(Sent::sent, *channel.publish(numbered(sent, 64)));
    one.close();
    for (std::uint32_t turn = 0; turn < 100; ++turn) publish(channel, "nobody is waited for");
}

TEST_F(ChannelTest, ASubscriberThatDiesStopsNobody) {
    const RawChannel channel = make({.message_bytes = 64, .capacity = 4, .subscribers_waited_for = 1});
    Child child([&](const Line& line) {
        auto subscription = open().subscribe();
        CHILD_CHECK(subscription.has_value());
        line.say();
        return line.hear();
    });
    child.line().hear();
    while (*channel.publish(numbered(1, 64), Deadline::passed()) == Sent::sent) {}
    child.kill();
    publish(channel, "goes on");
}

TEST_F(ChannelTest, ASleepingPublisherIsWokenByItsSubscriber) {
    const RawChannel channel = make({.message_bytes = 64, .capacity = 4, .subscribers_waited_for = 1});
    RawSubscription subscription = subscribe(channel);
    std::uint64_t sent = 0;
    while (*channel.publish(numbered(sent, 64), Deadline::passed()) == Sent::sent) ++sent;
    channel.give_up_role();
    Child child([&](const Line&) {
        const RawChannel own = open();
        for (std::uint64_t i = 0; i < 1000; ++i) CHILD_CHECK(*own.publish(numbered(sent + i, 64), Deadline::forever()) == Sent::sent);
        return 0;
    });
    std::vector<std::byte> out(64);
    for (std::uint64_t number = 0; number < sent + 1000; ++number) {
        if (number == sent - 1) wait_until([&] { return is_asleep(child.pid()); }, "publisher asleep");
        ASSERT_EQ(Reception::message, subscription.receive(out)->end);
        ASSERT_EQ(number, number_of(out));
    }
    EXPECT_EQ(0, child.wait());
}

TEST_F(ChannelTest, ASleepingSubscriberIsWoken) {
    const RawChannel channel = make();
    Child child([&](const Line& line) {
        RawSubscription subscription = subscribe(open());
        line.say();
        for (std::uint64_t number = 0; number < 20; ++number) {
            std::array<std::byte, 100> out;
            CHILD_CHECK(subscription.receive(out)->end == Reception::message);
            CHILD_CHECK(number_of(std::span(out).first(50)) == number);
        }
        return 0;
    });
    child.line().hear();
    for (std::uint64_t number = 0; number < 20; ++number) {
        wait_until([&] { return is_asleep(child.pid()); }, "subscriber asleep");
        publish(channel, numbered(number, 50));
        if (number % 3 == 0) publish(channel, numbered(++number, 50));
    }
    EXPECT_EQ(0, child.wait());
}

TEST_F(ChannelTest, LoansArePublishedInPlace) {
    const RawChannel channel = make({.message_bytes = 1000, .capacity = 10, .subscribers_waited_for = 1});
    RawSubscription subscription = subscribe(channel);
    for (std::uint32_t turn = 0; turn < 100; ++turn) {
        auto loan = channel.loan(500);
        ASSERT_OK(loan);
        ASSERT_TRUE(*loan);
        const std::string message = numbered(turn, 300);
        std::memcpy(loan->bytes().data(), message.data(), message.size());
        EXPECT_EQ("-", next(subscription));
        EXPECT_CODE(Code::invalid_argument, channel.loan(1));
        loan->publish(300);
        EXPECT_FALSE(*loan);
        { const auto given_up = channel.loan(1000); ASSERT_OK(given_up); }
        const auto borrowed = subscription.borrow(Deadline::passed());
        ASSERT_OK(borrowed);
        ASSERT_EQ(300u, borrowed->bytes.size());
        ASSERT_EQ(turn, number_of(borrowed->bytes));
        EXPECT_EQ(borrowed->bytes.data(), subscription.borrow(Deadline::passed())->bytes.data());
        EXPECT_TRUE(subscription.release());
    }
}

TEST_F(ChannelTest, LongLoansFollowTheirSubscriberThroughTheRing) {
    constexpr std::uint64_t kCapacity = 3;
    const RawChannel channel = make({.message_bytes = 70'000, .capacity = kCapacity, .subscribers_waited_for = 1, .patience = 0ns});
    RawSubscription subscription = subscribe(channel);
    std::mt19937 random(3);
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    for (std::uint32_t round = 0; round < 300; ++round) {
        for (auto burst = random() % 8; burst > 0; --burst) {
            auto loan = channel.loan(static_cast<std::uint32_t>(5000 + random() % 65'001));
            ASSERT_OK(loan);
            if (!*loan) {
                ASSERT_EQ(Sent::timed_out, loan->end());
                ASSERT_GE(sent - received, kCapacity);
                break;
            }
            const std::string message = numbered(sent++, loan->bytes().size());
            std::memcpy(loan->bytes().data(), message.data(), message.size());
            loan->publish();
        }
        for (auto reads = random() % 8; reads > 0; --reads) {
            const auto borrowed = subscription.borrow(Deadline::passed());
            ASSERT_OK(borrowed);
            ASSERT_EQ(received < sent ? Reception::message : Reception::timed_out, borrowed->end);
            if (borrowed->end != Reception::message) break;
            ASSERT_EQ(received++, number_of(borrowed->bytes));
            ASSERT_TRUE(subscription.release());
        }
    }
    EXPECT_GT(received, 500u);
}

TEST_F(ChannelTest, AFullRingCanBeSubscribedTo) {
    const RawChannel channel = make({.message_bytes = 210'112, .capacity = 2, .subscribers_waited_for = 2, .patience = 0ns});
    const RawSubscription reads_nothing = subscribe(channel);
    bool has_room = true;
    while (has_room) {
        auto loan = channel.loan(210'112);
        ASSERT_OK(loan);
        has_room = static_cast<bool>(*loan);
        if (has_room) loan->publish();
        for (const From from : {From::oldest, From::latest, From::next}) ASSERT_OK(channel.subscribe(from));
    }
}

TEST_F(ChannelTest, NothingElseIsPublishedWhileALoanIsOut) {
    const RawChannel channel = make();
    RawSubscription subscription = subscribe(channel);
    publish(channel, "first");
    auto loan = channel.loan(5);
    ASSERT_OK(loan);
    EXPECT_CODE(Code::invalid_argument, channel.publish("second"));
    channel.give_up_role();
    EXPECT_CODE(Code::busy, open().publish("not yours"));
    std::memcpy(loan->bytes().data(), "loan!", 5);
    loan->publish();
    publish(channel, "third");
    EXPECT_EQ("first", next(subscription));
    EXPECT_EQ("loan!", next(subscription));
    EXPECT_EQ("third", next(subscription));
    EXPECT_EQ("-", next(subscription));
}

TEST_F(ChannelTest, AForkedChildHasNoLoan) {
    for (const bool many : {false, true}) {
        const RawChannel channel = make({.many_publishers = many}, many ? "many" : "one");
        RawSubscription subscription = subscribe(channel);
        auto loan = channel.loan(1);
        ASSERT_OK(loan);
        loan->bytes()[0] = std::byte{'x'};
        Child child([&](const Line& line) {
            line.hear();
            loan->publish();
            loan->give_up();
            return 0;
        });
        loan->publish();
        for (const char* const more : {"a", "b", "c"}) publish(channel, more);
        child.line().say();
        EXPECT_EQ(0, child.wait());
        publish(channel, "d");
        for (const char* const wanted : {"x", "a", "b", "c", "d", "-"}) EXPECT_EQ(wanted, next(subscription));
    }
}

TEST_F(ChannelTest, JoiningAStreamInFullFlow) {
    const RawChannel channel = make({.message_bytes = 16, .capacity = 4096});
    std::atomic<bool> over = false;
    std::thread publisher([&] {
        for (std::uint64_t number = 0; !over; ++number) ASSERT_EQ(Sent::sent, *channel.publish(numbered(number, 16)));
    });
    const RawChannel other = open();
    for (std::uint32_t turn = 0; turn < 300; ++turn) {
        std::array<std::byte, 16> out;
        RawSubscription joined = subscribe(other, turn % 3 == 0 ? From::oldest : turn % 3 == 1 ? From::latest : From::next);
        const auto got = joined.receive(out);
        EXPECT_OK(got);
        if (got) { EXPECT_GE(joined.number(), number_of(out) + 1); }
    }
    over = true;
    publisher.join();
}

TEST_F(ChannelTest, WhatADeadPublisherLeftBusyHoldsUpNobody) {
    const RawChannel channel = make();
    RawSubscription subscription = subscribe(channel);
    Child child([&](const Line& line) {
        const RawChannel own = open();
        CHILD_CHECK(*own.publish("x") == Sent::sent);
        // As if it had been killed between looking for sleepers and committing.
        auto ring = RawSubscription(own.subscribe().value()).ring();
        auto& view = ring->words().view;
        view.frame(ring->sender.out.position).state.store(view.lap_state(ring->sender.out.position) | internal::kFrameBusy, std::memory_order_seq_cst);
        line.say();
        return line.hear();
    });
    child.line().hear();
    EXPECT_EQ("x", next(subscription));
    child.kill();
    { const auto taken_and_left = channel.loan(1); ASSERT_OK(taken_and_left); }
    auto watcher = Watcher::create();
    ASSERT_OK(watcher);
    EXPECT_OK(watcher->add(subscription, 1));
    EXPECT_FALSE(watcher->next()->has_value());
    publish(channel, "y");
    EXPECT_EQ(1u, watcher->next()->value().tag);
    EXPECT_EQ("y", next(subscription));
}

TEST_F(ChannelTest, OnlyWhatWasBorrowedIsReleased) {
    const RawChannel channel = make();
    RawSubscription subscription = subscribe(channel);
    publish(channel, "a");
    publish(channel, "b");
    EXPECT_TRUE(subscription.release());
    ASSERT_OK(subscription.borrow(Deadline::passed()));
    EXPECT_TRUE(subscription.release());
    EXPECT_TRUE(subscription.release());
    EXPECT_EQ("b", next(subscription));
}

TEST_F(ChannelTest, ABatchIsSeenAsAWhole) {
    const auto channel = Channel<Tick>::create("ticks", {.capacity = 64, .subscribers_waited_for = 1}, context);
    ASSERT_OK(channel);
    auto subscription = channel->subscribe();
    ASSERT_OK(subscription);
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    for (std::uint32_t round = 0; round < 300; ++round) {
        std::vector<Tick> batch(round % 60 + 1);
        for (Tick& tick : batch) tick = {sent++, 1.5, {}};
        std::uint64_t done = 0;
        ASSERT_OK(channel->publish(std::span<const Tick>(batch), &done));
        EXPECT_EQ(batch.size(), done);
        Tick out{};
        while (subscription->receive(out, Deadline::passed())->end == Reception::message) ASSERT_EQ(received++, out.number);
        ASSERT_EQ(sent, received);
    }
    EXPECT_EQ(sent, *channel->raw().published());
    auto latest = channel->subscribe(From::latest);
    EXPECT_CODE(Code::limit_reached, latest);
}

TEST_F(ChannelTest, ABatchIsBorrowedAtOnce) {
    const RawChannel channel = make({.message_bytes = 24, .capacity = 64, .subscribers_waited_for = 1});
    RawSubscription subscription = subscribe(channel);
    std::uint64_t sent = 0;
    for (std::uint32_t round = 0; round < 500; ++round) {
        const std::uint32_t count = round % 9 + 1;
        std::string messages;
        for (std::uint32_t i = 0; i < count; ++i) messages += numbered(sent + i, 24);
        ASSERT_EQ(Sent::sent, *channel.publish_batch(std::as_bytes(std::span(messages)), 24));
        const auto batch = subscription.borrow_batch(Deadline::passed());
        ASSERT_OK(batch);
        ASSERT_EQ(count, batch->count);
        for (std::uint32_t i = 0; i < count; ++i) ASSERT_EQ(sent + i, number_of(batch->message(i)));
        sent += count;
        ASSERT_TRUE(subscription.release_batch());
        ASSERT_EQ(sent, subscription.number());
        ASSERT_EQ("-", next(subscription));
    }
}

TEST_F(ChannelTest, TheLatestOfABatchIsItsLast) {
    const auto channel = Channel<Tick>::create("ticks", {.capacity = 64}, context);
    const std::vector<Tick> batch = {{1, 1, {}}, {2, 1, {}}, {3, 1, {}}};
    ASSERT_OK(channel->publish(std::span<const Tick>(batch)));
    auto latest = channel->subscribe(From::latest);
    Tick out{};
    ASSERT_EQ(Reception::message, latest->receive(out, Deadline::passed())->end);
    EXPECT_EQ(3u, out.number);
    EXPECT_EQ(Reception::timed_out, latest->receive(out, Deadline::passed())->end);
}

TEST_F(ChannelTest, BatchesLongerThanTheRingGoInParts) {
    const RawChannel channel = make({.message_bytes = 10, .capacity = 10, .subscribers_waited_for = 1});
    std::vector<std::byte> many(10 * 20'000);
    for (std::size_t i = 0; i < many.size(); ++i) many[i] = static_cast<std::byte>(i * 31 / 7);
    RawSubscription subscription = subscribe(channel);
    std::thread publisher([&] {
        std::uint64_t done = 0;
        EXPECT_EQ(Sent::sent, *channel.publish_batch(many, 10, &done));
        EXPECT_EQ(20'000u, done);
    });
    std::vector<std::byte> got;
    while (got.size() < many.size()) {
        std::array<std::byte, 10> out;
        ASSERT_EQ(Reception::message, subscription.receive(out)->end);
        got.insert(got.end(), out.begin(), out.end());
    }
    publisher.join();
    EXPECT_EQ(many, got);
}

TEST_F(ChannelTest, OnlyOneHandleAtATimePublishesUnlessManyMay) {
    const RawChannel channel = make();
    publish(channel, "mine");
    const RawChannel other = open();
    EXPECT_CODE(Code::busy, other.publish("not yours"));
    channel.give_up_role();
    publish(other, "now yours");
    EXPECT_CODE(Code::busy, channel.publish("no more"));
    RawSubscription all = subscribe(channel, From::oldest);
    EXPECT_EQ("mine", next(all));
    EXPECT_EQ("now yours", next(all));
    EXPECT_EQ("-", next(all));

    const RawChannel many = make({.many_publishers = true}, "many");
    const RawChannel too = open("many");
    RawSubscription both = subscribe(too);
    publish(many, "a");
    publish(too, "b");
    publish(many, "c");
    EXPECT_EQ("a", next(both));
    EXPECT_EQ("b", next(both));
    EXPECT_EQ("c", next(both));
}

TEST_F(ChannelTest, ManyPublishersLoseNothing) {
    constexpr std::uint64_t kEach = 20'000;
    const RawChannel channel = make({.message_bytes = 200, .capacity = 50, .many_publishers = true, .subscribers_waited_for = 2, .patience = 60s});
    RawSubscription subscription = subscribe(channel);
    std::vector<std::unique_ptr<Child>> publishers;
    for (std::uint64_t who = 0; who < 3; ++who)
        publishers.push_back(std::make_unique<Child>([&, who](const Line&) {
            const RawChannel own = open();
            std::mt19937 random(static_cast<unsigned>(who));
            for (std::uint64_t i = 0; i < kEach; ++i) CHILD_CHECK(*own.publish(numbered(who << 32 | i, 16 + random() % 180)) == Sent::sent);
            return 0;
        }));
    std::array<std::uint64_t, 3> expected{};
    std::vector<std::byte> out(200);
    for (std::uint64_t i = 0; i < 3 * kEach; ++i) {
        const auto got = subscription.receive(out, Deadline::after(60s));
        ASSERT_OK(got);
        ASSERT_EQ(Reception::message, got->end);
        const std::uint64_t number = number_of(std::span(out).first(got->size_bytes));
        ASSERT_EQ(expected[number >> 32]++, number & 0xffff'ffff);
    }
    for (auto& each : publishers) EXPECT_EQ(0, each->wait());
}

TEST_F(ChannelTest, AnotherRecordIsRefusedByItsField) {
    const auto channel = Channel<Tick>::create("ticks", {}, context);
    ASSERT_OK(channel);
    const auto other = Channel<OtherTick>::open("ticks", {}, context);
    EXPECT_CODE(Code::layout_mismatch, other);
    EXPECT_NE(std::string::npos, other.error().message.find("price")) << other.error().message;
    EXPECT_CODE(Code::layout_mismatch, RawCell::open("ticks", {}, context));
    const RawChannel bytes = make();
    EXPECT_CODE(Code::layout_mismatch, Channel<Tick>::open("stream", {}, context));
    const auto raw = RawChannel::open("ticks", {}, context);
    ASSERT_OK(raw);
    EXPECT_EQ(sizeof(Tick), raw->type().size_bytes());
    EXPECT_CODE(Code::invalid_argument, raw->publish("short"));
    const std::string long_one(sizeof(Tick) + 1, 'x');
    EXPECT_CODE(Code::too_long, raw->publish(long_one));
}

TEST_F(ChannelTest, WhatDoesNotFitIsRefusedAndNothingIsLost) {
    const RawChannel channel = make({.message_bytes = 10, .capacity = 5});
    RawSubscription subscription = subscribe(channel);
    EXPECT_CODE(Code::too_long, channel.publish("12345678901"));
    publish(channel, "1234567890");
    std::array<std::byte, 9> small;
    EXPECT_CODE(Code::too_long, subscription.receive(small, Deadline::passed()));
    EXPECT_EQ("1234567890", next(subscription));
    EXPECT_CODE(Code::invalid_argument, channel.loan(10, 100'000));
    EXPECT_CODE(Code::invalid_argument, channel.loan(10, 0));
    EXPECT_CODE(Code::invalid_argument, RawChannel::create("none", {.message_bytes = 0}, context));
    EXPECT_CODE(Code::invalid_argument, RawChannel::create("huge", {.message_bytes = kMessageBytesMax, .capacity = 1'000'000}, context));
    EXPECT_CODE(Code::invalid_argument, RawChannel::create("waits", {.subscribers_waited_for = 33}, context));
    EXPECT_CODE(Code::invalid_argument, RawChannel{}.publish("closed"));
    EXPECT_CODE(Code::invalid_argument, RawSubscription{}.receive(small));
}

TEST_F(ChannelTest, APublisherKilledAnywhereLeavesAChannelThatGoesOn) {
    const RawChannel channel = make({.message_bytes = 64, .capacity = 64, .subscribers_waited_for = 1, .patience = 20s});
    RawSubscription subscription = subscribe(channel);
    std::uint64_t next_number = 0;
    std::vector<std::byte> out(64);
    for (std::uint32_t round = 0; round < 60; ++round) {
        Child child([&](const Line& line) {
            const RawChannel own = open();
            for (std::uint64_t number = *own.published();; ++number) {
                CHILD_CHECK(*own.publish(numbered(number, 16 + number % 48)) == Sent::sent);
                if (number % 64 == 0) line.say();
            }
            return 0;
        });
        for (std::uint32_t i = 0; i < 50; ++i) {
            const auto got = subscription.receive(out, Deadline::after(20s));
            ASSERT_OK(got);
            ASSERT_EQ(Reception::message, got->end);
            ASSERT_EQ(next_number++, number_of(std::span(out).first(got->size_bytes)));
        }
        pass_time(round * 100);
        child.kill();
        for (;;) {
            const auto got = subscription.receive(out, Deadline::passed());
            ASSERT_OK(got);
            if (got->end != Reception::message) break;
            ASSERT_EQ(next_number++, number_of(std::span(out).first(got->size_bytes)));
        }
    }
}

TEST_F(ChannelTest, AChildDoesNotHaveItsParentsRoleOrPlace) {
    const RawChannel channel = make({.subscribers_waited_for = 1});
    RawSubscription subscription = subscribe(channel);
    publish(channel, "parent");
    Child child([&](const Line&) {
        CHILD_CHECK(channel.publish("child").error().code == Code::busy);
        std::array<std::byte, 2000> out;
        CHILD_CHECK(subscription.receive(out, Deadline::passed()).error().code == Code::invalid_argument);
        return 0;
    });
    EXPECT_EQ(0, child.wait());
    EXPECT_EQ("parent", next(subscription));
    publish(channel, "still parent");
    EXPECT_EQ("still parent", next(subscription));
}

TEST_F(ChannelTest, WhoMayOnlyReadCanSubscribe) {
    const RawChannel channel = make({.mode = 0644});
    RawSubscription subscription = subscribe(open("stream", {.access = Access::read_only}));
    publish(channel, "for all to read");
    EXPECT_EQ("for all to read", next(subscription));
    EXPECT_CODE(Code::permission_denied, open("stream", {.access = Access::read_only}).publish("no"));
    const RawChannel waits = make({.subscribers_waited_for = 1}, "waits");
    EXPECT_CODE(Code::permission_denied, open("waits", {.access = Access::read_only}).subscribe());
}

TEST_F(ChannelTest, OneCanWaitForAMessageAmongOtherThings) {
    const RawChannel channel = make();
    RawSubscription subscription = subscribe(channel);
    const auto event = Event::create("event", {}, context);
    const auto queue = RawQueue::create("queue", {}, context);
    const std::array<Waitable, 3> list = {Waitable(*event), Waitable(subscription), Waitable(*queue)};
    EXPECT_EQ(Acquired::timed_out, wait_any(list, Deadline::passed())->end);
    EXPECT_EQ(Acquired::timed_out, wait_any(list, Deadline::after(5ms))->end);
    Child child([&](const Line& line) {
        const RawChannel own = open();
        const auto own_queue = RawQueue::open("queue", {}, context);
        for (std::uint32_t turn = 0; turn < 10; ++turn) {
            line.hear();
            wait_until([] { return is_asleep(::getppid()); }, "waiter asleep");
            if (turn % 2 == 0) CHILD_CHECK(*own.publish("x") == Sent::sent);
            else CHILD_CHECK(*own_queue->push("y") == Sent::sent);
        }
        return 0;
    });
    for (std::uint32_t turn = 0; turn < 10; ++turn) {
        child.line().say();
        const auto waited = wait_any(list);
        ASSERT_OK(waited);
        ASSERT_EQ(Acquired::acquired, waited->end);
        ASSERT_EQ(turn % 2 == 0 ? 1u : 2u, waited->index);
        std::array<std::byte, 1024> out;
        if (turn % 2 == 0) ASSERT_EQ("x", next(subscription));
        else ASSERT_EQ(Reception::message, queue->pop(out, Deadline::passed())->end);
    }
    EXPECT_EQ(0, child.wait());
    ASSERT_OK(event->set());
    const std::array<Waitable, 2> both = {Waitable(*event), Waitable(subscription)};
    EXPECT_EQ(Acquired::timed_out, wait_all(both, Deadline::passed())->end);
    publish(channel, "z");
    EXPECT_EQ(Acquired::acquired, wait_all(both, Deadline::passed())->end);
    const auto section = Section::open("stream", {}, context);
    ASSERT_OK(section);
    EXPECT_CODE(Code::layout_mismatch, section->version());
    EXPECT_CODE(Code::layout_mismatch, section->wait(0, Deadline::passed()));
    EXPECT_CODE(Code::layout_mismatch, section->publish());
    EXPECT_CODE(Code::layout_mismatch, wait_one(Waitable(*section, 0), Deadline::passed()));
}

TEST_F(ChannelTest, AWatchersDescriptorTellsOfMessages) {
    const RawChannel channel = make();
    RawSubscription subscription = subscribe(channel);
    const auto queue = RawQueue::create("queue", {}, context);
    auto watcher = Watcher::create();
    ASSERT_OK(watcher);
    ASSERT_OK(watcher->add(subscription, 1));
    ASSERT_OK(watcher->add(*queue, 2));
    const auto is_readable = [&](int timeout_ms) {
        struct pollfd poll = {watcher->descriptor(), POLLIN, 0};
        return ::poll(&poll, 1, timeout_ms) == 1;
    };
    EXPECT_FALSE(watcher->next()->has_value());
    Child child([&](const Line& line) {
        const RawChannel own = open();
        const auto own_queue = RawQueue::open("queue", {}, context);
        for (std::uint32_t turn = 0; turn < 20; ++turn) {
            line.hear();
            if (turn % 2 == 0) CHILD_CHECK(*own.publish("x") == Sent::sent);
            else CHILD_CHECK(*own_queue->push("y") == Sent::sent);
        }
        return 0;
    });
    for (std::uint32_t turn = 0; turn < 20; ++turn) {
        ASSERT_FALSE(watcher->next()->has_value());
        child.line().say();
        std::optional<Changed> changed;
        while (!changed) {
            ASSERT_TRUE(is_readable(60'000));
            changed = *watcher->next();
        }
        ASSERT_EQ(turn % 2 + 1, changed->tag);
        std::array<std::byte, 1024> out;
        if (turn % 2 == 0) ASSERT_EQ("x", next(subscription));
        else ASSERT_EQ(Reception::message, queue->pop(out, Deadline::passed())->end);
    }
    EXPECT_EQ(0, child.wait());
    publish(channel, "there already");
    ASSERT_OK(watcher->remove(1));
    while (is_readable(0)) { ASSERT_FALSE(watcher->next()->has_value()); }
    ASSERT_OK(watcher->add(subscription, 3));
    EXPECT_TRUE(is_readable(0));
    EXPECT_EQ(3u, watcher->next()->value().tag);
}

}  // namespace
}  // namespace comap::test
