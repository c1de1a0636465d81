#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# doctor, limits, setup-global and completion.
load helper

@test "doctor: one line per check, each ok, warn or fail; leaves nothing" {
    run -0 comap doctor
    for line in "${lines[@]}"; do [[ $line =~ ^(ok|warn|fail)\ +[A-Za-z] ]]; done
    for check in kernel namespace O_TMPFILE 'OFD locks' fallocate futex inotify memory Global RemoveIPC cgroup; do
        [[ $output == *" $check "* ]]
    done
    is_empty "$LOCAL"
}

@test "doctor --json" {
    run -0 comap doctor --json
    is_json <<<"$output"
    [[ $output == '{"schema":1,"checks":[{"name":"kernel","status":"'* ]]
    [[ $output == *'"detail":'*'"advice":'* ]]
}

@test "doctor fails with 3 when something is wrong, and says what to do" {
    mkdir "$LOCAL"
    chmod 0755 "$LOCAL"
    run comap doctor
    [ "$status" -eq 3 ]
    [[ $output == *"fail  namespace"*"chmod 700 $LOCAL"* ]]
    run comap doctor --json
    [ "$status" -eq 3 ]
    [[ $output == *'"status":"fail"'* ]]
}

@test "limits, for people and as JSON" {
    run -0 comap limits
    [[ $output == *name_bytes_max*240* ]]
    run -0 comap limits --json
    is_json <<<"$output"
    [[ $output == '{"schema":1,"limits":{"name_bytes_max":240,'* ]]
}

@test "setup-global makes the directory once; then Global objects work" {
    [ "$(id -u)" -eq 0 ] || skip "root makes it"
    run -0 comap setup-global
    [ "$output" = "$COMAP_DIR/comap made" ]
    [ "$(stat -c %a "$COMAP_DIR/comap")" = 1777 ]
    run -0 comap setup-global
    [[ $output == *"already"* ]]
    comap put 'Global\greeting' hello
    [ "$(comap get 'Global\greeting')" = hello ]
    comap put greeting mine
    [ "$(comap ls --noheadings -o name | tr '\n' ,)" = 'Global\greeting,greeting,' ]
    [ "$(comap ls --noheadings -o name 'Global\*')" = 'Global\greeting' ]
    [ "$(comap ls --noheadings -o name 'greet*' | wc -l)" -eq 2 ]
    comap rm 'Global\greeting' 'Local\greeting'
    run -0 comap ls --noheadings
    [ -z "$output" ]
}

@test "another user: cannot open 0600, can read and watch 0644, cannot write or remove it" {
    [ "$(id -u)" -eq 0 ] || skip "only root can be two users"
    local as_other=(setpriv --reuid 12345 --regid 12345 --clear-groups)
    "${as_other[@]}" test -x "$COMAP_BIN" || skip "the tool cannot be reached by others"
    chmod 1777 "$COMAP_DIR"
    comap setup-global
    comap put 'Global\secret' hidden
    comap put 'Global\open' shown --mode 0644
    run -3 "${as_other[@]}" "$COMAP_BIN" get 'Global\secret'
    run -0 "${as_other[@]}" "$COMAP_BIN" get 'Global\open'
    [ "$output" = shown ]
    run -3 "${as_other[@]}" "$COMAP_BIN" put 'Global\open' changed
    run -3 "${as_other[@]}" "$COMAP_BIN" rm 'Global\open'
    run -0 "${as_other[@]}" "$COMAP_BIN" ls --noheadings -o name,state 'Global\*'
    [[ $output == *'Global\open    kept'* && $output == *'Global\secret  permission_denied'* ]]
    [ "$(comap get 'Global\open')" = shown ]
    background "$WORK/watch" "${as_other[@]}" "$COMAP_BIN" watch 'Global\open' --initial --count 2
    eventually grep -qx shown "$WORK/watch.out"
    comap put 'Global\open' news
    ends_with 0 "$CHILD"
    [ "$(tail -n 1 "$WORK/watch.out")" = news ]
}

@test "completion scripts parse, and bash completes names and options" {
    for shell in bash zsh fish; do
        comap completion "$shell" >"$WORK/$shell"
        [ -s "$WORK/$shell" ]
        if command -v "$shell" >/dev/null; then "$shell" -n "$WORK/$shell"; fi
    done
    comap put 'greeting one' hello
    cat >"$WORK/try" <<'EOF'
comap() { "$COMAP_BIN" "$@"; }
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_comap
printf '%s\n' "${COMPREPLY[@]}"
EOF
    export COMAP_BIN
    run -0 bash "$WORK/try" "$WORK/bash" comap get gr
    [ "$output" = 'greeting\ one' ]
    run -0 bash "$WORK/try" "$WORK/bash" comap create x 4096 --k
    [ "$output" = --keep ]
    run -0 bash "$WORK/try" "$WORK/bash" comap set
    [ "$output" = setup-global ]
}

@test "every command and every long option is completed by every shell" {
    local command option
    for command in create put get watch hexdump ls stat who rm run gc janitor doctor limits setup-global completion; do
        for shell in bash zsh fish; do comap completion "$shell" | grep -qw -- "$command"; done
        while read -r option; do
            for shell in bash zsh fish; do
                comap completion "$shell" | grep -qE -- "(--|-l )${option#--}([^a-z]|\$)" || { echo "$shell: $command $option"; return 1; }
            done
        done < <(comap "$command" --help | grep -oE -- '^ +(-[a-zA-Z],)?--[a-z]+' | grep -oE -- '--[a-z]+')
    done
}
