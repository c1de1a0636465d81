/* SPDX-License-Identifier: Apache-2.0 */
/* The types of windows.h. LONG, DWORD and BOOL have 32 bits on every machine, as they have on Windows; WCHAR has 16:
 * char16_t, or wchar_t where that has 16 bits (-fshort-wchar). */
#ifndef COMAP_WIN32_WINDEF_H
#define COMAP_WIN32_WINDEF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* windows.h asks for UNICODE, tchar.h for _UNICODE: one means both. */
#if defined(UNICODE) && !defined(_UNICODE)
#define _UNICODE
#elif defined(_UNICODE) && !defined(UNICODE)
#define UNICODE
#endif

#ifndef WINVER
#define WINVER 0x0A00
#endif
#ifndef _WIN32_WINNT
#define _WIN32_WINNT WINVER
#endif

/* Calling conventions: there is one. */
#define WINAPI
#define APIENTRY
#define CALLBACK
#define NTAPI
#define WINAPIV
#ifndef __stdcall
#define __stdcall
#endif
#ifndef __cdecl
#define __cdecl
#endif
#ifndef __fastcall
#define __fastcall
#endif
#ifndef __forceinline
#define __forceinline __inline__ __attribute__((__always_inline__))
#endif
#ifndef __int64
#define __int64 long long
#endif
/* What a declaration may say about itself. */
#ifndef __declspec
#define __declspec(what) COMAP_WIN32_DECLSPEC_##what
#define COMAP_WIN32_DECLSPEC_dllexport __attribute__((__visibility__("default")))
#define COMAP_WIN32_DECLSPEC_dllimport
#define COMAP_WIN32_DECLSPEC_noinline __attribute__((__noinline__))
#define COMAP_WIN32_DECLSPEC_noreturn __attribute__((__noreturn__))
#define COMAP_WIN32_DECLSPEC_selectany __attribute__((__weak__))
#define COMAP_WIN32_DECLSPEC_thread __thread
#define COMAP_WIN32_DECLSPEC_align(bytes) __attribute__((__aligned__(bytes)))
#endif
#define FORCEINLINE static __forceinline
#define FAR
#define NEAR
#define CONST const
#define DECLSPEC_NORETURN __attribute__((__noreturn__))
#define UNREFERENCED_PARAMETER(parameter) ((void)(parameter))
#define DBG_UNREFERENCED_PARAMETER(parameter) ((void)(parameter))

/* What the library exports. */
#define WINBASEAPI __attribute__((__visibility__("default")))
#define WINUSERAPI WINBASEAPI
#define WINADVAPI WINBASEAPI

#ifdef __cplusplus
#define COMAP_WIN32_BEGIN extern "C" {
#define COMAP_WIN32_END }
#else
#define COMAP_WIN32_BEGIN
#define COMAP_WIN32_END
#endif

/* Annotations of parameters: for readers only. */
#ifndef _In_
#define _In_
#define _In_opt_
#define _In_z_
#define _In_opt_z_
#define _Out_
#define _Out_opt_
#define _Inout_
#define _Inout_opt_
#define _Reserved_
#define _In_reads_(count)
#define _In_reads_bytes_(count)
#define _Out_writes_(count)
#define _Out_writes_bytes_(count)
#endif

#define VOID void
typedef char CHAR;
typedef signed char INT8;
typedef unsigned char UCHAR, BYTE, BOOLEAN, UINT8;
typedef short SHORT, INT16;
typedef unsigned short USHORT, WORD, UINT16, ATOM;
typedef int INT, LONG, BOOL, INT32, LONG32;
typedef unsigned int UINT, ULONG, DWORD, UINT32, ULONG32, DWORD32;
__extension__ typedef long long LONGLONG, LONG64, INT64;
__extension__ typedef unsigned long long ULONGLONG, ULONG64, DWORDLONG, DWORD64, UINT64;
typedef float FLOAT;
typedef double DOUBLE;
typedef intptr_t INT_PTR, LONG_PTR, SSIZE_T;
typedef uintptr_t UINT_PTR, ULONG_PTR, DWORD_PTR, SIZE_T, KAFFINITY;
typedef LONG NTSTATUS;
typedef DWORD COLORREF, LCID;
typedef WORD LANGID;

#if __SIZEOF_WCHAR_T__ == 2
typedef wchar_t WCHAR;
#define COMAP_WIN32_WIDE(quote) L##quote
#else
#ifndef __cplusplus
#include <uchar.h>
#endif
typedef char16_t WCHAR;
#define COMAP_WIN32_WIDE(quote) u##quote
#endif

#ifdef UNICODE
typedef WCHAR TCHAR, _TCHAR, TBYTE;
#define __TEXT(quote) COMAP_WIN32_WIDE(quote)
#else
typedef char TCHAR, _TCHAR;
typedef unsigned char TBYTE;
#define __TEXT(quote) quote
#endif
#define TEXT(quote) __TEXT(quote)

typedef void *PVOID, *LPVOID, *HANDLE, *HGLOBAL, *HLOCAL;
typedef const void *LPCVOID, *PCVOID;
typedef HANDLE *PHANDLE, *LPHANDLE;
typedef CHAR *PCHAR, *LPCH, *PCH, *LPSTR, *PSTR, *NPSTR;
typedef const CHAR *LPCCH, *PCCH, *LPCSTR, *PCSTR;
typedef WCHAR *PWCHAR, *LPWCH, *PWCH, *LPWSTR, *PWSTR;
typedef const WCHAR *LPCWCH, *PCWCH, *LPCWSTR, *PCWSTR;
typedef TCHAR *PTCHAR, *PTCH, *LPTCH, *LPTSTR, *PTSTR;
typedef const TCHAR *LPCTSTR, *PCTSTR, *LPCTCH, *PCTCH;
typedef BOOL *PBOOL, *LPBOOL;
typedef BOOLEAN* PBOOLEAN;
typedef BYTE *PBYTE, *LPBYTE;
typedef UCHAR* PUCHAR;
typedef SHORT* PSHORT;
typedef USHORT* PUSHORT;
typedef WORD *PWORD, *LPWORD;
typedef INT *PINT, *LPINT;
typedef UINT *PUINT, *LPUINT;
typedef LONG *PLONG, *LPLONG;
typedef ULONG* PULONG;
typedef DWORD *PDWORD, *LPDWORD;
typedef LONGLONG* PLONGLONG;
typedef ULONGLONG* PULONGLONG;
typedef LONG64* PLONG64;
typedef ULONG64* PULONG64;
typedef DWORD64* PDWORD64;
typedef SIZE_T* PSIZE_T;
typedef INT_PTR* PINT_PTR;
typedef UINT_PTR* PUINT_PTR;
typedef LONG_PTR* PLONG_PTR;
typedef ULONG_PTR* PULONG_PTR;
typedef DWORD_PTR* PDWORD_PTR;
typedef UINT_PTR WPARAM;
typedef LONG_PTR LPARAM, LRESULT;

#define DECLARE_HANDLE(name) typedef struct name##__* name
DECLARE_HANDLE(HWND);
DECLARE_HANDLE(HINSTANCE);
DECLARE_HANDLE(HKEY);
typedef HINSTANCE HMODULE;
typedef INT_PTR(WINAPI* FARPROC)(void);

#ifndef FALSE
#define FALSE 0
#endif
#ifndef TRUE
#define TRUE 1
#endif
#define ARRAYSIZE(array) (sizeof(array) / sizeof((array)[0]))
#ifndef _countof
#define _countof(array) ARRAYSIZE(array)
#endif
#define MAX_PATH 260
#define _MAX_PATH 260

#define LOWORD(value) ((WORD)((DWORD_PTR)(value)&0xffff))
#define HIWORD(value) ((WORD)(((DWORD_PTR)(value) >> 16) & 0xffff))
#define LOBYTE(value) ((BYTE)((DWORD_PTR)(value)&0xff))
#define HIBYTE(value) ((BYTE)(((DWORD_PTR)(value) >> 8) & 0xff))
#define MAKEWORD(low, high) ((WORD)(((BYTE)(low)) | (WORD)(((BYTE)(high)) << 8)))
#define MAKELONG(low, high) ((LONG)(((WORD)(low)) | ((DWORD)((WORD)(high))) << 16))

/* min and max would break C++ headers: there they come only when asked for by COMAP_WIN32_MINMAX. */
#if !defined(NOMINMAX) && (!defined(__cplusplus) || defined(COMAP_WIN32_MINMAX))
#ifndef min
#define min(a, b) (((a) < (b)) ? (a) : (b))
#endif
#ifndef max
#define max(a, b) (((a) > (b)) ? (a) : (b))
#endif
#endif

__extension__ typedef union _LARGE_INTEGER {
    __extension__ struct {
        DWORD LowPart;
        LONG HighPart;
    };
    struct {
        DWORD LowPart;
        LONG HighPart;
    } u;
    LONGLONG QuadPart;
} LARGE_INTEGER, *PLARGE_INTEGER;

__extension__ typedef union _ULARGE_INTEGER {
    __extension__ struct {
        DWORD LowPart;
        DWORD HighPart;
    };
    struct {
        DWORD LowPart;
        DWORD HighPart;
    } u;
    ULONGLONG QuadPart;
} ULARGE_INTEGER, *PULARGE_INTEGER;

typedef struct _FILETIME {
    DWORD dwLowDateTime;
    DWORD dwHighDateTime;
} FILETIME, *PFILETIME, *LPFILETIME;

typedef struct _SYSTEMTIME {
    WORD wYear, wMonth, wDayOfWeek, wDay, wHour, wMinute, wSecond, wMilliseconds;
} SYSTEMTIME, *PSYSTEMTIME, *LPSYSTEMTIME;

#endif
