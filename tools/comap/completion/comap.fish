# SPDX-License-Identifier: Apache-2.0
# Completion of comap for fish.

function __comap_names
    comap ls --noheadings -o name 2>/dev/null
end

set -l commands create put get watch hexdump ls stat who rm run gc janitor doctor limits setup-global completion

complete -c comap -f
complete -c comap -l color -x -a 'auto always never' -d 'Colours'
complete -c comap -s h -d 'Short help, with examples'
complete -c comap -l help -d 'Full help'
complete -c comap -s V -l version -d 'Version'

complete -c comap -n "not __fish_seen_subcommand_from $commands" -a create -d 'Make a section'
complete -c comap -n "not __fish_seen_subcommand_from $commands" -a put -d 'Set a text, or write bytes into a section'
complete -c comap -n "not __fish_seen_subcommand_from $commands" -a get -d 'Print a text, or the bytes of a section'
complete -c comap -n "not __fish_seen_subcommand_from $commands" -a watch -d 'Print each change of an object'
complete -c comap -n "not __fish_seen_subcommand_from $commands" -a hexdump -d 'Show the bytes of an object'
complete -c comap -n "not __fish_seen_subcommand_from $commands" -a ls -d 'List objects'
complete -c comap -n "not __fish_seen_subcommand_from $commands" -a stat -d 'Everything about one object'
complete -c comap -n "not __fish_seen_subcommand_from $commands" -a who -d 'The processes that hold an object'
complete -c comap -n "not __fish_seen_subcommand_from $commands" -a rm -d 'Remove objects'
complete -c comap -n "not __fish_seen_subcommand_from $commands" -a run -d 'Hold sections while a command runs'
complete -c comap -n "not __fish_seen_subcommand_from $commands" -a gc -d 'Remove what killed processes left behind'
complete -c comap -n "not __fish_seen_subcommand_from $commands" -a janitor -d 'Remove objects as soon as their last holder is killed'
complete -c comap -n "not __fish_seen_subcommand_from $commands" -a doctor -d 'Check this system'
complete -c comap -n "not __fish_seen_subcommand_from $commands" -a limits -d 'What this system allows'
complete -c comap -n "not __fish_seen_subcommand_from $commands" -a setup-global -d 'Make the directory of Global objects'
complete -c comap -n "not __fish_seen_subcommand_from $commands" -a completion -d 'Print the completion script of a shell'

complete -c comap -n '__fish_seen_subcommand_from put get watch hexdump ls stat who rm' -a '(__comap_names)'
complete -c comap -n '__fish_seen_subcommand_from create' -l hold -d 'Until a signal comes'
complete -c comap -n '__fish_seen_subcommand_from create' -l keep -d 'Until it is removed'
complete -c comap -n '__fish_seen_subcommand_from create' -l lazy -d 'Memory when touched'
complete -c comap -n '__fish_seen_subcommand_from create' -l offset -x -d 'Where in the file it begins'
complete -c comap -n '__fish_seen_subcommand_from create put' -l mode -x -d 'Permission bits'
complete -c comap -n '__fish_seen_subcommand_from create put get watch hexdump' -l file -r -F -d 'The file under the section'
complete -c comap -n '__fish_seen_subcommand_from put' -l capacity -x -d 'Longest value'
complete -c comap -n '__fish_seen_subcommand_from put get hexdump' -l at -x -d 'First byte'
complete -c comap -n '__fish_seen_subcommand_from get hexdump watch' -l count -x -d 'How many'
complete -c comap -n '__fish_seen_subcommand_from get' -l raw -d 'Exactly the bytes'
complete -c comap -n '__fish_seen_subcommand_from watch' -s i -l initial -d 'The present value first'
complete -c comap -n '__fish_seen_subcommand_from watch' -l timeout -x -d 'Seconds'
complete -c comap -n '__fish_seen_subcommand_from hexdump' -s f -l follow -d 'Again after each change'
complete -c comap -n '__fish_seen_subcommand_from hexdump ls who' -l noheadings -d 'No headings'
complete -c comap -n '__fish_seen_subcommand_from ls' -s o -l output -x -d 'Columns'
complete -c comap -n '__fish_seen_subcommand_from ls' -s a -l all -d 'Dead ones too'
complete -c comap -n '__fish_seen_subcommand_from ls stat' -s b -l bytes -d 'Sizes in bytes'
complete -c comap -n '__fish_seen_subcommand_from watch ls stat doctor limits' -l json -d 'As JSON'
complete -c comap -n '__fish_seen_subcommand_from who' -s t -l terse -d 'Process ids only'
complete -c comap -n '__fish_seen_subcommand_from rm' -s f -l force -d 'A missing one is no error'
complete -c comap -n '__fish_seen_subcommand_from run' -s s -l section -x -d 'NAME:SIZE to hold'
complete -c comap -n '__fish_seen_subcommand_from janitor' -s v -l verbose -d 'Say what is removed'
complete -c comap -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'
