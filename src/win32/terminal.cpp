// SPDX-License-Identifier: Apache-2.0
#include "win32/terminal.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <new>
#include <poll.h>
#include <pthread.h>
#include <termios.h>
#include <unistd.h>
#include <utility>

namespace comap::win32 {
namespace {

// Signals that end or stop a process, or after which a program may end itself.
constexpr std::array kSignals{SIGHUP, SIGINT,  SIGQUIT, SIGTERM, SIGTSTP, SIGALRM, SIGUSR1, SIGUSR2,
                              SIGPIPE, SIGABRT, SIGSEGV, SIGBUS,  SIGFPE,  SIGILL};

std::mutex raw_mutex;
std::atomic<bool> is_raw{false};
termios own_mode{};  // these two: written only while not raw, read by signal handlers while it is
termios raw_mode{};
std::array<struct sigaction, NSIG> own_actions{};

void set_mode(const termios& mode) {
    while (tcsetattr(STDIN_FILENO, TCSANOW, &mode) != 0 && errno == EINTR) {
    }
}

void give_back_at_exit() {
    if (is_raw.load(std::memory_order_acquire)) set_mode(own_mode);  // SYNC terminal.raw: sees the mode; pairs with terminal.enter
}

void guard(int signal_number, siginfo_t* info, void* context);

void set_guard(int signal_number) {
    struct sigaction action {};
    action.sa_sigaction = guard;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    for (const int other : kSignals) sigaddset(&action.sa_mask, other);
    sigaction(signal_number, &action, nullptr);
}

// Does what the signal does by itself; comes back if that is to stop, once the process goes on.
void take_by_default(int signal_number) {
    sigaction(signal_number, &own_actions[static_cast<std::size_t>(signal_number)], nullptr);
    sigset_t only;
    sigset_t before;
    sigemptyset(&only);
    sigaddset(&only, signal_number);
    raise(signal_number);
    pthread_sigmask(SIG_UNBLOCK, &only, &before);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    set_guard(signal_number);
}

void guard(int signal_number, siginfo_t* info, void* context) {
    const int saved_errno = errno;
    const struct sigaction& own = own_actions[static_cast<std::size_t>(signal_number)];
    set_mode(own_mode);
    if (own.sa_flags & SA_SIGINFO)
        own.sa_sigaction(signal_number, info, context);
    else if (own.sa_handler == SIG_DFL)
        take_by_default(signal_number);
    else
        own.sa_handler(signal_number);
    if (is_raw.load(std::memory_order_acquire)) set_mode(raw_mode);  // SYNC terminal.raw: pairs with terminal.enter
    errno = saved_errno;
}

void guard_signals() {
    for (const int signal_number : kSignals) {
        struct sigaction& own = own_actions[static_cast<std::size_t>(signal_number)];
        sigaction(signal_number, nullptr, &own);
        const bool is_ignored = !(own.sa_flags & SA_SIGINFO) && own.sa_handler == SIG_IGN;
        if (!is_ignored) set_guard(signal_number);
    }
}

void unguard_signals() {
    for (const int signal_number : kSignals) sigaction(signal_number, &own_actions[static_cast<std::size_t>(signal_number)], nullptr);
}

// In the child of a fork: no thread waits for keys, whatever its parent's do. Of the terminal, which both have, it leaves the mode.
void forget_in_child() {
    if (raw_mutex.try_lock()) return raw_mutex.unlock();
    new (&raw_mutex) std::mutex;
    is_raw.store(false, std::memory_order_relaxed);
    for (const int signal_number : kSignals) {
        struct sigaction now {};
        sigaction(signal_number, nullptr, &now);
        if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == guard) sigaction(signal_number, &own_actions[static_cast<std::size_t>(signal_number)], nullptr);
    }
}

[[gnu::constructor]] void watch_forks() { ::pthread_atfork(nullptr, nullptr, forget_in_child); }

// While it lives, keys come as they are pressed and are not shown.
class RawTerminal {
  public:
    explicit RawTerminal(std::unique_lock<std::mutex> turn);
    ~RawTerminal();
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;

  private:
    std::unique_lock<std::mutex> turn_;
};

RawTerminal::RawTerminal(std::unique_lock<std::mutex> turn) : turn_(std::move(turn)) {
    [[maybe_unused]] static const int registered = std::atexit(give_back_at_exit);
    if (tcgetattr(STDIN_FILENO, &own_mode) != 0) return;
    raw_mode = own_mode;
    raw_mode.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    raw_mode.c_iflag &= ~static_cast<tcflag_t>(ICRNL | INLCR | IGNCR);
    raw_mode.c_cc[VMIN] = 1;
    raw_mode.c_cc[VTIME] = 0;
    guard_signals();
    is_raw.store(true, std::memory_order_release);  // SYNC terminal.enter: the mode is there; pairs with terminal.raw
    set_mode(raw_mode);
}

RawTerminal::~RawTerminal() {
    if (!is_raw.exchange(false, std::memory_order_acq_rel)) return;  // SYNC terminal.leave: pairs with terminal.raw
    set_mode(own_mode);
    unguard_signals();
}

bool has_input() {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    return poll(&input, 1, 0) == 1 && (input.revents & POLLIN);
}

// What the C library has read already and not handed out.
bool is_input_buffered() {
#ifdef __GLIBC__
    return stdin->_IO_read_ptr < stdin->_IO_read_end;
#else
    return false;
#endif
}

}  // namespace

bool is_terminal() { return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO); }

int read_key() {
    std::fflush(stdout);
    if (!isatty(STDIN_FILENO)) return std::getc(stdin);
    const RawTerminal raw{std::unique_lock(raw_mutex)};
    for (;;) {
        unsigned char byte = 0;
        const ssize_t count = read(STDIN_FILENO, &byte, 1);
        if (count == 1) return byte;
        if (count == 0 || errno != EINTR) return -1;
    }
}

bool has_key() {
    if (!isatty(STDIN_FILENO)) return is_input_buffered() || has_input();
    std::unique_lock turn(raw_mutex, std::try_to_lock);
    if (!turn) return has_input();  // another thread waits for keys: the terminal gives them already
    const RawTerminal raw(std::move(turn));
    return has_input();
}

}  // namespace comap::win32
