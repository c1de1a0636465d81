// SPDX-License-Identifier: Apache-2.0
#include "tool.hpp"

#include "format.hpp"

namespace comap::tool {
namespace {

// What `parse` makes of an option's text goes to `target`.
template <typename Target, typename T>
CLI::Option* add_parsed(CLI::App* command, const std::string& names, Target& target, const std::string& help,
                        Result<T> (*parse)(std::string_view)) {
    const auto store = [&target, parse, names](const std::string& text) {
        const auto value = parse(text);
        if (!value) throw CLI::ValidationError(names, value.error().message);
        target = *value;
    };
    return command->add_option_function<std::string>(names, store, help);
}

}  // namespace

CLI::Option* add_size(CLI::App* command, const std::string& names, std::uint64_t& size_bytes, const std::string& help) {
    return add_parsed(command, names, size_bytes, help, parse_size)->type_name("SIZE");
}

CLI::Option* add_size(CLI::App* command, const std::string& names, std::optional<std::uint64_t>& size_bytes,
                      const std::string& help) {
    return add_parsed(command, names, size_bytes, help, parse_size)->type_name("SIZE");
}

CLI::App* add_command(CLI::App& app, const CommandText& text, std::function<void()> when_given) {
    CLI::App* const command = app.add_subcommand(text.name, text.summary);
    command->footer(std::string("\nExamples:\n") + text.examples);
    command->final_callback(std::move(when_given));
    return command;
}

CLI::Option* add_mode(CLI::App* command, std::uint32_t& mode) {
    return add_parsed(command, "--mode", mode, "Who may open it: octal permission bits (default 0600)", parse_mode)->type_name("MODE");
}

CLI::Option* add_mode(CLI::App* command, std::optional<std::uint32_t>& mode) {
    return add_parsed(command, "--mode", mode, "Who may open it, if it is made now: octal permission bits (default 0600)", parse_mode)
        ->type_name("MODE");
}

CLI::Option* add_name(CLI::App* command, std::string& name) {
    return command->add_option("NAME", name, "Name of the object: prices, Local\\prices, Global\\prices")->required()->type_name("");
}

CLI::Option* add_expected_file(CLI::App* command, std::string& path) {
    return command
        ->add_option("--file", path, "The file that must be under the section; needed when its own word for it cannot be believed")
        ->type_name("PATH");
}

}  // namespace comap::tool
