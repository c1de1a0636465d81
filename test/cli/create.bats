#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# create: sizes, modes, files, holding and keeping.
load helper

@test "without --hold or --keep it is a usage error that says why" {
    run --separate-stderr comap create x 4096
    [ "$status" -eq 2 ]
    [[ $stderr == *"--hold"* && $stderr == *"--keep"* ]]
    has_no_object x
}

@test "--hold holds until SIGTERM, SIGINT or SIGHUP; then the name is gone" {
    for signal in TERM INT HUP; do
        hold x 4096
        has_object x
        kill -"$signal" "$CHILD"
        ends_with 0 "$CHILD"
        has_no_object x
        is_empty "$LOCAL"
    done
}

@test "a killed holder's object is gone for every open, and its name can be had again" {
    hold x 64K
    kill -KILL "$CHILD"
    eventually has_no_object x
    run -1 comap get x
    comap create x 4096 --keep
    run -0 comap ls --noheadings -b -o name,size
    [ "$output" = "x  4096" ]
}

@test "--keep stays without a holder" {
    comap create x 1M --keep
    run -0 comap stat x
    [[ $output == *"state     kept"* ]]
    [ "$(comap get x | wc -c)" -eq 1048576 ]
    [ -z "$(comap get x | tr -d '\0')" ]
}

@test "--hold --keep holds, and stays afterwards" {
    hold x 4096 --keep
    [ "$(comap who -t x)" = "$CHILD" ]
    kill -TERM "$CHILD"
    ends_with 0 "$CHILD"
    has_object x
}

@test "sizes: bytes, K, M, G, hexadecimal" {
    for pair in 1:1 4096:4096 64K:65536 1M:1048576 2MiB:2097152 0x1000:4096 3k:3072; do
        comap create x "${pair%%:*}" --keep
        [ "$(comap ls --noheadings -b -o size x)" -eq "${pair##*:}" ]
        comap rm x
    done
}

@test "beyond 4 GiB, lazily" {
    run comap create x 5G --keep --lazy
    [ "$status" -eq 0 ] || skip "$output"
    printf end | comap put x --at 5368709117
    [ "$(comap get x --at 5368709117)" = end ]
}

@test "bad sizes: 0, negative, no number, beyond a file's end, beyond memory" {
    for size in 0 -5 abc 1X 1.5K 99999999999999999999 8388608T ''; do
        run --separate-stderr comap create x "$size" --keep
        [ "$status" -eq 2 ] || { echo "$size: $status $stderr"; return 1; }
        [[ $stderr == "comap: "* && $stderr =~ [0-9]{19} ]] || { echo "$size: no limit: $stderr"; return 1; }
    done
    run --separate-stderr comap create x 1000T --keep
    [ "$status" -eq 3 ]
    [[ $stderr == *"1099511627776000"*"available"* ]]
    has_no_object x
}

@test "of an existing one: kind and size, and who holds it" {
    hold x 64K
    run --separate-stderr comap create x 4096 --keep
    [ "$status" -eq 1 ]
    [[ $stderr == *"already exists"*"section"*"65536"* ]]
    [[ $stderr == *"held by $CHILD (comap)"* ]]
}

@test "--mode is exact, whatever the umask; private by default" {
    (umask 0; comap create a 1 --keep)
    (umask 077; comap create b 1 --keep --mode 0664)
    [ "$(comap ls --noheadings -o mode a)" = 0600 ]
    [ "$(comap ls --noheadings -o mode b)" = 0664 ]
    [ "$(stat -c %a "$LOCAL/a")" = 1600 ]
    run -2 comap create c 1 --keep --mode 9
    run -2 comap create c 1 --keep --mode 4755
    run -2 comap create c 1 --keep --mode rw
}

@test "--file: the bytes of a file" {
    printf 'from the file' >"$WORK/file"
    truncate -s 8192 "$WORK/file"
    comap create x 8K --keep --file "$WORK/file"
    [ "$(comap get x --count 13)" = 'from the file' ]
    printf hello | comap put x --at 4096
    [ "$(dd if="$WORK/file" bs=1 skip=4096 count=5 2>/dev/null)" = hello ]
    run -0 comap stat x
    [[ $output == *"file      $WORK/file"* ]]
}

@test "--file --offset: a region of a file; misaligned is an error with both numbers" {
    truncate -s 16384 "$WORK/file"
    printf region | dd of="$WORK/file" bs=1 seek=4096 conv=notrunc 2>/dev/null
    comap create x 4096 --keep --file "$WORK/file" --offset 4096
    [ "$(comap get x --count 6)" = region ]
    run --separate-stderr comap create y 4096 --keep --file "$WORK/file" --offset 100
    [ "$status" -eq 2 ]
    [[ $stderr == *100*4096* ]]
    run -2 comap create y 4096 --keep --offset 4096
}

@test "--file: a missing one, a directory; replaced, removed or shortened under a section" {
    run -1 comap create x 4096 --keep --file "$WORK/missing"
    run comap create x 4096 --keep --file "$WORK"
    [ "$status" -ne 0 ]
    has_no_object x
    truncate -s 4096 "$WORK/file"
    comap create x 4096 --keep --file "$WORK/file"
    cp "$WORK/file" "$WORK/other"
    mv "$WORK/other" "$WORK/file"
    run --separate-stderr comap get x
    [ "$status" -eq 4 ]
    comap rm x
    comap create x 4096 --keep --file "$WORK/file"
    truncate -s 10 "$WORK/file"
    run -4 comap get x
    rm "$WORK/file"
    run -4 comap get x
}
