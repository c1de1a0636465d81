// SPDX-License-Identifier: Apache-2.0
#include "proc.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>

#include <dirent.h>
#include <fmt/format.h>
#include <sys/sysmacros.h>

#include "system.hpp"

namespace comap::tool {
namespace {

// A line of /proc/PID/maps: "from-to rw-s offset major:minor inode path"
MappedRange range_of(std::string_view line) {
    const auto range = next_word(line);
    for (int i = 0; i < 2; ++i) next_word(line);
    const auto device = next_word(line);
    const auto inode = number_of(next_word(line), 10);
    const auto after = [](std::string_view text, char mark) { return text.substr(std::min(text.find(mark), text.size() - 1) + 1); };
    if (range.empty() || device.empty()) return {};
    const auto device_number = ::makedev(static_cast<unsigned>(number_of(device, 16)), static_cast<unsigned>(number_of(after(device, ':'), 16)));
    return {number_of(range, 16), number_of(after(range, '-'), 16), {device_number, inode}};
}

}  // namespace

std::string proc_path(int pid, std::string_view rest) { return fmt::format("/proc/{}/{}", pid, rest); }

int for_each_number(const std::string& directory_path, const std::function<void(int directory, int number)>& visit) {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(directory_path.c_str()), ::closedir);
    if (!directory) return errno;
    while (const dirent* const entry = ::readdir(directory.get())) {
        const std::string_view name = entry->d_name;
        int number = 0;
        const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
        if (error == std::errc{} && end == name.data() + name.size()) visit(::dirfd(directory.get()), number);
    }
    return 0;
}

std::string_view next_word(std::string_view& rest) {
    const auto first = rest.find_first_not_of(" \t");
    if (first == std::string_view::npos) return rest = {};
    const auto from = rest.substr(first);
    const auto word = from.substr(0, from.find_first_of(" \t"));
    rest.remove_prefix(first + word.size());
    return word;
}

std::uint64_t number_of(std::string_view digits, int base) {
    std::uint64_t number = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
    return number;
}

std::uint64_t number_of(std::string_view text) {
    return text.starts_with("0x") ? number_of(text.substr(2), 16) : number_of(text, 10);
}

bool for_each_mapped_range(int pid, const std::function<void(const MappedRange&)>& visit) {
    const auto text = file_text(proc_path(pid, "maps"));
    if (!text) return false;
    for (std::string_view rest = *text; !rest.empty();) {
        const auto line = rest.substr(0, rest.find('\n'));
        visit(range_of(line));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    }
    return true;
}

}  // namespace comap::tool
