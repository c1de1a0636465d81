// SPDX-License-Identifier: Apache-2.0
// Who holds which object, as /proc shows it: a process whose descriptor of the object's file carries the holder's lock, or
// that maps the file. No bookkeeping of ours. Processes of other users and of other containers may be hidden from us.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include <comap/context.hpp>

#include "proc.hpp"

namespace comap::tool {

FileId file_id(const ObjectInfo& info);

struct Holder {
    bool has_handle = false;
    bool has_view = false;  // maps it; what uses a mutex, an event or a semaphore always does
};

using HoldersByPid = std::map<int, Holder>;

class HolderScan {
  public:
    // Looks at every process once, for all the objects.
    static HolderScan of(std::span<const ObjectInfo> objects);

    const HoldersByPid& holders(const ObjectInfo& info) const;
    std::vector<int> pids(const ObjectInfo& info) const;

    // It is held, but by nobody that can be seen from here.
    bool is_hidden(const ObjectInfo& info) const;

    // Processes whose descriptors we may not look at.
    std::uint64_t closed_process_count() const { return closed_process_count_; }

  private:
    void visit_process(int pid);
    void visit_descriptors(int pid);
    void visit_maps(int pid);
    Holder* find(const FileId& id, int pid);

    std::unordered_map<FileId, HoldersByPid, FileIdHash> holders_;
    std::uint64_t closed_process_count_ = 0;
};

std::string command_name(int pid);  // "python3"
std::string command_line(int pid);  // "python3 camera.py"; the name if there is none
std::string process_user(int pid);  // "alice"

// "123 (publisher), 456 (comap)", or a sentence about those who cannot be seen. Empty for an object that nobody holds.
std::string holders_text(const ObjectInfo& info, const HolderScan& scan);
std::string holders_text(const ObjectInfo& info);

// After already_exists: says who holds it, if anybody does.
void say_who_holds(Context& context, const std::string& name);

}  // namespace comap::tool
