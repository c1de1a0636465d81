// SPDX-License-Identifier: Apache-2.0
// The lifetime protocol: an object lives as long as an open file with a read lock on byte 0 of its file does.
//
//   hold    an open-file-description read lock. The kernel drops it with the last reference: close, exit, SIGKILL.
//   create  make a file without a name, complete; take the read lock; link it to its name. Nobody sees it half made.
//   open    open the name, then *ask* for its lock. Read-locked: alive; take the read lock, and if the file still has a name,
//           it is ours. Free: dead (unless it is kept): take the write lock, look again, unlink. Write-locked: somebody is
//           removing it: start again.
//   leave   open the name afresh, close the old descriptor, ask on the new one; free: remove as above.
//   keep    the sticky bit of the file: such an object needs no holder. Only the owner of the file can set it.
// Nobody unlinks a name without the write lock on the very file that it leads to. No call waits without a bound: after
// kPatience with the write lock in somebody's hands the answer is `busy`.
//
// Everything here is a handful of system calls; a process may be killed between any two of them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>

#include "base/name.hpp"
#include "object/namespaces.hpp"
#include "os/file.hpp"

namespace comap::internal {

// An object's open file with our read lock.
struct Held {
    os::Fd fd;
    os::FileState state;   // as it was after the lock was taken
    bool writable = false;  // the descriptor
};

// Opens a living or kept object. The descriptor is writable where the file's mode lets us; `must_write` makes that a demand.
// A dead one is removed on the way. Errors: not_found, busy, permission_denied, corrupt (not a file of ours).
Result<Held> open_held(const Directory& directory, const Name& name, bool must_write);

// Gives the file its name. `held` is complete and has the read lock. Errors: already_exists, busy, permission_denied (the
// name is a dead object's that we may not remove).
Result<void> link_held(const Directory& directory, const Name& name, const Held& held);

enum class Left : std::uint8_t { gone, others_hold_it, kept };

// Closes `fd`; removes the object if it was held by nobody else and is not kept.
Left leave(const Directory& directory, const std::string& file_name, os::Fd fd);

// As Context::remove.
Result<Removed> remove_object(const Directory& directory, const Name& name);

struct CollectedFile {
    bool was_dead = false;
    bool removed = false;
    std::uint64_t bytes = 0;
};

// Removes the file if it is a dead object. Errors: busy.
Result<CollectedFile> collect_file(const Directory& directory, const std::string& file_name);

// What `ls` and `stat` need, without holding the object.
struct Seen {
    os::Fd fd;
    os::FileState state;
    Presence presence = Presence::held;
};
Result<Seen> look(const Directory& directory, const std::string& file_name, const std::string& shown_name);

// Looks at some of the directory's objects, on from where the last call ended, and removes the dead. At most once a second.
void sweep_some(Directory& directory);
void sweep_all(Directory& directory);

}  // namespace comap::internal
