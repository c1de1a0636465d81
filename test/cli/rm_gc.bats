#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# rm and gc.
load helper

@test "rm removes kept objects, several at once" {
    comap put a 1
    comap create b 4096 --keep
    run --separate-stderr comap rm a b
    [ "$status" -eq 0 ]
    [ -z "$output$stderr" ]
    is_empty "$LOCAL"
}

@test "rm of a held object: it ends with its last holder, who loses nothing" {
    hold x 4096 --keep
    run --separate-stderr comap rm x
    [ "$status" -eq 0 ]
    [[ $stderr == *"still held by $CHILD (comap)"*"last holder"* ]]
    has_object x
    [ "$(comap ls --noheadings -o keep x)" = no ]
    kill -TERM "$CHILD"
    ends_with 0 "$CHILD"
    has_no_object x
    is_empty "$LOCAL"
}

@test "rm goes on after a missing one, and tells" {
    comap put a 1
    run --separate-stderr comap rm missing a
    [ "$status" -eq 1 ]
    [[ $stderr == *missing*"$LOCAL"* ]]
    is_empty "$LOCAL"
    run -0 comap rm -f missing
}

@test "gc removes what killed processes left, and nothing else" {
    hold dead1 1M
    kill -KILL "$CHILD"
    wait "$CHILD" || true
    hold dead2 64K
    kill -KILL "$CHILD"
    wait "$CHILD" || true
    hold alive 4096
    comap create kept 4096 --keep
    eventually has_no_object dead1
    eventually has_no_object dead2
    run --separate-stderr comap gc
    [ "$status" -eq 0 ]
    [[ $output =~ ^removed\ [0-9]+\ of\ [0-9]+\ objects?,\ .*\ given\ back$ ]]
    [ -z "$stderr" ]
    has_object alive
    has_object kept
    file_count "$LOCAL" 2
    run -0 comap gc
    [[ $output == "removed 0 of 2 objects, 0 given back" ]]
}

@test "gc where there is nothing yet" {
    run -0 comap gc
    [[ $output == "removed 0 of 0 objects, 0 given back" ]]
}
