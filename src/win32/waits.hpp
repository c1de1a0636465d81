// SPDX-License-Identifier: Apache-2.0
// Waiting for one object, or for several.
#pragma once

#include <comap/deadline.hpp>

#include "win32/handles.hpp"

namespace comap::win32 {

// Not in the table, and never closed.
inline const HANDLE kCurrentProcess = reinterpret_cast<HANDLE>(std::intptr_t{-1});
inline const HANDLE kCurrentThread = reinterpret_cast<HANDLE>(std::intptr_t{-2});

// As find_handle; also what the pseudo handles of the current process and thread stand for, with every right.
Found find_object(HANDLE handle);

// INFINITE or milliseconds from now.
Deadline deadline_after(DWORD milliseconds);

// Waits for an object that was found by a handle with that access. WAIT_OBJECT_0, WAIT_ABANDONED, WAIT_TIMEOUT; WAIT_FAILED,
// and the last error is set. Signals that are handled meanwhile do not end it.
DWORD wait_for(const Found& found, Deadline deadline);

}  // namespace comap::win32
