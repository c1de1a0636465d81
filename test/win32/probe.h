/* SPDX-License-Identifier: Apache-2.0
 * A program of Win32 calls that says what each of them answers, a line per probe:
 *     name | result | last error | remark
 * Built from the same source for Windows (and run under Wine) and for Linux with our windows.h. answers.txt says what is right. */
#ifndef COMAP_TEST_PROBE_H
#define COMAP_TEST_PROBE_H

#include <windows.h>

#include <stdio.h>

/* Written as the last error before each call: a row that shows it says that the call left the last error untouched. */
#define POISON    0xdeadbeefu
#define TRY(call) (SetLastError(POISON), (call))

/* Each prints its row with the last error of the call that was its argument, and returns the result. */
HANDLE handle_row(const char* name, HANDLE result, const char* remark);
void* pointer_row(const char* name, void* result, const char* remark);
BOOL bool_row(const char* name, BOOL result, const char* remark);
DWORD wait_row(const char* name, DWORD result, const char* remark);

/* The same for what has no last error, or one that nobody relies on. */
void wait_ended(const char* name, DWORD result, const char* remark);
void value_row(const char* name, const char* result, const char* remark);
void number_row(const char* name, DWORD result, DWORD error, const char* remark);

/* handle_row of a handle that is closed at once. */
void closed_row(const char* name, HANDLE result, const char* remark);

/* A text of its own for each of the last eight calls. */
const char* text(const char* format, ...);

/* "probe-ID-stem": no other run has it. */
const char* own_name(const char* stem);

/* What the function returned in a thread of its own, which has ended. */
DWORD in_thread(LPTHREAD_START_ROUTINE body, void* argument);

/* Thread functions; the argument is the handle. */
DWORD WINAPI polls(void* handle);         /* result of a wait of 0 ms; a mutex that was got so is released */
DWORD WINAPI takes_and_ends(void* mutex); /* owns it at its end */

/* This program once more, as a child that does `what`. Ends the program if it cannot be started. */
HANDLE start_child(const char* what, const char* name, HANDLE inherited);
/* The child has said by its event that it is as far. Ends the program if the child ends before. */
void hear_child(HANDLE ready, HANDLE child);
HANDLE ready_event(void);
void kill_child(HANDLE child);
int be_child(int count, char** words);

extern const char* program;

void probe_sections(void);
void probe_views(void);
void probe_names(void);
void probe_mutexes(void);
void probe_events(void);
void probe_semaphores(void);
void probe_waits(void);
void probe_processes(void);

#endif
