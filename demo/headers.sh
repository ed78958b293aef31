#!/bin/sh
# Checks that each public header compiles by itself, one after another, a little slower than it could so that it can be
# watched. Usage: headers.sh ROOT
set -eu
cd "$1"
good=0 bad=0
for header in include/rouse/*.h; do
    if echo "#include \"rouse/${header##*/}\"" | cc -std=c17 -Wall -Wextra -Werror -Iinclude -x c -fsyntax-only - 2>/dev/null
    then good=$((good + 1)); else bad=$((bad + 1)); fi
    echo "checked ${header##*/}"
    sleep 1.3
done
echo "public headers: $good stand alone, $bad do not"
