// SPDX-License-Identifier: Apache-2.0
// limits: how many, how long and how large things may be, here.
#include <algorithm>

#include <comap/text.hpp>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include "exit.hpp"
#include "format.hpp"
#include "machine.hpp"
#include "object_json.hpp"
#include "system.hpp"
#include "table.hpp"
#include "tool.hpp"

namespace comap::tool {
namespace {

constexpr CommandText kText = {"limits", "What is allowed here: sizes, lengths, counts", "  comap limits\n  comap limits --json\n"};

struct Options {
    bool json = false;
};

enum class Unit { bytes, count };

struct Limit {
    const char* name;
    std::optional<std::uint64_t> value;  // none: no limit, or not known
    Unit unit;
    const char* what;
};

std::optional<std::uint64_t> open_file_limit() {
    rlimit limit = {};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return std::nullopt;
    return limit.rlim_cur;
}

std::vector<Limit> limits_of(Tool& tool) {
    const auto space = space_of(tool.context.root());
    const auto part = [&](std::uint64_t SpaceBytes::* field) { return space ? std::optional((*space).*field) : std::nullopt; };
    return {
        {"name_bytes_max", kNameBytesMax, Unit::bytes, "longest name, without Local\\ or Global\\"},
        {"memory_bytes_total", part(&SpaceBytes::total), Unit::bytes, "room for all objects in memory"},
        {"memory_bytes_available", part(&SpaceBytes::available), Unit::bytes, "of it, left now: the largest new section"},
        {"cgroup_memory_bytes", cgroup_memory_limit_bytes(), Unit::bytes, "memory limit of this process's control groups"},
        {"file_offset_alignment", static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)), Unit::bytes, "offsets into a file are multiples of this"},
        {"text_capacity_default", TextOptions{}.capacity_bytes, Unit::bytes, "longest value of a text, unless made otherwise"},
        {"open_files", open_file_limit(), Unit::count, "open handles per process, about"},
        {"mappings", file_number("/proc/sys/vm/max_map_count"), Unit::count, "views per process, about"},
        {"inotify_instances", inotify_limit("max_user_instances"), Unit::count, "Watchers and janitors per user"},
        {"inotify_watches", inotify_limit("max_user_watches"), Unit::count, "objects watched per user"},
    };
}

std::string shown(const Limit& limit) {
    if (!limit.value) return "none";
    return limit.unit == Unit::bytes ? full_size(*limit.value) : std::to_string(*limit.value);
}

void print_json(Output& out, const std::vector<Limit>& limits) {
    Json document = {{"schema", kJsonSchema}, {"limits", Json::object()}};
    for (const auto& limit : limits) document["limits"][limit.name] = limit.value ? Json(*limit.value) : Json(nullptr);
    out.print("{}\n", json_text(document));
}

int run(Tool& tool, const Options& options) {
    const auto limits = limits_of(tool);
    if (options.json) {
        print_json(tool.out, limits);
        return kOk;
    }
    Table table({{"LIMIT"}, {"VALUE"}, {"WHAT"}});
    for (const auto& limit : limits) table.add({limit.name, shown(limit), limit.what});
    table.print(tool.out, true);
    return kOk;
}

}  // namespace

void add_limits(CommandLine line, Tool& tool) {
    const auto [command, options] = add_command<Options>(line, tool, kText, run);
    command.add_flag("--json", options.json, "As JSON");
}

}  // namespace comap::tool
