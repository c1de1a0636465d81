// SPDX-License-Identifier: Apache-2.0
// Calls on handles of every kind.
#include "win32/access.hpp"
#include "win32/errors.hpp"
#include "win32/handles.hpp"
#include "win32/processes.hpp"
#include "win32/waits.hpp"

namespace comap::win32 {
namespace {

// -1 and -2 stand for the current process and thread; -3 to -6 for their tokens.
bool is_pseudo_handle(HANDLE handle) {
    const auto value = reinterpret_cast<std::intptr_t>(handle);
    return value >= -6 && value <= -1;
}

DWORD code_of(Removal removal) { return removal == Removal::removed ? ERROR_SUCCESS : ERROR_INVALID_HANDLE; }

// ERROR_SUCCESS if that is a handle of this process.
DWORD check_own_process(HANDLE process) {
    const Found found = find_object(process);
    if (!found || found.object->kind() != Kind::process) return ERROR_INVALID_HANDLE;
    const bool is_own = static_cast<const ProcessObject&>(*found.object).id() == GetCurrentProcessId();
    return is_own && (found.info.access & PROCESS_DUP_HANDLE) != 0 ? ERROR_SUCCESS : ERROR_ACCESS_DENIED;
}

// ERROR_SUCCESS, and the access of the new handle: no more than the old one had.
DWORD access_of_duplicate(const Found& source, DWORD asked, DWORD options, DWORD& access) {
    if ((options & DUPLICATE_SAME_ACCESS) != 0) {
        access = source.info.access;
        return ERROR_SUCCESS;
    }
    access = specific_access(source.object->kind(), asked);
    if ((asked & MAXIMUM_ALLOWED) != 0) access &= source.info.access;
    return (access & ~source.info.access) == 0 ? ERROR_SUCCESS : ERROR_ACCESS_DENIED;
}

DWORD duplicate(const Found& source, HANDLE* target, DWORD asked, BOOL inherits, DWORD options) {
    HandleInfo info = {.is_inherited = inherits != FALSE};
    if (const DWORD code = access_of_duplicate(source, asked, options, info.access); code != ERROR_SUCCESS) return code;
    if (!target) return ERROR_SUCCESS;
    *target = insert_handle(source.object, info);
    return *target ? ERROR_SUCCESS : ERROR_NO_SYSTEM_RESOURCES;
}

}  // namespace

}  // namespace comap::win32

using namespace comap::win32;

extern "C" {

BOOL WINAPI CloseHandle(HANDLE hObject) {
    if (is_pseudo_handle(hObject)) return TRUE;
    const DWORD code = code_of(remove_handle(hObject));
    return code == ERROR_SUCCESS ? TRUE : fail(code);
}

// The source is closed, if that was asked for, also when the rest fails: as on Windows.
BOOL WINAPI DuplicateHandle(HANDLE hSourceProcessHandle, HANDLE hSourceHandle, HANDLE hTargetProcessHandle, LPHANDLE lpTargetHandle, DWORD dwDesiredAccess,
                            BOOL bInheritHandle, DWORD dwOptions) {
    if (lpTargetHandle) *lpTargetHandle = nullptr;
    if (const DWORD code = check_own_process(hSourceProcessHandle); code != ERROR_SUCCESS) return fail(code);
    const Found source = find_object(hSourceHandle);
    if (!source) return fail(ERROR_INVALID_HANDLE);
    const bool closes_source = (dwOptions & DUPLICATE_CLOSE_SOURCE) != 0 && !is_pseudo_handle(hSourceHandle);
    if (closes_source && source.info.is_protected) return fail(ERROR_INVALID_HANDLE);
    DWORD code = check_own_process(hTargetProcessHandle);
    if (code == ERROR_SUCCESS) code = duplicate(source, lpTargetHandle, dwDesiredAccess, bInheritHandle, dwOptions);
    if (closes_source) (void)remove_handle(hSourceHandle);
    return code == ERROR_SUCCESS ? TRUE : fail(code);
}

BOOL WINAPI GetHandleInformation(HANDLE hObject, LPDWORD lpdwFlags) {
    const Found found = find_handle(hObject);
    if (!found) return fail(ERROR_INVALID_HANDLE);
    if (!lpdwFlags) return fail(ERROR_NOACCESS);
    *lpdwFlags = (found.info.is_inherited ? HANDLE_FLAG_INHERIT : 0) | (found.info.is_protected ? HANDLE_FLAG_PROTECT_FROM_CLOSE : 0);
    return TRUE;
}

BOOL WINAPI SetHandleInformation(HANDLE hObject, DWORD dwMask, DWORD dwFlags) {
    if ((dwMask & ~(HANDLE_FLAG_INHERIT | HANDLE_FLAG_PROTECT_FROM_CLOSE)) != 0) return fail(ERROR_INVALID_PARAMETER);
    const bool is_changed = change_handle_info(hObject, [&](HandleInfo& info) {
        if ((dwMask & HANDLE_FLAG_INHERIT) != 0) info.is_inherited = (dwFlags & HANDLE_FLAG_INHERIT) != 0;
        if ((dwMask & HANDLE_FLAG_PROTECT_FROM_CLOSE) != 0) info.is_protected = (dwFlags & HANDLE_FLAG_PROTECT_FROM_CLOSE) != 0;
    });
    return is_changed ? TRUE : fail(ERROR_INVALID_HANDLE);
}

}  // extern "C"
