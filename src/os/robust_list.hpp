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

#include <cstddef>
#include <cstdint>

namespace comap::os {

inline constexpr std::uint32_t kOwnerMask = 0x3fff'ffffu;  // thread number of the owner, as the kernel compares it
inline constexpr std::uint32_t kOwnerDied = 1u << 30;      // set by the kernel
inline constexpr std::uint32_t kSleepers = 1u << 31;       // the kernel wakes one at the owner's death if this is set
inline constexpr std::size_t kRobustWordBeforeNode = 32;   // bytes

struct RobustNode {
    RobustNode* next;
};

// This thread's number, as its kernel namespace shows it. Not a system call, except for the first one after a fork.
std::uint32_t thread_number();

// A number that no other thread of this process has or had, and no thread of the process that this one was forked from.
std::uint64_t thread_token();

// The kernel keeps a robust list for this thread with the distance above. Not so in 32-bit programs.
bool has_robust_list();

// Announces that this thread is about to take or to give up the word of that node: if it dies in between, the kernel treats
// the word as if the node were on the list.
void robust_begin(RobustNode* node);
void robust_end();
void robust_link(RobustNode* node);
void robust_unlink(RobustNode* node);

}  // namespace comap::os
