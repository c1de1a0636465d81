// SPDX-License-Identifier: Apache-2.0
#include "signals.hpp"

#include <array>
#include <cerrno>
#include <string_view>

#include <unistd.h>

#include "exit.hpp"

namespace comap::tool {
namespace {

constexpr std::array kStopping = {SIGINT, SIGTERM, SIGHUP};
constexpr long kRepeatNanoseconds = 10'000'000;

volatile std::sig_atomic_t stop_signal = 0;
timer_t stop_timer;

void set_handler(int signal_number, void (*handler)(int), int flags = 0) {
    struct sigaction action = {};
    action.sa_handler = handler;
    action.sa_flags = flags;
    ::sigaction(signal_number, &action, nullptr);
}

bool is_ignored(int signal_number) {
    struct sigaction action = {};
    return ::sigaction(signal_number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

void on_lost_memory(int) {
    constexpr std::string_view text = "comap: the memory behind the object went away: its file was shortened, or memory ran out\n";
    [[maybe_unused]] const auto count = ::write(STDERR_FILENO, text.data(), text.size());
    ::_exit(kDamaged);
}

void on_stop(int signal_number) {
    stop_signal = signal_number;
    const itimerspec soon_and_again = {{0, kRepeatNanoseconds}, {0, kRepeatNanoseconds}};
    ::timer_settime(stop_timer, 0, &soon_and_again, nullptr);
}

void on_repeat(int) {}

}  // namespace

void prepare_signals() {
    set_handler(SIGPIPE, SIG_IGN);
    set_handler(SIGBUS, on_lost_memory);
    set_handler(SIGCHLD, SIG_DFL);  // else the kernel would keep a child's exit status from us
}

HeldSignals::HeldSignals(std::initializer_list<int> signals) {
    ::sigemptyset(&set_);
    for (const int signal_number : signals)
        if (signal_number != SIGHUP || !is_ignored(SIGHUP)) ::sigaddset(&set_, signal_number);
    ::sigprocmask(SIG_BLOCK, &set_, &before_);
}

HeldSignals::~HeldSignals() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }

siginfo_t HeldSignals::wait() const {
    siginfo_t info = {};
    while (::sigwaitinfo(&set_, &info) < 0 && errno == EINTR) {
    }
    return info;
}

StopSignals::StopSignals(Ignored ignored) {
    set_handler(SIGALRM, on_repeat);
    sigevent event = {};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGALRM;
    if (::timer_create(CLOCK_MONOTONIC, &event, &timer_) != 0) return;  // then a signal just ends the process
    stop_timer = timer_;
    for (const int signal_number : kStopping)
        if ((signal_number != SIGHUP && ignored == Ignored::stop_too) || !is_ignored(signal_number)) set_handler(signal_number, on_stop, static_cast<int>(SA_RESETHAND));
}

StopSignals::~StopSignals() {
    for (const int signal_number : kStopping)
        if (!is_ignored(signal_number)) set_handler(signal_number, SIG_DFL);
    ::timer_delete(timer_);
}

bool StopSignals::came() { return stop_signal != 0; }

void StopSignals::end_if_come() {
    const int signal_number = stop_signal;
    if (signal_number == 0) return;
    set_handler(signal_number, SIG_DFL);
    ::raise(signal_number);
}

}  // namespace comap::tool
