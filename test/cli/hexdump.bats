#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# hexdump: canonical form, folding, following.
load helper

@test "heading and canonical lines, repeated ones folded" {
    comap create x 100 --keep
    printf 'Hello, world 123' | comap put x --at 16
    printf '\x00\xff\x7f~' | comap put x --at 96
    run -0 comap hexdump x
    [[ ${lines[0]} == '# name     x' ]]
    [[ $output == *'# size     100 bytes'* ]]
    comap hexdump x --noheadings >"$WORK/dump"
    cat >"$WORK/expected" <<'EOF'
00000000  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|
00000010  48 65 6c 6c 6f 2c 20 77  6f 72 6c 64 20 31 32 33  |Hello, world 123|
00000020  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|
*
00000060  00 ff 7f 7e                                       |...~|
00000064
EOF
    diff "$WORK/expected" "$WORK/dump"
}

@test "the same as hexdump -C, where there is one" {
    command -v hexdump >/dev/null || skip "no hexdump(1)"
    comap create x 3333 --keep
    head -c 3000 /bin/sh | comap put x --at 100
    diff <(comap get x | hexdump -C) <(comap hexdump x --noheadings)
}

@test "--at and --count show real offsets" {
    comap create x 8K --keep
    printf 'abc' | comap put x --at 4096
    run -0 comap hexdump x --noheadings --at 4K --count 3
    [ "${lines[0]}" = '00001000  61 62 63                                          |abc|' ]
    [ "${lines[1]}" = '00001003' ]
    run -2 comap hexdump x --at 9000
}

@test "a text shows its capacity and its bytes" {
    comap put t 'find me'
    run -0 comap hexdump t
    [[ $output == *'# capacity 64K'* && $output == *'find me'* ]]
}

@test "--follow shows it again after each change, and ends with the publisher" {
    hold x 16
    local holder=$CHILD
    background "$WORK/dump" "$COMAP_BIN" hexdump x --follow
    eventually grep -q '# version  0' "$WORK/dump.out"
    printf 'changed' | comap put x --at 0
    eventually grep -q '|changed' "$WORK/dump.out"
    grep -q '# version  1' "$WORK/dump.out"
    kill -KILL "$holder"
    ends_with 1 "$CHILD"
    grep -q 'has gone' "$WORK/dump.err"
}

@test "of a missing name" {
    run -1 comap hexdump nothing
}
