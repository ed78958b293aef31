#!/bin/bash
# The demo, as a test: each claim it makes is a test point. Usage: test_story.sh DEMO BUILD-DIR
set -u
out=$(mktemp)
trap 'rm -f "$out"' EXIT
bash "$1" "$2" >"$out" 2>&1
status=$?
n=0
while IFS= read -r line; do
    case $line in
    *✓*) n=$((n + 1)) && echo "ok $n - ${line#*✓ }" ;;
    *✗*) n=$((n + 1)) && echo "not ok $n - ${line#*✗ }" ;;
    esac
done <"$out"
n=$((n + 1))
if [ $status -eq 0 ]; then echo "ok $n - the story ended"; else echo "not ok $n - the story ended"; sed 's/^/# /' "$out"; fi
echo "1..$n"
