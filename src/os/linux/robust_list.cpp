// SPDX-License-Identifier: Apache-2.0
#include "os/robust_list.hpp"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <mutex>

#include "os/file.hpp"

namespace comap::os {

static_assert(sizeof(RobustHead) == sizeof(robust_list_head) && offsetof(RobustHead, word_offset_bytes) == offsetof(robust_list_head, futex_offset));
static_assert(offsetof(RobustHead, pending) == offsetof(robust_list_head, list_op_pending) && offsetof(RobustHead, next) == offsetof(RobustNode, next));

constinit thread_local ThisThread remembered_thread;
std::uint32_t fork_generation = 1;

namespace {

constexpr std::uint64_t kLeavingNs = 1'000'000'000;  // many times what the kernel takes to end a thread that has run its last code
constexpr std::uint64_t kGoingNs = 2'000'000;  // one that has, and is still there, is waited for so long: other destructors may run in it

// The threads of this process that asked for their number: numbers are used again, tokens are not. While its mutex is locked nobody forks.
struct Threads {
    std::mutex mutex;
    std::uint64_t count = 0;
    std::map<std::uint64_t, std::uint64_t> left_ns;  // token: when it ran its last code; 0: it has not

    static Threads& instance() {
        static Threads* const threads = new Threads;  // never destroyed: threads may end later
        return *threads;
    }

    std::uint64_t enter(std::uint32_t number) {
        const NoForkScope no_fork;
        const std::lock_guard guard(mutex);
        const std::uint64_t now = monotonic_ns();
        std::erase_if(left_ns, [&](const auto& one) { return one.second != 0 && now - one.second > kLeavingNs; });
        const std::uint64_t token = ++count << 32 | number;
        left_ns[token] = 0;
        return token;
    }
    void leave(std::uint64_t token) {
        const NoForkScope no_fork;
        const std::lock_guard guard(mutex);
        if (const auto found = left_ns.find(token); found != left_ns.end()) found->second = monotonic_ns();
    }
    enum class Stage : std::uint8_t { running, leaving, gone };  // leaving: it has run its last code, not long ago
    Stage stage(std::uint64_t token) {
        const NoForkScope no_fork;
        const std::lock_guard guard(mutex);
        const auto found = left_ns.find(token);
        if (found == left_ns.end()) return Stage::gone;
        if (found->second == 0) return Stage::running;
        return monotonic_ns() - found->second <= kLeavingNs ? Stage::leaving : Stage::gone;
    }
};

// Runs when its thread ends, before the kernel goes through the thread's list.
struct Leaving {
    ~Leaving() { Threads::instance().leave(remembered_thread.token); }
    void arm() {}
};

// Distance of the head from what pthread_self() says: the same for all threads.
std::atomic<std::intptr_t> known_head_offset{0};

RobustHead* find_head() {
    void* head = nullptr;
    std::size_t size_bytes = 0;
    const auto self = static_cast<std::intptr_t>(::pthread_self());
    if (::syscall(SYS_get_robust_list, 0, &head, &size_bytes) == 0 && head) {
        known_head_offset = reinterpret_cast<std::intptr_t>(head) - self;
        return static_cast<RobustHead*>(head);
    }
    // A sandbox refuses the question; the C library's threads have a list all the same.
    return known_head_offset != 0 ? reinterpret_cast<RobustHead*>(self + known_head_offset) : nullptr;
}

[[gnu::constructor]] void watch_forks() {
    ::pthread_atfork(nullptr, nullptr, [] {
        ++fork_generation;
        Threads::instance().left_ns.clear();  // the child's one thread is a new one
    });
}

}  // namespace

void learn_this_thread() {
    static thread_local Leaving leaving;
    leaving.arm();
    ThisThread& thread = remembered_thread;
    thread.number = static_cast<std::uint32_t>(::gettid());
    thread.head = find_head();
    thread.token = Threads::instance().enter(thread.number);
    thread.generation = fork_generation;
}

bool is_alive(std::uint64_t thread_token) {
    const auto number = static_cast<std::uint32_t>(thread_token);
    return Threads::instance().stage(thread_token) != Threads::Stage::gone && ::syscall(SYS_tgkill, ::getpid(), number, 0) == 0;
}

bool is_alive_for_long(std::uint64_t thread_token) {
    static std::atomic<std::uint64_t> waited_for{0};  // a thread can be there for as long as its process: it is not waited for again and again
    const std::uint64_t asked_ns = monotonic_ns();
    while (is_alive(thread_token)) {
        if (thread_token == remembered_thread.token || waited_for.load(std::memory_order_relaxed) == thread_token || Threads::instance().stage(thread_token) != Threads::Stage::leaving) return true;
        if (monotonic_ns() - asked_ns > kGoingNs) waited_for.store(thread_token, std::memory_order_relaxed);
        ::sched_yield();
    }
    return false;
}

bool has_robust_list() {
    know_this_thread();
    const RobustHead* const head = remembered_thread.head;
    return head != nullptr && head->word_offset_bytes == -static_cast<long>(kRobustWordBeforeNode);
}

}  // namespace comap::os
