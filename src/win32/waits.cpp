// SPDX-License-Identifier: Apache-2.0
#include "win32/waits.hpp"

#include <array>
#include <chrono>
#include <span>
#include <vector>

#include "win32/access.hpp"
#include "win32/errors.hpp"
#include "win32/processes.hpp"
#include "win32/sync.hpp"
#include "win32/threads.hpp"

namespace comap::win32 {
namespace {

DWORD wait_failed(DWORD code) {
    SetLastError(code);
    return WAIT_FAILED;
}

DWORD end_of_wait(Acquired end, std::size_t index) {
    switch (end) {
        case Acquired::acquired:
            return WAIT_OBJECT_0 + static_cast<DWORD>(index);
        case Acquired::acquired_abandoned:
            return WAIT_ABANDONED_0 + static_cast<DWORD>(index);
        default:
            return WAIT_TIMEOUT;
    }
}

// ERROR_SUCCESS, and there is something to wait for.
DWORD waitable_of(const Found& found, std::optional<Waitable>& waitable) {
    if (!found) return ERROR_INVALID_HANDLE;
    if ((found.info.access & SYNCHRONIZE) == 0) return ERROR_ACCESS_DENIED;
    waitable = found.object->waitable();
    if (waitable) return ERROR_SUCCESS;
    const bool can_be_waited_for = found.object->kind() == Kind::thread || found.object->kind() == Kind::process;  // but its event could not be made
    return can_be_waited_for ? ERROR_NO_SYSTEM_RESOURCES : ERROR_ACCESS_DENIED;
}

// `wait(deadline)`, again as long as signals end it.
template <typename Wait>
auto without_signals(const Wait& wait, Deadline deadline) {
    for (;;) {
        auto waited = wait(deadline);
        if (!waited || waited->end != Acquired::interrupted) return waited;
    }
}

// How an attempt ended, or WAIT_FAILED.
DWORD end_of_attempt(const Result<Acquired>& taken) {
    if (!taken || *taken == Acquired::interrupted) [[unlikely]] return WAIT_FAILED;
    return end_of_wait(*taken, 0);
}

// Takes what there is without waiting. WAIT_FAILED: something is wrong, or it is of a kind of which it is not known that a look at it does not block.
DWORD take_at_once(const KernelObject& object) {
    switch (object.kind()) {
        case Kind::mutex:
            return end_of_attempt(static_cast<const MutexObject&>(object).native().lock(Deadline::passed()));
        case Kind::event:
            return end_of_attempt(static_cast<const EventObject&>(object).native().wait(Deadline::passed()));
        case Kind::semaphore:
            return end_of_attempt(static_cast<const SemaphoreObject&>(object).native().acquire(Deadline::passed()));
        default:
            return WAIT_FAILED;
    }
}

// The usual case: the handle is good, and nobody has the mutex. WAIT_FAILED: it is not so.
DWORD wait_without_blocking(HANDLE handle) {
    const HandleUse in_use(handle);
    if (!in_use || (in_use.access() & SYNCHRONIZE) == 0) [[unlikely]] return WAIT_FAILED;
    return take_at_once(*in_use.object());
}

[[gnu::noinline]] DWORD wait_slowly(HANDLE handle, DWORD milliseconds) {
    return wait_for(find_object(handle), deadline_after(milliseconds));
}

// The objects of a list, kept while they are waited for.
class Waited64 {
  public:
    DWORD add(HANDLE handle) {
        Found found = find_object(handle);
        std::optional<Waitable> waitable;
        if (const DWORD code = waitable_of(found, waitable); code != ERROR_SUCCESS) return code;
        objects_[waitables_.size()] = std::move(found.object);
        waitables_.push_back(*waitable);
        return ERROR_SUCCESS;
    }
    std::span<const Waitable> all() const { return waitables_; }

  private:
    std::array<std::shared_ptr<KernelObject>, MAXIMUM_WAIT_OBJECTS> objects_;
    std::vector<Waitable> waitables_;
};

DWORD wait_for_several(std::span<const HANDLE> handles, bool for_all, Deadline deadline) {
    Waited64 list;
    for (const HANDLE handle : handles)
        if (const DWORD code = list.add(handle); code != ERROR_SUCCESS) return wait_failed(code);
    const auto wait = [&](Deadline until) { return for_all ? wait_all(list.all(), until) : wait_any(list.all(), until); };
    const Result<Waited> waited = without_signals(wait, deadline);
    if (!waited) return wait_failed(win32_code(waited.error()));
    return end_of_wait(waited->end, for_all ? 0 : waited->index);
}

}  // namespace

Found find_object(HANDLE handle) {
    if (handle == kCurrentProcess) return {current_process_object(), {.access = all_access(Kind::process)}};
    if (handle == kCurrentThread) return {current_thread_object(), {.access = all_access(Kind::thread)}};
    return find_handle(handle);
}

Deadline deadline_after(DWORD milliseconds) {
    return milliseconds == INFINITE ? Deadline::forever() : milliseconds == 0 ? Deadline::passed() : Deadline::after(std::chrono::milliseconds(milliseconds));
}

DWORD wait_for(const Found& found, Deadline deadline) {
    std::optional<Waitable> waitable;
    if (const DWORD code = waitable_of(found, waitable); code != ERROR_SUCCESS) return wait_failed(code);
    const auto wait = [&](Deadline until) { return wait_any(std::span(&*waitable, 1), until); };
    const Result<Waited> waited = without_signals(wait, deadline);
    return waited ? end_of_wait(waited->end, 0) : wait_failed(win32_code(waited.error()));
}

}  // namespace comap::win32

using namespace comap::win32;

extern "C" {

DWORD WINAPI WaitForSingleObject(HANDLE hHandle, DWORD dwMilliseconds) {
    const DWORD end = wait_without_blocking(hHandle);
    if (end != WAIT_FAILED && (end != WAIT_TIMEOUT || dwMilliseconds == 0)) [[likely]] return end;
    return wait_slowly(hHandle, dwMilliseconds);
}

DWORD WINAPI QueueUserAPC(PAPCFUNC, HANDLE, ULONG_PTR) { return static_cast<DWORD>(fail(ERROR_CALL_NOT_IMPLEMENTED)); }

// Alertable waits are waits: no call can be queued.
DWORD WINAPI WaitForSingleObjectEx(HANDLE hHandle, DWORD dwMilliseconds, BOOL) { return WaitForSingleObject(hHandle, dwMilliseconds); }

DWORD WINAPI WaitForMultipleObjects(DWORD nCount, const HANDLE* lpHandles, BOOL bWaitAll, DWORD dwMilliseconds) {
    if (nCount == 0 || nCount > MAXIMUM_WAIT_OBJECTS || !lpHandles) return wait_failed(ERROR_INVALID_PARAMETER);
    return wait_for_several(std::span(lpHandles, nCount), bWaitAll != FALSE, deadline_after(dwMilliseconds));
}

DWORD WINAPI WaitForMultipleObjectsEx(DWORD nCount, const HANDLE* lpHandles, BOOL bWaitAll, DWORD dwMilliseconds, BOOL) {
    return WaitForMultipleObjects(nCount, lpHandles, bWaitAll, dwMilliseconds);
}

DWORD WINAPI SignalObjectAndWait(HANDLE hObjectToSignal, HANDLE hObjectToWaitOn, DWORD dwMilliseconds, BOOL) {
    const Found to_signal = find_handle(hObjectToSignal);
    const Found to_wait_on = find_object(hObjectToWaitOn);
    if (!to_signal) return wait_failed(ERROR_INVALID_HANDLE);
    std::optional<comap::Waitable> waitable;
    if (const DWORD code = waitable_of(to_wait_on, waitable); code != ERROR_SUCCESS) return wait_failed(code);
    if (const DWORD code = signal(*to_signal.object, to_signal.info.access); code != ERROR_SUCCESS) return wait_failed(code);
    return wait_for(to_wait_on, deadline_after(dwMilliseconds));
}

}  // extern "C"
