/* SPDX-License-Identifier: Apache-2.0
 * Events and semaphores. */
#include "probe.h"

#include <string.h>

static char name[64];

static DWORD poll(HANDLE handle) { return WaitForSingleObject(handle, 0); }

struct PulseWaiter {
    HANDLE event, ready;
};

static DWORD WINAPI waits_for_pulse(void* argument) {
    const struct PulseWaiter* waiter = argument;
    return SignalObjectAndWait(waiter->ready, waiter->event, INFINITE, FALSE);
}

/* How many of two waiting threads one pulse wakes, at least `enough` if it can be. Nothing says whether a thread that said that
 * it waits is asleep yet, and a pulse passes who is not: so the pulse is tried with new threads until it woke enough of them. */
static int woken_by_pulse(BOOL manual, int enough) {
    int woken = 0;
    for (int turn = 0; turn < 200 && woken < enough; ++turn) {
        HANDLE event = CreateEventA(NULL, manual, FALSE, NULL);
        struct PulseWaiter waiters[2];
        HANDLE threads[2], ready[2];
        for (int i = 0; i < 2; ++i) {
            waiters[i].event = event;
            waiters[i].ready = ready[i] = CreateEventA(NULL, TRUE, FALSE, NULL);
            threads[i] = CreateThread(NULL, 0, waits_for_pulse, &waiters[i], 0, NULL);
        }
        WaitForMultipleObjects(2, ready, TRUE, INFINITE);
        PulseEvent(event);
        if (WaitForMultipleObjects(2, threads, TRUE, 50) == WAIT_OBJECT_0)
            woken = 2;
        else
            woken = WaitForMultipleObjects(2, threads, FALSE, 0) == WAIT_TIMEOUT ? 0 : 1;
        do SetEvent(event); /* for whom the pulse passed */
        while (WaitForMultipleObjects(2, threads, TRUE, 10) == WAIT_TIMEOUT);
        for (int i = 0; i < 2; ++i) {
            CloseHandle(threads[i]);
            CloseHandle(ready[i]);
        }
        CloseHandle(event);
    }
    return woken;
}

static void pulses(void) {
    HANDLE event = CreateEventA(NULL, FALSE, FALSE, NULL);
    bool_row("PulseEvent auto, no waiter", TRY(PulseEvent(event)), "");
    wait_ended("  then wait 0", poll(event), "");
    CloseHandle(event);
    const int woken = woken_by_pulse(FALSE, 1);
    wait_ended("PulseEvent auto, two waiters: all woke?", woken == 2 ? WAIT_OBJECT_0 : WAIT_TIMEOUT,
               "0x102 = only one");
    wait_ended("  at least one woke", woken ? WAIT_OBJECT_0 : WAIT_TIMEOUT, "");
    wait_ended("PulseEvent manual, two waiters: all woke?", woken_by_pulse(TRUE, 2) == 2 ? WAIT_OBJECT_0 : WAIT_TIMEOUT,
               "");
    event = CreateEventA(NULL, TRUE, TRUE, NULL);
    PulseEvent(event);
    wait_ended("  event after pulse", poll(event), "");
    CloseHandle(event);
}

static void rights(void) {
    HANDLE event = CreateEventA(NULL, TRUE, TRUE, name);
    HANDLE mutex = CreateMutexA(NULL, FALSE, NULL);
    bool_row("SetEvent NULL", TRY(SetEvent(NULL)), "");
    bool_row("SetEvent on a mutex", TRY(SetEvent(mutex)), "");
    HANDLE only_wait = OpenEventA(SYNCHRONIZE, FALSE, name);
    bool_row("SetEvent through SYNCHRONIZE-only handle", TRY(SetEvent(only_wait)), "");
    HANDLE only_set = OpenEventA(EVENT_MODIFY_STATE, FALSE, name);
    wait_row("wait through EVENT_MODIFY_STATE-only handle", TRY(poll(only_set)), "");
    CloseHandle(only_set);
    CloseHandle(only_wait);
    CloseHandle(mutex);
    CloseHandle(event);
}

void probe_events(void) {
    strcpy(name, own_name("event"));
    puts("\n== events ==");
    HANDLE event = handle_row("create manual signalled", TRY(CreateEventA(NULL, TRUE, TRUE, name)), "");
    HANDLE second = handle_row("create existing as auto unsignalled", TRY(CreateEventA(NULL, FALSE, FALSE, name)), "");
    wait_ended("  wait 0 (stays manual, stays set)", poll(second), "");
    wait_ended("  wait 0 again", poll(second), "");
    bool_row("ResetEvent through 2nd handle", TRY(ResetEvent(second)), "");
    wait_ended("  wait 0 through 1st", poll(event), "");
    closed_row("open access 0", TRY(OpenEventA(0, FALSE, name)), "");
    CloseHandle(second);
    CloseHandle(event);
    closed_row("open after last close", TRY(OpenEventA(SYNCHRONIZE, FALSE, name)), "");
    closed_row("open NULL", TRY(OpenEventA(SYNCHRONIZE, FALSE, NULL)), "");

    event = CreateEventA(NULL, FALSE, TRUE, NULL);
    bool_row("SetEvent when set", TRY(SetEvent(event)), "");
    wait_ended("auto: wait 0", poll(event), "");
    wait_ended("auto: wait 0 again (sets collapse)", poll(event), "");
    CloseHandle(event);
    pulses();
    rights();
}

static void release(const char* row_name, HANDLE semaphore, LONG count) {
    LONG previous = -7;
    const BOOL result = TRY(ReleaseSemaphore(semaphore, count, &previous));
    bool_row(row_name, result, text("prev=%d", (int)previous));
}

static HANDLE make(LONG initial, LONG maximum, const char* of_name) {
    return TRY(CreateSemaphoreA(NULL, initial, maximum, of_name));
}

void probe_semaphores(void) {
    strcpy(name, own_name("semaphore"));
    puts("\n== semaphores ==");
    HANDLE semaphore = handle_row("create 1/3", make(1, 3, name), "");
    closed_row("create existing 0/9", make(0, 9, name), "keeps 1/3");
    closed_row("open access 0", TRY(OpenSemaphoreA(0, FALSE, name)), "");
    release("release 3 (over the maximum)", semaphore, 3);
    release("release 2", semaphore, 2);
    release("release 0", semaphore, 0);
    release("release -1", semaphore, -1);
    for (int i = 1; i <= 4; ++i) wait_ended(text("wait #%d", i), poll(semaphore), "");
    CloseHandle(semaphore);
    closed_row("initial > maximum", make(4, 3, NULL), "");
    closed_row("initial < 0", make(-1, 3, NULL), "");
    closed_row("maximum 0", make(0, 0, NULL), "");
    closed_row("maximum < 0", make(0, -1, NULL), "");
    closed_row("open missing", TRY(OpenSemaphoreA(SYNCHRONIZE, FALSE, own_name("missing"))), "");
}
