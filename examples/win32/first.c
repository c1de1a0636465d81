/* SPDX-License-Identifier: Apache-2.0
 * Puts a message into shared memory and waits for a key; second.c shows it as long. Written for Windows: builds there and with our
 * windows.h as it is, with and without UNICODE (both programs alike). */
#include <windows.h>

#include <conio.h>
#include <stdio.h>
#include <tchar.h>

#include "message.h"

static const TCHAR message[] = TEXT("Message from first process.");

int _tmain(void) {
    HANDLE section = CreateFileMapping(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, MESSAGE_SIZE, MESSAGE_NAME);
    if (section == NULL) {
        _tprintf(TEXT("Could not create file mapping object (%d).\n"), (int)GetLastError());
        return 1;
    }
    LPVOID view = MapViewOfFile(section, FILE_MAP_ALL_ACCESS, 0, 0, MESSAGE_SIZE);
    if (view == NULL) {
        _tprintf(TEXT("Could not map view of file (%d).\n"), (int)GetLastError());
        CloseHandle(section);
        return 1;
    }

    CopyMemory(view, message, sizeof message);
    _tprintf(TEXT("first: wrote; any key ends it\n"));
    fflush(stdout);
    _getch();

    UnmapViewOfFile(view);
    CloseHandle(section);
    _tprintf(TEXT("first: closed\n"));
    return 0;
}
