// SPDX-License-Identifier: Apache-2.0
// Errors of comap and of the operating system as Win32 codes.
#pragma once

#include <cstddef>

#include <comap/error.hpp>

#include <windows.h>

namespace comap::win32 {

DWORD win32_code(const Error& error);
DWORD win32_code_of_errno(int os_error);

// Set the last error and give what a failed call returns.
inline BOOL fail(DWORD code) {
    SetLastError(code);
    return FALSE;
}
inline std::nullptr_t fail_null(DWORD code) {
    SetLastError(code);
    return nullptr;
}

}  // namespace comap::win32
