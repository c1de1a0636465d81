/* SPDX-License-Identifier: Apache-2.0
 * Views of sections. */
#include "probe.h"

#include <string.h>

enum { kSize = 0x30000 };

static HANDLE unnamed(DWORD size, DWORD protection) {
    return CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, protection, 0, size, NULL);
}

/* The row of a view that is not used any further. */
static void view_row(const char* row_name, HANDLE section, DWORD access, DWORD offset_high, DWORD offset_low,
                     SIZE_T size) {
    void* view = pointer_row(row_name, TRY(MapViewOfFile(section, access, offset_high, offset_low, size)), "");
    if (view) UnmapViewOfFile(view);
}

static void whole_row(const char* row_name, HANDLE section, DWORD access) {
    view_row(row_name, section, access, 0, 0, 0);
}

static SIZE_T region_of(const void* view) {
    MEMORY_BASIC_INFORMATION info;
    memset(&info, 0, sizeof info);
    VirtualQuery(view, &info, sizeof info);
    return info.RegionSize;
}

static void offsets_and_lengths(HANDLE section) {
    unsigned char* all =
        pointer_row("map all", TRY(MapViewOfFile(section, FILE_MAP_ALL_ACCESS, 0, 0, 0)), "last error on success");
    unsigned bits = 0;
    for (DWORD i = 0; i < kSize; ++i) bits |= all[i];
    wait_ended("  OR of all bytes (zero-init)", bits, "");
    value_row("  base alignment", text("address %% 65536 = %u", (unsigned)((ULONG_PTR)all % 65536)), "");
    unsigned char* part = pointer_row("offset 0x10000 len 0x1000",
                                      TRY(MapViewOfFile(section, FILE_MAP_ALL_ACCESS, 0, 0x10000, 0x1000)), "");
    all[0x10000] = 42;
    wait_ended("  coherent with first view", part[0], "");
    UnmapViewOfFile(part);
    void* rest = pointer_row("offset 0x10000 len 0 (to end)",
                             TRY(MapViewOfFile(section, FILE_MAP_ALL_ACCESS, 0, 0x10000, 0)), "");
    value_row("  region", text("RegionSize=0x%x", (unsigned)region_of(rest)), "");
    UnmapViewOfFile(rest);
    UnmapViewOfFile(all);

    const DWORD access = FILE_MAP_ALL_ACCESS;
    view_row("offset 0x1000", section, access, 0, 0x1000, 0x1000);
    view_row("offset 1", section, access, 0, 1, 0x1000);
    view_row("length past the end by 1", section, access, 0, 0, kSize + 1);
    view_row("offset+length past the end", section, access, 0, 0x20000, 0x10001);
    view_row("offset == size, length 0", section, access, 0, kSize, 0);
    view_row("offset > size, length 0", section, access, 0, kSize + 0x10000, 0);
    view_row("offset > size, length 0x1000", section, access, 0, kSize + 0x10000, 0x1000);
    view_row("offset 4 GiB", section, access, 1, 0, 0);
    view_row("length SIZE_MAX", section, access, 0, 0, (SIZE_T)-1);
    whole_row("access 0", section, 0);
}

static void private_copy(HANDLE section) {
    unsigned char* original = MapViewOfFile(section, FILE_MAP_ALL_ACCESS, 0, 0, 0);
    original[0] = 1;
    unsigned char* copy =
        pointer_row("FILE_MAP_COPY on RW section", TRY(MapViewOfFile(section, FILE_MAP_COPY, 0, 0, 0)), "");
    copy[0] = 2;
    wait_ended("  original after write to copy", original[0], "1 = private");
    UnmapViewOfFile(copy);
    UnmapViewOfFile(original);
    whole_row("FILE_MAP_EXECUTE|READ on PAGE_READWRITE", section, FILE_MAP_EXECUTE | FILE_MAP_READ);
}

static void bad_handles(void) {
    HANDLE event = CreateEventA(NULL, TRUE, FALSE, NULL);
    whole_row("handle NULL", NULL, FILE_MAP_READ);
    whole_row("handle INVALID_HANDLE_VALUE", INVALID_HANDLE_VALUE, FILE_MAP_READ);
    whole_row("handle bogus", (HANDLE)(ULONG_PTR)0xdead0, FILE_MAP_READ);
    whole_row("handle of an event", event, FILE_MAP_READ);
    CloseHandle(event);
}

static void at_addresses(HANDLE section) {
    char* used = MapViewOfFile(section, FILE_MAP_READ, 0, 0, 0);
    char* hole = MapViewOfFile(section, FILE_MAP_READ, 0, 0, 0);
    UnmapViewOfFile(hole);
    pointer_row("Ex at an address in use", TRY(MapViewOfFileEx(section, FILE_MAP_READ, 0, 0, 0, used)), "");
    pointer_row("Ex at a misaligned address", TRY(MapViewOfFileEx(section, FILE_MAP_READ, 0, 0, 0x1000, hole + 0x1000)),
                "");
    void* there = TRY(MapViewOfFileEx(section, FILE_MAP_READ, 0, 0, 0, hole));
    pointer_row("Ex at a free aligned address", there, there == hole ? "exact" : "elsewhere");
    UnmapViewOfFile(there);
    UnmapViewOfFile(used);
}

static void by_protection(void) {
    HANDLE only_read = unnamed(65536, PAGE_READONLY);
    whole_row("FILE_MAP_WRITE on PAGE_READONLY", only_read, FILE_MAP_WRITE);
    whole_row("FILE_MAP_ALL_ACCESS on PAGE_READONLY", only_read, FILE_MAP_ALL_ACCESS);
    whole_row("FILE_MAP_COPY on PAGE_READONLY", only_read, FILE_MAP_COPY);
    whole_row("FILE_MAP_READ on PAGE_READONLY", only_read, FILE_MAP_READ);
    CloseHandle(only_read);
    HANDLE copied = unnamed(65536, PAGE_WRITECOPY);
    whole_row("FILE_MAP_WRITE on PAGE_WRITECOPY", copied, FILE_MAP_WRITE);
    whole_row("FILE_MAP_COPY on PAGE_WRITECOPY", copied, FILE_MAP_COPY);
    CloseHandle(copied);
    HANDLE small = unnamed(256, PAGE_READWRITE);
    void* page = pointer_row("256-byte object, view of 4096", TRY(MapViewOfFile(small, FILE_MAP_READ, 0, 0, 4096)),
                             "page-rounded");
    if (page) UnmapViewOfFile(page);
    view_row("256-byte object, view of 4097", small, FILE_MAP_READ, 0, 0, 4097);
    view_row("256-byte object, view of 300", small, FILE_MAP_READ, 0, 0, 300);
    CloseHandle(small);
}

static void by_rights(void) {
    static const struct {
        const char* opened;
        DWORD access;
        const char* mapped[3];
        DWORD view[3];
    } all[] = {
        {"READ", FILE_MAP_READ, {"WRITE", "ALL_ACCESS", "COPY"}, {FILE_MAP_WRITE, FILE_MAP_ALL_ACCESS, FILE_MAP_COPY}},
        {"WRITE", FILE_MAP_WRITE, {"READ", "WRITE", NULL}, {FILE_MAP_READ, FILE_MAP_WRITE, 0}},
        {"COPY(=SECTION_QUERY)", FILE_MAP_COPY, {"READ", NULL, NULL}, {FILE_MAP_READ, 0, 0}},
        {"COPY", FILE_MAP_COPY, {"COPY", NULL, NULL}, {FILE_MAP_COPY, 0, 0}},
    };
    char name[64];
    strcpy(name, own_name("rights"));
    HANDLE section = CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 4096, name);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; ++i) {
        HANDLE opened = OpenFileMappingA(all[i].access, FALSE, name);
        for (int view = 0; view < 3 && all[i].mapped[view]; ++view)
            whole_row(text("opened %s, map %s", all[i].opened, all[i].mapped[view]), opened, all[i].view[view]);
        CloseHandle(opened);
    }
    CloseHandle(section);
}

static void mapping(void) {
    puts("\n== sections: MapViewOfFile(Ex) ==");
    HANDLE section = unnamed(kSize, PAGE_READWRITE);
    offsets_and_lengths(section);
    private_copy(section);
    bad_handles();
    at_addresses(section);
    CloseHandle(section);
    by_protection();
    by_rights();
}

static void unmapping(void) {
    puts("\n== sections: UnmapViewOfFile / FlushViewOfFile ==");
    int on_stack = 0;
    HANDLE section = unnamed(0x20000, PAGE_READWRITE);
    bool_row("unmap NULL", TRY(UnmapViewOfFile(NULL)), "");
    bool_row("unmap 0xdeadbeef", TRY(UnmapViewOfFile((void*)(ULONG_PTR)0xdeadbeef)), "");
    bool_row("unmap stack address", TRY(UnmapViewOfFile(&on_stack)), "");
    void* memory = VirtualAlloc(NULL, 65536, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
    bool_row("unmap VirtualAlloc memory", TRY(UnmapViewOfFile(memory)), "");
    VirtualFree(memory, 0, MEM_RELEASE);
    char* inner = MapViewOfFile(section, FILE_MAP_ALL_ACCESS, 0, 0, 0);
    if (!bool_row("unmap address inside a view", TRY(UnmapViewOfFile(inner + 0x10000)), "")) UnmapViewOfFile(inner);
    char* view = MapViewOfFile(section, FILE_MAP_ALL_ACCESS, 0, 0, 0);
    UnmapViewOfFile(view);
    bool_row("unmap twice", TRY(UnmapViewOfFile(view)), "");

    view = MapViewOfFile(section, FILE_MAP_ALL_ACCESS, 0, 0, 0);
    bool_row("flush whole", TRY(FlushViewOfFile(view, 0)), "");
    bool_row("flush 100", TRY(FlushViewOfFile(view, 100)), "");
    bool_row("flush from an unaligned address", TRY(FlushViewOfFile(view + 123, 100)), "");
    bool_row("flush past the view", TRY(FlushViewOfFile(view, 0x20001)), "");
    bool_row("flush NULL", TRY(FlushViewOfFile(NULL, 0)), "");
    bool_row("flush stack address", TRY(FlushViewOfFile(&on_stack, 4)), "");
    UnmapViewOfFile(view);
    bool_row("flush after unmap", TRY(FlushViewOfFile(view, 0)), "");

    bool_row("CloseHandle", TRY(CloseHandle(section)), "");
    bool_row("CloseHandle twice", TRY(CloseHandle(section)), "");
    bool_row("CloseHandle NULL", TRY(CloseHandle(NULL)), "");
    bool_row("CloseHandle INVALID_HANDLE_VALUE", TRY(CloseHandle(INVALID_HANDLE_VALUE)),
             "it is the current-process pseudo handle");
}

static void querying(void) {
    puts("\n== VirtualQuery of a view ==");
    MEMORY_BASIC_INFORMATION info;
    HANDLE section = unnamed(5000, PAGE_READWRITE);
    char* view = MapViewOfFile(section, FILE_MAP_ALL_ACCESS, 0, 0, 0);
    memset(&info, 0, sizeof info);
    const SIZE_T size = VirtualQuery(view + 100, &info, sizeof info);
    value_row("5000-byte RW view, address+100", size == sizeof info ? "whole" : "not whole",
              text("base+%d alloc+%d region=%u", (int)((char*)info.BaseAddress - view),
                   (int)((char*)info.AllocationBase - view), (unsigned)info.RegionSize));
    value_row("  state and protection", "",
              text("State=%x Protect=%x AllocProtect=%x Type=%x", (unsigned)info.State, (unsigned)info.Protect,
                   (unsigned)info.AllocationProtect, (unsigned)info.Type));
    UnmapViewOfFile(view);
    CloseHandle(section);
}

void probe_views(void) {
    mapping();
    unmapping();
    querying();
}
