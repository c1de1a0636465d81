/* SPDX-License-Identifier: Apache-2.0 */
#include <windows.h>
#include <tchar.h>

int __cdecl _tmain(int argc, LPTSTR argv[], LPTSTR environment[]) {
    LPTSTR* variable;
    for (variable = environment; *variable; ++variable)
        if (_tcsstr(*variable, TEXT("COMAP_HEADERS=")) == *variable) _tprintf(TEXT("%s %s"), argv[0] ? TEXT("got") : TEXT("lost"), *variable);
    return argc;
}
