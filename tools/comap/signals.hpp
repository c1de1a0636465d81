// SPDX-License-Identifier: Apache-2.0
// Being told to stop, in the two ways a command can wait: for signals, or in a call of the library.
#pragma once

#include <csignal>
#include <ctime>
#include <initializer_list>

namespace comap::tool {

// A lost peer of a pipe is an error of write(), and memory that goes away under a view ends the tool with a sentence.
void prepare_signals();

// Keeps signals for wait() while it lives; one that came before is not lost. SIGHUP stays ignored if it was (nohup).
class HeldSignals {
  public:
    explicit HeldSignals(std::initializer_list<int> signals);
    ~HeldSignals();
    HeldSignals(const HeldSignals&) = delete;
    HeldSignals& operator=(const HeldSignals&) = delete;

    // Blocks until one of them comes.
    siginfo_t wait() const;
    const sigset_t& set() const { return set_; }
    const sigset_t& mask_before() const { return before_; }

  private:
    sigset_t set_;
    sigset_t before_;
};

// SIGINT, SIGTERM and SIGHUP interrupt a blocking call of the library, again and again until it noticed: a signal that
// comes just before the call begins to block is not lost either. A second one ends the process. One at a time.
class StopSignals {
  public:
    // What of those that whoever started us ignores: SIGHUP always stays so (nohup); the others are what a shell ignores for what it
    // runs in the background, which `kill` should stop all the same, unless a command runs for which they must stay as they are.
    enum class Ignored { stop_too, stay_ignored };

    explicit StopSignals(Ignored ignored = Ignored::stop_too);
    ~StopSignals();
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;

    bool have_come() const { return came(); }

    // One has come while there were some, perhaps before.
    static bool came();

    // Ends the process as the signal would have, if one has come.
    static void end_if_come();

  private:
    timer_t timer_{};
};

}  // namespace comap::tool
