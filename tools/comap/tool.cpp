// SPDX-License-Identifier: Apache-2.0
#include "tool.hpp"

#include "format.hpp"

namespace comap::tool {
namespace {

// What `parse` makes of an option's text goes to `target`.
template <typename Target, typename T>
Argument add_parsed(CommandLine command, const std::string& names, Target& target, const std::string& help, Result<T> (*parse)(std::string_view)) {
    const auto store = [&target, parse](const std::string& text) {
        const auto value = parse(text);
        if (!value) return value.error().message;
        target = *value;
        return std::string();
    };
    return command.add_judged(names, store, help);
}

}  // namespace

Argument add_size(CommandLine command, const std::string& names, std::uint64_t& size_bytes, const std::string& help) {
    return add_parsed(command, names, size_bytes, help, parse_size).type_name("SIZE");
}

Argument add_size(CommandLine command, const std::string& names, std::optional<std::uint64_t>& size_bytes,
                      const std::string& help) {
    return add_parsed(command, names, size_bytes, help, parse_size).type_name("SIZE");
}

Argument add_mode(CommandLine command, std::uint32_t& mode) {
    return add_parsed(command, "--mode", mode, "Who may open it: octal permission bits (default 0600)", parse_mode).type_name("MODE");
}

Argument add_mode(CommandLine command, std::optional<std::uint32_t>& mode) {
    return add_parsed(command, "--mode", mode, "Who may open it, if it is made now: octal permission bits (default 0600)", parse_mode)
        .type_name("MODE");
}

Argument add_name(CommandLine command, std::string& name) {
    return command.add_option("NAME", name, "Name of the object: prices, Local\\prices, Global\\prices").required().type_name("");
}

Argument add_expected_file(CommandLine command, std::string& path) {
    return command
        .add_option("--file", path, "The file that must be under the section; needed when its own word for it cannot be believed")
        .type_name("PATH");
}

}  // namespace comap::tool
