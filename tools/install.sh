#!/bin/bash
# install.sh BUILD PREFIX DESTDIR           puts what was built under PREFIX, in DESTDIR when packaging
# install.sh --remove BUILD DESTDIR         takes away what the last install from BUILD put there
set -u
cd "$(dirname "$0")/.." || exit 1
fail() {
    printf 'install: %s\n' "$*" >&2
    exit 1
}

remove() { # BUILD DESTDIR
    local list=$1/installed file
    [ -e "$list" ] || fail "nothing was installed from $1"
    while IFS= read -r file; do
        rm -f -- "$file" || fail "cannot remove '$file'"
    done <"$list"
    sed 's|/[^/]*$||' "$list" | sort -u | grep -E '/rouse$' | while IFS= read -r directory; do
        rmdir -- "$directory" 2>/dev/null
    done
    rm -f "$list"
    echo "install: removed"
}

if [ "$1" = --remove ]; then
    remove "$2"
    exit
fi

build=$1 prefix=$2 destdir=$3 log=$1/install.log
case $prefix in /*) ;; *) fail "PREFIX must be an absolute path, not '$prefix'" ;; esac
# The prefix stands in the programs, so another one builds them again.
if [ "$(meson introspect --buildoptions "$build" | python3 -c '
import json, sys
print(next(o["value"] for o in json.load(sys.stdin) if o["name"] == "prefix"))')" != "$prefix" ]; then
    meson configure "$build" -Dprefix="$prefix" >"$log" 2>&1 || fail "meson refuses the prefix (log: $log)"
    tools/build.sh "$build" || exit 1
fi
echo "install: to ${destdir}$prefix"
DESTDIR=$destdir meson install -C "$build" --no-rebuild >"$log" 2>&1 ||
    fail "$(grep -aE 'Error|denied' "$log" | tail -n 1) (log: $log)"
sed '/^#/d' "$build/meson-logs/install-log.txt" >"$build/installed"
[ -n "$destdir" ] || [ "$(id -u)" != 0 ] || ldconfig
