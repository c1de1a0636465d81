# SPDX-License-Identifier: Apache-2.0
# Completion of comap for bash.

_comap_names() {
    local name quoted
    while IFS= read -r name; do
        [[ $name == "$1"* ]] || continue
        printf -v quoted '%q' "$name"
        COMPREPLY+=("$quoted")
    done < <(comap ls --noheadings -o name 2>/dev/null)
}

# The fields of the cell, or of the records, that is named after the command; but for get, with '='.
_comap_fields() {
    local name=${COMP_WORDS[2]} field
    [[ $name == -* ]] && return
    while IFS= read -r field; do
        [[ $1 == get ]] || field+='='
        [[ $field == "$2"* ]] && COMPREPLY+=("$field")
    done < <(comap stat "$name" 2>/dev/null | sed -n '1,/^FIELD /d; s/ .*//p')
    [[ $1 == get ]] || compopt -o nospace 2>/dev/null
    return 0
}

_comap_options() {
    case $1 in
        create) echo '--hold --keep --lazy --mode --file --offset' ;;
        put) echo '--json --at --mode --capacity --file' ;;
        get) echo '--raw --json --encoding --at --count --file' ;;
        watch) echo '--json --initial --count --timeout --file' ;;
        hexdump) echo '--follow --noheadings --at --count --file' ;;
        ls) echo '--output --json --noheadings --all --bytes' ;;
        stat) echo '--json --bytes' ;;
        who) echo '--terse --noheadings --json' ;;
        rm) echo '--force' ;;
        run) echo '--section' ;;
        lock) echo '--timeout --nonblock --abandoned --mode' ;;
        cell) echo '--fields --history --writers --hold --keep --mode' ;;
        channel) echo '--fields --message-bytes --capacity --publishers --wait-for --patience --hold --keep --mode' ;;
        queue) echo '--fields --message-bytes --capacity --patience --hold --keep --mode' ;;
        pub | push) echo '--framed --whole --wait --patience --rate --message-bytes --capacity --mode --verbose' ;;
        sub) echo '--from --count --timeout --wait --json --raw --framed' ;;
        pop) echo '--count --follow --confirm --timeout --wait --json --raw --framed' ;;
        record) echo '--from --count --timeout --wait --verbose' ;;
        replay) echo '--speed --as-fast-as-possible --loop --patience --mode --verbose' ;;
        load) echo '--replace-contents --hold --keep --mode' ;;
        mutex) echo '--hold --keep --mode' ;;
        event) echo '--hold --keep --mode --manual --set --timeout' ;;
        sem) echo '--hold --keep --mode --initial --maximum --timeout --json' ;;
        wait) echo '--all --timeout --json' ;;
        janitor) echo '--verbose' ;;
        doctor | limits) echo '--json' ;;
    esac
    echo '--color --help -h'
}

# The actions of `event NAME ACTION` and its like.
_comap_actions() {
    case $1 in
        cell | channel | queue | mutex) echo 'create' ;;
        event) echo 'create set reset pulse wait' ;;
        sem) echo 'create acquire release' ;;
    esac
}

_comap() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command='' word
    COMPREPLY=()
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        [[ $word == -* ]] || { command=$word; break; }
    done
    if [[ -z $command ]]; then
        local commands='create put get watch hexdump ls stat who rm run cell channel pub sub queue push pop record replay dump load lock mutex event sem wait gc janitor doctor limits setup-global completion'
        mapfile -t COMPREPLY < <(compgen -W "$commands --color --help --version" -- "$current")
        return
    fi
    case $previous in
        --file) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --color) mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$current"); return ;;
        -o | --output)
            mapfile -t COMPREPLY < <(compgen -W 'name kind layout size version state mode holders owner waiters keep lazy uid user created file' -- "$current")
            return ;;
        --publishers) mapfile -t COMPREPLY < <(compgen -W 'many one' -- "$current"); return ;;
        --from) mapfile -t COMPREPLY < <(compgen -W 'oldest latest next' -- "$current"); return ;;
        --abandoned) mapfile -t COMPREPLY < <(compgen -W 'run fail' -- "$current"); return ;;
        -s | --section | --at | --count | --offset | --mode | --capacity | --fields | --history | --timeout | -w | --initial | --maximum | --message-bytes | --wait-for | --patience | --wait | --rate | --speed) return ;;
    esac
    if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_comap_options "$command")" -- "$current")
        return
    fi
    case $command in
        put | get | pub | push)
            if [[ $previous == "$command" ]]; then _comap_names "$current"
            else _comap_fields "$command" "$current"
            fi ;;
        watch | hexdump | stat | who | rm | ls | wait) _comap_names "$current" ;;
        sub) _comap_names "$current" ;;
        record | dump)
            if [[ $previous == "$command" ]]; then _comap_names "$current"
            else mapfile -t COMPREPLY < <(compgen -f -- "$current")
            fi ;;
        replay | load)
            if [[ $previous == "$command" ]]; then mapfile -t COMPREPLY < <(compgen -f -- "$current")
            else _comap_names "$current"
            fi ;;
        cell | channel | queue | mutex | event | sem)
            if [[ $previous == "$command" ]]; then _comap_names "$current"
            else mapfile -t COMPREPLY < <(compgen -W "$(_comap_actions "$command")" -- "$current")
            fi ;;
        lock | pop)
            if [[ $previous == "$command" ]]; then _comap_names "$current"
            else mapfile -t COMPREPLY < <(compgen -c -- "$current")
            fi ;;
        completion) mapfile -t COMPREPLY < <(compgen -W 'bash zsh fish' -- "$current") ;;
        run) mapfile -t COMPREPLY < <(compgen -c -- "$current") ;;
    esac
}

complete -F _comap comap
