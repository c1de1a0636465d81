// SPDX-License-Identifier: Apache-2.0
#include <windows.h>

#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <time.h>

#include <gtest/gtest.h>

namespace {

constexpr DWORD kPoison = 0xdeadbeef;

TEST(Win32System, SystemInfo) {
    SYSTEM_INFO info;
    SYSTEM_INFO native;
    GetSystemInfo(&info);
    GetNativeSystemInfo(&native);
    EXPECT_EQ(info.dwPageSize, 4096u);
    EXPECT_EQ(info.dwAllocationGranularity, 65536u);
    EXPECT_GE(info.dwNumberOfProcessors, 1u);
    EXPECT_NE(info.dwActiveProcessorMask, 0u);
    EXPECT_LT(info.lpMinimumApplicationAddress, static_cast<void*>(&info));
    EXPECT_GT(info.lpMaximumApplicationAddress, static_cast<void*>(&info));
    EXPECT_EQ(native.dwNumberOfProcessors, info.dwNumberOfProcessors);
}

TEST(Win32System, ClocksGoOn) {
    LARGE_INTEGER frequency{};
    LARGE_INTEGER before{};
    LARGE_INTEGER after{};
    EXPECT_TRUE(QueryPerformanceFrequency(&frequency));
    EXPECT_EQ(frequency.QuadPart, 10'000'000);
    const ULONGLONG ticks = GetTickCount64();
    EXPECT_TRUE(QueryPerformanceCounter(&before));
    Sleep(20);
    EXPECT_EQ(SleepEx(1, TRUE), 0u);
    EXPECT_TRUE(QueryPerformanceCounter(&after));
    EXPECT_GE(after.QuadPart - before.QuadPart, frequency.QuadPart / 1000 * 21);
    EXPECT_GE(GetTickCount64() - ticks, 20u);
    EXPECT_LE(GetTickCount() - static_cast<DWORD>(ticks), 60'000u);
    SetLastError(kPoison);
    EXPECT_FALSE(QueryPerformanceCounter(nullptr));
    EXPECT_EQ(GetLastError(), DWORD{ERROR_NOACCESS});
}

TEST(Win32System, Dates) {
    FILETIME time{};
    SYSTEMTIME date{};
    const time_t now = ::time(nullptr);
    GetSystemTimeAsFileTime(&time);
    GetSystemTime(&date);
    const ULONGLONG ticks = (static_cast<ULONGLONG>(time.dwHighDateTime) << 32) | time.dwLowDateTime;
    const auto seconds = static_cast<time_t>(ticks / 10'000'000) - 11'644'473'600;
    EXPECT_GE(seconds, now);
    EXPECT_LE(seconds, now + 60);
    tm expected{};
    gmtime_r(&now, &expected);
    EXPECT_GE(date.wYear, expected.tm_year + 1900);
    EXPECT_LT(date.wMilliseconds, 1000);
    EXPECT_TRUE(date.wMonth >= 1 && date.wMonth <= 12);
}

TEST(Win32System, ModuleFileName) {
    const std::string path = std::filesystem::read_symlink("/proc/self/exe").string();
    std::array<char, 4096> out;
    out.fill('#');
    SetLastError(kPoison);
    EXPECT_EQ(GetModuleFileNameA(nullptr, out.data(), 4096), path.size());
    EXPECT_EQ(out.data(), path);
    EXPECT_EQ(GetLastError(), kPoison);
    out.fill('#');
    EXPECT_EQ(GetModuleFileNameA(nullptr, out.data(), 4), 4u);
    EXPECT_EQ(GetLastError(), DWORD{ERROR_INSUFFICIENT_BUFFER});
    EXPECT_EQ(std::string_view(out.data()), path.substr(0, 3));
    EXPECT_EQ(out[4], '#');
    std::array<WCHAR, 4096> wide{};
    EXPECT_GT(GetModuleFileNameW(nullptr, wide.data(), 4096), 0u);
    EXPECT_EQ(std::filesystem::path(std::u16string(wide.data())), path);
    int other = 0;
    EXPECT_EQ(GetModuleFileNameA(reinterpret_cast<HMODULE>(&other), out.data(), 4096), 0u);
    EXPECT_EQ(GetLastError(), DWORD{ERROR_MOD_NOT_FOUND});
}

TEST(Win32System, ModuleHandle) {
    const HMODULE program = GetModuleHandleA(nullptr);
    ASSERT_NE(program, nullptr);
    EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(program), 4), "\x7f" "ELF");
    EXPECT_EQ(GetModuleHandleW(nullptr), program);
    std::array<char, 4096> out;
    EXPECT_GT(GetModuleFileNameA(program, out.data(), 4096), 0u);
    SetLastError(kPoison);
    EXPECT_EQ(GetModuleHandleW(u"kernel32.dll"), nullptr);
    EXPECT_EQ(GetLastError(), DWORD{ERROR_MOD_NOT_FOUND});
}

TEST(Win32System, CommandLine) {
    const std::string narrow = GetCommandLineA();
    const std::u16string wide = GetCommandLineW();
    EXPECT_NE(narrow, "");
    EXPECT_EQ(std::filesystem::path(wide), narrow);
}

}  // namespace
