#!/bin/bash
# Every word that src/base/banned.h bans does not compile, with the compiler given.
set -u
compiler=${1:-gcc}
header=$(cd "$(dirname "$0")/../../src/base" && pwd)/banned.h
words="$(sed -n 's/^#pragma GCC poison //p' "$header") system random"
[ "$(wc -w <<<"$words")" -ge 20 ] || { echo "the list of banned functions cannot be read"; exit 1; }
bad=0
for word in $words; do
    if printf 'void *f(void);\nvoid *f(void) { return (void *)&%s; }\n' "$word" |
        "$compiler" -std=c17 -D_GNU_SOURCE -include "$header" -Werror -x c -fsyntax-only - 2>/dev/null; then
        echo "$word compiles"
        bad=1
    fi
done
printf 'int f(char *s, int n);\nint f(char *s, int n) { return snprintf(s, (size_t)n, "x"); }\n' |
    "$compiler" -std=c17 -D_GNU_SOURCE -include "$header" -x c -fsyntax-only - || bad=1
exit $bad
