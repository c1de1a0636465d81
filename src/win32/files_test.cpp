// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <thread>

#include "win32/test_children.hpp"

namespace comap::win32::test {
namespace {

constexpr DWORD kPoison = 0xdeadbeef;
constexpr DWORD kReadWrite = GENERIC_READ | GENERIC_WRITE;
constexpr DWORD kShareAll = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

using Files = InDirectory;

// An opened file, closed with its scope, and the last error after opening.
class Opened {
  public:
    Opened(const char* name, DWORD access, DWORD disposition, DWORD share = kShareAll, DWORD flags = FILE_ATTRIBUTE_NORMAL) {
        SetLastError(kPoison);
        handle_ = CreateFileA(name, access, share, nullptr, disposition, flags, nullptr);
        error_ = GetLastError();
    }
    ~Opened() {
        if (is_open()) CloseHandle(handle_);
    }
    Opened(const Opened&) = delete;
    Opened& operator=(const Opened&) = delete;
    bool is_open() const { return handle_ != INVALID_HANDLE_VALUE; }
    DWORD error() const { return error_; }
    HANDLE handle() const { return handle_; }

  private:
    HANDLE handle_;
    DWORD error_;
};

DWORD error_of(const char* name, DWORD access, DWORD disposition, DWORD share = kShareAll, DWORD flags = 0) {
    const Opened file(name, access, disposition, share, flags);
    EXPECT_EQ(file.is_open(), file.error() == ERROR_SUCCESS || file.error() == ERROR_ALREADY_EXISTS) << name;
    return file.error();
}

void put(const std::string& path, const std::string& bytes) { std::ofstream(path) << bytes; }
std::string contents(const std::string& path) {
    std::ostringstream all;
    all << std::ifstream(path).rdbuf();
    return all.str();
}

DWORD write(const Opened& file, const std::string& bytes) {
    DWORD count = kPoison;
    EXPECT_TRUE(WriteFile(file.handle(), bytes.data(), static_cast<DWORD>(bytes.size()), &count, nullptr)) << GetLastError();
    return count;
}

std::string read(const Opened& file, DWORD size) {
    std::string bytes(size, '?');
    DWORD count = kPoison;
    EXPECT_TRUE(ReadFile(file.handle(), bytes.data(), size, &count, nullptr)) << GetLastError();
    return bytes.substr(0, count);
}

TEST_F(Files, AreMadeAndOpenedAsTold) {
    EXPECT_EQ(error_of("a", kReadWrite, OPEN_EXISTING), DWORD{ERROR_FILE_NOT_FOUND});
    EXPECT_EQ(error_of("a", kReadWrite, TRUNCATE_EXISTING), DWORD{ERROR_FILE_NOT_FOUND});
    EXPECT_EQ(error_of("a", kReadWrite, CREATE_NEW), DWORD{ERROR_SUCCESS});
    put("a", "text");
    EXPECT_EQ(error_of("a", kReadWrite, CREATE_NEW), DWORD{ERROR_FILE_EXISTS});
    EXPECT_EQ(error_of("a", kReadWrite, OPEN_EXISTING), DWORD{ERROR_SUCCESS});
    EXPECT_EQ(error_of("a", kReadWrite, OPEN_ALWAYS), DWORD{ERROR_ALREADY_EXISTS});
    EXPECT_EQ(contents("a"), "text");
    EXPECT_EQ(error_of("a", GENERIC_READ, CREATE_ALWAYS), DWORD{ERROR_ALREADY_EXISTS});
    EXPECT_EQ(contents("a"), "");
    put("a", "text");
    EXPECT_EQ(error_of("a", GENERIC_READ, TRUNCATE_EXISTING), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(contents("a"), "text");
    EXPECT_EQ(error_of("a", GENERIC_WRITE, TRUNCATE_EXISTING), DWORD{ERROR_SUCCESS});
    EXPECT_EQ(contents("a"), "");
    EXPECT_EQ(error_of("b", kReadWrite, OPEN_ALWAYS), DWORD{ERROR_SUCCESS});
    EXPECT_EQ(error_of("c", 0, CREATE_ALWAYS), DWORD{ERROR_SUCCESS});
    for (const DWORD none : {0u, 6u, ~0u}) EXPECT_EQ(error_of("a", kReadWrite, none), DWORD{ERROR_INVALID_PARAMETER});
}

TEST_F(Files, TellWhatIsWrongWithAPath) {
    std::filesystem::create_directory("dir");
    put("file", "");
    EXPECT_EQ(error_of(nullptr, GENERIC_READ, OPEN_EXISTING), DWORD{ERROR_PATH_NOT_FOUND});
    EXPECT_EQ(error_of("", GENERIC_READ, OPEN_EXISTING), DWORD{ERROR_PATH_NOT_FOUND});
    EXPECT_EQ(error_of("none\\x", GENERIC_READ, OPEN_EXISTING), DWORD{ERROR_PATH_NOT_FOUND});
    EXPECT_EQ(error_of("none/x", kReadWrite, CREATE_NEW), DWORD{ERROR_PATH_NOT_FOUND});
    EXPECT_EQ(error_of("file/x", GENERIC_READ, OPEN_EXISTING), DWORD{ERROR_PATH_NOT_FOUND});
    EXPECT_EQ(error_of("dir\\x", GENERIC_READ, OPEN_EXISTING), DWORD{ERROR_FILE_NOT_FOUND});
    EXPECT_EQ(error_of("C:\\x", kReadWrite, CREATE_ALWAYS), DWORD{ERROR_PATH_NOT_FOUND});
    EXPECT_EQ(error_of("c:x", kReadWrite, CREATE_ALWAYS), DWORD{ERROR_PATH_NOT_FOUND});
    EXPECT_EQ(error_of("\\\\server\\share\\x", kReadWrite, CREATE_ALWAYS), DWORD{ERROR_PATH_NOT_FOUND});
    EXPECT_EQ(error_of("dir", GENERIC_READ, OPEN_EXISTING), DWORD{ERROR_ACCESS_DENIED});
    EXPECT_EQ(error_of("dir", kReadWrite, OPEN_EXISTING), DWORD{ERROR_ACCESS_DENIED});
    EXPECT_EQ(error_of("dir", GENERIC_READ, OPEN_EXISTING, kShareAll, FILE_FLAG_BACKUP_SEMANTICS), DWORD{ERROR_SUCCESS});
    EXPECT_EQ(error_of(std::string(300, 'x').c_str(), GENERIC_READ, OPEN_EXISTING), DWORD{ERROR_FILENAME_EXCED_RANGE});
    std::filesystem::create_symlink("nowhere", "dangling");
    EXPECT_NE(error_of("dangling", kReadWrite, OPEN_ALWAYS), DWORD{ERROR_SUCCESS});
    EXPECT_EQ(error_of("dir\\inside", kReadWrite, CREATE_NEW), DWORD{ERROR_SUCCESS});
    EXPECT_TRUE(std::filesystem::exists("dir/inside"));
    EXPECT_EQ(error_of("NUL", kReadWrite, OPEN_EXISTING), DWORD{ERROR_SUCCESS});
}

TEST_F(Files, MayBeReadOnly) {
    EXPECT_EQ(error_of("a", kReadWrite, CREATE_NEW, kShareAll, FILE_ATTRIBUTE_READONLY), DWORD{ERROR_SUCCESS});
    EXPECT_EQ(error_of("a", GENERIC_READ, OPEN_EXISTING), DWORD{ERROR_SUCCESS});
    EXPECT_EQ(error_of("a", GENERIC_WRITE, OPEN_EXISTING), DWORD{ERROR_ACCESS_DENIED});
    EXPECT_EQ(error_of("a", GENERIC_WRITE, CREATE_ALWAYS), DWORD{ERROR_ACCESS_DENIED});
    EXPECT_FALSE(DeleteFileA("a"));
    EXPECT_EQ(GetLastError(), DWORD{ERROR_ACCESS_DENIED});
}

struct SharingCase {
    DWORD first_access, first_share, second_access, second_share;
    bool is_possible;
};

constexpr auto kSharingCases = std::to_array<SharingCase>({
    {GENERIC_READ, 0, GENERIC_READ, kShareAll, false},
    {GENERIC_READ, FILE_SHARE_READ, GENERIC_READ, FILE_SHARE_READ, true},
    {GENERIC_READ, FILE_SHARE_READ, GENERIC_WRITE, kShareAll, false},
    {GENERIC_READ, FILE_SHARE_WRITE, GENERIC_WRITE, FILE_SHARE_READ, true},
    {GENERIC_READ, FILE_SHARE_WRITE, GENERIC_WRITE, 0, false},
    {GENERIC_WRITE, FILE_SHARE_READ, GENERIC_READ, FILE_SHARE_READ, false},
    {GENERIC_WRITE, FILE_SHARE_READ, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, true},
    {kReadWrite, kShareAll, kReadWrite, kShareAll, true},
    {kReadWrite, FILE_SHARE_READ | FILE_SHARE_WRITE, DELETE, kShareAll, false},
    {kReadWrite, FILE_SHARE_READ | FILE_SHARE_WRITE, 0, 0, true},
    {0, 0, kReadWrite, 0, true},
});

const Role open_shared("open_shared", [](const Arguments& arguments) {
    const Opened file("shared", static_cast<DWORD>(std::stoul(arguments.at(0))), OPEN_EXISTING, static_cast<DWORD>(std::stoul(arguments.at(1))));
    return static_cast<int>(file.error());
});

TEST_F(Files, AreSharedAsAgreed) {
    put("shared", "");
    for (const SharingCase& one : kSharingCases) {
        const DWORD expected = one.is_possible ? ERROR_SUCCESS : ERROR_SHARING_VIOLATION;
        const Opened first("shared", one.first_access, OPEN_EXISTING, one.first_share);
        ASSERT_EQ(first.error(), DWORD{ERROR_SUCCESS});
        EXPECT_EQ(error_of("shared", one.second_access, OPEN_EXISTING, one.second_share), expected) << &one - kSharingCases.data();
        EXPECT_EQ(Child(role_command("open_shared", {std::to_string(one.second_access), std::to_string(one.second_share)})).wait_for_code(), expected) << &one - kSharingCases.data();
    }
    EXPECT_EQ(error_of("shared", kReadWrite, OPEN_EXISTING, 0), DWORD{ERROR_SUCCESS});
}

TEST_F(Files, InUseAreNotDestroyed) {
    put("shared", "text");
    const Opened first("shared", GENERIC_READ, OPEN_EXISTING, FILE_SHARE_READ);
    EXPECT_EQ(error_of("shared", kReadWrite, CREATE_ALWAYS), DWORD{ERROR_SHARING_VIOLATION});
    EXPECT_FALSE(DeleteFileA("shared"));
    EXPECT_EQ(GetLastError(), DWORD{ERROR_SHARING_VIOLATION});
    EXPECT_EQ(contents("shared"), "text");
}

TEST_F(Files, AreOpenedByOneOfManyWhoWantThemAlone) {
    for (int round = 0; round < 200; ++round) {
        std::array<HANDLE, 4> handles{};
        std::vector<std::thread> openers;
        for (HANDLE& one : handles)
            openers.emplace_back([&one] { one = CreateFileA("alone", kReadWrite, 0, nullptr, OPEN_ALWAYS, 0, nullptr); });
        for (std::thread& one : openers) one.join();
        int count = 0;
        for (const HANDLE one : handles)
            if (one != INVALID_HANDLE_VALUE && CloseHandle(one)) ++count;
        ASSERT_EQ(count, 1) << round;
    }
}

TEST_F(Files, AreSharedAsAgreedWhileAnotherProgramLocksThem) {
    put("locked", "");
    const int other = ::open("locked", O_RDONLY | O_CLOEXEC);
    ASSERT_EQ(::flock(other, LOCK_EX), 0);
    {
        const Opened first("locked", kReadWrite, OPEN_EXISTING, FILE_SHARE_READ);
        EXPECT_EQ(error_of("locked", GENERIC_READ, OPEN_EXISTING), DWORD{ERROR_SUCCESS});
        EXPECT_EQ(error_of("locked", kReadWrite, OPEN_EXISTING), DWORD{ERROR_SHARING_VIOLATION});
    }
    EXPECT_EQ(error_of("locked", kReadWrite, OPEN_EXISTING, 0), DWORD{ERROR_SUCCESS});
    ::close(other);
}

// In step, as far as that can be had.
TEST_F(Files, AreOpenedByOneOfTwoWhoComeAtOneMoment) {
    constexpr int kRounds = 600;
    std::atomic<int> arrived_count{0};
    std::atomic<int> opened_count{0};
    std::atomic<int> unopened_round_count{0};
    const auto meet = [&](int round, int place) {
        arrived_count.fetch_add(1, std::memory_order_acq_rel);
        while (arrived_count.load(std::memory_order_acquire) < 2 * (3 * round + place)) {
        }
    };
    const auto open_each_round = [&](bool counts) {
        for (int round = 0; round < kRounds; ++round) {
            meet(round, 1);
            const HANDLE file = CreateFileA("alone", kReadWrite, 0, nullptr, OPEN_ALWAYS, 0, nullptr);
            if (file != INVALID_HANDLE_VALUE) opened_count.fetch_add(1, std::memory_order_relaxed);
            meet(round, 2);
            if (counts && opened_count.exchange(0, std::memory_order_relaxed) != 1) unopened_round_count.fetch_add(1, std::memory_order_relaxed);
            if (file != INVALID_HANDLE_VALUE) CloseHandle(file);
            meet(round, 3);
        }
    };
    std::thread other(open_each_round, false);
    open_each_round(true);
    other.join();
    EXPECT_EQ(unopened_round_count.load(std::memory_order_relaxed), 0);
}

TEST_F(Files, GoWithTheirLastHandleWhenAsked) {
    {
        const Opened file("a", kReadWrite, CREATE_NEW, kShareAll, FILE_FLAG_DELETE_ON_CLOSE);
        HANDLE second = nullptr;
        EXPECT_TRUE(DuplicateHandle(GetCurrentProcess(), file.handle(), GetCurrentProcess(), &second, 0, FALSE, DUPLICATE_SAME_ACCESS));
        EXPECT_TRUE(std::filesystem::exists("a"));
        CloseHandle(second);
        EXPECT_TRUE(std::filesystem::exists("a"));
    }
    EXPECT_FALSE(std::filesystem::exists("a"));
    EXPECT_EQ(Child(role_command("leave_temporary")).wait_for_code(), 0u);
    EXPECT_FALSE(std::filesystem::exists("temporary"));
}

const Role leave_temporary("leave_temporary", [](const Arguments&) {
    const HANDLE file = CreateFileA("temporary", GENERIC_WRITE, 0, nullptr, CREATE_NEW, FILE_FLAG_DELETE_ON_CLOSE, nullptr);
    return file != INVALID_HANDLE_VALUE && std::filesystem::exists("temporary") ? 0 : 1;
});

TEST_F(Files, AreReadAndWritten) {
    const Opened file("a", kReadWrite, CREATE_NEW);
    EXPECT_EQ(write(file, "0123456789"), 10u);
    EXPECT_EQ(SetFilePointer(file.handle(), 4, nullptr, FILE_BEGIN), 4u);
    EXPECT_EQ(read(file, 3), "456");
    EXPECT_EQ(read(file, 100), "789");
    EXPECT_EQ(read(file, 100), "");  // TRUE and nothing: the end
    DWORD count = kPoison;
    EXPECT_FALSE(ReadFile(nullptr, &count, 1, &count, nullptr));
    EXPECT_EQ(GetLastError(), DWORD{ERROR_INVALID_HANDLE});
    EXPECT_EQ(count, 0u);
    EXPECT_FALSE(WriteFile(file.handle(), nullptr, 5, &count, nullptr));
    EXPECT_EQ(GetLastError(), DWORD{ERROR_NOACCESS});
    EXPECT_TRUE(WriteFile(file.handle(), nullptr, 0, nullptr, nullptr));
    EXPECT_TRUE(FlushFileBuffers(file.handle()));
    EXPECT_EQ(contents("a"), "0123456789");
}

TEST_F(Files, KeepTheRightsOfTheirHandles) {
    put("a", "text");
    DWORD count = 0;
    char byte = 'x';
    const Opened reading("a", GENERIC_READ, OPEN_EXISTING);
    SetLastError(kPoison);
    EXPECT_FALSE(WriteFile(reading.handle(), &byte, 1, &count, nullptr));
    EXPECT_EQ(GetLastError(), DWORD{ERROR_ACCESS_DENIED});
    EXPECT_FALSE(SetEndOfFile(reading.handle()));
    EXPECT_EQ(GetLastError(), DWORD{ERROR_ACCESS_DENIED});
    EXPECT_FALSE(FlushFileBuffers(reading.handle()));
    const Opened writing("a", GENERIC_WRITE, OPEN_EXISTING);
    EXPECT_FALSE(ReadFile(writing.handle(), &byte, 1, &count, nullptr));
    EXPECT_EQ(GetLastError(), DWORD{ERROR_ACCESS_DENIED});
    const Opened appending("a", FILE_APPEND_DATA, OPEN_EXISTING);
    EXPECT_EQ(write(appending, "+1"), 2u);
    EXPECT_EQ(contents("a"), "text+1");
    EXPECT_FALSE(SetEndOfFile(appending.handle()));
}

OVERLAPPED at(std::uint64_t offset) {
    OVERLAPPED place = {};
    place.Offset = static_cast<DWORD>(offset);
    place.OffsetHigh = static_cast<DWORD>(offset >> 32);
    return place;
}

TEST_F(Files, AreReadAndWrittenAtPlaces) {
    const Opened file("a", kReadWrite, CREATE_NEW);
    OVERLAPPED place = at(0x1'0000'0002);
    place.hEvent = CreateEventA(nullptr, TRUE, FALSE, nullptr);
    DWORD count = 0;
    EXPECT_TRUE(WriteFile(file.handle(), "abc", 3, &count, &place));
    EXPECT_EQ(count, 3u);
    EXPECT_EQ(place.InternalHigh, 3u);
    EXPECT_EQ(WaitForSingleObject(place.hEvent, 0), WAIT_OBJECT_0);
    CloseHandle(place.hEvent);
    LARGE_INTEGER size;
    EXPECT_TRUE(GetFileSizeEx(file.handle(), &size));
    EXPECT_EQ(size.QuadPart, 0x1'0000'0005);
    LONG high = 0;
    EXPECT_EQ(SetFilePointer(file.handle(), 0, &high, FILE_CURRENT), 5u);  // the position goes along
    EXPECT_EQ(high, 1);
    std::array<char, 8> bytes{};
    place = at(0x1'0000'0003);
    EXPECT_TRUE(ReadFile(file.handle(), bytes.data(), 8, &count, &place));
    EXPECT_EQ(std::string(bytes.data(), count), "bc");
    place = at(0x1'0000'0005);
    EXPECT_FALSE(ReadFile(file.handle(), bytes.data(), 8, &count, &place));
    EXPECT_EQ(GetLastError(), DWORD{ERROR_HANDLE_EOF});
    EXPECT_EQ(count, 0u);
    place = at(~std::uint64_t{0});
    EXPECT_TRUE(WriteFile(file.handle(), "d", 1, nullptr, &place));  // there: at the end
    EXPECT_FALSE(ReadFile(file.handle(), bytes.data(), 8, nullptr, &place));
    EXPECT_EQ(GetLastError(), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_TRUE(GetFileSizeEx(file.handle(), &size));
    EXPECT_EQ(size.QuadPart, 0x1'0000'0006);
}

TEST_F(Files, HaveAPosition) {
    const Opened file("a", kReadWrite, CREATE_NEW);
    SetLastError(kPoison);
    EXPECT_EQ(SetFilePointer(file.handle(), 100, nullptr, FILE_BEGIN), 100u);
    EXPECT_EQ(SetFilePointer(file.handle(), -10, nullptr, FILE_CURRENT), 90u);
    EXPECT_TRUE(SetEndOfFile(file.handle()));
    EXPECT_EQ(SetFilePointer(file.handle(), -1, nullptr, FILE_END), 89u);
    EXPECT_EQ(GetLastError(), kPoison);
    for (const DWORD method : {FILE_BEGIN, FILE_CURRENT, FILE_END}) {
        SetLastError(kPoison);
        EXPECT_EQ(SetFilePointer(file.handle(), -1000, nullptr, method), INVALID_SET_FILE_POINTER);
        EXPECT_EQ(GetLastError(), DWORD{ERROR_NEGATIVE_SEEK});
    }
    EXPECT_EQ(SetFilePointer(file.handle(), 0, nullptr, 3), INVALID_SET_FILE_POINTER);
    EXPECT_EQ(GetLastError(), DWORD{ERROR_INVALID_PARAMETER});
    EXPECT_EQ(SetFilePointer(file.handle(), 0, nullptr, FILE_CURRENT), 89u);
    LONG high = 0;
    SetLastError(kPoison);
    EXPECT_EQ(SetFilePointer(file.handle(), -1, &high, FILE_BEGIN), 0xffffffffu);  // a position like any other
    EXPECT_EQ(GetLastError(), DWORD{NO_ERROR});
    EXPECT_EQ(SetFilePointer(file.handle(), 1, nullptr, FILE_CURRENT), INVALID_SET_FILE_POINTER);  // more than it could tell
    EXPECT_EQ(GetLastError(), DWORD{ERROR_INVALID_PARAMETER});
    LARGE_INTEGER position;
    position.QuadPart = 5'000'000'000;
    EXPECT_TRUE(SetFilePointerEx(file.handle(), position, nullptr, FILE_BEGIN));
    position.QuadPart = -1;
    EXPECT_TRUE(SetFilePointerEx(file.handle(), position, &position, FILE_CURRENT));
    EXPECT_EQ(position.QuadPart, 4'999'999'999);
    position.QuadPart = -5'000'000'000;
    EXPECT_FALSE(SetFilePointerEx(file.handle(), position, &position, FILE_CURRENT));
    EXPECT_EQ(GetLastError(), DWORD{ERROR_NEGATIVE_SEEK});
    EXPECT_EQ(position.QuadPart, -5'000'000'000);
    EXPECT_EQ(SetFilePointer(nullptr, 0, nullptr, FILE_BEGIN), INVALID_SET_FILE_POINTER);
    EXPECT_EQ(GetLastError(), DWORD{ERROR_INVALID_HANDLE});
}

TEST_F(Files, TellTheirSize) {
    const Opened file("a", kReadWrite, CREATE_NEW);
    LARGE_INTEGER size;
    size.QuadPart = 0x1'ffff'ffff;
    EXPECT_TRUE(SetFilePointerEx(file.handle(), size, nullptr, FILE_BEGIN));
    EXPECT_TRUE(SetEndOfFile(file.handle()));
    DWORD high = kPoison;
    SetLastError(kPoison);
    EXPECT_EQ(GetFileSize(file.handle(), &high), 0xffffffffu);
    EXPECT_EQ(high, 1u);
    EXPECT_EQ(GetLastError(), DWORD{NO_ERROR});
    EXPECT_EQ(GetFileSize(INVALID_HANDLE_VALUE, &high), INVALID_FILE_SIZE);
    EXPECT_EQ(GetLastError(), DWORD{ERROR_INVALID_HANDLE});
    EXPECT_FALSE(GetFileSizeEx(file.handle(), nullptr));
    EXPECT_EQ(GetLastError(), DWORD{ERROR_INVALID_PARAMETER});
}

TEST_F(Files, AreDeleted) {
    put("a", "");
    std::filesystem::create_directory("dir");
    EXPECT_TRUE(DeleteFileA(".\\a"));
    EXPECT_FALSE(DeleteFileA("a"));
    EXPECT_EQ(GetLastError(), DWORD{ERROR_FILE_NOT_FOUND});
    EXPECT_FALSE(DeleteFileA("none\\a"));
    EXPECT_EQ(GetLastError(), DWORD{ERROR_PATH_NOT_FOUND});
    EXPECT_FALSE(DeleteFileA("dir"));
    EXPECT_EQ(GetLastError(), DWORD{ERROR_ACCESS_DENIED});
    EXPECT_FALSE(DeleteFileA(nullptr));
    EXPECT_EQ(GetLastError(), DWORD{ERROR_PATH_NOT_FOUND});
    put("\xc3\xa4", "");
    EXPECT_TRUE(DeleteFileW(u"\u00e4"));
    EXPECT_FALSE(DeleteFileW(u"\xdc00"));
    EXPECT_EQ(GetLastError(), DWORD{ERROR_INVALID_NAME});
    const HANDLE wide = CreateFileW(u"\u20ac", GENERIC_WRITE, 0, nullptr, CREATE_NEW, 0, nullptr);
    EXPECT_TRUE(CloseHandle(wide));
    EXPECT_TRUE(std::filesystem::exists("\xe2\x82\xac"));
}

TEST_F(Files, MayBeTemporary) {
    ::setenv("TMPDIR", directory().c_str(), 1);
    std::array<char, MAX_PATH> path{};
    std::array<WCHAR, MAX_PATH> wide{};
    const auto length = static_cast<DWORD>(directory().size() + 1);
    EXPECT_EQ(GetTempPathA(MAX_PATH, path.data()), length);
    EXPECT_EQ(path.data(), directory() + "/");
    EXPECT_EQ(GetTempPathA(length, path.data()), length + 1);  // no room for the NUL
    EXPECT_EQ(GetTempPathA(0, nullptr), length + 1);
    EXPECT_EQ(GetTempPathW(MAX_PATH, wide.data()), length);
    ::unsetenv("TMPDIR");

    const std::string start = directory() + "/abc";
    EXPECT_EQ(GetTempFileNameA(path.data(), "abcdef", 0x1'2345, path.data()), 0x2345u);
    EXPECT_EQ(path.data(), start + "2345.tmp");
    EXPECT_FALSE(std::filesystem::exists(path.data()));
    std::array<std::string, 5> made;
    for (std::string& one : made) {
        EXPECT_NE(GetTempFileNameW(u".", u"x\u20acz", 0, wide.data()), 0u);
        one = std::filesystem::path(wide.data()).string();
        EXPECT_TRUE(std::filesystem::exists(one)) << one;
        EXPECT_TRUE(one.starts_with("./x\xe2\x82\xacz")) << one;
    }
    EXPECT_NE(made[0], made[1]);
    EXPECT_EQ(GetTempFileNameA("none", "x", 0, path.data()), 0u);
    EXPECT_EQ(GetLastError(), DWORD{ERROR_DIRECTORY});
    EXPECT_EQ(GetTempFileNameA(std::string(MAX_PATH - 13, 'x').c_str(), "x", 0, path.data()), 0u);
    EXPECT_EQ(GetLastError(), DWORD{ERROR_BUFFER_OVERFLOW});
    EXPECT_EQ(GetTempFileNameA(nullptr, "x", 0, path.data()), 0u);
    EXPECT_EQ(GetTempFileNameA(".", "x", 0, nullptr), 0u);
    EXPECT_NE(GetTempFileNameA(".", nullptr, 0, path.data()), 0u);
}

const Role use_streams("use_streams", [](const Arguments&) {
    DWORD count = 0;
    const HANDLE out = GetStdHandle(STD_OUTPUT_HANDLE);
    if (!WriteFile(out, "text", 4, &count, nullptr) || out != GetStdHandle(STD_OUTPUT_HANDLE)) return 1;
    if (!CloseHandle(out) || !WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), "+", 1, &count, nullptr)) return 2;  // the descriptor is the program's
    if (GetStdHandle(1) != INVALID_HANDLE_VALUE || GetLastError() != DWORD{ERROR_INVALID_HANDLE}) return 4;
    ::close(2);
    return GetStdHandle(STD_ERROR_HANDLE) == nullptr ? 0 : 5;
});

TEST_F(Files, CanBeTheStandardStreams) {
    const Opened out("out", GENERIC_WRITE, CREATE_NEW);
    EXPECT_EQ(Child(role_command("use_streams"), {.output = out.handle()}).wait_for_code(), 0u);
    EXPECT_EQ(contents("out"), "text+");
}

TEST_F(Files, BrokenPipesAreErrors) {
    ASSERT_EQ(::mkfifo("pipe", 0600), 0);
    const int keeper = ::open("pipe", O_RDWR | O_CLOEXEC);
    std::optional<Opened> reading;
    reading.emplace("pipe", GENERIC_READ, OPEN_EXISTING);
    const int writing = ::open("pipe", O_WRONLY | O_CLOEXEC);
    EXPECT_EQ(::write(writing, "abc", 3), 3);
    EXPECT_EQ(read(*reading, 100), "abc");  // what there is
    ::close(writing);
    ::close(keeper);
    DWORD count = 0;
    char byte = 0;
    EXPECT_FALSE(ReadFile(reading->handle(), &byte, 1, &count, nullptr));
    EXPECT_EQ(GetLastError(), DWORD{ERROR_BROKEN_PIPE});
    EXPECT_EQ(GetFileSize(reading->handle(), nullptr), INVALID_FILE_SIZE);
    EXPECT_EQ(SetFilePointer(reading->handle(), 0, nullptr, FILE_BEGIN), INVALID_SET_FILE_POINTER);
    EXPECT_EQ(GetLastError(), DWORD{ERROR_SEEK_ON_DEVICE});
}

const Role write_nowhere("write_nowhere", [](const Arguments&) {
    DWORD count = 0;
    const bool is_told = !WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), "x", 1, &count, nullptr) && GetLastError() == DWORD{ERROR_BROKEN_PIPE};
    sigset_t pending;
    ::sigpending(&pending);
    return is_told && ::sigismember(&pending, SIGPIPE) == 0 ? 0 : 1;
});

TEST_F(Files, WritingToABrokenPipeKillsNobody) {
    std::array<int, 2> ends;
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    ::close(ends[0]);
    const int before = ::dup(STDOUT_FILENO);
    ::dup2(ends[1], STDOUT_FILENO);
    const DWORD code = Child(role_command("write_nowhere")).wait_for_code();
    ::dup2(before, STDOUT_FILENO);
    ::close(before);
    ::close(ends[1]);
    EXPECT_EQ(code, 0u);
}

}  // namespace
}  // namespace comap::win32::test
