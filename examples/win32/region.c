/* SPDX-License-Identifier: Apache-2.0
 * region FILE OFFSET COUNT: writes that part of the file to the standard output, by a view of only the part: a view begins at a
 * multiple of the allocation granularity (64 KiB), so it begins some bytes before the part. */
#include <windows.h>

#include <stdio.h>
#include <stdlib.h>

static int fail(const char* what) {
    fprintf(stderr, "region: %s failed with %d\n", what, (int)GetLastError());
    return 1;
}

static int write_region(HANDLE file, ULONGLONG offset, SIZE_T count) {
    SYSTEM_INFO system;
    GetSystemInfo(&system);
    const ULONGLONG begin = offset - offset % system.dwAllocationGranularity;
    const SIZE_T skipped = (SIZE_T)(offset - begin);

    HANDLE section = CreateFileMapping(file, NULL, PAGE_READONLY, 0, 0, NULL); /* 0, 0: as long as the file */
    if (section == NULL) return fail("CreateFileMapping");
    const char* view = MapViewOfFile(section, FILE_MAP_READ, (DWORD)(begin >> 32), (DWORD)begin, skipped + count);
    CloseHandle(section); /* the view keeps it */
    if (view == NULL) return fail("MapViewOfFile");
    fprintf(stderr, "region: %u bytes from %u of a view that begins at %u\n", (unsigned)count, (unsigned)offset,
            (unsigned)begin);
    fwrite(view + skipped, 1, count, stdout);
    return UnmapViewOfFile(view) ? 0 : fail("UnmapViewOfFile");
}

int main(int word_count, char** words) {
    if (word_count != 4) {
        fprintf(stderr, "usage: region FILE OFFSET COUNT\n");
        return 2;
    }
    const ULONGLONG offset = strtoull(words[2], NULL, 10);
    SIZE_T count = (SIZE_T)strtoull(words[3], NULL, 10);
    LARGE_INTEGER size;
    HANDLE file =
        CreateFileA(words[1], GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
    if (file == INVALID_HANDLE_VALUE) return fail("CreateFile");
    if (!GetFileSizeEx(file, &size)) return fail("GetFileSizeEx");
    if (offset >= (ULONGLONG)size.QuadPart) {
        fprintf(stderr, "region: the file ends at %u\n", (unsigned)size.QuadPart);
        return 1;
    }
    if (count > (ULONGLONG)size.QuadPart - offset) count = (SIZE_T)((ULONGLONG)size.QuadPart - offset);
    const int result = write_region(file, offset, count);
    CloseHandle(file);
    return result;
}
