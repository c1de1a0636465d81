// SPDX-License-Identifier: Apache-2.0
// Win32 mutexes, events and semaphores over those of comap.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include <comap/event.hpp>
#include <comap/mutex.hpp>
#include <comap/semaphore.hpp>

#include "win32/handles.hpp"

namespace comap::win32 {

template <Kind kKindOfIt, typename NativeType>
class SyncKernelObject final : public KernelObject {
  public:
    using Native = NativeType;
    static constexpr Kind kKind = kKindOfIt;

    explicit SyncKernelObject(Native native) : KernelObject(kKind), native_(std::move(native)) {}

    const Native& native() const { return native_; }
    std::optional<Waitable> waitable() const override { return Waitable(native_); }
    int share_descriptor() const override { return native_.share_descriptor(native_.access()).value_or(-1); }

    // The next owner of a mutex is told that this thread ended with it; the kernel would tell him too, but only while it is mapped.
    void at_process_end() override {
        if constexpr (kKindOfIt == Kind::mutex)
            while (native_.unlock_abandoned()) {
            }
    }

  private:
    const Native native_;
};

using MutexObject = SyncKernelObject<Kind::mutex, Mutex>;
using EventObject = SyncKernelObject<Kind::event, Event>;
using SemaphoreObject = SyncKernelObject<Kind::semaphore, Semaphore>;

// What SetEvent, ReleaseMutex and ReleaseSemaphore of one do, for SignalObjectAndWait: ERROR_SUCCESS, or why nothing was done.
DWORD signal(const KernelObject& object, DWORD access);

// For children that inherit a handle: the mutex, event or semaphore behind a descriptor of share_descriptor(), for a handle with
// that access. Nothing if there is none of that kind. The descriptor stays the caller's.
std::shared_ptr<KernelObject> sync_from_descriptor(Kind kind, int descriptor, DWORD access);

}  // namespace comap::win32
