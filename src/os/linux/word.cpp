// SPDX-License-Identifier: Apache-2.0
#include "os/word.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

namespace comap::os {
namespace {

constexpr std::uint64_t kNsPerSecond = 1'000'000'000u;

// The comparison that FUTEX_WAKE_OP wants for a second wake; what it would wake is woken by the first already.
constexpr std::uint32_t kNoSecondWake = static_cast<std::uint32_t>(FUTEX_OP_CMP_EQ) << 24;

std::uint32_t wake_op(std::atomic<std::uint32_t>& word, int wake_count, std::uint32_t operation, std::uint32_t argument) {
    // The kernel's step is a full barrier, but neither the language nor ThreadSanitizer knows.
    // SYNC word.kernel_step: what was written before is seen by whoever acquires the word; no partner here: change.seen, lock.take.
    word.fetch_or(0, std::memory_order_release);
    const std::uint32_t encoded = operation << 28 | kNoSecondWake | (argument & 0xfff) << 12;
    const long woken = ::syscall(SYS_futex, &word, FUTEX_WAKE_OP, wake_count, nullptr, &word, encoded);
    return woken > 0 ? static_cast<std::uint32_t>(woken) : 0;
}

}  // namespace

Woken wait_word(const std::atomic<std::uint32_t>& word, std::uint32_t seen, Deadline deadline) {
    // Always a time-out, if only a far one: without, a handler installed with SA_RESTART would not end the wait.
    struct timespec until = {INT_MAX, 0};
    if (deadline.ns() / kNsPerSecond < INT_MAX) {
        until.tv_sec = static_cast<time_t>(deadline.ns() / kNsPerSecond);
        until.tv_nsec = static_cast<long>(deadline.ns() % kNsPerSecond);
    }
    const long result = ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, seen, &until, nullptr, FUTEX_BITSET_MATCH_ANY);
    if (result == 0 || errno == EAGAIN) return Woken::maybe;
    if (errno == ETIMEDOUT) return Woken::timed_out;
    return errno == EINTR ? Woken::interrupted : Woken::refused;
}

std::uint32_t add_and_wake_all(std::atomic<std::uint32_t>& word, std::uint32_t addend) {
    return wake_op(word, INT_MAX, FUTEX_OP_ADD, addend);
}

std::uint32_t clear_bit_and_wake_all(std::atomic<std::uint32_t>& word, std::uint32_t bit_index) {
    return wake_op(word, INT_MAX, FUTEX_OP_ANDN | FUTEX_OP_OPARG_SHIFT, bit_index);
}

std::uint32_t set_to_bit_and_wake_one(std::atomic<std::uint32_t>& word, std::uint32_t bit_index) {
    return wake_op(word, 1, FUTEX_OP_SET | FUTEX_OP_OPARG_SHIFT, bit_index);
}

bool can_spin() {
    static const bool several = ::sysconf(_SC_NPROCESSORS_ONLN) != 1;
    return several;
}

}  // namespace comap::os
