// SPDX-License-Identifier: Apache-2.0
// SECURITY_ATTRIBUTES: who may open an object, and whether children inherit its handle.
#pragma once

#include <cstdint>
#include <optional>

#include <windows.h>

namespace comap::win32 {

// The mode bits that a descriptor asks for. None given, or one without an access list: the default, which is 0600 for Local
// and Global names, as the default of Windows lets in the creator and administrators. An access list that is NULL lets in
// everybody: 0666. What else a descriptor can say cannot be had: nothing then, and ERROR_INVALID_SECURITY_DESCR is set.
std::optional<std::uint32_t> mode_of(const SECURITY_ATTRIBUTES* attributes);

inline bool is_inherited(const SECURITY_ATTRIBUTES* attributes) { return attributes && attributes->bInheritHandle; }

}  // namespace comap::win32
