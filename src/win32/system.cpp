// SPDX-License-Identifier: Apache-2.0
// Time, the machine, and what a program knows about its own start.
#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <optional>
#include <sched.h>
#include <string>
#include <sys/auxv.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>
#include <vector>

#include "win32/errors.hpp"
#include <tchar.h>
#include "win32/pages.hpp"
#include "win32/text.hpp"

namespace comap::win32 {
namespace {

constexpr std::int64_t kTicksPerSecond = 10'000'000;              // of 100 ns, in FILETIME and the performance counter
constexpr std::int64_t kUnixEpochTicks = 116'444'736'000'000'000;  // 1970 on a clock that began in 1601

timespec now(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return time;
}

std::int64_t ticks_of(const timespec& time) { return std::int64_t{time.tv_sec} * kTicksPerSecond + time.tv_nsec / 100; }

SYSTEMTIME system_time(const tm& date, long nanoseconds) {
    const auto word = [](long value) { return static_cast<WORD>(value); };
    return {word(date.tm_year + 1900), word(date.tm_mon + 1), word(date.tm_wday), word(date.tm_mday),
            word(date.tm_hour),        word(date.tm_min),     word(date.tm_sec),  word(nanoseconds / 1'000'000)};
}

void sleep_for(DWORD milliseconds) {
    if (milliseconds == 0) {
        sched_yield();
        return;
    }
    while (milliseconds == INFINITE) pause();  // signals do not end it
    timespec end = now(CLOCK_MONOTONIC);
    end.tv_sec += milliseconds / 1000;
    end.tv_nsec += static_cast<long>(milliseconds % 1000) * 1'000'000;
    end.tv_sec += end.tv_nsec / 1'000'000'000;
    end.tv_nsec %= 1'000'000'000;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, nullptr) == EINTR) {
    }
}

WORD architecture() {
#if defined(__x86_64__)
    return PROCESSOR_ARCHITECTURE_AMD64;
#elif defined(__i386__)
    return PROCESSOR_ARCHITECTURE_INTEL;
#elif defined(__aarch64__)
    return PROCESSOR_ARCHITECTURE_ARM64;
#elif defined(__arm__)
    return PROCESSOR_ARCHITECTURE_ARM;
#else
    return PROCESSOR_ARCHITECTURE_UNKNOWN;
#endif
}

std::optional<std::string> program_path() {
    for (std::size_t size = 256;; size *= 2) {
        std::string path(size, '\0');
        const ssize_t length = readlink("/proc/thread-self/exe", path.data(), path.size());
        if (length < 0) return std::nullopt;
        if (static_cast<std::size_t>(length) == size) continue;
        path.resize(static_cast<std::size_t>(length));
        return path;
    }
}

// The program's is the address where it begins; there are no others.
HMODULE module_handle(bool is_program) {
    if (!is_program) SetLastError(ERROR_MOD_NOT_FOUND);
    return is_program ? reinterpret_cast<HMODULE>(getauxval(AT_PHDR) / page_size_bytes() * page_size_bytes()) : nullptr;
}

template <typename T>
DWORD give_program_path(HMODULE module, T* out, DWORD count) {
    if (module && module != module_handle(true)) {
        SetLastError(ERROR_MOD_NOT_FOUND);
        return 0;
    }
    const std::optional<std::string> path = program_path();
    if (!path) {
        SetLastError(win32_code_of_errno(errno));
        return 0;
    }
    const std::basic_string<T> text = text_as<T>(*path);
    if (text.size() >= count) SetLastError(ERROR_INSUFFICIENT_BUFFER);
    if (count == 0) return 0;
    const std::size_t copied = std::min<std::size_t>(text.size(), count - 1);
    std::memcpy(out, text.data(), copied * sizeof(T));
    out[copied] = T{};
    return text.size() < count ? static_cast<DWORD>(copied) : count;
}

// As a program that takes its command line apart in the Windows way gets the same argument back.
std::string quoted(const std::string& argument) {
    if (!argument.empty() && argument.find_first_of(" \t\n\"") == std::string::npos) return argument;
    std::string out = "\"";
    std::size_t backslash_count = 0;
    for (const char c : argument) {
        if (c == '"') out.append(backslash_count + 1, '\\');  // each backslash before a quote, and the quote itself, needs one
        backslash_count = c == '\\' ? backslash_count + 1 : 0;
        out += c;
    }
    return out.append(backslash_count, '\\') + '"';
}

std::string command_line() {
    std::ifstream file("/proc/thread-self/cmdline", std::ios::binary);
    std::string line;
    for (std::string argument; std::getline(file, argument, '\0');) line += (line.empty() ? "" : " ") + quoted(argument);
    return line;
}

// Strings for a main, and the list of pointers to them that ends with NULL.
struct WideList {
    explicit WideList(char** list) {
        for (; *list; ++list) texts.push_back(utf16(*list));
        for (std::u16string& text : texts) pointers.push_back(text.data());
        pointers.push_back(nullptr);
    }
    int count() const { return static_cast<int>(texts.size()); }

    std::vector<std::u16string> texts;
    std::vector<WCHAR*> pointers;
};

}  // namespace
}  // namespace comap::win32

using namespace comap::win32;

extern "C" {

void Sleep(DWORD milliseconds) { sleep_for(milliseconds); }

// Nothing can be queued for a thread, so there is nothing to be alert for.
DWORD SleepEx(DWORD milliseconds, BOOL) {
    sleep_for(milliseconds);
    return 0;
}

BOOL SwitchToThread(void) { return sched_yield() == 0 ? TRUE : FALSE; }

DWORD GetTickCount(void) { return static_cast<DWORD>(GetTickCount64()); }
ULONGLONG GetTickCount64(void) { return static_cast<ULONGLONG>(ticks_of(now(CLOCK_BOOTTIME)) / (kTicksPerSecond / 1000)); }

BOOL QueryPerformanceCounter(LARGE_INTEGER* count) {
    if (!count) return fail(ERROR_NOACCESS);
    count->QuadPart = ticks_of(now(CLOCK_MONOTONIC));
    return TRUE;
}

BOOL QueryPerformanceFrequency(LARGE_INTEGER* frequency) {
    if (!frequency) return fail(ERROR_NOACCESS);
    frequency->QuadPart = kTicksPerSecond;
    return TRUE;
}

void GetSystemTimeAsFileTime(LPFILETIME out) {
    const auto ticks = static_cast<std::uint64_t>(ticks_of(now(CLOCK_REALTIME)) + kUnixEpochTicks);
    *out = {static_cast<DWORD>(ticks), static_cast<DWORD>(ticks >> 32)};
}

void GetSystemTime(LPSYSTEMTIME out) {
    const timespec time = now(CLOCK_REALTIME);
    tm date{};
    gmtime_r(&time.tv_sec, &date);
    *out = system_time(date, time.tv_nsec);
}

void GetLocalTime(LPSYSTEMTIME out) {
    const timespec time = now(CLOCK_REALTIME);
    tm date{};
    localtime_r(&time.tv_sec, &date);
    *out = system_time(date, time.tv_nsec);
}

void GetSystemInfo(LPSYSTEM_INFO out) {
    const auto processor_count = static_cast<DWORD>(std::max(sysconf(_SC_NPROCESSORS_ONLN), 1L));
    constexpr DWORD kMaskBits = sizeof(DWORD_PTR) * 8;
    SYSTEM_INFO info{};
    info.wProcessorArchitecture = architecture();
    info.dwPageSize = static_cast<DWORD>(page_size_bytes());
    info.dwAllocationGranularity = static_cast<DWORD>(kGranularityBytes);
    info.lpMinimumApplicationAddress = reinterpret_cast<LPVOID>(kGranularityBytes);
    info.lpMaximumApplicationAddress = reinterpret_cast<LPVOID>(sizeof(void*) == 8 ? 0x7FFF'FFFE'FFFFu : 0x7FFE'FFFFu);
    info.dwActiveProcessorMask = processor_count >= kMaskBits ? ~DWORD_PTR{0} : (DWORD_PTR{1} << processor_count) - 1;
    info.dwNumberOfProcessors = processor_count;
    *out = info;
}

void GetNativeSystemInfo(LPSYSTEM_INFO out) { GetSystemInfo(out); }

HMODULE GetModuleHandleA(LPCSTR name) { return module_handle(!name); }
HMODULE GetModuleHandleW(LPCWSTR name) { return module_handle(!name); }
DWORD GetModuleFileNameA(HMODULE module, LPSTR out, DWORD count) { return give_program_path(module, out, count); }
DWORD GetModuleFileNameW(HMODULE module, LPWSTR out, DWORD count) { return give_program_path(module, out, count); }

LPSTR GetCommandLineA(void) {
    static std::string* const line = new std::string(command_line());
    return line->data();
}

LPWSTR GetCommandLineW(void) {
    static std::u16string* const line = new std::u16string(utf16(command_line()));
    return line->data();
}

// The place of messages for whoever looks on: the system log.
void OutputDebugStringA(LPCSTR text) {
    if (text) syslog(LOG_USER | LOG_DEBUG, "%s", text);
}

void OutputDebugStringW(LPCWSTR text) {
    if (text) OutputDebugStringA(utf8_mended(text).c_str());
}

// Both lists stay until the process ends: other threads may outlive main.
int comap_run_wide_main(int, char** arguments, int (*wide_main)(int, WCHAR**, WCHAR**)) {
    static auto* const wide_arguments = new WideList(arguments);
    static auto* const environment = new WideList(environ);
    return wide_main(wide_arguments->count(), wide_arguments->pointers.data(), environment->pointers.data());
}

}  // extern "C"
