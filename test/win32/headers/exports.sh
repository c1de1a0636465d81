#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# exports.sh INCLUDE_FOLDER LIBRARY C_COMPILER: the library exports what the headers declare, and nothing else.
set -eu
include=$1 library=$2 cc=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Each declaration on a line of its own; its name stands before the first parenthesis.
printf '#include <windows.h>\n#include <tchar.h>\n#include <conio.h>\n' |
    "$cc" -E -P -x c -I"$include" -DCOMAP_WIN32_INTERLOCKED=EXPORTED - |
    sed -e 's/__attribute__((__visibility__("default")))/EXPORTED/g' -e 's/__attribute__((__noreturn__))//g' | tr '\n' ' ' |
    sed 's/EXPORTED/\n&/g' | sed -nE 's/^EXPORTED [^(]*[ *]([A-Za-z_0-9]+)\(.*/\1/p' | sort -u >"$work/declared"
nm -D --defined-only "$library" | awk '$2 != "A" { print $3 }' | sed 's/@.*//' | sort -u >"$work/exported"
diff "$work/declared" "$work/exported"
