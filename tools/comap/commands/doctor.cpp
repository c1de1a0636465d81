// SPDX-License-Identifier: Apache-2.0
// doctor: checks what objects need of this system.
#include <algorithm>

#include <fmt/format.h>

#include "checkup.hpp"
#include "exit.hpp"
#include "object_json.hpp"
#include "tool.hpp"
#include "unicode.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {"doctor", "Check what objects need of this system", "  comap doctor\n  comap doctor --json\n"};

struct Options {
    bool json = false;
};

Style style_of(Health health) {
    switch (health) {
        case Health::ok: return Style::green;
        case Health::warn: return Style::yellow;
        case Health::fail: return Style::red;
    }
    return Style::plain;
}

void print_lines(Output& out, const std::vector<Finding>& findings) {
    for (const auto& finding : findings)
        out.print("{}  {:<9}  {}{}{}\n", out.styled(fmt::format("{:<4}", health_name(finding.health)), style_of(finding.health)), finding.name,
                  escaped(finding.detail), finding.advice.empty() ? "" : "; ", escaped(finding.advice));
}

void print_json(Output& out, const std::vector<Finding>& findings) {
    Json checks = Json::array();
    for (const auto& finding : findings)
        checks.push_back({{"name", finding.name}, {"status", health_name(finding.health)}, {"detail", finding.detail}, {"advice", finding.advice}});
    out.print("{}\n", json_text(Json{{"schema", kJsonSchema}, {"checks", checks}}));
}

int run(Tool& tool, const Options& options) {
    const auto findings = check_up(tool.context);
    if (options.json) print_json(tool.out, findings);
    else print_lines(tool.out, findings);
    const bool has_failed = std::any_of(findings.begin(), findings.end(), [](const Finding& finding) { return finding.health == Health::fail; });
    return has_failed ? kEnvironment : kOk;
}

}  // namespace

void add_doctor(CommandLine line, Tool& tool) {
    const auto [command, options] = add_command<Options>(line, tool, kText, run);
    command.add_flag("--json", options.json, "As JSON");
}

}  // namespace comap::tool
