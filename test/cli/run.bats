#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# run: sections for as long as a command runs.
load helper

@test "the sections are there while the command runs, and gone afterwards" {
    run -0 comap run --section a:64K -s b:4096 -- "$COMAP_BIN" ls --noheadings -o name,size
    [ "${lines[0]}" = "a  64K" ]
    [ "${lines[1]}" = "b   4K" ]
    is_empty "$LOCAL"
}

@test "passes the exit status, arguments and standard input" {
    run -7 comap run -s a:1 -- sh -c 'exit 7'
    run -0 comap run -s a:1 -- printf '%s|' -la --color=auto -- x
    [ "$output" = '-la|--color=auto|--|x|' ]
    run -0 bash -c 'echo in | "$1" run -s a:1 -- cat' bash "$COMAP_BIN"
    [ "$output" = in ]
    run -0 comap run -s a:1 -- ls -a "$LOCAL"
}

@test "126 and 127: cannot be executed, not found" {
    touch "$WORK/plain"
    run -126 comap run -s a:1 -- "$WORK/plain"
    run -127 comap run -s a:1 -- "$WORK/missing"
    PATH=/usr/bin:/bin run -127 comap run -s a:1 -- no-such-command-anywhere
    is_empty "$LOCAL"
}

@test "128+N when a signal ends the command" {
    run -137 comap run -s a:1 -- sh -c 'kill -KILL $$'
    run -143 comap run -s a:1 -- sh -c 'kill -TERM $$'
}

@test "125 when a section cannot be made; nothing is run and nothing left" {
    hold b 4096
    run --separate-stderr comap run -s a:1 -s b:1 -- touch "$WORK/ran"
    [ "$status" -eq 125 ]
    [[ $stderr == *"already exists"*"held by $CHILD"* ]]
    [ ! -e "$WORK/ran" ]
    file_count "$LOCAL" 1
    run -125 comap run -s x:1000T -- true
    run -125 comap run -s x:0 -- true
}

@test "usage errors" {
    run -2 comap run -- true
    run -2 comap run -s a:1
    run -2 comap run -s a -- true
    run -2 comap run -s a:b -- true
    run -2 comap run -s :1 -- true
}

@test "a name may contain colons" {
    run -0 comap run -s a:b:c:4096 -- "$COMAP_BIN" ls --noheadings -b -o name,size
    [ "$output" = "a:b:c  4096" ]
}

@test "forwards SIGTERM and SIGINT, and passes on how the command ends" {
    for signal in TERM INT; do
        # A shell cannot trap what was ignored when it started, as SIGINT is for background processes.
        background "$WORK/run" env --default-signal="$signal" "$COMAP_BIN" run -s a:1 -- sh -c "trap 'echo got; exit 9' $signal; echo ready; while :; do sleep 0.05; done"
        eventually grep -q ready "$WORK/run.out"
        kill -"$signal" "$CHILD"
        ends_with 9 "$CHILD"
        grep -q got "$WORK/run.out"
        is_empty "$LOCAL"
    done
}

@test "the command gets default signals" {
    run -0 comap run -s a:1 -- sh -c 'grep -E "^Sig(Blk|Ign)" /proc/self/status'
    [[ ${lines[0]} =~ ^SigBlk:.0000000000000000$ ]]
    (( (16#${lines[1]##*[!0-9a-f]} & (1 << 12)) == 0 ))
}

@test "killed, its sections are dead at once for everybody" {
    background "$WORK/run" "$COMAP_BIN" run -s a:1 -- sleep 1000
    eventually has_object a
    local child
    eventually pgrep -P "$CHILD"
    child=$(pgrep -P "$CHILD")
    CHILDREN+=("$child")
    kill -KILL "$CHILD"
    eventually has_no_object a
}
