/* SPDX-License-Identifier: Apache-2.0 */
#include <tchar.h>

int _tmain(void) {
    _putts(_T("void"));
    return 7;
}
