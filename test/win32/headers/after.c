/* SPDX-License-Identifier: Apache-2.0 */
#define NOMINMAX
#include "posix.inc"

#include <windows.h>
#include <tchar.h>
#include <conio.h>

#include "calls.inc"
