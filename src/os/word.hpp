// SPDX-License-Identifier: Apache-2.0
// Sleeping on a 32-bit word that several processes map, and waking those who do.
#pragma once

#include <atomic>
#include <cstdint>

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

// In one step of the kernel: changes the word and wakes sleepers; nobody can be killed in between. Return how many woke.
std::uint32_t add_and_wake_all(std::atomic<std::uint32_t>& word, std::uint32_t addend);  // addend < 2048
std::uint32_t clear_bit_and_wake_all(std::atomic<std::uint32_t>& word, std::uint32_t bit_index);
std::uint32_t set_to_bit_and_wake_one(std::atomic<std::uint32_t>& word, std::uint32_t bit_index);  // word = 1 << bit_index

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
