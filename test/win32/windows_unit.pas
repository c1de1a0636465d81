{ SPDX-License-Identifier: Apache-2.0
  A program as it is written for Delphi: that pascal/windows.pas has the calls, and its records the layout of the library's. }
program WindowsUnit;

{$mode delphi}

uses
  SysUtils, Windows;

procedure Check(good: Boolean; const what: string);
begin
  if good then Exit;
  WriteLn('wrong: ', what, ', last error ', GetLastError);
  Halt(1);
end;

function Run(parameter: Pointer): DWORD; stdcall;
begin
  Result := PDWORD(parameter)^ + 1;
end;

procedure Sections;
var
  section, again: THandle;
  view: PWideChar;
  memory: TMemoryBasicInformation;
  system: TSystemInfo;
begin
  section := CreateFileMapping(INVALID_HANDLE_VALUE, nil, PAGE_READWRITE, 0, 5000, 'Local\unit');
  Check((section <> 0) and (GetLastError <> ERROR_ALREADY_EXISTS), 'CreateFileMapping');
  again := CreateFileMapping(INVALID_HANDLE_VALUE, nil, PAGE_READWRITE, 0, 5000, PWideChar(UnicodeString('Local\unit')));
  Check((again <> 0) and (GetLastError = ERROR_ALREADY_EXISTS), 'the same by UTF-16');
  view := MapViewOfFile(section, FILE_MAP_ALL_ACCESS, 0, 0, 0);
  Check(view <> nil, 'MapViewOfFile');
  Check(VirtualQuery(view, memory, SizeOf(memory)) = SizeOf(memory), 'VirtualQuery');
  Check((memory.BaseAddress = view) and (memory.RegionSize = 8192) and (memory.Protect = PAGE_READWRITE), 'TMemoryBasicInformation');
  GetSystemInfo(system);
  Check((system.dwAllocationGranularity = 65536) and (system.dwNumberOfProcessors >= 1), 'TSystemInfo');
  Check(UnmapViewOfFile(view) and CloseHandle(section) and CloseHandle(again), 'closing');
end;

procedure Waits;
var
  thread: THandle;
  both: array[0..1] of THandle;
  id, code, argument: DWORD;
  previous: LONG;
begin
  argument := 41;
  thread := CreateThread(nil, 0, @Run, @argument, 0, id);
  Check(WaitForSingleObject(thread, INFINITE) = WAIT_OBJECT_0, 'WaitForSingleObject');
  Check(GetExitCodeThread(thread, code) and (code = 42), 'GetExitCodeThread');
  both[0] := CreateSemaphore(nil, 0, 3, nil);
  both[1] := thread;
  Check(WaitForMultipleObjects(2, @both, False, 0) = WAIT_OBJECT_0 + 1, 'WaitForMultipleObjects');
  Check(ReleaseSemaphore(both[0], 2, @previous) and (previous = 0), 'ReleaseSemaphore');
  Check(WaitForMultipleObjects(2, @both, True, 0) = WAIT_OBJECT_0, 'both');
  Check(WaitForSingleObjectEx(both[0], 0, False) = WAIT_OBJECT_0, 'WaitForSingleObjectEx');
  Check(CloseHandle(both[0]) and CloseHandle(thread), 'closing');
  both[0] := CreateMutexEx(nil, PAnsiChar('Local\unit'), 0, MUTEX_ALL_ACCESS);
  both[1] := CreateEventEx(nil, PWideChar(UnicodeString('Local\unit event')), 2, EVENT_ALL_ACCESS);
  Check(WaitForMultipleObjectsEx(2, @both, True, 0, False) = WAIT_OBJECT_0, 'WaitForMultipleObjectsEx');
  Check(ReleaseMutex(both[0]) and CloseHandle(both[0]) and CloseHandle(both[1]), 'closing');
end;

procedure Processes;
var
  start: TStartupInfo;
  child: TProcessInformation;
  line: AnsiString;
  code: DWORD;
begin
  line := '/bin/sh -c "exit 7"';
  FillChar(start, SizeOf(start), 0);
  start.cb := SizeOf(start);
  Check(CreateProcess(nil, PAnsiChar(line), nil, nil, False, 0, nil, nil, start, child), 'CreateProcess');
  Check(WaitForSingleObject(child.hProcess, INFINITE) = WAIT_OBJECT_0, 'the end of the child');
  Check(GetExitCodeProcess(child.hProcess, code) and (code = 7), 'GetExitCodeProcess');
  Check(CloseHandle(child.hThread) and CloseHandle(child.hProcess), 'closing');
end;

procedure Files;
var
  handle: THandle;
  text: array[0..3] of AnsiChar;
  done: DWORD;
  size: Int64;
  name: AnsiString;
begin
  name := ParamStr(1);
  text := 'text';
  handle := CreateFile(PAnsiChar(name), GENERIC_READ or GENERIC_WRITE, 0, nil, CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL, 0);
  Check(handle <> INVALID_HANDLE_VALUE, 'CreateFile');
  Check(WriteFile(handle, text, SizeOf(text), done, nil) and (done = 4), 'WriteFile');
  Check(GetFileSizeEx(handle, size) and (size = 4), 'GetFileSizeEx');
  FillChar(text, SizeOf(text), 0);
  Check(SetFilePointerEx(handle, -4, @size, FILE_CURRENT) and (size = 0), 'SetFilePointerEx');
  Check(SetFilePointer(handle, 0, nil, FILE_BEGIN) = 0, 'SetFilePointer');
  Check(ReadFile(handle, text, SizeOf(text), done, nil) and (text = 'text'), 'ReadFile');
  Check(CloseHandle(handle) and DeleteFile(PAnsiChar(name)), 'closing');
end;

procedure TemporaryFiles;
var
  path, name: array[0..MAX_PATH] of AnsiChar;
begin
  Check(GetTempPath(MAX_PATH, PAnsiChar(@path)) > 0, 'GetTempPath');
  Check(GetTempFileName(PAnsiChar(@path), PAnsiChar('unit'), 0, PAnsiChar(@name)) <> 0, 'GetTempFileName');
  Check(DeleteFile(PAnsiChar(@name)), 'closing');
end;

procedure Consoles;
var
  done: DWORD;
begin
  Check(GetModuleHandle(nil) <> 0, 'GetModuleHandle');
  Check(GetModuleHandle('missing.dll') = 0, 'GetModuleHandle of what is not there');
  Check(not WriteConsole(GetStdHandle(STD_OUTPUT_HANDLE), PAnsiChar('x'), 1, done, nil) and (GetLastError = ERROR_INVALID_HANDLE), 'no console');
end;

begin
  Sections;
  Waits;
  Processes;
  Files;
  TemporaryFiles;
  Consoles;
  WriteLn('all right');
end.
