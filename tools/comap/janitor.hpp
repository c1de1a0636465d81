// SPDX-License-Identifier: Apache-2.0
// Janitor: removes objects as soon as their last holder is gone, killed or not, told by the kernel and never by a clock.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <comap/context.hpp>

#include "directory_events.hpp"
#include "system.hpp"

namespace comap::tool {

// One thread. Looking at a file of the directory makes the kernel report a close of our own, which must not make us look
// again: the first close of a file reported right after a look is taken for ours. As one of somebody else's may be merged
// with it, and as a close is reported just before the kernel drops the lock, a file that was found alive is looked at
// again a little later, twice; then nothing is done until the next event.
class Janitor {
  public:
    using Clock = std::chrono::steady_clock;

    Janitor(std::string root, bool is_verbose) : root_(std::move(root)), is_verbose_(is_verbose) { renew_context(); }

    // Begins to watch, and removes what is dead now. Errors: busy (another janitor is at work), no_namespace, os_error.
    Result<void> begin(const std::vector<Scope>& scopes);

    // Becomes readable when work() has something to do.
    int descriptor() const { return events_.descriptor(); }

    // When work() has something to do although no event came; max() if never.
    Clock::time_point next_due() const;

    // Does what is due. Does not block. Errors: as begin, when a directory had to be watched anew.
    Result<void> work();

  private:
    struct Place {  // one namespace directory
        Scope scope;
        int watch = -1;
        bool is_complete = false;  // everything in it was looked at, and no event lost since
        std::unordered_map<std::string, std::string> name_by_inode;  // "#123" -> file name
        std::unordered_map<std::string, std::string> inode_by_name;
        std::unordered_set<std::string> looked_at;  // since events were last read to the end
    };
    struct Recheck {
        Clock::time_point due;
        Scope scope;
        std::string file_name;
    };
    enum class Round : std::size_t { first, last };
    enum class Looked { removed, in_use, busy, unusable };

    void renew_context();
    Result<void> claim();
    Result<void> watch(Place& place);
    Result<void> settle();
    Result<void> look_at_all(Place& place);
    Looked look(Place& place, const std::string& file_name);
    void plan(const Place& place, const std::string& file_name, Round round);
    void do_due_rechecks(Round round);
    void read_events();
    void handle(const std::vector<DirectoryEvent>& events);
    void note_name(Place& place, const DirectoryEvent& event);
    void look_at_closed(const std::vector<DirectoryEvent>& events);
    void note_losses(const std::vector<DirectoryEvent>& events);
    void note_lost_directory(const std::string& file_name);
    void remember(Place& place, const std::string& file_name, std::uint64_t inode);
    void forget(Place& place, const std::string& file_name);
    void say(const std::string& text) const;
    Place* place_of(int watch);
    Place& place_of(Scope scope);

    const std::string root_;
    std::optional<Context> context_;
    bool is_verbose_;
    DirectoryEvents events_;
    int root_watch_ = -1;  // where the namespace directories are; they may go away
    Descriptor claim_;
    std::vector<Place> places_;
    std::array<std::deque<Recheck>, 2> rechecks_;  // by round, in the order in which they are due
};

}  // namespace comap::tool
