/* SPDX-License-Identifier: Apache-2.0
 * Which names are taken, which spellings are one object, how long a name may be. */
#include "probe.h"

#include <string.h>

static HANDLE make(const char* name) {
    return TRY(CreateFileMappingA(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 256, name));
}

static void try_name(const char* shown, const char* name) {
    HANDLE section = handle_row(text("create %s", shown), make(name), "");
    closed_row(text("  open %s", shown), TRY(OpenFileMappingA(FILE_MAP_READ, FALSE, name)), "");
    if (section) CloseHandle(section);
    closed_row(text("  CreateMutex %s", shown), TRY(CreateMutexA(NULL, FALSE, name)), "");
}

static void is_one_object(const char* first, const char* second, const char* shown) {
    HANDLE made = make(first);
    HANDLE found = made ? OpenFileMappingA(FILE_MAP_READ, FALSE, second) : NULL;
    value_row(text("%s == %s", first, shown), !made ? "-1" : found ? "1" : "0", "");
    if (found) CloseHandle(found);
    if (made) CloseHandle(made);
}

static void try_length(char kind, unsigned length) {
    static char narrow[40001];
    static WCHAR wide[40001];
    for (unsigned i = 0; i < length; ++i) wide[i] = 'x';
    memset(narrow, 'x', length);
    narrow[length] = 0;
    wide[length] = 0;
    closed_row(
        text("%c, %u", kind, length),
        kind == 'A' ? make(narrow) : TRY(CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, 256, wide)),
        "");
}

static void try_global_length(unsigned length) {
    static char name[301] = "Global\\";
    memset(name + 7, 'x', length - 7);
    name[length] = 0;
    closed_row(text("A, %u in all with Global\\", length), make(name), "");
}

void probe_names(void) {
    static const char* const quoted[] = {"", "a\\b", "\\x", "a\\", "\\", "a/b", " ", ".", "..", "a*?<>|:"};
    static const char* const plain[] = {"Global\\x",     "Local\\x",     "global\\x",        "GLOBAL\\x",
                                        "local\\x",      "Global\\",     "Local\\",          "Global",
                                        "Local",         "Global\\a\\b", "Local\\a\\b",      "Session\\0\\x",
                                        "Session\\1\\x", "Global/x",     "Global\\Global\\x"};
    static const char* const pairs[][2] = {{"q", "Local\\q"},
                                           {"q", "Global\\q"},
                                           {"Local\\q", "Global\\q"},
                                           {"Local\\q", "local\\q"},
                                           {"Global\\q", "global\\q"},
                                           {"q", "Q"},
                                           {"Local\\q", "Local\\Q"},
                                           {"q", "q "},
                                           {"q", "Session\\1\\q"},
                                           {"q", "Session\\0\\q"},
                                           {"Global\\q", "Session\\0\\q"},
                                           {"a/b", "a\\b"}};
    static const unsigned lengths[] = {100, 200, 250, 253, 254,  255,   256,   257,   258,  259,
                                       260, 261, 262, 300, 1000, 32000, 32700, 32767, 40000};
    puts("\n== names ==");
    for (size_t i = 0; i < sizeof quoted / sizeof quoted[0]; ++i) try_name(text("\"%s\"", quoted[i]), quoted[i]);
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; ++i) try_name(plain[i], plain[i]);
    puts("-- which spellings are one object (1 yes, 0 no, -1 create failed) --");
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; ++i)
        is_one_object(pairs[i][0], pairs[i][1], strcmp(pairs[i][1], "q ") == 0 ? "\"q \"" : pairs[i][1]);
    puts("-- name lengths (characters, no prefix) --");
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; ++i) {
        try_length('A', lengths[i]);
        try_length('W', lengths[i]);
    }
    try_global_length(253);
    try_global_length(254);
    try_global_length(260);
}
