// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "win32/test_children.hpp"

namespace comap::win32::test {
namespace {

using Processes = InDirectory;

std::string contents(const std::string& path) {
    std::ostringstream all;
    all << std::ifstream(path).rdbuf();
    return all.str();
}

void write_file(const std::string& path, const std::string& bytes, mode_t mode) {
    std::ofstream(path) << bytes;
    ::chmod(path.c_str(), mode);
}

DWORD error_of(const std::string& command_line, const Start& start = {}) { return Child(command_line, start).error(); }

// Prints each argument in brackets to the file "out".
const Role print_arguments("print_arguments", [](const Arguments& arguments) {
    std::ofstream out("out");
    for (const std::string& one : arguments) out << '[' << one << ']';
    return 0;
});

const Role exit_with("exit_with", [](const Arguments& arguments) -> int { ExitProcess(static_cast<UINT>(std::stoul(arguments.at(0)))); });
const Role return_with("return_with", [](const Arguments& arguments) { return std::stoi(arguments.at(0)); });
const Role quick_exit_with("quick_exit_with", [](const Arguments& arguments) -> int { ::_exit(std::stoi(arguments.at(0))); });
const Role end_itself("end_itself", [](const Arguments&) {
    TerminateProcess(GetCurrentProcess(), 0xabcdef01);
    return 1;
});

// Until it is killed, or for what is many times any test.
const Role stay("stay", [](const Arguments&) {
    Sleep(60'000);
    return 0;
});

TEST_F(Processes, GiveBackTheirWholeCode) {
    for (const DWORD code : {0u, 1u, 255u, 256u, 259u, 0x12345678u, 0xffffffffu})
        EXPECT_EQ(Child(role_command("exit_with", {std::to_string(code)})).wait_for_code(), code);
    EXPECT_EQ(Child(role_command("return_with", {"-1"})).wait_for_code(), 0xffffffffu);
    EXPECT_EQ(Child(role_command("return_with", {"1000"})).wait_for_code(), 1000u);
    EXPECT_EQ(Child(role_command("end_itself")).wait_for_code(), 0xabcdef01u);
    EXPECT_EQ(Child(role_command("quick_exit_with", {"300"})).wait_for_code(), 44u);  // told by the kernel alone
    EXPECT_EQ(Child("sh -c \"exit 77\"").wait_for_code(), 77u);
    EXPECT_EQ(Child("sh -c \"/proc/self/exe -c true; kill -TERM $$\"").wait_for_code(), 128u + SIGTERM);
}

TEST_F(Processes, AProgramInBetweenHidesTheCodeOfTheLast) {
    const std::string self = std::filesystem::read_symlink("/proc/self/exe");
    EXPECT_EQ(Child("sh -c \"" + self + " --role=exit_with 1000; exit 232\"").wait_for_code(), 232u);  // 1000 has the same low bits
}

TEST_F(Processes, SplitTheirCommandLine) {
    const std::array<std::array<std::string, 2>, 12> cases = {{
        {R"(a b	c)", "[a][b][c]"},
        {R"("a b" c)", "[a b][c]"},
        {R"("ab\"c" "\\" d)", R"([ab"c][\][d])"},
        {R"(a\\\b d"e f"g h)", R"([a\\\b][de fg][h])"},
        {R"(a\\\"b c d)", R"([a\"b][c][d])"},
        {R"(a\\\\"b c" d e)", R"([a\\b c][d][e])"},
        {R"(a"b"" c d)", R"([ab" c d])"},
        {R"("" "" x)", "[][][x]"},
        {R"("unclosed a)", "[unclosed a]"},
        {R"(C:\dir\file.txt \\server\x\)", R"([C:\dir\file.txt][\\server\x\])"},
        {R"(  a  )", "[a]"},
        {"\"\xe2\x82\xac \xf0\x9f\x98\x80\"", "[\xe2\x82\xac \xf0\x9f\x98\x80]"},
    }};
    for (const auto& [line, expected] : cases) {
        EXPECT_EQ(Child("/proc/self/exe --role=print_arguments " + line).wait_for_code(), 0u) << line;
        EXPECT_EQ(contents("out"), expected) << line;
    }
}

TEST_F(Processes, AreFoundAsOnWindows) {
    std::filesystem::create_directory("a dir");
    write_file("here", "#!/bin/sh\nexit 3\n", 0755);
    write_file("a dir/program", "#!/bin/sh\nexit 4\n", 0755);
    EXPECT_EQ(Child("here").wait_for_code(), 3u);
    EXPECT_EQ(Child("here.exe x").wait_for_code(), 3u);
    EXPECT_EQ(Child(".\\here.EXE").wait_for_code(), 3u);
    EXPECT_EQ(Child("\"a dir\\program\" x").wait_for_code(), 4u);
    EXPECT_EQ(Child(directory() + "/a dir/program x y").wait_for_code(), 4u);
    EXPECT_EQ(Child("true").wait_for_code(), 0u);
    EXPECT_EQ(Child("  true.exe").wait_for_code(), 0u);
}

TEST_F(Processes, AreFoundFromTheDirectoryOfTheirParent) {
    std::filesystem::create_directories("inside/a dir");
    std::filesystem::create_directory("a dir");
    write_file("here", "#!/bin/sh\nexit 3\n", 0755);
    write_file("a dir/program", "#!/bin/sh\nexit 4\n", 0755);
    write_file("inside/a dir/program", "#!/bin/sh\nexit 5\n", 0755);
    EXPECT_EQ(Child("here", {.directory = "inside"}).wait_for_code(), 3u);
    EXPECT_EQ(Child(".\\here", {.directory = "inside"}).wait_for_code(), 3u);
    EXPECT_EQ(Child("\"a dir/program\"", {.directory = "inside"}).wait_for_code(), 4u);
    STARTUPINFOA startup = {};
    PROCESS_INFORMATION info = {};
    ASSERT_TRUE(CreateProcessA("a dir\\program", nullptr, nullptr, nullptr, FALSE, 0, nullptr, "inside", &startup, &info));
    EXPECT_EQ(WaitForSingleObject(info.hProcess, 60'000), WAIT_OBJECT_0);
    DWORD code = 0;
    EXPECT_TRUE(GetExitCodeProcess(info.hProcess, &code));
    EXPECT_EQ(code, 4u);
    CloseHandle(info.hProcess);
    CloseHandle(info.hThread);
}

TEST_F(Processes, TellWhyTheyCannotStart) {
    write_file("not_executable", "#!/bin/sh\n", 0644);
    write_file("no_program", "\x7f" "ELF, but no more", 0755);
    write_file("empty", "", 0755);
    EXPECT_EQ(error_of("missing_program_x"), DWORD{ERROR_FILE_NOT_FOUND});
    EXPECT_EQ(error_of("./missing arg"), DWORD{ERROR_FILE_NOT_FOUND});
    EXPECT_EQ(error_of("\"missing dir/program\""), DWORD{ERROR_PATH_NOT_FOUND});
    EXPECT_EQ(error_of("C:\\windows\\notepad.exe"), DWORD{ERROR_PATH_NOT_FOUND});
    EXPECT_EQ(error_of("./not_executable"), DWORD{ERROR_ACCESS_DENIED});
    EXPECT_EQ(error_of("./no_program"), DWORD{ERROR_BAD_EXE_FORMAT});
    EXPECT_EQ(error_of("./empty"), DWORD{ERROR_BAD_EXE_FORMAT});
    EXPECT_EQ(error_of(""), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(error_of("true", {.flags = CREATE_SUSPENDED}), DWORD{ERROR_NOT_SUPPORTED});
    EXPECT_EQ(error_of("true", {.directory = "missing"}), DWORD{ERROR_DIRECTORY});
    EXPECT_EQ(error_of("true", {.directory = "empty"}), DWORD{ERROR_DIRECTORY});
    STARTUPINFOA startup = {};
    PROCESS_INFORMATION info = {};
    std::string line = "true";
    EXPECT_FALSE(CreateProcessA(nullptr, nullptr, nullptr, nullptr, FALSE, 0, nullptr, nullptr, &startup, &info));
    EXPECT_EQ(GetLastError(), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_FALSE(CreateProcessA(nullptr, line.data(), nullptr, nullptr, FALSE, 0, nullptr, nullptr, nullptr, &info));
    EXPECT_FALSE(CreateProcessA(nullptr, line.data(), nullptr, nullptr, FALSE, 0, nullptr, nullptr, &startup, nullptr));
    EXPECT_FALSE(CreateProcessA("true", nullptr, nullptr, nullptr, FALSE, 0, nullptr, nullptr, &startup, &info));  // no search
    EXPECT_EQ(GetLastError(), DWORD{ERROR_FILE_NOT_FOUND});
    EXPECT_EQ(info.hProcess, nullptr);
}

TEST_F(Processes, TakeNamesInBothEncodings) {
    write_file("\xc3\xa4", "#!/bin/sh\nexit 9\n", 0755);
    STARTUPINFOW startup = {};
    startup.cb = sizeof startup;
    PROCESS_INFORMATION info = {};
    std::u16string line = u"program argument";
    ASSERT_TRUE(CreateProcessW(u".\\\u00e4", line.data(), nullptr, nullptr, FALSE, CREATE_NEW_CONSOLE, nullptr, u".", &startup, &info)) << GetLastError();
    EXPECT_EQ(WaitForSingleObject(info.hThread, INFINITE), WAIT_OBJECT_0);
    DWORD code = 0;
    EXPECT_TRUE(GetExitCodeProcess(info.hProcess, &code));
    EXPECT_EQ(code, 9u);
    EXPECT_TRUE(GetExitCodeThread(info.hThread, &code));
    EXPECT_EQ(code, 9u);
    EXPECT_EQ(GetThreadId(info.hThread), info.dwThreadId);
    CloseHandle(info.hProcess);
    CloseHandle(info.hThread);
    std::u16string broken = u"\xd800";
    EXPECT_FALSE(CreateProcessW(nullptr, broken.data(), nullptr, nullptr, FALSE, 0, nullptr, nullptr, &startup, &info));
    EXPECT_EQ(GetLastError(), DWORD{ERROR_INVALID_PARAMETER});
}

TEST_F(Processes, GetTheirSurroundings) {
    std::filesystem::create_directory("inside");
    char narrow[] = "A=first\0=C:=C:\\x\0B=second value\0";
    EXPECT_EQ(Child("/bin/sh -c \"echo \\\"$A,$B,$HOME\\\" >out\"", {.environment = narrow, .directory = "inside"}).wait_for_code(), 0u);
    EXPECT_EQ(contents("inside/out"), "first,second value,\n");
    char16_t wide[] = u"A=\u20ac\0";
    EXPECT_EQ(Child("/bin/sh -c \"echo $A >out\"", {.flags = CREATE_UNICODE_ENVIRONMENT, .environment = wide}).wait_for_code(), 0u);
    EXPECT_EQ(contents("out"), "\xe2\x82\xac\n");
    ::setenv("COMAP_TEST_VARIABLE", "own", 1);
    EXPECT_EQ(Child("/bin/sh -c \"echo $COMAP_TEST_VARIABLE >out\"").wait_for_code(), 0u);
    EXPECT_EQ(contents("out"), "own\n");
}

TEST_F(Processes, WriteToTheStreamsTheyWereGiven) {
    const HANDLE out = CreateFileA("given", GENERIC_WRITE, 0, nullptr, CREATE_NEW, 0, nullptr);
    EXPECT_EQ(Child("sh -c \"echo text\"", {.output = out}).wait_for_code(), 0u);
    CloseHandle(out);
    EXPECT_EQ(contents("given"), "text\n");
    EXPECT_EQ(Child("sh -c \"echo text\"", {.output = INVALID_HANDLE_VALUE}).wait_for_code(), 0u);
}

TEST_F(Processes, CanBeTerminated) {
    for (const DWORD code : {7u, 0x87654321u}) {
        const Child child(role_command("stay"));
        DWORD now = 0;
        EXPECT_TRUE(GetExitCodeProcess(child.process(), &now));
        EXPECT_EQ(now, STILL_ACTIVE);
        EXPECT_EQ(WaitForSingleObject(child.process(), 20), DWORD{WAIT_TIMEOUT});
        EXPECT_TRUE(TerminateProcess(child.process(), code));
        EXPECT_EQ(child.wait_for_code(), code);
        EXPECT_EQ(WaitForSingleObject(child.thread(), 0), WAIT_OBJECT_0);
        EXPECT_FALSE(TerminateProcess(child.process(), 1));
        EXPECT_EQ(GetLastError(), DWORD{ERROR_ACCESS_DENIED});
        EXPECT_EQ(::kill(static_cast<pid_t>(child.id()), 0), -1);  // and was reaped
    }
    const Child child(role_command("stay"));
    ::kill(static_cast<pid_t>(child.id()), SIGKILL);
    EXPECT_EQ(child.wait_for_code(), 128u + SIGKILL);
}

TEST_F(Processes, AreReapedWithoutHandles) {
    pid_t id = 0;
    {
        std::string line = "true";
        STARTUPINFOA startup = {};
        PROCESS_INFORMATION info = {};
        ASSERT_TRUE(CreateProcessA(nullptr, line.data(), nullptr, nullptr, FALSE, 0, nullptr, nullptr, &startup, &info));
        CloseHandle(info.hProcess);
        CloseHandle(info.hThread);
        id = static_cast<pid_t>(info.dwProcessId);
    }
    while (::kill(id, 0) == 0) ::sched_yield();
    EXPECT_EQ(errno, ESRCH);
}

TEST_F(Processes, LeaveTheOtherChildrenToTheProgram) {
    const pid_t own = ::fork();
    if (own == 0) ::_exit(5);
    EXPECT_EQ(Child("true").wait_for_code(), 0u);
    int status = 0;
    ASSERT_EQ(::waitpid(own, &status, 0), own);
    EXPECT_EQ(WEXITSTATUS(status), 5);
}

TEST_F(Processes, EndAlsoWhereSigchldIsIgnored) {
    const auto before = ::signal(SIGCHLD, SIG_IGN);
    for (int round = 0; round < 20; ++round) {
        EXPECT_EQ(Child(role_command("exit_with", {"1000"})).wait_for_code(), 1000u);
        EXPECT_EQ(Child("sh -c \"exit 3\"").wait_for_code(), 0u);  // nobody can know
        const Child killed(role_command("stay"));
        EXPECT_TRUE(TerminateProcess(killed.process(), 8));
        EXPECT_EQ(killed.wait_for_code(), 8u);
    }
    ::signal(SIGCHLD, before);
}

TEST_F(Processes, HaveLeftTheirMutexesWhenSeenToHaveEnded) {
    SECURITY_ATTRIBUTES inherited = {sizeof inherited, nullptr, TRUE};
    for (int round = 0; round < 30; ++round) {
        const HANDLE mutex = CreateMutexA(&inherited, FALSE, nullptr);
        const HANDLE is_owned = CreateEventA(&inherited, TRUE, FALSE, nullptr);
        const Child child(role_command("take_mutex", {text_of(mutex), text_of(is_owned)}), {.inherits = TRUE});
        ASSERT_EQ(WaitForSingleObject(is_owned, 60'000), WAIT_OBJECT_0);
        EXPECT_EQ(WaitForSingleObject(mutex, 0), DWORD{WAIT_TIMEOUT});
        if (round % 2 == 0) TerminateProcess(child.process(), 1);
        else ::kill(static_cast<pid_t>(child.id()), SIGKILL);
        ASSERT_EQ(WaitForSingleObject(child.process(), 60'000), WAIT_OBJECT_0);
        ASSERT_EQ(WaitForSingleObject(mutex, 0), WAIT_ABANDONED);
        CloseHandle(mutex);
        CloseHandle(is_owned);
    }
}

const Role take_mutex("take_mutex", [](const Arguments& arguments) {
    WaitForSingleObject(handle_of(arguments.at(0)), INFINITE);
    SetEvent(handle_of(arguments.at(1)));
    Sleep(60'000);
    return 0;
});

TEST_F(Processes, CanBeOpenedByNumber) {
    const Child child(role_command("stay"));
    const HANDLE opened = OpenProcess(SYNCHRONIZE | PROCESS_TERMINATE | PROCESS_QUERY_INFORMATION, FALSE, child.id());
    ASSERT_NE(opened, nullptr);
    EXPECT_EQ(GetProcessId(opened), child.id());
    EXPECT_TRUE(TerminateProcess(opened, 12));
    EXPECT_EQ(WaitForSingleObject(opened, 60'000), WAIT_OBJECT_0);
    EXPECT_EQ(child.wait_for_code(), 12u);
    CloseHandle(opened);
    SetLastError(0);
    EXPECT_EQ(OpenProcess(SYNCHRONIZE, FALSE, child.id()), nullptr);
    EXPECT_EQ(GetLastError(), DWORD{ERROR_INVALID_PARAMETER});
    for (const DWORD none : {0u, 0x7fff'fffeu, 0xffff'ffffu}) EXPECT_EQ(OpenProcess(PROCESS_ALL_ACCESS, FALSE, none), nullptr);
}

TEST_F(Processes, CannotBeOpenedByTheNumberOfAThread) {
    DWORD id = 0;
    const HANDLE thread = CreateThread(nullptr, 0, [](void*) -> DWORD { return 0; }, nullptr, CREATE_SUSPENDED, &id);
    SetLastError(0);
    EXPECT_EQ(OpenProcess(PROCESS_ALL_ACCESS, FALSE, id), nullptr);
    EXPECT_EQ(GetLastError(), DWORD{ERROR_INVALID_PARAMETER});
    ResumeThread(thread);
    EXPECT_EQ(WaitForSingleObject(thread, 60'000), WAIT_OBJECT_0);
    CloseHandle(thread);
}

TEST_F(Processes, OfOthersAreSeenToEnd) {
    std::array<int, 2> ends;
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const pid_t own = ::fork();  // not of CreateProcess
    if (own == 0) {
        ::close(ends[1]);
        char byte;
        while (::read(ends[0], &byte, 1) > 0) {
        }
        ::_exit(5);
    }
    ::close(ends[0]);
    const HANDLE opened = OpenProcess(SYNCHRONIZE, FALSE, static_cast<DWORD>(own));
    ASSERT_NE(opened, nullptr);
    DWORD code = 0;
    EXPECT_FALSE(GetExitCodeProcess(opened, &code));
    EXPECT_EQ(GetLastError(), DWORD{ERROR_ACCESS_DENIED});
    EXPECT_FALSE(TerminateProcess(opened, 1));
    EXPECT_EQ(GetLastError(), DWORD{ERROR_ACCESS_DENIED});
    EXPECT_EQ(WaitForSingleObject(opened, 0), DWORD{WAIT_TIMEOUT});
    ::close(ends[1]);
    EXPECT_EQ(WaitForSingleObject(opened, 60'000), WAIT_OBJECT_0);
    const HANDLE asking = OpenProcess(PROCESS_QUERY_INFORMATION, FALSE, static_cast<DWORD>(own));  // it was not reaped yet
    EXPECT_TRUE(GetExitCodeProcess(asking, &code));
    EXPECT_EQ(code, 5u);
    CloseHandle(asking);
    CloseHandle(opened);
    int status = 0;
    EXPECT_EQ(::waitpid(own, &status, 0), own);  // still the program's to ask
    EXPECT_EQ(WEXITSTATUS(status), 5);
}

TEST_F(Processes, KnowThemselves) {
    EXPECT_EQ(reinterpret_cast<LONG_PTR>(GetCurrentProcess()), -1);
    EXPECT_EQ(GetCurrentProcessId(), static_cast<DWORD>(::getpid()));
    EXPECT_EQ(GetProcessId(GetCurrentProcess()), GetCurrentProcessId());
    EXPECT_EQ(WaitForSingleObject(GetCurrentProcess(), 0), DWORD{WAIT_TIMEOUT});
    DWORD code = 0;
    EXPECT_TRUE(GetExitCodeProcess(GetCurrentProcess(), &code));
    EXPECT_EQ(code, STILL_ACTIVE);
    const HANDLE self = OpenProcess(PROCESS_ALL_ACCESS, FALSE, GetCurrentProcessId());
    ASSERT_NE(self, nullptr);
    EXPECT_EQ(GetProcessId(self), GetCurrentProcessId());
    CloseHandle(self);
    EXPECT_EQ(GetProcessId(nullptr), 0u);
    EXPECT_EQ(GetLastError(), DWORD{ERROR_INVALID_HANDLE});
}

TEST_F(Processes, CanBeWaitedForInTheChildOfAFork) {
    if (kHasThreadSanitizer) GTEST_SKIP();
    const Child child(role_command("stay"));
    const pid_t own = ::fork();
    if (own == 0) {
        const bool is_running = WaitForSingleObject(child.process(), 0) == DWORD{WAIT_TIMEOUT};
        TerminateProcess(child.process(), 5);
        ::_exit(is_running && WaitForSingleObject(child.process(), 30'000) == WAIT_OBJECT_0 ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(own, &status, 0), own);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(child.wait_for_code(), 128u + SIGKILL);
}

TEST_F(Processes, CanBeMadeByManyThreads) {
    std::vector<std::thread> makers;
    for (int i = 0; i < 4; ++i)
        makers.emplace_back([i] {
            for (DWORD round = 0; round < 25; ++round) {
                const DWORD code = static_cast<DWORD>(i) * 1000 + round;
                EXPECT_EQ(Child(role_command("exit_with", {std::to_string(code)})).wait_for_code(), code);
            }
        });
    for (std::thread& one : makers) one.join();
}

}  // namespace
}  // namespace comap::win32::test
