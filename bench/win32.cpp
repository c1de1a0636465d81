// SPDX-License-Identifier: Apache-2.0
// What the Win32 calls add to the native ones they stand on; and, where it is installed, Wine with the same calls.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <vector>

#include "harness.hpp"
#include "win32_turns.h"

namespace comap::bench {
namespace {

constexpr char kOpenRow[] = "CreateFileMapping and MapViewOfFile, existing";
constexpr char kLockRow[] = "WaitForSingleObject and ReleaseMutex, alone";

// Only opening and mapping; leaving is not measured.
template <typename Opened, typename Open>
double opening_us(std::uint64_t round_count, const Open& open) {
    std::uint64_t ns = 0;
    for (std::uint64_t round = 0; round < round_count; ++round) {
        std::array<Opened, WIN32_OPENED_AT_ONCE> all;
        const std::uint64_t begin_ns = now_ns();
        for (Opened& one : all) one = open();
        ns += now_ns() - begin_ns;
    }
    return static_cast<double>(ns) / static_cast<double>(round_count * WIN32_OPENED_AT_ONCE) / 1000;
}

struct Native {
    Section section;
    View view;
};

// What the same calls take under Wine; nothing where it is not installed.
struct UnderWine {
    double open_us = 0;
    double lock_ns = 0;
};
std::optional<UnderWine> ask_wine(std::uint64_t open_rounds, std::uint64_t lock_turns, const std::string& directory) {
#ifdef COMAP_BENCH_WINE
    const std::string command = fmt::format("WINEPREFIX={}/wine WINEDEBUG=-all WINEDLLOVERRIDES='mscoree,mshtml=' {} {} {} {} 2>/dev/null", directory, COMAP_BENCH_WINE,
                                            COMAP_BENCH_WINE_PROGRAM, open_rounds, lock_turns);
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> said(::popen(command.c_str(), "re"), ::pclose);
    UnderWine answer;
    if (said && std::fscanf(said.get(), "%lf %lf", &answer.open_us, &answer.lock_ns) == 2) return answer;
#else
    (void)open_rounds, (void)lock_turns, (void)directory;
#endif
    return std::nullopt;
}

}  // namespace

void measure_win32(Bench& bench) {
    if (!bench.wants_any({kOpenRow, kLockRow})) return;
    ::setenv("COMAP_DIR", bench.context().root().c_str(), 1);  // of the Win32 calls, which look at it when they first need it
    const std::uint64_t open_rounds = bench.scaled(100), lock_turns = bench.scaled(2'000'000);
    const auto wine = ask_wine(open_rounds, lock_turns, bench.context().root());
    std::vector<Contender> open_peers, lock_peers;
    if (wine) open_peers.push_back({"Wine", [&] { return wine->open_us; }});
    if (wine) lock_peers.push_back({"Wine", [&] { return wine->lock_ns; }});

    const HANDLE held = CreateFileMappingA(INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE, 0, WIN32_SECTION_BYTES, "opened by calls");
    if (held == nullptr) give_up("CreateFileMapping failed");
    bench.run({kOpenRow, "us", 1.25, "limit: Section::open and view; each handle then closed, unmeasured",
               [&] { return opening_us<Win32Opened>(open_rounds, [] { return Win32Opened("opened by calls"); }); },
               [&] {
                   return opening_us<Native>(open_rounds, [&] {
                       Native native{must(Section::open("opened by calls", {}, bench.context())), {}};
                       native.view = must(native.section.view());
                       return native;
                   });
               },
               open_peers});
    CloseHandle(held);

    const HANDLE mutex = CreateMutexA(nullptr, FALSE, "locked by calls");
    if (mutex == nullptr) give_up("CreateMutex failed");
    const Mutex native = must(Mutex::open("locked by calls", {}, bench.context()));
    bench.run({kLockRow, "ns", 1.5, "limit: Mutex::lock and unlock",
               [&] {
                   return ns_per_turn(lock_turns, [&] {
                       if (WaitForSingleObject(mutex, INFINITE) != WAIT_OBJECT_0 || !ReleaseMutex(mutex)) give_up("a mutex was not locked");
                   });
               },
               [&] {
                   return ns_per_turn(lock_turns, [&] {
                       must(native.lock(Deadline::forever()));
                       must(native.unlock());
                   });
               },
               lock_peers});
    CloseHandle(mutex);
}

}  // namespace comap::bench
