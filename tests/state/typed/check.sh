#!/bin/bash
# check.sh INCLUDE: what must compile does, what must not does not. TAP.
set -u
cd "$(dirname "$0")" || exit 1
include=$1
n=0 bad=0
report() { # STATUS NAME
    n=$((n + 1))
    if [ "$1" = 0 ]; then
        echo "ok $n - $2"
    else
        echo "not ok $n - $2"
        bad=1
    fi
}
compile() { # COMPILER FILE FLAG...
    local words=$1 file=$2
    shift 2
    # shellcheck disable=SC2086 # a compiler and its language
    $words -pedantic-errors -Wno-unused -fsyntax-only -I"$include" "$@" "$file" >/dev/null 2>&1
}

compilers=('gcc -x c -std=c17')
command -v clang >/dev/null && compilers+=('clang -x c -std=c17' )
command -v g++ >/dev/null && compilers+=('g++ -x c++ -std=c++17')
for compiler in "${compilers[@]}"; do
    for file in *.c; do
        compile "$compiler" "$file"
        report $? "$compiler: $file compiles"
        for wrong in $(grep -o 'WRONG_[0-9]*' "$file"); do
            ! compile "$compiler" "$file" -D"$wrong"
            report $? "$compiler: $file does not compile with $wrong"
        done
    done
done
echo "1..$n"
exit $bad
