// SPDX-License-Identifier: Apache-2.0
// Process: a child whose output is read line by line, with a deadline. It never outlives its Process object.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace demo {

using Clock = std::chrono::steady_clock;

// What the kernel has counted for a process so far.
struct Usage {
    long sleep_count = 0;     // times it gave up the processor to wait for something
    double processor_ms = 0;  // time on a processor
};

class Process {
  public:
    // Starts command[0] with the rest as arguments. Its standard output comes to us; its errors go where ours go.
    explicit Process(const std::vector<std::string>& command);
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    pid_t pid() const { return pid_; }

    // Nothing when the output ended or the deadline is over.
    std::optional<std::string> next_line(Clock::time_point deadline);

    // While it runs.
    Usage usage() const;

    // SIGKILL; returns when the process is gone.
    void kill();

    // Waits for its own end. Its exit status; 128 + N if a signal ended it; 124 if it still runs at the deadline (it is then
    // killed).
    int wait(Clock::time_point deadline);

  private:
    void reap();

    pid_t pid_ = -1;
    int output_ = -1;     // read end of the pipe
    std::string unread_;  // bytes after the last line that was returned
    int status_ = 0;
    bool has_ended_ = false;
};

// Runs a command to its end. Its output's lines, and its exit status as Process::wait gives it.
struct Ran {
    std::vector<std::string> lines;
    int status = 0;
};
Ran run(const std::vector<std::string>& command, Clock::time_point deadline);

}  // namespace demo
