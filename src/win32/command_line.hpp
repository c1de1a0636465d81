// SPDX-License-Identifier: Apache-2.0
// Command lines: one string on Windows, a list of arguments here.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace comap::win32 {

// As the C runtime of Windows splits it: the program's name up to the closing quote or the first blank; then blanks outside of
// quotes separate. 2n backslashes and a quote are n backslashes and a quote that opens or closes, one backslash more makes it a
// letter, and so do two quotes in a quoted part. Other backslashes are letters.
std::vector<std::string> split_command_line(std::string_view line);

// The file of the program that a command line begins with, searched as CreateProcess does: beside this program, in the current
// directory, on the PATH; a name that ends in .exe also without that, since that is what the same program is called here. Of an
// unquoted path with blanks the shortest beginning that is a file. The last error is set if there is none.
std::optional<std::string> find_program(std::string_view line);

}  // namespace comap::win32
