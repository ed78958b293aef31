#!/bin/bash
# build.sh DIR: what people use, built in DIR; says one line, and what the compiler says when it fails.
set -u
cd "$(dirname "$0")/.." || exit 1
dir=$1
fail() {
    printf 'build: %s\n' "$*" >&2
    exit 1
}

mkdir -p "$dir" || fail "cannot write to $(pwd)"
log=$dir/build.log
if [ ! -e "$dir/build.ninja" ]; then
    echo "build: configuring in $dir"
    meson setup "$dir" >"$log" 2>&1 </dev/null || {
        cat "$log" >&2
        fail "meson could not configure $dir (log: $log)"
    }
fi
echo "build: rouse, rouse-shim, librouse in $dir"
ninja -C "$dir" product >"$log" 2>&1 </dev/null || {
    grep -vE '^\[[0-9]+/[0-9]+\] (Compiling|Linking|Generating)|^ninja: (Entering|build stopped)' "$log" | head -n 60 >&2
    fail "failed (log: $log)"
}
