#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Names of every kind, and enemies in the directory: a clear error or a working object.
load helper

@test "slashes, dots, spaces, control characters, UTF-8: all work, and stay in the directory" {
    local name
    for name in a/b ../../etc/passwd . .. .hidden '#123' 'a b' '100%' %41 "it's" '"q"' '*' $'tab\there' $'line\nbreak' $'\e[31mred' 'größe' '日本' ':' 'a:b' $'\x7f'; do
        comap put "$name" "value of $name"
        [ "$(comap get "$name")" = "value of $name" ] || { echo "$name"; return 1; }
        comap ls --json | is_json
        file_count "$LOCAL" 1
        comap rm "$name"
        is_empty "$LOCAL"
    done
    [ "$(ls -A "$COMAP_DIR")" = "comap-$(id -u)" ]
}

@test "a name of 240 bytes works, one of 241 does not; nor an empty one" {
    local long
    long=$(printf 'ä%.0s' $(seq 1 120))
    comap put "$long" x
    [ "$(comap get "$long")" = x ]
    [ "$(comap ls --noheadings -o name)" = "$long" ]
    long=$(printf '/%.0s' $(seq 1 240))
    comap put "$long" y
    [ "$(comap get "$long")" = y ]
    run -2 comap put "$long/" z
    run -2 comap put '' z
    run -2 comap put 'a\b' z
    run -2 comap put 'Local\' z
    run -2 comap put $'bad\xff' z
    file_count "$LOCAL" 2
}

@test "names are escaped for people, and raw in JSON" {
    comap put $'a\nb\e[2J' x
    comap put $'right\u202eleft' x
    run -0 comap ls --noheadings -o name
    [ "${lines[0]}" = 'a\x0ab\x1b[2J' ]
    [ "${lines[1]}" = 'right\xe2\x80\xaeleft' ]
    run -0 comap ls --json
    [[ $output == *'"name":"a\nb\u001b[2J"'* ]]
    run --separate-stderr comap get $'missing\e[2J'
    [ "$status" -eq 1 ]
    [[ $stderr == *'missing\x1b[2J'* && $stderr != *$'\e'* ]]
}

@test "columns line up for wide characters" {
    comap create 日本 1 --keep
    comap create abcd 1 --keep
    run -0 comap ls --noheadings -o name,kind
    [ "${lines[0]}" = 'abcd  section' ]
    [ "${lines[1]}" = '日本  section' ]
}

@test "a planted symlink, FIFO, directory or foreign file is an error, and is not followed" {
    comap put ok x
    echo untouched >"$WORK/target"
    ln -s "$WORK/target" "$LOCAL/link"
    ln -s "$WORK/new" "$LOCAL/dangling"
    mkfifo "$LOCAL/fifo"
    mkdir "$LOCAL/directory"
    echo 'no object' >"$LOCAL/foreign"
    : >"$LOCAL/empty"
    local name
    for name in link dangling fifo directory foreign empty; do
        for command in "get $name" "put $name value" "hexdump $name" "stat $name" "who $name" "watch $name" "create $name 4096 --keep"; do
            # shellcheck disable=SC2086
            run --separate-stderr timeout 20 "$COMAP_BIN" $command
            [[ $status -eq 4 || $status -eq 3 || ( $name = empty || $name = foreign ) && $status -eq 1 ]] || { echo "$command: $status $stderr"; return 1; }
            [[ $stderr == "comap: "* ]]
        done
    done
    [ "$(cat "$WORK/target")" = untouched ]
    [ ! -e "$WORK/new" ]
    [ "$(comap get ok)" = x ]
    run -0 comap gc
}

@test "a truncated or overwritten header is corrupt, another format version a mismatch" {
    comap create x 4096 --keep
    cp -p "$LOCAL/x" "$WORK/good"
    truncate -s 100 "$LOCAL/x"
    run -4 comap get x
    cp -p "$WORK/good" "$LOCAL/x"
    chmod 1600 "$LOCAL/x"
    printf '\xff\xff\xff\xff' | dd of="$LOCAL/x" bs=1 seek=8 conv=notrunc 2>/dev/null
    run --separate-stderr comap get x
    [ "$status" -eq 4 ]
    [[ $stderr == *version* ]]
    head -c 4096 /dev/urandom | dd of="$LOCAL/x" conv=notrunc 2>/dev/null
    run -4 comap stat x
    run -4 comap hexdump x
}
