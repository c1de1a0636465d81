// SPDX-License-Identifier: Apache-2.0
// Sharing of files is enforced among the programs of this layer: whoever opened a file holds a read lock on one byte, far past
// any end, for each thing that he does and for each that others may not do. The locks belong to the open file: duplicates and
// children have them too, and the kernel lets go of them with the last. Other programs, and handles that may only write where
// reading is forbidden, neither see nor have them.
#pragma once

#include <windows.h>

namespace comap::win32 {

constexpr DWORD kAllShares = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

// What one who has these rights does: bits of kAllShares.
DWORD uses_of(DWORD rights);

// False: others who have it open do not let us, or do what we do not let them. REQUIRES: a regular file.
bool begin_sharing(int descriptor, DWORD uses, DWORD share);

// Whether somebody has it open who does not let others delete it.
bool is_kept_from_deletion(int descriptor);

}  // namespace comap::win32
