// SPDX-License-Identifier: Apache-2.0
// Work for several processes that may die at any time. Accounts lie in shared memory under a mutex (Guarded); a semaphore counts
// the orders to be carried out; an event says when to stop. One worker is killed while it holds the mutex: the next owner is told,
// repairs what was half done, and goes on.
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <comap/comap.hpp>

namespace {

using comap::Deadline;

struct Accounts {
    std::int64_t total;  // of both; does not change
    std::int64_t savings;
    std::int64_t current;
};

// The last owner died between two steps: the total says what must be there.
comap::Repair repair(Accounts& accounts) {
    std::puts("the last owner died in the middle of a transfer; putting it in order");
    std::fflush(stdout);
    accounts.current = accounts.total - accounts.savings;
    return comap::Repair::repaired;
}

[[noreturn]] void end(const comap::Error& error) {
    std::fprintf(stderr, "locks: %s\n", error.message.c_str());
    _exit(1);
}

template <typename T>
T must(comap::Result<T> result) {
    if (!result) end(result.error());
    return std::move(*result);
}

void transfer(const comap::Guarded<Accounts>& accounts, bool die_halfway) {
    auto lock = must(accounts.lock(Deadline::forever(), repair));
    Accounts& both = **lock.value;
    both.savings -= 1;
    if (die_halfway) kill(getpid(), SIGKILL);
    both.current += 1;
}

// Carries out orders until it is told to stop. `dies_at`: in the middle of which order, if any.
int work(int dies_at) {
    const auto accounts = must(comap::Guarded<Accounts>::open_or_create("accounts"));
    const auto orders = must(comap::Semaphore::open("orders"));
    const auto stop = must(comap::Event::open("stop"));
    const std::array<comap::Waitable, 2> either = {orders, stop};  // orders first
    for (int done = 0;; ++done) {
        const comap::Waited ready = must(comap::wait_any(either));
        if (ready.end == comap::Acquired::interrupted) continue;
        if (ready.index == 1) return 0;
        transfer(accounts, done == dies_at);
    }
}

pid_t start(int dies_at) {
    const pid_t worker = fork();
    if (worker == 0) _exit(work(dies_at));
    return worker;
}

void wait_for(pid_t worker) {
    int status = 0;
    waitpid(worker, &status, 0);
    std::printf("a worker was %s\n", WIFSIGNALED(status) ? "killed" : "done");
    std::fflush(stdout);
}

}  // namespace

int main() {
    const auto accounts = must(comap::Guarded<Accounts>::open_or_create("accounts", {1000, 1000, 0}));
    const auto orders = must(comap::Semaphore::open_or_create("orders", {.initial = 0, .maximum = 1000}));
    const auto stop = must(comap::Event::open_or_create("stop", {.reset = comap::Reset::manual}));

    const pid_t first = start(5);
    must(orders.release(10));
    wait_for(first);
    const std::array<pid_t, 2> others = {start(-1), start(-1)};
    must(orders.release(290));
    if (auto set = stop.set(); !set) end(set.error());  // orders come first in each worker's list: all are carried out
    for (const pid_t worker : others) wait_for(worker);

    const auto lock = must(accounts.lock(Deadline::forever(), repair));
    const Accounts& both = **lock.value;
    std::printf("savings %lld + current %lld = %lld\n", static_cast<long long>(both.savings), static_cast<long long>(both.current),
                static_cast<long long>(both.savings + both.current));
    return both.savings + both.current == both.total ? 0 : 1;
}
