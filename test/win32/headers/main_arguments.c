/* SPDX-License-Identifier: Apache-2.0 */
/* _tmain with its arguments: prints each, and how long it is. */
#include <tchar.h>
#include <windows.h>

int _tmain(int argc, TCHAR* argv[]) {
    int i;
    for (i = 1; i < argc; ++i) _tprintf(TEXT("%d %s\n"), (int)_tcslen(argv[i]), argv[i]);
    return argv[argc] == NULL ? argc : 99;
}
