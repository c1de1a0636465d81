// SPDX-License-Identifier: Apache-2.0
// Reads the string that write_string.py shares. Declares what it needs of the library itself; $COMAP_WIN32_LIBRARY is its path.
import koffi from 'koffi';

const SYNCHRONIZE = 0x00100000;
const FILE_MAP_READ = 4;
const WAIT_OBJECT_0 = 0;
const WAIT_ABANDONED = 0x80;
const SIZE = 4096;

const library = koffi.load(process.env.COMAP_WIN32_LIBRARY ?? 'libcomap-win32.so');
const GetLastError = library.func('uint32_t GetLastError()');
const OpenFileMappingA = library.func('void* OpenFileMappingA(uint32_t access, int inherit, const char* name)');
const MapViewOfFile = library.func('void* MapViewOfFile(void* section, uint32_t access, uint32_t high, uint32_t low, size_t size)');
const UnmapViewOfFile = library.func('int UnmapViewOfFile(void* view)');
const OpenMutexA = library.func('void* OpenMutexA(uint32_t access, int inherit, const char* name)');
const WaitForSingleObject = library.func('uint32_t WaitForSingleObject(void* handle, uint32_t milliseconds)');
const ReleaseMutex = library.func('int ReleaseMutex(void* mutex)');
const CloseHandle = library.func('int CloseHandle(void* handle)');

function must(result, what) {
  if (result) return result;
  console.log(`${what} failed with ${GetLastError()}`);
  process.exit(1);
}

// The bytes up to the first NUL, copied while nobody writes.
function readString(view, mutex) {
  const end = WaitForSingleObject(mutex, 5000);
  must(end === WAIT_OBJECT_0 || end === WAIT_ABANDONED, 'waiting for the mutex');
  const bytes = Uint8Array.from(koffi.decode(view, koffi.array('uint8_t', SIZE)));
  ReleaseMutex(mutex);
  const length = bytes.indexOf(0);
  return new TextDecoder().decode(length < 0 ? bytes : bytes.subarray(0, length));
}

const mutex = must(OpenMutexA(SYNCHRONIZE, 0, 'Local\\comap-example-string-mutex'), 'OpenMutex');
const section = must(OpenFileMappingA(FILE_MAP_READ, 0, 'Local\\comap-example-string'), 'OpenFileMapping');
const view = must(MapViewOfFile(section, FILE_MAP_READ, 0, 0, SIZE), 'MapViewOfFile');
console.log(`read: ${readString(view, mutex)}`);
UnmapViewOfFile(view);
CloseHandle(section);
CloseHandle(mutex);
