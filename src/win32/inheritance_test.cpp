// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "win32/test_children.hpp"

namespace comap::win32::test {
namespace {

SECURITY_ATTRIBUTES inherited = {sizeof inherited, nullptr, TRUE};

using Inheritance = InDirectory;

bool is_handle(HANDLE handle) {
    DWORD flags = 0;
    return GetHandleInformation(handle, &flags);
}

// Section, mutex, event, semaphore, file, process. What went wrong is the exit code.
const Role use_inherited("use_inherited", [](const Arguments& arguments) {
    std::array<HANDLE, 6> handles{};
    for (std::size_t i = 0; i < handles.size(); ++i) handles[i] = handle_of(arguments.at(i));
    const auto [section, mutex, event, semaphore, file, process] = handles;
    auto* const view = static_cast<char*>(MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0));
    if (!view) return 1;
    std::strcpy(view, "from the child");
    if (WaitForSingleObject(mutex, 0) != DWORD{WAIT_TIMEOUT} || WaitForSingleObject(semaphore, 0) != WAIT_OBJECT_0) return 2;
    if (!ReleaseSemaphore(semaphore, 2, nullptr)) return 3;
    DWORD count = 0;
    if (!WriteFile(file, "child", 5, &count, nullptr) || count != 5) return 4;
    std::array<char, 5> bytes{};
    if (ReadFile(file, bytes.data(), 5, &count, nullptr) || GetLastError() != DWORD{ERROR_ACCESS_DENIED}) return 5;
    if (GetProcessId(process) != std::stoul(arguments.at(6)) || WaitForSingleObject(process, 0) != DWORD{WAIT_TIMEOUT}) return 6;
    if (is_handle(handle_of(arguments.at(7)))) return 7;  // that one is not inherited
    DWORD flags = 0;
    if (!GetHandleInformation(event, &flags) || (flags & HANDLE_FLAG_INHERIT) == 0) return 8;
    if (::getenv("COMAP_WIN32_BIRTH")) return 9;
    return SetEvent(event) ? 0 : 10;
});

TEST_F(Inheritance, PassesHandlesOn) {
    const HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, &inherited, PAGE_READWRITE, 0, 100, nullptr);
    const HANDLE mutex = CreateMutexA(&inherited, TRUE, nullptr);
    const HANDLE event = CreateEventA(&inherited, TRUE, FALSE, nullptr);
    const HANDLE semaphore = CreateSemaphoreA(&inherited, 1, 3, nullptr);
    const HANDLE file = CreateFileA("file", GENERIC_WRITE, FILE_SHARE_READ, &inherited, CREATE_NEW, 0, nullptr);
    const HANDLE process = OpenProcess(PROCESS_ALL_ACCESS, TRUE, GetCurrentProcessId());
    const HANDLE own = CreateEventA(nullptr, TRUE, FALSE, nullptr);
    DWORD count = 0;
    EXPECT_TRUE(WriteFile(file, "parent ", 7, &count, nullptr));
    const Arguments arguments = {text_of(section), text_of(mutex), text_of(event), text_of(semaphore), text_of(file), text_of(process), std::to_string(::getpid()), text_of(own)};
    {
        const Child child(role_command("use_inherited", arguments), {.inherits = TRUE});
        EXPECT_EQ(WaitForSingleObject(event, 60'000), WAIT_OBJECT_0);
        EXPECT_EQ(child.wait_for_code(), 0u);
    }
    const auto* const view = static_cast<const char*>(MapViewOfFile(section, FILE_MAP_READ, 0, 0, 0));
    EXPECT_STREQ(view, "from the child");
    UnmapViewOfFile(view);
    EXPECT_EQ(WaitForSingleObject(semaphore, 0), WAIT_OBJECT_0);
    EXPECT_EQ(WaitForSingleObject(semaphore, 0), WAIT_OBJECT_0);
    EXPECT_EQ(WaitForSingleObject(semaphore, 0), DWORD{WAIT_TIMEOUT});
    EXPECT_TRUE(WriteFile(file, " parent", 7, &count, nullptr));  // one position for all
    for (const HANDLE one : {section, mutex, event, semaphore, file, process, own}) EXPECT_TRUE(CloseHandle(one));
    std::string line;
    std::getline(std::ifstream("file"), line);
    EXPECT_EQ(line, "parent child parent");
}

const Role expect_no_handles("expect_no_handles", [](const Arguments& arguments) {
    for (const std::string& one : arguments)
        if (is_handle(handle_of(one))) return 1;
    return 0;
});

TEST_F(Inheritance, OnlyWhenAsked) {
    const HANDLE event = CreateEventA(&inherited, TRUE, FALSE, nullptr);
    const HANDLE plain = CreateEventA(nullptr, TRUE, FALSE, nullptr);
    EXPECT_EQ(Child(role_command("expect_no_handles", {text_of(event), text_of(plain)})).wait_for_code(), 0u);
    EXPECT_EQ(Child(role_command("expect_no_handles", {text_of(plain)}), {.inherits = TRUE}).wait_for_code(), 0u);
    EXPECT_EQ(Child(role_command("expect_no_handles", {text_of(event)}), {.inherits = TRUE}).wait_for_code(), 1u);
    EXPECT_TRUE(SetHandleInformation(event, HANDLE_FLAG_INHERIT, 0));
    EXPECT_EQ(Child(role_command("expect_no_handles", {text_of(event)}), {.inherits = TRUE}).wait_for_code(), 0u);
    EXPECT_TRUE(SetHandleInformation(plain, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT));
    EXPECT_EQ(Child(role_command("expect_no_handles", {text_of(plain)}), {.inherits = TRUE}).wait_for_code(), 1u);
    CloseHandle(event);
    CloseHandle(plain);
}

const Role write_by_first("write_by_first", [](const Arguments& arguments) {
    if (!MapViewOfFile(handle_of(arguments.at(0)), FILE_MAP_WRITE, 0, 0, 0)) return 1;
    if (MapViewOfFile(handle_of(arguments.at(1)), FILE_MAP_WRITE, 0, 0, 0) || GetLastError() != DWORD{ERROR_ACCESS_DENIED}) return 2;
    return MapViewOfFile(handle_of(arguments.at(1)), FILE_MAP_READ, 0, 0, 0) ? 0 : 3;
});

TEST_F(Inheritance, KeepsTheAccessOfEachHandle) {
    const HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, &inherited, PAGE_READWRITE, 0, 100, nullptr);
    HANDLE reading = nullptr;
    EXPECT_TRUE(DuplicateHandle(GetCurrentProcess(), section, GetCurrentProcess(), &reading, FILE_MAP_READ, TRUE, 0));
    EXPECT_EQ(Child(role_command("write_by_first", {text_of(section), text_of(reading)}), {.inherits = TRUE}).wait_for_code(), 0u);
    CloseHandle(section);
    CloseHandle(reading);
}

const Role expect_ended("expect_ended", [](const Arguments& arguments) -> int {
    const HANDLE process = handle_of(arguments.at(0));
    if (WaitForSingleObject(process, 0) != WAIT_OBJECT_0) return 1;
    DWORD code = 0;
    if (!GetExitCodeProcess(process, &code) || code == STILL_ACTIVE) return 2;
    if (TerminateProcess(process, 1) || GetLastError() != DWORD{ERROR_ACCESS_DENIED}) return 3;
    return 0;
});

TEST_F(Inheritance, PassesOnProcessesThatHaveEnded) {
    const Child ended("sh -c \"exit 3\"");
    EXPECT_EQ(ended.wait_for_code(), 3u);  // and was reaped
    EXPECT_TRUE(SetHandleInformation(ended.process(), HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT));
    EXPECT_EQ(Child(role_command("expect_ended", {text_of(ended.process())}), {.inherits = TRUE}).wait_for_code(), 0u);
}

// The number may be another's by then.
TEST_F(Inheritance, PassesOnNoProcessThatIsKnownByItsNumberAlone) {
    if (kHasThreadSanitizer) GTEST_SKIP();
    const HANDLE self = OpenProcess(PROCESS_ALL_ACCESS, TRUE, GetCurrentProcessId());
    const pid_t child = ::fork();  // for which that is another process
    if (child == 0) ::_exit(static_cast<int>(Child(role_command("expect_no_handles", {text_of(self)}), {.inherits = TRUE}).wait_for_code()));
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    CloseHandle(self);
}

// The child starts one of its own; both are told by the same event.
const Role pass_on("pass_on", [](const Arguments& arguments) {
    const std::string depth = arguments.at(1);
    if (depth == "0") return SetEvent(handle_of(arguments.at(0))) ? 0 : 1;
    const Child child(role_command("pass_on", {arguments.at(0), std::to_string(std::stoi(depth) - 1)}), {.inherits = TRUE});
    return static_cast<int>(child.wait_for_code());
});

TEST_F(Inheritance, GoesFromChildToChild) {
    const HANDLE event = CreateEventA(&inherited, FALSE, FALSE, nullptr);
    EXPECT_EQ(Child(role_command("pass_on", {text_of(event), "3"}), {.inherits = TRUE}).wait_for_code(), 0u);
    EXPECT_EQ(WaitForSingleObject(event, 0), WAIT_OBJECT_0);
    EXPECT_EQ(Child("sh -c \"" + std::filesystem::read_symlink("/proc/self/exe").string() + " --role=pass_on " + text_of(event) + " 0; exit 0\"", {.inherits = TRUE}).wait_for_code(), 0u);
    EXPECT_EQ(WaitForSingleObject(event, 0), WAIT_OBJECT_0);  // through a shell, too
    CloseHandle(event);
}

TEST_F(Inheritance, LeavesNoDescriptorsBehind) {
    const HANDLE event = CreateEventA(&inherited, FALSE, FALSE, nullptr);
    const auto run = [&] { EXPECT_EQ(Child(role_command("pass_on", {text_of(event), "0"}), {.inherits = TRUE}).wait_for_code(), 0u); };
    const std::size_t before = open_descriptor_count() + 1;  // and the watching thread's
    for (int round = 0; round < 20; ++round) run();
    EXPECT_TRUE(comes_down_to(before));
    CloseHandle(event);
}

// --- What others may have written

struct Row {
    std::uint64_t value;
    std::uint32_t kind, access;
    std::int32_t descriptor;
    std::uint32_t is_protected;
};

class Forged {
  public:
    Forged(std::uint64_t magic, std::uint32_t row_count, const std::vector<Row>& rows, bool is_sealed, off_t size_bytes = 0) {
        descriptor_ = ::memfd_create("forged", MFD_ALLOW_SEALING);  // not close-on-exec
        const std::array<std::uint32_t, 4> rest = {row_count, 0, 0, 0};
        EXPECT_EQ(::write(descriptor_, &magic, 8) + ::write(descriptor_, rest.data(), 16), 24);
        EXPECT_EQ(::write(descriptor_, rows.data(), rows.size() * sizeof(Row)), static_cast<ssize_t>(rows.size() * sizeof(Row)));
        if (size_bytes != 0) {
            EXPECT_EQ(::ftruncate(descriptor_, size_bytes), 0);
        }
        if (is_sealed) ::fcntl(descriptor_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    }
    ~Forged() { ::close(descriptor_); }
    std::string variable() const {
        struct stat file;
        ::fstat(descriptor_, &file);
        return std::to_string(descriptor_) + ":" + std::to_string(file.st_ino);
    }

  private:
    int descriptor_;
};

constexpr std::uint64_t kMagic = 0x3168'7472'6962'7733;

// 0: it ran, and no handle was there.
int run_with(const std::string& variable) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::setenv("COMAP_WIN32_BIRTH", variable.c_str(), 1);
        ::execl("/proc/self/exe", "test", "--role=expect_no_handles", "4", "8", "12", "16", "20", nullptr);
        ::_exit(99);
    }
    const HANDLE process = OpenProcess(SYNCHRONIZE | PROCESS_QUERY_INFORMATION, FALSE, static_cast<DWORD>(child));
    EXPECT_EQ(WaitForSingleObject(process, 60'000), WAIT_OBJECT_0);
    DWORD code = 0;
    EXPECT_TRUE(GetExitCodeProcess(process, &code));
    CloseHandle(process);
    EXPECT_EQ(::waitpid(child, nullptr, 0), child);
    return static_cast<int>(code);
}

TEST_F(Inheritance, BelievesNoForgedRecord) {
    for (const char* text : {"", ":", "0", "0:", "3:0", "-1:5", "1:1", "99999:1", "4294967299:1", "3:99999999999999999999999", "x", "3:4:5", " 3:4"}) EXPECT_EQ(run_with(text), 0) << text;
    const int event = ::open("/dev/null", O_RDONLY);
    const Row null_device = {4, 2, 0x1f0003, event, 0};
    EXPECT_EQ(run_with(Forged(kMagic, 1, {null_device}, false).variable()), 0);
    EXPECT_EQ(run_with(Forged(kMagic + 1, 1, {null_device}, true).variable()), 0);
    EXPECT_EQ(run_with(Forged(kMagic, 2, {null_device}, true).variable()), 0);
    EXPECT_EQ(run_with(Forged(kMagic, 0, {null_device}, true).variable()), 0);
    EXPECT_EQ(run_with(Forged(kMagic, 0xffffffff, {null_device}, true).variable()), 0);
    for (const std::uint32_t row_count : {0xffffffffu, (1u << 20) + 1})  // all there, but more than memory or handles
        EXPECT_EQ(run_with(Forged(kMagic, row_count, {null_device}, true, 24 + off_t{row_count} * off_t{sizeof(Row)}).variable()), 0);
    std::vector<Row> rows;
    for (const std::uint32_t kind : {0u, 1u, 2u, 3u, 5u, 6u, 7u, 0xffffffffu}) rows.push_back({4, kind, 0x1fffff, event, 1});  // of no such kind
    for (const std::int32_t descriptor : {-1, 0, 1, 2, 1000, INT32_MAX, INT32_MIN}) rows.push_back({8, 4, 0x1fffff, descriptor, 0});  // not open, or the program's
    for (const std::uint64_t value : {std::uint64_t{0}, ~std::uint64_t{0}, ~std::uint64_t{1}, std::uint64_t{1} << 40}) rows.push_back({value, 4, 0x1fffff, event, 0});  // no handles
    EXPECT_EQ(run_with(Forged(kMagic, static_cast<std::uint32_t>(rows.size()), rows, true).variable()), 0);
    EXPECT_EQ(run_with(Forged(kMagic, 1, {{4, 4, 0x1fffff, event, 0}}, true).variable()), 1);  // as right as a parent's
    ::close(event);
}

// A parent writes its rows in ascending order. In another they are not looked for a place for, one by one, among all handles there can be.
TEST_F(Inheritance, TakesRowsInOrderOnly) {
    const int file = ::open("/dev/null", O_RDONLY);
    constexpr std::uint64_t kLastValue = std::uint64_t{4} << 22;
    std::vector<Row> rows = {{kLastValue, 4, 0x1fffff, file, 0}};
    while (rows.size() < (1u << 20)) rows.push_back({4 * rows.size(), 4, 0x1fffff, file, 0});
    EXPECT_EQ(run_with(Forged(kMagic, static_cast<std::uint32_t>(rows.size()), rows, true).variable()), 0);
    ::close(file);
}

}  // namespace
}  // namespace comap::win32::test
