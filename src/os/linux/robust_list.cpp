// SPDX-License-Identifier: Apache-2.0
#include "os/robust_list.hpp"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

namespace comap::os {
namespace {

// Counted up in the child of every fork, where the remembered thread number is another's.
std::atomic<std::uint32_t> fork_generation{1};
[[gnu::constructor]] void watch_forks() {
    ::pthread_atfork(nullptr, nullptr, [] { fork_generation.fetch_add(1, std::memory_order_relaxed); });
}

struct ThisThread {
    std::uint32_t generation = 0;
    std::uint32_t number = 0;
    robust_list_head* head = nullptr;
    std::uint64_t token = 0;
};

std::atomic<std::uint64_t> last_token{0};

ThisThread& this_thread() {
    [[gnu::tls_model("initial-exec")]] static thread_local ThisThread thread;  // no call to find it
    const std::uint32_t generation = fork_generation.load(std::memory_order_relaxed);
    if (thread.generation != generation) [[unlikely]] {
        thread.number = static_cast<std::uint32_t>(::gettid());
        std::size_t size_bytes = 0;
        if (::syscall(SYS_get_robust_list, 0, &thread.head, &size_bytes) != 0) thread.head = nullptr;
        thread.token = last_token.fetch_add(1, std::memory_order_relaxed) + 1;
        thread.generation = generation;
    }
    return thread;
}

// The kernel reads the list when the thread has stopped for good, so only the order of our own stores counts, as for a
// signal handler: a compiler fence.
void keep_order() { std::atomic_signal_fence(std::memory_order_seq_cst); }

// The lowest bit of a link says that the lock is of the priority-inheritance kind (the C library's; ours never are).
robust_list* without_tag(robust_list* link) {
    return reinterpret_cast<robust_list*>(reinterpret_cast<std::uintptr_t>(link) & ~std::uintptr_t{1});
}

// What the C library's own removal of the following lock needs: a pointer to the link before it.
void set_back_link(robust_list* node, robust_list* before) {
    reinterpret_cast<robust_list**>(without_tag(node))[-1] = before;
}

robust_list* as_link(RobustNode* node) { return reinterpret_cast<robust_list*>(node); }
static_assert(sizeof(RobustNode) == sizeof(robust_list));

}  // namespace

std::uint32_t thread_number() { return this_thread().number; }

std::uint64_t thread_token() { return this_thread().token; }

bool has_robust_list() {
    const robust_list_head* const head = this_thread().head;
    return head != nullptr && head->futex_offset == -static_cast<long>(kRobustWordBeforeNode);
}

void robust_begin(RobustNode* node) {
    this_thread().head->list_op_pending = as_link(node);
    keep_order();
}

void robust_end() {
    keep_order();
    this_thread().head->list_op_pending = nullptr;
}

void robust_link(RobustNode* node) {
    robust_list_head* const head = this_thread().head;
    robust_list* const after = head->list.next;
    as_link(node)->next = after;
    set_back_link(after, as_link(node));
    keep_order();
    head->list.next = as_link(node);
    keep_order();
}

void robust_unlink(RobustNode* node) {
    robust_list_head* const head = this_thread().head;
    robust_list* before = &head->list;
    while (without_tag(before->next) != as_link(node)) {
        before = without_tag(before->next);
        if (before == &head->list) return;  // not on the list
    }
    robust_list* const after = as_link(node)->next;
    before->next = after;
    set_back_link(after, before);
    keep_order();
}

}  // namespace comap::os
