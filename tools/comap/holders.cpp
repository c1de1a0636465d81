// SPDX-License-Identifier: Apache-2.0
#include "holders.hpp"

#include <cerrno>
#include <optional>
#include <string_view>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "exit.hpp"
#include "system.hpp"
#include "unicode.hpp"

namespace comap::tool {
namespace {

// The file behind a descriptor of /proc/PID/fd. Asks no server of a network file system.
std::optional<FileId> descriptor_file(int directory, int number) {
    struct statx state = {};
    const auto name = std::to_string(number);
    if (::statx(directory, name.c_str(), AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_INO | STATX_TYPE, &state) != 0) return {};
    if (!S_ISREG(state.stx_mode)) return {};
    return FileId{::makedev(state.stx_dev_major, state.stx_dev_minor), state.stx_ino};
}

// Whether that descriptor carries a lock that belongs to the open file, not to a process: how objects are held.
bool has_holder_lock(int pid, int number) {
    const auto text = file_text(proc_path(pid, fmt::format("fdinfo/{}", number)));
    return text && text->find("OFDLCK") != std::string::npos;
}

}  // namespace

FileId file_id(const ObjectInfo& info) { return {info.device, info.inode}; }

HolderScan HolderScan::of(std::span<const ObjectInfo> objects) {
    HolderScan scan;
    for (const auto& info : objects) scan.holders_.try_emplace(file_id(info));
    if (!objects.empty()) for_each_number("/proc", [&](int, int pid) { scan.visit_process(pid); });
    return scan;
}

void HolderScan::visit_process(int pid) {
    visit_descriptors(pid);
    visit_maps(pid);
}

void HolderScan::visit_descriptors(int pid) {
    const int error = for_each_number(proc_path(pid, "fd"), [&](int directory, int number) {
        const auto id = descriptor_file(directory, number);
        if (!id || !holders_.contains(*id) || !has_holder_lock(pid, number)) return;
        find(*id, pid)->has_handle = true;
    });
    if (error == EACCES || error == EPERM) ++closed_process_count_;
}

void HolderScan::visit_maps(int pid) {
    for_each_mapped_range(pid, [&](const MappedRange& range) {
        if (Holder* const holder = find(range.file, pid)) holder->has_view = true;
    });
}

Holder* HolderScan::find(const FileId& id, int pid) {
    const auto found = holders_.find(id);
    return found == holders_.end() ? nullptr : &found->second[pid];
}

const HoldersByPid& HolderScan::holders(const ObjectInfo& info) const {
    static const HoldersByPid none;
    const auto found = holders_.find(file_id(info));
    return found == holders_.end() ? none : found->second;
}

std::vector<int> HolderScan::pids(const ObjectInfo& info) const {
    std::vector<int> pids;
    for (const auto& [pid, holder] : holders(info)) pids.push_back(pid);
    return pids;
}

bool HolderScan::is_hidden(const ObjectInfo& info) const {
    return info.presence == Presence::held && holders(info).empty();
}

std::string command_name(int pid) {
    auto name = file_text(proc_path(pid, "comm")).value_or("?");
    while (name.ends_with('\n')) name.pop_back();
    return name;
}

std::string command_line(int pid) {
    auto line = file_text(proc_path(pid, "cmdline")).value_or("");
    while (line.ends_with('\0')) line.pop_back();
    for (char& character : line)
        if (character == '\0') character = ' ';
    return line.empty() ? command_name(pid) : line;
}

std::string process_user(int pid) {
    struct stat state = {};
    return ::stat(fmt::format("/proc/{}", pid).c_str(), &state) == 0 ? user_name(state.st_uid) : "?";
}

std::string holders_text(const ObjectInfo& info) { return holders_text(info, HolderScan::of({&info, 1})); }

std::string holders_text(const ObjectInfo& info, const HolderScan& scan) {
    if (scan.is_hidden(info)) return "processes that cannot be seen from here (another user's, or in another container)";
    std::string text;
    for (const auto& [pid, holder] : scan.holders(info))
        text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", pid, command_name(pid));
    return text;
}

void say_who_holds(Context& context, const std::string& name) {
    const auto info = context.stat(name);
    const auto holders = info ? holders_text(*info) : "";
    if (!holders.empty()) message("it is held by " + holders);
}

}  // namespace comap::tool
