// SPDX-License-Identifier: Apache-2.0
#include "win32/win32_test.hpp"

#include <chrono>
#include <thread>
#include <vector>

#include "support/sleeper.hpp"

namespace comap::test {
namespace {

struct WaitsTest : Win32Test {
    static Handle event(bool is_set = false, bool manual = false) { return CreateEventA(nullptr, manual, is_set, nullptr); }
};

TEST_F(WaitsTest, WhatCannotBeWaitedFor) {
    for (const HANDLE bad : {HANDLE{nullptr}, reinterpret_cast<HANDLE>(0x7ffffff0)}) {
        EXPECT_EQ(WaitForSingleObject(bad, 0), WAIT_FAILED);
        EXPECT_EQ(error(), DWORD{ERROR_INVALID_HANDLE});
    }
    const Handle section = CreateFileMappingA(INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE, 0, 1, nullptr);
    SetLastError(kPoison);
    EXPECT_EQ(WaitForSingleObject(section, 0), WAIT_FAILED);
    EXPECT_EQ(error(), DWORD{ERROR_ACCESS_DENIED});
}

TEST_F(WaitsTest, ListsThatCannotBe) {
    const Handle one = event(), two = event();
    const std::vector<HANDLE> many(65, one);
    const HANDLE twice[] = {one, two, one};
    const HANDLE with_null[] = {one, nullptr};
    SetLastError(kPoison);
    for (const auto& [count, list] : {std::pair<DWORD, const HANDLE*>{0, twice}, {65, many.data()}, {1, nullptr}}) {
        EXPECT_EQ(WaitForMultipleObjects(count, list, FALSE, 0), WAIT_FAILED);
        EXPECT_EQ(error(), DWORD{ERROR_INVALID_PARAMETER});
    }
    EXPECT_EQ(WaitForMultipleObjects(3, twice, TRUE, 0), WAIT_FAILED);
    EXPECT_EQ(error(), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(WaitForMultipleObjects(3, twice, FALSE, 0), DWORD{WAIT_TIMEOUT});
    EXPECT_TRUE(SetEvent(one));
    EXPECT_EQ(WaitForMultipleObjects(2, with_null, FALSE, 0), WAIT_FAILED);
    EXPECT_EQ(error(), DWORD{ERROR_INVALID_HANDLE});
    EXPECT_EQ(WaitForSingleObject(one, 0), WAIT_OBJECT_0);  // nothing was taken
}

// Two names of one object are one object.
TEST_F(WaitsTest, AllOfOneObjectByTwoHandles) {
    const Handle one = CreateEventA(nullptr, FALSE, FALSE, name.c_str());
    const Handle two = OpenEventA(SYNCHRONIZE, FALSE, name.c_str());
    const HANDLE both[] = {one, two};
    EXPECT_EQ(WaitForMultipleObjects(2, both, TRUE, 0), WAIT_FAILED);
    EXPECT_EQ(error(), DWORD{ERROR_INVALID_PARAMETER});
}

TEST_F(WaitsTest, AnyTakesTheFirst) {
    const Handle one = event(true), two = event(true), three = event();
    const HANDLE list[] = {three, one, two};
    EXPECT_EQ(WaitForMultipleObjects(3, list, FALSE, INFINITE), WAIT_OBJECT_0 + 1);
    EXPECT_EQ(WaitForMultipleObjects(3, list, FALSE, INFINITE), WAIT_OBJECT_0 + 2);
    EXPECT_EQ(WaitForMultipleObjectsEx(3, list, FALSE, 0, TRUE), DWORD{WAIT_TIMEOUT});
}

TEST_F(WaitsTest, AllTakesAllOrNone) {
    const Handle one = event(true), two = event(), semaphore = CreateSemaphoreA(nullptr, 1, 1, nullptr), mutex = CreateMutexA(nullptr, FALSE, nullptr);
    const HANDLE list[] = {one, two, semaphore, mutex};
    EXPECT_EQ(WaitForMultipleObjects(4, list, TRUE, 0), DWORD{WAIT_TIMEOUT});
    DWORD end = WAIT_FAILED;
    Sleeper sleeper([&] {
        end = WaitForMultipleObjects(4, list, TRUE, INFINITE);
        ReleaseMutex(mutex);
    });
    sleeper.wait_until_asleep();
    EXPECT_TRUE(SetEvent(two));
    sleeper.join();
    EXPECT_EQ(end, WAIT_OBJECT_0);
    for (const HANDLE taken : {HANDLE{one}, HANDLE{two}, HANDLE{semaphore}}) EXPECT_EQ(WaitForSingleObject(taken, 0), DWORD{WAIT_TIMEOUT});
}

TEST_F(WaitsTest, AllOf64) {
    std::vector<Handle> events;
    std::vector<HANDLE> list;
    for (int i = 0; i < MAXIMUM_WAIT_OBJECTS; ++i) list.push_back(events.emplace_back(event(true)));
    EXPECT_EQ(WaitForMultipleObjects(MAXIMUM_WAIT_OBJECTS, list.data(), TRUE, INFINITE), WAIT_OBJECT_0);
    EXPECT_EQ(WaitForMultipleObjects(MAXIMUM_WAIT_OBJECTS, list.data(), FALSE, 0), DWORD{WAIT_TIMEOUT});
}

TEST_F(WaitsTest, AbandonedMutexesInLists) {
    const Handle one = CreateMutexA(nullptr, FALSE, nullptr), two = CreateMutexA(nullptr, FALSE, nullptr), unset = event();
    const auto abandon = [](HANDLE mutex) { std::thread([&] { WaitForSingleObject(mutex, INFINITE); }).join(); };
    const HANDLE any[] = {unset, two};
    abandon(two);
    EXPECT_EQ(WaitForMultipleObjects(2, any, FALSE, INFINITE), WAIT_ABANDONED_0 + 1);
    EXPECT_TRUE(ReleaseMutex(two));
    const HANDLE all[] = {one, two};
    abandon(two);
    EXPECT_EQ(WaitForMultipleObjects(2, all, TRUE, INFINITE), WAIT_ABANDONED_0);
    EXPECT_TRUE(ReleaseMutex(one));
    EXPECT_TRUE(ReleaseMutex(two));
    EXPECT_EQ(WaitForMultipleObjects(2, all, TRUE, INFINITE), WAIT_OBJECT_0);
    EXPECT_TRUE(ReleaseMutex(one));
    EXPECT_TRUE(ReleaseMutex(two));
}

TEST_F(WaitsTest, TimeOutsAreNotShort) {
    const Handle unset = event(), other = event();
    const HANDLE list[] = {unset, other};
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(WaitForSingleObject(unset, 20), DWORD{WAIT_TIMEOUT});
    EXPECT_EQ(WaitForMultipleObjects(2, list, TRUE, 20), DWORD{WAIT_TIMEOUT});
    EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(40));
    EXPECT_EQ(error(), DWORD{ERROR_SUCCESS});
}

// A signal that a thread handles does not end its waits.
TEST_F(WaitsTest, SignalsDoNotEndWaits) {
    const Handled handled(SIGUSR1, false);
    const Handle one = event(), two = event();
    const HANDLE list[] = {one, two};
    const auto disturbed = [&](const std::function<DWORD()>& wait, HANDLE end_by) {
        std::atomic<pthread_t> thread{};
        DWORD end = WAIT_FAILED;
        Sleeper sleeper([&] {
            thread.store(::pthread_self(), std::memory_order_relaxed);
            end = wait();
        });
        for (int i = 0; i < 50; ++i) {
            sleeper.wait_until_asleep();
            ::pthread_kill(thread.load(std::memory_order_relaxed), SIGUSR1);
        }
        EXPECT_FALSE(sleeper.is_done());
        EXPECT_TRUE(SetEvent(end_by));
        sleeper.join();
        return end;
    };
    EXPECT_EQ(disturbed([&] { return WaitForSingleObject(one, INFINITE); }, one), WAIT_OBJECT_0);
    EXPECT_EQ(disturbed([&] { return WaitForSingleObjectEx(one, 60'000, TRUE); }, one), WAIT_OBJECT_0);
    EXPECT_EQ(disturbed([&] { return WaitForMultipleObjects(2, list, FALSE, INFINITE); }, two), WAIT_OBJECT_0 + 1);
    EXPECT_TRUE(SetEvent(one));
    EXPECT_EQ(disturbed([&] { return WaitForMultipleObjects(2, list, TRUE, 60'000); }, two), WAIT_OBJECT_0);
}

TEST_F(WaitsTest, SignalAndWait) {
    const Handle set = event(true), unset = event(), mutex = CreateMutexA(nullptr, TRUE, nullptr), semaphore = CreateSemaphoreA(nullptr, 0, 1, nullptr);
    SetLastError(kPoison);
    EXPECT_EQ(SignalObjectAndWait(unset, set, INFINITE, FALSE), WAIT_OBJECT_0);
    EXPECT_EQ(SignalObjectAndWait(mutex, unset, INFINITE, TRUE), WAIT_OBJECT_0);
    EXPECT_EQ(SignalObjectAndWait(semaphore, set, 0, FALSE), DWORD{WAIT_TIMEOUT});
    EXPECT_EQ(error(), kPoison);
    EXPECT_EQ(SignalObjectAndWait(semaphore, set, 0, FALSE), WAIT_FAILED);
    EXPECT_EQ(error(), DWORD{ERROR_TOO_MANY_POSTS});
    EXPECT_EQ(SignalObjectAndWait(mutex, set, 0, FALSE), WAIT_FAILED);
    EXPECT_EQ(error(), DWORD{ERROR_NOT_OWNER});
    EXPECT_EQ(SignalObjectAndWait(set, nullptr, 0, FALSE), WAIT_FAILED);
    EXPECT_EQ(error(), DWORD{ERROR_INVALID_HANDLE});
    EXPECT_EQ(WaitForSingleObject(set, 0), DWORD{WAIT_TIMEOUT});  // a failed call signals nothing
    EXPECT_EQ(SignalObjectAndWait(GetCurrentProcess(), set, 0, FALSE), WAIT_FAILED);
    EXPECT_EQ(error(), DWORD{ERROR_INVALID_HANDLE});
}

TEST_F(WaitsTest, PseudoHandlesCanBeWaitedFor) {
    SetLastError(kPoison);
    EXPECT_EQ(WaitForSingleObject(GetCurrentProcess(), 0), DWORD{WAIT_TIMEOUT});
    EXPECT_EQ(WaitForSingleObject(GetCurrentThread(), 0), DWORD{WAIT_TIMEOUT});
    EXPECT_EQ(error(), kPoison);
}

}  // namespace
}  // namespace comap::test
