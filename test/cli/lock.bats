#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# lock: one command at a time; what is left by killed ones.
load helper

@test "makes a kept mutex, and the command runs while it is owned" {
    run -0 comap lock m -- "$COMAP_BIN" ls --noheadings -o name,kind,keep,mode m
    [ "$output" = "m  mutex  yes  0600" ]
    run -0 comap lock m -- "$COMAP_BIN" ls --noheadings -o state m
    [[ $output == "held, locked by "* ]]
    has_state m "kept, free"
    comap lock n --mode 0660 -- true
    [ "$(comap ls --noheadings -o mode n)" = 0660 ]
}

@test "takes a mutex that others hold, and lets it end with them" {
    background "$WORK/hold" "$COMAP_BIN" mutex m create --hold
    eventually grep -q '^holding m' "$WORK/hold.out"
    run -0 comap lock m -- true
    kill -TERM "$CHILD"
    ends_with 0 "$CHILD"
    has_no_object m
}

@test "excludes a second command until the first has ended" {
    hold_lock m
    local owner=$CHILD
    background "$WORK/second" "$COMAP_BIN" lock m -- echo ran
    eventually waits_for m "$CHILD"
    [ ! -s "$WORK/second.out" ]
    kill -TERM "$owner"
    ends_with 143 "$owner"
    ends_with 0 "$CHILD"
    [ "$(cat "$WORK/second.out")" = ran ]
    [ ! -s "$WORK/second.err" ]
    has_state m "kept, free"
}

@test "many at once: each adds one, none is lost" {
    echo 0 >"$WORK/count"
    local i pids=()
    for i in $(seq 1 20); do
        background "$WORK/many$i" "$COMAP_BIN" lock m -- sh -c 'read -r n <"$1"; echo $((n + 1)) >"$1"' sh "$WORK/count"
        pids+=("$CHILD")
    done
    for i in "${pids[@]}"; do ends_with 0 "$i"; done
    [ "$(cat "$WORK/count")" -eq 20 ]
}

@test "killed, it hands the mutex over, with a note, and its command dies with it" {
    hold_lock m
    local owner=$CHILD
    background "$WORK/next" "$COMAP_BIN" lock m -- echo ran
    eventually waits_for m "$CHILD"
    kill -KILL "$owner"
    ends_with 0 "$CHILD"
    [ "$(cat "$WORK/next.out")" = ran ]
    grep -q '^comap: note: the last owner of m was killed' "$WORK/next.err"
    eventually has_ended "$COMMAND"
    run --separate-stderr comap lock m -- true
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
}

@test "its command dies with it, also one that ignores signals" {
    background "$WORK/owner" "$COMAP_BIN" lock m -- sh -c 'trap "" TERM INT HUP; echo "$$"; while :; do sleep 0.05; done'
    eventually grep -q . "$WORK/owner.out"
    COMMAND=$(cat "$WORK/owner.out")
    kill -KILL "$CHILD"
    eventually has_ended "$COMMAND"
}

@test "--abandoned=fail does not run the command, and the mutex stays abandoned; a run clears it" {
    hold_lock m
    kill -KILL "$CHILD"
    eventually has_state m "kept, abandoned"
    for _ in 1 2; do
        run --separate-stderr comap lock m --abandoned=fail -- touch "$WORK/ran"
        [ "$status" -eq 4 ]
        [[ $stderr == "comap: "*"m"*"killed"* ]]
        [ ! -e "$WORK/ran" ]
        has_state m "kept, abandoned"
    done
    run --separate-stderr comap lock m --abandoned=run -- touch "$WORK/ran"
    [ "$status" -eq 0 ]
    [[ $stderr == *note*killed* ]]
    [ -e "$WORK/ran" ]
    run --separate-stderr comap lock m --abandoned fail -- true
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
}

@test "a command that cannot be executed leaves the mutex abandoned" {
    hold_lock m
    kill -KILL "$CHILD"
    eventually has_state m "kept, abandoned"
    run -127 comap lock m -- "$WORK/missing"
    has_state m "kept, abandoned"
}

@test "-w, --timeout and -n end with 1, and say who has it" {
    hold_lock m
    for option in "-w 0.05" "-w 0" "--timeout 0.05" "-n" "--nonblock"; do
        # shellcheck disable=SC2086
        run --separate-stderr comap lock m $option -- touch "$WORK/ran"
        [ "$status" -eq 1 ] || { echo "$option: $status"; return 1; }
        [[ $stderr == "comap: m could not be had in time: it is locked by $CHILD (comap)" ]]
    done
    [ ! -e "$WORK/ran" ]
    kill -TERM "$CHILD"
    ends_with 143 "$CHILD"
    run -0 comap lock m -n -- touch "$WORK/ran"
    [ -e "$WORK/ran" ]
}

@test "passes the exit status, arguments and standard input" {
    run -7 comap lock m -- sh -c 'exit 7'
    run -0 comap lock m -- printf '%s|' -la --color=auto -- x
    [ "$output" = '-la|--color=auto|--|x|' ]
    run -0 bash -c 'echo in | "$1" lock m -- cat' bash "$COMAP_BIN"
    [ "$output" = in ]
    run -0 comap lock m -- ls -a "$LOCAL"
}

@test "128+N when a signal ends the command; the mutex is not abandoned then" {
    run -137 comap lock m -- sh -c 'kill -KILL $$'
    run -143 comap lock m -- sh -c 'kill -TERM $$'
    has_state m "kept, free"
}

@test "126 and 127: cannot be executed, not found" {
    touch "$WORK/plain"
    run -126 comap lock m -- "$WORK/plain"
    run -127 comap lock m -- "$WORK/missing"
    PATH=/usr/bin:/bin run -127 comap lock m -- no-such-command-anywhere
    has_state m "kept, free"
}

@test "125 when it is no mutex, no name, or damaged; nothing is run" {
    comap put t text
    run --separate-stderr comap lock t -- touch "$WORK/ran"
    [ "$status" -eq 125 ]
    [[ $stderr == *"not a mutex"*"comap put"* ]]
    run -125 comap lock 'a\b' -- touch "$WORK/ran"
    comap lock m -- true
    head -c 4096 /dev/urandom | dd of="$LOCAL/m" conv=notrunc 2>/dev/null
    run -125 comap lock m -- touch "$WORK/ran"
    [ ! -e "$WORK/ran" ]
}

@test "usage errors" {
    run -2 comap lock
    run -2 comap lock m
    run -2 comap lock -- true
    run -2 comap lock m -w -- true
    run -2 comap lock m -w soon -- true
    run -2 comap lock m -w -1 -- true
    run -2 comap lock m -w 1 -n -- true
    run -2 comap lock m --abandoned=maybe -- true
    run -2 comap lock m --mode 9 -- true
}

@test "forwards SIGTERM and SIGINT, and passes on how the command ends" {
    for signal in TERM INT; do
        # A shell cannot trap what was ignored when it started, as SIGINT is for background processes.
        background "$WORK/lock" env --default-signal="$signal" "$COMAP_BIN" lock m -- sh -c "trap 'echo got; exit 9' $signal; echo ready; while :; do sleep 0.05; done"
        eventually grep -q ready "$WORK/lock.out"
        kill -"$signal" "$CHILD"
        ends_with 9 "$CHILD"
        grep -q got "$WORK/lock.out"
        has_state m "kept, free"
    done
}

@test "a signal while it waits ends it by that signal, and runs nothing" {
    hold_lock m
    local owner=$CHILD
    for pair in INT:130 TERM:143 HUP:129; do
        background "$WORK/lock" env --default-signal=INT "$COMAP_BIN" lock m -- touch "$WORK/ran"
        eventually waits_for m "$CHILD"
        kill -"${pair%%:*}" "$CHILD"
        ends_with "${pair##*:}" "$CHILD"
    done
    [ ! -e "$WORK/ran" ]
    has_state m "held, locked by $owner"
}

@test "the command gets default signals" {
    run -0 comap lock m -- sh -c 'grep -E "^Sig(Blk|Ign)" /proc/self/status'
    [[ ${lines[0]} =~ ^SigBlk:.0000000000000000$ ]]
    (( (16#${lines[1]##*[!0-9a-f]} & (1 << 12)) == 0 ))
}

@test "nothing is left of many killed owners but one mutex" {
    local i
    for i in 1 2 3 4 5; do
        hold_lock m
        kill -KILL "$CHILD"
        eventually has_ended "$CHILD"
    done
    file_count "$LOCAL" 1
    run -0 comap lock m -- true
    comap rm m
    is_empty "$LOCAL"
}

@test "lock: what follows NAME is the command's own, without '--' too" {
    run -0 comap lock own grep -V
    [[ $output == *grep* ]]
    run -0 comap lock own sh -c 'echo "$1"' sh --json
    [ "$output" = --json ]
    run -0 comap lock -w 1 own echo -n -w
    [ "$output" = -w ]
}

@test "lock: what is ignored stays so, for the command too" {
    run -0 sh -c "trap '' INT TERM; exec $COMAP_BIN lock ignoring -- sh -c 'kill -INT \$\$; kill -TERM \$\$; echo survived'"
    [ "$output" = survived ]
}

@test "lock: a time that is none is named" {
    for bad in abc -1 inf nan 1s 1,5 ''; do
        run -2 comap lock named "-w=$bad" -- true
        run -2 comap lock named -w "$bad" -- true
        [[ $output == *"'$bad' is not a number of seconds"* ]]
    done
}
