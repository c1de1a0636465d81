// SPDX-License-Identifier: Apache-2.0
// What the algorithms on shared words need of the machine, as one type, so that a test can put another one in its place: a
// simulated one that runs several actors one access at a time, kills them, and can be replayed (test/model).
//
//   Atom<T>         a shared word of 32 or 64 bits, with the members of std::atomic that are used
//   Memory          what rings of frames are copied with (comap/ring.hpp)
//   Sleep           a word to sleep on and what it must still be
//   Node            what the kernel's list of owned words links
//   the functions   see os/word.hpp and os/robust_list.hpp
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include <comap/deadline.hpp>
#include <comap/ring.hpp>

#include "os/file.hpp"
#include "os/robust_list.hpp"
#include "os/word.hpp"

namespace comap::os {

struct Machine {
    template <typename T>
    using Atom = std::atomic<T>;
    using Node = RobustNode;
    using Sleep = os::Sleep;
    using Memory = internal::RingMemory;

    static Woken wait(const Atom<std::uint32_t>& word, std::uint32_t seen, Deadline deadline) { return wait_word(word, seen, deadline); }
    static Woken wait_any(std::span<const Sleep> sleeps, Deadline deadline) { return wait_any_word(sleeps, deadline); }

    static std::uint32_t add_and_wake_all(Atom<std::uint32_t>& word, std::uint32_t addend) { return os::add_and_wake_all(word, addend); }
    static std::uint32_t set_bit_and_wake_all(Atom<std::uint32_t>& word, std::uint32_t bit_index) { return os::set_bit_and_wake_all(word, bit_index); }
    static std::uint32_t clear_bit_and_wake_all(Atom<std::uint32_t>& word, std::uint32_t bit_index) { return os::clear_bit_and_wake_all(word, bit_index); }
    static std::uint32_t set_to_bit_and_wake_one(Atom<std::uint32_t>& word, std::uint32_t bit_index) { return os::set_to_bit_and_wake_one(word, bit_index); }
    static void wake(Atom<std::uint32_t>& word, bool all) { wake_word(word, all); }

    static std::uint32_t thread_number() { return os::thread_number(); }
    static std::uint64_t thread_token() { return os::thread_token(); }
    static bool is_alive(std::uint64_t thread_token) { return os::is_alive(thread_token); }
    static bool claim(Node* node) { return os::claim(node); }
    static void unclaim(Node* node) { os::unclaim(node); }
    static void robust_begin(Node* node) { os::robust_begin(node); }
    static void robust_end() { os::robust_end(); }
    static void robust_link(Node* node) { os::robust_link(node); }
    static void robust_unlink(Node* node) { os::robust_unlink(node); }

    static bool touch(int descriptor, std::uint64_t scratch_offset_bytes) { return os::touch(descriptor, scratch_offset_bytes); }

    static bool barrier_everywhere() { return os::barrier_everywhere(); }
    static bool can_spin() { return os::can_spin(); }
    static void spin_pause() { os::spin_pause(); }
};

}  // namespace comap::os
