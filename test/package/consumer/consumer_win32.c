/* SPDX-License-Identifier: Apache-2.0 */
#include <windows.h>

#include <string.h>

int main(void) {
    HANDLE made = CreateFileMapping(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 256, TEXT("consumer"));
    HANDLE opened = OpenFileMapping(FILE_MAP_READ, FALSE, TEXT("consumer"));
    char *written = (char *)MapViewOfFile(made, FILE_MAP_WRITE, 0, 0, 0);
    const char *read = (const char *)MapViewOfFile(opened, FILE_MAP_READ, 0, 0, 0);
    if (written == NULL || read == NULL) return 1;
    strcpy(written, "seen");
    return strcmp(read, "seen") == 0 ? 0 : 2;
}
