// SPDX-License-Identifier: Apache-2.0
// One descriptor that becomes readable when one of several files is touched or closed by somebody.
#pragma once

#include <cstdint>
#include <optional>

#include <comap/deadline.hpp>

#include "os/file.hpp"

namespace comap::os {

struct FileEvent {
    int watch = -1;
    bool closed = false;       // an open of the file ended; its lock may still be there for a moment
    bool overflowed = false;   // events were lost: look at every file; `watch` is not set
    bool ended = false;        // the watch is gone
};

enum class Ready : std::uint8_t { readable, timed_out, interrupted };

class ChangeEvents {
  public:
    static OsResult<ChangeEvents> create();
    int descriptor() const { return fd_.number(); }

    // The same file twice is the same watch.
    OsResult<int> add(int file_descriptor);
    void remove(int watch);

    // The next event, if one is there.
    OsResult<std::optional<FileEvent>> next();
    Ready wait(Deadline deadline) const;

  private:
    explicit ChangeEvents(Fd fd) : fd_(std::move(fd)) {}
    Fd fd_;
    alignas(8) char buffer_[4096] = {};
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

}  // namespace comap::os
