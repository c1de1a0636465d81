#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# queue, push and pop; and stat, ls, get, hexdump, wait of a queue.
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

has_counts() { [[ $(comap stat "$1" --json) == *"\"waiting\":$2,\"held\":$3"* ]]; }

@test "queue create: --keep, --hold; what is wrong on the line" {
    comap queue q create --keep
    [ "$(comap ls --noheadings -o kind,layout,version,state q)" = "queue  queue  -  kept" ]
    background "$WORK/hold" "$COMAP_BIN" queue held create --hold
    eventually grep -qx 'holding held' "$WORK/hold.out"
    kill -TERM "$CHILD"
    ends_with 0 "$CHILD"
    has_no_object held
    fails 2 --hold --keep -- queue x create
    fails 2 a:f9 -- queue x create --fields a:f9 --keep
    fails 2 --message-bytes -- queue x create --fields a:f8 --message-bytes 10 --keep
    fails 2 ACTION -- queue x drop --keep
}

@test "push makes a queue, which stays; pop takes each once, in order" {
    comap push jobs a b
    printf 'c\nd\n' | comap push jobs -v 2>"$WORK/err"
    [ "$(cat "$WORK/err")" = "comap: 2 messages were added: jobs" ]
    [ "$(comap ls --noheadings -o state jobs)" = kept ]
    [ "$(comap pop jobs)" = a ]
    [ "$(comap pop jobs --count 2)" = $'b\nc' ]
    [ "$(comap pop jobs --json)" = '{"schema":1,"redelivered":false,"text":"d"}' ]
    fails 1 "no message to take" -- pop jobs --timeout 0
    fails 124 "no message to take" -- pop jobs --timeout 0.05
    fails 1 nothing -- pop nothing
    fails 124 nothing -- pop nothing --wait 0.05
    run -2 comap pop jobs --count 0
    run -2 comap pop jobs --count 1 --follow
}

@test "pop waits, asleep, for a message" {
    comap queue jobs create --keep
    background "$WORK/pop" "$COMAP_BIN" pop jobs
    eventually waits_for jobs "$CHILD"
    comap push jobs hello
    ends_with 0 "$CHILD"
    [ "$(cat "$WORK/pop.out")" = hello ]
}

@test "signals end a pop that waits" {
    comap queue jobs create --keep
    background "$WORK/pop" "$COMAP_BIN" pop jobs --follow
    eventually waits_for jobs "$CHILD"
    kill -TERM "$CHILD"
    ends_with 143 "$CHILD"
    background "$WORK/pop" "$COMAP_BIN" pop jobs --confirm -- cat
    eventually waits_for jobs "$CHILD"
    kill -TERM "$CHILD"
    ends_with 143 "$CHILD"
}

@test "several takers: each message to one of them" {
    comap queue jobs create --message-bytes 16 --capacity 3000 --keep
    local i pids=()
    for i in 1 2 3; do
        "$COMAP_BIN" pop jobs --count 500 >"$WORK/out.$i" 3>&- &
        pids+=("$!")
    done
    seq 1 1500 | comap push jobs
    for i in "${pids[@]}"; do wait "$i"; done
    sort -n "$WORK"/out.* | cmp - <(seq 1 1500)
    for i in 1 2 3; do sort -n -c "$WORK/out.$i"; done
}

@test "--follow --timeout 0 takes all there is" {
    comap push jobs a b c
    run --separate-stderr -0 comap pop jobs --follow --timeout 0
    [ "$output" = $'a\nb\nc' ]
    [ -z "$stderr" ]
    fails 1 "no message" -- pop jobs --follow --timeout 0
}

@test "--confirm -- CMD: the message on its input; done if it ends with 0, else given back" {
    comap push jobs 'one job' second
    run -0 comap pop jobs --confirm -- cat
    [ "$output" = 'one job' ]
    run -7 comap pop jobs --confirm -- sh -c 'cat; exit 7'
    [ "$output" = second ]
    has_counts jobs 1 0
    run -127 comap pop jobs --confirm -- /no/such/command
    run -137 comap pop jobs --confirm -- sh -c 'kill -KILL $$'
    [ "$(comap pop jobs --json)" = '{"schema":1,"redelivered":true,"text":"second"}' ]
    has_counts jobs 0 0
    comap push jobs x
    run -3 comap pop jobs -- sh -c 'exit 3'
    has_counts jobs 0 0
    fails 2 --json -- pop jobs --json -- cat
}

@test "--confirm --follow -- CMD: one after the other, until one fails" {
    comap push jobs 1 2 3 bad 5
    run -1 comap pop jobs --confirm --follow -- sh -c 'read -r job || :; echo "$job"; [ "$job" != bad ]'
    [ "$output" = $'1\n2\n3\nbad' ]
    has_counts jobs 2 0
}

@test "a taker that is killed gives the message back, and its command dies" {
    comap push jobs job other
    background "$WORK/pop" "$COMAP_BIN" pop jobs --confirm -- sh -c 'echo "$$"; exec sleep 1000'
    local taker=$CHILD command
    eventually grep -q . "$WORK/pop.out"
    command=$(cat "$WORK/pop.out")
    has_counts jobs 1 1
    [ "$(comap pop jobs)" = other ]
    fails 1 "no message" -- pop jobs --timeout 0
    kill -KILL "$taker"
    run -0 comap pop jobs --json --timeout 30
    [ "$output" = '{"schema":1,"redelivered":true,"text":"job"}' ]
    eventually has_ended "$command"
}

@test "a taker that waits gets what a killed one had" {
    comap push jobs job
    background "$WORK/pop" "$COMAP_BIN" pop jobs --confirm -- sh -c 'echo "$$"; exec sleep 1000'
    local first=$CHILD
    eventually grep -q . "$WORK/pop.out"
    background "$WORK/second" "$COMAP_BIN" pop jobs --json
    eventually waits_for jobs "$CHILD"
    kill -KILL "$first"
    ends_with 0 "$CHILD"
    [ "$(cat "$WORK/second.out")" = '{"schema":1,"redelivered":true,"text":"job"}' ]
}

@test "--confirm and a write error: the message is given back" {
    [ -w /dev/full ] || skip "no /dev/full"
    comap push jobs job
    status=0
    comap pop jobs --confirm >/dev/full 2>/dev/null || status=$?
    [ "$status" -eq 3 ]
    has_counts jobs 1 0
    [ "$(comap pop jobs --confirm --json)" = '{"schema":1,"redelivered":true,"text":"job"}' ]
    has_counts jobs 0 0
}

@test "a full queue: push waits for room" {
    comap queue jobs create --message-bytes 8 --capacity 4 --patience 0.05 --keep
    status=0
    seq 1 100000 | comap push jobs 2>"$WORK/err" || status=$?
    [ "$status" -eq 124 ]
    local count
    count=$(sed -n 's/^comap: \([0-9]*\) messages were added: jobs$/\1/p' "$WORK/err")
    has_counts jobs "$count" 0
    seq "$((count + 1))" 20000 | comap push jobs - --patience 60 3>&- &
    local pusher=$!
    comap pop jobs --count 20000 | cmp - <(seq 1 20000)
    wait "$pusher"
}

@test "--framed: any bytes; records" {
    printf '\x03\x00\x00\x00a\x00b\x00\x00\x00\x00\x01\x00\x00\x00\n' >"$WORK/in"
    comap push jobs --framed <"$WORK/in"
    comap pop jobs --framed --count 3 | cmp - "$WORK/in"
    comap push jobs --framed <"$WORK/in"
    comap pop jobs --raw --count 3 | cmp - <(printf 'a\x00b\n')
    comap queue moves create --fields 'from:u4,to:u4' --keep
    comap push moves from=1 to=2
    comap push moves '{"to":3}'
    [ "$(comap pop moves)" = 'from=1 to=2' ]
    [ "$(comap pop moves --json)" = '{"schema":1,"redelivered":false,"value":{"from":0,"to":3}}' ]
    comap push moves to=258
    comap pop moves --confirm -- od -An -tx1 | grep -q '00 00 00 00 02 01 00 00'
    fails 2 "'zz'" -- push moves zz=1
}

@test "stat, ls, wait, hexdump; what a queue is not" {
    comap queue jobs create --fields 'from:u4' --keep
    comap push jobs from=1
    run -0 comap stat jobs
    [[ $output == *"kind      queue"*"messages  records of 4 bytes"*"waiting   1"*"held      0"*"FIELD"* ]]
    run -0 comap stat jobs --json
    is_json <<<"$output"
    [[ $output == *'"message_bytes":4'*'"waiting":1,"held":0'* ]]
    run -0 comap wait jobs
    [ "$output" = jobs ]
    has_counts jobs 1 0
    comap queue empty create --keep
    run -124 comap wait empty --timeout 0.05
    comap push text find-me
    run -0 comap hexdump text
    [[ $output == *'# kind     queue'*'find-me'* ]]
    fails 1 queue "comap pop" -- get jobs
    fails 1 queue "comap pop" -- watch jobs
    fails 1 "comap push" -- put jobs x
    fails 1 "comap push" -- pub jobs x
    comap put t x
    fails 1 text "comap put" -- push t x
    fails 1 text -- pop t
}

# Runs a line of sh in which "$0" is comap.
line() { sh -c "$1" "$COMAP_BIN"; }

@test "where a standard stream is closed, nothing of it goes into an object or comes out of one" {
    comap push jobs one two three
    run -3 line '"$0" pop jobs --confirm >&-'
    has_counts jobs 3 0
    run line '"$0" wait jobs missing 2>&-'
    run -3 line '"$0" push jobs <&-'
    run -3 line '"$0" push jobs <&- 2>&-'
    has_counts jobs 3 0
    run -3 line '"$0" pop jobs >&-'
    [ "$(comap pop jobs)" = two ]
    comap pub log one
    run -3 line '"$0" sub log --from oldest --count 1 >&-'
    run -3 line '"$0" sub log --from oldest --count 1 >&- 2>&- <&-'
    [ "$(comap sub log --from oldest --count 1)" = one ]
}
