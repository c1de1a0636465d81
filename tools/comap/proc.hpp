// SPDX-License-Identifier: Apache-2.0
// Reading /proc: its numbered entries, and the files that a process maps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace comap::tool {

struct FileId {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    bool operator==(const FileId&) const = default;
};

struct FileIdHash {
    std::size_t operator()(const FileId& id) const { return (id.inode * 0x9e37'79b9'7f4a'7c15u) ^ id.device; }
};

// "/proc/PID/REST"
std::string proc_path(int pid, std::string_view rest);

// Calls `visit` for each entry that is a number. Returns errno of opening the directory, or 0.
int for_each_number(const std::string& directory_path, const std::function<void(int directory, int number)>& visit);

// Takes the next word off `rest`; empty at the end.
std::string_view next_word(std::string_view& rest);

// The digits it begins with; 0 if there are none.
std::uint64_t number_of(std::string_view digits, int base);

// "0x1f" or "31", as /proc/PID/syscall writes numbers.
std::uint64_t number_of(std::string_view text);

struct MappedRange {
    std::uint64_t from = 0;
    std::uint64_t to = 0;
    FileId file;
};

// Calls `visit` for each range that the process maps. Returns whether it could be seen.
bool for_each_mapped_range(int pid, const std::function<void(const MappedRange&)>& visit);

}  // namespace comap::tool
