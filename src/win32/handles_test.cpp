// SPDX-License-Identifier: Apache-2.0
#include "win32/win32_test.hpp"

#include <atomic>
#include <thread>
#include <vector>

#include "support/sleeper.hpp"

namespace comap::test {
namespace {

struct HandlesTest : Win32Test {
    static Handle event() { return CreateEventA(nullptr, FALSE, FALSE, nullptr); }
    static HANDLE duplicate(HANDLE source, DWORD access, DWORD options, BOOL inherits = FALSE) {
        HANDLE target = reinterpret_cast<HANDLE>(0x5550);
        const BOOL done = DuplicateHandle(GetCurrentProcess(), source, GetCurrentProcess(), &target, access, inherits, options);
        EXPECT_EQ(done != FALSE, target != nullptr);
        return target;
    }
    static DWORD flags_of(HANDLE handle) {
        DWORD flags = kPoison;
        EXPECT_TRUE(GetHandleInformation(handle, &flags));
        return flags;
    }
};

TEST_F(HandlesTest, ValuesAreMultiplesOfFour) {
    const Handle one = event();
    SetLastError(kPoison);
    const auto value = reinterpret_cast<std::uintptr_t>(HANDLE{one});
    EXPECT_EQ(value % 4, 0u);
    for (std::uintptr_t low = 1; low < 4; ++low) EXPECT_TRUE(SetEvent(reinterpret_cast<HANDLE>(value + low)));
    EXPECT_FALSE(SetEvent(reinterpret_cast<HANDLE>(value + 4)));
    EXPECT_FALSE(SetEvent(reinterpret_cast<HANDLE>(std::uintptr_t{3})));
}

TEST_F(HandlesTest, Closing) {
    Handle one = event();
    const HANDLE value = one;
    SetLastError(kPoison);
    one.close();
    EXPECT_EQ(error(), kPoison);
    for (const HANDLE bad : {value, HANDLE{nullptr}, reinterpret_cast<HANDLE>(0x7ffffff0)}) {
        EXPECT_FALSE(CloseHandle(bad));
        EXPECT_EQ(error(), DWORD{ERROR_INVALID_HANDLE});
    }
    EXPECT_TRUE(CloseHandle(INVALID_HANDLE_VALUE));
    EXPECT_TRUE(CloseHandle(GetCurrentThread()));
    EXPECT_EQ(WaitForSingleObject(GetCurrentProcess(), 0), DWORD{WAIT_TIMEOUT});
}

TEST_F(HandlesTest, FlagsProtectAndInherit) {
    SECURITY_ATTRIBUTES inherited = {sizeof inherited, nullptr, TRUE};
    Handle one = CreateEventA(&inherited, FALSE, FALSE, nullptr);
    EXPECT_EQ(flags_of(one), HANDLE_FLAG_INHERIT);
    EXPECT_TRUE(SetHandleInformation(one, HANDLE_FLAG_PROTECT_FROM_CLOSE, HANDLE_FLAG_PROTECT_FROM_CLOSE));
    EXPECT_EQ(flags_of(one), HANDLE_FLAG_INHERIT | HANDLE_FLAG_PROTECT_FROM_CLOSE);
    SetLastError(kPoison);
    EXPECT_FALSE(CloseHandle(one));
    EXPECT_EQ(error(), DWORD{ERROR_INVALID_HANDLE});
    EXPECT_EQ(duplicate(one, 0, DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE), nullptr);
    EXPECT_TRUE(SetEvent(one));
    EXPECT_TRUE(SetHandleInformation(one, HANDLE_FLAG_PROTECT_FROM_CLOSE | HANDLE_FLAG_INHERIT, 0));
    EXPECT_EQ(flags_of(one), 0u);
    EXPECT_FALSE(SetHandleInformation(one, 4, 4));
    EXPECT_FALSE(SetHandleInformation(nullptr, 1, 1));
    EXPECT_FALSE(GetHandleInformation(one, nullptr));
}

TEST_F(HandlesTest, DuplicatesAreTheSameObject) {
    Handle one = event();
    const Handle two = duplicate(one, 0, DUPLICATE_SAME_ACCESS, TRUE);
    EXPECT_EQ(flags_of(two), HANDLE_FLAG_INHERIT);
    EXPECT_TRUE(SetEvent(two));
    EXPECT_EQ(WaitForSingleObject(one, 0), WAIT_OBJECT_0);
    one.close();
    EXPECT_TRUE(SetEvent(two));
    EXPECT_EQ(WaitForSingleObject(two, 0), WAIT_OBJECT_0);
}

TEST_F(HandlesTest, DuplicatesWithLessAccess) {
    const Handle one = event();
    const Handle waiter = duplicate(one, SYNCHRONIZE, 0);
    SetLastError(kPoison);
    EXPECT_FALSE(SetEvent(waiter));
    EXPECT_EQ(error(), DWORD{ERROR_ACCESS_DENIED});
    EXPECT_EQ(WaitForSingleObject(waiter, 0), DWORD{WAIT_TIMEOUT});
    EXPECT_EQ(duplicate(waiter, EVENT_MODIFY_STATE, 0), nullptr);
    EXPECT_EQ(error(), DWORD{ERROR_ACCESS_DENIED});
    const Handle setter = duplicate(one, GENERIC_WRITE, 0);
    EXPECT_TRUE(SetEvent(setter));
    const Handle as_much = duplicate(waiter, MAXIMUM_ALLOWED, 0);
    EXPECT_EQ(WaitForSingleObject(as_much, 0), WAIT_OBJECT_0);
    EXPECT_FALSE(SetEvent(as_much));
}

TEST_F(HandlesTest, ADuplicateKeepsTheName) {
    Handle section = CreateFileMappingA(INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE, 0, 1, name.c_str());
    Handle reader = duplicate(section.release(), FILE_MAP_READ, DUPLICATE_CLOSE_SOURCE);
    EXPECT_TRUE(section_exists(name));
    EXPECT_EQ(MapViewOfFile(reader, FILE_MAP_WRITE, 0, 0, 0), nullptr);
    reader.close();
    EXPECT_FALSE(section_exists(name));
}

TEST_F(HandlesTest, WhatCannotBeDuplicated) {
    SetLastError(kPoison);
    for (const HANDLE bad : {HANDLE{nullptr}, reinterpret_cast<HANDLE>(0x7ffffff0)}) {
        EXPECT_EQ(duplicate(bad, 0, DUPLICATE_SAME_ACCESS), nullptr);
        EXPECT_EQ(error(), DWORD{ERROR_INVALID_HANDLE});
    }
    const Handle one = event();
    HANDLE target = nullptr;
    SetLastError(kPoison);
    EXPECT_FALSE(DuplicateHandle(one, one, GetCurrentProcess(), &target, 0, FALSE, DUPLICATE_SAME_ACCESS));
    EXPECT_EQ(error(), DWORD{ERROR_INVALID_HANDLE});
    EXPECT_FALSE(DuplicateHandle(GetCurrentProcess(), one, nullptr, &target, 0, FALSE, DUPLICATE_SAME_ACCESS));
    EXPECT_EQ(error(), DWORD{ERROR_INVALID_HANDLE});
    EXPECT_TRUE(SetEvent(one));
}

TEST_F(HandlesTest, PseudoHandlesBecomeReal) {
    const Handle process = duplicate(GetCurrentProcess(), 0, DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE);
    const Handle thread = duplicate(GetCurrentThread(), SYNCHRONIZE, 0);
    EXPECT_NE(HANDLE{process}, GetCurrentProcess());
    EXPECT_EQ(WaitForSingleObject(process, 0), DWORD{WAIT_TIMEOUT});
    EXPECT_EQ(WaitForSingleObject(thread, 0), DWORD{WAIT_TIMEOUT});
    const Handle one = event();
    HANDLE target = nullptr;
    EXPECT_TRUE(DuplicateHandle(process, one, process, &target, 0, FALSE, DUPLICATE_SAME_ACCESS));
    EXPECT_TRUE(CloseHandle(target));
}

TEST_F(HandlesTest, ManyHandles) {
    const Handle one = event();
    std::vector<Handle> many;
    for (int i = 0; i < 5000; ++i) many.emplace_back(duplicate(one, 0, DUPLICATE_SAME_ACCESS));
    for (const Handle& each : many) EXPECT_TRUE(SetEvent(each));
    many.clear();
    EXPECT_TRUE(SetEvent(one));
}

// --- races ------------------------------------------------------------------------------------------------------------

// Threads use a handle while others close it: each call succeeds, or says that there is no such handle; it never touches what is gone.
TEST_F(HandlesTest, ClosedWhileOthersUseIt) {
    constexpr int kRounds = 1000;
    std::atomic<HANDLE> current{nullptr};
    std::atomic<bool> ends{false};
    std::atomic<int> strange{0};
    const auto use = [&] {
        while (!ends.load(std::memory_order_relaxed)) {
            const HANDLE handle = current.load(std::memory_order_relaxed);
            SetLastError(kPoison);
            const DWORD end = WaitForSingleObject(handle, 0);
            const bool is_right = end == WAIT_FAILED ? GetLastError() == ERROR_INVALID_HANDLE : end == WAIT_OBJECT_0 || end == WAIT_TIMEOUT;
            if (!is_right) strange.fetch_add(1, std::memory_order_relaxed);
            if (!SetEvent(handle) && GetLastError() != ERROR_INVALID_HANDLE) strange.fetch_add(1, std::memory_order_relaxed);
            if (!ReleaseSemaphore(handle, 1, nullptr) && GetLastError() != ERROR_INVALID_HANDLE) strange.fetch_add(1, std::memory_order_relaxed);
        }
    };
    std::vector<std::thread> users;
    for (int i = 0; i < 2; ++i) users.emplace_back(use);
    for (int round = 0; round < kRounds; ++round) {
        const HANDLE handle = CreateEventA(nullptr, FALSE, TRUE, nullptr);
        current.store(handle, std::memory_order_relaxed);
        if (round % 3 == 0) std::this_thread::yield();
        EXPECT_TRUE(CloseHandle(handle));
    }
    ends.store(true, std::memory_order_relaxed);
    for (std::thread& user : users) user.join();
    EXPECT_EQ(strange.load(std::memory_order_relaxed), 0);
}

// Several threads close the same handle: exactly one of them did.
TEST_F(HandlesTest, ClosedByOneOnly) {
    for (int round = 0; round < 300; ++round) {
        const HANDLE handle = CreateEventA(nullptr, FALSE, FALSE, nullptr);
        std::atomic<int> closed{0};
        std::atomic<int> ready{0};
        const auto close = [&] {
            ready.fetch_add(1, std::memory_order_relaxed);
            while (ready.load(std::memory_order_relaxed) < 3) std::this_thread::yield();
            if (CloseHandle(handle)) closed.fetch_add(1, std::memory_order_relaxed);
        };
        std::thread one(close), two(close), three(close);
        one.join();
        two.join();
        three.join();
        EXPECT_EQ(closed.load(std::memory_order_relaxed), 1);
    }
}

// A wait keeps the object: it goes on when the handle is closed, and can be ended through another.
TEST_F(HandlesTest, ClosedWhileSomebodySleeps) {
    Handle one = CreateEventA(nullptr, FALSE, FALSE, nullptr);
    const Handle other = duplicate(one, 0, DUPLICATE_SAME_ACCESS);
    DWORD end = WAIT_FAILED;
    Sleeper sleeper([&, handle = HANDLE{one}] { end = WaitForSingleObject(handle, INFINITE); });
    sleeper.wait_until_asleep();
    one.close();
    EXPECT_FALSE(sleeper.is_done());
    EXPECT_TRUE(SetEvent(other));
    sleeper.join();
    EXPECT_EQ(end, WAIT_OBJECT_0);
}

// Objects of threads that have ended still serve; also what a thread does in the destructors of its thread_local objects.
TEST_F(HandlesTest, UsedWhileAThreadEnds) {
    const Handle one = event();
    struct Late {
        HANDLE handle = nullptr;
        ~Late() {
            if (handle) { EXPECT_TRUE(SetEvent(handle)); }
        }
    };
    for (int i = 0; i < 20; ++i) {
        std::thread([&] {
            thread_local Late late;
            late.handle = one;
            EXPECT_EQ(WaitForSingleObject(one, 0), DWORD{WAIT_TIMEOUT});
        }).join();
        EXPECT_EQ(WaitForSingleObject(one, 0), WAIT_OBJECT_0);
    }
}

// The child of a fork has one thread, whatever the others of its parent were doing.
TEST_F(HandlesTest, AfterAForkAmidUse) {
    const Handle one = event();
    std::atomic<bool> ends{false};
    std::thread user([&] {
        while (!ends.load(std::memory_order_relaxed)) SetEvent(one);
    });
    std::thread maker([&] {
        while (!ends.load(std::memory_order_relaxed)) EXPECT_TRUE(CloseHandle(CreateEventA(nullptr, FALSE, FALSE, nullptr)));
    });
    for (int i = 0; i < 50; ++i) {
        Child child([&](const Line&) {
            HANDLE other = nullptr;
            CHILD_CHECK(DuplicateHandle(GetCurrentProcess(), one, GetCurrentProcess(), &other, 0, FALSE, DUPLICATE_SAME_ACCESS));
            CHILD_CHECK(SetEvent(other));
            CHILD_CHECK(CloseHandle(other));
            CHILD_CHECK(CloseHandle(one));
            CHILD_CHECK(CloseHandle(CreateEventA(nullptr, FALSE, FALSE, nullptr)));
            return 0;
        });
        EXPECT_EQ(child.wait(), 0);
    }
    ends.store(true, std::memory_order_relaxed);
    user.join();
    maker.join();
}

}  // namespace
}  // namespace comap::test
