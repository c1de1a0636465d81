// SPDX-License-Identifier: Apache-2.0
// run: holds sections for as long as a command runs.
#include <csignal>
#include <vector>

#include <fmt/format.h>

#include "child.hpp"
#include "exit.hpp"
#include "format.hpp"
#include "holders.hpp"
#include "signals.hpp"
#include "tool.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "run", "Hold sections while a command runs",
    "  comap run --section frames:64M -- ./pipeline --fast\n"
    "  comap run -s in:1M -s out:1M -- make check\n"};

struct Options {
    std::vector<std::string> sections;
    std::vector<std::string> command;
};

struct Wanted {
    std::string name;
    std::uint64_t size_bytes = 0;
};

// A name may contain ':', a size cannot.
Result<Wanted> parse_section(const std::string& text) {
    const auto colon = text.rfind(':');
    if (colon == std::string::npos || colon == 0)
        return tl::unexpected(Error{Code::invalid_argument, 0, "", fmt::format("run: --section {}: give NAME:SIZE", text)});
    const auto size_bytes = parse_size(std::string_view(text).substr(colon + 1));
    if (!size_bytes) return tl::unexpected(size_bytes.error());
    return Wanted{text.substr(0, colon), *size_bytes};
}

Result<std::vector<Wanted>> parse_sections(const std::vector<std::string>& texts) {
    std::vector<Wanted> all;
    for (const auto& text : texts) {
        auto wanted = parse_section(text);
        if (!wanted) return tl::unexpected(wanted.error());
        all.push_back(std::move(*wanted));
    }
    return all;
}

Result<std::vector<Section>> create_all(Tool& tool, const std::vector<Wanted>& all) {
    std::vector<Section> sections;
    for (const auto& wanted : all) {
        auto section = Section::create(wanted.name, wanted.size_bytes, {}, tool.context);
        if (!section) return tl::unexpected(section.error());
        sections.push_back(std::move(*section));
    }
    return sections;
}

int run(Tool& tool, const Options& options) {
    const auto wanted = parse_sections(options.sections);
    if (!wanted) return fail(wanted.error());
    const HeldSignals signals({SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT});
    const auto sections = create_all(tool, *wanted);
    if (!sections) {
        fail(sections.error());
        if (sections.error().code == Code::already_exists) say_who_holds(tool.context, sections.error().object);
        return kRunFailed;
    }
    const auto child = spawn(options.command, signals, WithoutUs::goes_on);
    return child.os_error == 0 ? wait_for(child.pid, signals) : fail_to_spawn("run", options.command[0], child.os_error);
}

}  // namespace

void add_run(CommandLine line, Tool& tool) {
    const auto [command, options] = add_command<Options>(line, tool, kText, run);
    command.add_option("-s,--section", options.sections, "A section to make and hold; may be given again")
        .required()
        .one_value_each_time()
        .type_name("NAME:SIZE");
    command.add_option("COMMAND", options.command, "What to run, and its arguments, after '--'").required().type_name("");
    command.words_end_options();
}

}  // namespace comap::tool
