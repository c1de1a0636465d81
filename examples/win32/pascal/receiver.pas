{ SPDX-License-Identifier: Apache-2.0
  receiver COUNT: shows what sender.pas sends, as soon as it is told by the event; ends after that many texts. }
program Receiver;

{$mode delphi}

uses
  Windows, SharedText;

const
  PATIENCE = 5000; { ms }

procedure Receive(const shared: TShared);
var
  copy: TSharedText;
begin
  case WaitForSingleObject(shared.Mutex, PATIENCE) of
    WAIT_OBJECT_0: begin
      copy := shared.Value^;
      ReleaseMutex(shared.Mutex);
      WriteLn('received: ', Utf8Of(copy));
    end;
    WAIT_ABANDONED: begin
      ReleaseMutex(shared.Mutex);
      WriteLn('not received: who wrote it was killed meanwhile');
    end;
    WAIT_TIMEOUT: WriteLn('not received: somebody has had the mutex for ', PATIENCE, ' ms');
  else
    WriteLn('not received: the wait failed with ', GetLastError);
  end;
end;

var
  shared: TShared;
  count, code: Integer;
begin
  Val(ParamStr(1), count, code);
  if (ParamCount <> 1) or (code <> 0) then begin
    WriteLn(StdErr, 'usage: receiver COUNT');
    Halt(2);
  end;
  shared := OpenShared;
  WriteLn('ready');
  Flush(Output);
  while (count > 0) and (WaitForSingleObject(shared.Changed, INFINITE) = WAIT_OBJECT_0) do begin
    Receive(shared);
    Flush(Output);
    Dec(count);
  end;
  CloseShared(shared);
end.
