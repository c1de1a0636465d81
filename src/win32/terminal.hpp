// SPDX-License-Identifier: Apache-2.0
// Keys of the terminal as they are pressed, not shown. The terminal gets its own mode back before a call returns, at exit, and
// while a signal is handled or stops or ends the process. Any thread may call; one at a time waits for a key.
#pragma once

namespace comap::win32 {

bool is_terminal();  // both standard input and standard output

// Waits for a byte of standard input; -1: its end. Shows first what was printed.
int read_key();

// A call to read_key would not wait.
bool has_key();

}  // namespace comap::win32
