// SPDX-License-Identifier: Apache-2.0
// What generic access rights mean for each kind of object.
#pragma once

#include "win32/handles.hpp"

namespace comap::win32 {

// Every right there is for that kind.
DWORD all_access(Kind kind);

// GENERIC_READ and the like, and MAXIMUM_ALLOWED, as rights of that kind.
DWORD specific_access(Kind kind, DWORD access);

}  // namespace comap::win32
