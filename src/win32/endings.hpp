// SPDX-License-Identifier: Apache-2.0
// What threads and processes have in common: they end once, with a code, and can be waited for. One watching thread in this
// process, started when it is first needed, sees them end.
#pragma once

#include <comap/event.hpp>

#include "win32/handles.hpp"

namespace comap::win32 {

class EndingObject : public KernelObject {
  public:
    EndingObject(Kind kind, DWORD id) : KernelObject(kind), id_(id) {}

    DWORD id() const { return id_; }

    DWORD exit_code();  // STILL_ACTIVE until it has ended

    std::optional<Waitable> waitable() const override;

    // For the watching thread, and under the lock that all of them share. True if it has ended.
    bool has_ended_now();

    // Readable when it has ended; -1: one has to ask again and again.
    virtual int end_descriptor() const { return -1; }

  protected:
    // Asks the system; the exit code, once it has ended. Called under the lock, until it gave one.
    virtual std::optional<DWORD> look() = 0;

    void end(DWORD exit_code);  // REQUIRES: the lock

  private:
    const DWORD id_;
    bool has_ended_ = false;            // this and the rest: under the lock
    DWORD exit_code_ = STILL_ACTIVE;
    mutable std::optional<Event> event_;  // made when first waited for
};

// Starts the watching thread if there is none. False: no memory for it.
bool start_watching();

// The object is kept until it has ended.
void watch(std::shared_ptr<EndingObject> object);

// The one of that kind and number that is watched, if there is.
std::shared_ptr<EndingObject> find_watched(Kind kind, DWORD id);

// Whether the calling thread is the last of this process, but for the watching thread.
bool is_last_thread();

// Whether that thread of this process has ended and stays as a zombie, as the first one does when it ends before the others.
bool is_zombie(DWORD thread);

// As find_as, of threads and processes: also by the pseudo handles, and any one of the rights is enough.
std::shared_ptr<EndingObject> find_ending(HANDLE handle, Kind kind, DWORD any_right);

}  // namespace comap::win32
