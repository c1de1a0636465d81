#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# mutex, event and sem; what other commands say of them.
load helper

@test "create needs --hold or --keep, and says why" {
    for command in "mutex x create" "event x create" "sem x create"; do
        # shellcheck disable=SC2086
        run --separate-stderr comap $command
        [ "$status" -eq 2 ]
        [[ $stderr == *"--hold"* && $stderr == *"--keep"* ]]
        has_no_object x
    done
}

@test "create --hold holds until a signal; then it is gone. Killed: gone too" {
    for command in "mutex x create" "event x create --set" "sem x create --initial 1"; do
        # shellcheck disable=SC2086
        background "$WORK/hold" "$COMAP_BIN" $command --hold
        eventually grep -q '^holding x' "$WORK/hold.out"
        has_object x
        [ "$(comap who -t x)" = "$CHILD" ]
        kill -TERM "$CHILD"
        ends_with 0 "$CHILD"
        has_no_object x
        is_empty "$LOCAL"
        # shellcheck disable=SC2086
        background "$WORK/hold" "$COMAP_BIN" $command --hold
        eventually grep -q '^holding x' "$WORK/hold.out"
        kill -KILL "$CHILD"
        eventually has_no_object x
        comap gc
    done
}

@test "create --mode is exact; of an existing name it says what it is" {
    comap mutex m create --keep --mode 0640
    comap event e create --keep --mode 0604
    (umask 077; comap sem s create --keep --mode 0666)
    [ "$(comap ls --noheadings -o mode | tr '\n' ,)" = 0604,0640,0666, ]
    run -2 comap event x create --keep --mode rw
    for command in "mutex m" "event m" "sem m"; do
        # shellcheck disable=SC2086
        run --separate-stderr comap $command create --keep
        [ "$status" -eq 1 ]
        [[ $stderr == *"already exists"*mutex* ]]
    done
    run --separate-stderr comap create m 4096 --keep
    [ "$status" -eq 1 ]
    [[ $stderr == *"already exists"*mutex* ]]
}

@test "an automatic event: each set lets one pass" {
    comap event e create --keep
    has_state e "kept, not set, automatic"
    comap event e set
    has_state e "kept, set, automatic"
    run -0 comap event e wait
    [ -z "$output" ]
    has_state e "kept, not set, automatic"
    run -124 comap event e wait --timeout 0
    comap event e set
    comap event e reset
    has_state e "kept, not set, automatic"
}

@test "a manual event: lets all pass until it is reset" {
    comap event e create --manual --set --keep
    has_state e "kept, set, manual"
    run -0 comap event e wait
    run -0 comap event e wait --timeout 0
    comap event e reset
    run --separate-stderr comap event e wait --timeout 0.05
    [ "$status" -eq 124 ]
    [[ $stderr == "comap: time is over, and e was not set" ]]
    [ -z "$output" ]
}

@test "set wakes who waits: one of an automatic event, all of a manual one" {
    comap event e create --keep
    background "$WORK/a" "$COMAP_BIN" event e wait
    local a=$CHILD
    background "$WORK/b" "$COMAP_BIN" event e wait
    local b=$CHILD
    eventually waits_for e "$a"
    eventually waits_for e "$b"
    comap event e set
    eventually bash -c "! kill -0 $a || ! kill -0 $b"
    has_state e "held, not set, automatic"
    comap event e set
    ends_with 0 "$a"
    ends_with 0 "$b"

    comap event m create --keep --manual
    background "$WORK/a" "$COMAP_BIN" event m wait
    a=$CHILD
    background "$WORK/b" "$COMAP_BIN" event m wait
    b=$CHILD
    eventually waits_for m "$a"
    eventually waits_for m "$b"
    comap event m set
    ends_with 0 "$a"
    ends_with 0 "$b"
    has_state m "kept, set, manual"
}

@test "pulse lets pass who waits, and leaves it reset" {
    comap event e create --keep --manual
    background "$WORK/wait" "$COMAP_BIN" event e wait
    eventually waits_for e "$CHILD"
    comap event e pulse
    ends_with 0 "$CHILD"
    has_state e "kept, not set, manual"
}

@test "event wait is ended by a signal, as that signal does" {
    comap event e create --keep
    for pair in INT:130 TERM:143; do
        background "$WORK/wait" "$COMAP_BIN" event e wait
        eventually waits_for e "$CHILD"
        kill -"${pair%%:*}" "$CHILD"
        ends_with "${pair##*:}" "$CHILD"
    done
}

@test "a semaphore: acquire takes, release gives back" {
    comap sem s create --initial 2 --maximum 3 --keep
    has_state s "kept, 2/3"
    run -0 comap sem s acquire
    [ -z "$output" ]
    comap sem s acquire --timeout 5
    has_state s "kept, 0/3"
    run --separate-stderr comap sem s acquire --timeout 0.05
    [ "$status" -eq 124 ]
    [[ $stderr == "comap: time is over, and there was no token of s" ]]
    run -0 comap sem s release
    [ -z "$output" ]
    has_state s "kept, 1/3"
    run -0 comap sem s release 2 --json
    [ "$output" = '{"schema":1,"name":"s","before":1,"released":2}' ]
    has_state s "kept, 3/3"
}

@test "a semaphore's limits" {
    comap sem s create --initial 2 --maximum 3 --keep
    run --separate-stderr comap sem s release 2
    [ "$status" -eq 1 ]
    [[ $stderr == *"maximum"*3* ]]
    has_state s "kept, 2/3"
    run -2 comap sem s release 0
    run -2 comap sem s release many
    run -2 comap sem x create --initial 4 --maximum 3 --keep
    run -2 comap sem x create --maximum 0 --keep
    run -2 comap sem x create --maximum 2147483648 --keep
    run -2 comap sem x create --initial -1 --keep
    has_no_object x
    comap sem x create --keep
    has_state x "kept, 0/2147483647"
}

@test "release wakes who waits for a token" {
    comap sem s create --keep
    background "$WORK/a" "$COMAP_BIN" sem s acquire
    local a=$CHILD
    background "$WORK/b" "$COMAP_BIN" sem s acquire
    local b=$CHILD
    eventually waits_for s "$a"
    eventually waits_for s "$b"
    comap sem s release 2
    ends_with 0 "$a"
    ends_with 0 "$b"
    has_state s "kept, 0/2147483647"
}

@test "options of another action, unknown actions and missing names are errors" {
    comap event e create --keep
    comap sem s create --keep
    run --separate-stderr comap event e set --timeout 1
    [ "$status" -eq 2 ]
    [[ $stderr == *"--timeout does not go with 'set', only with 'wait'"* ]]
    for command in "event e wait --keep" "event e wait --hold" "event e wait --mode 0600" "event e reset --manual" "event e pulse --set" \
        "event e frobnicate" "event e" "event" "sem s acquire 2" "sem s release --timeout 1" "sem s acquire --json" "sem s release --initial 1" \
        "sem s acquire --maximum 2" "sem s frobnicate" "sem s" "mutex m" "mutex m frobnicate" "event e wait --timeout soon" "event e wait --timeout -1"; do
        # shellcheck disable=SC2086
        run comap $command
        [ "$status" -eq 2 ] || { echo "$command: $status $output"; return 1; }
    done
    for command in "event x set" "event x wait" "sem x acquire" "sem x release" "wait x"; do
        # shellcheck disable=SC2086
        run comap $command
        [ "$status" -eq 1 ] || { echo "$command: $status $output"; return 1; }
    done
    has_no_object x
}

@test "names that are those of actions work" {
    comap event create create --keep
    comap event create set
    has_state create "kept, set, automatic"
    comap event set create --keep --set
    run -0 comap event set wait
}

@test "commands for another kind say what it is, and what there is for it" {
    comap lock m -- true
    comap event e create --keep
    comap sem s create --keep
    comap put t text
    comap create x 4096 --keep
    local name command
    for name in m:mutex:lock e:event:event s:semaphore:sem; do
        for command in get watch hexdump put "put --at 0"; do
            # shellcheck disable=SC2086
            run --separate-stderr comap $command "${name%%:*}" </dev/null
            [ "$status" -eq 1 ] || { echo "$command $name: $status $stderr"; return 1; }
            [[ $stderr == *"${name#*:}"* || $stderr == *"comap ${name##*:}"*"comap wait"* ]] || { echo "$command $name: $stderr"; return 1; }
        done
    done
    for command in "event m set" "event s wait" "event t set" "event x wait" "sem m acquire" "sem e release" "sem t release" "sem x acquire"; do
        # shellcheck disable=SC2086
        run --separate-stderr comap $command
        [ "$status" -eq 1 ] || { echo "$command: $status $stderr"; return 1; }
        [[ $stderr == *" is a"*", not a"*$'\n'"comap: a"*"'comap "* ]] || { echo "$command: $stderr"; return 1; }
    done
}

@test "rm removes them, and lets held ones end with their holder" {
    comap mutex m create --keep
    comap event e create --keep
    comap sem s create --keep
    run --separate-stderr comap rm m e s
    [ "$status" -eq 0 ]
    [ -z "$output$stderr" ]
    is_empty "$LOCAL"
    hold_lock m
    run --separate-stderr comap rm m
    [ "$status" -eq 0 ]
    [[ $stderr == *"still held by $CHILD (comap)"* ]]
    kill -TERM "$CHILD"
    ends_with 143 "$CHILD"
    is_empty "$LOCAL"
}

@test "ls, stat and who: owner and waiters of a mutex" {
    hold_lock m
    local owner=$CHILD
    background "$WORK/next" "$COMAP_BIN" lock m -- true
    eventually waits_for m "$CHILD"
    has_state m "held, locked by $owner"
    run -0 comap ls --noheadings -o layout,size,version,owner m
    [[ $output =~ ^-\ +-\ +-\ +$owner$ ]]
    run -0 comap stat m
    [[ $output == *"state     held, kept, locked by $owner (comap)"* && $output != *layout* && $output != *version* ]]
    run -0 comap stat m --json
    is_json <<<"$output"
    [[ $output == *'"kind":"mutex"'*'"locked":true,"owner_thread":'"$owner"',"owner_pid":'"$owner"',"abandoned":false,"waiters":['* ]]
    run -0 comap who m
    [[ ${lines[0]} =~ PID.*USER.*HOLDS.*DOES.*COMMAND ]]
    [[ $output =~ $owner\ +$(id -un)\ +handle\ +owns\  ]]
    run -0 comap who m --json
    is_json <<<"$output"
    [[ $output == *"{\"pid\":$owner,"*'"handle":true,"owns":true,"waits":'* && $output == *"{\"pid\":$CHILD,"*'"owns":false,'* ]]
    comap ls --noheadings -o waiters m | grep -qF "?" && skip "the system hides what threads do"
    # One who waits for a mutex looks at it now and then; in such an instant he does not sleep.
    says() { local text=$1; shift; comap "$@" | grep -qE "$text"; }
    eventually says "^$CHILD\$" ls --noheadings -o waiters m
    eventually says "^waiters   $CHILD \(comap\)" stat m
    eventually says "\"waiters\":\[$CHILD\],\"waiters_unknown\":\[\]" stat m --json
    eventually says "$CHILD +$(id -un) +handle +waits " who m
    eventually says "\"pid\":$owner,[^}]*\"owns\":true,\"waits\":false,.*\"pid\":$CHILD,[^}]*\"owns\":false,\"waits\":true," who m --json
    kill -KILL "$CHILD" "$owner"
    eventually has_state m "kept, abandoned"
    run -0 comap stat m --json
    [[ $output == *'"locked":false,"owner_thread":null,"owner_pid":null,"abandoned":true,"waiters":[]'* ]]
    comap ls --json | is_json
}

@test "ls, stat and who: the state of events and semaphores" {
    comap event e create --keep --manual --set
    comap sem s create --keep --initial 2 --maximum 10
    run -0 comap stat e
    [[ $output == *"kind      event"*"state     kept, set, manual"*"waiters   none"* ]]
    run -0 comap stat e --json
    [[ $output == *'"kind":"event"'*'"set":true,"manual":true,"waiters":[]'* ]]
    run -0 comap stat s
    [[ $output == *"state     kept, 2/10"* ]]
    run -0 comap stat s --json
    [[ $output == *'"count":2,"maximum":10,"waiters":[]'* ]]
    comap ls --json >"$WORK/json"
    is_json <"$WORK/json"
    grep -q '"name":"s","kind":"semaphore".*"count":2,"maximum":10' "$WORK/json"
    run --separate-stderr comap who s
    [[ $stderr == *"nobody holds s"* ]]
    run --separate-stderr -0 comap who s --json
    [ "$output" = '{"schema":1,"name":"s","kind":"semaphore","holders":[]}' ]
    run -2 comap who s --json -t
}

@test "who of a section: who sleeps on it" {
    comap put t text
    background "$WORK/watch" "$COMAP_BIN" watch t --initial
    eventually grep -q text "$WORK/watch.out"
    run -0 comap who t --json
    is_json <<<"$output"
    [[ $output == *"{\"pid\":$CHILD,"*'"handle":true,"view":'*'"waits":'* ]]
    comap who t --json | grep -q '"waits":false' && return 1
    run -0 comap who t
    [[ $output == *DOES* ]]
}

@test "an owner in a container is told by the number that he has there" {
    unshare --pid --fork --mount-proc true 2>/dev/null || skip "no PID namespaces for us"
    background "$WORK/owner" unshare --pid --fork --mount-proc --kill-child "$COMAP_BIN" lock m -- sh -c 'echo ready; exec sleep 1000'
    eventually grep -q ready "$WORK/owner.out"
    has_state m "held, locked by 1"
    local inside
    inside=$(comap who -t m)
    [ "$inside" != 1 ]
    [ "$(comap ls --noheadings -o owner m)" = "$inside" ]
    [[ $(comap who --noheadings m) =~ ^$inside\ +[^\ ]+\ +handle\ +owns ]]
    # A second one, whose own number is the same: nobody can tell which of them it is.
    background "$WORK/second" unshare --pid --fork --mount-proc --kill-child "$COMAP_BIN" lock m -- true
    eventually bash -c "[ \$('$COMAP_BIN' who -t m | wc -l) -eq 2 ]"
    run -0 comap who m --json
    [[ $output == *'"owns":null'*'"owns":null'* ]]
    run -0 comap stat m
    [[ $output == *"locked by 1"$'\n'* ]]
}

@test "what /proc does not show is unknown, not no" {
    unshare --mount true 2>/dev/null || skip "no mount namespaces for us"
    comap event e create --keep
    background "$WORK/wait" "$COMAP_BIN" event e wait
    eventually waits_for e "$CHILD"
    local hide="mount --bind /dev/null /proc/$CHILD/task/$CHILD/syscall"
    unshare --mount sh -c "$hide" 2>/dev/null || skip "no file of /proc can be hidden here"
    run -0 unshare --mount sh -c "$hide && exec \"\$0\" ls --noheadings -o waiters e" "$COMAP_BIN"
    [ "$output" = "?" ]
    run -0 unshare --mount sh -c "$hide && exec \"\$0\" who e --json" "$COMAP_BIN"
    [[ $output == *'"waits":null'* ]]
    run -0 unshare --mount sh -c "$hide && exec \"\$0\" stat e --json" "$COMAP_BIN"
    [[ $output == *"\"waiters\":[],\"waiters_unknown\":[$CHILD]"* ]]
    run -0 unshare --mount sh -c "$hide && exec \"\$0\" stat e" "$COMAP_BIN"
    [[ $output == *"waiters   unknown"* ]]
}
