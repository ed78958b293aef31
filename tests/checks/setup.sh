#!/bin/bash
# The set-up on machines that are not as it wishes: it says one clear line, and installs only what is missing.
# Each row runs tools/setup.sh with a PATH of stubs in place of the system's own programs.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
bad=0 rows=0

machine() { # programs… : a new PATH with these and the plain tools that any system has
    rm -rf "$work/bin" "$work/log"
    mkdir "$work/bin"
    local tool
    for tool in bash sh env cat grep sed sort tail tr ls dirname head mktemp rm touch; do
        ln -s "$(type -P $tool)" "$work/bin/$tool"
    done
    for tool in "$@"; do
        ln -s "$(type -P true)" "$work/bin/$tool"
    done
}
stub() { # NAME BODY
    rm -f "$work/bin/$1"
    printf '#!/bin/sh\n%s\n' "$2" >"$work/bin/$1"
    chmod +x "$work/bin/$1"
}
claim() { # NAME COMMAND…
    rows=$((rows + 1))
    if "${@:2}"; then
        echo "ok $rows - $1"
    else
        echo "not ok $rows - $1"
        sed 's/^/# /' "$work/log" "$work/out"
        bad=1
    fi
}
row() { # NAME STATUS LAST-LINE-PATTERN SET…
    local name=$1 want=$2 pattern=$3 got said
    shift 3
    PATH=$work/bin TMPDIR=$work "$work/bin/bash" "$root/tools/setup.sh" "$@" >"$work/out" 2>&1 </dev/null
    got=$?
    said=$(tail -n 1 "$work/out")
    claim "$name" eval '[ $got = "$want" ] && [[ $said =~ $pattern ]]'
}

machine
stub id 'echo 0'
row 'a system without apt' 1 '^setup: wrong system: .*Debian 12.*gcc' build

machine apt-get dpkg
stub id 'echo 1000'
row 'neither root nor sudo' 1 '^setup: no rights: neither root nor sudo; .*apt-get install gcc' build

machine apt-get dpkg
stub id 'echo 1000'
stub sudo 'exit 1'
row 'a sudo that asks for a password' 1 '^setup: no rights: sudo asks for a password' build

machine dpkg
stub id 'echo 0'
stub apt-get 'echo "E: Failed to fetch http://mirror/x  Temporary failure resolving mirror" >&2; exit 100'
row 'no network' 1 "^setup: no network, .*Temporary failure resolving.*log: $work/" build

machine dpkg
stub id 'echo 0'
stub apt-get 'echo "E: dpkg was interrupted" >&2; exit 100'
row 'an apt that fails for another reason' 1 "^setup: apt-get failed: 'E: dpkg was interrupted'" build

machine dpkg
stub id 'echo 0'
stub apt-get "echo \"\$*\" >>$work/log"
row 'an apt that installs nothing' 1 '^setup: wrong system: still not usable' build
claim 'all was asked for' grep -q 'install -y --no-install-recommends gcc libc6-dev .*libcmocka-dev' "$work/log"

machine gcc make musl-gcc ninja python3 dpkg
stub id 'echo 0'
stub meson 'echo 1.0.1'
stub pkg-config "[ -e $work/log ] || [ \"\$2\" != jansson ]"
stub gcc 'echo /dev/null'
stub apt-get "echo \"\$*\" >>$work/log"
row 'one library missing' 0 '^setup: installing with apt-get: .*libjansson-dev' build
claim 'no more than that was asked for' grep -qE 'no-install-recommends (libc6-dev )?libjansson-dev *$' "$work/log"
row 'nothing missing any more' 0 '^setup: nothing to install' build
stub meson 'echo 0.61.2'
row 'a meson that is too old' 1 '^setup: wrong system: rouse needs meson >= 1.0.0' build
row 'an unknown word' 1 '^setup: usage' elsewhere
echo "1..$rows"
exit $bad
