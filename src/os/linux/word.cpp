// SPDX-License-Identifier: Apache-2.0
#include "os/word.hpp"

#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449  // Linux 5.16
#endif

namespace comap::os {
namespace {

constexpr std::uint64_t kNsPerSecond = 1'000'000'000u;
constexpr std::chrono::nanoseconds kSliceNs = std::chrono::milliseconds(1);  // on one word, where there is no call for several

// 64-bit time on 32-bit systems too.
struct KernelTime {
    std::int64_t seconds;
    std::int64_t nanoseconds;
};

// As the kernel defines it (futex_waitv in linux/futex.h, which older headers lack).
struct KernelSleep {
    std::uint64_t value;
    std::uint64_t address;
    std::uint32_t flags;
    std::uint32_t reserved;
};
constexpr std::uint32_t kSharedWordOf32Bits = 2;

std::atomic<bool> kernel_sleeps_on_several{true};  // until it has refused once

Woken woken_of(long result) {
    if (result >= 0 || errno == EAGAIN) return Woken::maybe;
    if (errno == ETIMEDOUT) return Woken::timed_out;
    return errno == EINTR ? Woken::interrupted : Woken::refused;
}

bool has_no_such_call() { return errno == ENOSYS || errno == EPERM || errno == EACCES; }

// One word after the other; every one is looked at each time, so that no change of value is missed for longer than a slice.
Woken wait_in_turn(std::span<const Sleep> sleeps, Deadline deadline) {
    for (;;) {
        for (const Sleep& one : sleeps) {
            // SYNC word.look: a changed word is looked at again by the caller; no partner: it takes nothing from it here.
            for (const Sleep& other : sleeps)
                if (other.word->load(std::memory_order_acquire) != other.seen) return Woken::maybe;
            const Woken woken = wait_word(*one.word, one.seen, earlier(deadline, Deadline::after(kSliceNs)));
            if (woken != Woken::timed_out) return woken;
            if (deadline.is_over()) return Woken::timed_out;
        }
    }
}

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

bool take_part_in_barriers() { return ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0) == 0; }

bool barrier_everywhere() {
    std::atomic_thread_fence(std::memory_order_seq_cst);  // SYNC word.barrier: our own half, for the compiler and ThreadSanitizer; no partner here: ring.sleep.
    return ::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0) == 0;
}

Woken wait_word(const std::atomic<std::uint32_t>& word, std::uint32_t seen, Deadline deadline) {
    // Always a time-out, if only a far one: without, a handler installed with SA_RESTART would not end the wait.
    struct timespec until = {INT_MAX, 0};
    if (deadline.ns() / kNsPerSecond < INT_MAX) {
        until.tv_sec = static_cast<time_t>(deadline.ns() / kNsPerSecond);
        until.tv_nsec = static_cast<long>(deadline.ns() % kNsPerSecond);
    }
    const long result = ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, seen, &until, nullptr, FUTEX_BITSET_MATCH_ANY);
    return woken_of(result);
}

Woken wait_any_word(std::span<const Sleep> sleeps, Deadline deadline) {
    if (sleeps.size() == 1) return wait_word(*sleeps[0].word, sleeps[0].seen, deadline);
    if (!kernel_sleeps_on_several.load(std::memory_order_relaxed)) return wait_in_turn(sleeps, deadline);
    std::array<KernelSleep, kSleepsMax> list;
    for (std::size_t i = 0; i < sleeps.size(); ++i)
        list[i] = {sleeps[i].seen, reinterpret_cast<std::uintptr_t>(sleeps[i].word), kSharedWordOf32Bits, 0};
    const KernelTime until = {static_cast<std::int64_t>(deadline.ns() / kNsPerSecond), static_cast<std::int64_t>(deadline.ns() % kNsPerSecond)};
    const long result = ::syscall(SYS_futex_waitv, list.data(), sleeps.size(), 0, deadline.is_forever() ? nullptr : &until, CLOCK_MONOTONIC);
    if (result < 0 && has_no_such_call()) {
        kernel_sleeps_on_several.store(false, std::memory_order_relaxed);
        return wait_in_turn(sleeps, deadline);
    }
    return woken_of(result);
}

void wake_word(std::atomic<std::uint32_t>& word, bool all) { ::syscall(SYS_futex, &word, FUTEX_WAKE, all ? INT_MAX : 1, nullptr, nullptr, 0); }

std::uint32_t add_and_wake_all(std::atomic<std::uint32_t>& word, std::uint32_t addend) {
    return wake_op(word, INT_MAX, FUTEX_OP_ADD, addend);
}

std::uint32_t set_bit_and_wake_all(std::atomic<std::uint32_t>& word, std::uint32_t bit_index) {
    return wake_op(word, INT_MAX, FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, bit_index);
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
