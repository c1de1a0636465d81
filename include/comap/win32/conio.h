/* SPDX-License-Identifier: Apache-2.0 */
/* Keys as they are pressed. The terminal is as it was before each call returns, and when a signal ends the program in one. Where
 * standard input is no terminal, the next byte of it is the key, and -1 its end. */
#ifndef COMAP_WIN32_CONIO_H
#define COMAP_WIN32_CONIO_H

#include "windef.h"

COMAP_WIN32_BEGIN

/* Waits for a key and gives it; not shown. Enter is '\r'. */
WINBASEAPI int _getch(void);
/* The same; the key is shown. */
WINBASEAPI int _getche(void);
/* Not 0: a key was pressed, _getch will not wait. */
WINBASEAPI int _kbhit(void);
WINBASEAPI int _putch(int character);
WINBASEAPI int _cputs(const char* text);

COMAP_WIN32_END

/* The old names, unless they are those of curses. */
#if !defined(NCURSES_VERSION) && !defined(COMAP_WIN32_NO_OLD_NAMES)
#define getch _getch
#define getche _getche
#define kbhit _kbhit
#define putch _putch
#define cputs _cputs
#endif

#endif
