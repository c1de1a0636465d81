#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run_example.sh PROGRAM ARGUMENTS...: runs it with a directory of its own for objects; it must succeed and leave nothing.
set -eu
place=/dev/shm
[ -w "$place" ] || place=${TMPDIR:-/tmp}
COMAP_DIR=$(mktemp -d "$place/comap-example.XXXXXX")
export COMAP_DIR
trap 'rm -rf "$COMAP_DIR"' EXIT

"$@"
left=$(find "$COMAP_DIR" -type f)
[ -z "$left" ] || {
    echo "left behind: $left" >&2
    exit 1
}
