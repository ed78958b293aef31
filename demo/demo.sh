#!/bin/bash
# The main job of rouse, told with real work and checked while it is told. Exits non-zero with the first untrue line.
# Usage: demo.sh BUILD-DIR
set -u
build=$(cd "$1" && pwd)
cd "$(dirname "$0")/.." || exit 1
root=$PWD
work=$(mktemp -d "${TMPDIR:-/tmp}/rouse-demo.XXXXXX")
export PATH="$build:$PATH" ROUSE_STORE="$work/store" ROUSE_THREAD=demo NO_COLOR=1
unset ROUSE_TASK ROUSE_MODEL
agent_pid=

finish() {
    [ -n "$agent_pid" ] && kill -9 -- "-$agent_pid" 2>/dev/null
    rouse cancel --all --grace 0s >/dev/null 2>&1
    rouse cancel --all --grace 0s --all-threads >/dev/null 2>&1
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; else bold='' dim='' plain=''; fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
show() { printf '%s$ %s%s\n' "$dim" "$*" "$plain"; }
indent() { sed 's/^/    /'; }
checks=0
# check TEXT COMMAND…: the claim, and what must succeed for it to be true
check() {
    local claim=$1
    shift
    if "$@" >"$work/check" 2>&1; then
        checks=$((checks + 1))
        printf '  ✓ %s\n' "$claim"
    else
        printf '  ✗ UNTRUE: %s\n' "$claim"
        sed 's/^/    /' "$work/check"
        exit 1
    fi
}
# until_true SECONDS COMMAND…: for what another process is about to do
until_true() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -ge $end ] && return 1
        sleep 0.1
    done
}
# ask FILTER FILE: true when the Python expression over d, the JSON in FILE, is
ask() { python3 -c 'import json,sys; d=json.load(open(sys.argv[2])); sys.exit(0 if eval(sys.argv[1]) else 1)' "$1" "$2"; }
size_of() { rouse show --json "$1" | python3 -c 'import json,sys; print(json.load(sys.stdin)["ext"]["output"]["size"])'; }
group_is_gone() { ! pgrep -g "$1"; }

say "1. An agent gets a job. It starts three things in the background and goes on talking."
show 'rouse agent --no-wait "Survey this repository: sources, documents, headers."'
rouse agent --model scripted:demo/agent.json --no-wait --show-view \
    "Survey this repository: sources, documents, headers." >"$work/first" 2>&1
first=$?
indent <"$work/first"
check "the agent said what it does and returned while the work goes on" test $first -eq 0
check "the model saw its tasks in the prompt" grep -q '<background-tasks>' "$work/first"
rouse ls --json >"$work/ls"
check "three tasks run: a command, a server that is ready, a sub-agent" \
    ask 'len(d)==3 and {t["name"] for t in d}=={"survey","docs","helper"} and all(t["status"]=="running" for t in d) and [t for t in d if t["name"]=="docs"][0]["ext"]["ready"]' "$work/ls"

say "2. It answers a question meanwhile, then sleeps until something ends."
show 'rouse agent "Are you still working?"'
setsid rouse agent --model scripted:demo/agent.json "Are you still working?" >"$work/second" 2>&1 &
agent_pid=$!
check "it answered" until_true 10 grep -q 'I sleep until one of them ends' "$work/second"
indent <"$work/second"

say "3. kill -9 of the agent's whole process group, here:"
show "kill -9 -- -$agent_pid"
kill -9 -- "-$agent_pid"
wait "$agent_pid" 2>/dev/null
check "nothing of the agent is left" until_true 5 group_is_gone "$agent_pid"
agent_pid=
before=$(size_of survey)

say "4. The work did not notice."
show 'rouse ls --all-threads'
rouse ls --all-threads | indent
rouse ls --all-threads --json >"$work/ls"
check "the survey, the server and the sub-agent are alive, and so is the command the sub-agent started" \
    ask '{t["name"] for t in d}=={"survey","docs","helper","headers"} and all(t["status"]=="running" for t in d)' "$work/ls"
grew() { [ "$(size_of survey)" -gt "$before" ]; }
check "the survey went on printing after the kill" until_true 10 grew
show 'rouse view     # the block the model saw last'
rouse view | tee "$work/view-before" | indent

say "5. The agent is resumed. It finds its tasks, gets each ending once, and uses the results."
show 'rouse agent --resume'
rouse agent --model scripted:demo/agent.json --resume --show-view >"$work/third" 2>&1
third=$?
indent <"$work/third"
check "the resumed run ended well" test $third -eq 0
files=$(find src -name '*.c' | wc -l)
lines=$(find src -name '*.c' -exec cat {} + | wc -l)
headers=$(ls include/rouse/*.h | wc -l)
check "its answer holds the real results: $files files, $lines lines, $headers headers" \
    grep -q "Final report: $files source files, $lines lines, 0 do not compile; $headers public headers stand alone" "$work/third"
rouse ls -a --all-threads --json >"$work/ls"
check "survey, helper and headers completed with exit status 0" \
    ask 'all(t["status"]=="completed" and t["ext"]["exit_code"]==0 for t in d if t["name"]!="docs") and len(d)==4' "$work/ls"
check "the server was stopped by the agent, and says so" \
    ask '[(t["status"],t["ext"]["ended_by"]) for t in d if t["name"]=="docs"]==[("cancelled","agent")]' "$work/ls"
python3 - "$work/store/rouse.db" >"$work/events" <<'PY'
import json, sqlite3, sys
db = sqlite3.connect("file:%s?mode=ro" % sys.argv[1], uri=True)
messages = [json.loads(m) for (m,) in db.execute("select json from message where thread='demo'")]
told = [m for m in messages if m["role"] == "user" and m["content"][0]["text"].startswith("<background-task-event")]
ended = [r for r in db.execute("select task_id, acked_ms from inbox where thread='demo'")]
print(json.dumps({"told": len(told), "ended": len(ended), "acknowledged": sum(a is not None for _, a in ended), "tasks": len({t for t, _ in ended})}))
PY
check "three tasks ended, three events were written, each was told to the agent once" \
    ask 'd=={"told":3,"ended":3,"acknowledged":3,"tasks":3}' "$work/events"
show 'rouse view     # nothing runs any more'
rouse view | tee "$work/view-after" | indent
check "the prompt block is empty again" test ! -s "$work/view-after"
survivors() { pgrep -f "$work/store"; }
check "no process of the story is left" eval '! survivors'

printf '\n%s%d claims checked, all true. (%d s)%s\n' "$bold" "$checks" "$SECONDS" "$plain"
