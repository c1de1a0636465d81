#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# janitor: removes the dead as they die, and sleeps otherwise.
load helper

start_janitor() {
    background "$WORK/janitor" "$COMAP_BIN" janitor --verbose
    JANITOR=$CHILD
    eventually grep -q "watching $LOCAL" "$WORK/janitor.err"
}

@test "removes what is dead when it starts, and what dies later" {
    hold before 64K
    kill -KILL "$CHILD"
    eventually has_no_object before
    start_janitor
    eventually is_empty "$LOCAL"
    for i in 1 2 3 4 5; do
        hold "later$i" 64K
        kill -KILL "$CHILD"
        eventually is_empty "$LOCAL"
        eventually grep -q "removed later$i" "$WORK/janitor.err"
    done
    kill -TERM "$JANITOR"
    ends_with 0 "$JANITOR"
}

@test "leaves the living and the kept alone" {
    start_janitor
    comap put kept 1
    hold alive 4096
    for i in $(seq 1 20); do comap get kept >/dev/null; comap ls >/dev/null; done
    hold other 4096
    kill -KILL "$CHILD"
    eventually file_count "$LOCAL" 2
    has_object kept
    has_object alive
}

@test "removes an object when the last of several holders is killed, whoever made it" {
    start_janitor
    hold x 4096
    local maker=$CHILD
    background "$WORK/watch" "$COMAP_BIN" watch x --initial
    eventually grep -q 0 "$WORK/watch.out"
    kill -STOP "$CHILD"
    kill -KILL "$maker"
    has_object x
    kill -KILL "$CHILD"
    eventually is_empty "$LOCAL"
}

@test "removes many at once" {
    start_janitor
    local pids=() i
    for i in $(seq 1 40); do
        background "$WORK/hold$i" "$COMAP_BIN" create "many$i" 4096 --hold
        pids+=("$CHILD")
    done
    eventually file_count "$LOCAL" 40
    kill -KILL "${pids[@]}"
    eventually is_empty "$LOCAL"
}

@test "an object that is removed as kept while held goes with its killed holder" {
    start_janitor
    hold x 4096 --keep
    comap rm x
    has_object x
    kill -KILL "$CHILD"
    eventually is_empty "$LOCAL"
}

@test "sleeps when nothing happens" {
    start_janitor
    hold x 4096
    comap put kept 1
    comap ls >/dev/null
    eventually is_asleep "$JANITOR"
}

@test "only one per user at a time; SIGINT and SIGTERM end it with 0" {
    start_janitor
    run --separate-stderr comap janitor
    [ "$status" -eq 1 ]
    [[ $stderr == *"another janitor"* ]]
    kill -INT "$JANITOR"
    ends_with 0 "$JANITOR"
    start_janitor
    kill -TERM "$JANITOR"
    ends_with 0 "$JANITOR"
}

@test "goes on when the directory is removed and made again" {
    start_janitor
    rm -rf "$LOCAL"
    eventually test -d "$LOCAL"
    eventually bash -c "[ \$(grep -c 'watching $LOCAL' '$WORK/janitor.err') -ge 2 ]"
    hold x 4096
    kill -KILL "$CHILD"
    eventually is_empty "$LOCAL"
}

@test "foreign files in the directory are left alone" {
    mkdir -m 0700 "$LOCAL"
    echo mine >"$LOCAL/foreign"
    mkfifo "$LOCAL/fifo"
    start_janitor
    hold x 4096
    kill -KILL "$CHILD"
    eventually file_count "$LOCAL" 2
    [ "$(cat "$LOCAL/foreign")" = mine ]
}

@test "root's janitor also looks after Global" {
    [ "$(id -u)" -eq 0 ] || skip "only root watches Global"
    comap setup-global
    start_janitor
    eventually grep -q "watching $COMAP_DIR/comap\$" "$WORK/janitor.err"
    hold 'Global\x' 4096
    has_object 'Global\x'
    kill -KILL "$CHILD"
    eventually is_empty "$COMAP_DIR/comap"
}
