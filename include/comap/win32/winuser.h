/* SPDX-License-Identifier: Apache-2.0 */
/* Messages to people, on the terminal. */
#ifndef COMAP_WIN32_WINUSER_H
#define COMAP_WIN32_WINUSER_H

#include "winbase.h"

#define MB_OK 0x0u
#define MB_OKCANCEL 0x1u
#define MB_ABORTRETRYIGNORE 0x2u
#define MB_YESNOCANCEL 0x3u
#define MB_YESNO 0x4u
#define MB_RETRYCANCEL 0x5u
#define MB_CANCELTRYCONTINUE 0x6u
#define MB_TYPEMASK 0xFu
#define MB_ICONHAND 0x10u
#define MB_ICONQUESTION 0x20u
#define MB_ICONEXCLAMATION 0x30u
#define MB_ICONASTERISK 0x40u
#define MB_ICONERROR MB_ICONHAND
#define MB_ICONSTOP MB_ICONHAND
#define MB_ICONWARNING MB_ICONEXCLAMATION
#define MB_ICONINFORMATION MB_ICONASTERISK
#define MB_DEFBUTTON1 0x000u
#define MB_DEFBUTTON2 0x100u
#define MB_DEFBUTTON3 0x200u
#define MB_DEFBUTTON4 0x300u
#define MB_DEFMASK 0xF00u
#define MB_APPLMODAL 0x0000u
#define MB_SYSTEMMODAL 0x1000u
#define MB_TASKMODAL 0x2000u
#define MB_SETFOREGROUND 0x00010000u
#define MB_TOPMOST 0x00040000u
#define IDOK 1
#define IDCANCEL 2
#define IDABORT 3
#define IDRETRY 4
#define IDIGNORE 5
#define IDYES 6
#define IDNO 7
#define IDTRYAGAIN 10
#define IDCONTINUE 11

COMAP_WIN32_BEGIN

/* A framed message with its caption; waits for Enter, or for the key of an answer. Only prints, and gives the default answer,
 * where there is no terminal to ask. */
WINUSERAPI int WINAPI MessageBoxA(HWND hWnd, LPCSTR lpText, LPCSTR lpCaption, UINT uType);
WINUSERAPI int WINAPI MessageBoxW(HWND hWnd, LPCWSTR lpText, LPCWSTR lpCaption, UINT uType);

/* At most 1,024 characters, the ending one included. */
WINUSERAPI int WINAPIV wsprintfA(LPSTR out, LPCSTR format, ...);
WINUSERAPI int WINAPIV wsprintfW(LPWSTR out, LPCWSTR format, ...);
WINUSERAPI int WINAPI wvsprintfA(LPSTR out, LPCSTR format, va_list arguments);
WINUSERAPI int WINAPI wvsprintfW(LPWSTR out, LPCWSTR format, va_list arguments);

COMAP_WIN32_END

#define MessageBox COMAP_WIN32_AW(MessageBox)
#define wsprintf COMAP_WIN32_AW(wsprintf)
#define wvsprintf COMAP_WIN32_AW(wvsprintf)

#endif
