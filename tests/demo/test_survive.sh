#!/bin/sh
# The example does what its README lines say. Usage: test_survive.sh SURVIVE
set -u
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
echo 1..2
"$1" "$dir/store" -- sh -c 'echo hi; exit 0' >"$dir/out" 2>&1
status=$?
if [ $status -eq 0 ] && grep -q '^started bg_0: sh -c echo hi; exit 0$' "$dir/out" &&
    sed -n 2p "$dir/out" | python3 -c 'import json,sys; t=json.load(sys.stdin); sys.exit(t["status"]!="completed" or t["result"]!={"exit_code":0,"output_tail":"hi\n"})'
then echo 'ok 1 - a command that completes'; else echo 'not ok 1 - a command that completes'; sed 's/^/# /' "$dir/out"; fi
"$1" "$dir/store" -- sh -c 'exit 7' >"$dir/out" 2>&1
status=$?
if [ $status -eq 0 ] && sed -n 2p "$dir/out" | python3 -c 'import json,sys; t=json.load(sys.stdin); sys.exit(t["task_id"]!="bg_1" or t["error"]!="exit status 7")'
then echo 'ok 2 - a command that fails, in the same store'; else echo 'not ok 2 - a command that fails'; sed 's/^/# /' "$dir/out"; fi
