// SPDX-License-Identifier: Apache-2.0
#include "process.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <stdexcept>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace demo {

namespace {

// Only in the child.
[[noreturn]] void become(const std::vector<std::string>& command, int output, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // it ends with us, even if we are killed
    if (getppid() != parent) _exit(125);
    dup2(output, STDOUT_FILENO);
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    execv(arguments[0], arguments.data());
    std::perror(arguments[0]);
    _exit(127);
}

int milliseconds_until(Clock::time_point deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    return static_cast<int>(std::clamp<long long>(left, 0, 60'000));
}

}  // namespace

Process::Process(const std::vector<std::string>& command) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    const pid_t parent = getpid();
    pid_ = fork();
    if (pid_ < 0) throw std::runtime_error("no process");
    if (pid_ == 0) become(command, ends[1], parent);
    close(ends[1]);
    output_ = ends[0];
}

Process::~Process() {
    kill();
    close(output_);
}

std::optional<std::string> Process::next_line(Clock::time_point deadline) {
    for (;;) {
        if (const auto end = unread_.find('\n'); end != std::string::npos) {
            std::string line = unread_.substr(0, end);
            unread_.erase(0, end + 1);
            return line;
        }
        pollfd ready = {.fd = output_, .events = POLLIN, .revents = 0};
        if (poll(&ready, 1, milliseconds_until(deadline)) <= 0) return std::nullopt;
        char bytes[4096];
        const ssize_t count = read(output_, bytes, sizeof bytes);
        if (count <= 0) return std::nullopt;
        unread_.append(bytes, static_cast<std::size_t>(count));
    }
}

Usage Process::usage() const {
    Usage usage;
    std::ifstream file("/proc/" + std::to_string(pid_) + "/status");
    const std::string key = "voluntary_ctxt_switches:";
    for (std::string line; std::getline(file, line);)
        if (line.starts_with(key)) usage.sleep_count = std::stol(line.substr(key.size()));
    clockid_t clock{};
    timespec time{};
    if (clock_getcpuclockid(pid_, &clock) == 0 && clock_gettime(clock, &time) == 0)
        usage.processor_ms = static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
    return usage;
}

void Process::kill() {
    if (has_ended_) return;
    ::kill(pid_, SIGKILL);
    reap();
}

int Process::wait(Clock::time_point deadline) {
    // The end of its output comes with its own end: wait for that, then for the process.
    while (!has_ended_ && Clock::now() < deadline) {
        if (next_line(deadline)) continue;
        if (Clock::now() < deadline) reap();
    }
    if (!has_ended_) {
        kill();
        return 124;
    }
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
}

void Process::reap() {
    while (waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
    }
    has_ended_ = true;
}

Ran run(const std::vector<std::string>& command, Clock::time_point deadline) {
    Process process(command);
    Ran ran;
    while (auto line = process.next_line(deadline)) ran.lines.push_back(std::move(*line));
    ran.status = process.wait(deadline);
    return ran;
}

}  // namespace demo
