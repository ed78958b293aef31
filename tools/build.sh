#!/bin/bash
# build.sh DIR [PREFIX]: what people use, built in DIR; says one line, and what the compiler says when it fails.
# A prefix stands in the programs: another one than before builds some of them again.
set -u
cd "$(dirname "$0")/.." || exit 1
dir=$1 prefix=${2:-}
fail() {
    printf 'build: %s\n' "$*" >&2
    exit 1
}

mkdir -p "$dir" || fail "cannot write to $(pwd)"
log=$dir/build.log
meson_or_fail() {
    meson "$@" >"$log" 2>&1 </dev/null || {
        cat "$log" >&2
        fail "meson could not configure $dir (log: $log)"
    }
}
prefix_of() {
    meson introspect --buildoptions "$1" | python3 -c '
import json, sys
print(next(option["value"] for option in json.load(sys.stdin) if option["name"] == "prefix"))'
}

if [ ! -e "$dir/build.ninja" ]; then
    echo "build: configuring in $dir"
    meson_or_fail setup "$dir" ${prefix:+-Dprefix="$prefix"}
elif [ -n "$prefix" ] && [ "$(prefix_of "$dir")" != "$prefix" ]; then
    echo "build: configuring for $prefix"
    meson_or_fail configure "$dir" -Dprefix="$prefix"
fi
echo "build: rouse, rouse-shim, librouse in $dir"
ninja -C "$dir" product >"$log" 2>&1 </dev/null || {
    grep -vE '^\[[0-9]+/[0-9]+\] (Compiling|Linking|Generating)|^ninja: (Entering|build stopped)' "$log" | head -n 60 >&2
    fail "failed (log: $log)"
}
