// SPDX-License-Identifier: Apache-2.0
#include "child.hpp"

#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exit.hpp"
#include "system.hpp"

namespace comap::tool {
namespace {

struct Pipe {
    Descriptor read_end;
    Descriptor write_end;
};

// The ends are closed when the command is executed. Nothing: errno says why.
bool open_pipe(Pipe& pipe) {
    std::array<int, 2> ends;
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return false;
    pipe = {Descriptor(ends[0]), Descriptor(ends[1])};
    return true;
}

// Only what is safe after fork. Returns errno; not at all if it goes well.
int become(char* const* arguments, const sigset_t& mask, WithoutUs without_us, pid_t parent, std::optional<int> input) {
    if (input && ::dup2(*input, STDIN_FILENO) < 0) return errno;
    for (const int signal_number : {SIGPIPE, SIGBUS}) ::signal(signal_number, SIG_DFL);
    if (without_us == WithoutUs::dies && ::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return errno;
    if (without_us == WithoutUs::dies && ::getppid() != parent) ::_exit(kRunFailed);  // killed already
    ::sigprocmask(SIG_SETMASK, &mask, nullptr);
    ::execvp(arguments[0], arguments);
    return errno;
}

// What become() returned in the child; 0 if the command was executed.
int reported_error(int descriptor) {
    int error = 0;
    for (;;) {
        const auto count = ::read(descriptor, &error, sizeof error);
        if (count < 0 && errno == EINTR) continue;
        return count == static_cast<ssize_t>(sizeof error) ? error : 0;
    }
}

int status_of(int wait_status) {
    return WIFSIGNALED(wait_status) ? kSignalBase + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

// A signal of the terminal goes to the child anyway: it is in our process group.
bool is_for_us_alone(const siginfo_t& info) { return info.si_code <= 0; }

}  // namespace

Spawned spawn(const std::vector<std::string>& command, const HeldSignals& signals, WithoutUs without_us, std::optional<int> input) {
    std::vector<char*> arguments;
    for (const auto& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    Pipe pipe;
    if (!open_pipe(pipe)) return {0, errno};
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child < 0) return {0, errno};
    if (child == 0) {
        const int error = become(arguments.data(), signals.mask_before(), without_us, parent, input);
        [[maybe_unused]] const auto count = ::write(pipe.write_end.number(), &error, sizeof error);
        ::_exit(kCommandNotFound);
    }
    pipe.write_end.close();
    const int error = reported_error(pipe.read_end.number());
    if (error != 0) ::waitpid(child, nullptr, 0);
    return {child, error};
}

int fail_to_spawn(std::string_view who, const std::string& command, int os_error) {
    fail_system(fmt::format("{}: {}", who, command), os_error);
    return os_error == ENOENT ? kCommandNotFound : kCannotExecute;
}

int wait_for(pid_t child, const HeldSignals& signals) {
    for (;;) {
        const siginfo_t info = signals.wait();
        int status = 0;
        if (info.si_signo == SIGCHLD && ::waitpid(child, &status, WNOHANG) == child) return status_of(status);
        if (info.si_signo != SIGCHLD && is_for_us_alone(info)) ::kill(child, info.si_signo);
    }
}

}  // namespace comap::tool
