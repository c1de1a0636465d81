// SPDX-License-Identifier: Apache-2.0
#include "os/robust_list.hpp"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

namespace comap::os {

static_assert(sizeof(RobustHead) == sizeof(robust_list_head) && offsetof(RobustHead, word_offset_bytes) == offsetof(robust_list_head, futex_offset));
static_assert(offsetof(RobustHead, pending) == offsetof(robust_list_head, list_op_pending));

constinit thread_local ThisThread remembered_thread;
std::uint32_t fork_generation = 1;

namespace {

std::atomic<std::uint64_t> thread_count{0};

[[gnu::constructor]] void watch_forks() {
    ::pthread_atfork(nullptr, nullptr, [] { ++fork_generation; });
}

}  // namespace

void learn_this_thread() {
    ThisThread& thread = remembered_thread;
    thread.number = static_cast<std::uint32_t>(::gettid());
    std::size_t size_bytes = 0;
    if (::syscall(SYS_get_robust_list, 0, &thread.head, &size_bytes) != 0) thread.head = nullptr;
    thread.token = (thread_count.fetch_add(1, std::memory_order_relaxed) + 1) << 32 | thread.number;
    thread.generation = fork_generation;
}

bool is_alive(std::uint64_t thread_token) {
    const auto number = static_cast<std::uint32_t>(thread_token);
    return number != 0 && ::syscall(SYS_tgkill, ::getpid(), number, 0) == 0;
}

bool has_robust_list() {
    const RobustHead* const head = this_thread().head;
    return head != nullptr && head->word_offset_bytes == -static_cast<long>(kRobustWordBeforeNode);
}

}  // namespace comap::os
