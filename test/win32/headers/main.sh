#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# main.sh INCLUDE_FOLDER LIBRARY C_COMPILER CXX_COMPILER: builds _tmain of each kind, in each language and for each kind of
# text, and runs it.
set -u
here=$(dirname "$0")
include=$1 library=$2 cc=$3 cxx=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# source, expected status, expected output; the rest: compiler and flags
runs() {
    source=$1 status=$2 expected=$3
    shift 3
    "$@" -I"$include" -Wall -Wextra -pedantic -Werror "$here/$source" -x none -o "$work/program" "$library" -Wl,-rpath,"$(dirname "$library")" &&
        output=$(COMAP_HEADERS=größer "$work/program" größer 𝄞)
    got=$?
    [ $got -eq "$status" ] && [ "$output" = "$expected" ] && return
    echo "failed: $source, $*: status $got, output $output"
    failures=$((failures + 1))
}

# lengths of the two arguments, then compiler and flags
runs_each_kind() {
    lengths=$1
    shift
    runs main_arguments.c 3 "${lengths% *} größer
${lengths#* } 𝄞" "$@"
    runs main_void.c 7 void "$@"
    runs main_environment.c 3 "got COMAP_HEADERS=größer" "$@"
}

for optimised in -O0 -O2; do
    runs_each_kind "8 4" "$cc" -x c -std=c11 $optimised
    runs_each_kind "8 4" "$cxx" -x c++ -std=c++20 $optimised
    for wide in "" -fshort-wchar; do
        runs_each_kind "6 2" "$cc" -x c -std=c11 -DUNICODE $wide $optimised
        runs_each_kind "6 2" "$cxx" -x c++ -std=c++11 -D_UNICODE $wide $optimised
    done
done
[ $failures -eq 0 ]
