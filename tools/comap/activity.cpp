// SPDX-License-Identifier: Apache-2.0
#include "activity.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "kinds.hpp"
#include "system.hpp"

namespace comap::tool {
namespace {

constexpr std::uint64_t kFutexWaitv = 449;  // the same on every machine
#ifdef __x86_64__
constexpr std::array<std::uint64_t, 3> kFutex = {SYS_futex, 240, 422};  // and those of 32-bit programs
#else
constexpr std::array<std::uint64_t, 1> kFutex = {SYS_futex};
#endif
constexpr std::size_t kWaitvMax = 128;
constexpr unsigned kSecondLookMicroseconds = 1000;

using Ranges = std::vector<MappedRange>;

bool contains(const Ranges& ranges, std::uint64_t address) {
    return std::any_of(ranges.begin(), ranges.end(), [&](const MappedRange& range) { return address >= range.from && address < range.to; });
}

// An entry of futex_waitv's list.
struct WaitvEntry {
    std::uint64_t value;
    std::uint64_t address;
    std::uint32_t flags;
    std::uint32_t reserved;
};

Seen waitv_waits(int pid, std::uint64_t list_address, std::size_t count, const Ranges& ranges) {
    std::array<WaitvEntry, kWaitvMax> list;
    const std::size_t size_bytes = std::min(count, list.size()) * sizeof(WaitvEntry);
    const iovec here = {list.data(), size_bytes};
    const iovec there = {reinterpret_cast<void*>(list_address), size_bytes};
    if (::process_vm_readv(pid, &here, 1, &there, 1, 0) != static_cast<ssize_t>(size_bytes)) return Seen::unknown;
    const auto end = list.begin() + static_cast<std::ptrdiff_t>(std::min(count, list.size()));
    return std::any_of(list.begin(), end, [&](const WaitvEntry& entry) { return contains(ranges, entry.address); }) ? Seen::yes : Seen::no;
}

bool is_futex(std::uint64_t number) { return std::find(kFutex.begin(), kFutex.end(), number) != kFutex.end(); }

bool is_wait(std::uint64_t operation) {
    const auto command = operation & ~static_cast<std::uint64_t>(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
    return command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET;
}

// `text`: of /proc/PID/task/TID/syscall: "running", or the number of the call and its arguments.
Seen call_waits(int pid, std::string_view text, const Ranges& ranges) {
    const auto number = next_word(text);
    if (number.starts_with("running") || number.starts_with("-")) return Seen::no;
    if (number.empty() || number[0] < '0' || number[0] > '9') return Seen::unknown;
    std::array<std::uint64_t, 2> arguments = {};
    for (auto& argument : arguments) argument = number_of(next_word(text));
    if (is_futex(number_of(number))) return is_wait(arguments[1]) && contains(ranges, arguments[0]) ? Seen::yes : Seen::no;
    if (number_of(number) == kFutexWaitv) return waitv_waits(pid, arguments[0], arguments[1], ranges);
    return Seen::no;
}

// One who waits may run for an instant, to look again: a running thread is looked at twice.
Seen thread_waits(int pid, int thread, const Ranges& ranges) {
    const auto directory = proc_path(pid, fmt::format("task/{}", thread));
    auto text = file_text(directory + "/syscall");
    if (text && text->starts_with("running")) {
        ::usleep(kSecondLookMicroseconds);
        text = file_text(directory + "/syscall");
    }
    if (text) return call_waits(pid, *text, ranges);
    return ::access(directory.c_str(), F_OK) == 0 ? Seen::unknown : Seen::no;
}

// "yes" before "unknown" before "no".
Seen either(Seen a, Seen b) {
    if (a == Seen::yes || b == Seen::yes) return Seen::yes;
    return a == Seen::unknown || b == Seen::unknown ? Seen::unknown : Seen::no;
}

Seen process_waits(int pid, const ObjectInfo& info) {
    Ranges ranges;
    const bool is_seen = for_each_mapped_range(pid, [&](const MappedRange& range) {
        if (range.file == file_id(info)) ranges.push_back(range);
    });
    if (!is_seen) return Seen::unknown;
    Seen waits = is_section(info) ? Seen::unknown : Seen::no;
    for_each_number(proc_path(pid, "task"), [&](int, int thread) { waits = either(waits, thread_waits(pid, thread, ranges)); });
    return waits;
}

// The number that the thread has in the innermost PID namespace that it is in: how it calls itself.
std::uint64_t own_number(int pid, int thread) {
    constexpr std::string_view label = "\nNSpid:";
    const auto text = file_text(proc_path(pid, fmt::format("task/{}/status", thread))).value_or("");
    const auto found = text.find(label);
    if (found == std::string::npos) return static_cast<std::uint64_t>(thread);
    std::string_view line = std::string_view(text).substr(found + label.size());
    line = line.substr(0, line.find('\n'));
    std::uint64_t number = 0;
    for (auto word = next_word(line); !word.empty(); word = next_word(line)) number = number_of(word);
    return number;
}

bool has_thread(int pid, std::uint64_t number) {
    bool has = false;
    for_each_number(proc_path(pid, "task"), [&](int, int thread) { has = has || own_number(pid, thread) == number; });
    return has;
}

}  // namespace

ActivityByPid activities(const ObjectInfo& info, const HoldersByPid& holders) {
    ActivityByPid all;
    std::vector<Activity*> owners;
    for (const auto& [pid, holder] : holders) {
        Activity& activity = all[pid];
        activity.waits = process_waits(pid, info);
        if (info.owner_thread != 0 && has_thread(pid, info.owner_thread)) owners.push_back(&activity);
    }
    // In different containers several may have that number.
    for (Activity* const activity : owners) activity->owns = owners.size() == 1 ? Seen::yes : Seen::unknown;
    return all;
}

std::optional<int> owner_pid(const ActivityByPid& activities) {
    for (const auto& [pid, activity] : activities)
        if (activity.owns == Seen::yes) return pid;
    return std::nullopt;
}

std::vector<int> waiting_pids(const ActivityByPid& activities, Seen waits) {
    std::vector<int> pids;
    for (const auto& [pid, activity] : activities)
        if (activity.waits == waits) pids.push_back(pid);
    return pids;
}

std::string owner_text(const ObjectInfo& info, const ActivityByPid& activities) {
    if (info.owner_thread == 0) return {};
    const auto pid = owner_pid(activities);
    return pid ? fmt::format("{} ({})", *pid, command_name(*pid)) : std::to_string(info.owner_thread);
}

}  // namespace comap::tool
