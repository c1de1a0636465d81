/* SPDX-License-Identifier: Apache-2.0
 * Mutexes: ownership, and what becomes of it when the owner ends. */
#include "probe.h"

#include <string.h>

static char name[64];

static HANDLE make(BOOL owned) { return TRY(CreateMutexA(NULL, owned, name)); }

static DWORD poll(HANDLE mutex) { return WaitForSingleObject(mutex, 0); }

static DWORD WINAPI releases(void* mutex) { return TRY(ReleaseMutex(mutex)) ? 0 : GetLastError(); }

static void ownership(HANDLE mutex, HANDLE other) {
    bool_row("release, nobody owns it", TRY(ReleaseMutex(mutex)), "");
    wait_row("wait 0, free", TRY(poll(mutex)), "last error untouched");
    wait_ended("recursive wait through the other handle", poll(other), "");
    wait_ended("recursive wait again", poll(mutex), "");
    wait_ended("another thread: wait 0", in_thread(polls, mutex), "");
    const DWORD error = in_thread(releases, mutex);
    number_row("another thread: ReleaseMutex error", error, error, "");
    bool_row("release #1 of 3 acquisitions", TRY(ReleaseMutex(mutex)), "");
    bool_row("release #2 of 3 acquisitions", TRY(ReleaseMutex(other)), "");
    wait_ended("  another thread after 2 releases", in_thread(polls, mutex), "");
    bool_row("release #3 of 3 acquisitions", TRY(ReleaseMutex(mutex)), "");
    bool_row("release #4 of 3 acquisitions", TRY(ReleaseMutex(mutex)), "");
}

static void by_name(void) {
    strcpy(name, own_name("mutex"));
    puts("\n== mutex ==");
    HANDLE mutex = handle_row("create fresh", make(FALSE), "");
    HANDLE other = handle_row("create existing with bInitialOwner", make(TRUE), "");
    wait_ended("  another thread: wait 0", in_thread(polls, mutex), "0 = creator was not given ownership");
    closed_row("open existing SYNCHRONIZE", TRY(OpenMutexA(SYNCHRONIZE, FALSE, name)), "");
    closed_row("open missing", TRY(OpenMutexA(SYNCHRONIZE, FALSE, own_name("missing"))), "");
    closed_row("open NULL", TRY(OpenMutexA(SYNCHRONIZE, FALSE, NULL)), "");
    closed_row("open access 0", TRY(OpenMutexA(0, FALSE, name)), "");
    ownership(mutex, other);
    CloseHandle(other);
    CloseHandle(mutex);
}

static void abandoned_by_thread(void) {
    HANDLE mutex = CreateMutexA(NULL, FALSE, NULL);
    in_thread(takes_and_ends, mutex);
    wait_row("wait after owner thread exited", TRY(poll(mutex)), "WAIT_ABANDONED=0x80");
    wait_ended("recursive wait after WAIT_ABANDONED", poll(mutex), "");
    bool_row("release 1", TRY(ReleaseMutex(mutex)), "");
    bool_row("release 2", TRY(ReleaseMutex(mutex)), "");
    bool_row("release 3", TRY(ReleaseMutex(mutex)), "");
    wait_ended("wait again: abandonment was reported once", poll(mutex), "");
    CloseHandle(mutex);
}

struct Owner {
    HANDLE mutex, owned, waited_for;
};

static DWORD WINAPI owns_until_waited_for(void* argument) {
    const struct Owner* owner = argument;
    WaitForSingleObject(owner->mutex, INFINITE);
    SetEvent(owner->owned);
    return WaitForSingleObject(owner->waited_for, INFINITE);
}

/* The owner ends when the waiter says, by the call that makes it wait, that it waits. */
static void blocked_waiter(void) {
    struct Owner owner = {CreateMutexA(NULL, FALSE, NULL), CreateEventA(NULL, TRUE, FALSE, NULL),
                          CreateEventA(NULL, TRUE, FALSE, NULL)};
    HANDLE thread = CreateThread(NULL, 0, owns_until_waited_for, &owner, 0, NULL);
    WaitForSingleObject(owner.owned, INFINITE);
    wait_ended("blocked waiter, owner thread exits",
               SignalObjectAndWait(owner.waited_for, owner.mutex, INFINITE, FALSE), "");
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
    CloseHandle(owner.mutex);
    CloseHandle(owner.owned);
    CloseHandle(owner.waited_for);
}

static void several(void) {
    HANDLE pair[2] = {CreateMutexA(NULL, FALSE, NULL), CreateMutexA(NULL, FALSE, NULL)};
    in_thread(takes_and_ends, pair[0]);
    in_thread(takes_and_ends, pair[1]);
    wait_ended("WFMO all, both abandoned", WaitForMultipleObjects(2, pair, TRUE, 0), "");
    ReleaseMutex(pair[0]);
    ReleaseMutex(pair[1]);
    in_thread(takes_and_ends, pair[1]);
    wait_ended("WFMO all, only [1] abandoned", WaitForMultipleObjects(2, pair, TRUE, 0), "");
    ReleaseMutex(pair[0]);
    ReleaseMutex(pair[1]);
    in_thread(takes_and_ends, pair[1]);
    HANDLE event = CreateEventA(NULL, TRUE, FALSE, NULL);
    HANDLE with_event[2] = {event, pair[1]};
    wait_ended("WFMO any, [1] abandoned", WaitForMultipleObjects(2, with_event, FALSE, 0), "0x81");
    CloseHandle(event);
    CloseHandle(pair[0]);
    CloseHandle(pair[1]);
}

static void abandoned_by_process(void) {
    HANDLE ready = ready_event();
    HANDLE mutex = make(FALSE);
    HANDLE child = start_child("own", name, NULL);
    WaitForSingleObject(child, INFINITE);
    CloseHandle(child);
    wait_row("owner process exited", TRY(poll(mutex)), "");
    ReleaseMutex(mutex);

    child = start_child("own-and-stay", name, NULL);
    hear_child(ready, child);
    wait_ended("owner process alive, wait 200 ms", WaitForSingleObject(mutex, 200), "");
    kill_child(child);
    wait_ended("owner process killed", poll(mutex), "");
    ReleaseMutex(mutex);

    child = start_child("own-and-close", name, NULL);
    hear_child(ready, child);
    wait_ended("owner closed its handle, still alive", WaitForSingleObject(mutex, 200), "closing does not abandon");
    kill_child(child);
    wait_ended("  then killed", poll(mutex), "");
    CloseHandle(mutex);
    CloseHandle(ready);
}

static void closed_while_owned(void) {
    HANDLE event = CreateEventA(NULL, TRUE, FALSE, NULL);
    CloseHandle(make(TRUE));
    closed_row("owned, last handle closed, then open", TRY(OpenMutexA(SYNCHRONIZE, FALSE, name)), "object is gone");
    HANDLE mutex = handle_row("  create again", make(FALSE), "");
    wait_ended("  another thread: wait 0", in_thread(polls, mutex), "new object is free");
    CloseHandle(mutex);
    bool_row("ReleaseMutex on an event", TRY(ReleaseMutex(event)), "");
    bool_row("ReleaseMutex NULL", TRY(ReleaseMutex(NULL)), "");
    CloseHandle(event);
}

void probe_mutexes(void) {
    by_name();
    abandoned_by_thread();
    blocked_waiter();
    several();
    abandoned_by_process();
    closed_while_owned();
}
