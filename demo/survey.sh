#!/bin/sh
# Goes over the project's own C sources: compiles each one (syntax only) and counts its lines, printing as it goes.
# Usage: survey.sh ROOT
set -eu
cd "$1"
total=0 lines=0 broken=0
count=$(find src -name '*.c' | wc -l)
for file in $(find src -name '*.c' | sort); do
    total=$((total + 1))
    lines=$((lines + $(wc -l <"$file")))
    cc -std=c17 -D_GNU_SOURCE -DROUSE_VERSION='""' -Iinclude -Isrc -fsyntax-only "$file" 2>/dev/null || broken=$((broken + 1))
    echo "$total/$count $file"
done
echo "surveyed $total files, $lines lines, $broken do not compile"
