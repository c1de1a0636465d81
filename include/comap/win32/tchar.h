/* SPDX-License-Identifier: Apache-2.0 */
/* Names for text that is char, or WCHAR where UNICODE is defined. The wide functions are our own: those of the C library take
 * a wchar_t of 32 bits. Both printf families follow Microsoft's: %s is a string of TCHAR, %S one of the other kind, %hs char,
 * %ls WCHAR; %ld and %lu take 32 bits, %lld and %I64d take 64. */
#ifndef COMAP_WIN32_TCHAR_H
#define COMAP_WIN32_TCHAR_H

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <wctype.h>

#include "windef.h"

#define _T(quote) __TEXT(quote)
#define _TEXT(quote) __TEXT(quote)
#define _TRUNCATE ((size_t)-1)
typedef int errno_t;
typedef int _TINT;

COMAP_WIN32_BEGIN

#define COMAP_WIN32_PRINTING(prefix, T)                                                                                    \
    WINBASEAPI int prefix##printf(const T* format, ...);                                                                   \
    WINBASEAPI int prefix##fprintf(FILE* file, const T* format, ...);                                                      \
    WINBASEAPI int prefix##sprintf(T* out, const T* format, ...);                                                          \
    WINBASEAPI int prefix##snprintf(T* out, size_t count, const T* format, ...);                                           \
    WINBASEAPI int prefix##sprintf_s(T* out, size_t count, const T* format, ...);                                          \
    WINBASEAPI int prefix##snprintf_s(T* out, size_t count, size_t length_max, const T* format, ...);                      \
    WINBASEAPI int prefix##vprintf(const T* format, va_list arguments);                                                    \
    WINBASEAPI int prefix##vfprintf(FILE* file, const T* format, va_list arguments);                                       \
    WINBASEAPI int prefix##vsprintf(T* out, const T* format, va_list arguments);                                           \
    WINBASEAPI int prefix##vsnprintf(T* out, size_t count, const T* format, va_list arguments);                            \
    WINBASEAPI int prefix##vsprintf_s(T* out, size_t count, const T* format, va_list arguments);                           \
    WINBASEAPI int prefix##vsnprintf_s(T* out, size_t count, size_t length_max, const T* format, va_list arguments)
COMAP_WIN32_PRINTING(comap_t, char);
COMAP_WIN32_PRINTING(comap_w, WCHAR);
#undef COMAP_WIN32_PRINTING

/* 0, EINVAL or ERANGE; a text that does not fit leaves an empty one. */
#define COMAP_WIN32_CHECKED_COPIES(prefix, T)                                                                              \
    WINBASEAPI errno_t prefix##cscpy_s(T* out, size_t count, const T* text);                                               \
    WINBASEAPI errno_t prefix##csncpy_s(T* out, size_t count, const T* text, size_t length_max);                           \
    WINBASEAPI errno_t prefix##cscat_s(T* out, size_t count, const T* text)
COMAP_WIN32_CHECKED_COPIES(comap_t, char);
COMAP_WIN32_CHECKED_COPIES(comap_w, WCHAR);
#undef COMAP_WIN32_CHECKED_COPIES

/* Each as its namesake of <string.h>, <stdlib.h> or <stdio.h>; files hold UTF-8. */
WINBASEAPI size_t comap_wcslen(const WCHAR* text);
WINBASEAPI size_t comap_wcsnlen(const WCHAR* text, size_t count_max);
WINBASEAPI WCHAR* comap_wcscpy(WCHAR* out, const WCHAR* text);
WINBASEAPI WCHAR* comap_wcsncpy(WCHAR* out, const WCHAR* text, size_t count);
WINBASEAPI WCHAR* comap_wcscat(WCHAR* out, const WCHAR* text);
WINBASEAPI WCHAR* comap_wcsncat(WCHAR* out, const WCHAR* text, size_t count);
WINBASEAPI int comap_wcscmp(const WCHAR* a, const WCHAR* b);
WINBASEAPI int comap_wcsncmp(const WCHAR* a, const WCHAR* b, size_t count);
WINBASEAPI int comap_wcsicmp(const WCHAR* a, const WCHAR* b);
WINBASEAPI int comap_wcsnicmp(const WCHAR* a, const WCHAR* b, size_t count);
WINBASEAPI WCHAR* comap_wcschr(const WCHAR* text, WCHAR wanted);
WINBASEAPI WCHAR* comap_wcsrchr(const WCHAR* text, WCHAR wanted);
WINBASEAPI WCHAR* comap_wcsstr(const WCHAR* text, const WCHAR* wanted);
WINBASEAPI WCHAR* comap_wcspbrk(const WCHAR* text, const WCHAR* wanted);
WINBASEAPI size_t comap_wcsspn(const WCHAR* text, const WCHAR* wanted);
WINBASEAPI size_t comap_wcscspn(const WCHAR* text, const WCHAR* wanted);
WINBASEAPI WCHAR* comap_wcstok_s(WCHAR* text, const WCHAR* delimiters, WCHAR** rest);
WINBASEAPI WCHAR* comap_wcsdup(const WCHAR* text);
WINBASEAPI long comap_wcstol(const WCHAR* text, WCHAR** end, int base);
WINBASEAPI unsigned long comap_wcstoul(const WCHAR* text, WCHAR** end, int base);
WINBASEAPI LONGLONG comap_wcstoll(const WCHAR* text, WCHAR** end, int base);
WINBASEAPI ULONGLONG comap_wcstoull(const WCHAR* text, WCHAR** end, int base);
WINBASEAPI double comap_wcstod(const WCHAR* text, WCHAR** end);
WINBASEAPI int comap_wtoi(const WCHAR* text);
WINBASEAPI long comap_wtol(const WCHAR* text);
WINBASEAPI LONGLONG comap_wtoll(const WCHAR* text);
WINBASEAPI double comap_wtof(const WCHAR* text);
WINBASEAPI WCHAR* comap_wfgets(WCHAR* out, int count, FILE* file);
WINBASEAPI int comap_wfputs(const WCHAR* text, FILE* file);
WINBASEAPI int comap_wputs(const WCHAR* text);
WINBASEAPI int comap_wputchar(WCHAR unit);
WINBASEAPI FILE* comap_wfopen(const WCHAR* path, const WCHAR* mode);
WINBASEAPI WCHAR* comap_wgetenv(const WCHAR* name);
WINBASEAPI int comap_wsystem(const WCHAR* command);

/* In place; of char only ASCII, since other characters could become longer. */
WINBASEAPI char* comap_tcsupr(char* text);
WINBASEAPI char* comap_tcslwr(char* text);
WINBASEAPI WCHAR* comap_wcsupr(WCHAR* text);
WINBASEAPI WCHAR* comap_wcslwr(WCHAR* text);

/* Calls `wide_main` with the arguments and the environment as UTF-16. */
WINBASEAPI int comap_run_wide_main(int count, char** arguments, int (*wide_main)(int, WCHAR**, WCHAR**));

COMAP_WIN32_END

#ifdef UNICODE
#define COMAP_WIN32_T(name) comap_w##name
#define _tcslen comap_wcslen
#define _tcsnlen comap_wcsnlen
#define _tcscpy comap_wcscpy
#define _tcsncpy comap_wcsncpy
#define _tcscat comap_wcscat
#define _tcsncat comap_wcsncat
#define _tcscmp comap_wcscmp
#define _tcsncmp comap_wcsncmp
#define _tcsicmp comap_wcsicmp
#define _tcsnicmp comap_wcsnicmp
#define _tcschr comap_wcschr
#define _tcsrchr comap_wcsrchr
#define _tcsstr comap_wcsstr
#define _tcspbrk comap_wcspbrk
#define _tcsspn comap_wcsspn
#define _tcscspn comap_wcscspn
#define _tcstok_s comap_wcstok_s
#define _tcsdup comap_wcsdup
#define _tcstol comap_wcstol
#define _tcstoul comap_wcstoul
#define _tcstoi64 comap_wcstoll
#define _tcstoui64 comap_wcstoull
#define _tcstod comap_wcstod
#define _ttoi comap_wtoi
#define _ttol comap_wtol
#define _ttoi64 comap_wtoll
#define _ttof comap_wtof
#define _fgetts comap_wfgets
#define _fputts comap_wfputs
#define _putts comap_wputs
#define _puttchar comap_wputchar
#define _tfopen comap_wfopen
#define _tgetenv comap_wgetenv
#define _tsystem comap_wsystem
#define _istalpha iswalpha
#define _istdigit iswdigit
#define _istalnum iswalnum
#define _istspace iswspace
#define _istprint iswprint
#define _istupper iswupper
#define _istlower iswlower
#define _totupper towupper
#define _totlower towlower
/* The program's function becomes comap_wide_main, of whatever result and arguments it has; what is before it, and the main
 * that calls it, is written here. */
#ifdef __cplusplus
#define COMAP_WIN32_C_NAME extern "C"
#else
#define COMAP_WIN32_C_NAME extern
#endif
#define _tmain                                                                                                             \
    comap_type_of_main(void);                                                                                              \
    COMAP_WIN32_C_NAME int comap_wide_main_as_called(int, WCHAR**, WCHAR**) __asm__("comap_wide_main");                    \
    int main(int count, char** arguments) { return comap_run_wide_main(count, arguments, comap_wide_main_as_called); }     \
    COMAP_WIN32_C_NAME __typeof__(comap_type_of_main()) comap_wide_main
#else
#define COMAP_WIN32_T(name) comap_t##name
#define _tcslen strlen
#define _tcsnlen strnlen
#define _tcscpy strcpy
#define _tcsncpy strncpy
#define _tcscat strcat
#define _tcsncat strncat
#define _tcscmp strcmp
#define _tcsncmp strncmp
#define _tcsicmp strcasecmp
#define _tcsnicmp strncasecmp
#define _tcschr strchr
#define _tcsrchr strrchr
#define _tcsstr strstr
#define _tcspbrk strpbrk
#define _tcsspn strspn
#define _tcscspn strcspn
#define _tcstok_s strtok_r
#define _tcsdup strdup
#define _tcstol strtol
#define _tcstoul strtoul
#define _tcstoi64 strtoll
#define _tcstoui64 strtoull
#define _tcstod strtod
#define _ttoi atoi
#define _ttol atol
#define _ttoi64 atoll
#define _ttof atof
#define _fgetts fgets
#define _fputts fputs
#define _putts puts
#define _puttchar putchar
#define _tfopen fopen
#define _tgetenv getenv
#define _tsystem system
#define _istalpha isalpha
#define _istdigit isdigit
#define _istalnum isalnum
#define _istspace isspace
#define _istprint isprint
#define _istupper isupper
#define _istlower islower
#define _totupper toupper
#define _totlower tolower
#define _tmain main
#endif

#define _tprintf COMAP_WIN32_T(printf)
#define _tprintf_s COMAP_WIN32_T(printf)
#define _ftprintf COMAP_WIN32_T(fprintf)
#define _ftprintf_s COMAP_WIN32_T(fprintf)
#define _stprintf COMAP_WIN32_T(sprintf)
#define _sntprintf COMAP_WIN32_T(snprintf)
#define _stprintf_s COMAP_WIN32_T(sprintf_s)
#define _sntprintf_s COMAP_WIN32_T(snprintf_s)
#define _vtprintf COMAP_WIN32_T(vprintf)
#define _vtprintf_s COMAP_WIN32_T(vprintf)
#define _vftprintf COMAP_WIN32_T(vfprintf)
#define _vftprintf_s COMAP_WIN32_T(vfprintf)
#define _vstprintf COMAP_WIN32_T(vsprintf)
#define _vsntprintf COMAP_WIN32_T(vsnprintf)
#define _vstprintf_s COMAP_WIN32_T(vsprintf_s)
#define _vsntprintf_s COMAP_WIN32_T(vsnprintf_s)
#define _tcsupr COMAP_WIN32_T(csupr)
#define _tcslwr COMAP_WIN32_T(cslwr)
#define _tcscpy_s COMAP_WIN32_T(cscpy_s)
#define _tcsncpy_s COMAP_WIN32_T(csncpy_s)
#define _tcscat_s COMAP_WIN32_T(cscat_s)
#define _tstoi _ttoi
#define _tstol _ttol
#define _tstof _ttof

/* In C++ the size of an array need not be said. */
#ifdef __cplusplus
extern "C++" {
template <size_t count>
errno_t _tcscpy_s(TCHAR (&out)[count], const TCHAR* text) {
    return _tcscpy_s(out, count, text);
}
template <size_t count>
errno_t _tcscat_s(TCHAR (&out)[count], const TCHAR* text) {
    return _tcscat_s(out, count, text);
}
template <size_t count, typename... Arguments>
int _stprintf_s(TCHAR (&out)[count], const TCHAR* format, Arguments... arguments) {
    return _stprintf_s(static_cast<TCHAR*>(out), count, format, arguments...);
}
}
#endif

#endif
