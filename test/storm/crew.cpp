// SPDX-License-Identifier: Apache-2.0
#include "crew.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "os/file.hpp"
#include "support/process.hpp"

namespace comap::storm {
namespace {

constexpr auto kOrder = std::memory_order_seq_cst;
constexpr std::uint64_t kHangNs = 60'000'000'000u;

}  // namespace

void nap(std::uint64_t ns) {
    const struct timespec span = {0, static_cast<long>(ns)};
    ::nanosleep(&span, nullptr);
}

Crew::Crew(Board& board, std::uint64_t seed, std::function<void(std::size_t, std::uint32_t)> live, std::function<void()> busy)
    : board_(board), random_(seed + 29), live_(std::move(live)), busy_(std::move(busy)) {
    ::prctl(PR_SET_TIMERSLACK, 1000);
    for (std::size_t i = 0; i < kProcessCount; ++i) start(i);
}

void Crew::start(std::size_t process) {
    board_.slots[process].begun.store(0, kOrder);
    std::fflush(nullptr);
    const std::uint32_t serial = serials_[process] = ++last_serial_;
    const pid_t pid = ::fork();
    if (pid < 0) {
        std::perror("fork");
        std::exit(2);
    }
    if (pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // nothing is left of a run that ends early
        live_(process, serial);
        ::_exit(0);
    }
    pids_[process] = pid;
}

void Crew::stop(std::size_t process) {
    ::kill(pids_[process], SIGSTOP);
    int status = 0;
    if (::waitpid(pids_[process], &status, WUNTRACED) != pids_[process] || !WIFSTOPPED(status)) report_end(process, status);
}

void Crew::go_on(std::size_t process) { ::kill(pids_[process], SIGCONT); }

void Crew::kill(std::size_t process) {
    ::kill(pids_[process], SIGKILL);
    int status = 0;
    if (::waitpid(pids_[process], &status, 0) != pids_[process] || !WIFSIGNALED(status)) report_end(process, status);
}

void Crew::report_end(std::size_t process, int status) {
    board_.report("process " + std::to_string(process) + " ended by itself, with status " + std::to_string(status));
}

void Crew::pass_random_time() {
    switch (random_.below(4)) {
        case 0:
            return test::pass_time(static_cast<std::uint32_t>(random_.below(1000)));
        case 1:
            return test::pass_time(static_cast<std::uint32_t>(random_.below(300'000)));
        default:
            return nap(random_.below(400'000));
    }
}

void Crew::wait_for(const std::function<bool()>& condition, const char* what) {
    const std::uint64_t began_ns = os::monotonic_ns();
    while (!condition() && !board_.is_over()) {
        if (os::monotonic_ns() - began_ns > kHangNs) return board_.report(std::string("waited a minute in vain until ") + what);
        busy_();
        nap(30'000);
    }
}

bool Crew::end() {
    const bool in_order = !board_.is_over();
    board_.over.store(1, kOrder);
    for (std::size_t process = 0; process < kProcessCount; ++process) {
        if (!in_order) ::kill(pids_[process], SIGKILL);
        int status = 0;
        const std::uint64_t began_ns = os::monotonic_ns();
        while (::waitpid(pids_[process], &status, WNOHANG) == 0) {
            if (os::monotonic_ns() - began_ns > kHangNs) {
                board_.report("process " + std::to_string(process) + " does not end");
                ::kill(pids_[process], SIGKILL);
            }
            busy_();
            nap(100'000);
        }
        if (in_order && status != 0) report_end(process, status);
    }
    return in_order;
}

}  // namespace comap::storm
