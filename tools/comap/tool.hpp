// SPDX-License-Identifier: Apache-2.0
// Tool: what every command works with, and how it puts itself on the command line.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <comap/context.hpp>
#include <comap/section.hpp>

#include "command_line.hpp"
#include "output.hpp"

namespace comap::tool {

struct Tool {
    Context context;
    Output out;
    std::function<int()> action;  // of the command that was given; returns the exit code
};

// What a command says about itself. `examples`: lines for its help.
struct CommandText {
    const char* name;
    const char* summary;
    const char* examples;
};

template <typename Options>
struct Command {
    CommandLine line;
    Options& options;  // live until the line is parsed, and its action is done
};

// Adds a command. If it is given, the tool's action is to call `run` with what was given.
template <typename Options>
Command<Options> add_command(CommandLine line, Tool& tool, const CommandText& text, int (*run)(Tool&, const Options&)) {
    const auto options = std::make_shared<Options>();
    return {line.add_command(text.name, text.summary, text.examples, [&tool, options, run] { tool.action = [&tool, options, run] { return run(tool, *options); }; }), *options};
}

// Options with a value of their own reading; a bad one is a usage error that says why.
Argument add_size(CommandLine command, const std::string& names, std::uint64_t& size_bytes, const std::string& help);
Argument add_size(CommandLine command, const std::string& names, std::optional<std::uint64_t>& size_bytes,
                      const std::string& help);
Argument add_mode(CommandLine command, std::uint32_t& mode);
Argument add_mode(CommandLine command, std::optional<std::uint32_t>& mode);  // if it is made now
Argument add_name(CommandLine command, std::string& name);

// "--file PATH", for sections whose own path cannot be believed.
Argument add_expected_file(CommandLine command, std::string& path);

// Every command, each from its own file.
void add_create(CommandLine line, Tool& tool);
void add_put(CommandLine line, Tool& tool);
void add_get(CommandLine line, Tool& tool);
void add_watch(CommandLine line, Tool& tool);
void add_hexdump(CommandLine line, Tool& tool);
void add_ls(CommandLine line, Tool& tool);
void add_stat(CommandLine line, Tool& tool);
void add_who(CommandLine line, Tool& tool);
void add_rm(CommandLine line, Tool& tool);
void add_run(CommandLine line, Tool& tool);
void add_channel(CommandLine line, Tool& tool);
void add_pub(CommandLine line, Tool& tool);
void add_sub(CommandLine line, Tool& tool);
void add_queue(CommandLine line, Tool& tool);
void add_push(CommandLine line, Tool& tool);
void add_pop(CommandLine line, Tool& tool);
void add_record(CommandLine line, Tool& tool);
void add_replay(CommandLine line, Tool& tool);
void add_dump(CommandLine line, Tool& tool);
void add_load(CommandLine line, Tool& tool);
void add_lock(CommandLine line, Tool& tool);
void add_cell(CommandLine line, Tool& tool);
void add_mutex(CommandLine line, Tool& tool);
void add_event(CommandLine line, Tool& tool);
void add_sem(CommandLine line, Tool& tool);
void add_wait(CommandLine line, Tool& tool);
void add_gc(CommandLine line, Tool& tool);
void add_janitor(CommandLine line, Tool& tool);
void add_doctor(CommandLine line, Tool& tool);
void add_limits(CommandLine line, Tool& tool);
void add_setup_global(CommandLine line, Tool& tool);
void add_completion(CommandLine line, Tool& tool);

}  // namespace comap::tool
