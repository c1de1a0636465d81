// SPDX-License-Identifier: Apache-2.0
// printf as Microsoft documents it: in a wide format %s is a wide string and %S a narrow one, in a narrow format the other way
// round; l before a number means 32 bits (a LONG), ll and I64 mean 64.
#pragma once

#include <cstdarg>
#include <span>
#include <string>

#include <windows.h>

namespace comap::win32 {

// T: char (UTF-8) or WCHAR.
template <typename T>
std::basic_string<T> print(const T* format, va_list arguments);

// The same where each argument is a number or a pointer of this list; for those beyond its end 0 is taken.
template <typename T>
std::basic_string<T> print_values(const T* format, std::span<const ULONG_PTR> values);

}  // namespace comap::win32
