// SPDX-License-Identifier: Apache-2.0
// How a wait for a mutex, an event or a semaphore ends, and waiting for several objects at once. The idea is that of
// WaitForMultipleObjects; the kernel's futex_waitv does the sleeping.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <comap/deadline.hpp>
#include <comap/error.hpp>
#include <comap/export.h>
#include <comap/section.hpp>

namespace comap {

class Event;
class Mutex;
class RawCell;
class RawQueue;
class RawSubscription;
class Semaphore;
class Text;
namespace internal {
class SyncCore;
struct WaitHooks;
}

// None of these is an error.
enum class Acquired : std::uint8_t {
    acquired,
    acquired_abandoned,  // a mutex, and it is yours; but its last owner died with it: what it protects may be half done. Told once.
    timed_out,
    interrupted,  // a signal was handled meanwhile
};

// One entry of a list to wait for. Points to the object it was made of, which must live until the wait has ended.
class COMAP_API Waitable {
  public:
    Waitable(const Mutex& mutex);
    Waitable(const Event& event);
    Waitable(const Semaphore& semaphore);
    Waitable(const Section& section, std::uint32_t seen);  // ready when the version is not `seen`
    Waitable(const Text& text, std::uint32_t seen);
    Waitable(const RawCell& cell, std::uint32_t seen);
    Waitable(RawSubscription& subscription);  // ready when there is a message; takes nothing
    Waitable(const RawQueue& queue);          // the same; another may be faster to take it

    internal::SyncCore* core() const { return core_; }
    const internal::Object* object() const { return object_; }
    std::uint32_t seen() const { return seen_; }
    Access access() const { return access_; }
    const internal::WaitHooks* hooks() const { return hooks_; }
    void* data() const { return data_; }

  private:
    internal::SyncCore* core_ = nullptr;
    const internal::Object* object_ = nullptr;
    std::uint32_t seen_ = 0;
    Access access_ = Access::read_only;
    const internal::WaitHooks* hooks_ = nullptr;
    void* data_ = nullptr;
};

struct Waited {
    Acquired end = Acquired::timed_out;
    std::size_t index = 0;  // wait_any: of what was acquired; wait_all: the first abandoned mutex
};

// The longest list.
inline constexpr std::size_t kWaitCountMax = 128;

// Waits until one is ready and takes it: owns the mutex, takes the token of an automatic event or a semaphore. If several are
// ready, the first in the list. The same object may be in the list twice.
// Blocks until the deadline; with Deadline::passed() it only looks. Not safe in a signal handler. Signals handled meanwhile
// end it as interrupted, except that handlers installed with SA_RESTART do not end a wait for several objects.
// Errors: invalid_argument (an empty list, or one longer than kWaitCountMax), permission_denied (a read-only handle), corrupt,
// unsupported (a mutex in a 32-bit program). Nothing is taken then.
COMAP_API Result<Waited> wait_any(std::span<const Waitable> objects, Deadline deadline = Deadline::forever());

// Waits until all are ready at one moment and takes all, or none. A manual event must be set then. Errors: as wait_any; also
// invalid_argument (the same object twice). If the caller is killed while it takes them, its mutexes are abandoned.
COMAP_API Result<Waited> wait_all(std::span<const Waitable> objects, Deadline deadline = Deadline::forever());

COMAP_API Result<Acquired> wait_one(const Waitable& object, Deadline deadline = Deadline::forever());

}  // namespace comap
