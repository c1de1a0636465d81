#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# record and replay: real processes, real counters, damaged files.
load helper

fails() {
    local wanted=$1 words=()
    shift
    while [ "$1" != -- ]; do words+=("$1"); shift; done
    shift
    run --separate-stderr comap "$@"
    [ "$status" -eq "$wanted" ] || { echo "$*: exit $status: $stderr" >&2; return 1; }
    local word
    for word in "${words[@]}"; do
        [[ $stderr == *"$word"* ]] || { echo "$*: no '$word' in: $stderr" >&2; return 1; }
    done
}

# published NAME COUNT
published() { [[ $(comap stat "$1" --json) == *"\"published\":$2"* ]]; }

# Samples of the machine's own counters.
counters() { for _ in $(seq 1 40); do cat /proc/stat /proc/uptime /proc/loadavg; done; }

@test "counters of /proc, recorded and replayed through three processes: no loss" {
    comap channel from create --message-bytes 16K --capacity 5000 --keep
    counters >"$WORK/in"
    local count
    count=$(wc -l <"$WORK/in")
    background "$WORK/record" "$COMAP_BIN" record from "$WORK/rec" --count "$count" -v
    local recorder=$CHILD
    eventually waits_for from "$recorder"
    comap pub from <"$WORK/in"
    ends_with 0 "$recorder"
    [ "$(cat "$WORK/record.err")" = "comap: $count messages of from recorded, 0 missed" ]
    background "$WORK/sub" "$COMAP_BIN" sub to --wait 60 --from oldest --count "$count" --framed
    local reader=$CHILD
    comap replay "$WORK/rec" to --as-fast-as-possible
    ends_with 0 "$reader"
    comap sub from --from oldest --count "$count" --framed | cmp - "$WORK/sub.out"
    [ ! -s "$WORK/sub.err" ]
    # The channel was made as the recorded one was.
    [ "$(comap stat to --json | sed 's/.*"message_bytes"/"message_bytes"/')" = "$(comap stat from --json | sed 's/.*"message_bytes"/"message_bytes"/')" ]
    [ "$(comap ls --noheadings -o state to)" = kept ]
}

@test "a recorder that is stopped by a signal, or killed, has written what had come" {
    comap channel log create --keep
    background "$WORK/record" "$COMAP_BIN" record log "$WORK/rec"
    eventually waits_for log "$CHILD"
    comap pub log one two
    eventually waits_for log "$CHILD"
    kill -INT "$CHILD"
    ends_with 130 "$CHILD"
    comap replay "$WORK/rec" a
    [ "$(comap sub a --from oldest --count 2)" = $'one\ntwo' ]
    background "$WORK/record" "$COMAP_BIN" record log "$WORK/killed" --from oldest
    eventually waits_for log "$CHILD"
    kill -KILL "$CHILD"
    comap replay "$WORK/killed" b
    [ "$(comap sub b --from oldest --count 2)" = $'one\ntwo' ]
}

@test "replay keeps the times; --speed and --as-fast-as-possible" {
    background "$WORK/record" bash -c 'exec "$1" record log "$2" --wait 60 --from oldest --count 4' bash "$COMAP_BIN" "$WORK/rec"
    comap pub log a b c d --rate 10
    ends_with 0 "$CHILD"
    elapsed() {
        local before after
        before=$(date +%s%N)
        comap "$@"
        after=$(date +%s%N)
        MS=$(((after - before) / 1000000))
    }
    elapsed replay "$WORK/rec" again
    [ "$MS" -ge 250 ]
    elapsed replay "$WORK/rec" again --speed 2
    [ "$MS" -ge 120 ]
    elapsed replay "$WORK/rec" again --speed 1000
    [ "$MS" -lt 250 ]
    elapsed replay "$WORK/rec" again --as-fast-as-possible
    [ "$MS" -lt 250 ]
    [ "$(comap sub again --from oldest --count 16 | tr -d '\n')" = abcdabcdabcdabcd ]
}

@test "replay into the recorded channel; records; --loop" {
    comap channel ticks create --fields 't:f8,sym:s8' --publishers one --keep
    comap pub ticks t=1 sym=a
    comap pub ticks t=2 sym=b
    comap record ticks "$WORK/rec" --from oldest --count 2
    comap rm ticks
    run --separate-stderr -0 comap replay "$WORK/rec" -v
    [ "$stderr" = "comap: 2 messages of $WORK/rec published in ticks" ]
    [ "$(comap sub ticks --from oldest --count 2)" = $'t=1 sym=a\nt=2 sym=b' ]
    [[ $(comap stat ticks) == *"one publisher at a time"* ]]
    comap channel other create --fields 't:f4' --keep
    fails 1 "'t'" -- replay "$WORK/rec" other
    background "$WORK/replay" "$COMAP_BIN" replay "$WORK/rec" round --loop --as-fast-as-possible
    local player=$CHILD
    comap sub round --wait 60 --from oldest --count 100 >"$WORK/out"
    kill -TERM "$player"
    ends_with 143 "$player"
    [ "$(sort -u "$WORK/out" | wc -l)" -eq 2 ]
}

@test "through pipes: record to -, replay of -" {
    comap pub log a b c
    comap record log - --from oldest --count 3 | comap replay - copy
    [ "$(comap sub copy --from oldest --count 3)" = $'a\nb\nc' ]
    comap record log - --from oldest --count 3 >"$WORK/rec"
    [ "$(head -c 8 "$WORK/rec")" = COMAPREC ]
    status=0
    # shellcheck disable=SC2002
    cat "$WORK/rec" | comap replay - copy --loop 2>"$WORK/err" || status=$?
    [ "$status" -eq 3 ]
}

@test "what the recorder missed is in the file, and said again" {
    comap channel log create --message-bytes 8 --capacity 16 --keep
    background "$WORK/record" "$COMAP_BIN" record log "$WORK/rec" --count 2
    local recorder=$CHILD
    eventually waits_for log "$recorder"
    comap pub log 0
    eventually waits_for log "$recorder"
    kill -STOP "$recorder"
    seq 1 100000 | comap pub log
    kill -CONT "$recorder"
    ends_with 0 "$recorder"
    grep -q 'messages of log were missed' "$WORK/record.err"
    local missed
    missed=$(sed -n 's/^comap: 2 messages of log recorded, \([0-9]*\) missed$/\1/p' "$WORK/record.err")
    [ "$missed" -gt 90000 ]
    fails 0 "the recorder had missed $missed messages" -- replay "$WORK/rec" copy
}

@test "cut off anywhere: all whole messages, and it says so; damaged: what is before, and exit 4" {
    comap pub log first second third
    comap record log "$WORK/rec" --from oldest --count 3
    local size head
    size=$(wc -c <"$WORK/rec")
    head=$((size - (3 * 20 + 16)))
    comap channel out create --keep
    local published=0 cut
    for cut in 1 4 5 20 24 25 26 30; do
        head -c "$((size - cut))" "$WORK/rec" >"$WORK/cut"
        run --separate-stderr -0 comap replay "$WORK/cut" out
        [[ $stderr == *"cut off behind its last whole message"* ]] || [ "$cut" -eq 25 ]
        published=$((published + (cut < 25 ? 2 : cut == 25 ? 2 : 1)))
        published out "$published"
    done
    head -c "$head" "$WORK/rec" >"$WORK/cut"
    run --separate-stderr -0 comap replay "$WORK/cut" out
    [ -z "$stderr" ]
    head -c "$((head - 1))" "$WORK/rec" >"$WORK/cut"
    fails 4 "cut off in its header" -- replay "$WORK/cut" out
    head -c 7 "$WORK/rec" >"$WORK/cut"
    fails 4 "no recording" -- replay "$WORK/cut" out
    published out "$published"
    { head -c "$((head + 20 + 5 + 16))" "$WORK/rec"; printf X; tail -c "+$((head + 20 + 5 + 18))" "$WORK/rec"; } >"$WORK/bad"
    fails 4 "checksum" "1 message" -- replay "$WORK/bad" out
    published out "$((published + 1))"
    { head -c 20 "$WORK/rec"; printf X; tail -c +22 "$WORK/rec"; } >"$WORK/bad"
    fails 4 "damaged header" -- replay "$WORK/bad" out
    { printf 'COMAPREC\x02'; tail -c +10 "$WORK/rec"; } >"$WORK/bad"
    fails 4 "version 2" -- replay "$WORK/bad" out
}

@test "the file is as FORMAT.md says" {
    command -v python3 >/dev/null || skip "no python3"
    comap pub log one two
    comap record log "$WORK/rec" --from oldest --count 2
    python3 -c '
import json, struct, sys, zlib
data = open(sys.argv[1], "rb").read()
assert data[:8] == b"COMAPREC"
version, size = struct.unpack_from("<II", data, 8)
assert version == 1
header = json.loads(data[16:16 + size])
assert header["channel"] == "log" and header["message_bytes"] == 4096 and header["many_publishers"] is True
assert header["record_format"] == "" and header["capacity"] == 1761 and header["subscribers_waited_for"] == 0
assert struct.unpack_from("<I", data, 16 + size)[0] == zlib.crc32(data[:16 + size])
at = 16 + size + 4
messages = []
last = 0
while at < len(data):
    after, count, missed = struct.unpack_from("<QII", data, at)
    message = data[at + 16:at + 16 + count]
    assert struct.unpack_from("<I", data, at + 16 + count)[0] == zlib.crc32(data[at:at + 16 + count])
    assert after >= last and missed == 0
    last = after
    messages.append(message)
    at += 20 + count
assert messages == [b"one", b"two"], messages' "$WORK/rec"
}

@test "errors: no such file, no such channel, a full disk" {
    fails 1 "$WORK/none" -- replay "$WORK/none"
    fails 1 nothing -- record nothing "$WORK/rec"
    [ ! -e "$WORK/rec" ]
    fails 124 nothing -- record nothing "$WORK/rec" --wait 0.05
    comap pub log x
    fails 3 "$WORK/no/dir" -- record log "$WORK/no/dir"
    fails 124 -- record log "$WORK/rec" --timeout 0.05
    comap put t x
    fails 1 text -- record t "$WORK/rec2"
    printf 'no recording, but long enough' >"$WORK/rec2"
    fails 4 "is no recording" -- replay "$WORK/rec2" x
    has_no_object x
    [ -w /dev/full ] || skip "no /dev/full"
    fails 3 "No space left" -- record log /dev/full --from oldest --count 1
}
