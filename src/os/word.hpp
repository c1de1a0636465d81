// SPDX-License-Identifier: Apache-2.0
// Sleeping on a 32-bit word that several processes map, and waking those who do.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include <comap/deadline.hpp>

namespace comap::os {

enum class Woken : std::uint8_t {
    maybe,        // look at the word again: it may have changed, or not
    timed_out,
    interrupted,  // a signal was handled
    refused,      // the word cannot be slept on (its memory is gone)
};

// Sleeps if the word is `seen`, until woken. The mapping may be read-only.
Woken wait_word(const std::atomic<std::uint32_t>& word, std::uint32_t seen, Deadline deadline);

// One of the words that a thread sleeps on: it sleeps if the word is `seen`.
struct Sleep {
    const std::atomic<std::uint32_t>* word = nullptr;
    std::uint32_t seen = 0;
};
inline constexpr std::size_t kSleepsMax = 128;  // of the kernel

// Sleeps until woken on one of the words, if each is as seen. At most kSleepsMax. Where the kernel has no call for that
// (before Linux 5.16, or where a sandbox refuses it), it sleeps on one of them after the other, a millisecond each.
Woken wait_any_word(std::span<const Sleep> sleeps, Deadline deadline);

void wake_word(std::atomic<std::uint32_t>& word, bool all);

// In one step of the kernel: changes the word and wakes sleepers; nobody can be killed in between. Return how many woke.
std::uint32_t add_and_wake_all(std::atomic<std::uint32_t>& word, std::uint32_t addend);  // addend < 2048
std::uint32_t set_bit_and_wake_all(std::atomic<std::uint32_t>& word, std::uint32_t bit_index);
std::uint32_t clear_bit_and_wake_all(std::atomic<std::uint32_t>& word, std::uint32_t bit_index);
std::uint32_t set_to_bit_and_wake_one(std::atomic<std::uint32_t>& word, std::uint32_t bit_index);  // word = 1 << bit_index

// Barriers that cost only one side. A process that takes part needs none of its own between a store and a load: whoever wants the
// two to be ordered has the kernel make a barrier on every processor that runs such a process (membarrier(2), Linux 4.16).
bool take_part_in_barriers();  // false: the kernel, or a sandbox, refuses; the process needs barriers of its own
bool barrier_everywhere();     // false: the same; the others must not be trusted to have seen anything

// Spinning pays only if the other side can run meanwhile: the machine has more than one processor. How many of them are ours
// does not count: who pins a thread to one processor has the other side on another.
bool can_spin();
inline void spin_pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("isb" ::: "memory");
#endif
}

}  // namespace comap::os
