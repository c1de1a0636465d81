// SPDX-License-Identifier: Apache-2.0
// The library calls that are killed everywhere. For each: what is there before, what the killed process prepares, the call
// itself, and what must be true when it was killed somewhere in it, or had completed it and was killed then.
#pragma once

#include <optional>
#include <vector>

#include "world.hpp"

namespace comap::crash {

// The process that is killed.
struct Actor {
    std::string root;
    std::optional<Context> context;
    Section section;
    View view;
    Text text;
    Mutex mutex;
    Event event;
    Semaphore semaphore;
    RawCell cell;
    RawChannel channel;
    RawSubscription subscription;
    RawQueue queue;
    Item item;

    Context& begin() { return context.emplace(ContextOptions{.root = root}); }
};

struct Operation {
    const char* name;
    void (*arrange)(World&);           // by the driver
    bool (*prepare)(Actor&);           // by the actor, before it can be killed; false: could not
    Result<void> (*act)(Actor&);       // the call
    void (*inspect)(World&, bool completed);  // by the driver, after the kill
    void (*meanwhile)(World&) = nullptr;      // by the driver, before the kill, while the actor stands still
    bool only_at_calls = false;               // it spins: its instructions are too many, and the same again and again
};

const std::vector<Operation>& operations();
const std::vector<Operation>& sync_operations();  // of mutexes, events and semaphores
const std::vector<Operation>& cell_operations();
const std::vector<Operation>& ring_operations();  // of channels and queues

// The same with the command: run with these arguments, killed between system calls.
struct ToolOperation {
    const char* name;
    std::vector<std::string> arguments;
    void (*arrange)(World&);
    void (*inspect)(World&, bool completed);
    // Programs that never end: whether all is done, so that they may be killed for good. They are then about to wait.
    bool (*is_done)(World&);
};

const std::vector<ToolOperation>& tool_operations();

}  // namespace comap::crash
