#!/bin/bash
# install.sh BUILD PREFIX DESTDIR    builds for PREFIX and puts it there, or in DESTDIR when packaging
# install.sh --remove BUILD          takes away what installs from BUILD put anywhere
set -u
cd "$(dirname "$0")/.." || exit 1
fail() {
    printf 'install: %s\n' "$*" >&2
    exit 1
}

remove() { # BUILD
    local list=$1/installed path
    [ -e "$list" ] || fail "nothing was installed from $1"
    while IFS= read -r path; do
        [ -d "$path" ] && [ ! -L "$path" ] || rm -f -- "$path" || fail "cannot remove '$path'"
    done <"$list"
    # Directories that installs made, the inner ones first, unless others use them by now.
    sort -r "$list" | while IFS= read -r path; do
        [ ! -d "$path" ] || rmdir -- "$path" 2>/dev/null
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
tools/build.sh "$build" "$prefix" || exit 1
echo "install: to $destdir$prefix"
DESTDIR=$destdir meson install -C "$build" --no-rebuild >"$log" 2>&1 </dev/null ||
    fail "$(grep -aoE '(Permission denied|No space left|Read-only).*' "$log" || tail -n 1 "$log") (log: $log)"
{
    [ ! -e "$build/installed" ] || cat "$build/installed"
    sed '/^#/d' "$build/meson-logs/install-log.txt"
} | sort -u -o "$build/installed"
[ -n "$destdir" ] || [ "$(id -u)" != 0 ] || ldconfig
