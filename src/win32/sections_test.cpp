// SPDX-License-Identifier: Apache-2.0
#include "win32/win32_test.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

namespace comap::test {
namespace {

struct SectionsTest : Win32Test {
    static HANDLE create(const char* named, std::uint64_t size_bytes = 256, DWORD protect = PAGE_READWRITE, HANDLE file = INVALID_HANDLE_VALUE) {
        return CreateFileMappingA(file, nullptr, protect, static_cast<DWORD>(size_bytes >> 32), static_cast<DWORD>(size_bytes), named);
    }
    static char* map(HANDLE section, DWORD access = FILE_MAP_WRITE, DWORD offset = 0, SIZE_T size = 0) {
        return static_cast<char*>(MapViewOfFile(section, access, 0, offset, size));
    }
    DWORD mapping_error(HANDLE section, DWORD access, DWORD offset = 0, SIZE_T size = 0) {
        void* const view = map(section, access, offset, size);
        if (!view) return error();
        EXPECT_TRUE(UnmapViewOfFile(view));
        return ERROR_SUCCESS;
    }
};

TEST_F(SectionsTest, SaysWhetherItMadeOne) {
    const Handle first = create(name.c_str());
    EXPECT_EQ(error(), DWORD{ERROR_SUCCESS});
    const Handle second = create(name.c_str(), 5000);
    EXPECT_EQ(error(), DWORD{ERROR_ALREADY_EXISTS});
    EXPECT_EQ(mapping_error(second, FILE_MAP_READ, 0, 4097), DWORD{ERROR_ACCESS_DENIED});
    EXPECT_EQ(context().stat(name)->size_bytes, 256u);
    EXPECT_EQ(create(name.c_str(), 0), nullptr);
    EXPECT_EQ(error(), DWORD{ERROR_INVALID_PARAMETER});
}

TEST_F(SectionsTest, ManyWordsForNoFile) {
    for (const std::uint64_t no_file : {std::uint64_t{0}, std::uint64_t{0xffffffff}, UINT64_MAX}) {
        const Handle section = create(nullptr, 1, PAGE_READWRITE, reinterpret_cast<HANDLE>(no_file));
        EXPECT_NE(section, nullptr) << no_file;
    }
    EXPECT_EQ(create(nullptr, 1, PAGE_READWRITE, reinterpret_cast<HANDLE>(0x5550)), nullptr);
    EXPECT_EQ(error(), DWORD{ERROR_INVALID_HANDLE});
}

TEST_F(SectionsTest, FlagsThatCannotBe) {
    const auto code = [&](DWORD protect) {
        const Handle section = create(nullptr, 1, protect);
        return section ? DWORD{ERROR_SUCCESS} : error();
    };
    for (const DWORD bad : {0u, PAGE_NOACCESS, PAGE_EXECUTE, PAGE_READWRITE | PAGE_READONLY, PAGE_READWRITE | PAGE_GUARD, PAGE_READWRITE | SEC_COMMIT | SEC_RESERVE,
                            PAGE_READWRITE | SEC_NOCACHE, PAGE_READWRITE | SEC_LARGE_PAGES, PAGE_READWRITE | 0x00100000u, 0xffffffffu & ~SEC_IMAGE})
        EXPECT_EQ(code(bad), DWORD{ERROR_INVALID_PARAMETER}) << std::hex << bad;
    for (const DWORD good : {PAGE_READONLY, PAGE_WRITECOPY, PAGE_EXECUTE_READ, PAGE_EXECUTE_READWRITE, PAGE_EXECUTE_WRITECOPY, PAGE_READWRITE | SEC_RESERVE,
                             PAGE_READWRITE | SEC_COMMIT | SEC_NOCACHE, PAGE_READWRITE | SEC_COMMIT | SEC_LARGE_PAGES})
        EXPECT_EQ(code(good), DWORD{ERROR_SUCCESS}) << std::hex << good;
    EXPECT_EQ(code(PAGE_READWRITE | SEC_IMAGE), DWORD{ERROR_BAD_EXE_FORMAT});
}

TEST_F(SectionsTest, SharesWithTheNativeSection) {
    const Handle section = create(name.c_str(), 5000);
    char* const view = map(section);
    std::strcpy(view + 4000, "from one");
    auto native = Section::open(name);
    ASSERT_OK(native);
    EXPECT_EQ(*native->size_bytes(), 5000u);
    const auto seen = native->view();
    EXPECT_STREQ(reinterpret_cast<const char*>(seen->data()) + 4000, "from one");
    std::memcpy(seen->data(), "to the other", 13);
    EXPECT_STREQ(view, "to the other");
    ASSERT_OK(native->grow(100'000));
    EXPECT_EQ(mapping_error(section, FILE_MAP_READ, 65536, 4096), DWORD{ERROR_SUCCESS});
    EXPECT_TRUE(UnmapViewOfFile(view));
}

TEST_F(SectionsTest, TextsCanBeLookedAt) {
    auto text = Text::create(name, {.capacity_bytes = 100});
    ASSERT_OK(text);
    const Handle section = OpenFileMappingA(FILE_MAP_ALL_ACCESS, FALSE, name.c_str());
    EXPECT_EQ(mapping_error(section, FILE_MAP_READ), DWORD{ERROR_SUCCESS});
    EXPECT_EQ(mapping_error(section, FILE_MAP_WRITE), DWORD{ERROR_ACCESS_DENIED});
    EXPECT_EQ(mapping_error(section, FILE_MAP_COPY), DWORD{ERROR_SUCCESS});
}

TEST_F(SectionsTest, RangesOfViews) {
    const Handle section = create(nullptr, 0x30000 - 100);
    EXPECT_EQ(mapping_error(section, FILE_MAP_WRITE, 0x1000), DWORD{ERROR_MAPPED_ALIGNMENT});
    EXPECT_EQ(mapping_error(section, FILE_MAP_WRITE, 0x30000), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(mapping_error(section, FILE_MAP_WRITE, 0x40000, 0x1000), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(mapping_error(section, FILE_MAP_WRITE, 0x20000, 0x10001), DWORD{ERROR_ACCESS_DENIED});
    EXPECT_EQ(mapping_error(section, FILE_MAP_WRITE, 0x20000, SIZE_MAX), DWORD{ERROR_ACCESS_DENIED});
    EXPECT_EQ(mapping_error(section, FILE_MAP_WRITE, 0x20000, 0x10000), DWORD{ERROR_SUCCESS});
    EXPECT_EQ(MapViewOfFile(section, FILE_MAP_WRITE, 1, 0, 0), nullptr);
    EXPECT_EQ(error(), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(MapViewOfFile(section, FILE_MAP_WRITE, 0xffffffff, 0xffff0000, 1), nullptr);
    EXPECT_EQ(error(), DWORD{ERROR_INVALID_PARAMETER});
}

TEST_F(SectionsTest, RightsOfHandles) {
    const Handle section = create(name.c_str());
    const auto code = [&](DWORD opened, DWORD mapped) {
        const Handle handle = OpenFileMappingA(opened, FALSE, name.c_str());
        return mapping_error(handle, mapped);
    };
    EXPECT_EQ(code(FILE_MAP_READ, FILE_MAP_WRITE), DWORD{ERROR_ACCESS_DENIED});
    EXPECT_EQ(code(FILE_MAP_READ, FILE_MAP_ALL_ACCESS), DWORD{ERROR_ACCESS_DENIED});
    EXPECT_EQ(code(FILE_MAP_READ, FILE_MAP_COPY), DWORD{ERROR_SUCCESS});
    EXPECT_EQ(code(FILE_MAP_WRITE, FILE_MAP_READ), DWORD{ERROR_ACCESS_DENIED});
    EXPECT_EQ(code(FILE_MAP_WRITE, FILE_MAP_WRITE), DWORD{ERROR_SUCCESS});
    EXPECT_EQ(code(FILE_MAP_COPY, FILE_MAP_READ), DWORD{ERROR_SUCCESS});
    EXPECT_EQ(code(0, FILE_MAP_READ), DWORD{ERROR_ACCESS_DENIED});
    EXPECT_EQ(code(GENERIC_READ, FILE_MAP_READ), DWORD{ERROR_SUCCESS});
    EXPECT_EQ(code(GENERIC_READ, FILE_MAP_WRITE), DWORD{ERROR_ACCESS_DENIED});
    EXPECT_EQ(code(MAXIMUM_ALLOWED, FILE_MAP_WRITE), DWORD{ERROR_SUCCESS});
    EXPECT_EQ(mapping_error(section, FILE_MAP_READ | FILE_MAP_EXECUTE), DWORD{ERROR_ACCESS_DENIED});
}

TEST_F(SectionsTest, CopiesArePrivate) {
    const Handle section = create(nullptr);
    char* const shared = map(section);
    char* const copy = map(section, FILE_MAP_COPY);
    shared[0] = 1;
    copy[0] = 2;
    EXPECT_EQ(shared[0], 1);
    EXPECT_TRUE(UnmapViewOfFile(shared));
    EXPECT_TRUE(UnmapViewOfFile(copy));
}

// --- addresses --------------------------------------------------------------------------------------------------------

TEST_F(SectionsTest, ViewsBeginAtMultiplesOf64K) {
    const Handle section = create(nullptr, 70'000);
    std::vector<char*> views;
    for (int i = 0; i < 300; ++i) {
        views.push_back(map(section));
        ASSERT_NE(views.back(), nullptr);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(views.back()) % 65536, 0u);
    }
    views[0][69'999] = 5;
    for (char* const view : views) {
        EXPECT_EQ(view[69'999], 5);
        EXPECT_TRUE(UnmapViewOfFile(view));
    }
}

TEST_F(SectionsTest, AViewLargerThanTheAreaOfViews) {
    const Handle section = create(nullptr, std::uint64_t{20} << 30, PAGE_READWRITE | SEC_RESERVE);
    ASSERT_NE(section, nullptr) << error();
    char* const view = map(section);
    ASSERT_NE(view, nullptr) << error();
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(view) % 65536, 0u);
    view[(std::uint64_t{20} << 30) - 1] = 1;
    EXPECT_TRUE(UnmapViewOfFile(view));
}

// Others may map where the next view would go.
TEST_F(SectionsTest, ForeignMappingsInTheWay) {
    const Handle section = create(nullptr, 65536);
    for (int i = 0; i < 20; ++i) {
        char* const view = map(section);
        ASSERT_NE(view, nullptr);
        void* const foreign = ::mmap(view + 65536, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        char* const next = map(section);
        ASSERT_NE(next, nullptr);
        EXPECT_NE(next, foreign);
        EXPECT_TRUE(UnmapViewOfFile(view));
        EXPECT_TRUE(UnmapViewOfFile(next));
        if (foreign != MAP_FAILED) ::munmap(foreign, 4096);
    }
}

TEST_F(SectionsTest, ViewsAtAnAddress) {
    const Handle section = create(nullptr);
    char* const view = map(section);
    EXPECT_EQ(MapViewOfFileEx(section, FILE_MAP_READ, 0, 0, 0, view), nullptr);
    EXPECT_EQ(error(), DWORD{ERROR_INVALID_ADDRESS});
    EXPECT_EQ(MapViewOfFileEx(section, FILE_MAP_READ, 0, 0, 0, view + 4096), nullptr);
    EXPECT_EQ(error(), DWORD{ERROR_MAPPED_ALIGNMENT});
    EXPECT_EQ(MapViewOfFileEx(section, FILE_MAP_READ, 0, 0, 0, reinterpret_cast<void*>(~std::uintptr_t{0xffff})), nullptr);
    EXPECT_EQ(error(), DWORD{ERROR_INVALID_ADDRESS});
    EXPECT_TRUE(UnmapViewOfFile(view));
    EXPECT_EQ(MapViewOfFileEx(section, FILE_MAP_READ, 0, 0, 0, view), view);
    EXPECT_TRUE(UnmapViewOfFile(view));
}

TEST_F(SectionsTest, UnmapAndFlushWhatIsNoView) {
    int on_stack = 0;
    for (void* const bad : {static_cast<void*>(nullptr), reinterpret_cast<void*>(0xdeadbeef), static_cast<void*>(&on_stack)}) {
        EXPECT_FALSE(UnmapViewOfFile(bad));
        EXPECT_EQ(error(), DWORD{ERROR_INVALID_ADDRESS});
        EXPECT_FALSE(FlushViewOfFile(bad, 0));
    }
    const Handle section = create(nullptr);
    char* const view = map(section);
    EXPECT_TRUE(FlushViewOfFile(view, 0));
    EXPECT_TRUE(FlushViewOfFile(view + 1, 100));
    EXPECT_FALSE(FlushViewOfFile(view, 4097));
    EXPECT_EQ((error(), error()), kPoison);
    EXPECT_TRUE(UnmapViewOfFile(view));
    EXPECT_FALSE(UnmapViewOfFile(view));
    EXPECT_FALSE(FlushViewOfFile(view, 0));
}

TEST_F(SectionsTest, VirtualQueryOfViewsAndOthers) {
    const Handle section = create(nullptr, 5000);
    char* const view = map(section);
    MEMORY_BASIC_INFORMATION info;
    std::memset(&info, 0xee, sizeof info);
    ASSERT_EQ(VirtualQuery(view + 100, &info, sizeof info), sizeof info);
    EXPECT_EQ(info.BaseAddress, view);
    EXPECT_EQ(info.AllocationBase, view);
    EXPECT_EQ(info.RegionSize, 8192u);
    EXPECT_EQ(info.State, MEM_COMMIT);
    EXPECT_EQ(info.Protect, PAGE_READWRITE);
    EXPECT_EQ(info.AllocationProtect, PAGE_READWRITE);
    EXPECT_EQ(info.Type, MEM_MAPPED);
    ASSERT_EQ(VirtualQuery(view + 5000, &info, sizeof info), sizeof info);
    EXPECT_EQ(info.BaseAddress, view + 4096);
    EXPECT_EQ(info.RegionSize, 4096u);
    EXPECT_TRUE(UnmapViewOfFile(view));
    ASSERT_EQ(VirtualQuery(view, &info, sizeof info), sizeof info);
    EXPECT_EQ(info.State, MEM_FREE);
    const void* const code = reinterpret_cast<const void*>(&VirtualQuery);
    ASSERT_EQ(VirtualQuery(code, &info, sizeof info), sizeof info);
    EXPECT_EQ(info.Protect, PAGE_EXECUTE_READ);
    EXPECT_EQ(VirtualQuery(view, &info, sizeof info - 1), 0u);
    EXPECT_EQ(VirtualQuery(view, nullptr, sizeof info), 0u);
}

// The usual walk over all memory comes to its end.
TEST_F(SectionsTest, VirtualQueryWalks) {
    MEMORY_BASIC_INFORMATION info;
    const char* at = nullptr;
    int regions = 0;
    while (VirtualQuery(at, &info, sizeof info) != 0 && ++regions < 100'000) {
        ASSERT_EQ(info.BaseAddress, at);
        ASSERT_GT(info.RegionSize, 0u);
        at += info.RegionSize;
    }
    EXPECT_GT(regions, 20);
    EXPECT_LT(regions, 100'000);
}

// --- lifetime ---------------------------------------------------------------------------------------------------------

TEST_F(SectionsTest, AViewOutlivesTheNameOnly) {
    Handle section = create(name.c_str());
    char* const view = map(section);
    std::strcpy(view, "old");
    section.close();
    EXPECT_FALSE(section_exists(name));
    EXPECT_EQ(object_count(), 0u);
    std::strcat(view, "+");
    const Handle again = create(name.c_str());
    EXPECT_EQ(error(), DWORD{ERROR_SUCCESS});
    char* const other = map(again);
    EXPECT_STREQ(other, "");
    EXPECT_STREQ(view, "old+");
    EXPECT_TRUE(UnmapViewOfFile(view));
    EXPECT_TRUE(UnmapViewOfFile(other));
}

// Whatever was done to its pages, and whoever uses them at that moment.
TEST_F(SectionsTest, ViewsDoNotNoticeThatTheHandleIsClosed) {
    for (int round = 0; round < 50; ++round) {
        Handle section = create(name.c_str(), 0x20000);
        char* const whole = map(section);
        char* const second = map(section, FILE_MAP_READ, 0x10000);
        char* const copy = map(section, FILE_MAP_COPY);
        copy[0] = 'c';
        DWORD before = 0;
        ASSERT_TRUE(VirtualProtect(whole + 4096, 4096, PAGE_READONLY, &before));
        auto& count = *reinterpret_cast<std::atomic<std::uint32_t>*>(whole + 0x10000);
        std::atomic<bool> ends{false};
        std::thread user([&] {
            for (std::uint32_t seen = 0; !ends.load(std::memory_order_relaxed); ++seen) EXPECT_EQ(count.fetch_add(1, std::memory_order_relaxed), seen);
        });
        wait_until([&] { return count.load(std::memory_order_relaxed) > 10; }, "the thread counts");
        section.close();
        EXPECT_FALSE(section_exists(name));
        const std::uint32_t then = count.load(std::memory_order_relaxed);
        wait_until([&] { return count.load(std::memory_order_relaxed) > then + 10; }, "the thread goes on counting");
        ends.store(true, std::memory_order_relaxed);
        user.join();
        EXPECT_EQ(reinterpret_cast<std::atomic<std::uint32_t>*>(second)->load(std::memory_order_relaxed), count.load(std::memory_order_relaxed));
        EXPECT_EQ(copy[0], 'c');
        MEMORY_BASIC_INFORMATION info;
        ASSERT_NE(VirtualQuery(whole, &info, sizeof info), 0u);
        EXPECT_EQ(info.RegionSize, 4096u);
        ASSERT_NE(VirtualQuery(whole + 4096, &info, sizeof info), 0u);
        EXPECT_EQ(info.Protect, PAGE_READONLY);
        EXPECT_EQ(info.AllocationBase, whole);
        for (char* const view : {whole, second, copy}) EXPECT_TRUE(UnmapViewOfFile(view));
    }
}

TEST_F(SectionsTest, TheNameGoesWithTheLastHandleOfAnyProcess) {
    Child child([&](const Line& line) {
        line.hear();
        const HANDLE section = OpenFileMappingA(FILE_MAP_READ, FALSE, name.c_str());
        void* const view = MapViewOfFile(section, FILE_MAP_READ, 0, 0, 0);
        CHILD_CHECK(view != nullptr);
        line.say();
        line.hear();
        CHILD_CHECK(CloseHandle(section));  // keeps the view
        line.say();
        line.hear();
        CHILD_CHECK(static_cast<const char*>(view)[0] == 'a');
        return 0;
    });
    Handle section = create(name.c_str());
    char* const view = map(section);
    view[0] = 'a';
    child.line().say();
    ASSERT_EQ(child.line().hear(), '.');
    section.close();
    EXPECT_TRUE(section_exists(name));
    child.line().say();
    ASSERT_EQ(child.line().hear(), '.');
    EXPECT_FALSE(section_exists(name));
    child.line().say();
    EXPECT_EQ(child.wait(), 0);
    EXPECT_TRUE(UnmapViewOfFile(view));
}

TEST_F(SectionsTest, TheNameGoesWithAKilledHolder) {
    Child child([&](const Line& line) {
        const HANDLE section = create(name.c_str());
        CHILD_CHECK(MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0) != nullptr);
        line.say();
        line.hear();
        return 0;
    });
    ASSERT_EQ(child.line().hear(), '.');
    EXPECT_TRUE(section_exists(name));
    child.kill();
    wait_until([&] { return !section_exists(name); }, "the kernel lets go");
}

// --- files ------------------------------------------------------------------------------------------------------------

struct FileSectionsTest : SectionsTest {
    const std::string path = Context::standard().root() + "/a file";
    ~FileSectionsTest() override { ::unlink(path.c_str()); }
    Handle file(std::size_t size_bytes, DWORD access = GENERIC_READ | GENERIC_WRITE) {
        write_file(path, std::string(size_bytes, 'f'));
        return CreateFileA(path.c_str(), access, FILE_SHARE_READ | FILE_SHARE_WRITE, nullptr, OPEN_EXISTING, 0, nullptr);
    }
};

TEST_F(FileSectionsTest, HasTheFilesSizeAndBytes) {
    Handle opened = file(5000);
    const Handle section = create(name.c_str(), 0, PAGE_READWRITE, opened);
    ASSERT_NE(section, nullptr) << error();
    opened.close();
    char* const view = map(section);
    EXPECT_EQ(view[4999], 'f');
    EXPECT_EQ(view[5000], 0);
    view[0] = 'x';
    EXPECT_TRUE(FlushViewOfFile(view, 0));
    EXPECT_EQ(read_file(path)[0], 'x');
    EXPECT_EQ(mapping_error(section, FILE_MAP_READ, 0, 8193), DWORD{ERROR_ACCESS_DENIED});
    EXPECT_TRUE(UnmapViewOfFile(view));
    EXPECT_EQ(read_file(path).size(), 5000u);
}

TEST_F(FileSectionsTest, MakesTheFileLonger) {
    const Handle opened = file(10);
    const Handle section = create(nullptr, 100'000, PAGE_READWRITE, opened);
    ASSERT_NE(section, nullptr) << error();
    EXPECT_EQ(read_file(path).size(), 100'000u);
    EXPECT_EQ(mapping_error(section, FILE_MAP_WRITE, 65536), DWORD{ERROR_SUCCESS});
}

TEST_F(FileSectionsTest, WhatIsRefused) {
    const Handle opened = file(10);
    EXPECT_EQ(create(nullptr, 11, PAGE_READONLY, opened), nullptr);
    EXPECT_EQ(error(), DWORD{ERROR_NOT_ENOUGH_MEMORY});
    EXPECT_EQ(create(nullptr, 11, PAGE_WRITECOPY, opened), nullptr);
    EXPECT_EQ(error(), DWORD{ERROR_NOT_ENOUGH_MEMORY});
    EXPECT_EQ(create(nullptr, 10, PAGE_READWRITE | SEC_IMAGE, opened), nullptr);
    EXPECT_EQ(error(), DWORD{ERROR_BAD_EXE_FORMAT});
    const Handle event = CreateEventA(nullptr, FALSE, FALSE, nullptr);
    EXPECT_EQ(create(nullptr, 10, PAGE_READWRITE, event), nullptr);
    EXPECT_EQ(error(), DWORD{ERROR_INVALID_HANDLE});
    const Handle for_reading = file(10, GENERIC_READ);
    EXPECT_EQ(create(nullptr, 0, PAGE_READWRITE, for_reading), nullptr);
    EXPECT_EQ(error(), DWORD{ERROR_ACCESS_DENIED});
    const Handle empty = file(0);
    EXPECT_EQ(create(nullptr, 0, PAGE_READONLY, empty), nullptr);
    EXPECT_EQ(error(), DWORD{ERROR_FILE_INVALID});
}

TEST_F(FileSectionsTest, ReadingARegionOfAFileThatMayOnlyBeRead) {
    const Handle opened = file(200'000, GENERIC_READ);
    const Handle section = create(name.c_str(), 0, PAGE_READONLY, opened);
    ASSERT_NE(section, nullptr) << error();
    const char* const view = map(section, FILE_MAP_READ, 131072, 1000);
    EXPECT_EQ(view[999], 'f');
    EXPECT_TRUE(UnmapViewOfFile(view));
    EXPECT_EQ(mapping_error(section, FILE_MAP_WRITE), DWORD{ERROR_ACCESS_DENIED});
    EXPECT_EQ(mapping_error(section, FILE_MAP_COPY), DWORD{ERROR_SUCCESS});
}

TEST_F(FileSectionsTest, AnExistingNameKeepsItsFile) {
    const Handle first = create(name.c_str(), 300);
    const Handle opened = file(5000);
    const Handle second = create(name.c_str(), 0, PAGE_READWRITE, opened);
    EXPECT_EQ(error(), DWORD{ERROR_ALREADY_EXISTS});
    char* const view = map(second);
    EXPECT_EQ(view[0], 0);
    EXPECT_TRUE(UnmapViewOfFile(view));
}

}  // namespace
}  // namespace comap::test
