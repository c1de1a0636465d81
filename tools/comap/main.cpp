// SPDX-License-Identifier: Apache-2.0
// comap: named shared memory, from the command line.
#include <clocale>

#include "signals.hpp"
#include "system.hpp"
#include "tool.hpp"
#include "usage.hpp"

int main(int argc, char** argv) {
    comap::tool::keep_closed_streams_closed();
    std::setlocale(LC_CTYPE, "C.UTF-8");  // names are UTF-8, whatever the terminal's language
    comap::tool::prepare_signals();
    comap::tool::Tool tool;
    int status = comap::tool::parse_command_line(tool, argc, argv);
    if (tool.action && status < 0) status = tool.action();
    status = tool.out.finish(status);
    comap::tool::StopSignals::end_if_come();
    return status;
}
