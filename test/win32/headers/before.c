/* SPDX-License-Identifier: Apache-2.0 */
#define WIN32_LEAN_AND_MEAN
#include <conio.h>
#include <tchar.h>
#include <windows.h>

#include "posix.inc"

#include "calls.inc"
