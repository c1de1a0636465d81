// SPDX-License-Identifier: Apache-2.0
// Channels and queues, killed everywhere in a call: a message is in or it is not, what comes after goes on at once, who sleeps is
// woken, and a message that was taken and not confirmed is taken again.
#include <time.h>

#include <array>
#include <chrono>
#include <cstring>
#include <set>
#include <vector>

#include "operations.hpp"

namespace comap::crash {
namespace {

constexpr const char* kChannelName = "channel";
constexpr const char* kQueueName = "queue";
constexpr std::size_t kMessageBytes = 100;
constexpr std::uint64_t kPerLap = 36;    // messages, in the smallest ring: behind them the lap ends with a pad
constexpr std::uint32_t kBatch = 5;
constexpr std::uint64_t kQueued = 3;

using Bytes = std::array<std::byte, kMessageBytes>;

// Every byte is told from its neighbours, and the messages from each other.
Bytes message_of(std::uint64_t number) {
    Bytes bytes;
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(number * 37 + i);
    return bytes;
}
bool is_message(const Bytes& bytes, std::uint64_t number) { return bytes == message_of(number); }

Deadline a_minute() { return Deadline::after(std::chrono::seconds(60)); }

void pause_a_moment() {
    const struct timespec moment = {0, 2'000'000};
    ::nanosleep(&moment, nullptr);
}

Result<void> otherwise(const char* what) { return tl::unexpected<Error>(Error{Code::corrupt, 0, "", what}); }

template <typename T>
bool keep_in(T& place, Result<T> made) {
    if (made) place = std::move(*made);
    return made.has_value();
}

// --- channels: message n of the stream is message_of(n)
Result<void> publish_next(const RawChannel& channel) {
    const auto number = channel.published();
    if (!number) return tl::unexpected<Error>(number.error());
    const auto sent = channel.publish(message_of(*number), a_minute());
    if (!sent) return tl::unexpected<Error>(sent.error());
    return *sent == Sent::sent ? Result<void>() : otherwise("the message is not sent in time");
}

void arrange_channel(World& world, bool many, std::uint32_t waited_for, std::uint64_t count) {
    const ChannelOptions options = {.message_bytes = kMessageBytes, .capacity = 8, .many_publishers = many, .subscribers_waited_for = waited_for};
    world.expect(keep_in(world.held_channel, RawChannel::create(kChannelName, options, *world.context)), "the channel is made");
    if (!world.held_channel) return;
    for (std::uint64_t i = 0; i < count; ++i) world.expect_ok(publish_next(world.held_channel), "a message is published");
    if (waited_for == 0) world.expect(keep_in(world.held_subscription, world.held_channel.subscribe(From::oldest)), "the driver subscribes");
    world.held_channel.give_up_role();
}
void arrange_lone(World& world) { arrange_channel(world, false, 0, 1); }
void arrange_many(World& world) { arrange_channel(world, true, 0, 1); }
void arrange_lap(World& world) { arrange_channel(world, false, 0, kPerLap); }
void arrange_lap_of_many(World& world) { arrange_channel(world, true, 0, kPerLap); }
void arrange_waited(World& world) { arrange_channel(world, true, 1, kQueued); }

// Ends with the number of the message that it was woken for, or with 99.
void start_subscriber(World& world) {
    world.start_waiter([&world] {
        auto subscription = world.held_channel.subscribe(From::next);
        if (!subscription) return 99;
        Bytes bytes;
        const auto received = subscription->receive(bytes, Deadline::forever());
        if (!received || received->end != Reception::message || !is_message(bytes, subscription->number() - 1)) return 99;
        return static_cast<int>(subscription->number() - 1);
    });
}
void arrange_sleeper(World& world) {
    arrange_lone(world);
    start_subscriber(world);
}
void arrange_sleeper_of_many(World& world) {
    arrange_many(world);
    start_subscriber(world);
}
void arrange_sleeper_at_lap(World& world) {
    arrange_lap(world);
    start_subscriber(world);
}

bool prepare_channel(Actor& actor) { return keep_in(actor.channel, RawChannel::open(kChannelName, {}, actor.begin())); }
bool prepare_publisher(Actor& actor) { return prepare_channel(actor) && publish_next(actor.channel); }
bool prepare_subscriber(Actor& actor) { return prepare_channel(actor) && keep_in(actor.subscription, actor.channel.subscribe(From::oldest)); }

Result<void> publish(Actor& actor) { return publish_next(actor.channel); }
Result<void> publish_batch(Actor& actor) {
    const auto number = actor.channel.published();
    if (!number) return tl::unexpected<Error>(number.error());
    std::vector<std::byte> bytes;
    for (std::uint32_t i = 0; i < kBatch; ++i) {
        const Bytes one = message_of(*number + i);
        bytes.insert(bytes.end(), one.begin(), one.end());
    }
    const auto sent = actor.channel.publish_batch(bytes, kMessageBytes, nullptr, a_minute());
    if (!sent) return tl::unexpected<Error>(sent.error());
    return {};
}
Result<void> subscribe(Actor& actor) {
    return keep_in(actor.subscription, actor.channel.subscribe(From::oldest)) ? Result<void>() : otherwise("cannot subscribe");
}
Result<void> receive(Actor& actor) {
    Bytes bytes;
    const auto received = actor.subscription.receive(bytes, Deadline::passed());
    const bool is_there = received && received->end == Reception::message && is_message(bytes, actor.subscription.number() - 1);
    return is_there ? Result<void>() : otherwise("the message is not received");
}
Result<void> unsubscribe(Actor& actor) {
    actor.subscription.close();
    return {};
}

// Reads what there is; all of it is whole. How many messages were published until now.
std::uint64_t read_all(World& world, RawSubscription& subscription) {
    for (;;) {
        Bytes bytes;
        const auto received = world.timed([&] { return subscription.receive(bytes, Deadline::passed()); });
        if (!world.expect_ok(received, "the channel can be read") || received->end != Reception::message) return subscription.number();
        world.expect(received->size_bytes == kMessageBytes && is_message(bytes, subscription.number() - 1), "each message is whole, and in its turn");
    }
}

void inspect_published(World& world, bool completed, std::uint64_t before, std::uint64_t count) {
    const std::uint64_t total = read_all(world, world.held_subscription);
    world.expect(total == before || total == before + count, "the call's messages are in or they are not: there are " + std::to_string(total));
    if (completed) world.expect(total == before + count, "a call that was completed has published");
    if (world.killed_at_begin) world.expect(total == before, "one killed before the call has published nothing");
    if (world.killed_in_place) world.verdict.expect_order(total != before, "nothing is published");
    for (std::uint64_t i = 1; i <= kPerLap + 3; ++i) {
        const auto next = world.timed([&] { return publish_next(world.held_channel); });
        if (!world.expect_ok(next, "the next publisher goes on at once")) return;
        world.expect(read_all(world, world.held_subscription) == total + i, "and each of its messages is received");
    }
    auto late = world.held_channel.subscribe(From::oldest);
    if (world.expect_ok(late, "a subscriber who comes later finds the beginning"))
        world.expect(read_all(world, *late) == total + kPerLap + 3, "and reads to the end");
    world.held_channel.give_up_role();
}
void inspect_first(World& world, bool completed) { inspect_published(world, completed, 1, 1); }
void inspect_second(World& world, bool completed) { inspect_published(world, completed, 2, 1); }
void inspect_at_lap(World& world, bool completed) { inspect_published(world, completed, kPerLap, 1); }
void inspect_after_lap(World& world, bool completed) { inspect_published(world, completed, kPerLap + 1, 1); }
void inspect_batch(World& world, bool completed) { inspect_published(world, completed, 2, kBatch); }
void inspect_batch_at_lap(World& world, bool completed) { inspect_published(world, completed, kPerLap, kBatch); }

// Who slept before the call got the first message after that, whoever sent it.
void inspect_woken(World& world, bool completed, std::uint64_t before) {
    const std::uint64_t total = read_all(world, world.held_subscription);
    if (total == before) world.expect_ok(publish_next(world.held_channel), "the next publisher goes on");
    world.await_waiter([] {});
    world.expect(world.waiter_code == static_cast<int>(before), "the sleeper gets the first message, and not " + std::to_string(world.waiter_code));
    inspect_published(world, completed && total != before, total == before ? before + 1 : before, 1);
}
void inspect_sleeper(World& world, bool completed) { inspect_woken(world, completed, 1); }
void inspect_sleeper_at_lap(World& world, bool completed) { inspect_woken(world, completed, kPerLap); }

// Its subscriber is dead: nobody waits for it, and the next has its place.
void inspect_place(World& world, bool) {
    for (std::uint64_t i = 0; i < 2 * kPerLap; ++i)
        if (!world.expect_ok(world.timed([&] { return publish_next(world.held_channel); }), "publishers do not wait for a dead subscriber")) return;
    auto next = world.held_channel.subscribe(From::oldest);
    if (world.expect_ok(next, "the next subscriber has the place")) world.expect(read_all(world, *next) == kQueued + 2 * kPerLap, "and reads to the end");
}

// --- queues: message_of(0), 1, 2, ...
Result<void> push_number(const RawQueue& queue, std::uint64_t number) {
    const auto sent = queue.push(message_of(number), a_minute());
    if (!sent) return tl::unexpected<Error>(sent.error());
    return *sent == Sent::sent ? Result<void>() : otherwise("the message is not pushed in time");
}

void arrange_queue(World& world) {
    world.expect(keep_in(world.held_queue, RawQueue::create(kQueueName, {.message_bytes = kMessageBytes, .capacity = 8}, *world.context)), "the queue is made");
    if (!world.held_queue) return;
    for (std::uint64_t i = 0; i < kQueued; ++i) world.expect_ok(push_number(world.held_queue, i), "a message is pushed");
}
// The pushes before have come to the end of a lap.
void arrange_queue_at_lap(World& world) {
    world.expect(keep_in(world.held_queue, RawQueue::create(kQueueName, {.message_bytes = kMessageBytes, .capacity = 8}, *world.context)), "the queue is made");
    Bytes bytes;
    constexpr std::uint64_t kQueuePerLap = 4096 / 120;
    for (std::uint64_t i = 0; i + kQueued < kQueuePerLap; ++i) {
        world.expect_ok(push_number(world.held_queue, 0), "a message is pushed");
        world.expect_ok(world.held_queue.pop(bytes, Deadline::passed()), "and taken");
    }
    for (std::uint64_t i = 0; i < kQueued; ++i) world.expect_ok(push_number(world.held_queue, i), "a message is pushed");
}

// Ends with the number of the message that it takes, or with 99.
int pop_one(const RawQueue& queue) {
    Bytes bytes;
    const auto popped = queue.pop(bytes, Deadline::forever());
    if (!popped || popped->end != Reception::message) return 99;
    for (std::uint64_t number = 0; number <= kQueued; ++number)
        if (is_message(bytes, number)) return static_cast<int>(number);
    return 99;
}
void arrange_empty_queue_and_taker(World& world) {
    world.expect(keep_in(world.held_queue, RawQueue::create(kQueueName, {.message_bytes = kMessageBytes, .capacity = 8}, *world.context)), "the queue is made");
    world.start_waiter([&world] { return pop_one(world.held_queue); });
}
// The waiter comes when the actor has the only message.
void arrange_one_held_and_taker(World& world) {
    world.expect(keep_in(world.held_queue, RawQueue::create(kQueueName, {.message_bytes = kMessageBytes, .capacity = 8}, *world.context)), "the queue is made");
    world.expect_ok(push_number(world.held_queue, 0), "a message is pushed");
    world.start_waiter([&world] {
        // On a busy machine it may not see the actor have it: then it comes when that is over.
        for (int look = 0; look < 1000; ++look) {
            const auto counts = world.held_queue.counts();
            if (!counts) return 99;
            if (counts->held != 0) break;
            pause_a_moment();
        }
        return pop_one(world.held_queue);
    });
}

bool prepare_queue(Actor& actor) { return keep_in(actor.queue, RawQueue::open(kQueueName, {}, actor.begin())); }
bool prepare_taken(Actor& actor) {
    if (!prepare_queue(actor)) return false;
    auto item = actor.queue.take(Deadline::passed());
    if (!item || !*item) return false;
    actor.item = std::move(*item);
    return true;
}
bool prepare_taken_while_one_waits(Actor& actor) {
    if (!prepare_taken(actor)) return false;
    for (int i = 0; i < 3; ++i) pause_a_moment();  // the waiter finds that and goes to sleep
    return true;
}

Result<void> push(Actor& actor) { return push_number(actor.queue, kQueued); }
Result<void> push_first(Actor& actor) { return push_number(actor.queue, 0); }
Result<void> pop(Actor& actor) {
    Bytes bytes;
    const auto popped = actor.queue.pop(bytes, Deadline::passed());
    return popped && popped->end == Reception::message && is_message(bytes, 0) ? Result<void>() : otherwise("the first message is not taken");
}
Result<void> take(Actor& actor) {
    auto item = actor.queue.take(Deadline::passed());
    if (!item) return tl::unexpected<Error>(item.error());
    actor.item = std::move(*item);
    return actor.item ? Result<void>() : otherwise("no message is taken");
}
Result<void> confirm(Actor& actor) { return actor.item.confirm(); }
Result<void> give_back(Actor& actor) { return actor.item.give_back(); }

// Takes what is there: which messages, each once.
std::multiset<std::uint64_t> take_all(World& world) {
    std::multiset<std::uint64_t> taken;
    for (;;) {
        Bytes bytes;
        const auto popped = world.timed([&] { return world.held_queue.pop(bytes, Deadline::passed()); });
        if (!world.expect_ok(popped, "the queue can be taken from") || popped->end != Reception::message) return taken;
        std::uint64_t number = 0;
        while (number <= kQueued && !is_message(bytes, number)) ++number;
        world.expect(number <= kQueued, "each message is whole");
        taken.insert(number);
    }
}

// `there`: the messages that must be there; `perhaps`: one that may be, UINT64_MAX: none.
void inspect_queue(World& world, const std::set<std::uint64_t>& there, std::uint64_t perhaps) {
    auto taken = take_all(world);
    for (const std::uint64_t number : there) world.expect(taken.count(number) == 1, "message " + std::to_string(number) + " is there once");
    for (const std::uint64_t number : there) taken.erase(number);
    if (taken.count(perhaps) == 1) taken.erase(perhaps);
    world.expect(taken.empty(), "nothing else is there");
    const auto counts = world.held_queue.counts();
    world.expect(counts && counts->waiting == 0 && counts->held == 0, "the queue is empty");
    // Two laps: all of its room is free.
    for (std::uint64_t i = 0; i < 2 * kPerLap; ++i) {
        if (!world.expect_ok(world.timed([&] { return push_number(world.held_queue, i % 3); }), "the next push goes on at once")) return;
        if (i % 8 != 7) continue;
        const auto again = take_all(world);
        world.expect(again.size() == 8, "and all that was pushed is taken");
    }
}
constexpr std::uint64_t kNone = UINT64_MAX;

void inspect_pushed(World& world, bool completed) {
    const std::set<std::uint64_t> before = {0, 1, 2};
    const std::set<std::uint64_t> after = {0, 1, 2, 3};
    inspect_queue(world, completed ? after : before, completed || world.killed_at_begin ? kNone : kQueued);
}
void inspect_done(World& world, bool completed) {
    if (world.killed_at_begin) inspect_queue(world, {0, 1, 2}, kNone);
    else inspect_queue(world, {1, 2}, completed ? kNone : 0);
}
void inspect_taken(World& world, bool) { inspect_queue(world, {0, 1, 2}, kNone); }

// It was pushed, or not; then it is by the next.
void inspect_pushed_to_sleeper(World& world, bool) {
    const bool was_pushed = world.held_queue.counts().has_value() && (world.waiter_has_ended() || world.held_queue.counts()->waiting != 0);
    if (!was_pushed) {
        pause_a_moment();
        const auto counts = world.held_queue.counts();
        if (counts && counts->waiting == 0 && !world.waiter_has_ended()) world.expect_ok(push_number(world.held_queue, 0), "the next push goes on");
    }
    world.await_waiter([] {});
    world.expect(world.waiter_code == 0, "the sleeper gets the message");
    (void)take_all(world);
    inspect_queue(world, {}, kNone);
}
void inspect_given_to_sleeper(World& world, bool) {
    world.await_waiter([] {});
    world.expect(world.waiter_code == 0, "the sleeper gets what the dead one had");
    inspect_queue(world, {}, kNone);
}
// Confirmed, or the sleeper has it.
void inspect_confirmed_beside_sleeper(World& world, bool) {
    world.expect_ok(push_number(world.held_queue, 1), "the next push goes on");
    world.await_waiter([] {});
    world.expect(world.waiter_code == 0 || world.waiter_code == 1, "the sleeper gets a message");
    (void)take_all(world);
    inspect_queue(world, {}, kNone);
}

}  // namespace

const std::vector<Operation>& ring_operations() {
    static const std::vector<Operation> all = {
        {"publish_first", arrange_lone, prepare_channel, publish, inspect_first},
        {"publish", arrange_lone, prepare_publisher, publish, inspect_second},
        {"publish_many", arrange_many, prepare_publisher, publish, inspect_second},
        {"publish_at_lap", arrange_lap, prepare_channel, publish, inspect_at_lap},
        {"publish_after_lap", arrange_lap, prepare_publisher, publish, inspect_after_lap},
        {"publish_at_lap_many", arrange_lap_of_many, prepare_channel, publish, inspect_at_lap},
        {"publish_batch", arrange_lone, prepare_publisher, publish_batch, inspect_batch},
        {"publish_batch_at_lap", arrange_lap_of_many, prepare_channel, publish_batch, inspect_batch_at_lap},
        {"publish_to_sleeper", arrange_sleeper, prepare_channel, publish, inspect_sleeper},
        {"publish_many_to_sleeper", arrange_sleeper_of_many, prepare_channel, publish, inspect_sleeper},
        {"publish_pad_to_sleeper", arrange_sleeper_at_lap, prepare_channel, publish, inspect_sleeper_at_lap},
        {"subscribe_waited", arrange_waited, prepare_channel, subscribe, inspect_place},
        {"receive_waited", arrange_waited, prepare_subscriber, receive, inspect_place},
        {"unsubscribe_waited", arrange_waited, prepare_subscriber, unsubscribe, inspect_place},
        {"push", arrange_queue, prepare_queue, push, inspect_pushed},
        {"push_at_lap", arrange_queue_at_lap, prepare_queue, push, inspect_pushed},
        {"push_to_sleeper", arrange_empty_queue_and_taker, prepare_queue, push_first, inspect_pushed_to_sleeper},
        {"pop", arrange_queue, prepare_queue, pop, inspect_done},
        {"take", arrange_queue, prepare_queue, take, inspect_taken},
        {"confirm", arrange_queue, prepare_taken, confirm, inspect_done},
        {"give_back", arrange_queue, prepare_taken, give_back, inspect_taken},
        {"give_back_to_sleeper", arrange_one_held_and_taker, prepare_taken_while_one_waits, give_back, inspect_given_to_sleeper},
        {"confirm_beside_sleeper", arrange_one_held_and_taker, prepare_taken_while_one_waits, confirm, inspect_confirmed_beside_sleeper},
    };
    return all;
}

}  // namespace comap::crash
