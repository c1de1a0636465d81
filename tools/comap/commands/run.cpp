// SPDX-License-Identifier: Apache-2.0
// run: holds sections for as long as a command runs.
#include <cerrno>
#include <csignal>
#include <vector>

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exit.hpp"
#include "format.hpp"
#include "holders.hpp"
#include "signals.hpp"
#include "system.hpp"
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

// The child gets the signals as we got them.
class SpawnAttributes {
  public:
    explicit SpawnAttributes(const sigset_t& mask) {
        sigset_t defaults;
        ::sigemptyset(&defaults);
        for (const int signal_number : {SIGPIPE, SIGBUS}) ::sigaddset(&defaults, signal_number);
        ::posix_spawnattr_init(&attributes_);
        ::posix_spawnattr_setsigmask(&attributes_, &mask);
        ::posix_spawnattr_setsigdefault(&attributes_, &defaults);
        ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    }
    ~SpawnAttributes() { ::posix_spawnattr_destroy(&attributes_); }
    SpawnAttributes(const SpawnAttributes&) = delete;
    SpawnAttributes& operator=(const SpawnAttributes&) = delete;
    const posix_spawnattr_t* get() const { return &attributes_; }

  private:
    posix_spawnattr_t attributes_;
};

// Returns errno, or 0.
int spawn(const std::vector<std::string>& command, const sigset_t& mask, pid_t& child) {
    std::vector<char*> arguments;
    for (const auto& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    const SpawnAttributes attributes(mask);
    return ::posix_spawnp(&child, arguments[0], nullptr, attributes.get(), arguments.data(), environ);
}

int fail_to_spawn(const std::string& command, int error) {
    fail_system(fmt::format("run: {}", command), error);
    return error == ENOENT ? kCommandNotFound : kCannotExecute;
}

int status_of(int wait_status) {
    return WIFSIGNALED(wait_status) ? kSignalBase + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

// A signal of the terminal goes to the child anyway: it is in our process group.
bool is_for_us_alone(const siginfo_t& info) { return info.si_code <= 0; }

int wait_for(pid_t child, const HeldSignals& signals) {
    for (;;) {
        const siginfo_t info = signals.wait();
        int status = 0;
        if (info.si_signo == SIGCHLD && ::waitpid(child, &status, WNOHANG) == child) return status_of(status);
        if (info.si_signo != SIGCHLD && is_for_us_alone(info)) ::kill(child, info.si_signo);
    }
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
    pid_t child = 0;
    const int error = spawn(options.command, signals.mask_before(), child);
    return error == 0 ? wait_for(child, signals) : fail_to_spawn(options.command[0], error);
}

}  // namespace

void add_run(CLI::App& app, Tool& tool) {
    const auto [command, options] = add_command<Options>(app, tool, kText, run);
    command->add_option("-s,--section", options.sections, "A section to make and hold; may be given again")
        ->required()
        ->allow_extra_args(false)
        ->type_name("NAME:SIZE");
    command->add_option("COMMAND", options.command, "What to run, and its arguments, after '--'")->required()->type_name("");
    command->positionals_at_end();
}

}  // namespace comap::tool
