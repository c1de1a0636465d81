#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The command line as a whole: help, errors, exit codes, where output goes.
load helper

@test "no command is a usage error on stderr" {
    run --separate-stderr comap
    [ "$status" -eq 2 ]
    [ -z "$output" ]
    [[ $stderr == "comap: "* ]]
}

@test "an unknown command, option or extra argument is a usage error" {
    run -2 comap frobnicate
    run -2 comap ls --frobnicate
    run -2 comap stat a b
    run -2 comap get
    run -2 comap watch x --timeout soon
    run -2 comap watch x --timeout -1
    run -2 comap watch x --count 0
    run -2 comap completion tcsh
    run -2 comap --color sometimes ls
}

@test "-h is short with examples, --help is full, on stdout" {
    for command in create put get watch hexdump ls stat who rm run cell channel pub sub queue push pop record replay dump load lock mutex event sem wait gc janitor doctor limits setup-global completion; do
        run --separate-stderr -0 comap "$command" -h
        [[ $output == *"Examples:"* && $output == *"comap $command"* ]]
        [ -z "$stderr" ]
        run --separate-stderr -0 comap "$command" --help
        [[ $output == *"Usage:"* && $output == *"--help"* ]]
    done
    run -0 comap -h
    [[ $output == *"Examples:"* && $output == *"hexdump"* ]]
    run -0 comap --help
    [[ $output == *"--color"* ]]
}

@test "-V prints the version" {
    run -0 comap -V
    [[ $output =~ ^comap\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
    run -0 comap --version
}

@test "a write error on stdout is an error" {
    [ -w /dev/full ] || skip "no /dev/full"
    comap put greeting hello
    comap pub log hello
    comap push jobs a b
    for command in "sub log --from oldest --count 1" "get log" "hexdump log" "pop jobs" "pop jobs --confirm" "dump greeting -" "record log - --from oldest --count 1" "ls" "ls --json" "get greeting" "stat greeting" "limits" "-V" "doctor" "hexdump greeting" "watch greeting -i --count 1" "who greeting --json" "completion bash"; do
        status=0
        # shellcheck disable=SC2086
        comap $command >/dev/full 2>"$WORK/err" || status=$?
        [ "$status" -eq 3 ] || { echo "$command: $status"; return 1; }
        grep -q '^comap: standard output: No space left on device' "$WORK/err"
    done
}

@test "a holder whose readiness cannot be told ends, and so does the object" {
    [ -w /dev/full ] || skip "no /dev/full"
    status=0
    comap create x 4096 --hold >/dev/full 2>/dev/null || status=$?
    [ "$status" -eq 3 ]
    has_no_object x
}

@test "a reader who has gone ends it quietly, as SIGPIPE would" {
    comap create x 4M --keep
    run bash -c '"$1" get x 2>"$2" | head -c 10 >/dev/null; echo "${PIPESTATUS[0]}"' bash "$COMAP_BIN" "$WORK/err"
    [ "$output" -eq 141 ]
    [ ! -s "$WORK/err" ]
}

@test "a watcher whose reader has gone lets go of the object" {
    hold x 4096
    local holder=$CHILD
    run bash -c '"$1" watch x --initial 2>"$2" | head -n 1' bash "$COMAP_BIN" "$WORK/err" &
    local pipeline=$!
    eventually has_object x
    eventually bash -c "[ \$('$COMAP_BIN' who -t x | wc -l) -eq 2 ]"
    printf 1 | comap put x --at 0
    kill -TERM "$holder"
    wait "$pipeline"
    eventually is_empty "$LOCAL"
    [ ! -s "$WORK/err" ]
}

@test "colours only when asked, or on a terminal without NO_COLOR" {
    comap put greeting hello
    run -0 comap ls
    [[ $output != *$'\e['* ]]
    run -0 comap --color=always ls
    [[ $output == *$'\e['* ]]
    run -0 comap ls --color always
    [[ $output == *$'\e['* ]]
    if command -v script >/dev/null; then
        run script -qec "TERM=xterm '$COMAP_BIN' ls" /dev/null
        [[ $output == *$'\e['* ]]
        run script -qec "NO_COLOR=1 TERM=xterm '$COMAP_BIN' ls" /dev/null
        [[ $output != *$'\e['* ]]
        run script -qec "TERM=xterm '$COMAP_BIN' ls --color=never" /dev/null
        [[ $output != *$'\e['* ]]
    fi
}

@test "an unusable namespace is an error of the environment" {
    COMAP_DIR=$WORK/missing run --separate-stderr comap create x 4096 --keep
    [ "$status" -eq 3 ]
    [[ $stderr == *"$WORK/missing"* ]]
    mkdir "$LOCAL"
    chmod 0777 "$LOCAL"
    run --separate-stderr comap ls
    [ "$status" -eq 3 ]
    [[ $stderr == *"$LOCAL"* ]]
}

@test "Global without its directory says how to make it" {
    for command in "get Global\\x" "create Global\\x 4096 --keep" "put Global\\x v" "rm Global\\x"; do
        # shellcheck disable=SC2086
        run --separate-stderr comap $command
        [ "$status" -eq 3 ]
        [[ $stderr == *"comap setup-global"* ]]
    done
}

@test "a command that there is not is named" {
    run -2 comap bogus
    [[ $output == *"there is no command 'bogus'"* ]]
}
