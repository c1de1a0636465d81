/* SPDX-License-Identifier: Apache-2.0
 * Waits for one object and for several. */
#include "probe.h"

#include <string.h>

enum { kMany = MAXIMUM_WAIT_OBJECTS };

static DWORD WINAPI ends(void* unused) { return unused != NULL; }

static HANDLE event_of(BOOL manual, BOOL set) { return CreateEventA(NULL, manual, set, NULL); }

static DWORD wait_both(HANDLE first, HANDLE second, BOOL all, DWORD milliseconds) {
    const HANDLE pair[2] = {first, second};
    return TRY(WaitForMultipleObjects(2, pair, all, milliseconds));
}

static void kinds(void) {
    HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 256, NULL);
    wait_row("WFSO NULL", TRY(WaitForSingleObject(NULL, 0)), "");
    wait_row("WFSO bogus", TRY(WaitForSingleObject((HANDLE)(ULONG_PTR)0xdead0, 0)), "");
    wait_row("WFSO on a section", TRY(WaitForSingleObject(section, 0)), "not a waitable kind");
    CloseHandle(section);
    wait_row("WFSO GetCurrentProcess()", TRY(WaitForSingleObject(GetCurrentProcess(), 0)), "");
    HANDLE thread = CreateThread(NULL, 0, ends, NULL, 0, NULL);
    wait_row("WFSO on an ended thread", TRY(WaitForSingleObject(thread, INFINITE)), "");
    wait_ended("  again", WaitForSingleObject(thread, 0), "stays signalled");
    CloseHandle(thread);
}

static void values(void) {
    HANDLE event = event_of(TRUE, FALSE);
    value_row("handle values", text("value %% 4 = %u", (unsigned)((ULONG_PTR)event % 4)), "");
    wait_row("low two bits of a handle are ignored", TRY(WaitForSingleObject((HANDLE)((ULONG_PTR)event | 3), 0)),
             "0x102 = same object");
    wait_row("WFSO timeout 250", TRY(WaitForSingleObject(event, 250)), "");
    CloseHandle(event);
}

static void counts_and_handles(void) {
    HANDLE many[kMany + 1];
    HANDLE event = event_of(TRUE, FALSE);
    for (int i = 0; i <= kMany; ++i) many[i] = event;
    wait_row("WFMO count 0", TRY(WaitForMultipleObjects(0, many, FALSE, 0)), "");
    wait_row("WFMO count 65", TRY(WaitForMultipleObjects(kMany + 1, many, FALSE, 0)), "");
    wait_row("WFMO any, duplicate handle", wait_both(event, event, FALSE, 0), "");
    wait_row("WFMO all, duplicate handle", wait_both(event, event, TRUE, 0), "");
    wait_row("WFMO any, [1] NULL", wait_both(event, NULL, FALSE, 0), "");
    SetEvent(event);
    wait_row("WFMO any, [0] signalled, [1] NULL", wait_both(event, NULL, FALSE, 0), "");
    CloseHandle(event);
}

static DWORD WINAPI sets_later(void* event) {
    HANDLE never = event_of(TRUE, FALSE);
    WaitForSingleObject(never, 100);
    CloseHandle(never);
    return SetEvent(event) ? 0 : 1;
}

static void any_and_all(void) {
    HANDLE first = event_of(FALSE, TRUE), second = event_of(FALSE, FALSE);
    wait_ended("WFMO all, only [0] set", wait_both(first, second, TRUE, 0), "");
    wait_ended("  [0] was not consumed", WaitForSingleObject(first, 0), "");
    SetEvent(first);
    SetEvent(second);
    wait_ended("WFMO any, both set: lowest index", wait_both(first, second, FALSE, 0), "");
    wait_ended("  next", wait_both(first, second, FALSE, 0), "");
    HANDLE thread = CreateThread(NULL, 0, sets_later, second, 0, NULL);
    wait_ended("WFMO any, [1] set after 100 ms", wait_both(first, second, FALSE, INFINITE), "");
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
    CloseHandle(first);
    CloseHandle(second);
}

static int calls_run;

static VOID CALLBACK count_call(ULONG_PTR step) { calls_run += (int)step; }

static void alertable(void) {
    HANDLE event = event_of(TRUE, FALSE);
    bool_row("QueueUserAPC", TRY(QueueUserAPC(count_call, GetCurrentThread(), 1)) != 0, "");
    wait_ended("WFSOEx not alertable, APC queued", WaitForSingleObjectEx(event, 0, FALSE), "");
    const DWORD result = WaitForSingleObjectEx(event, 0, TRUE);
    wait_ended("WFSOEx alertable, APC queued", result, text("apc ran %d", calls_run));
    CloseHandle(event);
}

static void signal_and_wait(void) {
    HANDLE set = event_of(FALSE, TRUE), unset = event_of(FALSE, FALSE);
    wait_row("SignalObjectAndWait", TRY(SignalObjectAndWait(unset, set, INFINITE, FALSE)), "");
    wait_ended("  [1] signalled", WaitForSingleObject(unset, 0), "");
    CloseHandle(set);
    CloseHandle(unset);
}

static void all_of_many(void) {
    HANDLE many[kMany];
    for (int i = 0; i < kMany; ++i) many[i] = event_of(FALSE, TRUE);
    wait_ended("WFMO all of 64", WaitForMultipleObjects(kMany, many, TRUE, 0), "");
    for (int i = 0; i < kMany; ++i) CloseHandle(many[i]);
}

void probe_waits(void) {
    puts("\n== waits ==");
    kinds();
    values();
    counts_and_handles();
    any_and_all();
    alertable();
    signal_and_wait();
    all_of_many();
}
