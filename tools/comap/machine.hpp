// SPDX-License-Identifier: Apache-2.0
// What the machine allows us, as the kernel's files say it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace comap::tool {

std::string kernel_release();  // "6.1.0-18-amd64"

std::optional<std::uint64_t> inotify_limit(const char* what);  // "max_user_instances"

// The tightest memory limit of the control groups that this process is in; nothing if there is none.
std::optional<std::uint64_t> cgroup_memory_limit_bytes();

// Whether logging out removes this user's objects: systemd-logind with RemoveIPC on, and a user who is not of the system.
bool logout_removes_objects();

}  // namespace comap::tool
