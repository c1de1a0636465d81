#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# put and get: texts and bytes; all or nothing.
load helper

@test "put makes a kept text; get prints it with a newline, --raw without" {
    comap put greeting 'hällo'
    [ "$(comap get greeting | od -An -c | tr -d ' \n')" = 'h303244llo\n' ]
    [ "$(comap get greeting --raw | wc -c)" -eq 6 ]
    [ "$(comap ls --noheadings -o layout,state,version greeting)" = "text  kept  1" ]
}

@test "put changes a text, and an empty value is a value" {
    comap put t one
    comap put t ''
    [ "$(comap get t --raw | wc -c)" -eq 0 ]
    comap put t three
    [ "$(comap get t)" = three ]
    [ "$(comap ls --noheadings -o version t)" -eq 3 ]
}

@test "put reads standard input exactly, with - or without a value" {
    printf 'two\nlines\n' | comap put t -
    [ "$(comap get t --raw | wc -c)" -eq 10 ]
    printf 'again' | comap put t
    [ "$(comap get t)" = again ]
    comap get t --raw | comap put copy
    [ "$(comap get copy)" = again ]
}

@test "values that begin with '-', and names that are commands" {
    comap put t -- -5
    [ "$(comap get t)" = -5 ]
    comap put t -7
    [ "$(comap get t)" = -7 ]
    comap put t -- --help
    [ "$(comap get t)" = --help ]
    comap put ls rm
    [ "$(comap get ls)" = rm ]
}

@test "a text too long is an error with both lengths, and nothing changes" {
    comap put t old --capacity 16
    run --separate-stderr comap put t 12345678901234567
    [ "$status" -eq 1 ]
    [[ $stderr == *17*16* ]]
    [ "$(comap get t)" = old ]
    printf '%017d' 0 >"$WORK/long"
    run --separate-stderr comap put t - <"$WORK/long"
    [ "$status" -eq 1 ]
    [[ $stderr == *17*16* ]]
    run --separate-stderr bash -c 'yes | "$1" put t' bash "$COMAP_BIN"
    [ "$status" -eq 1 ]
    [ "$(comap get t)" = old ]
    [ "$(comap ls --noheadings -o version t)" -eq 1 ]
}

@test "what does not fit or is not UTF-8 makes no text either" {
    head -c 65537 /dev/zero | tr '\0' x >"$WORK/long"
    run --separate-stderr comap put t - <"$WORK/long"
    [ "$status" -eq 1 ]
    [[ $stderr == *65537*65536* ]]
    run -1 comap put t 12345 --capacity 4
    run --separate-stderr comap put t $'bad \xff byte'
    [ "$status" -eq 2 ]
    [[ $stderr == *UTF-8* ]]
    has_no_object t
    is_empty "$LOCAL"
}

@test "invalid UTF-8 leaves the old value" {
    comap put t old
    run -2 comap put t $'\xc3('
    [ "$(comap get t)" = old ]
}

@test "a value as long as the capacity fits" {
    head -c 65536 /dev/zero | tr '\0' x >"$WORK/full"
    comap put t - <"$WORK/full"
    comap get t --raw | cmp - "$WORK/full"
    comap put big - --capacity 2M <"$WORK/full"
    [ "$(comap stat big --json | grep -o '"capacity_bytes":[0-9]*')" = '"capacity_bytes":2097152' ]
}

@test "killed while it reads, put has written nothing" {
    comap put t old
    mkfifo "$WORK/fifo"
    background "$WORK/put" bash -c 'exec "$1" put t - <"$2"' bash "$COMAP_BIN" "$WORK/fifo"
    exec 9>"$WORK/fifo"
    printf 'half a val' >&9
    kill -KILL "$CHILD"
    eventually is_gone "$CHILD"
    exec 9>&-
    [ "$(comap get t)" = old ]
}

@test "an unreadable standard input is an error, and nothing is written" {
    comap put t old
    run --separate-stderr comap put t - <"$WORK"
    [ "$status" -eq 3 ]
    [ "$(comap get t)" = old ]
}

@test "put does not make a held text stay" {
    comap put t one
    background "$WORK/watch" "$COMAP_BIN" watch t --initial
    eventually grep -q one "$WORK/watch.out"
    kill -STOP "$CHILD"
    comap rm t
    comap put t two
    [ "$(comap get t)" = two ]
    [ "$(comap ls --noheadings -o keep t)" = no ]
    kill -KILL "$CHILD"
    eventually has_no_object t
}

@test "put --at writes bytes into a section and publishes" {
    comap create x 16 --keep
    printf 'hello' | comap put x --at 3
    [ "$(comap get x --at 3 --count 5)" = hello ]
    [ "$(comap ls --noheadings -o version x)" -eq 1 ]
    comap put x --at 0xb end!!
    [ "$(comap get x --at 11)" = 'end!!' ]
    printf '' | comap put x --at 16
    [ "$(comap ls --noheadings -o version x)" -eq 2 ]
}

@test "put --at beyond the end writes nothing and says both numbers" {
    comap create x 16 --keep
    run --separate-stderr comap put x --at 12 hello
    [ "$status" -eq 1 ]
    [[ $stderr == *5*4* ]]
    run --separate-stderr bash -c 'yes | "$1" put x --at 12' bash "$COMAP_BIN"
    [ "$status" -eq 1 ]
    run --separate-stderr comap put x --at 17 a
    [ "$status" -eq 2 ]
    [[ $stderr == *17*16* ]]
    [ -z "$(comap get x | tr -d '\0')" ]
    [ "$(comap ls --noheadings -o version x)" -eq 0 ]
}

@test "put --at needs a section that exists and is not a text" {
    run -1 comap put x --at 0 hello
    has_no_object x
    comap put t text
    run --separate-stderr comap put t --at 0 hello
    [ "$status" -eq 1 ]
    [ "$(comap get t)" = text ]
}

@test "put of a value on a section of bytes is refused, with a hint" {
    comap create x 16 --keep
    run --separate-stderr comap put x hello
    [ "$status" -eq 1 ]
    [[ $stderr == *"--at"* ]]
}

@test "get of a part; past the end is an error with both numbers" {
    comap create x 100 --keep
    printf abcdef | comap put x --at 94
    [ "$(comap get x --at 94)" = abcdef ]
    [ "$(comap get x --at 95 --count 2)" = bc ]
    [ "$(comap get x --at 5 --count 0 | wc -c)" -eq 0 ]
    run --separate-stderr comap get x --at 99 --count 2
    [ "$status" -eq 2 ]
    [[ $stderr == *100* ]]
    run -2 comap get x --at 101
    comap put t text
    run -2 comap get t --at 1
}

@test "get does not put bytes on a terminal unless it must" {
    command -v script >/dev/null || skip "no script(1)"
    comap create x 4 --keep
    printf 'BEEF' | comap put x --at 0
    run script -qec "'$COMAP_BIN' get x" /dev/null
    [ "$status" -eq 2 ]
    [[ $output == *hexdump* && $output != *BEEF* ]]
    run script -qec "'$COMAP_BIN' get x --raw" /dev/null
    [[ $output == *BEEF* ]]
}

@test "a long copy shows its progress, on a terminal only" {
    command -v script >/dev/null || skip "no script(1)"
    comap create x 200M --keep --lazy || skip "no room"
    run --separate-stderr bash -c '"$1" get x | cat >/dev/null' bash "$COMAP_BIN"
    [ -z "$stderr" ]
    run script -qec "'$COMAP_BIN' get x | cat >/dev/null" /dev/null
    [[ $output == *%*"of 200M"* ]]
}

@test "get of a missing name says where it looked" {
    run --separate-stderr comap get nothing
    [ "$status" -eq 1 ]
    [[ $stderr == *nothing*"$LOCAL"* ]]
}

@test "get --encoding prints the text in a section, up to the first NUL" {
    hold bytes 64
    printf 'gr\303\274n\0rest' | comap put bytes --at 0 -
    [ "$(comap get bytes --encoding utf-8)" = grün ]
    printf 'g\0r\0\374\0n\0\0\0x\0' | comap put bytes --at 0 -
    [ "$(comap get bytes --encoding utf-16)" = grün ]
    printf '\0\330x\0\0\0' | comap put bytes --at 0 -
    run --separate-stderr comap get bytes --encoding utf-16
    [ "$status" -ne 0 ]
    [ -z "$output" ] && [[ $stderr == *UTF-16* ]]
    run comap get bytes --encoding latin-1
    [ "$status" -eq 2 ]
    comap put text value
    run comap get text --encoding utf-8
    [ "$status" -eq 2 ]
}
