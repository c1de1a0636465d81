#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# channel, pub and sub; and stat, ls, get, hexdump, watch, who, wait of a channel.
load helper

# fails STATUS WORD... -- COMMAND...: it ends so, prints nothing, and its message has each of the words.
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

# follow NAME OPTION...: a subscriber that has begun; $CHILD is its pid. Its place is taken when it sleeps, or its first line is there.
follow() {
    local name=$1
    background "$WORK/$name" "$COMAP_BIN" sub "$@"
    eventually waits_for "$name" "$CHILD"
}

make_ticks() { comap channel ticks create --fields 't:f8,bid:f8,sym:s16' --keep "$@"; }

@test "channel create: --keep, --hold, --mode as of other objects" {
    comap channel c create --keep --mode 0640
    [ "$(comap ls --noheadings -o kind,layout,version,state,mode c)" = "channel  channel  -  kept  0640" ]
    background "$WORK/hold" "$COMAP_BIN" channel held create --hold
    eventually grep -qx 'holding held' "$WORK/hold.out"
    comap pub held x
    [ "$(comap get held)" = x ]
    kill -TERM "$CHILD"
    ends_with 0 "$CHILD"
    has_no_object held
    fails 1 "'c'" -- channel c create --keep
}

@test "channel create: what is missing or wrong on the line" {
    fails 2 --hold --keep -- channel x create
    fails 2 ACTION -- channel x drop --keep
    fails 2 a:f9 f8 -- channel x create --fields a:f9 --keep
    fails 2 --message-bytes -- channel x create --fields a:f8 --message-bytes 10 --keep
    fails 2 134217728 -- channel x create --message-bytes 1G --keep
    fails 2 33 32 -- channel x create --wait-for 33 --keep
    fails 2 -- channel x create --publishers few --keep
    fails 2 -- channel x create --patience soon --keep
    has_no_object x
}

@test "pub makes a channel, which stays; sub --from oldest and latest" {
    comap pub log hello 'two words' </dev/null
    [ "$(comap ls --noheadings -o state log)" = kept ]
    run -0 comap sub log --from oldest --count 2
    [ "$output" = $'hello\ntwo words' ]
    [ "$(comap sub log --from latest --count 1)" = 'two words' ]
    printf 'a\n\nlast' | comap pub log -
    [ "$(comap sub log --from oldest --count 5 | tail -n 3)" = $'a\n\nlast' ]
    : | comap pub empty
    has_no_object empty
}

@test "a publisher and a subscriber" {
    comap channel log create --keep
    follow log --count 3
    local reader=$CHILD
    comap pub log one
    eventually grep -qx one "$WORK/log.out"
    printf 'two\nthree\nfour\n' | comap pub log
    ends_with 0 "$reader"
    [ "$(cat "$WORK/log.out")" = $'one\ntwo\nthree' ]
    [ ! -s "$WORK/log.err" ]
}

@test "a publisher that reads a pipe publishes each line at once" {
    mkfifo "$WORK/pipe"
    background "$WORK/pub" bash -c 'exec "$1" pub log - -v <"$2"' bash "$COMAP_BIN" "$WORK/pipe"
    local publisher=$CHILD
    exec 7>"$WORK/pipe"
    eventually has_object log
    follow log --count 2
    echo first >&7
    eventually grep -qx first "$WORK/log.out"
    echo second >&7
    ends_with 0 "$CHILD"
    exec 7>&-
    wait "$publisher"
}

@test "several publishers at once: nothing is lost" {
    comap channel log create --message-bytes 16 --capacity 4000 --keep
    follow log --count 2000
    local reader=$CHILD i pids=()
    for i in 1 2 3 4; do
        seq "$((i * 1000))" "$((i * 1000 + 499))" | "$COMAP_BIN" pub log - 3>&- &
        pids+=("$!")
    done
    for i in "${pids[@]}"; do wait "$i"; done
    ends_with 0 "$reader"
    [ "$(sort -n "$WORK/log.out" | cksum)" = "$( { seq 1000 1499; seq 2000 2499; seq 3000 3499; seq 4000 4499; } | cksum)" ]
    # Of each, in order.
    grep '^2' "$WORK/log.out" | sort -n -c
}

@test "--publishers one: a second is refused while the first is there" {
    comap channel log create --publishers one --keep
    mkfifo "$WORK/pipe"
    background "$WORK/pub" bash -c 'exec "$1" pub log - <"$2"' bash "$COMAP_BIN" "$WORK/pipe"
    local publisher=$CHILD
    exec 7>"$WORK/pipe"
    echo mine >&7
    eventually bash -c "[ \"\$('$COMAP_BIN' get log)\" = mine ]"
    fails 1 "has a publisher" -- pub log other
    kill -KILL "$publisher"
    wait "$publisher" || true
    exec 7>&-
    eventually comap pub log other
    [ "$(comap get log)" = other ]
}

@test "text is escaped, one line each, tabs stay; --raw is exact" {
    printf 'a\tb\e[2J\nc' >"$WORK/in"
    comap pub log --whole <"$WORK/in"
    [ "$(comap sub log --from oldest --count 1)" = 'a'$'\t''b\x1b[2J\x0ac' ]
    comap sub log --from oldest --count 1 --raw | cmp - "$WORK/in"
    [ "$(comap get log)" = 'a'$'\t''b\x1b[2J\x0ac' ]
    comap get log --raw | cmp - "$WORK/in"
    printf '\xff\x00' | comap pub log --whole
    [ "$(comap sub log --from latest --count 1)" = '\xff\x00' ]
    [ "$(comap sub log --from latest --count 1 --json)" = '{"schema":1,"number":1,"missed":0,"bytes_base64":"/wA="}' ]
}

@test "--framed: any bytes, NULs and newlines too, through two channels" {
    command -v python3 >/dev/null || skip "no python3"
    python3 -c '
import os, struct, sys
messages = [b"", b"\0", b"a\nb", bytes(range(256)), os.urandom(4096)] + [os.urandom(n) for n in range(1, 200, 7)]
for message in messages: sys.stdout.buffer.write(struct.pack("<I", len(message)) + message)' >"$WORK/in"
    comap pub a --framed <"$WORK/in"
    local count
    count=$(comap stat a --json | sed 's/.*"published"://; s/[,}].*//')
    [ "$count" -eq 34 ]
    comap sub a --from oldest --framed --count "$count" | comap pub b --framed
    comap sub b --from oldest --framed --count "$count" | cmp - "$WORK/in"
    head -c -1 "$WORK/in" >"$WORK/cut"
    status=0
    comap pub c --framed <"$WORK/cut" 2>"$WORK/err" || status=$?
    [ "$status" -eq 2 ]
    grep -q 'message 34 is cut off' "$WORK/err"
    grep -q '33 messages were published' "$WORK/err"
}

@test "what is too long is refused; what came before it is in" {
    comap channel c create --message-bytes 4 --keep
    status=0
    printf 'abcd\nabcde\nx\n' | comap pub c 2>"$WORK/err" || status=$?
    [ "$status" -eq 1 ]
    grep -q 'line 2 of standard input has 5 bytes, and messages of c have at most 4' "$WORK/err"
    grep -q '1 message was published' "$WORK/err"
    [ "$(comap get c)" = abcd ]
    fails 1 "5 bytes" -- pub c abcde
    status=0
    head -c 200000 /dev/zero | tr '\0' x | comap pub c 2>"$WORK/err" || status=$?
    [ "$status" -eq 1 ]
    fails 2 --whole --framed -- pub c --whole --framed
    fails 2 "standard input" -- pub c --whole text
}

@test "records: fields, JSON, lines; printed as fields and JSON" {
    make_ticks
    comap pub ticks t=1 bid=2.5 'sym=EUR "USD"'
    comap pub ticks '{"t":2}' '{"t":3,"sym":"x"}'
    printf 't=4 sym="a b"\n\n{"t":5}\n' | comap pub ticks -
    comap sub ticks --from oldest --count 5 >"$WORK/out"
    cat >"$WORK/expected" <<'END'
t=1 bid=2.5 sym="EUR \"USD\""
t=2 bid=0 sym=""
t=3 bid=0 sym=x
t=4 bid=0 sym="a b"
t=5 bid=0 sym=""
END
    diff "$WORK/expected" "$WORK/out"
    comap channel again create --fields 't:f8,bid:f8,sym:s16' --keep
    comap pub again - <"$WORK/out"
    comap sub again --from oldest --count 5 | diff "$WORK/expected" -
    run -0 comap sub ticks --from oldest --count 1 --json
    [ "$output" = '{"schema":1,"number":0,"missed":0,"value":{"t":1.0,"bid":2.5,"sym":"EUR \"USD\""}}' ]
    comap sub ticks --from oldest --count 5 --framed | comap pub again --framed
    [ "$(comap sub again --from latest --count 1)" = 't=5 bid=0 sym=""' ]
    fails 2 "'zz'" "t, bid, sym" -- pub ticks zz=1
    fails 2 "'hello'" "field=value" -- pub ticks hello
    fails 2 JSON -- pub ticks '{"t":'
    status=0
    printf 't=1\nt=x\n' | comap pub ticks 2>"$WORK/err" || status=$?
    [ "$status" -eq 2 ]
    grep -q 'line 2 of standard input' "$WORK/err"
    status=0
    printf abc | comap pub ticks --whole 2>"$WORK/err" || status=$?
    [ "$status" -eq 2 ]
    grep -q '3 bytes, and the records of ticks have 32' "$WORK/err"
}

@test "a subscriber that is too slow is told how many it missed" {
    comap channel log create --message-bytes 8 --capacity 16 --keep
    follow log --json --count 2
    local reader=$CHILD
    comap pub log first
    eventually grep -q first "$WORK/log.out"
    kill -STOP "$reader"
    seq 1 100000 | comap pub log
    kill -CONT "$reader"
    ends_with 0 "$reader"
    grep -q 'messages of log were missed' "$WORK/log.err"
    local line number missed
    line=$(tail -n 1 "$WORK/log.out")
    number=$(sed 's/.*"number":\([0-9]*\).*/\1/' <<<"$line")
    missed=$(sed 's/.*"missed":\([0-9]*\).*/\1/' <<<"$line")
    [ "$missed" -gt 90000 ]
    [ "$number" -eq "$((missed + 1))" ]
    [[ $line == *"\"text\":\"$number\""* ]]
}

@test "--wait-for: publishers wait, and give up after their patience" {
    comap channel log create --message-bytes 8 --capacity 16 --wait-for 1 --patience 0.1 --keep
    follow log --count 20000
    local reader=$CHILD
    kill -STOP "$reader"
    status=0
    seq 1 20000 | comap pub log 2>"$WORK/err" || status=$?
    [ "$status" -eq 124 ]
    grep -q 'time is over' "$WORK/err"
    local count
    count=$(sed -n 's/^comap: \([0-9]*\) messages were published: log$/\1/p' "$WORK/err")
    [ "$count" -gt 0 ]
    fails 1 "has 1 subscriber," -- sub log
    seq "$((count + 1))" 20000 | comap pub log - --patience 30 &
    local publisher=$!
    kill -CONT "$reader"
    ends_with 0 "$reader"
    wait "$publisher"
    seq 1 20000 | cmp - "$WORK/log.out"
    [ ! -s "$WORK/log.err" ]
}

@test "--count, --timeout, --wait" {
    fails 1 nothing -- sub nothing
    fails 124 nothing -- sub nothing --wait 0.05
    fails 124 nothing -- pub nothing --wait 0.05 x
    has_no_object nothing
    comap pub log a b
    run --separate-stderr comap sub log --timeout 0.05
    [ "$status" -eq 124 ]
    [ -z "$output" ]
    [[ $stderr == *"no message came in log"* ]]
    run --separate-stderr comap sub log --from oldest --timeout 0
    [ "$status" -eq 124 ]
    [ "$output" = $'a\nb' ]
    run -2 comap sub log --count 0
    run -2 comap sub log --from middle
    run -2 comap sub log --json --raw
    background "$WORK/late" "$COMAP_BIN" sub later --wait 60 --from oldest --count 1
    local reader=$CHILD
    background "$WORK/sender" "$COMAP_BIN" pub third --wait 60 hello
    local sender=$CHILD
    eventually grep -q '^State:[[:space:]]*S' "/proc/$reader/status"
    comap pub later here
    ends_with 0 "$reader"
    [ "$(cat "$WORK/late.out")" = here ]
    comap channel third create --keep
    ends_with 0 "$sender"
    [ "$(comap get third)" = hello ]
}

@test "--wait before there is any directory" {
    background "$WORK/late" "$COMAP_BIN" sub later --wait 60 --from oldest --count 1
    eventually grep -q '^State:[[:space:]]*S' "/proc/$CHILD/status"
    comap pub later here
    ends_with 0 "$CHILD"
    [ "$(cat "$WORK/late.out")" = here ]
}

@test "signals end it as they do watch; a reader who has gone ends it quietly" {
    comap channel log create --keep
    follow log
    kill -INT "$CHILD"
    ends_with 130 "$CHILD"
    follow log
    kill -TERM "$CHILD"
    ends_with 143 "$CHILD"
    seq 1 100000 | comap pub log
    run bash -c '"$1" sub log --from oldest 2>"$2" | head -n 1 >/dev/null; echo "${PIPESTATUS[0]}"' bash "$COMAP_BIN" "$WORK/err"
    [ "$output" -eq 141 ]
    [ ! -s "$WORK/err" ]
}

@test "signals end a wait for what is not there" {
    local command
    for command in sub pop pub; do
        background "$WORK/wait" "$COMAP_BIN" "$command" nothing --wait 60
        eventually grep -q '^State:[[:space:]]*S' "/proc/$CHILD/status"
        kill -TERM "$CHILD"
        ends_with 143 "$CHILD"
        [ ! -s "$WORK/wait.err" ]
    done
}

@test "sleeps between messages" {
    comap channel log create --keep
    follow log
    eventually is_asleep "$CHILD"
    comap pub log x
    eventually grep -qx x "$WORK/log.out"
}

@test "--rate and -v" {
    local before after
    before=$(date +%s%N)
    run --separate-stderr -0 comap pub log a b c d e --rate 20 -v
    after=$(date +%s%N)
    [ "$stderr" = "comap: 5 messages were published: log" ]
    [ "$((after - before))" -ge 200000000 ]
    run --separate-stderr -0 comap pub log x
    [ -z "$stderr" ]
    run -2 comap pub log x --rate 0
}

@test "get, watch and wait of a channel" {
    comap channel log create --keep
    fails 1 "no message yet" -- get log
    comap pub log one
    [ "$(comap get log)" = one ]
    [ "$(comap get log --json)" = '{"schema":1,"name":"log","number":0,"text":"one"}' ]
    make_ticks
    comap pub ticks bid=1.5
    [ "$(comap get ticks)" = $'t:   0\nbid: 1.5\nsym: ' ]
    [ "$(comap get ticks bid)" = 1.5 ]
    [ "$(comap get ticks bid --json)" = '{"schema":1,"name":"ticks","number":0,"field":"bid","value":1.5}' ]
    fails 2 "'zz'" -- get ticks zz
    fails 2 fields -- get log field
    background "$WORK/watch" "$COMAP_BIN" watch log --initial --count 2
    eventually grep -qx one "$WORK/watch.out"
    comap pub log two
    ends_with 0 "$CHILD"
    [ "$(cat "$WORK/watch.out")" = $'one\ntwo' ]
    background "$WORK/wait" "$COMAP_BIN" wait log
    eventually waits_for log "$CHILD"
    comap pub log three
    ends_with 0 "$CHILD"
    [ "$(cat "$WORK/wait.out")" = log ]
    comap queue jobs create --keep
    comap event ready create --set --manual --keep
    background "$WORK/wait" "$COMAP_BIN" wait --all log jobs ready
    eventually waits_for log "$CHILD"
    comap pub log four
    comap push jobs a
    ends_with 0 "$CHILD"
    [ "$(cat "$WORK/wait.out")" = $'log\njobs\nready' ]
    [ "$(comap pop jobs)" = a ]
}

@test "stat, ls, who" {
    make_ticks --capacity 100 --wait-for 3 --publishers one
    comap pub ticks t=1
    comap pub ticks t=2
    run -0 comap stat ticks
    [[ $output == *"kind      channel"*"messages  records of 32 bytes"*"published 2"*"one publisher at a time"*"up to 3 subscribers"* ]]
    [[ $output == *$'FIELD  TYPE  OFFSET\nt      f8         0\nbid    f8         8\nsym    s16       16'* ]]
    run -0 comap stat ticks --json
    is_json <<<"$output"
    [[ $output == *'"kind":"channel"'*'"message_bytes":32,"record_format":"<T{d:t:d:bid:16s:sym:}","many_publishers":false,"subscribers_waited_for":3'*'"published":2'* ]]
    [[ $output != *'"version"'* ]]
    comap ls --json | is_json
    comap channel log create --keep
    follow log
    [ "$(comap who -t log)" = "$CHILD" ]
}

@test "hexdump: the last messages; by field for records; all bytes with --at" {
    comap pub log one two
    run -0 comap hexdump log
    [[ $output == *'# kind     channel'*'# message 0, 3 bytes'*'|one|'*'# message 1, 3 bytes'*'|two|'* ]]
    comap pub log 1 2 3 4 5 6 7 8
    run -0 comap hexdump log
    [[ $output != *'|two|'*  && $output == *'# message 9, 1 byte'* ]]
    make_ticks
    comap pub ticks t=1 sym=EURUSD
    comap hexdump ticks --noheadings >"$WORK/dump"
    cat >"$WORK/expected" <<'END'
t          00000000  00 00 00 00 00 00 f0 3f                           |.......?|
bid        00000008  00 00 00 00 00 00 00 00                           |........|
sym        00000010  45 55 52 55 53 44 00 00  00 00 00 00 00 00 00 00  |EURUSD..........|
END
    diff "$WORK/expected" "$WORK/dump"
    run -0 comap hexdump ticks --at 0 --noheadings
    [[ $output == *EURUSD* ]]
    background "$WORK/follow" "$COMAP_BIN" hexdump log --follow
    eventually grep -q '# message 9' "$WORK/follow.out"
    comap pub log next
    eventually grep -q '|next|' "$WORK/follow.out"
}

@test "channels are nothing else, and nothing else is a channel" {
    comap pub log x
    fails 1 "comap pub" "comap sub" -- put log x
    fails 1 "comap pub" -- put log a=1 b=2
    fails 1 "comap pub" -- put log --at 0 x
    comap put t x
    fails 1 text "comap put" -- pub t x
    fails 1 text "comap watch" -- sub t
    comap mutex m create --keep
    fails 1 mutex -- sub m
    fails 1 mutex -- pub m x
    comap push q x
    fails 1 queue "comap pop" -- sub q
    [ "$(comap get log)" = x ]
}

@test "a publisher that is killed has published whole messages only" {
    comap channel log create --capacity 100000 --message-bytes 64 --keep
    follow log
    background "$WORK/pub" bash -c 'exec "$1" pub log < <(seq -f "message %020g" 1 100000000)' bash "$COMAP_BIN"
    local publisher=$CHILD
    eventually test -s "$WORK/log.out"
    kill -KILL "$publisher"
    ends_with 137 "$publisher"
    comap pub log end
    eventually grep -qx end "$WORK/log.out"
    head -n -1 "$WORK/log.out" | grep -vqE '^message [0-9]{20}$' && return 1
    return 0
}
