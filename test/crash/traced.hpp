// SPDX-License-Identifier: Apache-2.0
// A child process that is led from one system call to the next, or from one instruction to the next, and killed there.
// Only what lies between its two marks is led: the library call under test.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace comap::crash {

// In the child: where the part under test begins and ends. System calls without effect that the driver recognises.
void begin_mark();
void end_mark();

enum class Stop : std::uint8_t {
    call_begins,  // the kernel has not done anything of the call yet
    call_ends,    // the call has been done; the program has not seen its result yet
    mark,         // the part under test is over
    ended,        // the process has ended by itself
};

// Only the thread that made it may use it (ptrace's rule). The destructor kills the child.
class Traced {
  public:
    // Forks; `life` calls begin_mark() and end_mark(). Returns when the child has come to its begin mark.
    static Traced fork(const std::function<void()>& life);

    // Runs a program, led from its first instruction on; its output goes to /dev/null.
    static Traced execute(const std::vector<std::string>& arguments, const std::vector<std::string>& environment);

    Traced(Traced&& other) noexcept;
    Traced& operator=(Traced&&) = delete;
    ~Traced();

    // Lets it run to the next begin or end of a system call.
    Stop next_call_stop();

    // Lets it do one instruction; a system call is one. False when the process has ended.
    bool step();

    // Lets it run to the instruction at `place`, by a breakpoint there. False when it came to a system call before or ended.
    bool run_to(std::uint64_t place);

    // Where its next instruction is. REQUIRES: it has not ended; so for the next function.
    std::uint64_t place() const;
    bool is_before_call() const;  // that instruction is a system call
    bool has_ended() const { return pid_ < 0; }

    // Number of the system call at whose begin it stands.
    std::uint64_t call_number() const { return call_number_; }

    void kill();               // SIGKILL, and waits until it is gone
    void run_to_its_end();     // lets it go on by itself
    int exit_status() const { return exit_status_; }  // after the end: the exit code, or 128 + the signal; -1 before

    // Whether this process may trace at all (a container may forbid it).
    static bool is_possible();

  private:
    explicit Traced(pid_t pid) : pid_(pid) {}
    bool wait();  // for the next stop; false when the process has ended
    void run_to_first_stop();
    void set_place(std::uint64_t place) const;

    pid_t pid_ = -1;
    int signal_ = 0;  // that it stopped with
    std::uint64_t call_number_ = 0;
    int exit_status_ = -1;
};

}  // namespace comap::crash
