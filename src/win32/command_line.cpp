// SPDX-License-Identifier: Apache-2.0
#include "win32/command_line.hpp"

#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "win32/errors.hpp"
#include "win32/files.hpp"

namespace comap::win32 {
namespace {

constexpr std::string_view kBlanks = " \t";

bool is_blank(char letter) { return kBlanks.find(letter) != kBlanks.npos; }

std::size_t skip_blanks(std::string_view line, std::size_t at) { return std::min(line.find_first_not_of(kBlanks, at), line.size()); }

// The program's name; backslashes are letters.
std::string take_name(std::string_view line, std::size_t& at) {
    std::string name;
    bool is_quoted = false;
    for (; at < line.size() && (is_quoted || !is_blank(line[at])); ++at) {
        if (line[at] == '"') is_quoted = !is_quoted;
        else name += line[at];
    }
    return name;
}

std::string take_argument(std::string_view line, std::size_t& at) {
    std::string argument;
    bool is_quoted = false;
    while (at < line.size() && (is_quoted || !is_blank(line[at]))) {
        const std::size_t backslash_end = std::min(line.find_first_not_of('\\', at), line.size());
        const std::size_t backslash_count = backslash_end - at;
        at = backslash_end;
        if (at == line.size() || line[at] != '"') {
            argument.append(backslash_count, '\\');
            if (backslash_count == 0) argument += line[at++];
            continue;
        }
        argument.append(backslash_count / 2, '\\');
        const bool is_doubled = is_quoted && at + 1 < line.size() && line[at + 1] == '"';
        if (backslash_count % 2 == 1) {
            argument += '"';
        } else if (is_doubled) {
            argument += '"';
            ++at;
        } else {
            is_quoted = !is_quoted;
        }
        ++at;
    }
    return argument;
}

bool is_file(const std::string& path) {
    struct stat found;
    return ::stat(path.c_str(), &found) == 0 && S_ISREG(found.st_mode);
}

// Directories to search for a name without one.
std::vector<std::string> search_directories() {
    std::vector<std::string> directories;
    std::error_code error;
    if (const auto own = std::filesystem::read_symlink("/proc/thread-self/exe", error); !error) directories.push_back(own.parent_path());
    directories.emplace_back(".");
    const char* const value = std::getenv("PATH");
    std::string_view path = value ? value : "/usr/local/bin:/usr/bin:/bin";
    while (!path.empty()) {
        const std::size_t colon = std::min(path.find(':'), path.size());
        if (colon > 0) directories.emplace_back(path.substr(0, colon));
        path.remove_prefix(std::min(colon + 1, path.size()));
    }
    return directories;
}

std::optional<std::string> search(const std::string& name) {
    if (name.find('/') != name.npos) return is_file(name) ? std::optional(name) : std::nullopt;
    for (const std::string& directory : search_directories())
        if (std::string path = directory + '/' + name; is_file(path) && ::access(path.c_str(), X_OK) == 0) return path;
    return std::nullopt;
}

std::optional<std::string> search_as_windows(const std::string& name) {
    constexpr std::string_view kEnding = ".exe";
    if (auto found = search(name)) return found;
    const std::size_t stem = name.size() - std::min(name.size(), kEnding.size());
    return stem > 0 && ::strcasecmp(name.c_str() + stem, kEnding.data()) == 0 ? search(name.substr(0, stem)) : std::nullopt;
}

}  // namespace

std::vector<std::string> split_command_line(std::string_view line) {
    std::size_t at = 0;
    std::vector<std::string> arguments = {take_name(line, at)};
    while ((at = skip_blanks(line, at)) < line.size()) arguments.push_back(take_argument(line, at));
    return arguments;
}

std::optional<std::string> find_program(std::string_view line) {
    line.remove_prefix(skip_blanks(line, 0));
    std::size_t end = 0;
    std::string first = take_name(line, end);
    const bool is_quoted = line.starts_with('"');
    std::optional<std::string> path = native_path(first.c_str());
    if (!path) return std::nullopt;
    const DWORD code = path_code(ENOENT, *path);
    for (;;) {
        if (path)
            if (auto found = search_as_windows(*path)) return found;
        if (is_quoted || end >= line.size()) break;
        end = std::min(line.find_first_of(kBlanks, skip_blanks(line, end)), line.size());
        path = native_path(std::string(line.substr(0, end)).c_str());
    }
    SetLastError(code);
    return std::nullopt;
}

}  // namespace comap::win32
