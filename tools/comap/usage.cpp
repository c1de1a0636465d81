// SPDX-License-Identifier: Apache-2.0
#include "usage.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "exit.hpp"
#include "tool.hpp"

namespace comap::tool {
namespace {

constexpr int kRunAction = -1;
constexpr const char* kExamples =
    "\nExamples:\n"
    "  comap put greeting 'hello'        make a text that stays, or change it\n"
    "  comap get greeting                print it\n"
    "  comap watch greeting              print each new value, without polling\n"
    "  comap put quote bid=1.25          set a field of a cell\n"
    "  comap pub log 'a line'            publish a message; 'comap sub log' prints each\n"
    "  comap push jobs 'a job'           add to a queue; 'comap pop jobs' takes the next\n"
    "  comap create frames 64M --hold    shared memory, until Ctrl-C\n"
    "  comap ls                          what there is\n"
    "  comap who frames                  who holds it\n"
    "  comap lock backup -- ./job        run it while nobody else has that lock\n"
    "  comap wait ready                  until an event is set\n";

// Thrown by -h, of the tool or of a command; CLI11 passes it on to whoever parses.
struct ShortHelp {
    const CLI::App* app;
};

void add_help(CLI::App* app) {
    app->set_help_flag("--help", "All about it");
    app->add_flag_callback("-h", [app] { throw ShortHelp{app}; }, "In short, with examples");
}

std::string full_name(const CLI::App& app) {
    return app.get_parent() == nullptr ? app.get_name() : fmt::format("{} {}", app.get_parent()->get_name(), app.get_name());
}

std::string usage_line(const CLI::App& app) {
    const auto formatter = std::dynamic_pointer_cast<CLI::Formatter>(app.get_formatter());
    auto line = formatter->make_usage(&app, full_name(app));
    while (line.ends_with('\n')) line.pop_back();
    return line.substr(line.find_first_not_of('\n')) + "\n";
}

std::string command_list(const CLI::App& app) {
    std::string text;
    for (const CLI::App* const command : app.get_subcommands([](const CLI::App*) { return true; }))
        text += fmt::format("  {:<13} {}\n", command->get_name(), command->get_description());
    return text.empty() ? text : "\nCommands:\n" + text;
}

std::string short_help(const CLI::App& app) {
    return fmt::format("{}\n{}{}{}\nAll options: {} --help\n", app.get_description(), usage_line(app), command_list(app),
                       app.get_footer(), full_name(app));
}

const CLI::App& given_command(const CLI::App& app) {
    const auto commands = app.get_subcommands();
    return commands.empty() ? app : *commands.front();
}

// What `comap lock` runs begins at the first word after NAME: options from there on are the command's own.
std::vector<std::string> with_double_dash(std::vector<std::string> words) {
    constexpr std::array kWithValue = {"-w", "--timeout", "--abandoned", "--mode", "--color"};
    const auto lock = std::find_if(words.begin(), words.end(), [](const std::string& word) { return !word.starts_with('-'); });
    if (lock == words.end() || *lock != "lock") return words;
    int names = 0;
    for (auto word = lock + 1; word != words.end() && *word != "--"; ++word) {
        if (std::find(kWithValue.begin(), kWithValue.end(), *word) != kWithValue.end()) {
            if (++word == words.end()) break;
        } else if (!word->starts_with('-') && ++names == 2) {
            words.insert(word, "--");
            break;
        }
    }
    return words;
}

int wrong_line(const CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& words) {
    if (app.get_subcommands().empty() && !words.empty())
        return fail_usage(words[0].starts_with('-') ? fmt::format("{} (see comap -h)", error.what()) : fmt::format("there is no command '{}' (see comap -h)", words[0]));
    const auto name = full_name(given_command(app));
    return fail_usage(fmt::format("{} (see {} -h)", error.what(), name));
}

void add_all(CommandLine line, Tool& tool) {
    for (const auto add : {add_create, add_put, add_get, add_watch, add_hexdump, add_ls, add_stat, add_who, add_rm, add_run,
                           add_cell, add_channel, add_pub, add_sub, add_queue, add_push, add_pop, add_record, add_replay, add_dump, add_load, add_lock, add_mutex, add_event, add_sem, add_wait, add_gc, add_janitor, add_doctor, add_limits, add_setup_global, add_completion})
        add(line, tool);
}

}  // namespace

int parse_command_line(Tool& tool, int argc, char** argv) {
    CLI::App app("Named shared memory that lives exactly as long as someone holds it", "comap");
    std::string color = "auto";
    add_help(&app);
    app.set_version_flag("-V,--version", "comap " COMAP_VERSION, "Version");
    app.add_option("--color", color, "Colours: auto, always or never")
        ->check(CLI::IsMember({"auto", "always", "never"}))
        ->type_name("WHEN");
    app.footer(kExamples);
    app.require_subcommand(1);
    app.fallthrough();
    add_all(CommandLine(app), tool);
    for (CLI::App* const command : app.get_subcommands([](const CLI::App*) { return true; })) add_help(command);
    const std::vector<std::string> words = with_double_dash({argv + 1, argv + argc});
    try {
        auto reversed = words;  // as CLI11 wants it
        std::reverse(reversed.begin(), reversed.end());
        app.parse(std::move(reversed));
    } catch (const ShortHelp& help) {
        tool.out.write(short_help(*help.app));
        return kOk;
    } catch (const CLI::CallForHelp&) {
        tool.out.write(app.help());
        return kOk;
    } catch (const CLI::CallForVersion& version) {
        tool.out.print("{}\n", version.what());
        return kOk;
    } catch (const CLI::ParseError& error) {
        return wrong_line(app, error, words);
    }
    tool.out.use_color(color);
    return kRunAction;
}

}  // namespace comap::tool
