#compdef comap
# SPDX-License-Identifier: Apache-2.0
# Completion of comap for zsh.

_comap_names() {
    local -a names
    names=(${(f)"$(comap ls --noheadings -o name 2>/dev/null)"})
    compadd -a names
}

_comap_commands() {
    local -a commands
    commands=(
        'create:make a section'
        'put:set a text or fields of a cell, or write bytes into a section'
        'get:print a text, a cell, or the bytes of a section'
        'watch:print each change of an object'
        'hexdump:show the bytes of an object'
        'ls:list objects'
        'stat:everything about one object'
        'who:the processes that hold an object'
        'rm:remove objects'
        'run:hold sections while a command runs'
        'cell:make a cell\: the latest value of a record'
        'channel:make a channel\: messages that every subscriber sees'
        'pub:publish messages in a channel'
        'sub:print each message of a channel'
        'queue:make a queue\: messages that one taker gets each'
        'push:add messages to a queue'
        'pop:take messages from a queue'
        'record:write the messages of a channel to a file, with their times'
        'replay:publish again what was recorded'
        'dump:write an object and its contents to a file'
        'load:make an object anew from a dump'
        'lock:run a command while it owns a mutex'
        'mutex:make a mutex'
        'event:make an event, set or reset it, wait for it'
        'sem:make a semaphore, acquire and release its tokens'
        'wait:wait until one of several objects is ready, or all are'
        'gc:remove what killed processes left behind'
        'janitor:remove objects as soon as their last holder is killed'
        'doctor:check this system'
        'limits:what this system allows'
        'setup-global:make the directory of Global objects'
        'completion:print the completion script of a shell'
    )
    _describe command commands
}

_comap() {
    local -a common=('--color=[colours]:when:(auto always never)' '-h[short help]' '--help[full help]')
    local -a making=('--hold[until a signal]' '--keep[until removed]' '--mode[permission bits]:mode:')
    local -a stream=('--message-bytes[longest message]:bytes:' '--capacity[messages kept]:count:')
    local -a sending=($stream '(--whole)--framed[a length before each message]' '(--framed)--whole[all of standard input is one]' '--wait[until it is there, seconds]:seconds:'
        '--patience[of each message, seconds]:seconds:' '--rate[messages per second]:count:' '--mode[permission bits]:mode:' '(-v --verbose)'{-v,--verbose}'[say how many]')
    local -a form=('(--raw --framed)--json[one JSON object per line]' '(--json --framed)--raw[exactly the bytes]' '(--json --raw)--framed[a length before each message]')
    local -a following=('--from[where to begin]:where:(oldest latest next)' '--count[end after so many]:count:' '--timeout[seconds]:seconds:' '--wait[until it is there, seconds]:seconds:')
    local curcontext=$curcontext state line
    _arguments -C $common '(-V --version)'{-V,--version}'[version]' '1: :_comap_commands' '*:: :->arguments' && return
    case $line[1] in
        create) _arguments $common '--hold[until a signal]' '--keep[until removed]' '--lazy[memory when touched]' \
            '--mode[permission bits]:mode:' '--file[file whose bytes it is]:file:_files' '--offset[in the file]:bytes:' '1:name:' '2:size:' ;;
        put) _arguments $common '--json[the value is a JSON object]' '--at[raw bytes there]:offset:' '--mode[permission bits]:mode:' '--capacity[longest value]:bytes:' \
            '--file[expected file]:file:_files' '1:name:_comap_names' '*:value:' ;;
        get) _arguments $common '--raw[exact bytes]' '--json[as JSON]' '--encoding[of text in a section]:encoding:(utf-8 utf-16)' '--at[first byte]:offset:' '--count[bytes]:bytes:' \
            '--file[expected file]:file:_files' '1:name:_comap_names' '2:field:' ;;
        watch) _arguments $common '--json[one JSON object per line]' '(-i --initial)'{-i,--initial}'[the present value first]' \
            '--count[end after so many]:count:' '--timeout[seconds]:seconds:' '--file[expected file]:file:_files' '1:name:_comap_names' ;;
        hexdump) _arguments $common '(-f --follow)'{-f,--follow}'[after each change]' '--noheadings[bytes only]' \
            '--at[first byte]:offset:' '--count[bytes]:bytes:' '--file[expected file]:file:_files' '1:name:_comap_names' ;;
        ls) _arguments $common '(-o --output)'{-o,--output}'[columns]:columns:_values -s , column name kind layout size version state mode holders owner waiters keep lazy uid user created file' \
            '--json[as JSON]' '--noheadings[no headings]' '(-a --all)'{-a,--all}'[dead ones too]' '(-b --bytes)'{-b,--bytes}'[sizes in bytes]' '1:pattern:_comap_names' ;;
        stat) _arguments $common '--json[as JSON]' '(-b --bytes)'{-b,--bytes}'[sizes in bytes]' '1:name:_comap_names' ;;
        who) _arguments $common '(-t --terse)'{-t,--terse}'[process ids only]' '--noheadings[no headings]' '--json[as JSON]' '1:name:_comap_names' ;;
        rm) _arguments $common '(-f --force)'{-f,--force}'[a missing one is no error]' '*:name:_comap_names' ;;
        run) _arguments $common '*'{-s,--section}'[a section to hold]:name\:size:' '*:::command:_normal' ;;
        lock) _arguments $common '(-w --timeout -n --nonblock)'{-w,--timeout}'[seconds]:seconds:' '(-n --nonblock -w --timeout)'{-n,--nonblock}'[at once or not at all]' \
            '--abandoned=[if its last owner was killed]:what:(run fail)' '--mode[permission bits]:mode:' '1:name:_comap_names' '*:::command:_normal' ;;
        cell) _arguments $common $making '--fields[name\:type with commas between]:fields:' '--history[values before the latest]:count:' \
            '--writers[processes that may store at a time]:count:' '1:name:_comap_names' '2:action:(create)' ;;
        channel) _arguments $common $making $stream '--fields[name\:type with commas between]:fields:' '--publishers[who may publish]:who:(many one)' \
            '--wait-for[subscribers that publishers wait for]:count:' '--patience[of a publisher, seconds]:seconds:' '1:name:_comap_names' '2:action:(create)' ;;
        queue) _arguments $common $making $stream '--fields[name\:type with commas between]:fields:' '--patience[of a push, seconds]:seconds:' \
            '1:name:_comap_names' '2:action:(create)' ;;
        pub | push) _arguments $common $sending '1:name:_comap_names' '*:message:' ;;
        sub) _arguments $common $following $form '1:name:_comap_names' ;;
        pop) _arguments $common $form '(-f --follow)--count[end after so many]:count:' '(-f --follow --count)'{-f,--follow}'[one after the other]' '--confirm[given back if it fails]' \
            '--timeout[seconds]:seconds:' '--wait[until it is there, seconds]:seconds:' '1:name:_comap_names' '*:::command:_normal' ;;
        record) _arguments $common $following '(-v --verbose)'{-v,--verbose}'[say how many]' '1:name:_comap_names' '2:file:_files' ;;
        replay) _arguments $common '(--as-fast-as-possible)--speed[times as fast]:factor:' '(--speed)--as-fast-as-possible[without waiting]' '--loop[again and again]' \
            '--patience[of each message, seconds]:seconds:' '--mode[permission bits]:mode:' '(-v --verbose)'{-v,--verbose}'[say how many]' '1:file:_files' '2:name:_comap_names' ;;
        dump) _arguments $common '1:name:_comap_names' '2:file:_files' ;;
        load) _arguments $common $making '--replace-contents[into the one that is there]' '1:file:_files' '2:name:_comap_names' ;;
        mutex) _arguments $common $making '1:name:_comap_names' '2:action:(create)' ;;
        event) _arguments $common $making '--manual[lets everybody pass until it is reset]' '--set[set at once]' '--timeout[seconds]:seconds:' \
            '1:name:_comap_names' '2:action:(create set reset pulse wait)' ;;
        sem) _arguments $common $making '--initial[tokens at the start]:count:' '--maximum[most tokens there may be]:count:' '--timeout[seconds]:seconds:' \
            '--json[as JSON]' '1:name:_comap_names' '2:action:(create acquire release)' '3:count:' ;;
        wait) _arguments $common '(-a --all)'{-a,--all}'[until all are ready]' '--timeout[seconds]:seconds:' '--json[as JSON]' '*:name:_comap_names' ;;
        janitor) _arguments $common '(-v --verbose)'{-v,--verbose}'[say what is removed]' ;;
        doctor | limits) _arguments $common '--json[as JSON]' ;;
        completion) _arguments $common '1:shell:(bash zsh fish)' ;;
        *) _arguments $common ;;
    esac
}

if [ "$funcstack[1]" = _comap ]; then
    _comap "$@"
else
    compdef _comap comap
fi
