#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# dump and load: every kind of object, there and back.
load helper

fails() {
    local wanted=$1 words=()
    shift
    while [ "$1" != -- ]; do words+=("$1"); shift; done
    shift
    run --separate-stderr comap "$@"
    [ "$status" -eq "$wanted" ] || { echo "$*: exit $status: $stderr" >&2; return 1; }
    [ -z "$output" ] || { echo "$*: output $output" >&2; return 1; }
    local word
    for word in "${words[@]}"; do
        [[ $stderr == *"$word"* ]] || { echo "$*: no '$word' in: $stderr" >&2; return 1; }
    done
}

# What stat says of its shape and state.
shape() { comap stat "$1" --json | sed 's/"name":"[^"]*",//; s/"holders":\[[^]]*\],//; s/"created":"[^"]*",//; s/"version":[0-9]*,//'; }

# round_trip NAME: dumped and loaded as `copy`, which is like it; dumped again, the same is in it.
round_trip() {
    comap dump "$1" "$WORK/$1.dump"
    comap load "$WORK/$1.dump" copy --keep
    diff <(shape "$1") <(shape copy)
    comap dump copy - >"$WORK/copy.dump"
    cmp <(contents "$WORK/$1.dump") <(contents "$WORK/copy.dump")
}

# What follows the header and its checksum.
contents() { tail -c "+$((16 + $(od -An -tu4 -j12 -N4 "$1") + 4 + 1))" "$1"; }

@test "a section of bytes" {
    comap create x 100000 --keep --mode 0640
    head -c 70000 /dev/urandom >"$WORK/bytes"
    comap put x --at 5000 <"$WORK/bytes"
    round_trip x
    comap get x >"$WORK/a"
    comap get copy | cmp - "$WORK/a"
    [ "$(comap ls --noheadings -o mode copy)" = 0640 ]
    comap create empty 1 --keep --lazy
    comap rm copy
    round_trip empty
    comap load "$WORK/x.dump" other --keep --mode 0600
    [ "$(comap ls --noheadings -o mode other)" = 0600 ]
}

@test "a section over a file: its bytes" {
    head -c 5000 /dev/urandom >"$WORK/bytes"
    comap create x 5000 --keep --file "$WORK/bytes"
    comap dump x "$WORK/dump"
    comap load "$WORK/dump" copy --keep
    comap get copy | cmp - "$WORK/bytes"
}

@test "a text" {
    comap put t 'some text, äöü' --capacity 100
    round_trip t
    [ "$(comap get copy)" = 'some text, äöü' ]
    [[ $(comap stat copy) == *"capacity  100"* ]]
}

@test "a cell, of one writer and of several; one never stored" {
    comap cell c create --fields 'a:i4,x4,b:f8[2],s:s10' --history 10 --keep
    comap put c a=-5 b=1,2.5 's=x y'
    round_trip c
    diff <(comap get c) <(comap get copy)
    [ "$(comap ls --noheadings -o version copy)" -eq 1 ]
    comap put copy a=1
    comap rm copy
    comap cell many create --fields a:i4 --writers 3 --keep
    comap put many a=7
    round_trip many
    [[ $(comap stat copy) == *"up to 3 at a time"* ]]
    comap rm copy
    comap cell fresh create --fields a:i4 --keep
    round_trip fresh
    [ "$(comap ls --noheadings -o version copy)" -eq 0 ]
}

@test "a channel: the messages it keeps, and its shape" {
    comap channel log create --message-bytes 100 --capacity 10 --publishers one --wait-for 2 --keep
    seq 1 5 | comap pub log
    round_trip log
    [ "$(comap sub copy --from oldest --count 5)" = "$(seq 1 5)" ]
    comap rm copy
    # More than it keeps: the last.
    seq 1 100000 | comap pub log
    comap dump log "$WORK/dump"
    comap load "$WORK/dump" copy --keep
    comap sub log --from oldest --timeout 0 >"$WORK/a" 2>/dev/null || true
    comap sub copy --from oldest --timeout 0 >"$WORK/b" 2>/dev/null || true
    [ -s "$WORK/a" ]
    cmp "$WORK/a" "$WORK/b"
    comap rm copy
    comap channel ticks create --fields t:f8,sym:s8 --keep
    comap pub ticks t=1 sym=a
    round_trip ticks
    [ "$(comap sub copy --from oldest --count 1)" = 't=1 sym=a' ]
    comap pub copy t=2
}

@test "a channel with a publisher at work: what is kept, and an end" {
    comap channel log create --keep
    background "$WORK/pub" bash -c 'exec "$1" pub log < <(seq 1 1000000000)' bash "$COMAP_BIN"
    eventually comap get log
    comap dump log "$WORK/dump"
    comap load "$WORK/dump" copy --keep
    [[ $(comap stat copy --json) == *'"published":'[1-9]* ]]
    kill -KILL "$CHILD"
}

@test "a queue: the messages that wait, in their order, which wait on" {
    comap queue jobs create --message-bytes 50 --keep
    comap push jobs a b c d
    comap pop jobs
    background "$WORK/pop" "$COMAP_BIN" pop jobs --confirm -- sleep 1000
    eventually bash -c "'$COMAP_BIN' stat jobs --json | grep -q '\"waiting\":2,\"held\":1'"
    comap dump jobs "$WORK/dump"
    comap load "$WORK/dump" copy --keep
    [ "$(comap pop copy --count 2)" = $'c\nd' ]
    fails 1 "no message" -- pop copy --timeout 0
    [ "$(comap pop jobs --count 2)" = $'c\nd' ]
    comap queue moves create --fields from:u4 --keep
    comap push moves from=7
    comap rm copy
    round_trip moves
    [ "$(comap pop copy)" = from=7 ]
}

@test "a mutex, events, a semaphore" {
    comap mutex m create --keep
    round_trip m
    comap rm copy
    comap event e create --manual --set --keep
    round_trip e
    comap rm copy
    comap event f create --keep
    round_trip f
    comap rm copy
    comap sem s create --initial 3 --maximum 7 --keep
    comap sem s acquire
    round_trip s
    [[ $(comap stat copy) == *"2/7"* ]]
}

@test "load: --hold, the name of the dump, a name that is taken" {
    comap put t value
    comap dump t "$WORK/dump"
    fails 2 --hold --keep -- load "$WORK/dump" copy
    fails 1 "'t'" -- load "$WORK/dump" --keep
    comap rm t
    background "$WORK/hold" "$COMAP_BIN" load "$WORK/dump" --hold
    eventually grep -qx 'holding t' "$WORK/hold.out"
    [ "$(comap get t)" = value ]
    kill -TERM "$CHILD"
    ends_with 0 "$CHILD"
    has_no_object t
    comap load - --keep <"$WORK/dump"
    [ "$(comap get t)" = value ]
}

@test "--replace-contents puts them into what is there" {
    comap put t value
    comap dump t "$WORK/t.dump"
    comap put t other
    comap load "$WORK/t.dump" --replace-contents
    [ "$(comap get t)" = value ]
    comap create x 10 --keep
    printf 0123456789 | comap put x --at 0
    comap dump x "$WORK/x.dump"
    printf abcdefghij | comap put x --at 0
    comap load "$WORK/x.dump" --replace-contents
    [ "$(comap get x)" = 0123456789 ]
    comap create long 20 --keep
    printf abcdefghijklmnopqrst | comap put long --at 0
    comap load "$WORK/x.dump" long --replace-contents
    [ "$(comap get long | tr '\0' .)" = 0123456789.......... ]
    comap cell c create --fields a:i4 --keep
    comap put c a=1
    comap dump c "$WORK/c.dump"
    comap put c a=2
    comap load "$WORK/c.dump" --replace-contents
    [ "$(comap get c a)" = 1 ]
    comap push q 1 2
    comap dump q "$WORK/q.dump"
    comap push q 3
    comap load "$WORK/q.dump" --replace-contents
    [ "$(comap pop q --follow --timeout 0)" = $'1\n2' ]
    comap pub log a b
    comap dump log "$WORK/log.dump"
    comap load "$WORK/log.dump" --replace-contents
    [ "$(comap sub log --from oldest --count 4)" = $'a\nb\na\nb' ]
    comap event e create --manual --keep
    comap dump e "$WORK/e.dump"
    comap event e set
    comap load "$WORK/e.dump" --replace-contents
    has_state e "kept, not set, manual"
    comap sem s create --initial 3 --keep
    comap dump s "$WORK/s.dump"
    comap sem s release 5
    comap load "$WORK/s.dump" --replace-contents
    [[ $(comap stat s) == *" 3/"* ]]
    comap sem s acquire
    comap load "$WORK/s.dump" --replace-contents
    [[ $(comap stat s) == *" 3/"* ]]
    fails 1 -- load "$WORK/t.dump" c --replace-contents
    fails 1 -- load "$WORK/s.dump" c --replace-contents
    fails 1 "cell" -- load "$WORK/x.dump" c --replace-contents
    comap cell d create --fields b:i4 --keep
    fails 1 "'a'" -- load "$WORK/c.dump" d --replace-contents
    comap load "$WORK/t.dump" fresh --replace-contents --keep
    [ "$(comap get fresh)" = value ]
}

@test "a dump that is cut off anywhere, or damaged, makes nothing" {
    comap push q one two
    comap dump q "$WORK/dump"
    local size at
    size=$(wc -c <"$WORK/dump")
    for ((at = 0; at < size; at += 3)); do
        head -c "$at" "$WORK/dump" >"$WORK/cut"
        run -4 comap load "$WORK/cut" copy --keep
    done
    head -c "$((size - 1))" "$WORK/dump" >"$WORK/cut"
    fails 4 "cut off" -- load "$WORK/cut" copy --keep
    for ((at = 0; at < size; at += 5)); do
        { head -c "$at" "$WORK/dump"; printf '\x7f'; tail -c "+$((at + 2))" "$WORK/dump"; } >"$WORK/bad"
        ! cmp -s "$WORK/bad" "$WORK/dump" || continue
        run -4 comap load "$WORK/bad" copy --keep
    done
    has_no_object copy
    comap record log "$WORK/none" 2>/dev/null || true
    printf 'COMAPREC and more bytes' >"$WORK/bad"
    fails 4 "is no dump" -- load "$WORK/bad" copy --keep
    fails 1 "$WORK/nothing" -- load "$WORK/nothing" copy --keep
}

@test "the file is as FORMAT.md says" {
    command -v python3 >/dev/null || skip "no python3"
    comap pub log one two
    comap dump log "$WORK/dump"
    python3 -c '
import json, struct, sys, zlib
data = open(sys.argv[1], "rb").read()
assert data[:8] == b"COMAPDMP"
version, size = struct.unpack_from("<II", data, 8)
assert version == 1
header = json.loads(data[16:16 + size])
assert header["name"] == "log" and header["kind"] == "section" and header["layout"] == "channel" and header["mode"] == 0o600 and header["keep"] is True
assert struct.unpack_from("<I", data, 16 + size)[0] == zlib.crc32(data[:16 + size])
at = 16 + size + 4
items = []
while True:
    count = struct.unpack_from("<Q", data, at)[0]
    if count == 2**64 - 1: break
    items.append(data[at + 8:at + 8 + count])
    assert struct.unpack_from("<I", data, at + 8 + count)[0] == zlib.crc32(data[at:at + 8 + count])
    at += 12 + count
assert items == [b"one", b"two"], items
assert struct.unpack_from("<QI", data, at + 8) == (2, zlib.crc32(data[at:at + 16]))
assert at + 20 == len(data)' "$WORK/dump"
}

@test "errors: no object, a full disk, a reader who has gone" {
    fails 1 nothing -- dump nothing "$WORK/dump"
    [ ! -e "$WORK/dump" ]
    comap put t x
    fails 3 "$WORK/no/dir" -- dump t "$WORK/no/dir"
    comap create x 4M --keep
    run bash -c '"$1" dump x - 2>"$2" | head -c 10 >/dev/null; echo "${PIPESTATUS[0]}"' bash "$COMAP_BIN" "$WORK/err"
    [ "$output" -eq 141 ]
    [ -w /dev/full ] || skip "no /dev/full"
    fails 3 "No space left" -- dump t /dev/full
    status=0
    comap dump t - >/dev/full 2>/dev/null || status=$?
    [ "$status" -eq 3 ]
}
