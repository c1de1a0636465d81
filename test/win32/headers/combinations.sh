#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# combinations.sh INCLUDE_FOLDER [C_COMPILER CXX_COMPILER]...: compiles the headers, with all warnings as errors, in each
# language version, with and without UNICODE, with 16- and 32-bit wchar_t, before and after the headers of POSIX.
set -u
here=$(dirname "$0")
include=$1
shift
failures=0

compile() {
    "$@" -I"$include" -I"$here" -fsyntax-only -Wall -Wextra -pedantic -Werror && return
    echo "failed: $*"
    failures=$((failures + 1))
}

# language, standard, compiler, source
compile_with_each_text() {
    language=$1 standard=$2 compiler=$3 source=$4
    for wide in "" -fshort-wchar; do
        compile "$compiler" -x "$language" -std="$standard" $wide "$source"
        # u"" came with C11: before, UNICODE needs the other kind of wide strings
        [ "$standard$wide" = c99 ] || compile "$compiler" -x "$language" -std="$standard" $wide -DUNICODE "$source"
    done
}

while [ $# -ge 2 ]; do
    for source in "$here"/before.c "$here"/after.c; do
        for standard in c99 c11 c17; do compile_with_each_text c $standard "$1" "$source"; done
        for standard in c++11 c++14 c++17 c++20; do compile_with_each_text c++ $standard "$2" "$source"; done
    done
    for header in "$include"/*.h; do
        compile "$1" -x c -std=c99 -include "$header" /dev/null
        compile "$2" -x c++ -std=c++20 -include "$header" /dev/null
    done
    shift 2
done
[ $failures -eq 0 ]
