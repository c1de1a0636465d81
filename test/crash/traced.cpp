// SPDX-License-Identifier: Apache-2.0
#include "traced.hpp"

#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace comap::crash {
namespace {

// getppid takes no arguments; these are seen by the driver only.
constexpr long kBeginMark = 0x62656769;
constexpr long kEndMark = 0x656e6421;
constexpr int kCallStop = SIGTRAP | 0x80;  // by PTRACE_O_TRACESYSGOOD

#if defined(__x86_64__)
constexpr std::uint32_t kCallInstruction = 0x050f;  // syscall
constexpr std::uint32_t kCallInstructionMask = 0xffff;
constexpr std::uint32_t kBreakpoint = 0xcc;  // int3: the program counter is then behind it
constexpr std::uint32_t kBreakpointMask = 0xff;
constexpr std::uint64_t kBreakpointAdvance = 1;
void set_place_in(struct user_regs_struct& registers, std::uint64_t place) { registers.rip = place; }
#elif defined(__aarch64__)
constexpr std::uint32_t kCallInstruction = 0xd4000001;  // svc #0
constexpr std::uint32_t kCallInstructionMask = 0xffffffff;
constexpr std::uint32_t kBreakpoint = 0xd4200000;  // brk #0: the program counter stays
constexpr std::uint32_t kBreakpointMask = 0xffffffff;
constexpr std::uint64_t kBreakpointAdvance = 0;
void set_place_in(struct user_regs_struct& registers, std::uint64_t place) { registers.pc = place; }
#else
#error "the crash tests do not know this processor's system call instruction"
#endif

[[noreturn]] void give_up(const char* what) {
    std::fprintf(stderr, "the tracer cannot go on: %s: %s\n", what, std::strerror(errno));
    std::exit(2);
}

// glibc's ptrace() takes an enum that lacks the newer requests.
template <typename Address, typename Data>
long trace(int request, pid_t pid, Address address, Data data) {
    return ::ptrace(static_cast<__ptrace_request>(request), pid, address, data);
}

struct __ptrace_syscall_info call_info(pid_t pid) {
    struct __ptrace_syscall_info info = {};
    if (trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) < 0) give_up("PTRACE_GET_SYSCALL_INFO");
    return info;
}

std::uint64_t read_word(pid_t pid, std::uint64_t place) {
    errno = 0;
    const long word = ::ptrace(PTRACE_PEEKTEXT, pid, reinterpret_cast<void*>(place), nullptr);
    if (word == -1 && errno != 0) give_up("PTRACE_PEEKTEXT");
    return static_cast<std::uint64_t>(word);
}

void write_word(pid_t pid, std::uint64_t place, std::uint64_t word) {
    if (trace(PTRACE_POKETEXT, pid, place, word) < 0) give_up("PTRACE_POKETEXT");
}

bool is_mark(const struct __ptrace_syscall_info& info, long mark) {
    return info.op == PTRACE_SYSCALL_INFO_ENTRY && info.entry.nr == SYS_getppid && info.entry.args[0] == static_cast<std::uint64_t>(mark);
}

void lead_me() {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) < 0) ::_exit(126);
    ::raise(SIGSTOP);
}

void silence_output() {
    const int nowhere = ::open("/dev/null", O_RDWR);
    ::dup2(nowhere, 0);
    ::dup2(nowhere, 1);
    ::dup2(nowhere, 2);
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> all;
    for (const auto& text : texts) all.push_back(const_cast<char*>(text.c_str()));
    all.push_back(nullptr);
    return all;
}

pid_t fork_or_give_up() {
    std::fflush(nullptr);
    const pid_t pid = ::fork();
    if (pid < 0) give_up("fork");
    return pid;
}

}  // namespace

void begin_mark() { ::syscall(SYS_getppid, kBeginMark); }
void end_mark() { ::syscall(SYS_getppid, kEndMark); }

Traced Traced::fork(const std::function<void()>& life) {
    Traced child(fork_or_give_up());
    if (child.pid_ == 0) {
        lead_me();
        life();
        ::_exit(0);
    }
    child.run_to_first_stop();
    for (;;) {
        trace(PTRACE_SYSCALL, child.pid_, 0, 0);
        if (!child.wait()) {
            std::fprintf(stderr, "the child ended before its mark, with %d\n", child.exit_status_);
            std::exit(2);
        }
        if (child.signal_ == kCallStop && is_mark(call_info(child.pid_), kBeginMark)) break;
    }
    trace(PTRACE_SYSCALL, child.pid_, 0, 0);
    child.wait();
    return child;
}

Traced Traced::execute(const std::vector<std::string>& arguments, const std::vector<std::string>& environment) {
    const auto argument_pointers = pointers(arguments);
    const auto environment_pointers = pointers(environment);
    Traced child(fork_or_give_up());
    if (child.pid_ == 0) {
        silence_output();
        lead_me();
        ::execve(argument_pointers[0], argument_pointers.data(), environment_pointers.data());
        ::_exit(127);
    }
    child.run_to_first_stop();
    while (child.next_call_stop() != Stop::ended)
        if (child.signal_ == kCallStop && child.call_number_ == SYS_execve) break;
    child.next_call_stop();  // the exec has been done
    return child;
}

Traced::Traced(Traced&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), signal_(other.signal_), call_number_(other.call_number_), exit_status_(other.exit_status_) {}

Traced::~Traced() { kill(); }

bool Traced::wait() {
    int status = 0;
    while (::waitpid(pid_, &status, __WALL) < 0)
        if (errno != EINTR) give_up("waitpid");
    if (WIFSTOPPED(status)) {
        signal_ = WSTOPSIG(status);
        return true;
    }
    exit_status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    pid_ = -1;
    return false;
}

void Traced::run_to_first_stop() {
    if (!wait()) give_up("the child cannot be traced");
    if (trace(PTRACE_SETOPTIONS, pid_, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) < 0) give_up("PTRACE_SETOPTIONS");
}

Stop Traced::next_call_stop() {
    for (int deliver = 0;; deliver = signal_ == SIGTRAP ? 0 : signal_) {
        if (trace(PTRACE_SYSCALL, pid_, 0, deliver) < 0) give_up("PTRACE_SYSCALL");
        if (!wait()) return Stop::ended;
        if (signal_ == kCallStop) break;
    }
    const auto info = call_info(pid_);
    if (is_mark(info, kEndMark)) return Stop::mark;
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY) return Stop::call_ends;
    call_number_ = info.entry.nr;
    return Stop::call_begins;
}

bool Traced::step() {
    for (int deliver = 0;; deliver = signal_) {
        if (trace(PTRACE_SINGLESTEP, pid_, 0, deliver) < 0) give_up("PTRACE_SINGLESTEP");
        if (!wait()) return false;
        if (signal_ == SIGTRAP) return true;
    }
}

std::uint64_t Traced::place() const { return call_info(pid_).instruction_pointer; }

bool Traced::is_before_call() const {
    return (static_cast<std::uint32_t>(read_word(pid_, place())) & kCallInstructionMask) == kCallInstruction;
}

bool Traced::run_to(std::uint64_t target) {
    const std::uint64_t word = read_word(pid_, target);
    write_word(pid_, target, (word & ~std::uint64_t{kBreakpointMask}) | kBreakpoint);
    if (trace(PTRACE_SYSCALL, pid_, 0, 0) < 0) give_up("PTRACE_SYSCALL");
    if (!wait()) return false;
    write_word(pid_, target, word);
    if (signal_ != SIGTRAP) return false;
    if (kBreakpointAdvance != 0) set_place(place() - kBreakpointAdvance);
    return place() == target;
}

void Traced::set_place(std::uint64_t place) const {
    struct user_regs_struct registers = {};
    struct iovec all = {&registers, sizeof registers};
    if (trace(PTRACE_GETREGSET, pid_, NT_PRSTATUS, &all) < 0) give_up("PTRACE_GETREGSET");
    set_place_in(registers, place);
    if (trace(PTRACE_SETREGSET, pid_, NT_PRSTATUS, &all) < 0) give_up("PTRACE_SETREGSET");
}

void Traced::kill() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    while (wait()) {}
}

void Traced::run_to_its_end() {
    while (pid_ >= 0) next_call_stop();
}

bool Traced::is_possible() {
    const pid_t pid = fork_or_give_up();
    if (pid == 0) {
        lead_me();
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(pid, &status, __WALL);
    if (!WIFSTOPPED(status)) return false;
    struct __ptrace_syscall_info info = {};
    const bool possible = trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) > 0;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, &status, __WALL);
    return possible;
}

}  // namespace comap::crash
