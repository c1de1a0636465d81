/* SPDX-License-Identifier: Apache-2.0 */
#include "probe.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const char* program;

static void row(const char* name, const char* result, const char* error, const char* remark) {
    printf("%-44s | %-22s | %-10s | %s\n", name, result, error, remark);
}

HANDLE handle_row(const char* name, HANDLE result, const char* remark) {
    const DWORD error = GetLastError();
    row(name, result ? "handle" : "NULL", text("%u", (unsigned)error), remark);
    return result;
}

void* pointer_row(const char* name, void* result, const char* remark) {
    const DWORD error = GetLastError();
    row(name, result ? "pointer" : "NULL", text("%u", (unsigned)error), remark);
    return result;
}

BOOL bool_row(const char* name, BOOL result, const char* remark) {
    const DWORD error = GetLastError();
    row(name, result ? "TRUE" : "FALSE", text("%u", (unsigned)error), remark);
    return result;
}

DWORD wait_row(const char* name, DWORD result, const char* remark) {
    const DWORD error = GetLastError();
    number_row(name, result, error, remark);
    return result;
}

void wait_ended(const char* name, DWORD result, const char* remark) {
    value_row(name, text("0x%08x", (unsigned)result), remark);
}

void value_row(const char* name, const char* result, const char* remark) { row(name, result, "-", remark); }

void number_row(const char* name, DWORD result, DWORD error, const char* remark) {
    row(name, text("0x%08x", (unsigned)result), text("%u", (unsigned)error), remark);
}

void closed_row(const char* name, HANDLE result, const char* remark) {
    if (handle_row(name, result, remark)) CloseHandle(result);
}

const char* text(const char* format, ...) {
    static char texts[8][512];
    static unsigned next;
    char* place = texts[next++ % 8];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(place, sizeof texts[0], format, arguments);
    va_end(arguments);
    return place;
}

const char* own_name(const char* stem) { return text("probe-%u-%s", (unsigned)GetCurrentProcessId(), stem); }

DWORD in_thread(LPTHREAD_START_ROUTINE body, void* argument) {
    DWORD result = POISON;
    HANDLE thread = CreateThread(NULL, 0, body, argument, 0, NULL);
    if (!thread || WaitForSingleObject(thread, INFINITE) != WAIT_OBJECT_0) return POISON;
    GetExitCodeThread(thread, &result);
    CloseHandle(thread);
    return result;
}

DWORD WINAPI polls(void* handle) {
    const DWORD result = WaitForSingleObject(handle, 0);
    if (result == WAIT_OBJECT_0 || result == WAIT_ABANDONED) ReleaseMutex(handle);
    return result;
}

DWORD WINAPI takes_and_ends(void* mutex) { return WaitForSingleObject(mutex, INFINITE); }

/* probe [SECTION]...: only those; probe child ...: see probe_processes.c */
int main(int count, char** words) {
    static const struct {
        const char* name;
        void (*run)(void);
    } all[] = {{"sections", probe_sections}, {"views", probe_views},        {"names", probe_names},
               {"mutex", probe_mutexes},     {"events", probe_events},      {"semaphores", probe_semaphores},
               {"waits", probe_waits},       {"processes", probe_processes}};
    program = words[0];
    if (count > 1 && strcmp(words[1], "child") == 0) return be_child(count - 2, words + 2);

    for (size_t i = 0; i < sizeof all / sizeof all[0]; ++i) {
        int wanted = count == 1;
        for (int word = 1; word < count; ++word) wanted |= strcmp(words[word], all[i].name) == 0;
        if (wanted) all[i].run();
        fflush(stdout);
    }
    puts("done");
    return 0;
}
