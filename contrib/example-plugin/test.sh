#!/bin/sh
# SPDX-License-Identifier: MIT
# Tests dirwatch.so: that it keeps to the rules, and that it sees what happens.
set -eu
: "${SLUICE:=sluice}"
dir=$(mktemp -d)
pid=
trap 'kill $pid 2>/dev/null || true; rm -rf "$dir"' EXIT

mkdir "$dir/box"
# It has to emit events while it is tested.
while echo text >"$dir/box/a"; do sleep 0.1; done 2>/dev/null &
pid=$!
"$SLUICE" test-plugin ./dirwatch.so dirs="$dir/box"
kill $pid

"$SLUICE" run-plugin ./dirwatch.so dirs="$dir/box" >"$dir/out" &
pid=$!
n=0
until grep -qs '^moved .*"name":"b"' "$dir/out"; do
	n=$((n + 1))
	[ $n -lt 100 ] || { echo "not ok: no events"; cat "$dir/out"; exit 1; }
	echo text >"$dir/box/a"
	mv "$dir/box/a" "$dir/box/b"
	sleep 0.1
done
for type in created written deleted moved; do
	grep -q "^$type " "$dir/out" || { echo "not ok: nothing $type"; exit 1; }
done
echo "ok: dirwatch sees files come and go"
