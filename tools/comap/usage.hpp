// SPDX-License-Identifier: Apache-2.0
// The command line as a whole: all commands, -h and --help, and what a wrong one says.
#pragma once

namespace comap::tool {

struct Tool;

// Parses. Returns the exit code if that was all (help, version, a wrong line), or -1: run the tool's action.
int parse_command_line(Tool& tool, int argc, char** argv);

}  // namespace comap::tool
