#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# as_user.sh PROGRAM [FILE...]: runs a test program, or its bats files, as an ordinary user, from a copy that he can read.
# Exit code 77 where we are not root and so an ordinary user already.
set -eu
[ "$(id -u)" -eq 0 ] || exit 77
program=$1
shift
place=/dev/shm
[ -w "$place" ] || place=${TMPDIR:-/tmp}
copy=$(mktemp -d "$place/comap-user.XXXXXX")
trap 'rm -rf "$copy"' EXIT
chmod 755 "$copy"
binary=$copy/$(basename "$program")
cp "$program" "$binary"
ldd "$program" | awk '/libcomap/ { print $3 }' | xargs -r cp -t "$copy"
mkdir "$copy/objects"
chmod 777 "$copy/objects"
as_user() { LD_LIBRARY_PATH=$copy COMAP_DIR=$copy/objects HOME=$copy setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all "$@"; }
if [ $# -eq 0 ]; then
    as_user "$binary"
else
    cp -r "$(dirname "$1")" "$copy/files"
    for file in "$@"; do
        COMAP_BIN=$binary as_user bats "$copy/files/$(basename "$file")"
    done
fi
