#!/bin/bash
# Each public header compiles alone, in any order, twice, in plain C11 without extensions.
set -u
compiler=${1:-gcc}
cd "$(dirname "$0")/../../include" || exit 1
bad=0
try() {
    "$compiler" -std=c11 -Wall -Wextra -Wpedantic -Werror -I. -x c -fsyntax-only - || {
        echo "$1 does not stand alone"
        bad=1
    }
}
for header in rouse/*.h; do
    printf '#include <%s>\n#include <%s>\nextern int nothing;\n' "$header" "$header" | try "$header"
done
{ printf '#include <%s>\n' $(ls -r rouse/*.h); echo 'extern int nothing;'; } | try 'the reverse order'
exit $bad
