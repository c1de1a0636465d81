#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run_hello_twice.sh HELLO: what its comment says, start it twice. The second is started when the first has made the section.
set -eu
hello=$1
work=$(mktemp -d)
first=
trap 'rm -rf "$work"; [ -z "$first" ] || kill "$first" 2>/dev/null || true' EXIT

mkfifo "$work/said"
"$hello" >"$work/said" &
first=$!
exec 3<"$work/said"
read -r line <&3
echo "first:  $line"
echo "second: $("$hello")"
read -r line <&3
echo "first:  $line"
wait "$first"
first=
case $line in
    *"says: hello from another process") ;;
    *) exit 1 ;;
esac
