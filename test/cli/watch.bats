#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# watch: each change once, blocked in between; how it ends.
load helper

@test "prints each new value, and the last of a burst" {
    comap put t 0
    background "$WORK/watch" "$COMAP_BIN" watch t --initial
    eventually grep -qx 0 "$WORK/watch.out"
    comap put t first
    eventually grep -qx first "$WORK/watch.out"
    for i in $(seq 1 30); do comap put t "$i"; done
    eventually grep -qx 30 "$WORK/watch.out"
    [ "$(sort "$WORK/watch.out" | uniq -d | wc -l)" -eq 0 ]
    kill -INT "$CHILD"
    ends_with 130 "$CHILD"
    [ "$(comap get t)" = 30 ]
}

@test "without --initial only what changes" {
    comap put t old
    background "$WORK/watch" "$COMAP_BIN" watch t --count 1
    local i=0
    while kill -0 "$CHILD" 2>/dev/null && [ $((i++)) -lt 1000 ]; do
        comap put t "new $i"
        sleep 0.01
    done
    ends_with 0 "$CHILD"
    [ "$(wc -l <"$WORK/watch.out")" -eq 1 ]
    grep -q '^new ' "$WORK/watch.out"
}

@test "--json: one object a line, versions only grow" {
    comap put t 'quo"te'
    background "$WORK/watch" "$COMAP_BIN" watch t --initial --json --count 3
    eventually grep -q . "$WORK/watch.out"
    [ "$(cat "$WORK/watch.out")" = '{"name":"t","version":1,"value":"quo\"te"}' ]
    is_json <"$WORK/watch.out"
    comap put t two
    eventually grep -qF '{"name":"t","version":2,"value":"two"}' "$WORK/watch.out"
    comap put t three
    ends_with 0 "$CHILD"
    [ "$(tail -n 1 "$WORK/watch.out")" = '{"name":"t","version":3,"value":"three"}' ]
}

@test "a section of bytes: its versions, also as JSON" {
    comap create x 4096 --keep
    background "$WORK/watch" "$COMAP_BIN" watch x --initial --count 2
    eventually grep -qx 0 "$WORK/watch.out"
    comap put x --at 0 a
    ends_with 0 "$CHILD"
    [ "$(tail -n 1 "$WORK/watch.out")" = 1 ]
    run -0 comap watch x --initial --json --count 1
    [ "$output" = '{"name":"x","version":1,"size_bytes":4096}' ]
}

@test "--timeout ends with 124 and a sentence" {
    comap put t x
    run --separate-stderr comap watch t --timeout 0.05
    [ "$status" -eq 124 ]
    [ -z "$output" ]
    [[ $stderr == "comap: "* ]]
    run -124 comap watch t --timeout 0
    run --separate-stderr comap watch t --initial --timeout 0.05
    [ "$status" -eq 124 ]
    [ "$output" = x ]
}

@test "sleeps between changes" {
    comap put t x
    background "$WORK/watch" "$COMAP_BIN" watch t --initial
    eventually grep -q x "$WORK/watch.out"
    eventually is_asleep "$CHILD"
    hold held 4096
    background "$WORK/watch2" "$COMAP_BIN" watch held --initial
    eventually grep -q 0 "$WORK/watch2.out"
    eventually is_asleep "$CHILD"
}

@test "the publisher is killed: says so, exits 1, and the object is gone" {
    hold x 4096
    local holder=$CHILD
    background "$WORK/watch" "$COMAP_BIN" watch x --initial
    eventually grep -q 0 "$WORK/watch.out"
    printf a | comap put x --at 0
    eventually grep -qx 1 "$WORK/watch.out"
    kill -KILL "$holder"
    ends_with 1 "$CHILD"
    grep -q 'last other holder of x has gone' "$WORK/watch.err"
    has_no_object x
    is_empty "$LOCAL"
}

@test "the publisher leaves after the wanted count: success" {
    hold x 4096
    local holder=$CHILD
    background "$WORK/watch" "$COMAP_BIN" watch x --initial --count 1
    ends_with 0 "$CHILD"
    kill -TERM "$holder"
}

@test "a kept object is waited for, also alone" {
    comap put t x
    background "$WORK/watch" "$COMAP_BIN" watch t --initial
    eventually grep -q x "$WORK/watch.out"
    eventually is_asleep "$CHILD"
    comap put t again
    eventually grep -q again "$WORK/watch.out"
}

@test "of a missing name" {
    run --separate-stderr comap watch nothing
    [ "$status" -eq 1 ]
    [[ $stderr == *nothing* ]]
}
