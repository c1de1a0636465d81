// SPDX-License-Identifier: Apache-2.0
#include "win32/sync.hpp"

#include "win32/creation.hpp"

namespace comap::win32 {
namespace {

// --- by name -----------------------------------------------------------------------------------------------------------

// `open(access)` opens the native object. A manual event can be waited for by those who may only read it.
template <typename Object, typename Open>
auto open_for(DWORD access, const Open& open) {
    auto native = open(Access::read_write);
    const bool only_waits = Object::kKind == Kind::event && (access & EVENT_MODIFY_STATE) == 0;
    if (!native && only_waits && native.error().code == Code::permission_denied) native = open(Access::read_only);
    return native;
}

template <typename Object, typename Char>
HANDLE open(DWORD asked, BOOL inherits, const Char* given) {
    const ObjectName name = name_to_open(given);
    if (name.error != ERROR_SUCCESS) return fail_null(name.error);
    const DWORD access = specific_access(Object::kKind, asked);
    if (access == 0) return fail_null(ERROR_ACCESS_DENIED);
    auto native = open_for<Object>(access, [&](Access how) { return Object::Native::open(name.native, {.access = how}); });
    if (!native) return fail_null(code_of_opening(native.error()));
    return insert_handle(std::make_shared<Object>(std::move(*native)), {.access = access, .is_inherited = inherits != FALSE});
}

template <typename Object>
std::shared_ptr<KernelObject> from_descriptor(int descriptor, DWORD access) {
    auto native = open_for<Object>(access, [&](Access how) { return Object::Native::from_descriptor(descriptor, {.access = how}); });
    if (!native) return nullptr;
    return std::make_shared<Object>(std::move(*native));
}

// Between the making and the locking another may be faster: then this waits until he is done with it.
Result<Mutex> make_mutex(const std::string& name, std::uint32_t mode, bool is_owned) {
    auto made = name.empty() ? Mutex::create_unnamed({.mode = mode}) : Mutex::open_or_create(name, {.mode = mode});
    if (!made || !made->was_created() || !is_owned) return made;
    for (;;) {
        const auto end = made->lock(Deadline::forever());
        if (!end) return tl::unexpected<Error>(end.error());
        if (*end != Acquired::interrupted) return made;
    }
}

template <typename Char>
HANDLE create_mutex(const SECURITY_ATTRIBUTES* attributes, const Char* given, DWORD flags, DWORD access) {
    if ((flags & ~CREATE_MUTEX_INITIAL_OWNER) != 0) return fail_null(ERROR_INVALID_PARAMETER);
    return create_object<MutexObject>(attributes, given, access, [&](const std::string& name, std::uint32_t mode) {
        return make_mutex(name, mode, (flags & CREATE_MUTEX_INITIAL_OWNER) != 0);
    });
}

template <typename Char>
HANDLE create_event(const SECURITY_ATTRIBUTES* attributes, const Char* given, DWORD flags, DWORD access) {
    if ((flags & ~(CREATE_EVENT_MANUAL_RESET | CREATE_EVENT_INITIAL_SET)) != 0) return fail_null(ERROR_INVALID_PARAMETER);
    return create_object<EventObject>(attributes, given, access, [&](const std::string& name, std::uint32_t mode) {
        const EventOptions options = {.reset = (flags & CREATE_EVENT_MANUAL_RESET) != 0 ? Reset::manual : Reset::automatic,
                                      .initially_set = (flags & CREATE_EVENT_INITIAL_SET) != 0,
                                      .mode = mode};
        return name.empty() ? Event::create_unnamed(options) : Event::open_or_create(name, options);
    });
}

DWORD event_flags(BOOL is_manual, BOOL is_set) { return (is_manual ? CREATE_EVENT_MANUAL_RESET : 0) | (is_set ? CREATE_EVENT_INITIAL_SET : 0); }

template <typename Char>
HANDLE create_semaphore(const SECURITY_ATTRIBUTES* attributes, LONG initial, LONG maximum, const Char* given, DWORD flags, DWORD access) {
    if (flags != 0 || initial < 0 || maximum <= 0 || initial > maximum) return fail_null(ERROR_INVALID_PARAMETER);
    return create_object<SemaphoreObject>(attributes, given, access, [&](const std::string& name, std::uint32_t mode) {
        const SemaphoreOptions options = {.initial = static_cast<std::uint32_t>(initial), .maximum = static_cast<std::uint32_t>(maximum), .mode = mode};
        return name.empty() ? Semaphore::create_unnamed(options) : Semaphore::open_or_create(name, options);
    });
}

// --- using -------------------------------------------------------------------------------------------------------------

// ERROR_SUCCESS if that is an object of this kind, and the handle has that right.
template <typename Object>
DWORD check(const KernelObject* object, DWORD access, DWORD needed) {
    if (!object || object->kind() != Object::kKind) return ERROR_INVALID_HANDLE;
    return (access & needed) == needed ? ERROR_SUCCESS : ERROR_ACCESS_DENIED;
}

// Calls use(native), which does not block, and fails as it does.
template <typename Object, typename Use>
BOOL use_briefly(HANDLE handle, DWORD needed, const Use& use) {
    const HandleUse in_use(handle);
    if (const DWORD code = check<Object>(in_use.object(), in_use.access(), needed); code != ERROR_SUCCESS) [[unlikely]] return fail(code);
    const auto done = use(static_cast<const Object*>(in_use.object())->native());
    if (!done) [[unlikely]] return fail(win32_code(done.error()));
    return TRUE;
}

// The same for what may take a while: nobody waits for it who closes the handle.
template <typename Object, typename Use>
BOOL use_at_leisure(HANDLE handle, DWORD needed, const Use& use) {
    const auto object = find_as<Object>(handle, needed);
    if (!object) return FALSE;
    const auto done = use(object->native());
    return done ? TRUE : fail(win32_code(done.error()));
}

DWORD code_of(const Result<void>& done) { return done ? ERROR_SUCCESS : win32_code(done.error()); }

}  // namespace

DWORD signal(const KernelObject& object, DWORD access) {
    switch (object.kind()) {
        case Kind::mutex:
            return code_of(static_cast<const MutexObject&>(object).native().unlock());
        case Kind::event:
            if ((access & EVENT_MODIFY_STATE) == 0) return ERROR_ACCESS_DENIED;
            return code_of(static_cast<const EventObject&>(object).native().set());
        case Kind::semaphore: {
            if ((access & SEMAPHORE_MODIFY_STATE) == 0) return ERROR_ACCESS_DENIED;
            const auto before = static_cast<const SemaphoreObject&>(object).native().release();
            return before ? ERROR_SUCCESS : win32_code(before.error());
        }
        default:
            return ERROR_INVALID_HANDLE;
    }
}

std::shared_ptr<KernelObject> sync_from_descriptor(Kind kind, int descriptor, DWORD access) {
    switch (kind) {
        case Kind::mutex:
            return from_descriptor<MutexObject>(descriptor, access);
        case Kind::event:
            return from_descriptor<EventObject>(descriptor, access);
        case Kind::semaphore:
            return from_descriptor<SemaphoreObject>(descriptor, access);
        default:
            return nullptr;
    }
}

}  // namespace comap::win32

using namespace comap::win32;

extern "C" {

HANDLE WINAPI CreateMutexA(LPSECURITY_ATTRIBUTES lpAttributes, BOOL bInitialOwner, LPCSTR lpName) {
    return create_mutex(lpAttributes, lpName, bInitialOwner ? CREATE_MUTEX_INITIAL_OWNER : 0, MUTEX_ALL_ACCESS);
}
HANDLE WINAPI CreateMutexW(LPSECURITY_ATTRIBUTES lpAttributes, BOOL bInitialOwner, LPCWSTR lpName) {
    return create_mutex(lpAttributes, lpName, bInitialOwner ? CREATE_MUTEX_INITIAL_OWNER : 0, MUTEX_ALL_ACCESS);
}
HANDLE WINAPI CreateMutexExA(LPSECURITY_ATTRIBUTES lpAttributes, LPCSTR lpName, DWORD dwFlags, DWORD dwDesiredAccess) {
    return create_mutex(lpAttributes, lpName, dwFlags, dwDesiredAccess);
}
HANDLE WINAPI CreateMutexExW(LPSECURITY_ATTRIBUTES lpAttributes, LPCWSTR lpName, DWORD dwFlags, DWORD dwDesiredAccess) {
    return create_mutex(lpAttributes, lpName, dwFlags, dwDesiredAccess);
}
HANDLE WINAPI OpenMutexA(DWORD dwDesiredAccess, BOOL bInheritHandle, LPCSTR lpName) { return open<MutexObject>(dwDesiredAccess, bInheritHandle, lpName); }
HANDLE WINAPI OpenMutexW(DWORD dwDesiredAccess, BOOL bInheritHandle, LPCWSTR lpName) { return open<MutexObject>(dwDesiredAccess, bInheritHandle, lpName); }

// Takes no right: a handle to wait with is one to release with.
BOOL WINAPI ReleaseMutex(HANDLE hMutex) {
    return use_briefly<MutexObject>(hMutex, 0, [](const auto& mutex) { return mutex.unlock(); });
}

HANDLE WINAPI CreateEventA(LPSECURITY_ATTRIBUTES lpAttributes, BOOL bManualReset, BOOL bInitialState, LPCSTR lpName) {
    return create_event(lpAttributes, lpName, event_flags(bManualReset, bInitialState), EVENT_ALL_ACCESS);
}
HANDLE WINAPI CreateEventW(LPSECURITY_ATTRIBUTES lpAttributes, BOOL bManualReset, BOOL bInitialState, LPCWSTR lpName) {
    return create_event(lpAttributes, lpName, event_flags(bManualReset, bInitialState), EVENT_ALL_ACCESS);
}
HANDLE WINAPI CreateEventExA(LPSECURITY_ATTRIBUTES lpAttributes, LPCSTR lpName, DWORD dwFlags, DWORD dwDesiredAccess) {
    return create_event(lpAttributes, lpName, dwFlags, dwDesiredAccess);
}
HANDLE WINAPI CreateEventExW(LPSECURITY_ATTRIBUTES lpAttributes, LPCWSTR lpName, DWORD dwFlags, DWORD dwDesiredAccess) {
    return create_event(lpAttributes, lpName, dwFlags, dwDesiredAccess);
}
HANDLE WINAPI OpenEventA(DWORD dwDesiredAccess, BOOL bInheritHandle, LPCSTR lpName) { return open<EventObject>(dwDesiredAccess, bInheritHandle, lpName); }
HANDLE WINAPI OpenEventW(DWORD dwDesiredAccess, BOOL bInheritHandle, LPCWSTR lpName) { return open<EventObject>(dwDesiredAccess, bInheritHandle, lpName); }

BOOL WINAPI SetEvent(HANDLE hEvent) {
    return use_briefly<EventObject>(hEvent, EVENT_MODIFY_STATE, [](const auto& event) { return event.set(); });
}

// A wait for several objects may have it reserved for a moment.
BOOL WINAPI ResetEvent(HANDLE hEvent) {
    return use_at_leisure<EventObject>(hEvent, EVENT_MODIFY_STATE, [](const auto& event) { return event.reset(); });
}

BOOL WINAPI PulseEvent(HANDLE hEvent) {
    return use_at_leisure<EventObject>(hEvent, EVENT_MODIFY_STATE, [](const auto& event) { return event.pulse(); });
}

HANDLE WINAPI CreateSemaphoreA(LPSECURITY_ATTRIBUTES lpAttributes, LONG lInitialCount, LONG lMaximumCount, LPCSTR lpName) {
    return create_semaphore(lpAttributes, lInitialCount, lMaximumCount, lpName, 0, SEMAPHORE_ALL_ACCESS);
}
HANDLE WINAPI CreateSemaphoreW(LPSECURITY_ATTRIBUTES lpAttributes, LONG lInitialCount, LONG lMaximumCount, LPCWSTR lpName) {
    return create_semaphore(lpAttributes, lInitialCount, lMaximumCount, lpName, 0, SEMAPHORE_ALL_ACCESS);
}
HANDLE WINAPI CreateSemaphoreExA(LPSECURITY_ATTRIBUTES lpAttributes, LONG lInitialCount, LONG lMaximumCount, LPCSTR lpName, DWORD dwFlags,
                                 DWORD dwDesiredAccess) {
    return create_semaphore(lpAttributes, lInitialCount, lMaximumCount, lpName, dwFlags, dwDesiredAccess);
}
HANDLE WINAPI CreateSemaphoreExW(LPSECURITY_ATTRIBUTES lpAttributes, LONG lInitialCount, LONG lMaximumCount, LPCWSTR lpName, DWORD dwFlags,
                                 DWORD dwDesiredAccess) {
    return create_semaphore(lpAttributes, lInitialCount, lMaximumCount, lpName, dwFlags, dwDesiredAccess);
}
HANDLE WINAPI OpenSemaphoreA(DWORD dwDesiredAccess, BOOL bInheritHandle, LPCSTR lpName) {
    return open<SemaphoreObject>(dwDesiredAccess, bInheritHandle, lpName);
}
HANDLE WINAPI OpenSemaphoreW(DWORD dwDesiredAccess, BOOL bInheritHandle, LPCWSTR lpName) {
    return open<SemaphoreObject>(dwDesiredAccess, bInheritHandle, lpName);
}

BOOL WINAPI ReleaseSemaphore(HANDLE hSemaphore, LONG lReleaseCount, LPLONG lpPreviousCount) {
    return use_briefly<SemaphoreObject>(hSemaphore, SEMAPHORE_MODIFY_STATE, [&](const auto& semaphore) {
        auto before = semaphore.release(lReleaseCount);
        if (before && lpPreviousCount) *lpPreviousCount = static_cast<LONG>(*before);
        return before;
    });
}

}  // extern "C"
