/* SPDX-License-Identifier: Apache-2.0
 * What children see and leave. A child is this program with the words
 *     child WHAT NAME HANDLE READY
 * where NAME is the object's, HANDLE the value of an inherited one, READY the event by which the child says that it is as far. */
#include "probe.h"

#include <stdlib.h>
#include <string.h>

/* Longer than any test: a child that was forgotten ends by itself. */
static const DWORD kForgotten = 60000;

static void must(BOOL condition, const char* what) {
    if (condition) return;
    printf("%s failed, last error %u\n", what, (unsigned)GetLastError());
    exit(1);
}

HANDLE ready_event(void) { return CreateEventA(NULL, FALSE, FALSE, own_name("ready")); }

HANDLE start_child(const char* what, const char* name, HANDLE inherited) {
    char line[1024];
    STARTUPINFOA start;
    PROCESS_INFORMATION child;
    memset(&start, 0, sizeof start);
    start.cb = sizeof start;
    snprintf(line, sizeof line, "\"%s\" child %s %s %u %s", program, what, *name ? name : "-",
             (unsigned)(ULONG_PTR)inherited, own_name("ready"));
    fflush(stdout);
    must(CreateProcessA(NULL, line, NULL, NULL, inherited != NULL, 0, NULL, NULL, &start, &child), "CreateProcess");
    CloseHandle(child.hThread);
    return child.hProcess;
}

void hear_child(HANDLE ready, HANDLE child) {
    const HANDLE either[2] = {ready, child};
    must(WaitForMultipleObjects(2, either, FALSE, INFINITE) == WAIT_OBJECT_0, "waiting for what the child says");
}

void kill_child(HANDLE child) {
    must(TerminateProcess(child, 9), "TerminateProcess");
    must(WaitForSingleObject(child, INFINITE) == WAIT_OBJECT_0, "waiting for the child's end");
    CloseHandle(child);
}

/* Adds the answer to the question that the section holds. */
static BOOL answers(HANDLE section) {
    char* view = MapViewOfFile(section, FILE_MAP_ALL_ACCESS, 0, 0, 0);
    if (!view || strcmp(view, "question") != 0) return FALSE;
    strcat(view, ", answer");
    return UnmapViewOfFile(view);
}

int be_child(int count, char** words) {
    if (count != 4) return 2;
    const char *what = words[0], *name = words[1];
    HANDLE inherited = (HANDLE)(ULONG_PTR)strtoul(words[2], NULL, 10);
    HANDLE ready = OpenEventA(EVENT_MODIFY_STATE | SYNCHRONIZE, FALSE, words[3]);
    HANDLE object = inherited;
    if (strncmp(what, "own", 3) == 0) {
        object = OpenMutexA(SYNCHRONIZE, FALSE, name);
        if (WaitForSingleObject(object, INFINITE) != WAIT_OBJECT_0) return 3;
        if (strcmp(what, "own") == 0) return 0;
        if (strcmp(what, "own-and-close") == 0) CloseHandle(object);
    } else {
        if (!object) object = OpenFileMappingA(FILE_MAP_ALL_ACCESS, FALSE, name);
        if (!object || (strcmp(what, "answer") == 0 && !answers(object))) return 3;
    }
    SetEvent(ready);
    HANDLE never = CreateEventA(NULL, TRUE, FALSE, NULL);
    return strcmp(what, "answer") != 0 && WaitForSingleObject(never, kForgotten) != WAIT_OBJECT_0;
}

static HANDLE question(SECURITY_ATTRIBUTES* security, const char* name, char** view) {
    HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, security, PAGE_READWRITE, 0, 256, name);
    *view = MapViewOfFile(section, FILE_MAP_ALL_ACCESS, 0, 0, 0);
    strcpy(*view, "question");
    return section;
}

static void answer_row(const char* row_name, HANDLE section, char* view, HANDLE ready, const char* name,
                       BOOL is_inherited) {
    HANDLE child = start_child("answer", name ? name : "", is_inherited ? section : NULL);
    const HANDLE either[2] = {ready, child};
    const DWORD ended = WaitForMultipleObjects(2, either, FALSE, INFINITE);
    wait_ended(row_name, ended, strcmp(view, "question, answer") == 0 ? "child answered" : view);
    WaitForSingleObject(child, INFINITE);
    CloseHandle(child);
    UnmapViewOfFile(view);
    CloseHandle(section);
}

static void holding(HANDLE ready, const char* name) {
    char* view;
    HANDLE section = question(NULL, name, &view);
    HANDLE child = start_child("hold", name, NULL);
    hear_child(ready, child);
    UnmapViewOfFile(view);
    CloseHandle(section);
    closed_row("child holds handle: open", TRY(OpenFileMappingA(FILE_MAP_READ, FALSE, name)), "");
    kill_child(child);
    closed_row("child killed: open", TRY(OpenFileMappingA(FILE_MAP_READ, FALSE, name)), "kernel closed its handles");
}

void probe_processes(void) {
    char name[64];
    char* view;
    SECURITY_ATTRIBUTES inherit;
    memset(&inherit, 0, sizeof inherit);
    inherit.nLength = sizeof inherit;
    inherit.bInheritHandle = TRUE;
    strcpy(name, own_name("shared"));
    HANDLE ready = ready_event();
    puts("\n== across processes ==");
    HANDLE named = question(NULL, name, &view);
    answer_row("child opened by name, read, answered", named, view, ready, name, FALSE);
    HANDLE unnamed = question(&inherit, NULL, &view);
    answer_row("child used an inherited unnamed handle", unnamed, view, ready, NULL, TRUE);
    holding(ready, name);
    CloseHandle(ready);
}
