// SPDX-License-Identifier: Apache-2.0
// How far a long copy is: on standard error, when that is a terminal and the copy is over 64 MiB.
#pragma once

#include <chrono>
#include <cstdint>

namespace comap::tool {

class Progress {
  public:
    // total_bytes 0: not known.
    explicit Progress(std::uint64_t total_bytes);
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void add(std::uint64_t size_bytes);

  private:
    void show();
    std::uint64_t total_bytes_;
    std::uint64_t done_bytes_ = 0;
    bool is_wanted_;
    bool was_shown_ = false;
    std::chrono::steady_clock::time_point next_{};
};

}  // namespace comap::tool
