// SPDX-License-Identifier: Apache-2.0
#include "win32/win32_test.hpp"

#include <thread>

#include "support/sleeper.hpp"

namespace comap::test {
namespace {

struct SyncTest : Win32Test {
    // What another thread gets that only looks; it keeps nothing.
    static DWORD others_get(HANDLE mutex) {
        DWORD end = WAIT_FAILED;
        std::thread([&] {
            end = WaitForSingleObject(mutex, 0);
            if (end == WAIT_OBJECT_0 || end == WAIT_ABANDONED) { EXPECT_TRUE(ReleaseMutex(mutex)); }
        }).join();
        return end;
    }
};

// --- mutexes ----------------------------------------------------------------------------------------------------------

TEST_F(SyncTest, MutexIsRecursiveThroughAnyHandle) {
    const Handle one = CreateMutexA(nullptr, FALSE, name.c_str());
    EXPECT_EQ(error(), DWORD{ERROR_SUCCESS});
    const Handle two = OpenMutexA(SYNCHRONIZE, FALSE, name.c_str());
    EXPECT_EQ(WaitForSingleObject(one, INFINITE), WAIT_OBJECT_0);
    EXPECT_EQ(WaitForSingleObject(two, 0), WAIT_OBJECT_0);
    EXPECT_EQ(others_get(one), DWORD{WAIT_TIMEOUT});
    EXPECT_TRUE(ReleaseMutex(two));  // takes no right beyond waiting
    EXPECT_EQ(others_get(one), DWORD{WAIT_TIMEOUT});
    EXPECT_TRUE(ReleaseMutex(two));
    EXPECT_EQ(others_get(one), WAIT_OBJECT_0);
    EXPECT_EQ(error(), kPoison);
    EXPECT_FALSE(ReleaseMutex(one));
    EXPECT_EQ(error(), DWORD{ERROR_NOT_OWNER});
}

TEST_F(SyncTest, MutexIsOwnedByItsMakerOnly) {
    const Handle one = CreateMutexA(nullptr, TRUE, name.c_str());
    EXPECT_EQ(others_get(one), DWORD{WAIT_TIMEOUT});
    EXPECT_TRUE(ReleaseMutex(one));
    EXPECT_FALSE(ReleaseMutex(one));
    const Handle two = CreateMutexA(nullptr, TRUE, name.c_str());
    EXPECT_EQ(error(), DWORD{ERROR_ALREADY_EXISTS});
    EXPECT_EQ(others_get(two), WAIT_OBJECT_0);
    const Handle unnamed = CreateMutexExW(nullptr, nullptr, CREATE_MUTEX_INITIAL_OWNER, MUTEX_ALL_ACCESS);
    EXPECT_EQ(others_get(unnamed), DWORD{WAIT_TIMEOUT});
    EXPECT_TRUE(ReleaseMutex(unnamed));
}

TEST_F(SyncTest, MutexOfAnEndedThreadIsAbandonedOnce) {
    const Handle mutex = CreateMutexA(nullptr, FALSE, nullptr);
    std::thread([&] { EXPECT_EQ(WaitForSingleObject(mutex, INFINITE), WAIT_OBJECT_0); }).join();
    EXPECT_EQ(WaitForSingleObject(mutex, INFINITE), WAIT_ABANDONED);
    EXPECT_EQ(WaitForSingleObject(mutex, INFINITE), WAIT_OBJECT_0);
    EXPECT_TRUE(ReleaseMutex(mutex));
    EXPECT_TRUE(ReleaseMutex(mutex));
    EXPECT_FALSE(ReleaseMutex(mutex));
    EXPECT_EQ(WaitForSingleObject(mutex, 0), WAIT_OBJECT_0);
    EXPECT_TRUE(ReleaseMutex(mutex));
}

TEST_F(SyncTest, MutexOfAKilledProcessIsAbandoned) {
    Child child([&](const Line& line) {
        const HANDLE mutex = CreateMutexA(nullptr, TRUE, name.c_str());
        CHILD_CHECK(mutex != nullptr);
        line.say();
        line.hear();
        return 0;
    });
    ASSERT_EQ(child.line().hear(), '.');
    const Handle mutex = OpenMutexA(SYNCHRONIZE, FALSE, name.c_str());
    EXPECT_EQ(WaitForSingleObject(mutex, 0), DWORD{WAIT_TIMEOUT});
    DWORD end = WAIT_FAILED;
    Sleeper sleeper([&] {
        end = WaitForSingleObject(mutex, INFINITE);
        ReleaseMutex(mutex);
    });
    sleeper.wait_until_asleep();
    child.kill();
    sleeper.join();
    EXPECT_EQ(end, WAIT_ABANDONED);
}

TEST_F(SyncTest, MutexIsGoneWithItsLastHandleAlsoWhenOwned) {
    Handle one = CreateMutexA(nullptr, TRUE, name.c_str());
    one.close();
    EXPECT_EQ(OpenMutexA(SYNCHRONIZE, FALSE, name.c_str()), nullptr);
    EXPECT_EQ(error(), DWORD{ERROR_FILE_NOT_FOUND});
    const Handle two = CreateMutexA(nullptr, FALSE, name.c_str());
    EXPECT_EQ(error(), DWORD{ERROR_SUCCESS});
    EXPECT_EQ(others_get(two), WAIT_OBJECT_0);
}

// --- events -----------------------------------------------------------------------------------------------------------

TEST_F(SyncTest, EventKeepsItsKind) {
    const Handle manual = CreateEventA(nullptr, TRUE, TRUE, name.c_str());
    const Handle same = CreateEventW(nullptr, FALSE, FALSE, u"EventKeepsItsKind");
    EXPECT_EQ(error(), DWORD{ERROR_ALREADY_EXISTS});
    EXPECT_EQ(WaitForSingleObject(same, 0), WAIT_OBJECT_0);
    EXPECT_EQ(WaitForSingleObject(same, 0), WAIT_OBJECT_0);
    EXPECT_TRUE(ResetEvent(same));
    EXPECT_EQ(WaitForSingleObject(manual, 0), DWORD{WAIT_TIMEOUT});
    const Handle automatic = CreateEventExA(nullptr, nullptr, CREATE_EVENT_INITIAL_SET, EVENT_ALL_ACCESS);
    EXPECT_TRUE(SetEvent(automatic));
    EXPECT_EQ(WaitForSingleObject(automatic, 0), WAIT_OBJECT_0);
    EXPECT_EQ(WaitForSingleObject(automatic, 0), DWORD{WAIT_TIMEOUT});
    EXPECT_EQ(error(), DWORD{ERROR_SUCCESS});
}

TEST_F(SyncTest, RightsOfEventHandles) {
    const Handle event = CreateEventExA(nullptr, name.c_str(), CREATE_EVENT_MANUAL_RESET, SYNCHRONIZE);
    EXPECT_FALSE(SetEvent(event));
    EXPECT_EQ(error(), DWORD{ERROR_ACCESS_DENIED});
    EXPECT_FALSE(ResetEvent(event));
    EXPECT_FALSE(PulseEvent(event));
    EXPECT_EQ(error(), DWORD{ERROR_ACCESS_DENIED});
    const Handle setter = OpenEventA(EVENT_MODIFY_STATE, FALSE, name.c_str());
    EXPECT_EQ(WaitForSingleObject(setter, 0), WAIT_FAILED);
    EXPECT_EQ(error(), DWORD{ERROR_ACCESS_DENIED});
    EXPECT_TRUE(SetEvent(setter));
    EXPECT_EQ(WaitForSingleObject(event, 0), WAIT_OBJECT_0);
    EXPECT_EQ(OpenEventA(0, FALSE, name.c_str()), nullptr);
    EXPECT_EQ(error(), DWORD{ERROR_ACCESS_DENIED});
}

TEST_F(SyncTest, PulseWakesOneOrAll) {
    for (const BOOL manual : {FALSE, TRUE}) {
        const Handle event = CreateEventA(nullptr, manual, FALSE, nullptr);
        std::atomic<int> passed{0};
        const auto pass = [&] {
            EXPECT_EQ(WaitForSingleObject(event, INFINITE), WAIT_OBJECT_0);
            passed.fetch_add(1, std::memory_order_relaxed);
        };
        Sleeper one(pass), two(pass);
        one.wait_until_asleep();
        two.wait_until_asleep();
        EXPECT_TRUE(PulseEvent(event));
        const int wanted = manual ? 2 : 1;
        wait_until([&] { return passed.load(std::memory_order_relaxed) == wanted; }, "the woken pass");
        EXPECT_EQ(WaitForSingleObject(event, 0), DWORD{WAIT_TIMEOUT});
        EXPECT_EQ(passed.load(std::memory_order_relaxed), wanted);
        if (!manual) { EXPECT_TRUE(SetEvent(event)); }
    }
}

// --- semaphores -------------------------------------------------------------------------------------------------------

TEST_F(SyncTest, SemaphoreCounts) {
    const Handle semaphore = CreateSemaphoreA(nullptr, 1, 3, name.c_str());
    const Handle same = CreateSemaphoreExW(nullptr, 0, 9, u"SemaphoreCounts", 0, SEMAPHORE_ALL_ACCESS);
    EXPECT_EQ(error(), DWORD{ERROR_ALREADY_EXISTS});
    LONG before = -7;
    EXPECT_FALSE(ReleaseSemaphore(same, 3, &before));
    EXPECT_EQ(error(), DWORD{ERROR_TOO_MANY_POSTS});
    for (const LONG bad : {0, -1, INT32_MIN}) {
        EXPECT_FALSE(ReleaseSemaphore(same, bad, &before));
        EXPECT_EQ(error(), DWORD{ERROR_INVALID_PARAMETER});
    }
    EXPECT_EQ(before, -7);
    EXPECT_TRUE(ReleaseSemaphore(same, 2, &before));
    EXPECT_EQ(before, 1);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(WaitForSingleObject(semaphore, 0), WAIT_OBJECT_0);
    EXPECT_EQ(WaitForSingleObject(semaphore, 0), DWORD{WAIT_TIMEOUT});
    EXPECT_TRUE(ReleaseSemaphore(semaphore, 1, nullptr));
}

TEST_F(SyncTest, SemaphoresThatCannotBe) {
    for (const auto& [initial, maximum] : {std::pair<LONG, LONG>{2, 1}, {-1, 1}, {0, 0}, {0, -1}}) {
        EXPECT_EQ(CreateSemaphoreA(nullptr, initial, maximum, nullptr), nullptr);
        EXPECT_EQ(error(), DWORD{ERROR_INVALID_PARAMETER});
    }
    EXPECT_EQ(CreateSemaphoreExA(nullptr, 0, 1, nullptr, 1, SEMAPHORE_ALL_ACCESS), nullptr);
    EXPECT_EQ(error(), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(CreateMutexExA(nullptr, nullptr, 2, MUTEX_ALL_ACCESS), nullptr);
    EXPECT_EQ(error(), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(CreateEventExA(nullptr, nullptr, 4, EVENT_ALL_ACCESS), nullptr);
    EXPECT_EQ(error(), DWORD{ERROR_INVALID_PARAMETER});
}

// --- all kinds --------------------------------------------------------------------------------------------------------

TEST_F(SyncTest, HandlesOfOtherKindsAndNone) {
    const Handle mutex = CreateMutexA(nullptr, FALSE, nullptr);
    const Handle event = CreateEventA(nullptr, FALSE, FALSE, nullptr);
    for (const HANDLE bad : {HANDLE{nullptr}, INVALID_HANDLE_VALUE, reinterpret_cast<HANDLE>(0x7ffffff0), HANDLE{event}}) {
        EXPECT_FALSE(ReleaseMutex(bad));
        EXPECT_EQ(error(), DWORD{ERROR_INVALID_HANDLE});
        EXPECT_FALSE(ReleaseSemaphore(bad, 1, nullptr));
        EXPECT_EQ(error(), DWORD{ERROR_INVALID_HANDLE});
    }
    for (const HANDLE bad : {HANDLE{nullptr}, INVALID_HANDLE_VALUE, HANDLE{mutex}}) {
        EXPECT_FALSE(SetEvent(bad));
        EXPECT_EQ(error(), DWORD{ERROR_INVALID_HANDLE});
        EXPECT_FALSE(ResetEvent(bad));
        EXPECT_EQ(error(), DWORD{ERROR_INVALID_HANDLE});
        EXPECT_FALSE(PulseEvent(bad));
        EXPECT_EQ(error(), DWORD{ERROR_INVALID_HANDLE});
    }
}

TEST_F(SyncTest, TheNativeObjectsAreTheSame) {
    const Handle event = CreateEventA(nullptr, TRUE, FALSE, name.c_str());
    const auto native = Event::open(name);
    ASSERT_OK(native);
    EXPECT_EQ(native->reset_kind(), Reset::manual);
    EXPECT_OK(native->set());
    EXPECT_EQ(WaitForSingleObject(event, 0), WAIT_OBJECT_0);
    const auto mutex = Mutex::create(name + "2");
    ASSERT_OK(mutex);
    const Handle opened = OpenMutexA(SYNCHRONIZE, FALSE, (name + "2").c_str());
    mutex->lock();
    EXPECT_EQ(others_get(opened), DWORD{WAIT_TIMEOUT});
    EXPECT_TRUE(ReleaseMutex(opened));
}

}  // namespace
}  // namespace comap::test
