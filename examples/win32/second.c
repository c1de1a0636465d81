/* SPDX-License-Identifier: Apache-2.0
 * Shows, in a message box, what first.c put into shared memory; once that has ended there is nothing to show. */
#include <windows.h>

#include <stdio.h>
#include <tchar.h>

#include "message.h"

int _tmain(void) {
    HANDLE section = OpenFileMapping(FILE_MAP_READ, FALSE, MESSAGE_NAME);
    if (section == NULL) {
        _tprintf(TEXT("Could not open file mapping object (%d).\n"), (int)GetLastError());
        return 1;
    }
    LPCTSTR message = (LPCTSTR)MapViewOfFile(section, FILE_MAP_READ, 0, 0, MESSAGE_SIZE);
    if (message == NULL) {
        _tprintf(TEXT("Could not map view of file (%d).\n"), (int)GetLastError());
        CloseHandle(section);
        return 1;
    }

    MessageBox(NULL, message, TEXT("second"), MB_OK);

    UnmapViewOfFile(message);
    CloseHandle(section);
    return 0;
}
