// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include <array>
#include <atomic>
#include <thread>

#include "win32/test_children.hpp"

namespace comap::win32::test {
namespace {

DWORD CALLBACK give_back(void* value) { return static_cast<DWORD>(reinterpret_cast<std::uintptr_t>(value)); }
void* pointer(std::uintptr_t value) { return reinterpret_cast<void*>(value); }

DWORD code_of(HANDLE thread) {
    DWORD code = 0xdeadbeef;
    EXPECT_TRUE(GetExitCodeThread(thread, &code));
    return code;
}

TEST(Threads, GiveBackTheirCode) {
    DWORD id = 0;
    const HANDLE thread = CreateThread(nullptr, 0, give_back, pointer(0x12345678), 0, &id);
    ASSERT_NE(thread, nullptr);
    EXPECT_EQ(WaitForSingleObject(thread, INFINITE), WAIT_OBJECT_0);
    EXPECT_EQ(WaitForSingleObject(thread, 0), WAIT_OBJECT_0);
    EXPECT_EQ(code_of(thread), 0x12345678u);
    EXPECT_NE(id, 0u);
    EXPECT_NE(id, GetCurrentThreadId());
    EXPECT_EQ(GetThreadId(thread), id);
    EXPECT_TRUE(CloseHandle(thread));
    EXPECT_FALSE(CloseHandle(thread));
}

TEST(Threads, RefuseBadArguments) {
    SetLastError(0);
    EXPECT_EQ(CreateThread(nullptr, 0, nullptr, nullptr, 0, nullptr), nullptr);
    EXPECT_EQ(GetLastError(), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(CreateThread(nullptr, 0, give_back, nullptr, 0x8000'0000, nullptr), nullptr);
    EXPECT_EQ(GetLastError(), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(CreateThread(nullptr, SIZE_MAX / 2, give_back, nullptr, 0, nullptr), nullptr);
    EXPECT_EQ(GetLastError(), DWORD{ERROR_NOT_ENOUGH_MEMORY});
    DWORD code = 0;
    EXPECT_FALSE(GetExitCodeThread(nullptr, &code));
    EXPECT_EQ(GetLastError(), DWORD{ERROR_INVALID_HANDLE});
    EXPECT_FALSE(GetExitCodeThread(GetCurrentProcess(), &code));
    EXPECT_EQ(GetLastError(), DWORD{ERROR_INVALID_HANDLE});
    EXPECT_FALSE(GetExitCodeThread(GetCurrentThread(), nullptr));
    EXPECT_EQ(ResumeThread(nullptr), ~DWORD{0});
    EXPECT_EQ(SuspendThread(GetCurrentThread()), ~DWORD{0});
    EXPECT_EQ(GetLastError(), DWORD{ERROR_NOT_SUPPORTED});
    EXPECT_EQ(GetThreadId(nullptr), 0u);
}

TEST(Threads, TakeSmallAndLargeStacks) {
    for (const SIZE_T bytes : {SIZE_T{1}, SIZE_T{4096}, SIZE_T{65537}, SIZE_T{64} << 20}) {
        const HANDLE thread = CreateThread(nullptr, bytes, give_back, pointer(7), STACK_SIZE_PARAM_IS_A_RESERVATION, nullptr);
        ASSERT_NE(thread, nullptr) << bytes;
        EXPECT_EQ(WaitForSingleObject(thread, INFINITE), WAIT_OBJECT_0);
        EXPECT_EQ(code_of(thread), 7u);
        CloseHandle(thread);
    }
}

TEST(Threads, WaitForResumeWhenSuspended) {
    static std::atomic<bool> has_run;
    has_run = false;
    const auto note = [](void*) -> DWORD {
        has_run = true;
        return STILL_ACTIVE;  // a code like any other
    };
    const HANDLE thread = CreateThread(nullptr, 0, note, nullptr, CREATE_SUSPENDED, nullptr);
    ASSERT_NE(thread, nullptr);
    EXPECT_EQ(WaitForSingleObject(thread, 30), DWORD{WAIT_TIMEOUT});
    EXPECT_FALSE(has_run);
    EXPECT_EQ(code_of(thread), STILL_ACTIVE);
    EXPECT_EQ(ResumeThread(thread), 1u);
    EXPECT_EQ(WaitForSingleObject(thread, INFINITE), WAIT_OBJECT_0);
    EXPECT_TRUE(has_run);
    EXPECT_EQ(ResumeThread(thread), 0u);
    CloseHandle(thread);
}

DWORD CALLBACK exit_deep_inside(void*) {
    const std::string frame_with_destructor(100, 'x');
    [] { ExitThread(0xfeedf00d); }();
    return 0;
}

TEST(Threads, EndByExitThread) {
    const HANDLE thread = CreateThread(nullptr, 0, exit_deep_inside, nullptr, 0, nullptr);
    EXPECT_EQ(WaitForSingleObject(thread, INFINITE), WAIT_OBJECT_0);
    EXPECT_EQ(code_of(thread), 0xfeedf00du);
    CloseHandle(thread);
}

// The one that counts: a thread that is seen to have ended has left its mutexes.
struct Owner {
    std::array<HANDLE, 3> mutexes;
    bool exits;
};

DWORD CALLBACK own_and_end(void* argument) {
    const auto& owner = *static_cast<Owner*>(argument);
    for (const HANDLE mutex : owner.mutexes) WaitForSingleObject(mutex, INFINITE);
    if (owner.exits) ExitThread(1);
    return 0;
}

void check_abandoned(int round_count) {
    for (int round = 0; round < round_count; ++round) {
        Owner owner = {{CreateMutexA(nullptr, FALSE, nullptr), CreateMutexA(nullptr, FALSE, nullptr), CreateMutexA(nullptr, FALSE, nullptr)}, round % 2 == 0};
        const HANDLE thread = CreateThread(nullptr, 0, own_and_end, &owner, 0, nullptr);
        ASSERT_NE(thread, nullptr);
        ASSERT_EQ(WaitForSingleObject(thread, 60'000), WAIT_OBJECT_0);
        for (const HANDLE mutex : owner.mutexes) {
            ASSERT_EQ(WaitForSingleObject(mutex, 0), WAIT_ABANDONED) << round;
            ReleaseMutex(mutex);
            CloseHandle(mutex);
        }
        CloseHandle(thread);
    }
}

TEST(Threads, HaveLeftTheirMutexesWhenSeenToHaveEnded) { check_abandoned(2000); }

TEST(Threads, HaveLeftTheirMutexesAlsoWhenManyEndAtOnce) {
    std::vector<std::thread> checkers;
    for (int i = 0; i < 4; ++i) checkers.emplace_back(check_abandoned, 500);
    for (std::thread& one : checkers) one.join();
}

TEST(Threads, EndTogetherWithAMutexInOneWait) {
    for (int round = 0; round < 300; ++round) {
        Owner owner = {{CreateMutexA(nullptr, FALSE, nullptr), CreateMutexA(nullptr, FALSE, nullptr), CreateMutexA(nullptr, FALSE, nullptr)}, true};
        const HANDLE thread = CreateThread(nullptr, 0, own_and_end, &owner, 0, nullptr);
        const std::array<HANDLE, 3> all = {thread, owner.mutexes[0], owner.mutexes[1]};
        ASSERT_EQ(WaitForSingleObject(thread, INFINITE), WAIT_OBJECT_0);
        ASSERT_EQ(WaitForMultipleObjects(3, all.data(), TRUE, 0), WAIT_ABANDONED_0);
        for (const HANDLE mutex : owner.mutexes) CloseHandle(mutex);
        CloseHandle(thread);
    }
}

TEST(Threads, GoOnWithoutHandles) {
    static HANDLE done;
    done = CreateEventA(nullptr, FALSE, FALSE, nullptr);
    const auto set = [](void*) -> DWORD {
        SetEvent(done);
        return 0;
    };
    CloseHandle(CreateThread(nullptr, 0, set, nullptr, 0, nullptr));
    ASSERT_EQ(WaitForSingleObject(done, INFINITE), WAIT_OBJECT_0);
    const std::size_t before = open_descriptor_count();
    for (int round = 0; round < 500; ++round) {
        CloseHandle(CreateThread(nullptr, 0, set, nullptr, 0, nullptr));
        ASSERT_EQ(WaitForSingleObject(done, INFINITE), WAIT_OBJECT_0);
    }
    EXPECT_TRUE(comes_down_to(before));
    CloseHandle(done);
}

TEST(Threads, OfOtherLibrariesCanBeWaitedFor) {
    HANDLE handle = nullptr;
    const HANDLE mutex = CreateMutexA(nullptr, FALSE, nullptr);
    std::atomic<bool> is_known = false;
    std::thread other([&] {
        DuplicateHandle(GetCurrentProcess(), GetCurrentThread(), GetCurrentProcess(), &handle, 0, FALSE, DUPLICATE_SAME_ACCESS);
        WaitForSingleObject(mutex, INFINITE);
        is_known = true;
        is_known.notify_all();
    });
    is_known.wait(false);
    ASSERT_NE(handle, nullptr);
    EXPECT_EQ(WaitForSingleObject(handle, INFINITE), WAIT_OBJECT_0);
    EXPECT_EQ(WaitForSingleObject(mutex, 0), WAIT_ABANDONED);
    EXPECT_EQ(code_of(handle), 0u);
    other.join();
    CloseHandle(handle);
    CloseHandle(mutex);
}

TEST(Threads, KnowThemselves) {
    EXPECT_EQ(reinterpret_cast<LONG_PTR>(GetCurrentThread()), -2);
    EXPECT_EQ(GetThreadId(GetCurrentThread()), GetCurrentThreadId());
    EXPECT_EQ(GetCurrentThreadId(), static_cast<DWORD>(::gettid()));
    EXPECT_EQ(code_of(GetCurrentThread()), STILL_ACTIVE);
    EXPECT_EQ(WaitForSingleObject(GetCurrentThread(), 0), DWORD{WAIT_TIMEOUT});
}

// --- The first thread of a process

HANDLE first_thread;

DWORD CALLBACK end_after_first_thread(void*) {
    if (WaitForSingleObject(first_thread, 30'000) != WAIT_OBJECT_0) return 1;
    DWORD code = 0;
    if (!GetExitCodeThread(first_thread, &code)) return 2;
    return code == 5 ? 300 : 1000 + code;
}

const Role leave_first("leave_first", [](const Arguments&) {
    DuplicateHandle(GetCurrentProcess(), GetCurrentThread(), GetCurrentProcess(), &first_thread, 0, FALSE, DUPLICATE_SAME_ACCESS);
    WaitForSingleObject(first_thread, 0);
    CloseHandle(CreateThread(nullptr, 0, end_after_first_thread, nullptr, 0, nullptr));
    ExitThread(5);
    return 0;
});

TEST(Threads, TheFirstMayEndBeforeTheOthers) {
    if (kHasThreadSanitizer) GTEST_SKIP();
    EXPECT_EQ(Child(role_command("leave_first")).wait_for_code(), 300u);
}

const Role leave_alone("leave_alone", [](const Arguments&) -> int { ExitThread(0x10203); });

TEST(Threads, TheOnlyOneEndsTheProcess) { EXPECT_EQ(Child(role_command("leave_alone")).wait_for_code(), 0x10203u); }

// The first thread calls nothing of this library to end.
pthread_t pthread_of_first;

DWORD CALLBACK end_after_joining_first(void*) { return ::pthread_join(pthread_of_first, nullptr) == 0 ? 300 : 1; }

const Role leave_first_by_pthread("leave_first_by_pthread", [](const Arguments& arguments) -> int {
    pthread_of_first = ::pthread_self();
    const bool is_last = arguments.at(0) == "last";
    const HANDLE thread = CreateThread(nullptr, 0, is_last ? give_back : end_after_joining_first, nullptr, 0, nullptr);
    if (is_last) WaitForSingleObject(thread, INFINITE);
    ::pthread_exit(nullptr);
});

// As above, but another thread uses this library, and the first one not at all.
const Role leave_first_that_knows_nothing("leave_first_that_knows_nothing", [](const Arguments&) -> int {
    pthread_of_first = ::pthread_self();
    std::thread([] {
        CloseHandle(CreateThread(nullptr, 0, give_back, pointer(7), 0, nullptr));
        end_after_joining_first(nullptr);
    }).detach();
    ::pthread_exit(nullptr);
});

const Role leave_first_after_child("leave_first_after_child", [](const Arguments&) -> int {
    (void)Child("true").wait_for_code();
    ::pthread_exit(nullptr);
});

TEST(Threads, TheFirstMayEndByPthreadExit) {
    if (kHasThreadSanitizer) GTEST_SKIP();
    EXPECT_EQ(Child(role_command("leave_first_by_pthread", {"first"})).wait_for_code(), 300u);
    EXPECT_EQ(Child(role_command("leave_first_by_pthread", {"last"})).wait_for_code(), 0u);
    const DWORD code_of_either = Child(role_command("leave_first_that_knows_nothing")).wait_for_code();
    EXPECT_TRUE(code_of_either == 0 || code_of_either == 7) << code_of_either;
    EXPECT_EQ(Child(role_command("leave_first_after_child")).wait_for_code(), 0u);
}

// --- The child of a fork

// Its child knows the thread that forked as another process's.
const Role fork_and_leave_by_pthread("fork_and_leave_by_pthread", [](const Arguments& arguments) -> int {
    pthread_of_first = ::pthread_self();
    if (GetThreadId(GetCurrentThread()) != GetCurrentThreadId()) return 1;
    const pid_t child = ::fork();
    if (child == 0) {
        if (arguments.at(0) == "with thread") CloseHandle(CreateThread(nullptr, 0, end_after_joining_first, nullptr, 0, nullptr));
        ::pthread_exit(nullptr);
    }
    const HANDLE process = OpenProcess(SYNCHRONIZE, FALSE, static_cast<DWORD>(child));
    const bool has_ended = WaitForSingleObject(process, 30'000) == WAIT_OBJECT_0;
    if (!has_ended) ::kill(child, SIGKILL);
    int status = -1;
    return ::waitpid(child, &status, 0) == child && has_ended && WIFEXITED(status) ? WEXITSTATUS(status) : 99;
});

TEST(Threads, AForkedChildMayEndByPthreadExit) {
    if (kHasThreadSanitizer) GTEST_SKIP();
    EXPECT_EQ(Child(role_command("fork_and_leave_by_pthread", {"alone"})).wait_for_code(), 0u);
    EXPECT_EQ(Child(role_command("fork_and_leave_by_pthread", {"with thread"})).wait_for_code(), 300u & 0xff);
}

TEST(Threads, OfAForkedChildAreItsOwn) {
    if (kHasThreadSanitizer) GTEST_SKIP();
    (void)GetThreadId(GetCurrentThread());
    const pid_t child = ::fork();
    if (child == 0) {
        bool is_right = GetThreadId(GetCurrentThread()) == GetCurrentThreadId() && GetCurrentThreadId() == static_cast<DWORD>(::getpid());
        const HANDLE thread = CreateThread(nullptr, 0, give_back, pointer(9), 0, nullptr);
        is_right = is_right && WaitForSingleObject(thread, 30'000) == WAIT_OBJECT_0 && code_of(thread) == 9;
        ::_exit(is_right ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

TEST(Threads, AForkWhileTheyEndLeavesAUsableChild) {
    if (kHasThreadSanitizer) GTEST_SKIP();
    for (int round = 0; round < 50; ++round) {
        std::array<HANDLE, 8> threads{};
        for (HANDLE& one : threads) one = CreateThread(nullptr, 0, give_back, nullptr, 0, nullptr);
        const pid_t child = ::fork();
        if (child == 0) {
            const HANDLE thread = CreateThread(nullptr, 0, give_back, pointer(9), 0, nullptr);
            ::_exit(WaitForSingleObject(thread, 30'000) == WAIT_OBJECT_0 ? 0 : 1);
        }
        EXPECT_EQ(WaitForMultipleObjects(8, threads.data(), TRUE, 60'000), WAIT_OBJECT_0);
        for (const HANDLE one : threads) CloseHandle(one);
        int status = -1;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_EQ(status, 0);
    }
}

}  // namespace
}  // namespace comap::win32::test
