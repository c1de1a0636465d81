// SPDX-License-Identifier: Apache-2.0
// For tests of the Win32 calls: a directory, names and handles of their own.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <utility>

#include "support/process.hpp"
#include <windows.h>

namespace comap::test {

inline constexpr DWORD kPoison = 0xdeadbeef;

// A handle that is closed at the end.
class Handle {
  public:
    Handle(HANDLE handle = nullptr) : handle_(handle) {}
    ~Handle() { close(); }
    Handle(Handle&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    Handle& operator=(Handle&& other) noexcept {
        if (this != &other) {
            close();
            handle_ = std::exchange(other.handle_, nullptr);
        }
        return *this;
    }
    operator HANDLE() const { return handle_; }
    HANDLE release() { return std::exchange(handle_, nullptr); }
    void close() {
        if (handle_) CloseHandle(std::exchange(handle_, nullptr));
    }

  private:
    HANDLE handle_;
};

// The calls look at COMAP_DIR once, so all tests of a program share a directory, and each has a name of its own.
struct Win32Test : ::testing::Test {
    Win32Test() {
        static TempRoot the_only_root;
        SetLastError(kPoison);
        object_count_ = object_count();
    }
    ~Win32Test() override { EXPECT_EQ(object_count(), object_count_) << "the test left objects behind"; }

    static Context& context() { return Context::standard(); }

    static std::size_t object_count() {
        std::size_t count = 0;
        (void)context().list(Scope::local, true, [&](const ListEntry&) { return ++count > 0; });
        return count;
    }

    // The last error, poisoned for the next call.
    static DWORD error() {
        const DWORD code = GetLastError();
        SetLastError(kPoison);
        return code;
    }

    const std::string name = ::testing::UnitTest::GetInstance()->current_test_info()->name();

  private:
    std::size_t object_count_ = 0;
};

// The name is that of a section that somebody holds.
inline bool section_exists(const std::string& name) { return Handle(OpenFileMappingA(FILE_MAP_READ, FALSE, name.c_str())) != nullptr; }

}  // namespace comap::test
