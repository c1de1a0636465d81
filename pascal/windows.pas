{ SPDX-License-Identifier: Apache-2.0
  The Win32 calls of libcomap-win32.so for Free Pascal, by the names that programs for Windows use. What ends in A takes UTF-8, what
  ends in W takes UTF-16; without a letter, both, by the type of the text. See the reference of each call for what it answers. }
unit Windows;

{$mode objfpc}{$H+}
{$packrecords c}

interface

{$linklib c}

type
  BYTE = System.Byte;
  WORD = System.Word;
  DWORD = System.LongWord;
  UINT = System.LongWord;
  LONG = System.LongInt;
  BOOL = System.LongBool;
  HANDLE = System.PtrUInt;
  THandle = HANDLE; { System.THandle has 32 bits here }
  SIZE_T = System.PtrUInt;
  ULONG_PTR = System.PtrUInt;
  WCHAR = System.WideChar;
  LPVOID = System.Pointer;
  LPCVOID = System.Pointer;
  LPSTR = System.PAnsiChar;
  LPCSTR = System.PAnsiChar;
  LPWSTR = System.PWideChar;
  LPCWSTR = System.PWideChar;
  PHANDLE = ^HANDLE;
  LPHANDLE = ^HANDLE;
  LPDWORD = ^DWORD;
  LPLONG = ^LONG;
  HWND = HANDLE;
  HMODULE = HANDLE;

  SECURITY_ATTRIBUTES = record
    nLength: DWORD;
    lpSecurityDescriptor: LPVOID;
    bInheritHandle: BOOL;
  end;
  TSecurityAttributes = SECURITY_ATTRIBUTES;
  PSecurityAttributes = ^TSecurityAttributes;
  LPSECURITY_ATTRIBUTES = PSecurityAttributes;

  MEMORY_BASIC_INFORMATION = record
    BaseAddress: LPVOID;
    AllocationBase: LPVOID;
    AllocationProtect: DWORD;
    {$ifdef CPU64}
    PartitionId: WORD;
    {$endif}
    RegionSize: SIZE_T;
    State: DWORD;
    Protect: DWORD;
    AType: DWORD;
  end;
  TMemoryBasicInformation = MEMORY_BASIC_INFORMATION;
  PMemoryBasicInformation = ^TMemoryBasicInformation;

  SYSTEM_INFO = record
    wProcessorArchitecture: WORD;
    wReserved: WORD;
    dwPageSize: DWORD;
    lpMinimumApplicationAddress: LPVOID;
    lpMaximumApplicationAddress: LPVOID;
    dwActiveProcessorMask: ULONG_PTR;
    dwNumberOfProcessors: DWORD;
    dwProcessorType: DWORD;
    dwAllocationGranularity: DWORD;
    wProcessorLevel: WORD;
    wProcessorRevision: WORD;
  end;
  TSystemInfo = SYSTEM_INFO;
  PSystemInfo = ^TSystemInfo;

  STARTUPINFOA = record
    cb: DWORD;
    lpReserved, lpDesktop, lpTitle: LPSTR;
    dwX, dwY, dwXSize, dwYSize, dwXCountChars, dwYCountChars, dwFillAttribute, dwFlags: DWORD;
    wShowWindow, cbReserved2: WORD;
    lpReserved2: Pointer;
    hStdInput, hStdOutput, hStdError: HANDLE;
  end;
  TStartupInfo = STARTUPINFOA;
  TStartupInfoA = STARTUPINFOA;
  { The same but for the type of its texts. }
  STARTUPINFOW = record
    cb: DWORD;
    lpReserved, lpDesktop, lpTitle: LPWSTR;
    dwX, dwY, dwXSize, dwYSize, dwXCountChars, dwYCountChars, dwFillAttribute, dwFlags: DWORD;
    wShowWindow, cbReserved2: WORD;
    lpReserved2: Pointer;
    hStdInput, hStdOutput, hStdError: HANDLE;
  end;
  TStartupInfoW = STARTUPINFOW;

  PROCESS_INFORMATION = record
    hProcess, hThread: HANDLE;
    dwProcessId, dwThreadId: DWORD;
  end;
  TProcessInformation = PROCESS_INFORMATION;

  { The address of a function(parameter: Pointer): DWORD; stdcall and cdecl are the same here. }
  TFNThreadStartRoutine = Pointer;

  TWOHandleArray = array[0..63] of HANDLE;
  PWOHandleArray = ^TWOHandleArray;

const
  INVALID_HANDLE_VALUE = HANDLE(-1);
  INFINITE = DWORD($FFFFFFFF);
  MAX_PATH = 260;
  MAXIMUM_WAIT_OBJECTS = 64;

  WAIT_OBJECT_0 = DWORD(0);
  WAIT_ABANDONED = DWORD($80);
  WAIT_ABANDONED_0 = DWORD($80);
  WAIT_TIMEOUT = DWORD($102);
  WAIT_FAILED = DWORD($FFFFFFFF);
  STILL_ACTIVE = DWORD($103);

  ERROR_SUCCESS = 0;
  NO_ERROR = 0;
  ERROR_FILE_NOT_FOUND = 2;
  ERROR_PATH_NOT_FOUND = 3;
  ERROR_ACCESS_DENIED = 5;
  ERROR_INVALID_HANDLE = 6;
  ERROR_NOT_ENOUGH_MEMORY = 8;
  ERROR_INVALID_PARAMETER = 87;
  ERROR_INVALID_NAME = 123;
  ERROR_BAD_PATHNAME = 161;
  ERROR_ALREADY_EXISTS = 183;
  ERROR_FILENAME_EXCED_RANGE = 206;
  ERROR_NOT_OWNER = 288;
  ERROR_TOO_MANY_POSTS = 298;
  ERROR_INVALID_ADDRESS = 487;
  ERROR_MAPPED_ALIGNMENT = 1132;

  PAGE_NOACCESS = $01;
  PAGE_READONLY = $02;
  PAGE_READWRITE = $04;
  PAGE_WRITECOPY = $08;
  PAGE_EXECUTE_READ = $20;
  PAGE_EXECUTE_READWRITE = $40;
  SEC_RESERVE = $04000000;
  SEC_COMMIT = $08000000;

  FILE_MAP_COPY = $0001;
  FILE_MAP_WRITE = $0002;
  FILE_MAP_READ = $0004;
  FILE_MAP_ALL_ACCESS = $000F001F;

  SYNCHRONIZE = $00100000;
  MUTEX_MODIFY_STATE = $0001;
  MUTEX_ALL_ACCESS = $001F0001;
  EVENT_MODIFY_STATE = $0002;
  EVENT_ALL_ACCESS = $001F0003;
  SEMAPHORE_MODIFY_STATE = $0002;
  SEMAPHORE_ALL_ACCESS = $001F0003;
  PROCESS_TERMINATE = $0001;
  PROCESS_QUERY_INFORMATION = $0400;
  PROCESS_ALL_ACCESS = $001FFFFF;
  DUPLICATE_CLOSE_SOURCE = $1;
  DUPLICATE_SAME_ACCESS = $2;
  HANDLE_FLAG_INHERIT = $1;
  HANDLE_FLAG_PROTECT_FROM_CLOSE = $2;

  GENERIC_READ = $80000000;
  GENERIC_WRITE = $40000000;
  FILE_SHARE_READ = $1;
  FILE_SHARE_WRITE = $2;
  CREATE_NEW = 1;
  CREATE_ALWAYS = 2;
  OPEN_EXISTING = 3;
  OPEN_ALWAYS = 4;
  FILE_ATTRIBUTE_NORMAL = $80;
  FILE_BEGIN = 0;
  FILE_CURRENT = 1;
  FILE_END = 2;
  STD_INPUT_HANDLE = DWORD(-10);
  STD_OUTPUT_HANDLE = DWORD(-11);
  STD_ERROR_HANDLE = DWORD(-12);

  MEM_COMMIT = $1000;
  MEM_RESERVE = $2000;
  MEM_RELEASE = $8000;
  FORMAT_MESSAGE_IGNORE_INSERTS = $0200;
  FORMAT_MESSAGE_FROM_SYSTEM = $1000;

  CP_ACP = 0;
  CP_UTF8 = 65001;
  MB_ERR_INVALID_CHARS = $8;
  WC_ERR_INVALID_CHARS = $80;
  MB_OK = 0;

const
  win32 = 'comap-win32';

{ Errors }
function GetLastError: DWORD; cdecl; external win32;
procedure SetLastError(code: DWORD); cdecl; external win32;

{ Handles }
function CloseHandle(handle: HANDLE): BOOL; cdecl; external win32;
function DuplicateHandle(sourceProcess, source, targetProcess: HANDLE; target: LPHANDLE; access: DWORD; inherit: BOOL;
  options: DWORD): BOOL; cdecl; external win32;
function GetHandleInformation(handle: HANDLE; var flags: DWORD): BOOL; cdecl; external win32;
function SetHandleInformation(handle: HANDLE; mask, flags: DWORD): BOOL; cdecl; external win32;

{ Sections }
function CreateFileMappingA(aFile: HANDLE; attributes: LPSECURITY_ATTRIBUTES; protect, sizeHigh, sizeLow: DWORD;
  name: LPCSTR): HANDLE; cdecl; external win32;
function CreateFileMappingW(aFile: HANDLE; attributes: LPSECURITY_ATTRIBUTES; protect, sizeHigh, sizeLow: DWORD;
  name: LPCWSTR): HANDLE; cdecl; external win32;
function CreateFileMapping(aFile: HANDLE; attributes: LPSECURITY_ATTRIBUTES; protect, sizeHigh, sizeLow: DWORD;
  name: LPCSTR): HANDLE; cdecl; external win32 name 'CreateFileMappingA'; overload;
function CreateFileMapping(aFile: HANDLE; attributes: LPSECURITY_ATTRIBUTES; protect, sizeHigh, sizeLow: DWORD;
  name: LPCWSTR): HANDLE; cdecl; external win32 name 'CreateFileMappingW'; overload;
function OpenFileMappingA(access: DWORD; inherit: BOOL; name: LPCSTR): HANDLE; cdecl; external win32;
function OpenFileMappingW(access: DWORD; inherit: BOOL; name: LPCWSTR): HANDLE; cdecl; external win32;
function OpenFileMapping(access: DWORD; inherit: BOOL; name: LPCSTR): HANDLE; cdecl; external win32 name 'OpenFileMappingA'; overload;
function OpenFileMapping(access: DWORD; inherit: BOOL; name: LPCWSTR): HANDLE; cdecl; external win32 name 'OpenFileMappingW'; overload;
function MapViewOfFile(section: HANDLE; access, offsetHigh, offsetLow: DWORD; size: SIZE_T): LPVOID; cdecl; external win32;
function MapViewOfFileEx(section: HANDLE; access, offsetHigh, offsetLow: DWORD; size: SIZE_T; base: LPVOID): LPVOID; cdecl;
  external win32;
function UnmapViewOfFile(base: LPCVOID): BOOL; cdecl; external win32;
function FlushViewOfFile(base: LPCVOID; size: SIZE_T): BOOL; cdecl; external win32;
function VirtualQuery(address: LPCVOID; var information: TMemoryBasicInformation; size: SIZE_T): SIZE_T; cdecl; external win32;
procedure GetSystemInfo(var information: TSystemInfo); cdecl; external win32;

{ Mutexes }
function CreateMutexA(attributes: LPSECURITY_ATTRIBUTES; owned: BOOL; name: LPCSTR): HANDLE; cdecl; external win32;
function CreateMutexW(attributes: LPSECURITY_ATTRIBUTES; owned: BOOL; name: LPCWSTR): HANDLE; cdecl; external win32;
function CreateMutex(attributes: LPSECURITY_ATTRIBUTES; owned: BOOL; name: LPCSTR): HANDLE; cdecl;
  external win32 name 'CreateMutexA'; overload;
function CreateMutex(attributes: LPSECURITY_ATTRIBUTES; owned: BOOL; name: LPCWSTR): HANDLE; cdecl;
  external win32 name 'CreateMutexW'; overload;
function CreateMutexExA(attributes: LPSECURITY_ATTRIBUTES; name: LPCSTR; flags, access: DWORD): HANDLE; cdecl; external win32;
function CreateMutexExW(attributes: LPSECURITY_ATTRIBUTES; name: LPCWSTR; flags, access: DWORD): HANDLE; cdecl; external win32;
function CreateMutexEx(attributes: LPSECURITY_ATTRIBUTES; name: LPCSTR; flags, access: DWORD): HANDLE; cdecl;
  external win32 name 'CreateMutexExA'; overload;
function CreateMutexEx(attributes: LPSECURITY_ATTRIBUTES; name: LPCWSTR; flags, access: DWORD): HANDLE; cdecl;
  external win32 name 'CreateMutexExW'; overload;
function OpenMutexA(access: DWORD; inherit: BOOL; name: LPCSTR): HANDLE; cdecl; external win32;
function OpenMutexW(access: DWORD; inherit: BOOL; name: LPCWSTR): HANDLE; cdecl; external win32;
function OpenMutex(access: DWORD; inherit: BOOL; name: LPCSTR): HANDLE; cdecl; external win32 name 'OpenMutexA'; overload;
function OpenMutex(access: DWORD; inherit: BOOL; name: LPCWSTR): HANDLE; cdecl; external win32 name 'OpenMutexW'; overload;
function ReleaseMutex(mutex: HANDLE): BOOL; cdecl; external win32;

{ Events }
function CreateEventA(attributes: LPSECURITY_ATTRIBUTES; manual, initial: BOOL; name: LPCSTR): HANDLE; cdecl; external win32;
function CreateEventW(attributes: LPSECURITY_ATTRIBUTES; manual, initial: BOOL; name: LPCWSTR): HANDLE; cdecl; external win32;
function CreateEvent(attributes: LPSECURITY_ATTRIBUTES; manual, initial: BOOL; name: LPCSTR): HANDLE; cdecl;
  external win32 name 'CreateEventA'; overload;
function CreateEvent(attributes: LPSECURITY_ATTRIBUTES; manual, initial: BOOL; name: LPCWSTR): HANDLE; cdecl;
  external win32 name 'CreateEventW'; overload;
function CreateEventExA(attributes: LPSECURITY_ATTRIBUTES; name: LPCSTR; flags, access: DWORD): HANDLE; cdecl; external win32;
function CreateEventExW(attributes: LPSECURITY_ATTRIBUTES; name: LPCWSTR; flags, access: DWORD): HANDLE; cdecl; external win32;
function CreateEventEx(attributes: LPSECURITY_ATTRIBUTES; name: LPCSTR; flags, access: DWORD): HANDLE; cdecl;
  external win32 name 'CreateEventExA'; overload;
function CreateEventEx(attributes: LPSECURITY_ATTRIBUTES; name: LPCWSTR; flags, access: DWORD): HANDLE; cdecl;
  external win32 name 'CreateEventExW'; overload;
function OpenEventA(access: DWORD; inherit: BOOL; name: LPCSTR): HANDLE; cdecl; external win32;
function OpenEventW(access: DWORD; inherit: BOOL; name: LPCWSTR): HANDLE; cdecl; external win32;
function OpenEvent(access: DWORD; inherit: BOOL; name: LPCSTR): HANDLE; cdecl; external win32 name 'OpenEventA'; overload;
function OpenEvent(access: DWORD; inherit: BOOL; name: LPCWSTR): HANDLE; cdecl; external win32 name 'OpenEventW'; overload;
function SetEvent(event: HANDLE): BOOL; cdecl; external win32;
function ResetEvent(event: HANDLE): BOOL; cdecl; external win32;
function PulseEvent(event: HANDLE): BOOL; cdecl; external win32;

{ Semaphores }
function CreateSemaphoreA(attributes: LPSECURITY_ATTRIBUTES; initial, maximum: LONG; name: LPCSTR): HANDLE; cdecl; external win32;
function CreateSemaphoreW(attributes: LPSECURITY_ATTRIBUTES; initial, maximum: LONG; name: LPCWSTR): HANDLE; cdecl; external win32;
function CreateSemaphore(attributes: LPSECURITY_ATTRIBUTES; initial, maximum: LONG; name: LPCSTR): HANDLE; cdecl;
  external win32 name 'CreateSemaphoreA'; overload;
function CreateSemaphore(attributes: LPSECURITY_ATTRIBUTES; initial, maximum: LONG; name: LPCWSTR): HANDLE; cdecl;
  external win32 name 'CreateSemaphoreW'; overload;
function CreateSemaphoreExA(attributes: LPSECURITY_ATTRIBUTES; initial, maximum: LONG; name: LPCSTR; flags, access: DWORD): HANDLE; cdecl; external win32;
function CreateSemaphoreExW(attributes: LPSECURITY_ATTRIBUTES; initial, maximum: LONG; name: LPCWSTR; flags, access: DWORD): HANDLE; cdecl; external win32;
function CreateSemaphoreEx(attributes: LPSECURITY_ATTRIBUTES; initial, maximum: LONG; name: LPCSTR; flags, access: DWORD): HANDLE; cdecl;
  external win32 name 'CreateSemaphoreExA'; overload;
function CreateSemaphoreEx(attributes: LPSECURITY_ATTRIBUTES; initial, maximum: LONG; name: LPCWSTR; flags, access: DWORD): HANDLE; cdecl;
  external win32 name 'CreateSemaphoreExW'; overload;
function OpenSemaphoreA(access: DWORD; inherit: BOOL; name: LPCSTR): HANDLE; cdecl; external win32;
function OpenSemaphoreW(access: DWORD; inherit: BOOL; name: LPCWSTR): HANDLE; cdecl; external win32;
function OpenSemaphore(access: DWORD; inherit: BOOL; name: LPCSTR): HANDLE; cdecl; external win32 name 'OpenSemaphoreA'; overload;
function OpenSemaphore(access: DWORD; inherit: BOOL; name: LPCWSTR): HANDLE; cdecl; external win32 name 'OpenSemaphoreW'; overload;
function ReleaseSemaphore(semaphore: HANDLE; count: LONG; previous: LPLONG): BOOL; cdecl; external win32;

{ Waits }
function WaitForSingleObject(handle: HANDLE; milliseconds: DWORD): DWORD; cdecl; external win32;
function WaitForSingleObjectEx(handle: HANDLE; milliseconds: DWORD; alertable: BOOL): DWORD; cdecl; external win32;
function WaitForMultipleObjects(count: DWORD; handles: PWOHandleArray; all: BOOL; milliseconds: DWORD): DWORD; cdecl; external win32;
function WaitForMultipleObjectsEx(count: DWORD; handles: PWOHandleArray; all: BOOL; milliseconds: DWORD; alertable: BOOL): DWORD; cdecl;
  external win32;
function SignalObjectAndWait(signal, wait: HANDLE; milliseconds: DWORD; alertable: BOOL): DWORD; cdecl; external win32;
procedure Sleep(milliseconds: DWORD); cdecl; external win32;
function SleepEx(milliseconds: DWORD; alertable: BOOL): DWORD; cdecl; external win32;
function SwitchToThread: BOOL; cdecl; external win32;

{ Files }
function CreateFileA(name: LPCSTR; access, share: DWORD; attributes: LPSECURITY_ATTRIBUTES; disposition, flags: DWORD;
  template: HANDLE): HANDLE; cdecl; external win32;
function CreateFileW(name: LPCWSTR; access, share: DWORD; attributes: LPSECURITY_ATTRIBUTES; disposition, flags: DWORD;
  template: HANDLE): HANDLE; cdecl; external win32;
function CreateFile(name: LPCSTR; access, share: DWORD; attributes: LPSECURITY_ATTRIBUTES; disposition, flags: DWORD;
  template: HANDLE): HANDLE; cdecl; external win32 name 'CreateFileA'; overload;
function CreateFile(name: LPCWSTR; access, share: DWORD; attributes: LPSECURITY_ATTRIBUTES; disposition, flags: DWORD;
  template: HANDLE): HANDLE; cdecl; external win32 name 'CreateFileW'; overload;
function ReadFile(aFile: HANDLE; var buffer; count: DWORD; var done: DWORD; overlapped: LPVOID): BOOL; cdecl; external win32;
function WriteFile(aFile: HANDLE; const buffer; count: DWORD; var done: DWORD; overlapped: LPVOID): BOOL; cdecl; external win32;
function GetFileSize(aFile: HANDLE; sizeHigh: LPDWORD): DWORD; cdecl; external win32;
function GetFileSizeEx(aFile: HANDLE; var size: Int64): BOOL; cdecl; external win32;
function SetFilePointer(aFile: HANDLE; distance: LONG; distanceHigh: LPLONG; origin: DWORD): DWORD; cdecl; external win32;
function SetFilePointerEx(aFile: HANDLE; distance: Int64; position: PInt64; origin: DWORD): BOOL; cdecl; external win32;
function SetEndOfFile(aFile: HANDLE): BOOL; cdecl; external win32;
function FlushFileBuffers(aFile: HANDLE): BOOL; cdecl; external win32;
function DeleteFileA(name: LPCSTR): BOOL; cdecl; external win32;
function DeleteFileW(name: LPCWSTR): BOOL; cdecl; external win32;
function DeleteFile(name: LPCSTR): BOOL; cdecl; external win32 name 'DeleteFileA'; overload;
function DeleteFile(name: LPCWSTR): BOOL; cdecl; external win32 name 'DeleteFileW'; overload;
function GetTempPathA(size: DWORD; path: LPSTR): DWORD; cdecl; external win32;
function GetTempPathW(size: DWORD; path: LPWSTR): DWORD; cdecl; external win32;
function GetTempPath(size: DWORD; path: LPSTR): DWORD; cdecl; external win32 name 'GetTempPathA'; overload;
function GetTempPath(size: DWORD; path: LPWSTR): DWORD; cdecl; external win32 name 'GetTempPathW'; overload;
function GetTempFileNameA(path, prefix: LPCSTR; unique: UINT; name: LPSTR): UINT; cdecl; external win32;
function GetTempFileNameW(path, prefix: LPCWSTR; unique: UINT; name: LPWSTR): UINT; cdecl; external win32;
function GetTempFileName(path, prefix: LPCSTR; unique: UINT; name: LPSTR): UINT; cdecl; external win32 name 'GetTempFileNameA'; overload;
function GetTempFileName(path, prefix: LPCWSTR; unique: UINT; name: LPWSTR): UINT; cdecl; external win32 name 'GetTempFileNameW'; overload;
function GetStdHandle(which: DWORD): HANDLE; cdecl; external win32;
function WriteConsoleA(output: HANDLE; text: LPCVOID; count: DWORD; var written: DWORD; reserved: LPVOID): BOOL; cdecl; external win32;
function WriteConsoleW(output: HANDLE; text: LPCVOID; count: DWORD; var written: DWORD; reserved: LPVOID): BOOL; cdecl; external win32;
function WriteConsole(output: HANDLE; text: LPCVOID; count: DWORD; var written: DWORD; reserved: LPVOID): BOOL; cdecl;
  external win32 name 'WriteConsoleA';

{ Threads and processes }
function CreateThread(attributes: LPSECURITY_ATTRIBUTES; stackSize: SIZE_T; start: TFNThreadStartRoutine; parameter: LPVOID;
  flags: DWORD; id: LPDWORD): HANDLE; cdecl; external win32; overload;
function CreateThread(attributes: LPSECURITY_ATTRIBUTES; stackSize: SIZE_T; start: TFNThreadStartRoutine; parameter: LPVOID;
  flags: DWORD; var id: DWORD): HANDLE; cdecl; external win32; overload;
procedure ExitThread(code: DWORD); cdecl; external win32;
function GetExitCodeThread(thread: HANDLE; var code: DWORD): BOOL; cdecl; external win32;
function GetCurrentThread: HANDLE; cdecl; external win32;
function GetCurrentThreadId: DWORD; cdecl; external win32;
function GetThreadId(thread: HANDLE): DWORD; cdecl; external win32;
function ResumeThread(thread: HANDLE): DWORD; cdecl; external win32;
function CreateProcessA(application: LPCSTR; line: LPSTR; processAttributes, threadAttributes: LPSECURITY_ATTRIBUTES; inherit: BOOL;
  flags: DWORD; environment: LPVOID; directory: LPCSTR; constref start: TStartupInfoA; var information: TProcessInformation): BOOL; cdecl;
  external win32;
function CreateProcessW(application: LPCWSTR; line: LPWSTR; processAttributes, threadAttributes: LPSECURITY_ATTRIBUTES; inherit: BOOL;
  flags: DWORD; environment: LPVOID; directory: LPCWSTR; constref start: TStartupInfoW; var information: TProcessInformation): BOOL; cdecl;
  external win32;
function CreateProcess(application: LPCSTR; line: LPSTR; processAttributes, threadAttributes: LPSECURITY_ATTRIBUTES; inherit: BOOL;
  flags: DWORD; environment: LPVOID; directory: LPCSTR; constref start: TStartupInfoA; var information: TProcessInformation): BOOL; cdecl;
  external win32 name 'CreateProcessA';
function OpenProcess(access: DWORD; inherit: BOOL; id: DWORD): HANDLE; cdecl; external win32;
function TerminateProcess(process: HANDLE; code: UINT): BOOL; cdecl; external win32;
function GetExitCodeProcess(process: HANDLE; var code: DWORD): BOOL; cdecl; external win32;
procedure ExitProcess(code: UINT); cdecl; external win32;
function GetCurrentProcess: HANDLE; cdecl; external win32;
function GetCurrentProcessId: DWORD; cdecl; external win32;
function GetProcessId(process: HANDLE): DWORD; cdecl; external win32;
function GetModuleHandleA(name: LPCSTR): HMODULE; cdecl; external win32;
function GetModuleHandleW(name: LPCWSTR): HMODULE; cdecl; external win32;
function GetModuleHandle(name: LPCSTR): HMODULE; cdecl; external win32 name 'GetModuleHandleA'; overload;
function GetModuleHandle(name: LPCWSTR): HMODULE; cdecl; external win32 name 'GetModuleHandleW'; overload;

{ Times }
function GetTickCount: DWORD; cdecl; external win32;
function GetTickCount64: QWord; cdecl; external win32;
function QueryPerformanceCounter(var count: Int64): BOOL; cdecl; external win32;
function QueryPerformanceFrequency(var frequency: Int64): BOOL; cdecl; external win32;

{ Memory }
function VirtualAlloc(address: LPVOID; size: SIZE_T; kind, protect: DWORD): LPVOID; cdecl; external win32;
function VirtualFree(address: LPVOID; size: SIZE_T; kind: DWORD): BOOL; cdecl; external win32;
function VirtualProtect(address: LPVOID; size: SIZE_T; protect: DWORD; var oldProtect: DWORD): BOOL; cdecl; external win32;

{ Texts }
function FormatMessageA(flags: DWORD; source: LPCVOID; code, language: DWORD; buffer: LPSTR; size: DWORD; arguments: Pointer): DWORD;
  cdecl; external win32;
function FormatMessageW(flags: DWORD; source: LPCVOID; code, language: DWORD; buffer: LPWSTR; size: DWORD; arguments: Pointer): DWORD;
  cdecl; external win32;
function MultiByteToWideChar(codePage: UINT; flags: DWORD; text: LPCSTR; textLength: LONG; wide: LPWSTR; wideLength: LONG): LONG;
  cdecl; external win32;
function WideCharToMultiByte(codePage: UINT; flags: DWORD; wide: LPCWSTR; wideLength: LONG; text: LPSTR; textLength: LONG;
  default: LPCSTR; usedDefault: Pointer): LONG; cdecl; external win32;
function MessageBoxA(window: HWND; text, caption: LPCSTR; kind: UINT): LONG; cdecl; external win32;
function MessageBoxW(window: HWND; text, caption: LPCWSTR; kind: UINT): LONG; cdecl; external win32;
function MessageBox(window: HWND; text, caption: LPCSTR; kind: UINT): LONG; cdecl; external win32 name 'MessageBoxA'; overload;
function MessageBox(window: HWND; text, caption: LPCWSTR; kind: UINT): LONG; cdecl; external win32 name 'MessageBoxW'; overload;

procedure ZeroMemory(destination: Pointer; size: SIZE_T);
procedure CopyMemory(destination, source: Pointer; size: SIZE_T);

implementation

procedure ZeroMemory(destination: Pointer; size: SIZE_T);
begin
  FillChar(destination^, size, 0);
end;

procedure CopyMemory(destination, source: Pointer; size: SIZE_T);
begin
  Move(source^, destination^, size);
end;

end.
