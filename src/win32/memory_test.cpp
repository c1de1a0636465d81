// SPDX-License-Identifier: Apache-2.0
#include <windows.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <dlfcn.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

// Where the address sanitizer runs: an allocation that is too large fails as it does elsewhere.
extern "C" [[gnu::visibility("default")]] const char* __asan_default_options() { return "allocator_may_return_null=1"; }

namespace {

constexpr DWORD kPoison = 0xdeadbeef;
constexpr SIZE_T kPage = 4096;
constexpr SIZE_T kGranularity = 65536;

class Allocation {
  public:
    explicit Allocation(SIZE_T size_bytes, DWORD type = MEM_RESERVE | MEM_COMMIT, DWORD protection = PAGE_READWRITE)
        : memory_(static_cast<char*>(VirtualAlloc(nullptr, size_bytes, type, protection))) {}
    ~Allocation() { EXPECT_TRUE(VirtualFree(memory_, 0, MEM_RELEASE)); }
    Allocation(const Allocation&) = delete;
    Allocation& operator=(const Allocation&) = delete;
    char* get() const { return memory_; }

  private:
    char* memory_;
};

template <typename Call>
DWORD error_of(Call call) {
    SetLastError(kPoison);
    EXPECT_FALSE(call());
    return GetLastError();
}

TEST(Win32Memory, ReservesAtTheGranularityAndGivesZeroes) {
    SetLastError(kPoison);
    const Allocation memory(100);
    ASSERT_NE(memory.get(), nullptr);
    EXPECT_EQ(reinterpret_cast<ULONG_PTR>(memory.get()) % kGranularity, 0u);
    EXPECT_EQ(memory.get()[kPage - 1], 0);
    memory.get()[kPage - 1] = 1;
    EXPECT_EQ(GetLastError(), kPoison);
}

TEST(Win32Memory, CommitsAndDecommitsParts) {
    const Allocation memory(16 * kPage, MEM_RESERVE, PAGE_READWRITE);
    EXPECT_EQ(VirtualAlloc(memory.get() + 3 * kPage + 5, kPage, MEM_COMMIT, PAGE_READWRITE), memory.get() + 3 * kPage);
    memory.get()[5 * kPage - 1] = 7;  // the bytes asked for lie in two pages
    EXPECT_EQ(VirtualAlloc(memory.get() + 4 * kPage, kPage, MEM_COMMIT, PAGE_READWRITE), memory.get() + 4 * kPage);
    EXPECT_EQ(memory.get()[5 * kPage - 1], 7);
    EXPECT_TRUE(VirtualFree(memory.get() + 4 * kPage, 1, MEM_DECOMMIT));
    EXPECT_EQ(VirtualAlloc(memory.get() + 4 * kPage, kPage, MEM_COMMIT, PAGE_READWRITE), memory.get() + 4 * kPage);
    EXPECT_EQ(memory.get()[5 * kPage - 1], 0);
    EXPECT_TRUE(VirtualFree(memory.get(), 0, MEM_DECOMMIT));
    const auto commit_too_much = [&] { return VirtualAlloc(memory.get() + 15 * kPage, 2 * kPage, MEM_COMMIT, PAGE_READWRITE); };
    EXPECT_EQ(error_of(commit_too_much), DWORD{ERROR_INVALID_ADDRESS});
}

TEST(Win32Memory, ProtectsAndTellsTheOldProtection) {
    const Allocation memory(4 * kPage);
    DWORD old = kPoison;
    EXPECT_TRUE(VirtualProtect(memory.get() + kPage, 1, PAGE_READONLY, &old));
    EXPECT_EQ(old, DWORD{PAGE_READWRITE});
    EXPECT_DEATH(memory.get()[kPage] = 1, "");
    EXPECT_TRUE(VirtualProtect(memory.get(), 4 * kPage, PAGE_NOACCESS, &old));
    EXPECT_EQ(old, DWORD{PAGE_READWRITE});
    EXPECT_TRUE(VirtualProtect(memory.get(), 4 * kPage, PAGE_READWRITE, &old));
    EXPECT_EQ(old, DWORD{PAGE_NOACCESS});
    memory.get()[kPage] = 1;
    EXPECT_EQ(error_of([&] { return VirtualProtect(memory.get(), 5 * kPage, PAGE_READWRITE, &old); }), DWORD{ERROR_INVALID_ADDRESS});
    EXPECT_EQ(error_of([&] { return VirtualProtect(memory.get(), kPage, PAGE_READWRITE, nullptr); }), DWORD{ERROR_NOACCESS});
    EXPECT_EQ(error_of([&] { return VirtualProtect(memory.get(), kPage, 0, &old); }), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(old, DWORD{PAGE_NOACCESS});
    const Allocation reserved(kPage, MEM_RESERVE);
    EXPECT_EQ(error_of([&] { return VirtualProtect(reserved.get(), kPage, PAGE_READWRITE, &old); }), DWORD{ERROR_INVALID_ADDRESS});
}

TEST(Win32Memory, ProtectsViews) {
    const HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE, 0, 2 * kPage, nullptr);
    auto* const view = static_cast<char*>(MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0));
    auto* const readable = static_cast<char*>(MapViewOfFile(section, FILE_MAP_READ, 0, 0, 0));
    DWORD old = kPoison;
    EXPECT_TRUE(VirtualProtect(view, kPage, PAGE_READONLY, &old));
    EXPECT_EQ(old, DWORD{PAGE_READWRITE});
    EXPECT_DEATH(view[0] = 1, "");
    EXPECT_TRUE(VirtualProtect(view, kPage, old, &old));
    view[0] = 1;
    EXPECT_EQ(readable[0], 1);
    EXPECT_EQ(error_of([&] { return VirtualProtect(readable, kPage, PAGE_READWRITE, &old); }), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(error_of([&] { return VirtualProtect(view, 3 * kPage, PAGE_READONLY, &old); }), DWORD{ERROR_INVALID_ADDRESS});
    EXPECT_EQ(VirtualAlloc(view + kPage, 1, MEM_COMMIT, PAGE_READWRITE), view + kPage);  // as sections of SEC_RESERVE are used
    EXPECT_TRUE(UnmapViewOfFile(view) && UnmapViewOfFile(readable) && CloseHandle(section));
}

TEST(Win32Memory, VirtualAllocRefusesBadArguments) {
    const auto error = [](LPVOID address, SIZE_T size, DWORD type, DWORD protection) {
        return error_of([&] { return VirtualAlloc(address, size, type, protection); });
    };
    EXPECT_EQ(error(nullptr, 0, MEM_COMMIT, PAGE_READWRITE), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(error(nullptr, kPage, 0, PAGE_READWRITE), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(error(nullptr, kPage, MEM_COMMIT | 1, PAGE_READWRITE), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(error(nullptr, kPage, MEM_COMMIT, 0), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(error(nullptr, kPage, MEM_COMMIT, PAGE_WRITECOPY), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(error(nullptr, kPage, MEM_COMMIT, PAGE_READWRITE | PAGE_READONLY), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(error(nullptr, ~SIZE_T{0}, MEM_RESERVE, PAGE_READWRITE), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(error(nullptr, ~SIZE_T{0} / 2, MEM_RESERVE, PAGE_READWRITE), DWORD{ERROR_NOT_ENOUGH_MEMORY});
    const Allocation memory(kGranularity);
    EXPECT_EQ(error(memory.get(), kPage, MEM_RESERVE, PAGE_READWRITE), DWORD{ERROR_INVALID_ADDRESS});
    EXPECT_EQ(error(reinterpret_cast<LPVOID>(kGranularity), kPage, MEM_COMMIT, PAGE_READWRITE), DWORD{ERROR_INVALID_ADDRESS});
}

TEST(Win32Memory, CanBeReadWhereItCanBeExecuted) {
    const Allocation memory(kPage, MEM_RESERVE | MEM_COMMIT, PAGE_EXECUTE);
    EXPECT_EQ(memory.get()[0], 0);
}

TEST(Win32Memory, VirtualFreeRefusesBadArguments) {
    const auto error = [](LPVOID address, SIZE_T size, DWORD type) { return error_of([&] { return VirtualFree(address, size, type); }); };
    const Allocation memory(4 * kPage);
    EXPECT_EQ(error(memory.get(), kPage, MEM_RELEASE), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(error(memory.get() + kPage, 0, MEM_RELEASE), DWORD{ERROR_INVALID_ADDRESS});
    EXPECT_EQ(error(memory.get(), 0, MEM_RELEASE | MEM_DECOMMIT), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(error(nullptr, 0, MEM_RELEASE), DWORD{ERROR_INVALID_ADDRESS});
    EXPECT_EQ(error(memory.get() + kPage, 0, MEM_DECOMMIT), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(error(memory.get(), 5 * kPage, MEM_DECOMMIT), DWORD{ERROR_INVALID_ADDRESS});
    memory.get()[0] = 1;
}

TEST(Win32Memory, ReservesAtAGivenAddress) {
    char* address = nullptr;
    {
        const Allocation memory(2 * kGranularity);
        address = memory.get();
    }
    EXPECT_EQ(VirtualAlloc(address + 100, kPage, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE), address);
    EXPECT_TRUE(VirtualFree(address, 0, MEM_RELEASE));
    EXPECT_EQ(error_of([&] { return VirtualFree(address, 0, MEM_RELEASE); }), DWORD{ERROR_INVALID_ADDRESS});
}

TEST(Win32Memory, HeapsAndBlocks) {
    auto* const zeroed = static_cast<char*>(GlobalAlloc(GPTR, 100));
    EXPECT_EQ(zeroed[99], 0);
    EXPECT_EQ(GlobalLock(zeroed), zeroed);
    EXPECT_EQ(GlobalFree(zeroed), nullptr);
    EXPECT_NE(GetProcessHeap(), nullptr);
    auto* block = static_cast<char*>(HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, 8));
    block[7] = 3;
    block = static_cast<char*>(HeapReAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, block, 100000));
    EXPECT_EQ(block[7], 3);
    EXPECT_EQ(block[99999], 0);
    EXPECT_TRUE(HeapFree(GetProcessHeap(), 0, block));
    EXPECT_EQ(error_of([] { return HeapAlloc(nullptr, 0, 1); }), DWORD{ERROR_INVALID_HANDLE});
    EXPECT_EQ(error_of([] { return LocalAlloc(LMEM_FIXED, ~SIZE_T{0} / 2); }), DWORD{ERROR_NOT_ENOUGH_MEMORY});
}

TEST(Win32Memory, CopiesAndFills) {
    std::array<char, 8> bytes{};
    CopyMemory(bytes.data(), "abcdefg", 8);
    MoveMemory(bytes.data() + 1, bytes.data(), 6);
    EXPECT_STREQ(bytes.data(), "aabcdef");
    FillMemory(bytes.data(), 3, 'x');
    EXPECT_STREQ(bytes.data(), "xxxcdef");
    EXPECT_TRUE(RtlEqualMemory(bytes.data(), "xxx", 3));
    SecureZeroMemory(bytes.data(), 4);
    EXPECT_STREQ(bytes.data() + 4, "def");
    ZeroMemory(bytes.data(), bytes.size());
    EXPECT_EQ(bytes[4], 0);
}

TEST(Win32Memory, InterlockedCallsGiveWhatTheyAreDocumentedTo) {
    LONG number = 5;
    EXPECT_EQ(InterlockedIncrement(&number), 6);
    EXPECT_EQ(InterlockedDecrement(&number), 5);
    EXPECT_EQ(InterlockedExchangeAdd(&number, 10), 5);
    EXPECT_EQ(InterlockedExchange(&number, 3), 15);
    EXPECT_EQ(InterlockedCompareExchange(&number, 9, 4), 3);
    EXPECT_EQ(InterlockedCompareExchange(&number, 9, 3), 3);
    EXPECT_EQ(InterlockedAnd(&number, 8), 9);
    EXPECT_EQ(InterlockedOr(&number, 1), 8);
    EXPECT_EQ(InterlockedXor(&number, 1), 9);
    EXPECT_EQ(number, 8);
    LONG64 large = 1LL << 40;
    EXPECT_EQ(InterlockedIncrement64(&large), (1LL << 40) + 1);
    EXPECT_EQ(InterlockedCompareExchange64(&large, 7, (1LL << 40) + 1), (1LL << 40) + 1);
    EXPECT_EQ(large, 7);
    PVOID pointer = nullptr;
    EXPECT_EQ(InterlockedExchangePointer(&pointer, &number), nullptr);
    EXPECT_EQ(InterlockedCompareExchangePointer(&pointer, nullptr, &number), &number);
    EXPECT_EQ(pointer, nullptr);
}

// Scripts find them by name.
TEST(Win32Memory, InterlockedCallsAreExportedToo) {
    const auto increment = reinterpret_cast<LONG (*)(volatile LONG*)>(dlsym(RTLD_DEFAULT, "InterlockedIncrement"));
    ASSERT_NE(increment, nullptr);
    LONG number = 1;
    EXPECT_EQ(increment(&number), 2);
    EXPECT_NE(dlsym(RTLD_DEFAULT, "RtlMoveMemory"), nullptr);
}

TEST(Win32Memory, InterlockedStepsAreAtomic) {
    LONG count = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] {
            for (int j = 0; j < 10000; ++j) InterlockedIncrement(&count);
        });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(count, 40000);
}

TEST(Win32Memory, AGrowingBlockHasZerosBehindWhatItHad) {
    const HANDLE heap = GetProcessHeap();
    for (std::size_t had = 1; had < 100; ++had) {
        void* const other = HeapAlloc(heap, 0, had + 30);
        std::memset(other, 0xff, had + 30);
        HeapFree(heap, 0, other);
        auto* block = static_cast<unsigned char*>(HeapAlloc(heap, HEAP_ZERO_MEMORY, had));
        std::memset(block, 1, had);
        block = static_cast<unsigned char*>(HeapReAlloc(heap, HEAP_ZERO_MEMORY, block, had + 200));
        EXPECT_EQ(std::count(block, block + had, 1), static_cast<std::ptrdiff_t>(had));
        EXPECT_EQ(std::count(block + had, block + had + 200, 0), 200) << had;
        HeapFree(heap, 0, block);
    }
}

TEST(Win32Memory, ProtectionOfAViewIsToldAsItIsAndSharedPagesStayShared) {
    const HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE, 0, 8192, nullptr);
    void* const view = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
    ASSERT_NE(view, nullptr);
    DWORD old = 0;
    EXPECT_TRUE(VirtualProtect(view, 4096, PAGE_READONLY, &old));
    EXPECT_EQ(old, DWORD{PAGE_READWRITE});
    EXPECT_TRUE(VirtualProtect(view, 4096, PAGE_READWRITE, &old));
    EXPECT_EQ(old, DWORD{PAGE_READONLY});
    EXPECT_FALSE(VirtualProtect(view, 4096, PAGE_WRITECOPY, &old));
    EXPECT_EQ(GetLastError(), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_TRUE(UnmapViewOfFile(view));
    EXPECT_TRUE(CloseHandle(section));
}

TEST(Win32Memory, AForkedChildCanAllocateWhateverOtherThreadsWereDoing) {
    std::atomic<bool> ends{false};
    std::thread busy([&] {
        while (!ends.load(std::memory_order_relaxed)) VirtualFree(VirtualAlloc(nullptr, 4096, MEM_COMMIT, PAGE_READWRITE), 0, MEM_RELEASE);
    });
    for (int round = 0; round < 50; ++round) {
        const pid_t child = ::fork();
        if (child == 0) {
            ::alarm(20);
            ::_exit(VirtualAlloc(nullptr, 4096, MEM_COMMIT, PAGE_READWRITE) ? 0 : 1);
        }
        int status = -1;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_EQ(status, 0);
    }
    ends.store(true, std::memory_order_relaxed);
    busy.join();
}

TEST(Win32Memory, ShortAndLongInterlockedForms) {
    SHORT words[2] = {1, 7};
    EXPECT_EQ(InterlockedIncrement16(words), 2);
    EXPECT_EQ(InterlockedExchange16(words, 9), 2);
    EXPECT_EQ(InterlockedCompareExchange16(words, 3, 9), 9);
    EXPECT_EQ(words[0], 3);
    EXPECT_EQ(words[1], 7);
    LONG bits[2] = {0, 0};
    EXPECT_FALSE(InterlockedBitTestAndSet(bits, 33));
    EXPECT_TRUE(InterlockedBitTestAndReset(bits, 33));
    EXPECT_FALSE(InterlockedBitTestAndSet(bits, 31));
    EXPECT_EQ(InterlockedAdd(&bits[1], 5), 5);
    EXPECT_LT(bits[0], 0);
}

}  // namespace
