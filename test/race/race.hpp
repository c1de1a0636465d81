// SPDX-License-Identifier: Apache-2.0
// The races: processes that do the same at the same time, and check what the library says.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "board.hpp"

namespace comap::race {

struct Run {
    std::string root;
    Board* board = nullptr;
    std::uint64_t seed = 1;
    std::uint64_t count = 0;  // generations or rounds
};

// Eight processes open or create, check and close one name, for `count` generations.
void run_plain(const Run& run);

// The same, and some of them are killed, stopped or fork, keep or remove the object.
void run_mixed(const Run& run);

// Processes that all open a dead object at once: nobody finds it.
void run_dead(const Run& run);

// One makes an object outlive it while others let go of it, and finds it again.
void run_keep(const Run& run);

// A process forks in one thread while another closes; the child ends it at once. Nobody finds the object locked.
void run_fork_and_die(const Run& run);

// A process makes children by the bare system call in one thread while another closes. The same.
void run_bare_clone(const Run& run);

// Somebody who may only read opens an object that is kept, held, or both in turn: he always finds it.
void run_readers(const Run& run);
void run_readers_of_others(const Run& run);  // needs root: its reader is another user

// Numbers from a seed, the same on every machine.
class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed * 0x9e37'79b9'7f4a'7c15u + 1) {}
    std::uint64_t next();
    std::uint64_t below(std::uint64_t bound) { return next() % bound; }
    bool one_in(std::uint64_t bound) { return below(bound) == 0; }

  private:
    std::uint64_t state_;
};

// Forks; the child ends with what the function returns, without running the parent's clean-up.
int fork_process(const std::function<int()>& body);

// A short rest, so that a process that waits in a loop leaves the processor to others.
void rest(std::uint64_t ns);

// Ends the run as a violation if nothing moves for minutes. Called in waiting loops.
class Watchdog {
  public:
    explicit Watchdog(Board& board) : board_(board) {}
    void look();

  private:
    Board& board_;
    std::uint64_t last_rounds_ = 0;
    std::uint64_t since_ns_ = 0;
};

}  // namespace comap::race
