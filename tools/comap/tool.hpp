// SPDX-License-Identifier: Apache-2.0
// Tool: what every command works with, and how it puts itself on the command line.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

#include <comap/context.hpp>
#include <comap/section.hpp>

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
    CLI::App* app;
    Options& options;  // live as long as the app
};

// Adds a command; `when_given` is called when it was. What makes a CLI::App compiles seconds of CLI11, so it is done in one source.
CLI::App* add_command(CLI::App& app, const CommandText& text, std::function<void()> when_given);

// The same; then the tool's action is to call `run` with what was given.
template <typename Options>
Command<Options> add_command(CLI::App& app, Tool& tool, const CommandText& text, int (*run)(Tool&, const Options&)) {
    const auto options = std::make_shared<Options>();
    return {add_command(app, text, [&tool, options, run] { tool.action = [&tool, options, run] { return run(tool, *options); }; }), *options};
}

// Options with a value of their own reading; a bad one is a usage error that says why.
CLI::Option* add_size(CLI::App* command, const std::string& names, std::uint64_t& size_bytes, const std::string& help);
CLI::Option* add_size(CLI::App* command, const std::string& names, std::optional<std::uint64_t>& size_bytes,
                      const std::string& help);
CLI::Option* add_mode(CLI::App* command, std::uint32_t& mode);
CLI::Option* add_mode(CLI::App* command, std::optional<std::uint32_t>& mode);  // if it is made now
CLI::Option* add_name(CLI::App* command, std::string& name);

// "--file PATH", for sections whose own path cannot be believed.
CLI::Option* add_expected_file(CLI::App* command, std::string& path);

// Every command, each from its own file.
void add_create(CLI::App& app, Tool& tool);
void add_put(CLI::App& app, Tool& tool);
void add_get(CLI::App& app, Tool& tool);
void add_watch(CLI::App& app, Tool& tool);
void add_hexdump(CLI::App& app, Tool& tool);
void add_ls(CLI::App& app, Tool& tool);
void add_stat(CLI::App& app, Tool& tool);
void add_who(CLI::App& app, Tool& tool);
void add_rm(CLI::App& app, Tool& tool);
void add_run(CLI::App& app, Tool& tool);
void add_channel(CLI::App& app, Tool& tool);
void add_pub(CLI::App& app, Tool& tool);
void add_sub(CLI::App& app, Tool& tool);
void add_queue(CLI::App& app, Tool& tool);
void add_push(CLI::App& app, Tool& tool);
void add_pop(CLI::App& app, Tool& tool);
void add_record(CLI::App& app, Tool& tool);
void add_replay(CLI::App& app, Tool& tool);
void add_dump(CLI::App& app, Tool& tool);
void add_load(CLI::App& app, Tool& tool);
void add_lock(CLI::App& app, Tool& tool);
void add_cell(CLI::App& app, Tool& tool);
void add_mutex(CLI::App& app, Tool& tool);
void add_event(CLI::App& app, Tool& tool);
void add_sem(CLI::App& app, Tool& tool);
void add_wait(CLI::App& app, Tool& tool);
void add_gc(CLI::App& app, Tool& tool);
void add_janitor(CLI::App& app, Tool& tool);
void add_doctor(CLI::App& app, Tool& tool);
void add_limits(CLI::App& app, Tool& tool);
void add_setup_global(CLI::App& app, Tool& tool);
void add_completion(CLI::App& app, Tool& tool);

}  // namespace comap::tool
