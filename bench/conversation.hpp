// SPDX-License-Identifier: Apache-2.0
// Two processes, each pinned to a processor of its own, that send and receive in turn. An end of a conversation is made in the
// process that uses it: `is_first` sends there and receives back.
#pragma once

#include <semaphore.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <atomic>
#include <cstdint>
#include <vector>

#include "harness.hpp"
#include "raw.hpp"

namespace comap::bench {

struct WordPair {
    alignas(128) std::atomic<std::uint32_t> there;
    alignas(128) std::atomic<std::uint32_t> back;
};

template <typename Protocol>
class WordEnd {
  public:
    WordEnd(WordPair& words, bool is_first)
        : out_(is_first ? words.there : words.back), in_(is_first ? words.back : words.there), seen_(in_.load(std::memory_order_acquire) & ~raw::kSleeper) {}
    void send() { Protocol::send(out_); }
    void receive() { Protocol::receive(in_, seen_); }

  private:
    std::atomic<std::uint32_t>& out_;
    std::atomic<std::uint32_t>& in_;
    std::uint32_t seen_;
};

struct SemaphorePair {
    sem_t there, back;
    SemaphorePair() {
        must_fd(::sem_init(&there, 1, 0), "sem_init");
        must_fd(::sem_init(&back, 1, 0), "sem_init");
    }
};

class SemaphoreEnd {
  public:
    SemaphoreEnd(SemaphorePair& pair, bool is_first) : out_(is_first ? pair.there : pair.back), in_(is_first ? pair.back : pair.there) {}
    void send() { ::sem_post(&out_); }
    void receive() {
        while (::sem_wait(&in_) != 0) {}
    }

  private:
    sem_t& out_;
    sem_t& in_;
};

// --- conversations

// What the two processes tell each other besides what is measured.
struct Meeting {
    alignas(128) std::atomic<std::uint32_t> arrived;   // turns for which the other is about to wait, counted from 1
    alignas(128) std::atomic<std::uint32_t> received;  // turns it has received
    std::atomic<std::uint64_t> received_at_ns;
    std::atomic<std::uint64_t> sleep_count;  // how often it gave its processor away
};

inline void wait_for(const std::atomic<std::uint32_t>& word, std::uint32_t wanted) {
    while (word.load(std::memory_order_acquire) < wanted) pause_turn();
}

// There and back, nanoseconds per turn. make(is_first) makes an end.
template <typename Make>
double there_and_back_ns(std::uint64_t turn_count, const Make& make) {
    constexpr std::uint64_t kWarmTurns = 50;
    auto& meeting = shared<Meeting>();
    auto end = make(true);
    Child other([&] {
        pin_to(processors().second);
        auto other_end = make(false);
        meeting.arrived.store(1, std::memory_order_release);
        for (std::uint64_t turn = 0; turn < kWarmTurns + turn_count; ++turn) {
            other_end->receive();
            other_end->send();
        }
    });
    wait_for(meeting.arrived, 1);
    const auto turn = [&] {
        end->send();
        end->receive();
    };
    for (std::uint64_t warm = 0; warm < kWarmTurns; ++warm) turn();
    const double ns = ns_per_turn(turn_count, turn);
    other.join();
    ::munmap(&meeting, sizeof meeting);
    return ns;
}

inline std::uint64_t sleeps_so_far() {
    struct rusage usage;
    ::getrusage(RUSAGE_SELF, &usage);
    return static_cast<std::uint64_t>(usage.ru_nvcsw);
}

// Longer than anybody spins before sleeping.
inline std::uint64_t surely_asleep_ns() {
    static const double spin_ns = raw::kSpinTurns * ns_per_turn(20'000, pause_turn);
    return 100'000 + static_cast<std::uint64_t>(4 * spin_ns);
}

// From before the sending until the other runs again, median in nanoseconds. The other waits for so long before each sending
// that it sleeps; whether it did is counted.
template <typename Make>
double wake_asleep_ns(std::uint32_t turn_count, const Make& make, double& slept_share) {
    auto& meeting = shared<Meeting>();
    Child other([&] {
        pin_to(processors().second);
        auto other_end = make(false);
        const std::uint64_t before = sleeps_so_far();
        for (std::uint32_t turn = 1; turn <= turn_count; ++turn) {
            meeting.arrived.store(turn, std::memory_order_release);
            other_end->receive();
            meeting.received_at_ns.store(now_ns(), std::memory_order_relaxed);
            meeting.received.store(turn, std::memory_order_release);
        }
        meeting.sleep_count.store(sleeps_so_far() - before, std::memory_order_relaxed);
    });
    auto end = make(true);
    std::vector<double> latencies_ns;
    for (std::uint32_t turn = 1; turn <= turn_count; ++turn) {
        wait_for(meeting.arrived, turn);
        spin_for_ns(surely_asleep_ns());
        const std::uint64_t sent_at_ns = now_ns();
        end->send();
        wait_for(meeting.received, turn);
        latencies_ns.push_back(static_cast<double>(meeting.received_at_ns.load(std::memory_order_relaxed) - sent_at_ns));
    }
    other.join();
    slept_share = static_cast<double>(meeting.sleep_count.load(std::memory_order_relaxed)) / turn_count;
    ::munmap(&meeting, sizeof meeting);
    return quartiles(latencies_ns).median;
}

}  // namespace comap::bench
