// SPDX-License-Identifier: Apache-2.0
// Mutexes whose owner ends: a thread of this process, a thread of another process that goes on, another process by leaving main or
// by SIGKILL; before somebody waits, or while he does; for one object, for any and for all of several. The other process is this
// program once more.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <windows.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>

#include "support/process.hpp"

namespace {

enum class Death { own_thread, thread_of_another, process_exit, kill };
enum class Way { single, any, all };
enum class Moment { before_the_wait, during_the_wait };

constexpr const char* kMutex = "Local\\abandoned";
constexpr const char* kOwned = "Local\\abandoned-owned";
constexpr const char* kEnd = "Local\\abandoned-end";
constexpr const char* kThreadEnded = "Local\\abandoned-thread-ended";
constexpr DWORD kForgotten = 60'000;  // a child that nobody ended ends by itself

HANDLE event_named(const char* name) { return CreateEventA(nullptr, FALSE, FALSE, name); }

// In the owner: takes the mutex, says so, and returns when told.
DWORD WINAPI own(void*) {
    const HANDLE mutex = OpenMutexA(SYNCHRONIZE, FALSE, kMutex);
    if (WaitForSingleObject(mutex, INFINITE) != WAIT_OBJECT_0) return 1;
    SetEvent(event_named(kOwned));
    return WaitForSingleObject(event_named(kEnd), kForgotten);
}

HANDLE owning_thread() { return CreateThread(nullptr, 0, own, nullptr, 0, nullptr); }

int be_child(Death death) {
    if (death != Death::thread_of_another) return static_cast<int>(own(nullptr));
    WaitForSingleObject(owning_thread(), INFINITE);
    SetEvent(event_named(kThreadEnded));
    return static_cast<int>(WaitForSingleObject(event_named("Local\\abandoned-never"), kForgotten));
}

// Somebody who has the mutex, and lets it go by ending.
class Owner {
  public:
    explicit Owner(Death death) : death_(death) {
        if (death == Death::own_thread)
            thread_ = owning_thread();
        else
            start_process();
        EXPECT_EQ(WaitForSingleObject(owned_, INFINITE), WAIT_OBJECT_0);
    }
    ~Owner() {
        if (thread_) CloseHandle(thread_);
        if (death_ == Death::thread_of_another) kill_process();
        if (process_.hProcess) CloseHandle(process_.hProcess);
        CloseHandle(owned_);
        CloseHandle(end_);
        CloseHandle(thread_ended_);
    }
    Owner(const Owner&) = delete;
    Owner& operator=(const Owner&) = delete;

    // It has ended when this returns.
    void end() {
        if (death_ == Death::kill) return kill_process();
        SetEvent(end_);
        const HANDLE ended = death_ == Death::own_thread     ? thread_
                             : death_ == Death::process_exit ? process_.hProcess
                                                             : thread_ended_;
        EXPECT_EQ(WaitForSingleObject(ended, INFINITE), WAIT_OBJECT_0);
    }

  private:
    void start_process() {
        std::string line = "/proc/self/exe child " + std::to_string(static_cast<int>(death_));
        STARTUPINFOA start = {};
        start.cb = sizeof start;
        ASSERT_TRUE(
            CreateProcessA(nullptr, line.data(), nullptr, nullptr, FALSE, 0, nullptr, nullptr, &start, &process_))
            << GetLastError();
        CloseHandle(process_.hThread);
    }
    void kill_process() const {
        EXPECT_EQ(::kill(static_cast<pid_t>(process_.dwProcessId), SIGKILL), 0);
        EXPECT_EQ(WaitForSingleObject(process_.hProcess, INFINITE), WAIT_OBJECT_0);
    }

    Death death_;
    HANDLE owned_ = event_named(kOwned), end_ = event_named(kEnd), thread_ended_ = event_named(kThreadEnded);
    HANDLE thread_ = nullptr;
    PROCESS_INFORMATION process_ = {};
};

// Waits in its way for the mutex, with an event beside it that never comes (any) or is there (all).
struct Wait {
    Way way;
    HANDLE mutex;
    HANDLE event = CreateEventA(nullptr, FALSE, way == Way::all, nullptr);

    Wait(Way in_way, HANDLE for_mutex) : way(in_way), mutex(for_mutex) {}
    ~Wait() { CloseHandle(event); }
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;

    DWORD wait(DWORD milliseconds) const {
        if (way == Way::single) return WaitForSingleObject(mutex, milliseconds);
        const HANDLE both[] = {event, mutex};
        return WaitForMultipleObjects(2, both, way == Way::all, milliseconds);
    }
    DWORD abandoned() const { return way == Way::any ? WAIT_ABANDONED_0 + 1 : WAIT_ABANDONED_0; }
    DWORD acquired() const { return way == Way::any ? WAIT_OBJECT_0 + 1 : WAIT_OBJECT_0; }
};

bool is_asleep(pid_t thread) {
    const std::string status = comap::test::read_file("/proc/self/task/" + std::to_string(thread) + "/stat");
    const std::size_t after_name = status.rfind(')');
    return after_name != std::string::npos && status[after_name + 2] == 'S';
}

DWORD poll_from_another_thread(HANDLE mutex) {
    DWORD end = WAIT_FAILED;
    std::thread([&] { end = WaitForSingleObject(mutex, 0); }).join();
    return end;
}

// The caller got the mutex as abandoned: it is his, once, and the next one is told nothing.
void expect_owned_once(const Wait& wait) {
    EXPECT_EQ(poll_from_another_thread(wait.mutex), WAIT_TIMEOUT);
    if (wait.way == Way::all) {
        EXPECT_EQ(WaitForSingleObject(wait.event, 0), WAIT_TIMEOUT) << "the event was not taken";
        SetEvent(wait.event);
    }
    EXPECT_TRUE(ReleaseMutex(wait.mutex));
    EXPECT_FALSE(ReleaseMutex(wait.mutex));
    EXPECT_EQ(GetLastError(), static_cast<DWORD>(ERROR_NOT_OWNER));
    EXPECT_EQ(wait.wait(0), wait.acquired());
    EXPECT_TRUE(ReleaseMutex(wait.mutex));
}

void expect_abandoned(Death death, Way way, Moment moment, HANDLE mutex) {
    Owner owner(death);
    const Wait wait(way, mutex);
    EXPECT_EQ(wait.wait(0), WAIT_TIMEOUT);
    if (moment == Moment::before_the_wait) {
        owner.end();
        EXPECT_EQ(wait.wait(0), wait.abandoned());
        return expect_owned_once(wait);
    }
    std::atomic<pid_t> waiter_id = 0;
    std::thread waiter([&] {
        waiter_id.store(static_cast<pid_t>(::syscall(SYS_gettid)), std::memory_order_relaxed);
        EXPECT_EQ(wait.wait(INFINITE), wait.abandoned());
        expect_owned_once(wait);
    });
    const auto waiter_is_asleep = [&] {
        const pid_t id = waiter_id.load(std::memory_order_relaxed);
        return id != 0 && is_asleep(id);
    };
    comap::test::wait_until(waiter_is_asleep, "the waiter is asleep");
    owner.end();
    waiter.join();
}

void expect_abandoned_in_all_ways(Death death) {
    const HANDLE mutex = CreateMutexA(nullptr, FALSE, kMutex);
    ASSERT_NE(mutex, nullptr) << GetLastError();
    for (const Way way : {Way::single, Way::any, Way::all})
        for (const Moment moment : {Moment::before_the_wait, Moment::during_the_wait}) {
            SCOPED_TRACE("way " + std::to_string(static_cast<int>(way)) + ", moment " +
                         std::to_string(static_cast<int>(moment)));
            expect_abandoned(death, way, moment, mutex);
        }
    EXPECT_TRUE(CloseHandle(mutex));
}

TEST(Win32Abandoned, ByAThreadOfThisProcess) { expect_abandoned_in_all_ways(Death::own_thread); }
TEST(Win32Abandoned, ByAThreadOfAProcessThatGoesOn) { expect_abandoned_in_all_ways(Death::thread_of_another); }
TEST(Win32Abandoned, ByTheExitOfAProcess) { expect_abandoned_in_all_ways(Death::process_exit); }
TEST(Win32Abandoned, BySigkill) { expect_abandoned_in_all_ways(Death::kill); }

}  // namespace

int main(int count, char** words) {
    if (count == 3 && std::strcmp(words[1], "child") == 0) return be_child(static_cast<Death>(std::atoi(words[2])));
    ::testing::InitGoogleTest(&count, words);
    const comap::test::TempRoot root;  // one for all tests: the library looks where the objects are only once
    return RUN_ALL_TESTS();
}
