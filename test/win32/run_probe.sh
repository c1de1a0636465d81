#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run_probe.sh PROBE: runs it with a directory of its own for objects; it must answer as answers.txt says and leave nothing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
place=/dev/shm
[ -w "$place" ] || place=${TMPDIR:-/tmp}
COMAP_DIR=$(mktemp -d "$place/comap-win32.XXXXXX")
export COMAP_DIR
said=$(mktemp)
trap 'rm -rf "$COMAP_DIR" "$said"' EXIT

# A committed section takes its memory at once.
without=
room_kib=$(df -Pk "$COMAP_DIR" | awk 'NR == 2 { print $4 }')
memory_kib=$(awk '/^MemAvailable/ { print $2 }' /proc/meminfo)
[ "$room_kib" -gt 6291456 ] && [ "$memory_kib" -gt 6291456 ] || without='sections: bad arguments: size 4 GiB SEC_COMMIT'

status=0
"$1" >"$said" || status=$?
"$here/compare_answers" ${without:+--without "$without"} "$here/answers.txt" "$said" || status=1
left=$(find "$COMAP_DIR" -type f)
[ -z "$left" ] || {
    echo "left behind: $left" >&2
    status=1
}
exit "$status"
