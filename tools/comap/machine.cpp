// SPDX-License-Identifier: Apache-2.0
#include "machine.hpp"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "system.hpp"

namespace comap::tool {
namespace {

constexpr std::uint32_t kFirstOrdinaryUser = 1000;

// "0::/user.slice/x.scope" -> "/user.slice/x.scope"
std::optional<std::string> unified_cgroup() {
    const auto text = file_text("/proc/self/cgroup");
    if (!text) return std::nullopt;
    const auto line = text->starts_with("0::") ? 0 : text->find("\n0::");
    if (line == std::string::npos) return std::nullopt;
    const auto begin = text->find("::", line) + 2;
    return text->substr(begin, text->find('\n', begin) - begin);
}

void keep_least(std::optional<std::uint64_t>& least, std::optional<std::uint64_t> value) {
    if (value) least = std::min(least.value_or(UINT64_MAX), *value);
}

// The value of the last "RemoveIPC=" line.
std::optional<std::string> remove_ipc_in(const std::string& path) {
    const auto text = file_text(path);
    constexpr std::string_view key = "\nRemoveIPC=";
    const auto lines = "\n" + text.value_or("");
    const auto found = lines.rfind(key);
    if (found == std::string::npos) return std::nullopt;
    const auto begin = found + key.size();
    return lines.substr(begin, lines.find('\n', begin) - begin);
}

// In the order in which later ones win.
std::vector<std::string> logind_files() {
    std::vector<std::string> paths = {"/etc/systemd/logind.conf"};
    for (const auto* const directory : {"/usr/lib/systemd/logind.conf.d", "/run/systemd/logind.conf.d", "/etc/systemd/logind.conf.d"}) {
        std::vector<std::string> own;
        std::error_code error;
        for (const auto& entry : std::filesystem::directory_iterator(directory, error)) own.push_back(entry.path());
        std::sort(own.begin(), own.end());
        paths.insert(paths.end(), own.begin(), own.end());
    }
    return paths;
}

bool is_off(std::string_view value) { return value == "no" || value == "false" || value == "off" || value == "0"; }

}  // namespace

std::string kernel_release() {
    utsname names = {};
    return ::uname(&names) == 0 ? names.release : "unknown";
}

std::optional<std::uint64_t> inotify_limit(const char* what) { return file_number(fmt::format("/proc/sys/fs/inotify/{}", what)); }

std::optional<std::uint64_t> cgroup_memory_limit_bytes() {
    std::optional<std::uint64_t> least;
    for (auto group = unified_cgroup(); group && !group->empty(); group->resize(group->rfind('/')))
        keep_least(least, file_number(fmt::format("/sys/fs/cgroup{}/memory.max", *group)));
    keep_least(least, file_number("/sys/fs/cgroup/memory.max"));
    keep_least(least, file_number("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
    constexpr std::uint64_t kNoLimit = 1ull << 60;  // how the older kind says it
    return least && *least < kNoLimit ? least : std::nullopt;
}

bool logout_removes_objects() {
    if (::geteuid() < kFirstOrdinaryUser || ::access("/run/systemd/seats", F_OK) != 0) return false;
    std::string value = "yes";
    for (const auto& path : logind_files()) value = remove_ipc_in(path).value_or(value);
    return !is_off(value);
}

}  // namespace comap::tool
