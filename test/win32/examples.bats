#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The programs of examples/win32, each pair in two processes, which tell by their output how far they are.
load ../cli/helper

EXAMPLES=${COMAP_WIN32_EXAMPLES:-$BATS_TEST_DIRNAME/../../build/dev/examples/win32}

declare -gA INPUT OUTPUT PROCESS

# needs FILE...: the example was built. (Who sets COMAP_REQUIRE_EXAMPLES wants all of them.)
needs() {
    local file
    for file in "$@"; do
        [ -e "$EXAMPLES/$file" ] || [ -n "${COMAP_REQUIRE_EXAMPLES:-}" ] || skip "$file was not built here"
        [ -e "$EXAMPLES/$file" ] || { echo "there is no $EXAMPLES/$file" >&2; return 1; }
    done
}

# start NAME COMMAND...: a process with which `say` and `hear` talk. It has none of the others' pipes.
start() {
    local name=$1 fd
    shift
    mkfifo "$WORK/$name.in" "$WORK/$name.out"
    (
        for fd in "${INPUT[@]}" "${OUTPUT[@]}" 3; do exec {fd}>&-; done
        exec "$@" <"$WORK/$name.in" >"$WORK/$name.out" 2>"$WORK/$name.err"
    ) &
    PROCESS[$name]=$!
    CHILDREN+=("$!")
    exec {fd}>"$WORK/$name.in"
    INPUT[$name]=$fd
    exec {fd}<"$WORK/$name.out"
    OUTPUT[$name]=$fd
}

say() { printf '%s\n' "$2" >&"${INPUT[$1]}"; }

# hear NAME LINE: this is its next line.
hear() {
    local line
    IFS= read -r -t 60 line <&"${OUTPUT[$1]}" || { echo "$1 says nothing more" >&2; return 1; }
    [ "$line" = "$2" ] || { echo "$1 says '$line' instead of '$2'" >&2; return 1; }
}

close_input() {
    local fd=${INPUT[$1]}
    exec {fd}>&-
    unset "INPUT[$1]"
}

# finish NAME [STATUS]: its input ends, and so does it.
finish() {
    close_input "$1"
    ends_with "${2:-0}" "${PROCESS[$1]}"
}

nothing_is_left() { [ -z "$(find "$COMAP_DIR" -type f)" ]; }

MESSAGE='Message from first process.'

# shows_message SUFFIX: the transcript of first and second.
shows_message() {
    run -1 "$EXAMPLES/second$1"
    [ "$output" = 'Could not open file mapping object (2).' ]
    start first "$EXAMPLES/first$1"
    hear first 'first: wrote; any key ends it'
    run -0 "$EXAMPLES/second$1" </dev/null
    [[ $output == *"$MESSAGE"* && $output == *second* ]]
    say first k
    hear first 'first: closed'
    finish first
    run -1 "$EXAMPLES/second$1"
    [ "$output" = 'Could not open file mapping object (2).' ]
    nothing_is_left
}

@test "first and second: a message, shown as long as the first waits" { shows_message ''; }
@test "first and second, built with UNICODE" { shows_message _unicode; }

# on_terminal NAME COMMAND: as start, with a terminal for both input and output.
on_terminal() { start "$1" script -qefc "$2" /dev/null; }

@test "first and second on terminals: one key ends the first, Enter the box" {
    on_terminal first "$EXAMPLES/first"
    hear first $'first: wrote; any key ends it\r'
    on_terminal second "$EXAMPLES/second"
    hear second $'┌ second ─────────────────────┐\r'
    hear second $'│ Message from first process. │\r'
    hear second $'│                             │\r'
    hear second $'│ [Enter]                     │\r'
    hear second $'└─────────────────────────────┘\r'
    is_gone "${PROCESS[second]}" && return 1
    say second ''
    finish second
    printf k >&"${INPUT[first]}"
    hear first $'first: closed\r'
    finish first
    nothing_is_left
}

@test "second shows what comap put into a section that comap made" {
    comap setup-global
    start comap "$COMAP_BIN" create 'Global\comap-example-message' 256 --hold
    hear comap 'holding Global\comap-example-message'
    printf 'Message from comap.' | comap put 'Global\comap-example-message' --at 0
    run -0 "$EXAMPLES/second" </dev/null
    [[ $output == *'Message from comap.'* ]]
    kill -TERM "${PROCESS[comap]}"
    finish comap
}

@test "first's message is what comap get prints" {
    start first "$EXAMPLES/first"
    hear first 'first: wrote; any key ends it'
    [ "$(comap get --raw 'Global\comap-example-message' | tr -d '\0')" = "$MESSAGE" ]
    say first k
    finish first
}

@test "picture: one paints, the other looks and paints a frame" {
    run -1 "$EXAMPLES/picture" look
    [ "$output" = 'picture: OpenFileMapping failed with 2' ]
    start painter "$EXAMPLES/picture" paint
    hear painter 'painted 1024x768, corner 32, sum 43941888'
    run -1 "$EXAMPLES/picture" paint
    [ "$output" = 'picture: CreateFileMapping failed with 183' ]
    run -0 "$EXAMPLES/picture" look
    [ "$output" = 'found 1024x768, corner 32, sum 43941888' ]
    say painter k
    hear painter 'now 1024x768, corner 255, sum 44691332'
    finish painter
    nothing_is_left
}

@test "region: a part of a file, by a view that begins at a multiple of 64 KiB" {
    seq 100000 >"$WORK/numbers"
    for at in "0 10" "65535 3" "65536 100" "200001 70000" "588800 1000"; do
        set -- $at
        run -0 --separate-stderr "$EXAMPLES/region" "$WORK/numbers" "$1" "$2"
        [ "$output" = "$(tail -c +$(($1 + 1)) "$WORK/numbers" | head -c "$2")" ]
        [[ $stderr == *"a view that begins at $(($1 - $1 % 65536))" ]]
    done
    run -1 "$EXAMPLES/region" "$WORK/numbers" 588895 1
    run -1 "$EXAMPLES/region" "$WORK/none" 0 1
    [ "$output" = 'region: CreateFile failed with 2' ]
    : >"$WORK/empty"
    run -1 "$EXAMPLES/region" "$WORK/empty" 0 1
}

# repeated COUNT TEXT
repeated() { printf "$2%.0s" $(seq "$1"); }

# is_received UNITS TEXT: what the sender is told comes whole.
is_received() {
    say sender "$2"
    hear sender "sent: $1 UTF-16 units"
    hear receiver "received: $2"
}

@test "Pascal: whole texts, whatever their length in characters or bytes" {
    needs sender receiver
    start receiver "$EXAMPLES/receiver" 7
    hear receiver ready
    start sender "$EXAMPLES/sender"
    is_received 5 hello
    is_received 256 "$(repeated 256 x)"
    is_received 256 "$(repeated 256 ä)"
    is_received 256 "$(repeated 256 语)"
    is_received 256 "$(repeated 128 😀)"
    is_received 1 x  # nothing remains of the longer one
    say sender "$(repeated 257 ä)"
    hear sender 'not sent: it has 257 UTF-16 units, and there is room for 256'
    say sender "$(repeated 255 x)😀"
    hear sender 'not sent: it has 257 UTF-16 units, and there is room for 256'
    say sender $'caf\xe9'
    hear sender 'not sent: it is not UTF-8 text'
    is_received 256 "$(repeated 254 x)😀"
    finish receiver
    finish sender
    nothing_is_left
}

@test "Pascal: what the sender wrote is what comap get prints" {
    needs sender
    start sender "$EXAMPLES/sender"
    say sender 'Grüße, 语 😀'
    hear sender 'sent: 11 UTF-16 units'
    [ "$(comap get comap-example-text --encoding utf-16)" = 'Grüße, 语 😀' ]
    finish sender
}

@test "Pascal: the sender gives up when somebody keeps the mutex" {
    needs sender
    start sender "$EXAMPLES/sender" 50
    say sender one
    hear sender 'sent: 3 UTF-16 units'
    start keeper "$COMAP_BIN" lock comap-example-text-mutex -- sh -c 'echo locked; exec cat'
    hear keeper locked
    say sender two
    hear sender 'not sent: somebody has had the mutex for 50 ms'
    finish keeper
    say sender three
    hear sender 'sent: 5 UTF-16 units'
    finish sender
}

@test "Pascal: the unit has the calls and records of a program for Delphi" {
    needs windows_unit
    run -0 "$EXAMPLES/windows_unit" "$WORK/file"
    [ "$output" = 'all right' ]
    nothing_is_left
}

@test "assembly: each instance shows what any of them wrote; the last one takes it along" {
    needs line
    start one "$EXAMPLES/line"
    start two "$EXAMPLES/line"
    say one 'from one'
    hear one 'from one'
    hear two 'from one'
    start three "$EXAMPLES/line"
    hear three 'from one'
    say three 'drei: ÄÖÜ'
    for name in one two three; do hear "$name" 'drei: ÄÖÜ'; done
    finish three
    start four "$EXAMPLES/line"
    hear four 'drei: ÄÖÜ'
    kill -KILL "${PROCESS[one]}"
    finish one 137
    say two 'still here'
    hear two 'still here'
    hear four 'still here'
    say two "$(repeated 1000 y)"
    hear four "$(repeated 1000 y)"
    say two "$(repeated 1001 y)"
    eventually grep -qx 'line: not written: 1001 bytes, and there is room for 1000' "$WORK/two.err"
    finish four
    finish two
    [ ! -e "$LOCAL/comap-example-line" ]
    comap gc  # the event of the one that was killed
    nothing_is_left
    start anew "$EXAMPLES/line"
    say anew 'all anew'
    hear anew 'all anew'
    finish anew
}

@test "scripts: Python writes a string, Node reads it" {
    needs node/node_modules
    command -v python3 >/dev/null && command -v node >/dev/null || { [ -z "${COMAP_REQUIRE_EXAMPLES:-}" ] && skip "no python3 or no node"; }
    run -1 node "$EXAMPLES/node/read_string.mjs"
    [ "$output" = 'OpenMutex failed with 2' ]
    start writer python3 "$EXAMPLES/write_string.py" 'Zeichenkette: 语 😀'
    hear writer "written: $(printf %s 'Zeichenkette: 语 😀' | wc -c) bytes"
    run -0 node "$EXAMPLES/node/read_string.mjs"
    [ "$output" = 'read: Zeichenkette: 语 😀' ]
    finish writer
    run -1 node "$EXAMPLES/node/read_string.mjs"
    run -1 --separate-stderr python3 "$EXAMPLES/write_string.py" "$(repeated 4096 x)" </dev/null
    [ "$stderr" = 'not written: 4096 bytes, and there is room for 4095' ]
    nothing_is_left
}
