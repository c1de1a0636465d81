/* SPDX-License-Identifier: Apache-2.0 */
/* What is measured of the Win32 calls, here and under Wine. */
#ifndef COMAP_BENCH_WIN32_TURNS_H
#define COMAP_BENCH_WIN32_TURNS_H

#include <windows.h>

#define WIN32_OPENED_AT_ONCE 64
#define WIN32_SECTION_BYTES 4096

#ifdef __cplusplus
#include <utility>

/* An existing section, opened and mapped; left when it ends. */
class Win32Opened {
  public:
    Win32Opened() = default;
    explicit Win32Opened(const char* name)
        : section_(CreateFileMappingA(INVALID_HANDLE_VALUE, nullptr, PAGE_READWRITE, 0, WIN32_SECTION_BYTES, name)),
          view_(MapViewOfFile(section_, FILE_MAP_ALL_ACCESS, 0, 0, 0)) {
        if (view_ == nullptr) std::abort();
    }
    Win32Opened(Win32Opened&& other) noexcept { *this = std::move(other); }
    Win32Opened& operator=(Win32Opened&& other) noexcept {
        std::swap(section_, other.section_);
        std::swap(view_, other.view_);
        return *this;
    }
    ~Win32Opened() {
        if (view_ != nullptr) UnmapViewOfFile(view_);
        if (section_ != nullptr) CloseHandle(section_);
    }

  private:
    HANDLE section_ = nullptr;
    void* view_ = nullptr;
};
#endif

#endif
