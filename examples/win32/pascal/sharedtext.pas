{ SPDX-License-Identifier: Apache-2.0
  What sender.pas and receiver.pas share: a record of 256 wide characters under a mutex, and an event that says that it is new. }
unit SharedText;

{$mode delphi}

interface

uses
  Windows;

const
  TEXT_LENGTH = 256;

type
  { UTF-16: all of it, or up to the first #0. }
  TSharedText = record
    Text: array[0..TEXT_LENGTH - 1] of WideChar;
  end;
  PSharedText = ^TSharedText;

  TShared = record
    Section, Mutex, Changed: THandle;
    Value: PSharedText;
  end;

{ Opens or makes the three objects: who comes first does not matter. Ends the program with a message if that fails. }
function OpenShared: TShared;

procedure CloseShared(const shared: TShared);

{ A text that the terminal speaks as UTF-16; '' and the reason in `complaint` if it is no UTF-8 or has more than TEXT_LENGTH units. }
function WideOf(const line: AnsiString; out complaint: AnsiString): UnicodeString;

function Utf8Of(const text: TSharedText): AnsiString;

implementation

const
  SECTION_NAME = 'Local\comap-example-text';
  MUTEX_NAME = 'Local\comap-example-text-mutex';
  EVENT_NAME = 'Local\comap-example-text-changed';

function NumberText(number: DWORD): AnsiString;
begin
  Str(number, Result);
end;

procedure Check(good: Boolean; const what: AnsiString);
begin
  if good then Exit;
  WriteLn(StdErr, what, ' failed with ', GetLastError);
  Halt(1);
end;

function OpenShared: TShared;
begin
  Result.Mutex := CreateMutex(nil, False, PAnsiChar(MUTEX_NAME));
  Check(Result.Mutex <> 0, 'CreateMutex');
  Result.Changed := CreateEvent(nil, False, False, PAnsiChar(EVENT_NAME));
  Check(Result.Changed <> 0, 'CreateEvent');
  Result.Section := CreateFileMapping(INVALID_HANDLE_VALUE, nil, PAGE_READWRITE, 0, SizeOf(TSharedText), PAnsiChar(SECTION_NAME));
  Check(Result.Section <> 0, 'CreateFileMapping');
  Result.Value := MapViewOfFile(Result.Section, FILE_MAP_ALL_ACCESS, 0, 0, SizeOf(TSharedText));
  Check(Result.Value <> nil, 'MapViewOfFile');
end;

procedure CloseShared(const shared: TShared);
begin
  Check(UnmapViewOfFile(shared.Value), 'UnmapViewOfFile');
  CloseHandle(shared.Section);
  CloseHandle(shared.Changed);
  CloseHandle(shared.Mutex);
end;

function WideOf(const line: AnsiString; out complaint: AnsiString): UnicodeString;
var
  count: LONG;
begin
  Result := '';
  complaint := '';
  if line = '' then Exit;
  count := MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, PAnsiChar(line), Length(line), nil, 0);
  if (count <= 0) or (Pos(#0, line) > 0) then
    complaint := 'it is not UTF-8 text'
  else if count > TEXT_LENGTH then
    complaint := 'it has ' + NumberText(count) + ' UTF-16 units, and there is room for ' + NumberText(TEXT_LENGTH)
  else begin
    SetLength(Result, count);
    MultiByteToWideChar(CP_UTF8, 0, PAnsiChar(line), Length(line), PWideChar(Result), count);
  end;
end;

function Utf8Of(const text: TSharedText): AnsiString;
var
  units, bytes: LONG;
begin
  Result := '';
  units := 0;
  while (units < TEXT_LENGTH) and (text.Text[units] <> #0) do Inc(units);
  if units = 0 then Exit;
  bytes := WideCharToMultiByte(CP_UTF8, 0, @text.Text[0], units, nil, 0, nil, nil);
  SetLength(Result, bytes);
  WideCharToMultiByte(CP_UTF8, 0, @text.Text[0], units, PAnsiChar(Result), bytes, nil, nil);
end;

end.
