// SPDX-License-Identifier: Apache-2.0
// The rows of win32.cpp, built with mingw-w64 and run under Wine: prints microseconds of opening and nanoseconds of locking.
#include <array>
#include <cstdio>
#include <cstdlib>

#include "win32_turns.h"

namespace {

double now_ns() {
    LARGE_INTEGER ticks, per_second;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&per_second);
    return static_cast<double>(ticks.QuadPart) * 1e9 / static_cast<double>(per_second.QuadPart);
}

}  // namespace

int main(int, char** words) {
    const long open_rounds = std::atol(words[1]), lock_turns = std::atol(words[2]) / 20;  // each is a message to Wine's server
    CreateFileMappingA(INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE, 0, WIN32_SECTION_BYTES, "opened by calls");
    double open_ns = 0;
    for (long round = 0; round < open_rounds; ++round) {
        std::array<Win32Opened, WIN32_OPENED_AT_ONCE> all;
        const double begin_ns = now_ns();
        for (Win32Opened& one : all) one = Win32Opened("opened by calls");
        open_ns += now_ns() - begin_ns;
    }
    const HANDLE mutex = CreateMutexA(nullptr, FALSE, "locked by calls");
    const double begin_ns = now_ns();
    for (long turn = 0; turn < lock_turns; ++turn) {
        WaitForSingleObject(mutex, INFINITE);
        ReleaseMutex(mutex);
    }
    std::printf("%f %f\n", open_ns / static_cast<double>(open_rounds * WIN32_OPENED_AT_ONCE) / 1000, (now_ns() - begin_ns) / static_cast<double>(lock_turns));
}
