// SPDX-License-Identifier: Apache-2.0
// The processes of a storm: started, stopped, killed and replaced by the one that watches them.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <functional>

#include "board.hpp"
#include "player.hpp"

namespace comap::storm {

// Ends as soon as possible; the process may be stopped meanwhile.
void nap(std::uint64_t ns);

class Crew {
  public:
    // `live(process, serial)` runs in each child; `busy()` is called again and again while the parent waits for something.
    Crew(Board& board, std::uint64_t seed, std::function<void(std::size_t, std::uint32_t)> live, std::function<void()> busy);

    Random& random() { return random_; }
    void start(std::size_t process);
    void stop(std::size_t process);
    void go_on(std::size_t process);
    void kill(std::size_t process);
    bool has_begun(std::size_t process) const { return board_.slots[process].begun.load(std::memory_order_seq_cst) != 0; }
    std::uint32_t serial(std::size_t process) const { return serials_[process]; }
    void pass_random_time();
    // Until the condition is true, or for a minute, which is a violation.
    void wait_for(const std::function<bool()>& condition, const char* what);
    // All end by themselves when the board says over; returns whether that was in order.
    bool end();

  private:
    void report_end(std::size_t process, int status);

    Board& board_;
    Random random_;
    std::function<void(std::size_t, std::uint32_t)> live_;
    std::function<void()> busy_;
    std::array<pid_t, kProcessCount> pids_{};
    std::array<std::uint32_t, kProcessCount> serials_{};
    std::uint32_t last_serial_ = 0;
};

}  // namespace comap::storm
