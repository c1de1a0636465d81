#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# ls, stat and who.
load helper

@test "ls of nothing is empty and no error" {
    run -0 comap ls --noheadings
    [ -z "$output" ]
    run -0 comap ls --json
    [ "$output" = '{"schema":1,"objects":[]}' ]
}

@test "ls lists what there is, sorted, in columns" {
    comap create b 64K --keep
    comap put a hello
    hold c 1536
    run -0 comap ls
    [[ ${lines[0]} =~ ^NAME\ +KIND\ +LAYOUT\ +SIZE\ +VERSION\ +STATE\ +MODE$ ]]
    [[ ${lines[1]} =~ ^a\ +section\ +text\ .*kept\ +0600$ ]]
    [[ ${lines[2]} =~ ^b\ +section\ +bytes\ +64K\ +0\ +kept\ +0600$ ]]
    [[ ${lines[3]} =~ ^c\ +section\ +bytes\ +1\.5K\ +0\ +held\ +0600$ ]]
    [ "${#lines[@]}" -eq 4 ]
}

@test "ls -o, --noheadings, -b" {
    hold x 64K --mode 0640
    run -0 comap ls --noheadings -b -o holders,size,name,keep,uid,mode
    [ "$output" = "$CHILD  65536  x  no  $(id -u)  0640" ]
    run --separate-stderr comap ls -o name,colour
    [ "$status" -eq 2 ]
    [[ $stderr == *colour*name,kind* ]]
    run -0 comap ls -o created --noheadings
    [[ $output =~ ^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$ ]]
}

@test "ls PATTERN" {
    for name in cam1 cam2 mic; do comap create "$name" 1 --keep; done
    [ "$(comap ls --noheadings -o name 'cam*' | tr '\n' ,)" = cam1,cam2, ]
    [ "$(comap ls --noheadings -o name 'Local\?ic')" = mic ]
    [ "$(comap ls --noheadings -o name '[cm]*2')" = cam2 ]
    run -0 comap ls --noheadings 'Global\*'
    [ -z "$output" ]
}

@test "ls --json has the documented shape" {
    hold x 64K
    comap put t hello
    comap ls --json >"$WORK/json"
    is_json <"$WORK/json"
    grep -qF '{"schema":1,"objects":[' "$WORK/json"
    grep -qE '\{"name":"t","kind":"section","layout":"text","size_bytes":[0-9]+,"version":1,"holders":\[\],"keep":true,"mode":"0600","uid":[0-9]+,"created":"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"' "$WORK/json"
    grep -qF "{\"name\":\"x\",\"kind\":\"section\",\"layout\":\"bytes\",\"size_bytes\":65536,\"version\":0,\"holders\":[$CHILD],\"keep\":false,\"mode\":\"0600\",\"uid\":$(id -u)," "$WORK/json"
}

@test "stat --json is one such object; stat is for people" {
    hold x 64K
    run -0 comap stat x --json
    is_json <<<"$output"
    [[ $output == "{\"schema\":1,\"name\":\"x\",\"kind\":\"section\",\"layout\":\"bytes\",\"size_bytes\":65536,\"version\":0,\"holders\":[$CHILD],"* ]]
    run -0 comap stat x
    [[ $output == *"size      64K (65536 bytes)"* && $output == *"state     held"* && $output == *"$CHILD (comap)"* && $output == *"$LOCAL/x"* ]]
    run --separate-stderr comap stat nothing
    [ "$status" -eq 1 ]
    [[ $stderr == *"$LOCAL"* ]]
}

@test "ls shows a dead object only with -a, and changes nothing" {
    hold x 64K
    kill -KILL "$CHILD"
    eventually has_no_object x
    run -0 comap ls --noheadings
    [ -z "$output" ]
    run -0 comap ls -a --noheadings -o name,state
    [ "$output" = "x  dead" ]
    run -0 comap ls -a --json
    [[ $output == *'"state":"dead"'* ]]
    file_count "$LOCAL" 1
}

@test "ls says what cannot be read, and lists the rest" {
    comap create good 1 --keep
    cp "$LOCAL/good" "$LOCAL/damaged"
    head -c 100 /dev/zero >"$LOCAL/foreign"
    mkdir "$LOCAL/directory"
    mkfifo "$LOCAL/fifo"
    ln -s /etc/passwd "$LOCAL/link"
    run -0 comap ls --noheadings -o name,state
    [[ $output == *"damaged    corrupt"* && $output == *"foreign    corrupt"* && $output == *"good       kept"* ]]
    [[ $output == *"directory  "* && $output == *"fifo  "* && $output == *"link  "* ]]
    comap ls --json >"$WORK/json"
    is_json <"$WORK/json"
    grep -q '"unreadable":\[' "$WORK/json"
    grep -q '{"name":"damaged","error":"corrupt"' "$WORK/json"
}

@test "who: pids with their commands; -t: pids only" {
    hold x 64K
    run -0 comap who x
    [[ ${lines[0]} =~ PID.*USER.*HOLDS.*COMMAND ]]
    [[ ${lines[1]} == *"$CHILD  $(id -un)"*handle*"create x 64K --hold"* ]]
    run -0 comap who -t x
    [ "$output" = "$CHILD" ]
}

@test "who shows each of several holders, and not one who only looks" {
    hold x 64K
    local first=$CHILD
    background "$WORK/watch" "$COMAP_BIN" watch x --initial
    eventually grep -q 0 "$WORK/watch.out"
    exec 8<"$LOCAL/x"
    [ "$(comap who -t x | sort | tr '\n' ' ')" = "$(printf '%s\n' "$first" "$CHILD" | sort | tr '\n' ' ')" ]
    exec 8<&-
}

@test "who of a kept object that nobody holds, and of a missing one" {
    comap create x 1 --keep
    run --separate-stderr comap who x
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    [[ $stderr == *"nobody holds x"* ]]
    run -1 comap who nothing
}

@test "who says when the holders cannot be seen from here" {
    unshare --pid --fork --mount-proc true 2>/dev/null || skip "no PID namespaces for us"
    hold x 64K
    run --separate-stderr unshare --pid --fork --mount-proc "$COMAP_BIN" who x
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    [[ $stderr == *"cannot be seen from here"* ]]
    run -0 unshare --pid --fork --mount-proc "$COMAP_BIN" ls --noheadings -o holders,state
    [ "$output" = '?  held' ]
}

@test "ls: a root that is not there is an error, one without objects is not" {
    COMAP_DIR=$COMAP_DIR/missing run -3 comap ls
    [[ $output == *"is COMAP_DIR right?"* ]]
    run -0 comap ls
}
