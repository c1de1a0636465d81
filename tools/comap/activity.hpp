// SPDX-License-Identifier: Apache-2.0
// What the holders of an object do with it, as /proc shows it: who of them owns the mutex, and whose threads sleep in futex(2) or
// futex_waitv(2) on a word of it. What /proc does not let us see is unknown.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "holders.hpp"

namespace comap::tool {

enum class Seen { no, yes, unknown };

struct Activity {
    Seen owns = Seen::no;   // a mutex
    Seen waits = Seen::no;  // sections: never "no", for one may also wait for them by a descriptor
};

using ActivityByPid = std::map<int, Activity>;

// Of each of these processes.
ActivityByPid activities(const ObjectInfo& info, const HoldersByPid& holders);

// The process that owns the mutex, if it can be told.
std::optional<int> owner_pid(const ActivityByPid& activities);

// Who waits, or about whom that is not known.
std::vector<int> waiting_pids(const ActivityByPid& activities, Seen waits);

// "1234 (comap)", or the owner's number if its process cannot be told. Empty: nobody owns it.
std::string owner_text(const ObjectInfo& info, const ActivityByPid& activities);

}  // namespace comap::tool
