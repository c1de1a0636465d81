// SPDX-License-Identifier: Apache-2.0
// sem: makes a semaphore, takes tokens from it and gives them back.
#include <charconv>
#include <optional>

#include <comap/semaphore.hpp>
#include <fmt/format.h>

#include "exit.hpp"
#include "follow.hpp"
#include "kinds.hpp"
#include "making.hpp"
#include "object_json.hpp"
#include "patience.hpp"
#include "tool.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {
    "sem", "Make a semaphore, acquire and release its tokens",
    "  comap sem slots create --initial 4 --maximum 4 --keep   until 'comap rm slots'\n"
    "  comap sem slots acquire && ./job; comap sem slots release\n"
    "  comap sem slots acquire --timeout 2.5                   exit code 124 after 2.5 s\n"
    "  comap sem slots release 3 --json                        says how many there were\n"};

struct Options {
    std::string name;
    std::string action;
    std::optional<std::int64_t> count;
    std::optional<std::uint32_t> initial;
    std::optional<std::uint32_t> maximum;
    MakingOptions making;
    std::optional<double> timeout_seconds;
    bool json = false;
};

int create(Tool& tool, const Options& options) {
    return make(tool, "sem", options.name, options.making, [&](const SyncOptions& sync) {
        const SemaphoreOptions semaphore = {options.initial.value_or(0), options.maximum.value_or(kSemaphoreCountMax), sync.mode, sync.keep};
        return Semaphore::create(options.name, semaphore, tool.context);
    });
}

int acquire(const Options& options, const Semaphore& semaphore) {
    const Deadline deadline = deadline_after(options.timeout_seconds);
    const StopSignals stop;
    const auto end = until_stopped(stop, [&] { return semaphore.acquire(deadline); });
    if (!end) return fail(end.error());
    if (*end == Acquired::timed_out) return fail_timed_out(fmt::format("there was no token of {}", options.name));
    return *end == Acquired::interrupted ? kNegative : kOk;
}

int release(Tool& tool, const Options& options, const Semaphore& semaphore) {
    const auto count = options.count.value_or(1);
    const auto before = semaphore.release(count);
    if (!before) return fail(before.error());
    if (options.json)
        tool.out.print("{}\n", json_text(Json{{"schema", kJsonSchema}, {"name", options.name}, {"before", *before}, {"released", count}}));
    return kOk;
}

int run(Tool& tool, const Options& options) {
    auto limited = options_of_create(options.making);
    limited.push_back({"--initial", options.initial.has_value(), {"create"}});
    limited.push_back({"--maximum", options.maximum.has_value(), {"create"}});
    limited.push_back({"--timeout", options.timeout_seconds.has_value(), {"acquire"}});
    limited.push_back({"a number of tokens", options.count.has_value(), {"release"}});
    limited.push_back({"--json", options.json, {"release"}});
    if (!fit_action("sem", options.action, limited)) return kUsage;
    if (options.action == "create") return create(tool, options);
    const auto semaphore = Semaphore::open(options.name, {}, tool.context);
    if (!semaphore) return fail_kind(tool.context, semaphore.error());
    return options.action == "acquire" ? acquire(options, *semaphore) : release(tool, options, *semaphore);
}

}  // namespace

void add_sem(CommandLine line, Tool& tool) {
    const auto [command, options] = add_command<Options>(line, tool, kText, run);
    add_name(command, options.name);
    command.add_option("ACTION", options.action, "create, acquire or release")
        .required()
        .one_of({"create", "acquire", "release"})
        .type_name("");
    command.add_option("N", options.count, "release: how many tokens (default 1)")
        .judged_by([](const std::string& text) {
            std::int64_t count = 0;
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
            return error == std::errc() && end == text.data() + text.size() ? std::string() : fmt::format("'{}' is not a number of tokens", text);
        })
        .type_name("");
    command.add_option("--initial", options.initial, "create: tokens at the start (default 0)").type_name("N");
    command.add_option("--maximum", options.maximum, fmt::format("create: most tokens there may be (default {})", kSemaphoreCountMax))
        .type_name("N");
    add_making(command, options.making);
    add_timeout(command, options.timeout_seconds, "acquire: exit code 124 after so many seconds");
    command.add_flag("--json", options.json, "release: say how many there were, as JSON");
}

}  // namespace comap::tool
