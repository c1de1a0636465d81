// SPDX-License-Identifier: Apache-2.0
// The raw limit of messages: rings in shared memory, written by hand, knowing that nothing goes wrong. One sender and one
// receiver without a lock; and any number of them through one robust lock.
#pragma once

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "harness.hpp"
#include "raw.hpp"

namespace comap::bench::raw {

// --- how an index is published, and waited for. It counts in steps of kOneChange: its lowest bit says that somebody sleeps.

struct Polling {
    static void publish(std::atomic<std::uint32_t>& index, std::uint32_t value) { index.store(value, std::memory_order_release); }
    static std::uint32_t await_change(std::atomic<std::uint32_t>& index, std::uint32_t seen) {
        std::uint32_t now;
        while ((now = index.load(std::memory_order_acquire)) == seen) pause_turn();
        return now;
    }
};

// SpinThenSleep of raw.hpp for an index that only one process writes; wakes only if the sleeper bit is set.
struct SpinningFirst {
    static void publish(std::atomic<std::uint32_t>& index, std::uint32_t value) {
        if ((index.exchange(value, std::memory_order_seq_cst) & kSleeper) != 0) futex(index, FUTEX_WAKE, INT_MAX);
    }
    static std::uint32_t await_change(std::atomic<std::uint32_t>& index, std::uint32_t seen) {
        SpinThenSleep::receive(index, seen);
        return seen;
    }
};

// Nothing but the futex: sleeps at once, always wakes.
struct Sleeping {
    static void publish(std::atomic<std::uint32_t>& index, std::uint32_t value) {
        index.store(value, std::memory_order_seq_cst);
        futex(index, FUTEX_WAKE, INT_MAX);
    }
    static std::uint32_t await_change(std::atomic<std::uint32_t>& index, std::uint32_t seen) {
        Futex::receive(index, seen);
        return seen;
    }
};

// --- one sender, one receiver

inline constexpr std::size_t kLineBytes = 128;  // two lines: processors fetch them in pairs

template <std::size_t kBytes, std::uint32_t kSlotCount>
struct Ring {
    static_assert((kSlotCount & (kSlotCount - 1)) == 0);
    alignas(kLineBytes) std::atomic<std::uint32_t> head;  // messages sent: written by the sender alone, but for the sleeper bit
    alignas(kLineBytes) std::atomic<std::uint32_t> tail;  // messages received: by the receiver alone
    alignas(kLineBytes) std::byte slots[kSlotCount][kBytes];
    std::byte* slot(std::uint32_t index) { return slots[(index / kOneChange) & (kSlotCount - 1)]; }
};

// Each side has its own index and what it last saw of the other's in its own memory. Indices are published once per kBatch.
template <typename Memory, typename Waiting, std::uint32_t kBatch = 1>
class RingSender;

template <std::size_t kBytes, std::uint32_t kSlotCount, typename Waiting, std::uint32_t kBatch>
class RingSender<Ring<kBytes, kSlotCount>, Waiting, kBatch> {
    static_assert(kSlotCount % kBatch == 0);  // so a full ring is a published one

  public:
    explicit RingSender(Ring<kBytes, kSlotCount>& ring) : ring_(ring) {}
    void send(const std::byte* message) {
        std::memcpy(loan(), message, kBytes);
        commit();
    }
    std::byte* loan() {
        while (head_ - tail_seen_ == kSlotCount * kOneChange) tail_seen_ = Waiting::await_change(ring_.tail, tail_seen_);
        return ring_.slot(head_);
    }
    void commit() {
        head_ += kOneChange;
        if (kBatch == 1 || head_ % (kBatch * kOneChange) == 0) Waiting::publish(ring_.head, head_);
    }

  private:
    Ring<kBytes, kSlotCount>& ring_;
    std::uint32_t head_ = 0;
    std::uint32_t tail_seen_ = 0;
};

template <typename Memory, typename Waiting, std::uint32_t kBatch = 1>
class RingReceiver;

template <std::size_t kBytes, std::uint32_t kSlotCount, typename Waiting, std::uint32_t kBatch>
class RingReceiver<Ring<kBytes, kSlotCount>, Waiting, kBatch> {
  public:
    explicit RingReceiver(Ring<kBytes, kSlotCount>& ring) : ring_(ring) {}
    void receive(std::byte* message) {
        std::memcpy(message, borrow(), kBytes);
        give_back();
    }
    const std::byte* borrow() {
        while (tail_ == head_seen_) head_seen_ = Waiting::await_change(ring_.head, head_seen_);
        return ring_.slot(tail_);
    }
    void give_back() {
        tail_ += kOneChange;
        if (kBatch == 1 || tail_ % (kBatch * kOneChange) == 0) Waiting::publish(ring_.tail, tail_);
    }

  private:
    Ring<kBytes, kSlotCount>& ring_;
    std::uint32_t tail_ = 0;
    std::uint32_t head_seen_ = 0;
};

// --- many senders and receivers through one lock

inline constexpr std::uint32_t kReaderCountMax = 8;

// Each of `reader_count` readers gets every message; or, if takers share reader 0, each message goes to one of them. Who finds
// it full or empty spins without the lock for a while, then sleeps on a condition.
template <std::size_t kBytes, std::uint32_t kSlotCount, std::uint32_t kSpinTurnCount = kSpinTurns>
struct LockedRing {
    alignas(kLineBytes) pthread_mutex_t mutex;
    pthread_cond_t has_message, has_room;
    alignas(kLineBytes) std::atomic<std::uint64_t> head;
    std::uint32_t sleeping_readers, sleeping_senders;
    std::uint32_t reader_count;
    std::atomic<std::uint64_t> tails[kReaderCountMax];
    alignas(kLineBytes) std::byte slots[kSlotCount][kBytes];

    void init(std::uint32_t readers) {
        pthread_mutexattr_t mutex_kind;
        ::pthread_mutexattr_init(&mutex_kind);
        ::pthread_mutexattr_setpshared(&mutex_kind, PTHREAD_PROCESS_SHARED);
        ::pthread_mutexattr_setrobust(&mutex_kind, PTHREAD_MUTEX_ROBUST);
        ::pthread_mutex_init(&mutex, &mutex_kind);
        pthread_condattr_t condition_kind;
        ::pthread_condattr_init(&condition_kind);
        ::pthread_condattr_setpshared(&condition_kind, PTHREAD_PROCESS_SHARED);
        for (auto* const condition : {&has_message, &has_room}) ::pthread_cond_init(condition, &condition_kind);
        reader_count = readers;
    }

    void send(const std::byte* message) {
        spin_until([this] { return !is_full(); });
        lock();
        while (is_full()) sleep(has_room, sleeping_senders);
        const std::uint64_t at = head.load(std::memory_order_relaxed);
        std::memcpy(slots[at % kSlotCount], message, kBytes);
        head.store(at + 1, std::memory_order_relaxed);
        const bool has_sleepers = sleeping_readers > 0;
        ::pthread_mutex_unlock(&mutex);
        if (has_sleepers) ::pthread_cond_broadcast(&has_message);
    }

    void receive(std::uint32_t reader, std::byte* message) {
        spin_until([&] { return !is_empty(reader); });
        lock();
        while (is_empty(reader)) sleep(has_message, sleeping_readers);
        const std::uint64_t at = tails[reader].load(std::memory_order_relaxed);
        std::memcpy(message, slots[at % kSlotCount], kBytes);
        tails[reader].store(at + 1, std::memory_order_relaxed);
        const bool has_sleepers = sleeping_senders > 0;
        ::pthread_mutex_unlock(&mutex);
        if (has_sleepers) ::pthread_cond_broadcast(&has_room);
    }

  private:
    template <typename IsSo>
    static void spin_until(const IsSo& is_so) {
        for (std::uint32_t turn = 0; turn < kSpinTurnCount && !is_so(); ++turn) pause_turn();
    }
    void lock() { keep_lock(::pthread_mutex_lock(&mutex)); }
    void keep_lock(int result) {
        if (result == EOWNERDEAD) ::pthread_mutex_consistent(&mutex);
    }
    void sleep(pthread_cond_t& condition, std::uint32_t& sleeper_count) {
        ++sleeper_count;
        keep_lock(::pthread_cond_wait(&condition, &mutex));
        --sleeper_count;
    }
    bool is_empty(std::uint32_t reader) const { return tails[reader].load(std::memory_order_relaxed) == head.load(std::memory_order_relaxed); }
    bool is_full() const {
        const std::uint64_t at = head.load(std::memory_order_relaxed);
        for (std::uint32_t reader = 0; reader < reader_count; ++reader)
            if (at - tails[reader].load(std::memory_order_relaxed) >= kSlotCount) return true;
        return false;
    }
};

}  // namespace comap::bench::raw
