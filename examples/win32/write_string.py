#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shares a string, the first word, until the input ends; node/read_string.mjs reads it. Declares what it needs of the library
itself; $COMAP_WIN32_LIBRARY is its path."""
import ctypes
import os
import sys
from ctypes import c_char_p, c_int, c_size_t, c_uint32, c_void_p

INVALID_HANDLE_VALUE = c_void_p(-1)
PAGE_READWRITE = 4
FILE_MAP_WRITE = 2
WAIT_OBJECT_0 = 0
WAIT_ABANDONED = 0x80
SIZE = 4096

library = ctypes.CDLL(os.environ.get("COMAP_WIN32_LIBRARY", "libcomap-win32.so"))


def declare(result, name, *arguments):
    function = getattr(library, name)
    function.restype, function.argtypes = result, arguments
    return function


GetLastError = declare(c_uint32, "GetLastError")
CreateFileMappingA = declare(c_void_p, "CreateFileMappingA", c_void_p, c_void_p, c_uint32, c_uint32, c_uint32, c_char_p)
MapViewOfFile = declare(c_void_p, "MapViewOfFile", c_void_p, c_uint32, c_uint32, c_uint32, c_size_t)
UnmapViewOfFile = declare(c_int, "UnmapViewOfFile", c_void_p)
CreateMutexA = declare(c_void_p, "CreateMutexA", c_void_p, c_int, c_char_p)
WaitForSingleObject = declare(c_uint32, "WaitForSingleObject", c_void_p, c_uint32)
ReleaseMutex = declare(c_int, "ReleaseMutex", c_void_p)
CloseHandle = declare(c_int, "CloseHandle", c_void_p)


def must(result, what):
    if not result:
        sys.exit(f"{what} failed with {GetLastError()}")
    return result


def write_string(view, mutex, string):
    must(WaitForSingleObject(mutex, 5000) in (WAIT_OBJECT_0, WAIT_ABANDONED), "waiting for the mutex")
    ctypes.memmove(view, string + b"\0", len(string) + 1)
    ReleaseMutex(mutex)


string = sys.argv[1].encode() if len(sys.argv) == 2 else sys.exit("usage: write_string.py STRING")
if len(string) >= SIZE:
    sys.exit(f"not written: {len(string)} bytes, and there is room for {SIZE - 1}")
mutex = must(CreateMutexA(None, False, rb"Local\comap-example-string-mutex"), "CreateMutex")
section = must(CreateFileMappingA(INVALID_HANDLE_VALUE, None, PAGE_READWRITE, 0, SIZE, rb"Local\comap-example-string"), "CreateFileMapping")
view = must(MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, SIZE), "MapViewOfFile")
write_string(view, mutex, string)
print(f"written: {len(string)} bytes", flush=True)
sys.stdin.read()
UnmapViewOfFile(view)
CloseHandle(section)
CloseHandle(mutex)
