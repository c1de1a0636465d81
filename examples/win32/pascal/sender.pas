{ SPDX-License-Identifier: Apache-2.0
  sender [MILLISECONDS]: sends each line of its input, whole or not at all, to receiver.pas. Waits so long (5000) for the mutex. }
program Sender;

{$mode delphi}

uses
  Windows, SharedText;

procedure Send(const shared: TShared; const text: UnicodeString; patience: DWORD);
begin
  case WaitForSingleObject(shared.Mutex, patience) of
    { Abandoned: another sender was killed while it wrote. All of its text is replaced. }
    WAIT_OBJECT_0, WAIT_ABANDONED: begin
      ZeroMemory(shared.Value, SizeOf(TSharedText));
      CopyMemory(@shared.Value^.Text[0], PWideChar(text), Length(text) * SizeOf(WideChar));
      ReleaseMutex(shared.Mutex);
      SetEvent(shared.Changed);
      WriteLn('sent: ', Length(text), ' UTF-16 units');
    end;
    WAIT_TIMEOUT: WriteLn('not sent: somebody has had the mutex for ', patience, ' ms');
  else
    WriteLn('not sent: the wait failed with ', GetLastError);
  end;
end;

var
  shared: TShared;
  line, complaint: AnsiString;
  text: UnicodeString;
  patience: DWORD;
  code: Integer;
begin
  patience := 5000;
  if ParamCount = 1 then Val(ParamStr(1), patience, code);
  shared := OpenShared;
  while not Eof do begin
    ReadLn(line);
    text := WideOf(line, complaint);
    if complaint <> '' then WriteLn('not sent: ', complaint) else Send(shared, text, patience);
    Flush(Output);
  end;
  CloseShared(shared);
end.
