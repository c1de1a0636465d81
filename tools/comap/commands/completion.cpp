// SPDX-License-Identifier: Apache-2.0
// completion: the script that completes command lines in a shell.
#include <string_view>

#include "completion_scripts.hpp"
#include "exit.hpp"
#include "tool.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "completion", "Print the completion script of a shell",
    "  source <(comap completion bash)\n"
    "  comap completion zsh > ~/.zfunc/_comap\n"
    "  comap completion fish | source\n"};

struct Options {
    std::string shell;
};

int run(Tool& tool, const Options& options) {
    if (options.shell == "bash") tool.out.write(kBashCompletion);
    if (options.shell == "zsh") tool.out.write(kZshCompletion);
    if (options.shell == "fish") tool.out.write(kFishCompletion);
    return kOk;
}

}  // namespace

void add_completion(CommandLine line, Tool& tool) {
    const auto [command, options] = add_command<Options>(line, tool, kText, run);
    command.add_option("SHELL", options.shell, "bash, zsh or fish").required().one_of({"bash", "zsh", "fish"}).type_name("");
}

}  // namespace comap::tool
