// SPDX-License-Identifier: Apache-2.0
// What the kernel says about the files of some directories (inotify).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <comap/error.hpp>

#include "system.hpp"

namespace comap::tool {

struct DirectoryEvent {
    int watch = -1;
    bool has_appeared = false;
    bool has_disappeared = false;
    bool was_closed = false;     // an open of the file ended: perhaps the last
    bool were_lost = false;      // events were; `watch` is not set
    std::string file_name;       // "#123" for inode 123, for whoever opened it before it had a name
};

class DirectoryEvents {
  public:
    static Result<DirectoryEvents> create();

    // Readable when read() has something.
    int descriptor() const { return inotify_.number(); }

    // All that is said about the files of a directory, or only which disappear.
    Result<int> add(const std::string& path);
    Result<int> add_for_disappearing(const std::string& path);

    // What has come so far. Does not block; empty when there is nothing.
    std::vector<DirectoryEvent> read();

  private:
    Result<int> add(const std::string& path, std::uint32_t mask);
    Descriptor inotify_;
};

}  // namespace comap::tool
