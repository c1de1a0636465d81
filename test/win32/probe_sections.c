/* SPDX-License-Identifier: Apache-2.0
 * Making and opening sections; how long they live. */
#include "probe.h"

#include <string.h>

static char name[64];

static HANDLE make(DWORD size, DWORD protection) {
    return TRY(CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, protection, 0, size, name));
}

static HANDLE make_sized(DWORD high, DWORD low, DWORD protection, const char* of_name) {
    return TRY(CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, protection, high, low, of_name));
}

static HANDLE open_again(DWORD access) { return TRY(OpenFileMappingA(access, FALSE, name)); }

static void widen(WCHAR* wide, const char* narrow) {
    do *wide++ = (unsigned char)*narrow;
    while (*narrow++);
}

static void larger_size(void) {
    HANDLE larger = handle_row("create existing, larger size asked", make(65536, PAGE_READWRITE), "");
    void* view = TRY(MapViewOfFile(larger, FILE_MAP_ALL_ACCESS, 0, 0, 0));
    MEMORY_BASIC_INFORMATION info;
    memset(&info, 0, sizeof info);
    VirtualQuery(view, &info, sizeof info);
    value_row("  whole view of that handle", view ? "pointer" : "NULL",
              text("RegionSize=%u", (unsigned)info.RegionSize));
    UnmapViewOfFile(view);
    pointer_row("  view of 65536 through that handle", TRY(MapViewOfFile(larger, FILE_MAP_ALL_ACCESS, 0, 0, 65536)),
                "object is 256 bytes");
    CloseHandle(larger);
}

static void create_and_open(void) {
    WCHAR wide[64];
    strcpy(name, own_name("section"));
    widen(wide, name);
    puts("\n== sections: create / open ==");
    HANDLE first = handle_row("create fresh 256", make(256, PAGE_READWRITE), "last error on success");
    closed_row("create existing same size", make(256, PAGE_READWRITE), "");
    larger_size();
    HANDLE only_read = handle_row("create existing, PAGE_READONLY asked", make(256, PAGE_READONLY), "");
    pointer_row("  FILE_MAP_WRITE on it", TRY(MapViewOfFile(only_read, FILE_MAP_WRITE, 0, 0, 0)), "");
    CloseHandle(only_read);
    closed_row("create existing, size 0 asked", make(0, PAGE_READWRITE), "");
    closed_row("open existing", open_again(FILE_MAP_ALL_ACCESS), "last error on success");
    closed_row("open existing, access 0", open_again(0), "");
    closed_row("open missing", TRY(OpenFileMappingA(FILE_MAP_READ, FALSE, own_name("missing"))), "");
    closed_row("open NULL name", TRY(OpenFileMappingA(FILE_MAP_READ, FALSE, NULL)), "");
    closed_row("open \"\"", TRY(OpenFileMappingA(FILE_MAP_READ, FALSE, "")), "");
    closed_row("openW NULL name", TRY(OpenFileMappingW(FILE_MAP_READ, FALSE, NULL)), "");
    closed_row("openW existing (A/W share names)", TRY(OpenFileMappingW(FILE_MAP_READ, FALSE, wide)), "");
    CloseHandle(first);
    closed_row("open after last close", open_again(FILE_MAP_READ), "");
}

static void protections(void) {
    static const struct {
        const char* name;
        DWORD value;
    } all[] = {{"prot 0", 0},
               {"PAGE_NOACCESS", PAGE_NOACCESS},
               {"PAGE_EXECUTE", PAGE_EXECUTE},
               {"PAGE_READONLY", PAGE_READONLY},
               {"PAGE_WRITECOPY", PAGE_WRITECOPY},
               {"PAGE_EXECUTE_READ", PAGE_EXECUTE_READ},
               {"PAGE_EXECUTE_READWRITE", PAGE_EXECUTE_READWRITE},
               {"PAGE_EXECUTE_WRITECOPY", PAGE_EXECUTE_WRITECOPY},
               {"READWRITE|READONLY", PAGE_READWRITE | PAGE_READONLY},
               {"READWRITE|PAGE_GUARD", PAGE_READWRITE | PAGE_GUARD},
               {"RW|SEC_COMMIT", PAGE_READWRITE | SEC_COMMIT},
               {"RW|SEC_RESERVE", PAGE_READWRITE | SEC_RESERVE},
               {"RW|SEC_COMMIT|SEC_RESERVE", PAGE_READWRITE | SEC_COMMIT | SEC_RESERVE},
               {"RW|SEC_NOCACHE", PAGE_READWRITE | SEC_NOCACHE},
               {"RW|SEC_COMMIT|SEC_NOCACHE", PAGE_READWRITE | SEC_COMMIT | SEC_NOCACHE},
               {"RW|SEC_IMAGE", PAGE_READWRITE | SEC_IMAGE},
               {"READONLY|SEC_IMAGE", PAGE_READONLY | SEC_IMAGE},
               {"RW|SEC_LARGE_PAGES", PAGE_READWRITE | SEC_LARGE_PAGES},
               {"RW|SEC_COMMIT|SEC_LARGE_PAGES", PAGE_READWRITE | SEC_COMMIT | SEC_LARGE_PAGES}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; ++i)
        closed_row(text("protect %s", all[i].name), make_sized(0, 65536, all[i].value, NULL), "");
}

static void bad_arguments(void) {
    puts("\n== sections: bad arguments ==");
    closed_row("size 0, INVALID_HANDLE_VALUE", make_sized(0, 0, PAGE_READWRITE, name), "");
    closed_row("size 0 unnamed", make_sized(0, 0, PAGE_READWRITE, NULL), "");
    closed_row("size 0x7fffffff_ffffffff", make_sized(0x7fffffff, 0xffffffff, PAGE_READWRITE, NULL), "");
    closed_row("size 0xffffffff_ffffffff", make_sized(0xffffffff, 0xffffffff, PAGE_READWRITE, NULL), "");
    closed_row("size 4 GiB SEC_RESERVE", make_sized(1, 0, PAGE_READWRITE | SEC_RESERVE, NULL), "");
    closed_row("size 4 GiB SEC_COMMIT", make_sized(1, 0, PAGE_READWRITE | SEC_COMMIT, NULL), "");
    protections();
    closed_row("hFile NULL", TRY(CreateFileMappingA(NULL, NULL, PAGE_READWRITE, 0, 65536, NULL)), "");
    closed_row("hFile bogus", TRY(CreateFileMappingA((HANDLE)(ULONG_PTR)0xdead0, NULL, PAGE_READWRITE, 0, 65536, NULL)),
               "");
}

static void other_kinds(void) {
    puts("\n== sections: name already another kind ==");
    HANDLE mutex = CreateMutexA(NULL, FALSE, name);
    closed_row("mutex holds name, CreateFileMapping", make(256, PAGE_READWRITE), "");
    closed_row("mutex holds name, OpenFileMapping", open_again(FILE_MAP_READ), "");
    closed_row("mutex holds name, CreateEvent", TRY(CreateEventA(NULL, TRUE, FALSE, name)), "");
    closed_row("mutex holds name, OpenEvent", TRY(OpenEventA(SYNCHRONIZE, FALSE, name)), "");
    closed_row("mutex holds name, CreateSemaphore", TRY(CreateSemaphoreA(NULL, 0, 1, name)), "");
    CloseHandle(mutex);
    HANDLE section = make(256, PAGE_READWRITE);
    closed_row("section holds name, CreateMutex", TRY(CreateMutexA(NULL, FALSE, name)), "");
    closed_row("section holds name, OpenMutex", TRY(OpenMutexA(SYNCHRONIZE, FALSE, name)), "");
    CloseHandle(section);
}

static void lifetime(void) {
    puts("\n== sections: lifetime ==");
    HANDLE first = make(4096, PAGE_READWRITE);
    char* old_view = MapViewOfFile(first, FILE_MAP_ALL_ACCESS, 0, 0, 0);
    strcpy(old_view, "old");
    CloseHandle(first);
    strcat(old_view, "+");
    value_row("view after CloseHandle", old_view, "still readable and writable");
    closed_row("open by name while only a view remains", open_again(FILE_MAP_READ), "");
    HANDLE second = handle_row("create again while the old view remains", make(4096, PAGE_READWRITE), "");
    char* new_view = MapViewOfFile(second, FILE_MAP_ALL_ACCESS, 0, 0, 0);
    value_row("  contents of new object", *new_view ? new_view : "(zero)", "");
    strcpy(new_view, "new");
    value_row("  old view now", old_view, "distinct memory");
    UnmapViewOfFile(old_view);
    UnmapViewOfFile(new_view);

    HANDLE self = GetCurrentProcess();
    HANDLE copy = NULL;
    DuplicateHandle(self, second, self, &copy, 0, FALSE, DUPLICATE_SAME_ACCESS);
    CloseHandle(second);
    closed_row("duplicate keeps the name alive", open_again(FILE_MAP_READ), "");
    HANDLE reduced = NULL;
    bool_row("DuplicateHandle, reduced to FILE_MAP_READ",
             TRY(DuplicateHandle(self, copy, self, &reduced, FILE_MAP_READ, FALSE, 0)), "");
    pointer_row("  map WRITE through it", TRY(MapViewOfFile(reduced, FILE_MAP_WRITE, 0, 0, 0)), "");
    CloseHandle(reduced);
    HANDLE moved = NULL;
    bool_row("DuplicateHandle CLOSE_SOURCE",
             TRY(DuplicateHandle(self, copy, self, &moved, 0, FALSE, DUPLICATE_SAME_ACCESS | DUPLICATE_CLOSE_SOURCE)),
             "");
    value_row("  the new handle has the old value", moved == copy ? "yes" : "no", "");
    CloseHandle(moved);

    HANDLE target = (HANDLE)(ULONG_PTR)0x77770;
    bool_row("DuplicateHandle bogus source",
             TRY(DuplicateHandle(self, (HANDLE)(ULONG_PTR)0xdead0, self, &target, 0, FALSE, DUPLICATE_SAME_ACCESS)),
             "");
    value_row("  target", target ? "unchanged" : "NULL", "");
    bool_row("DuplicateHandle NULL source",
             TRY(DuplicateHandle(self, NULL, self, &target, 0, FALSE, DUPLICATE_SAME_ACCESS)), "");
}

void probe_sections(void) {
    create_and_open();
    bad_arguments();
    other_kinds();
    lifetime();
}
