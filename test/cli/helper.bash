# SPDX-License-Identifier: Apache-2.0
# What all tests of the command line share. Each test has a namespace root of its own and ends every process it started.

bats_require_minimum_version 1.5.0

COMAP_BIN=${COMAP_BIN:-$BATS_TEST_DIRNAME/../../build/dev/tools/comap/comap}

comap() { "$COMAP_BIN" "$@"; }

setup() {
    [ -x "$COMAP_BIN" ] || { echo "there is no $COMAP_BIN; build it, or set COMAP_BIN" >&2; return 1; }
    COMAP_DIR=$(mktemp -d /dev/shm/comap-test.XXXXXX)
    WORK=$(mktemp -d "${BATS_TMPDIR:-/tmp}/comap-test.XXXXXX")
    export COMAP_DIR
    unset NO_COLOR
    LOCAL=$COMAP_DIR/comap-$(id -u)
    CHILDREN=()
}

teardown() {
    local pid
    for pid in "${CHILDREN[@]}"; do
        kill -KILL "$pid" 2>/dev/null || true
        kill -CONT "$pid" 2>/dev/null || true
    done
    wait 2>/dev/null || true
    rm -rf "$COMAP_DIR" "$WORK"
}

# Waits for a condition, not for a time; the bound is only for tests that hang.
eventually() {
    local i
    for ((i = 0; i < 3000; i++)); do
        if "$@" >/dev/null 2>&1; then return 0; fi
        sleep 0.01
    done
    echo "never true: $*" >&2
    return 1
}

# background OUTPUT COMMAND...: starts it; $CHILD is its pid, OUTPUT.out and OUTPUT.err what it writes.
background() {
    local output=$1
    shift
    : >"$output.out"  # nobody reads what an earlier one wrote
    : >"$output.err"
    "$@" >"$output.out" 2>"$output.err" 3>&- &
    CHILD=$!
    CHILDREN+=("$CHILD")
}

# hold NAME SIZE OPTION...: a process that holds a new section; $CHILD is its pid.
hold() {
    background "$WORK/hold" "$COMAP_BIN" create "$@" --hold
    eventually grep -q '^holding ' "$WORK/hold.out"
}

# ends_with STATUS PID
ends_with() {
    local status=0
    wait "$2" || status=$?
    [ "$status" -eq "$1" ] || { echo "exit status $status instead of $1" >&2; return 1; }
}

is_gone() { ! kill -0 "$1" 2>/dev/null; }

# Not there, or only until its parent has asked for its exit status.
has_ended() { ! grep -qs '^State:[[:space:]]*[^Z[:space:]]' "/proc/$1/status"; }

# has_state NAME TEXT: what ls says of it.
has_state() { [ "$(comap ls --noheadings -o state "$1")" = "$2" ]; }

# waits_for NAME PID: the process sleeps on the object. Where /proc hides what threads do: it holds the object, and is asleep now.
waits_for() {
    local waiters
    waiters=$(comap ls --noheadings -o waiters "$1")
    [[ ,$waiters, != *",$2,"* ]] || return 0
    [[ $waiters == *"?"* ]] && comap who -t "$1" | grep -qx "$2" && grep -q '^State:[[:space:]]*S' "/proc/$2/status"
}

# hold_lock NAME OPTION...: a process that owns a mutex, and its command; $CHILD is its pid, $COMMAND that of the command.
hold_lock() {
    background "$WORK/owner" "$COMAP_BIN" lock "$@" -- sh -c 'echo "$$"; exec sleep 1000'
    eventually grep -q . "$WORK/owner.out"
    COMMAND=$(cat "$WORK/owner.out")
}

has_object() { comap stat "$1"; }
has_no_object() { ! comap stat "$1"; }

# is_empty DIRECTORY
is_empty() { [ -z "$(ls -A "$1")" ]; }

# file_count DIRECTORY COUNT
file_count() { [ "$(ls -A "$1" | wc -l)" -eq "$2" ]; }

wakeups_of() { awk '/^voluntary_ctxt_switches/ { print $2 }' "/proc/$1/status"; }

# Blocked: the process does not wake up by itself.
is_asleep() {
    local before
    before=$(wakeups_of "$1")
    sleep 1.3
    [ "$before" = "$(wakeups_of "$1")" ]
}

# The text is JSON, as far as there is a tool here to tell.
is_json() {
    if command -v jq >/dev/null; then jq -e . >/dev/null
    elif command -v python3 >/dev/null; then python3 -m json.tool >/dev/null
    else cat >/dev/null
    fi
}
