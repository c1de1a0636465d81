// SPDX-License-Identifier: Apache-2.0
// A command that runs while we hold something: started with the signals as we got them, told what we alone are told, waited for.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "signals.hpp"

namespace comap::tool {

// What becomes of the command when we are killed. `dies`: at once, by SIGKILL; not one that gains privileges when it is executed.
enum class WithoutUs { goes_on, dies };

struct Spawned {
    pid_t pid = 0;
    int os_error = 0;  // errno of what failed, or 0
};

// Starts command[0], looked for in PATH. Returns when it runs, or cannot. `input`: its standard input; none: ours.
Spawned spawn(const std::vector<std::string>& command, const HeldSignals& signals, WithoutUs without_us, std::optional<int> input = {});

// Says why the command could not be started; the exit code. `who`: our own command.
int fail_to_spawn(std::string_view who, const std::string& command, int os_error);

// Waits until it has ended, and meanwhile passes on the signals that were sent to us alone. The exit code.
// `signals` must have SIGCHLD.
int wait_for(pid_t child, const HeldSignals& signals);

}  // namespace comap::tool
