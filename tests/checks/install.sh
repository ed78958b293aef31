#!/bin/bash
# install.sh BUILD: what an installation holds, and that it works where it was put.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
bad=0 rows=0
claim() { # NAME COMMAND…
    rows=$((rows + 1))
    if "${@:2}" >"$work/out" 2>&1; then
        echo "ok $rows - $1"
    else
        echo "not ok $rows - $1"
        sed 's/^/# /' "$work/out"
        bad=1
    fi
}

tree=$work/tree
claim 'installs' env DESTDIR="$tree" meson install -C "$build" --no-rebuild --quiet
prefix=$tree$(meson introspect --buildoptions "$build" | python3 -c '
import json, sys
print(next(o["value"] for o in json.load(sys.stdin) if o["name"] == "prefix"))')

for file in bin/rouse libexec/rouse/rouse-shim lib/librouse.so.0 lib/librouse.so lib/librouse.a lib/pkgconfig/rouse.pc \
    share/man/man1/rouse.1 share/bash-completion/completions/rouse share/zsh/site-functions/_rouse \
    share/fish/vendor_completions.d/rouse.fish; do
    claim "has $file" test -s "$prefix/$file"
done
for header in "$root"/include/rouse/*.h; do
    claim "has include/rouse/${header##*/}" cmp "$header" "$prefix/include/rouse/${header##*/}"
done
claim 'has nothing else' test "$(find "$tree" -type f | wc -l)" = "$((9 + $(ls "$root"/include/rouse/*.h | wc -l)))"
static() { ! ldd "$1" | grep -q '=>'; }
claim 'the supervisor needs no library' static "$prefix/libexec/rouse/rouse-shim"
alone() { ! ldd "$1" | grep -q librouse; }
claim 'the command does not need librouse.so' alone "$prefix/bin/rouse"
soname() { objdump -p "$1" | grep -q 'SONAME *librouse.so.0$'; }
claim 'the library is version 0' soname "$prefix/lib/librouse.so"

cat >"$work/program.c" <<'C'
#include <rouse/error.h>
#include <rouse/store.h>
#include <rouse/task.h>
#include <stdio.h>

int main(void)
{
    rouse_error err = {0};
    rouse_store *store = NULL;
    int code = rouse_store_open("/dev/null/no", NULL, &store, &err);
    printf("%s\n", code < 0 && err.message[0] ? "works" : "opened the impossible");
    return code < 0 ? 0 : 1;
}
C
export PKG_CONFIG_SYSROOT_DIR=$tree PKG_CONFIG_PATH=$prefix/lib/pkgconfig
compile() { # HOW
    # shellcheck disable=SC2046
    gcc -Wall -Werror "$work/program.c" -o "$work/program" $(pkg-config --cflags rouse) "${@}"
}
works() { [ "$(LD_LIBRARY_PATH=$prefix/lib "$work/program")" = works ]; }
# shellcheck disable=SC2046
claim 'a program compiles against the shared library' compile $(pkg-config --libs rouse)
claim 'and runs' works
# shellcheck disable=SC2046
claim 'a program compiles against the static library' compile "$prefix/lib/librouse.a" \
    $(pkg-config --libs jansson sqlite3 libcurl) -pthread
claim 'that needs no librouse.so' alone "$work/program"
claim 'and runs' "$work/program"

export ROUSE_STORE=$work/store
unset ROUSE_SHIM ROUSE_PROGRAM
version=$(sed -n "s/^ *version: '\(.*\)',$/\1/p" "$root/meson.build" | head -n 1)
says_version() { "$prefix/bin/rouse" --version | grep -qF "$version"; }
claim 'the command says its version' says_version
runs_task() { "$prefix/bin/rouse" run -- sh -c 'exit 7'; [ $? = 7 ]; }
claim 'the installed command finds its supervisor' runs_task
echo "1..$rows"
exit $bad
