// SPDX-License-Identifier: Apache-2.0
// SyncCore: what all handles of a process to one mutex, event or semaphore share. Ownership belongs to a thread, whichever handle
// it used, so there is one core for each object, found in a registry by the file and the place in it.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>

#include <comap/context.hpp>
#include <comap/waiting.hpp>

#include "object/object.hpp"
#include "os/map.hpp"
#include "sync/sync_block.hpp"
#include "sync/waiting.hpp"

namespace comap::internal {

// The same object for every process, and the order in which all of them reserve.
struct SyncKey {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t page_offset_bytes = 0;
    auto operator<=>(const SyncKey&) const = default;
};

// Where a block is: in which page of which object's file.
struct SyncPlace {
    const Object* object = nullptr;
    std::uint64_t page_offset_bytes = 0;  // of the object's file, or of the file behind it
    bool in_section = false;
};

class SyncCore {
  public:
    // The core for that place, made if this process has none yet. Errors: corrupt, kind_mismatch and not_found (in a section),
    // unsupported (a mutex in a program that cannot own lock words).
    static Result<std::shared_ptr<SyncCore>> attach(Kind kind, const SyncPlace& place);

    // Writes a new block into bytes that are zero, then as attach. Errors: already_exists, permission_denied.
    static Result<std::shared_ptr<SyncCore>> lay_out(Kind kind, std::uint32_t parameter, std::uint64_t state, const SyncPlace& place);

    // For who lets go of a handle: a core whose mutex is owned stays mapped until its owner has ended.
    static void release(std::shared_ptr<SyncCore> core);

    const SyncKey& key() const { return key_; }
    Kind kind() const { return kind_; }
    bool is_manual() const { return kind_ == Kind::event && parameter_ == 1; }
    std::uint32_t maximum() const { return parameter_; }
    bool always_wakes() const { return always_wakes_; }
    bool can_be_waited_for() const { return may_write_ || always_wakes_; }  // who sets it can be told that we sleep
    const MutexWord<os::Machine>& mutex() const { return mutex_; }
    const EventWord<os::Machine>& event() const { return event_; }
    const SemaphoreWord<os::Machine>& semaphore() const { return semaphore_; }
    const SyncBlock& block() const { return *block_; }

    // One attempt, without waiting.
    Take take() const {
        if (kind_ == Kind::mutex) return mutex_.take(0);
        if (kind_ == Kind::semaphore) return semaphore_.take();
        if (!is_manual()) return event_.take();
        return event_.is_set() ? Take::taken : Take::not_ready;
    }

    // For one waiting call.
    WaitPoint<os::Machine> point() const;

    // Clears a reservation whose maker died, if there is one.
    void clear_dead_reservation() const;

    // After a change of the words: tells those who watch by descriptor, if there may be any; never so inside a section.
    void tell_watchers(int descriptor) const {
        // SYNC watch.look: the words were changed before; pairs with watch.arm.
        if (!change_ || ((change_->watch.load(std::memory_order_seq_cst) & kArmed) == 0 && !tells_readers_)) [[likely]] return;
        publish(*change_, last_published_, tells_readers_, descriptor);
    }

    // Of the thread of this process that owns the mutex, whatever the shared word says; 0: there is none. While that thread lives,
    // the kernel will look at the node.
    std::uint64_t owner_token() const { return record_.token.load(std::memory_order_relaxed); }

  private:
    SyncCore() = default;
    Result<void> map(Kind kind, const SyncPlace& place);
    Result<void> check(Kind kind, const SyncPlace& place);

    SyncKey key_;
    Kind kind_ = Kind::mutex;
    std::uint32_t parameter_ = 0;  // checked, and never read again
    bool may_write_ = false;
    bool always_wakes_ = false;   // some wait for it who may only read
    bool tells_readers_ = false;  // some may watch it who may only read
    os::Mapping pages_;  // of an open file of its own, which holds nothing: the handles hold the object
    SyncBlock* block_ = nullptr;
    ChangeWords* change_ = nullptr;  // of a named object
    mutable std::atomic<std::uint32_t> last_published_{0};  // see sync/change_word.hpp
    OwnerRecord record_;
    MutexWord<os::Machine> mutex_;
    EventWord<os::Machine> event_;
    SemaphoreWord<os::Machine> semaphore_;
};

}  // namespace comap::internal
