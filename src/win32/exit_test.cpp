// SPDX-License-Identifier: Apache-2.0
// Programs that end without closing their handles: nothing of theirs stays.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <thread>

#include "win32/test_children.hpp"
#include "win32/win32_test.hpp"

namespace comap::win32::test {
namespace {

using comap::test::Handle;

constexpr DWORD kForgotten = 60'000;  // what nobody ended ends by itself
constexpr int kBroken = 99;

struct ProcessesThatExit : comap::test::Win32Test {
    // Something else than files of objects in the directory, such as what is not an object any more, counts as well.
    static std::size_t file_count() {
        std::size_t count = 0;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(context().root())) count += entry.is_regular_file();
        return count;
    }
    const std::string path = testing::TempDir() + "comap-win32-exit-" + name + std::to_string(::getpid());
    const std::size_t file_count_before = file_count();
};

bool is_there(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

HANDLE event(const std::string& name) { return CreateEventA(nullptr, FALSE, FALSE, name.c_str()); }
HANDLE section(const std::string& name) { return CreateFileMappingA(INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE, 0, 4096, name.c_str()); }
HANDLE deleted_on_close(const std::string& path) {
    return CreateFileA(path.c_str(), GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_DELETE, nullptr, CREATE_ALWAYS, FILE_FLAG_DELETE_ON_CLOSE, nullptr);
}

// One object of each kind, none of which is closed. False: they could not be made.
bool open_all(const std::string& name, const std::string& path) {
    const HANDLE made = section(name + ".section");
    const HANDLE protects = event(name + ".protected");
    HANDLE twice = nullptr;
    return made && MapViewOfFile(made, FILE_MAP_WRITE, 0, 0, 0) && MapViewOfFile(made, FILE_MAP_COPY, 0, 0, 0) &&
           SetHandleInformation(protects, HANDLE_FLAG_PROTECT_FROM_CLOSE, HANDLE_FLAG_PROTECT_FROM_CLOSE) && event(name + ".event") &&
           CreateMutexA(nullptr, TRUE, (name + ".mutex").c_str()) && CreateSemaphoreA(nullptr, 1, 2, (name + ".semaphore").c_str()) &&
           DuplicateHandle(GetCurrentProcess(), made, GetCurrentProcess(), &twice, 0, FALSE, DUPLICATE_SAME_ACCESS) &&
           deleted_on_close(path) != INVALID_HANDLE_VALUE;
}

// NAME PATH WAY
const Role leave_open("leave_open", [](const Arguments& arguments) -> int {
    const std::string way = arguments.at(2);
    if (!open_all(arguments.at(0), arguments.at(1))) return kBroken;
    if (way == "ExitProcess") ExitProcess(7);
    if (way == "exit") std::exit(7);
    if (way == "ExitThread") ExitThread(7);
    if (way == "other thread") std::thread([] { ExitProcess(7); }).join();
    if (way == "_exit") ::_exit(7);
    return 7;
});

TEST_F(ProcessesThatExit, LeaveNothing) {
    for (const char* const way : {"return", "ExitProcess", "exit", "ExitThread", "other thread"}) {
        SCOPED_TRACE(way);
        EXPECT_EQ(Child(role_command("leave_open", {name, path, way})).wait_for_code(), 7u);
        EXPECT_EQ(file_count(), file_count_before);
        EXPECT_FALSE(is_there(path));
    }
}

TEST_F(ProcessesThatExit, LeaveWhatTheyHadWhereNothingRunsAtTheirEnd) {
    EXPECT_EQ(Child(role_command("leave_open", {name, path, "_exit"})).wait_for_code(), 7u);
    EXPECT_GT(file_count(), file_count_before);  // else these tests see nothing
    for (const char* const kind : {".section", ".protected", ".event", ".mutex", ".semaphore"}) Handle(event(name + kind)).close();  // are removed so
    EXPECT_EQ(file_count(), file_count_before);
    EXPECT_TRUE(is_there(path));
    ::unlink(path.c_str());
}

TEST_F(ProcessesThatExit, LeaveWhatOthersHold) {
    const Handle held = section(name + ".section");
    const auto* const view = static_cast<const char*>(MapViewOfFile(held, FILE_MAP_READ, 0, 0, 0));
    EXPECT_EQ(Child(role_command("leave_open", {name, path, "return"})).wait_for_code(), 7u);
    EXPECT_TRUE(comap::test::section_exists(name + ".section"));
    EXPECT_EQ(file_count(), file_count_before + 1);
    EXPECT_EQ(*view, 0);
    UnmapViewOfFile(view);
}

// --- threads that go on

[[noreturn]] void break_off() {
    TerminateProcess(GetCurrentProcess(), kBroken);
    std::abort();
}

// None of them may see a call fail because the process ends.
void sleep_in_single_wait(const std::string& name) {
    WaitForSingleObject(event(name + ".single"), INFINITE);
    break_off();
}
void sleep_in_multiple_wait(const std::string& name, BOOL for_all) {
    const std::array<HANDLE, 3> all = {event(name + (for_all ? ".all" : ".any")), event(name + ".shared"), event(name + ".single")};
    WaitForMultipleObjects(3, all.data(), for_all, INFINITE);
    break_off();
}
void sleep_after_signal(const std::string& name) {
    SignalObjectAndWait(event(name + ".signalled"), event(name + ".waited"), INFINITE, FALSE);
    break_off();
}
void lock_and_unlock(HANDLE mutex, std::atomic<int>& inside) {
    for (;;) {
        if (WaitForSingleObject(mutex, INFINITE) != WAIT_OBJECT_0) break_off();
        if (inside.fetch_add(1, std::memory_order_relaxed) != 0) break_off();
        inside.fetch_sub(1, std::memory_order_relaxed);
        if (!ReleaseMutex(mutex)) break_off();
    }
}
void poll(HANDLE set) {
    for (;;)
        if (!SetEvent(set) || !ResetEvent(set) || WaitForSingleObject(set, 0) == WAIT_FAILED) break_off();
}
void make_and_close(const std::string& name) {
    for (;;) {
        const HANDLE made = event(name);
        if (!made || !CloseHandle(made)) break_off();
    }
}

// NAME
const Role leave_threads("leave_threads", [](const Arguments& arguments) {
    static std::atomic<int> inside{0};
    static const std::string& name = *new std::string(arguments.at(0));  // outlives main
    const HANDLE mutex = CreateMutexA(nullptr, FALSE, (name + ".mutex").c_str());
    const HANDLE set = event(name + ".set");
    std::thread([] { sleep_in_single_wait(name); }).detach();
    std::thread([] { sleep_in_multiple_wait(name, TRUE); }).detach();
    std::thread([] { sleep_in_multiple_wait(name, FALSE); }).detach();
    std::thread([] { sleep_after_signal(name); }).detach();
    std::thread([=] { lock_and_unlock(mutex, inside); }).detach();
    std::thread([=] { lock_and_unlock(mutex, inside); }).detach();
    std::thread([=] { poll(set); }).detach();
    std::thread([] { make_and_close(name + ".made"); }).detach();
    Sleep(static_cast<DWORD>(std::stoul(arguments.at(1))));
    return 7;
});

TEST_F(ProcessesThatExit, EndWhileTheirThreadsGoOn) {
    for (int round = 0; round < 30; ++round) {
        ASSERT_EQ(Child(role_command("leave_threads", {name, std::to_string(round)})).wait_for_code(), 7u) << round;
        ASSERT_EQ(OpenEventA(SYNCHRONIZE, FALSE, (name + ".shared").c_str()), nullptr) << round;  // also where a thread kept it to the end
    }
    EXPECT_OK(context().collect(Scope::local));
}

// --- forks

// NAME PATH: its child ends, which it does not notice.
const Role fork_before("fork_before", [](const Arguments& arguments) -> int {
    const std::string& name = arguments.at(0);
    const HANDLE made = section(name + ".section");
    auto* const view = static_cast<char*>(MapViewOfFile(made, FILE_MAP_WRITE, 0, 0, 0));
    const HANDLE mutex = CreateMutexA(nullptr, TRUE, (name + ".mutex").c_str());
    const HANDLE set = event(name + ".event");
    const HANDLE file = deleted_on_close(arguments.at(1));
    for (const bool runs_handlers : {false, true}) {
        const pid_t child = ::fork();
        if (child == 0 && runs_handlers) std::exit(0);
        if (child == 0) ::_exit(0);
        int status = -1;
        if (::waitpid(child, &status, 0) != child || status != 0) return 1;
        if (!Handle(OpenEventA(SYNCHRONIZE, FALSE, (name + ".event").c_str())) || !comap::test::section_exists(name + ".section")) return 2;
        if (!is_there(arguments.at(1))) return 3;
        DWORD end = WAIT_FAILED;
        std::thread([&] { end = WaitForSingleObject(mutex, 0); }).join();
        if (end != WAIT_TIMEOUT || !SetEvent(set) || WaitForSingleObject(set, 0) != WAIT_OBJECT_0) return 4;
        DWORD written = 0;
        if (!WriteFile(file, "x", 1, &written, nullptr)) return 5;
        *view = 1;
    }
    return ReleaseMutex(mutex) ? 7 : 6;
});

TEST_F(ProcessesThatExit, AreNotDisturbedByTheChildrenOfTheirForks) {
    EXPECT_EQ(Child(role_command("fork_before", {name, path})).wait_for_code(), 7u);
    EXPECT_EQ(file_count(), file_count_before);
    EXPECT_FALSE(is_there(path));
}

// NAME: the child is the last who holds it.
const Role fork_and_leave("fork_and_leave", [](const Arguments& arguments) -> int {
    if (!event(arguments.at(0))) return kBroken;
    const pid_t parent = ::getpid();
    if (::fork() != 0) return 7;
    while (::getppid() == parent) ::usleep(1000);
    std::exit(0);
});

TEST_F(ProcessesThatExit, LeaveNothingAsTheLastOfAFork) {
    EXPECT_EQ(Child(role_command("fork_and_leave", {name})).wait_for_code(), 7u);
    comap::test::wait_until([&] { return file_count() == file_count_before; }, "the name is gone");
}

// --- mutexes

// NAME OWNER
const Role exit_owning("exit_owning", [](const Arguments& arguments) -> int {
    static const std::string& name = *new std::string(arguments.at(0));  // outlives main
    const std::string& owner = arguments.at(1);
    const auto own = [] {
        const HANDLE mutex = CreateMutexA(nullptr, FALSE, name.c_str());
        for (int i = 0; i < 2; ++i)
            if (WaitForSingleObject(mutex, kForgotten) != WAIT_OBJECT_0) break_off();
        SetEvent(event(name + ".owned"));
    };
    const HANDLE end = event(name + ".end");
    if (owner == "thread") {
        std::thread([own] {
            own();
            Sleep(kForgotten);
        }).detach();
    } else {
        own();
    }
    if (owner == "slow") std::atexit([] { Sleep(1200); });
    WaitForSingleObject(end, kForgotten);
    return 7;
});

TEST_F(ProcessesThatExit, AbandonTheirMutexes) {
    const Handle mutex = CreateMutexA(nullptr, FALSE, name.c_str());
    const Handle owned = event(name + ".owned");
    const Handle end = event(name + ".end");
    for (const char* const owner : {"main", "thread", "slow"})
        for (const bool waits_before : {false, true}) {
            SCOPED_TRACE(owner + std::to_string(waits_before));
            const Child child(role_command("exit_owning", {name, owner}));
            ASSERT_EQ(WaitForSingleObject(owned, kForgotten), WAIT_OBJECT_0);
            SetEvent(end);
            if (!waits_before) {
                EXPECT_EQ(child.wait_for_code(), 7u);
            }
            EXPECT_EQ(WaitForSingleObject(mutex, waits_before ? kForgotten : 0), WAIT_ABANDONED);
            EXPECT_EQ(child.wait_for_code(), 7u);
            EXPECT_TRUE(ReleaseMutex(mutex));
            EXPECT_EQ(WaitForSingleObject(mutex, 0), WAIT_OBJECT_0);
            EXPECT_TRUE(ReleaseMutex(mutex));
        }
}

}  // namespace
}  // namespace comap::win32::test
