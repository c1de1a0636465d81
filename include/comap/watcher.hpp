// SPDX-License-Identifier: Apache-2.0
// Watcher: one file descriptor that becomes readable when any of many objects changed; for poll, epoll, libuv, asyncio.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <comap/cell.hpp>
#include <comap/channel.hpp>
#include <comap/event.hpp>
#include <comap/queue.hpp>
#include <comap/section.hpp>
#include <comap/semaphore.hpp>
#include <comap/text.hpp>

namespace comap {

struct Changed {
    std::uint64_t tag = 0;      // the caller's, from add()
    std::uint32_t version = 0;  // at least this one
};

// Uses one inotify instance (there are 128 per user), so one Watcher per event loop is meant. Holds the objects it watches.
// For one thread at a time.
class COMAP_API Watcher {
  public:
    Watcher();
    ~Watcher();
    Watcher(Watcher&& other) noexcept;
    Watcher& operator=(Watcher&& other) noexcept;

    static Result<Watcher> create();

    // Becomes readable when next() may have something. Owned by the watcher; not to be read by the caller.
    int descriptor() const;

    // Watches for versions other than `seen`; one that is already there is reported by next(), and the descriptor becomes
    // readable. `tag` is the caller's own and must not be in use. Errors: invalid_argument (tag in use), permission_denied
    // (the object's mode lets us read only, and it was not made for readers of that kind), os_error (inotify limits); of a cell for
    // one writer also unsupported (membarrier(2), Linux 4.16, is missing).
    Result<void> add(const Section& section, std::uint64_t tag, std::uint32_t seen);
    Result<void> add(const Text& text, std::uint64_t tag, std::uint32_t seen);
    Result<void> add(const RawCell& cell, std::uint64_t tag, std::uint32_t seen);

    // Watches for the event being set, or the semaphore having tokens, also if that is so already. Nothing is taken: when it is
    // reported, wait with Deadline::passed() until that times out; others may have been faster. The version says nothing.
    // (A mutex belongs to a thread, not to an event loop.) Errors: also invalid_argument (one that lies inside a section).
    Result<void> add(const Event& event, std::uint64_t tag);
    Result<void> add(const Semaphore& semaphore, std::uint64_t tag);

    // Watches for messages. The subscription must stay where it is in memory until it is removed; when it is reported, receive with
    // Deadline::passed() until that times out. Errors: also unsupported (membarrier(2), Linux 4.16, is missing).
    Result<void> add(RawSubscription& subscription, std::uint64_t tag);
    Result<void> add(const RawQueue& queue, std::uint64_t tag);
    Result<void> remove(std::uint64_t tag);

    // The next change, or nothing. Does not block. Call until it returns nothing; several changes of one object may be
    // reported as one.
    Result<std::optional<Changed>> next();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace comap
