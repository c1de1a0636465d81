/* SPDX-License-Identifier: Apache-2.0 */
/* Programs written for the Win32 calls of shared memory, synchronisation, threads and processes build from their own source:
 * compile with this folder in the include path, link with comap-win32. */
#ifndef COMAP_WIN32_WINDOWS_H
#define COMAP_WIN32_WINDOWS_H

#include "interlockedapi.h"
#include "winbase.h"
#include "winuser.h"

#endif
