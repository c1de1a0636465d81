// SPDX-License-Identifier: Apache-2.0
// For tests: other processes that run a part of the test program. A test file says what they do by
//   const Role sleeper("sleeper", [](const Arguments& arguments) { ...; return exit_code; });
// and a test starts one by Child child(role_command("sleeper", {"argument"})).
#pragma once

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <windows.h>

namespace comap::win32::test {

// It has a thread of its own, and lets no child of a fork start one.
#ifdef __SANITIZE_THREAD__
inline constexpr bool kHasThreadSanitizer = true;
#else
inline constexpr bool kHasThreadSanitizer = false;
#endif

using Arguments = std::vector<std::string>;

class Role {
  public:
    using Run = int (*)(const Arguments&);
    Role(const char* name, Run run) { all()[name] = run; }

    static std::map<std::string, Run>& all() {
        static std::map<std::string, Run> roles;
        return roles;
    }
};

// For main, before all else.
inline void run_role_if_asked(int argc, char** argv) {
    const std::string first = argc >= 2 ? argv[1] : "";
    if (!first.starts_with("--role=")) return;
    std::exit(Role::all().at(first.substr(7))(Arguments(argv + 2, argv + argc)));
}

inline std::string quoted(const std::string& argument) { return '"' + argument + '"'; }

inline std::string role_command(const std::string& role, const Arguments& arguments = {}) {
    std::string line = "/proc/self/exe --role=" + role;
    for (const std::string& one : arguments) line += ' ' + quoted(one);
    return line;
}

struct Start {
    BOOL inherits = FALSE;
    DWORD flags = 0;
    void* environment = nullptr;
    const char* directory = nullptr;
    HANDLE output = nullptr;
};

// Ended and closed with its scope.
class Child {
  public:
    explicit Child(const std::string& command_line, const Start& start = {}) {
        STARTUPINFOA startup = {};
        startup.cb = sizeof startup;
        if (start.output) {
            startup.dwFlags = STARTF_USESTDHANDLES;
            startup.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
            startup.hStdOutput = start.output;
            startup.hStdError = GetStdHandle(STD_ERROR_HANDLE);
        }
        std::string line = command_line;
        is_started_ = CreateProcessA(nullptr, line.data(), nullptr, nullptr, start.inherits, start.flags, start.environment, start.directory, &startup, &info_);
        error_ = is_started_ ? ERROR_SUCCESS : GetLastError();
    }
    ~Child() {
        if (!is_started_) return;
        TerminateProcess(info_.hProcess, 1);
        WaitForSingleObject(info_.hProcess, INFINITE);
        CloseHandle(info_.hProcess);
        CloseHandle(info_.hThread);
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    bool is_started() const { return is_started_; }
    DWORD error() const { return error_; }
    HANDLE process() const { return info_.hProcess; }
    HANDLE thread() const { return info_.hThread; }
    DWORD id() const { return info_.dwProcessId; }

    DWORD wait_for_code() const {
        EXPECT_EQ(WaitForSingleObject(process(), 60'000), WAIT_OBJECT_0);
        DWORD code = 0xdeadbeef;
        EXPECT_TRUE(GetExitCodeProcess(process(), &code));
        return code;
    }

  private:
    PROCESS_INFORMATION info_ = {};
    bool is_started_ = false;
    DWORD error_ = 0;
};

// A directory of its own for each test, the current one while it runs.
class InDirectory : public testing::Test {
  protected:
    InDirectory() {
        std::string pattern = testing::TempDir() + "comap-win32-XXXXXX";
        directory_ = ::mkdtemp(pattern.data());
        before_ = ::get_current_dir_name();
        EXPECT_EQ(::chdir(directory_.c_str()), 0);
    }
    ~InDirectory() override {
        EXPECT_EQ(::chdir(before_), 0);
        std::free(before_);
        EXPECT_EQ(std::system(("rm -rf '" + directory_ + "'").c_str()), 0);
    }
    const std::string& directory() const { return directory_; }

  private:
    std::string directory_;
    char* before_ = nullptr;
};

inline std::size_t open_descriptor_count() {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator{}));
}

// What has ended is let go of a moment after it was seen to have ended.
inline bool comes_down_to(std::size_t descriptor_count) {
    for (int round = 0; round < 1'000'000; ++round) {
        if (open_descriptor_count() <= descriptor_count) return true;
        ::sched_yield();
    }
    return false;
}

inline std::string text_of(HANDLE handle) { return std::to_string(reinterpret_cast<std::uintptr_t>(handle)); }
inline HANDLE handle_of(const std::string& text) { return reinterpret_cast<HANDLE>(static_cast<std::uintptr_t>(std::stoull(text))); }

}  // namespace comap::win32::test
