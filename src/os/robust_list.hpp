// SPDX-License-Identifier: Apache-2.0
// The kernel's list of lock words that a thread owns: when the thread dies, however it dies, the kernel marks each of them
// (kOwnerDied instead of the owner) and wakes a sleeper.
//
// A thread has one such list, and the C library's robust mutexes are on it; ours are linked in beside them. The kernel finds
// a lock word at a fixed distance before its list node, 32 bytes on 64-bit Linux with glibc. So the word lies in the last 32
// bytes of a shared page, and the node at the beginning of a *private* page mapped right behind: no pointer that anyone
// follows lies in shared memory. (The C library writes a back pointer of its own to the 8 bytes before a node: the last
// bytes of the shared page. Nobody reads them there.)
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace comap::os {

inline constexpr std::uint32_t kOwnerMask = 0x3fff'ffffu;  // thread number of the owner, as the kernel compares it
inline constexpr std::uint32_t kOwnerDied = 1u << 30;      // set by the kernel
inline constexpr std::uint32_t kSleepers = 1u << 31;       // the kernel wakes one at the owner's death if this is set
inline constexpr std::size_t kRobustWordBeforeNode = 32;   // bytes

struct RobustNode {
    RobustNode* next;
    std::uint64_t claimed_by;  // token of the thread on whose list it is; 0: on none. Nobody else's business
};

// The head of a thread's list, as the kernel and the C library know it.
struct RobustHead {
    RobustNode* next;         // of a ring: the last node leads back to it
    long word_offset_bytes;   // from a node to its lock word
    RobustNode* pending;      // being taken or given up
};

// What a thread remembers of itself; wrong in the child of a fork, until it is learned anew.
struct ThisThread {
    std::uint32_t generation = 0;  // of forks, when it was learned
    std::uint32_t number = 0;
    RobustHead* head = nullptr;
    std::uint64_t token = 0;  // a count, and the number
};

[[gnu::tls_model("initial-exec")]] extern constinit thread_local ThisThread remembered_thread;  // no call to find it
extern std::uint32_t fork_generation;  // counted up in every child, while that has one thread
[[gnu::cold]] void learn_this_thread();

// To be asked before what is remembered is used. That is then named directly: by a reference, the undefined-behaviour sanitizer
// compares its address with null, and the linker makes another instruction of the addition that this looks at the flags of.
inline void know_this_thread() {
    if (remembered_thread.generation != fork_generation) [[unlikely]] learn_this_thread();
}

// This thread's number, as its kernel namespace shows it. Not a system call, except for the first one after a fork.
inline std::uint32_t thread_number() {
    know_this_thread();
    return remembered_thread.number;
}

// A number that no other thread of this process has or had, and no thread of the process that this one was forked from.
inline std::uint64_t thread_token() {
    know_this_thread();
    return remembered_thread.token;
}

// The thread of that token is one of this process and has not ended. (For some microseconds after the kernel has gone through
// its list it is still there.) Not fast.
bool is_alive(std::uint64_t thread_token);
// The same, but one that has run its last code is waited for, once, at most 2 ms.
[[gnu::cold]] bool is_alive_for_long(std::uint64_t thread_token);

// The kernel keeps a robust list for this thread with the distance above. Not so in 32-bit programs.
bool has_robust_list();

// The kernel reads the list when the thread has stopped for good, so only the order of our own stores counts, as for a
// signal handler: a compiler fence.
inline void keep_list_order() { std::atomic_signal_fence(std::memory_order_seq_cst); }

// The lowest bit of a link says that the lock is of the priority-inheritance kind (the C library's; ours never are).
inline RobustNode* without_tag(RobustNode* link) {
    return reinterpret_cast<RobustNode*>(reinterpret_cast<std::uintptr_t>(link) & ~std::uintptr_t{1});
}

// What the C library's own removal of the following lock needs: a pointer to the link before it.
inline void set_back_link(RobustNode* node, RobustNode* before) { reinterpret_cast<RobustNode**>(without_tag(node))[-1] = before; }

// Announces that this thread is about to take or to give up the word of that node: if it dies in between, the kernel treats
// the word as if the node were on the list. REQUIRES, for all of these: this thread has asked for its number since the last fork.
inline void robust_begin(RobustNode* node) {
    remembered_thread.head->pending = node;
    keep_list_order();
}

inline void robust_end() {
    keep_list_order();
    remembered_thread.head->pending = nullptr;
}

// Notes that this thread is going to link the node. False if it is on the list of another thread that lives, which happens only
// when somebody wrote over the word that that thread owns. REQUIRES: this thread has taken the word.
inline bool claim(RobustNode* node) {
    const std::atomic_ref claimed_by(node->claimed_by);
    const std::uint64_t owner = claimed_by.load(std::memory_order_relaxed);
    if (owner != 0 && is_alive_for_long(owner)) [[unlikely]] return false;
    claimed_by.store(remembered_thread.token, std::memory_order_relaxed);
    return true;
}
inline void unclaim(RobustNode* node) { std::atomic_ref(node->claimed_by).store(0, std::memory_order_relaxed); }

inline void robust_link(RobustNode* node) {
    RobustHead* const head = remembered_thread.head;
    RobustNode* const after = head->next;
    node->next = after;
    set_back_link(after, node);
    keep_list_order();
    head->next = node;
    keep_list_order();
}

// Nothing happens if it is not on the list.
inline void robust_unlink(RobustNode* node) {
    auto* const first = reinterpret_cast<RobustNode*>(remembered_thread.head);  // the same shape, as far as it counts
    RobustNode* before = first;
    while (without_tag(before->next) != node) {
        before = without_tag(before->next);
        if (before == first) return;
    }
    RobustNode* const after = node->next;
    before->next = after;
    set_back_link(after, before);
    keep_list_order();
}

}  // namespace comap::os
