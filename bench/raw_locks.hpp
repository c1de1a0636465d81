// SPDX-License-Identifier: Apache-2.0
// What the C library and bare words offer for locks and events. None has a name of its own; all lie in memory that is shared already.
#pragma once

#include <pthread.h>
#include <semaphore.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <new>

#include "harness.hpp"
#include "raw.hpp"

namespace comap::bench::raw {

// --- locks: lock() says whether the last owner died

enum class Robust : bool { no, yes };

// A process-shared pthread mutex, with what one has to do for a robust one.
template <Robust kRobust, int kType>
class PthreadMutex {
  public:
    PthreadMutex() {
        pthread_mutexattr_t attributes;
        ::pthread_mutexattr_init(&attributes);
        ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
        ::pthread_mutexattr_settype(&attributes, kType);
        if (kRobust == Robust::yes) ::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
        if (::pthread_mutex_init(&mutex_, &attributes) != 0) give_up("pthread_mutex_init");
        ::pthread_mutexattr_destroy(&attributes);
    }
    bool lock() {
        const int error = ::pthread_mutex_lock(&mutex_);
        if (error == 0) [[likely]] return false;
        if (error != EOWNERDEAD) give_up("pthread_mutex_lock");
        ::pthread_mutex_consistent(&mutex_);
        return true;
    }
    void unlock() {
        if (::pthread_mutex_unlock(&mutex_) != 0) give_up("pthread_mutex_unlock");
    }

  private:
    alignas(64) pthread_mutex_t mutex_;
};
using RobustMutex = PthreadMutex<Robust::yes, PTHREAD_MUTEX_NORMAL>;
using RobustRecursiveMutex = PthreadMutex<Robust::yes, PTHREAD_MUTEX_RECURSIVE>;
using PlainMutex = PthreadMutex<Robust::no, PTHREAD_MUTEX_NORMAL>;
using SpinningMutex = PthreadMutex<Robust::no, PTHREAD_MUTEX_ADAPTIVE_NP>;

class SemaphoreLock {
  public:
    SemaphoreLock() { must_fd(::sem_init(&semaphore_, 1, 1), "sem_init"); }
    bool lock() {
        while (::sem_wait(&semaphore_) != 0) {}
        return false;
    }
    void unlock() { ::sem_post(&semaphore_); }

  private:
    alignas(64) sem_t semaphore_;
};

// Two compare-and-swaps: nobody sleeps, nobody may die.
class CasLock {
  public:
    bool lock() {
        for (;;) {
            std::uint32_t free = 0;
            if (word_.compare_exchange_strong(free, 1, std::memory_order_acquire, std::memory_order_relaxed)) return false;
            while (word_.load(std::memory_order_relaxed) != 0) pause_turn();
        }
    }
    void unlock() {
        std::uint32_t owned = 1;
        if (!word_.compare_exchange_strong(owned, 0, std::memory_order_release, std::memory_order_relaxed)) give_up("a lock word was overwritten");
    }

  private:
    alignas(64) std::atomic<std::uint32_t> word_{0};
};

// A lock in memory that children share.
template <typename Lock>
Lock& shared_lock() {
    return *::new (shared_bytes(sizeof(Lock))) Lock;
}

// --- an automatic event in one word: who receives resets it. As SpinThenSleep, of which no turn is ever lost, but with two
// compare-and-swaps for each turn instead of one addition.

struct AutomaticEvent {
    static constexpr std::uint32_t kSet = 2;
    static void send(std::atomic<std::uint32_t>& word) {
        if ((word.exchange(kSet, std::memory_order_seq_cst) & kSleeper) != 0) futex(word, FUTEX_WAKE, INT_MAX);
    }
    static void receive(std::atomic<std::uint32_t>& word, std::uint32_t&) {
        for (std::uint32_t turn = 0; turn < kSpinTurns; ++turn) {
            if (try_take(word)) return;
            pause_turn();
        }
        while (!try_take(word)) {
            std::uint32_t unset = 0;
            if (word.compare_exchange_strong(unset, kSleeper, std::memory_order_seq_cst) || unset == kSleeper) futex(word, FUTEX_WAIT, kSleeper);
        }
    }
    static bool try_take(std::atomic<std::uint32_t>& word) {
        std::uint32_t set = word.load(std::memory_order_acquire);
        return set == kSet && word.compare_exchange_strong(set, 0, std::memory_order_seq_cst);
    }
};

}  // namespace comap::bench::raw
