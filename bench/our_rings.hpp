// SPDX-License-Identifier: Apache-2.0
// Our side of the rows of messages: the only place that names Channel and Queue. Each object is made before the processes start
// and held while a measurement runs; each process then opens it by name. Never two of one name at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include <comap/comap.hpp>

#include "harness.hpp"

namespace comap::bench::ours {

// Both are the same receive, which looks for some 30 us before it sleeps; while messages come without a pause it never does.
enum class Waiting : std::uint8_t { polling, blocking };

inline ChannelOptions channel_options(std::size_t message_bytes, std::uint32_t capacity, bool many_publishers, std::uint32_t subscriber_count) {
    ChannelOptions options;
    options.message_bytes = static_cast<std::uint32_t>(message_bytes);
    options.capacity = capacity * 9 / 16;  // a ring of the same size as the limit's
    options.many_publishers = many_publishers;
    options.subscribers_waited_for = subscriber_count;
    options.patience = std::chrono::minutes(1);
    return options;
}

// As at the limit, the size of the messages is known when they are copied, and what changes with each message can stay in registers:
// no call that cannot be looked into gets the address of an end, for the objects are not part of it.
template <std::size_t kBytes>
class ChannelSender {
  public:
    // Begins when the subscribers are there.
    ChannelSender(Bench& bench, const std::string& name, std::uint32_t subscriber_count)
        : channel_(std::make_unique<RawChannel>(must(RawChannel::open(name, {}, bench.context())))), loan_(std::make_unique<Loan>()) {
        while (must(channel_->subscribers()) < subscriber_count) pause_turn();
    }
    [[gnu::always_inline]] void send(const std::byte* message) {
        if (must(channel_->publish(std::span(message, kBytes))) != Sent::sent) give_up("a publish timed out");
    }
    [[gnu::always_inline]] std::byte* loan(std::uint32_t count = 1) {
        *loan_ = must(channel_->loan(kBytes, count));
        if (!*loan_) give_up("a loan timed out");
        return loan_->bytes().data();
    }
    [[gnu::always_inline]] void commit() { loan_->publish(); }
    std::uint64_t stride() const { return loan_->stride(); }

  private:
    std::unique_ptr<RawChannel> channel_;
    std::unique_ptr<Loan> loan_;
};

// The same for batches, which are lent, filled and committed in a loop each, as one would.
template <std::size_t kBytes, std::uint32_t kBatch>
class ChannelBatchSender {
  public:
    struct Batch {
        std::byte* place;
        std::uint64_t stride;
        [[gnu::always_inline]] void send(const std::byte* message) {
            std::memcpy(place, message, kBytes);
            place += stride;
        }
    };
    ChannelBatchSender(Bench& bench, const std::string& name, std::uint32_t subscriber_count) : sender_(bench, name, subscriber_count) {}
    [[gnu::always_inline]] Batch batch() {
        std::byte* const first = sender_.loan(kBatch);
        return {first, sender_.stride()};
    }
    [[gnu::always_inline]] void commit() { sender_.commit(); }

  private:
    ChannelSender<kBytes> sender_;
};

template <std::size_t kBytes>
class ChannelReceiver {
  public:
    ChannelReceiver(Bench& bench, const std::string& name)
        : channel_(must(RawChannel::open(name, {}, bench.context()))), subscription_(std::make_unique<RawSubscription>(must(channel_.subscribe(From::oldest)))) {}
    [[gnu::always_inline]] void receive(std::byte* message) {
        if (must(subscription_->receive(std::span(message, kBytes))).missed != 0) give_up("a channel lost a message");
    }
    const std::byte* borrow() { return must(subscription_->borrow()).bytes.data(); }
    void give_back() { (void)subscription_->release(); }

  protected:
    RawChannel channel_;
    std::unique_ptr<RawSubscription> subscription_;
};

template <std::size_t kBytes>
class ChannelBatchReceiver : ChannelReceiver<kBytes> {
  public:
    struct Batch {
        const std::byte* place;
        std::uint64_t stride;
        std::uint32_t count;
        [[gnu::always_inline]] void receive(std::byte* message) {
            std::memcpy(message, place, kBytes);
            place += stride;
        }
    };
    using ChannelReceiver<kBytes>::ChannelReceiver;
    [[gnu::always_inline]] Batch batch() {
        const auto batch = this->subscription_->borrow_batch();
        if (!batch || batch->end != Reception::message || batch->missed != 0) give_up("a channel lost a message");
        return {batch->first, batch->stride, batch->count};
    }
    [[gnu::always_inline]] void give_back() { (void)this->subscription_->release_batch(); }
};

// One publisher, one subscriber. No message is lost: the publisher waits for room.
template <std::size_t kBytes, std::uint32_t kSlotCount>
class Channel {
  public:
    Channel(Bench& bench, const std::string& name) : bench_(bench), name_(name), held_(must(RawChannel::create(name, channel_options(kBytes, kSlotCount, false, 1), bench.context()))) {}

    // send(const std::byte*), or std::byte* loan() and commit(). Commits once per kBatch messages.
    template <Waiting kWaiting, std::uint32_t kBatch = 1>
    auto sender() {
        if constexpr (kBatch == 1) return ChannelSender<kBytes>(bench_, name_, 1);
        else return ChannelBatchSender<kBytes, kBatch>(bench_, name_, 1);
    }
    // receive(std::byte*), or const std::byte* borrow() and give_back().
    template <Waiting kWaiting, std::uint32_t kBatch = 1>
    auto receiver() {
        if constexpr (kBatch == 1) return ChannelReceiver<kBytes>(bench_, name_);
        else return ChannelBatchReceiver<kBytes>(bench_, name_);
    }

  private:
    Bench& bench_;
    std::string name_;
    RawChannel held_;
};

// Several at one end, or at both; blocking. Every subscriber gets every message: a publisher waits for the slowest.
template <std::size_t kBytes, std::uint32_t kSlotCount>
class CrowdChannel {
  public:
    CrowdChannel(Bench& bench, const std::string& name, std::uint32_t publisher_count, std::uint32_t subscriber_count)
        : bench_(bench), name_(name), subscriber_count_(subscriber_count),
          held_(must(RawChannel::create(name, channel_options(kBytes, kSlotCount, publisher_count > 1, subscriber_count), bench.context()))) {}

    ChannelSender<kBytes> sender() { return {bench_, name_, subscriber_count_}; }
    ChannelReceiver<kBytes> receiver(std::uint32_t /*index*/) { return {bench_, name_}; }

  private:
    Bench& bench_;
    std::string name_;
    std::uint32_t subscriber_count_;
    RawChannel held_;
};

// Each message goes to one taker; blocking.
template <std::size_t kBytes, std::uint32_t kSlotCount>
class Queue {
  public:
    Queue(Bench& bench, const std::string& name)
        : bench_(bench), name_(name), held_(must(RawQueue::create(name, {.message_bytes = kBytes, .capacity = kSlotCount * 3 / 4, .patience = std::chrono::minutes(1)}, bench.context()))) {}

    struct End {
        RawQueue queue;
        void send(const std::byte* message) {
            if (must(queue.push(std::span(message, kBytes))) != Sent::sent) give_up("a push timed out");
        }
        void receive(std::byte* message) { (void)must(queue.pop(std::span(message, kBytes))); }
    };
    End producer() { return {must(RawQueue::open(name_, {}, bench_.context()))}; }
    End taker() { return producer(); }

  private:
    Bench& bench_;
    std::string name_;
    RawQueue held_;
};

}  // namespace comap::bench::ours
