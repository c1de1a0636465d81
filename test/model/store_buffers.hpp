// SPDX-License-Identifier: Apache-2.0
// The simulated machine with store buffers, as x86 has them: what an actor stores is seen by itself at once, by others some time
// later, in order. Read-modify-writes, sequentially consistent stores and system calls wait until it is; so does a barrier on all
// processors, for everybody. With it the scenarios find out whether somebody relies on a barrier that nobody makes.
// Fences of their own the words do with std::atomic_thread_fence, which cannot be seen here: where one is needed after a plain
// store, it has to be told (below: fence).
#pragma once

#include <deque>

#include "rings.hpp"

namespace comap::model {

struct StoreBuffers {
    struct Store {
        volatile void* word;
        std::size_t size;
        std::uint64_t value;
    };
    static inline PerActor<std::deque<Store>> of;

    static void clear() {
        for (auto& one : of) one.clear();
    }
    static void write_oldest(int actor) {
        const Store store = of[at(actor)].front();
        of[at(actor)].pop_front();
        std::memcpy(const_cast<void*>(store.word), &store.value, store.size);
        end_access("   is seen", store.word, store.value, store.value, false);
    }
    static void drain(int actor) {
        while (actor != kNobody && !of[at(actor)].empty()) write_oldest(actor);
    }
    static void drain_own() { drain(Simulation::now().actor()); }
    static void drain_all() {
        for (int i = 0; i < kActorsMax; ++i) drain(i);
    }
    // Before any access.
    static void happen() {
        Random& random = Simulation::now().random();
        if (!random.one_in(6)) return;
        const auto actor = static_cast<int>(random.below(kActorsMax));
        if (!of[at(actor)].empty()) write_oldest(actor);
    }
};

template <typename T>
class BufferedAtom : public SimAtom<T> {
    using Base = SimAtom<T>;

  public:
    using Base::Base;
    T load(std::memory_order = std::memory_order_seq_cst) const {
        begin_access();
        StoreBuffers::happen();
        T now = this->peek();
        const int actor = Simulation::now().actor();
        if (actor != kNobody)
            for (const auto& store : StoreBuffers::of[at(actor)])
                if (store.word == this) now = static_cast<T>(store.value);
        end_access("load", this, now, now, false);
        return now;
    }
    void store(T value, std::memory_order order = std::memory_order_seq_cst) {
        const int actor = Simulation::now().actor();
        if (order == std::memory_order_seq_cst || actor == kNobody) {
            StoreBuffers::drain_own();
            Base::store(value);
            return;
        }
        begin_access();
        StoreBuffers::happen();
        StoreBuffers::of[at(actor)].push_back({this, sizeof value, value});
        end_access("store, unseen", this, this->peek(), value, false);
    }
    T fetch_and(T value, std::memory_order = std::memory_order_seq_cst) { return drained().fetch_and(value); }
    T fetch_or(T value, std::memory_order = std::memory_order_seq_cst) { return drained().fetch_or(value); }
    T fetch_add(T value, std::memory_order = std::memory_order_seq_cst) { return drained().fetch_add(value); }
    T fetch_sub(T value, std::memory_order = std::memory_order_seq_cst) { return drained().fetch_sub(value); }
    T exchange(T value, std::memory_order = std::memory_order_seq_cst) { return drained().exchange(value); }
    bool compare_exchange_strong(T& expected, T wanted, std::memory_order = std::memory_order_seq_cst, std::memory_order = std::memory_order_seq_cst) {
        return drained().compare_exchange_strong(expected, wanted);
    }
    bool compare_exchange_weak(T& expected, T wanted, std::memory_order = std::memory_order_seq_cst, std::memory_order = std::memory_order_seq_cst) {
        return drained().compare_exchange_weak(expected, wanted);
    }

  private:
    Base& drained() {
        StoreBuffers::drain_own();
        return *this;
    }
};

struct BufferedMemory {
    template <typename T>
    using Atom = BufferedAtom<T>;
    static void copy_in(void* shared, const void* source, std::size_t size_bytes) {
        for (std::size_t i = 0; i < size_bytes / sizeof(std::uint32_t); ++i) {
            std::uint32_t word = 0;
            std::memcpy(&word, static_cast<const std::byte*>(source) + i * sizeof word, sizeof word);
            static_cast<BufferedAtom<std::uint32_t>*>(shared)[i].store(word, std::memory_order_relaxed);
        }
    }
    static void copy_out(void* target, const void* shared, std::size_t size_bytes) { SimMemory::copy_out(target, shared, size_bytes); }
    static void light_barrier() {}
    static void barrier_after_update() {}  // those empty the buffer
    static void fetch_for_writing(const void*) {}
};

struct BufferedMachine : RingMachine {
    template <typename T>
    using Atom = BufferedAtom<T>;
    using Memory = BufferedMemory;
    static constexpr bool sees_at_once = false;

    static void begin_run() { StoreBuffers::clear(); }
    static void ends(int actor) { StoreBuffers::drain(actor); }

    static bool barrier_everywhere() {
        if (!RingMachine::barrier_everywhere()) return false;
        StoreBuffers::drain_all();
        return true;
    }
    static os::Woken wait(const Atom32& word, std::uint32_t seen, Deadline deadline) {
        StoreBuffers::drain_own();
        return SimMachine::wait(word, seen, deadline);
    }
    static os::Woken wait_any(std::span<const Sleep> sleeps, Deadline deadline) {
        StoreBuffers::drain_own();
        return SimMachine::wait_any(sleeps, deadline);
    }
    static std::uint32_t add_and_wake_all(Atom32& word, std::uint32_t addend) {
        StoreBuffers::drain_own();
        return SimMachine::add_and_wake_all(word, addend);
    }
    static std::uint32_t set_bit_and_wake_all(Atom32& word, std::uint32_t bit_index) {
        StoreBuffers::drain_own();
        return SimMachine::set_bit_and_wake_all(word, bit_index);
    }
    static std::uint32_t clear_bit_and_wake_all(Atom32& word, std::uint32_t bit_index) {
        StoreBuffers::drain_own();
        return SimMachine::clear_bit_and_wake_all(word, bit_index);
    }
    static std::uint32_t set_to_bit_and_wake_one(Atom32& word, std::uint32_t bit_index) {
        StoreBuffers::drain_own();
        return SimMachine::set_to_bit_and_wake_one(word, bit_index);
    }
};

}  // namespace comap::model

namespace comap::internal {

// Its fence.
template <>
inline void RingWords<model::BufferedMachine>::fence() {
    model::StoreBuffers::drain_own();
}

}  // namespace comap::internal
