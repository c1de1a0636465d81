#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# wait: any or all of several objects.
load helper

@test "prints the name of what is ready, the first in the list" {
    comap event a create --keep
    comap event b create --keep --set
    comap sem s create --keep --initial 1
    run -0 comap wait a b s
    [ "$output" = b ]
    has_state b "kept, not set, automatic"
    has_state s "kept, 1/2147483647"
    run -0 comap wait a b s
    [ "$output" = s ]
    has_state s "kept, 0/2147483647"
    run -124 comap wait a b s --timeout 0
}

@test "sleeps until one becomes ready" {
    comap event a create --keep
    comap sem s create --keep
    for command in "event a set:a" "sem s release:s"; do
        background "$WORK/wait" "$COMAP_BIN" wait a s
        eventually waits_for a "$CHILD"
        eventually waits_for s "$CHILD"
        # shellcheck disable=SC2086
        comap ${command%%:*}
        ends_with 0 "$CHILD"
        [ "$(cat "$WORK/wait.out")" = "${command##*:}" ]
    done
    has_state a "kept, not set, automatic"
    has_state s "kept, 0/2147483647"
}

@test "--json" {
    comap event a create --keep --set
    comap event b create --keep --set --manual
    run -0 comap wait a b --json
    [ "$output" = '{"schema":1,"ready":["a"],"abandoned":[]}' ]
    comap event a set
    run -0 comap wait --all a b --json
    [ "$output" = '{"schema":1,"ready":["a","b"],"abandoned":[]}' ]
}

@test "a mutex is taken, and given back at the end" {
    comap lock m -- true
    run -0 comap wait m
    [ "$output" = m ]
    has_state m "kept, free"
    run --separate-stderr comap lock m --abandoned=fail -- true
    [ "$status" -eq 0 ]
    hold_lock m
    run -124 comap wait m --timeout 0.05
    background "$WORK/wait" "$COMAP_BIN" wait m
    eventually waits_for m "$CHILD"
    kill -TERM "$(cat "$WORK/owner.out")"
    ends_with 0 "$CHILD"
    eventually has_state m "kept, free"
}

@test "an abandoned mutex: its name, a note, exit code 4, and it stays abandoned" {
    hold_lock m
    background "$WORK/wait" "$COMAP_BIN" wait m
    eventually waits_for m "$CHILD"
    local waiter=$CHILD
    kill -KILL "${CHILDREN[0]}"
    ends_with 4 "$waiter"
    [ "$(cat "$WORK/wait.out")" = m ]
    grep -q '^comap: note: the last owner of m was killed' "$WORK/wait.err"
    has_state m "kept, abandoned"
    run --separate-stderr comap wait --json --all m
    [ "$status" -eq 4 ]
    [ "$output" = '{"schema":1,"ready":["m"],"abandoned":["m"]}' ]
    run -4 comap lock m --abandoned=fail -- true
    run -0 comap lock m -- true
    run -0 comap wait m
}

@test "the next change of a text, and of a section" {
    comap put t old
    comap create x 4096 --keep
    background "$WORK/wait" "$COMAP_BIN" wait t x
    eventually waits_for t "$CHILD"
    comap put t new
    ends_with 0 "$CHILD"
    [ "$(cat "$WORK/wait.out")" = t ]
    background "$WORK/wait" "$COMAP_BIN" wait t x
    eventually waits_for x "$CHILD"
    comap put x --at 0 a
    ends_with 0 "$CHILD"
    [ "$(cat "$WORK/wait.out")" = x ]
    run -124 comap wait t x --timeout 0.05
}

@test "--all: until all are ready, then takes all" {
    comap event e create --keep --set
    comap sem s create --keep
    comap lock m -- true
    background "$WORK/wait" "$COMAP_BIN" wait --all e s m
    eventually waits_for s "$CHILD"
    has_state e "held, set, automatic"
    comap sem s release
    ends_with 0 "$CHILD"
    [ "$(tr '\n' , <"$WORK/wait.out")" = e,s,m, ]
    has_state e "kept, not set, automatic"
    has_state s "kept, 0/2147483647"
    has_state m "kept, free"
}

@test "--all takes nothing when time is over" {
    comap event e create --keep --set
    comap sem s create --keep --initial 3
    comap event never create --keep
    comap lock m -- true
    run --separate-stderr comap wait -a e s m never --timeout 0.05
    [ "$status" -eq 124 ]
    [ -z "$output" ]
    [[ $stderr == "comap: time is over, and not all of the 4 objects were ready" ]]
    has_state e "kept, set, automatic"
    has_state s "kept, 3/2147483647"
    has_state m "kept, free"
}

@test "--timeout says what was not ready" {
    comap event a create --keep
    comap event b create --keep
    run --separate-stderr comap wait a --timeout 0
    [ "$status" -eq 124 ]
    [[ $stderr == "comap: time is over, and a was not ready" ]]
    run --separate-stderr comap wait a b --timeout 0 --json
    [ "$status" -eq 124 ]
    [ -z "$output" ]
    [[ $stderr == "comap: time is over, and none of the 2 objects was ready" ]]
}

@test "a signal ends it by that signal, and nothing is taken" {
    comap event a create --keep
    comap sem s create --keep
    for pair in INT:130 TERM:143 HUP:129; do
        background "$WORK/wait" "$COMAP_BIN" wait a s
        eventually waits_for s "$CHILD"
        kill -"${pair%%:*}" "$CHILD"
        ends_with "${pair##*:}" "$CHILD"
        background "$WORK/wait" "$COMAP_BIN" wait --all a s
        eventually waits_for a "$CHILD"
        kill -"${pair%%:*}" "$CHILD"
        ends_with "${pair##*:}" "$CHILD"
    done
    comap event a set
    has_state a "kept, set, automatic"
}

@test "waits asleep" {
    comap event a create --keep
    comap sem s create --keep
    background "$WORK/wait" "$COMAP_BIN" wait a s
    eventually waits_for a "$CHILD"
    eventually is_asleep "$CHILD"
}

@test "killed while it waits, it leaves nothing behind" {
    comap event a create --keep
    comap sem s create --keep --initial 1
    comap lock m -- true
    background "$WORK/wait" "$COMAP_BIN" wait --all a s m
    eventually waits_for a "$CHILD"
    kill -KILL "$CHILD"
    eventually has_ended "$CHILD"
    has_state s "kept, 1/2147483647"
    comap event a set
    run -0 comap wait --all a s m --timeout 10
}

@test "errors: nothing to wait for, a missing one, one twice, a wrong time" {
    comap event a create --keep
    run -2 comap wait
    run -2 comap wait --timeout soon a
    run -2 comap wait --timeout -1 a
    run -2 comap wait --all a a
    run --separate-stderr comap wait a missing
    [ "$status" -eq 1 ]
    [[ $stderr == *missing* ]]
    comap event a set
    run -0 comap wait a a
    [ "$output" = a ]
}
