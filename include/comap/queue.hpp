// SPDX-License-Identifier: Apache-2.0
// Queue<T>: work, each message of which one taker gets. A taker that dies before it confirms gives the message back; or it takes
// without confirming, and each message is taken at most once. RawQueue is the same for messages of any size up to the queue's.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <comap/channel.hpp>
#include <comap/record.hpp>
#include <comap/section.hpp>

namespace comap {

inline constexpr std::uint32_t kTakersMax = 32;  // handles that take to confirm, at a time

struct QueueOptions {
    std::uint32_t message_bytes = 1024;  // the longest message; of a Queue<T>: sizeof(T)
    std::uint64_t capacity = 1024;       // how many messages of that size it holds, at least
    std::chrono::nanoseconds patience = std::chrono::seconds(2);  // how long a push waits for room, unless it has a deadline
    std::uint32_t mode = 0600;
    bool keep = false;
};

struct Popped {
    Reception end = Reception::timed_out;
    std::uint32_t size_bytes = 0;
    bool redelivered = false;  // somebody took it before, and died or gave it back
};

struct QueueCounts {
    std::uint64_t waiting = 0;
    std::uint64_t held = 0;  // taken and not confirmed
};

class RawQueue;

// A message that was taken, where it lies. It is given back when it is destroyed, or when its process dies.
class COMAP_API Item {
  public:
    Item() = default;
    ~Item();
    Item(Item&& other) noexcept;
    Item& operator=(Item&& other) noexcept;

    Reception end() const { return end_; }
    explicit operator bool() const { return queue_ != nullptr; }
    std::span<const std::byte> bytes() const { return bytes_; }
    bool redelivered() const { return takings_ > 1; }
    std::uint32_t takings() const { return takings_; }  // how often it was taken, this time included

    // The work is done: nobody gets it again. Errors: not_owner (it was taken back: this process has forked since, or somebody wrote
    // over the queue), busy (a process that was stopped holds the takers' lock), corrupt.
    Result<void> confirm();
    Result<void> give_back();

  private:
    friend class RawQueue;
    struct Mapping;
    std::shared_ptr<Mapping> queue_;
    std::span<const std::byte> bytes_;
    std::uint64_t position_ = 0;
    std::uint32_t takings_ = 0;
    std::uint32_t generation_ = 0;
    Reception end_ = Reception::timed_out;
};

// A handle to a queue of messages of any size. Any number of threads may use it at once.
class COMAP_API RawQueue {
  public:
    RawQueue();
    ~RawQueue();
    RawQueue(RawQueue&& other) noexcept;
    RawQueue& operator=(RawQueue&& other) noexcept;

    // Errors: as Section::create.
    static Result<RawQueue> create(std::string_view name, const QueueOptions& options = {}, Context& context = Context::standard());
    // Errors: as Section::open; layout_mismatch (not a queue; with a type: the first field that differs).
    static Result<RawQueue> open(std::string_view name, const OpenOptions& options = {}, Context& context = Context::standard());
    static Result<RawQueue> open_or_create(std::string_view name, const QueueOptions& options = {}, Context& context = Context::standard());

    // Queues of records.
    static Result<RawQueue> create(std::string_view name, const RecordType& type, const QueueOptions& options = {}, Context& context = Context::standard());
    static Result<RawQueue> open(std::string_view name, const RecordType& type, const OpenOptions& options = {}, Context& context = Context::standard());
    static Result<RawQueue> open_or_create(std::string_view name, const RecordType& type, const QueueOptions& options = {}, Context& context = Context::standard());

    explicit operator bool() const { return mapping_ != nullptr; }
    const std::string& name() const;
    bool was_created() const;
    const RecordType& type() const;  // of size 0 if messages may be any bytes
    std::uint32_t message_bytes() const;
    std::uint64_t ring_bytes() const;
    std::uint64_t capacity() const;  // how many messages of that length it holds, at least: as many as were asked for, or more
    std::chrono::nanoseconds patience() const;
    Result<ObjectInfo> info() const;
    Result<void> set_keep(bool keep) const;
    Result<QueueCounts> counts() const;

    // Adds a message. Blocks while the queue is full, until the deadline (without: the queue's patience). Errors: too_long,
    // invalid_argument (not a record), permission_denied, corrupt. The message is in or it is not.
    Result<Sent> push(std::span<const std::byte> message, std::optional<Deadline> deadline = {}) const;
    Result<Sent> push(std::string_view message, std::optional<Deadline> deadline = {}) const { return push(std::as_bytes(std::span(message)), deadline); }

    // Room in the queue for a message. As a channel's; other pushes wait until it is published or given up.
    Result<Loan> loan(std::uint32_t size_bytes, std::optional<Deadline> deadline = {}) const;

    // Takes the next message and copies it out; nobody gets it again, also if this process dies at once. Blocks until there is one
    // or the deadline is over. Errors: too_long (out is too short; the message stays), permission_denied, corrupt.
    Result<Popped> pop(std::span<std::byte> out, Deadline deadline = Deadline::forever()) const;

    // Takes the next message and leaves it where it is until it is confirmed. Errors: also limit_reached (kTakersMax handles do so).
    Result<Item> take(Deadline deadline = Deadline::forever()) const;

    // Blocks until there is a message to take; takes nothing: another may be faster.
    Result<Reception> wait(Deadline deadline) const;

    void close();
    const std::shared_ptr<internal::Object>& object() const;

  private:
    friend class Item;
    friend class Waitable;
    struct Hooks;
    using Mapping = Item::Mapping;
    static Result<RawQueue> made(Result<std::shared_ptr<internal::Object>> object);
    std::shared_ptr<Mapping> mapping_;
};

// A queue of T's. As RawQueue, with T for bytes.
template <Record T>
class Queue {
  public:
    Queue() = default;
    static Result<Queue> create(std::string_view name, const QueueOptions& options = {}, Context& context = Context::standard()) {
        return made([&](const RecordType& type) { return RawQueue::create(name, type, options, context); });
    }
    static Result<Queue> open(std::string_view name, const OpenOptions& options = {}, Context& context = Context::standard()) {
        return made([&](const RecordType& type) { return RawQueue::open(name, type, options, context); });
    }
    static Result<Queue> open_or_create(std::string_view name, const QueueOptions& options = {}, Context& context = Context::standard()) {
        return made([&](const RecordType& type) { return RawQueue::open_or_create(name, type, options, context); });
    }

    explicit operator bool() const { return static_cast<bool>(raw_); }
    Result<Sent> push(const T& message, std::optional<Deadline> deadline = {}) const { return raw_.push(std::as_bytes(std::span(&message, 1)), deadline); }
    Result<Popped> pop(T& out, Deadline deadline = Deadline::forever()) const { return raw_.pop(std::as_writable_bytes(std::span(&out, 1)), deadline); }
    Result<Item> take(Deadline deadline = Deadline::forever()) const { return raw_.take(deadline); }
    const RawQueue& raw() const { return raw_; }
    void close() { raw_.close(); }

  private:
    template <typename Make>
    static Result<Queue> made(const Make& make) {
        auto type = RecordType::parse(record_format<T>());
        if (!type) return tl::unexpected<Error>(std::move(type).error());
        auto raw = make(*type);
        if (!raw) return tl::unexpected<Error>(std::move(raw).error());
        Queue queue;
        queue.raw_ = std::move(*raw);
        return queue;
    }
    RawQueue raw_;
};

}  // namespace comap
