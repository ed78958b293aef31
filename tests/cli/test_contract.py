#!/usr/bin/env python3
"""The contract of the commands: exit statuses, messages and the shape of their JSON, a row each."""
import re

from harness import equal, main, test

# A shape: a type, a list of one shape, or an object; "name?" may be missing, and no other member may be there.
NUMBER, TEXT, FLAG = int, str, bool
PLAN = {'after?': [TEXT], 'after_if?': TEXT, 'dependents?': [TEXT], 'queue?': TEXT, 'queue_limit?': NUMBER, 'in_queue?': FLAG,
        'priority?': NUMBER, 'attempt?': NUMBER, 'max_attempts?': NUMBER, 'retry_on?': NUMBER, 'backoff_ms?': NUMBER,
        'backoff_max_ms?': NUMBER, 'due_ms?': NUMBER, 'timeout_ms?': NUMBER, 'depth?': NUMBER, 'labels?': [TEXT],
        'progress?': {'done': NUMBER, 'total': NUMBER, 'message?': TEXT}}
EXT = dict(PLAN, **{'kind': TEXT, 'stage?': TEXT, 'argv': [TEXT], 'cwd?': TEXT, 'pid?': NUMBER, 'exit_code?': NUMBER, 'signal?': NUMBER,
                    'ended_by?': TEXT, 'reason?': TEXT, 'deadline_ms?': NUMBER, 'ready_when?': TEXT, 'ready?': FLAG, 'session?': FLAG,
                    'reads?': TEXT, 'output?': {'size': NUMBER, 'kept': NUMBER, 'dropped': NUMBER}, 'killed?': NUMBER,
                    'started_at_ms?': NUMBER, 'cpu_ms?': NUMBER, 'max_rss_kib?': NUMBER})
RECORD = {'task_id': TEXT, 'owner_thread_id': TEXT, 'task_type': TEXT, 'name?': TEXT, 'description': TEXT, 'status': TEXT, 'error?': TEXT,
          'result?': {'exit_code': NUMBER, 'output_tail': TEXT}, 'created_at_ms': NUMBER, 'completed_at_ms?': NUMBER,
          'parent_context': {'task_id?': TEXT}, 'ext': EXT}
EVENT = {'id': NUMBER, 'thread': TEXT, 'created_at_ms': NUMBER, 'acknowledged': FLAG,
         'event': {'kind': TEXT, 'task_id': TEXT, 'result?': RECORD['result?'], 'error?': TEXT, 'event_type?': TEXT, 'payload?': dict}}
STATS = {'running': NUMBER, 'waiting': NUMBER, 'for_input': NUMBER, 'oldest_waiting_ms': NUMBER, 'completed': NUMBER, 'failed': NUMBER,
         'cancelled': NUMBER, 'took_p50_ms': NUMBER, 'took_p95_ms': NUMBER, 'unread': NUMBER,
         'queues': [{'name': TEXT, 'running': NUMBER, 'waiting': NUMBER}]}


def differs(value, shape, where=''):
    if isinstance(shape, type):
        fine = type(value) is shape
        return [] if fine else [f'{where or "it"} is {value!r}, not {shape.__name__}']
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f'{where or "it"} is no list']
        return [d for i, v in enumerate(value) for d in differs(v, shape[0], f'{where}[{i}]')]
    if not isinstance(value, dict):
        return [f'{where or "it"} is no object']
    known = {name.rstrip('?'): (s, name.endswith('?')) for name, s in shape.items()}
    wrong = [f'{where}.{name} is missing' for name, (_, may) in known.items() if not may and name not in value]
    wrong += [f'{where}.{name} is not known' for name in value if name not in known]
    return wrong + [d for name in value if name in known for d in differs(value[name], known[name][0], f'{where}.{name}')]


# What is there: bg_0 done, bg_1 bad (7), bg_2 killed (9), bg_3 web (ready, input), bg_4 queued behind web, bg_5 of another thread.
def fill(place):
    place.good('run', '-n', 'done', '-c', 'echo one; echo two')
    place('run', '-n', 'bad', '-c', 'exit 7')
    place('run', '-n', 'killed', '-c', 'kill -9 $$')
    place.good('run', '-d', '-n', 'web', '--stdin', '--ready-when', 'up', '--timeout', '1h', '-c', 'echo up; while read x; do echo "got $x"; done; '
               'exec sleep 600')
    place.good('run', '-d', '-n', 'later', '--after', 'web', '--retries', '1', '--label', 'a=b', 'true')
    place.good('run', '-d', '--thread', 'other', '-n', 'far', 'sleep', '600')
    place.good('wait', '-u', 'ready', 'web')


# status, shape of the JSON or pattern of the output, pattern of standard error, arguments
ROWS = [
    (0, [RECORD], '', 'ls --json'),
    (0, [RECORD], '', 'ls -a --json --all-threads'),
    (0, r'^\{"task_id":"bg_4",.*\}\n\{"task_id":"bg_3",.*\}\n$', '', 'ls --jsonl'),
    (0, STATS, '', 'ls --stats --json'),
    (0, r'^(bg_\d\t\S+\t\w+\t(\d+|-)\t\d+\tdefault\t[^\t\n]+\n){5}$', '', 'ls -a'),
    (3, '^$', "no 'bg_99' to list from", 'ls --before bg_99'),
    (0, RECORD, '', 'show --json done'),
    (0, RECORD, '', 'show --json bad'),
    (0, RECORD, '', 'show --json killed'),
    (0, RECORD, '', 'show --json web'),
    (0, RECORD, '', 'show --json later'),
    (3, '^$', "no task 'far' in thread 'default'; list all with: rouse ls -a --all-threads", 'show --json far'),
    (0, RECORD, '', 'show --thread other --json far'),
    (0, '^one\ntwo\n$', '', 'logs done'),
    (0, '^two\n$', '', 'logs -n 1 done'),
    (0, {'task_id': TEXT, 'offset': NUMBER, 'next_offset': NUMBER, 'dropped': NUMBER, 'text': TEXT}, '', 'logs --json done'),
    (0, r'^\{"task_id":"bg_0","next_offset":8,"text":"one\\ntwo\\n"\}\n$', '', 'logs -f --jsonl done'),
    (2, '^$', 'give --json or --jsonl, not both', 'logs --json --jsonl done'),
    (0, '^bg_0 done: completed\n$', '', 'wait done'),
    (7, '^bg_1 bad: failed: exit status 7\n$', '', 'wait bad'),
    (137, '^bg_2 killed: failed: killed by signal 9 ', '', 'wait killed'),
    (1, '^bg_0 done: completed\nbg_1 bad: failed: exit status 7\n$', '', 'wait done bad'),
    (0, '^bg_3 web: ready\n$', '', 'wait --until ready web'),
    (0, '^bg_3 web: matched at 0: up\n$', '', 'wait --until match:^u web'),
    (0, '^bg_3 web: ready\n$', '', 'wait --until idle:1ms web'),
    (124, '^bg_3 web: ready\n$', '', 'wait --timeout 1ms web'),
    (124, {'timed_out': FLAG, 'tasks': [RECORD]}, '', 'wait --json --timeout 1ms web done'),
    (0, {'timed_out': FLAG, 'tasks': [RECORD]}, '', 'wait --any --json web done'),
    (2, '^$', '.', 'wait --until match:( web'),
    (3, '^$', "no task 'nobody'", 'wait done nobody'),
    (0, '^bg_0 done had ended: completed\n$', '', 'cancel done'),
    (0, {'cancelled': NUMBER, 'tasks': [RECORD]}, '', 'cancel --json done'),
    (4, '^$', "'web' cannot be told anything: ", 'send web hello'),
    (3, '^$', "no task 'nobody'", 'send nobody hello'),
    (0, '^$', '', 'write web hello'),
    (4, '^$', "'bg_0' has ended: nobody reads its input", 'write done hello'),
    (3, '^$', "no task 'nobody'", 'write nobody hello'),
    (0, {'task_id': TEXT, 'done': NUMBER, 'total': NUMBER, 'message?': TEXT}, '', 'progress -t web --json 1/2 half'),
    (4, '^$', 'has ended', 'progress -t done 1/2'),
    (0, r'^(\d+\t\d+\tdefault\tbg_\d\t(completed|failed|custom)\t\{.*\}\n)+$', '', 'events'),
    (0, EVENT, '', 'events --json --limit 1'),
    (0, EVENT, '', 'events --jsonl --limit 1 --since 1'),
    (0, '^<background-tasks>\n', '', 'view'),
    (0, {'thread': TEXT, 'view': TEXT}, '', 'view --json'),
    (2, '^$', '--budget', 'view --budget 0'),
    (0, {'revision': NUMBER, 'extensions': {'background_task_state': dict, 'rouse_agenda?': dict, 'rouse_marks?': dict}}, '', 'export'),
    (3, '^$', 'missing.json', 'import missing.json'),
    (0, {'ok': FLAG, 'findings': [{'level': TEXT, 'text': TEXT}]}, '', 'doctor --json'),
    (0, [RECORD], '', 'prune -n --json'),
    (0, '^(bg_[012]\n){3}$', '', 'prune -n'),
    (4, '^$', "a running task named 'web' already exists", 'run -d -n web true'),
    (0, RECORD, '', 'ensure --json -n web true'),
    (0, '^bg_3\n$', '', 'ensure -n web true'),
    (3, '^$', "no task 'nobody'", 'run -d --after nobody true'),
    (127, '^$', "cannot run 'no-such-program': No such file or directory", 'run no-such-program'),
    (126, '^$', "cannot run '/': ", 'run -d /'),
    (0, '^$', '', 'reap bg_0'),
    (3, '^$', "no task 'bg_99'", 'reap bg_99'),
    (2, '^$', 'no command given', ''),
    (2, '^$', "did you mean 'cancel'", 'cancle'),
    (5, '^$', "no store at 'nowhere'", 'ls --store nowhere'),
    (0, '^rouse ', '', '--version'),
]


@test
def each_row_holds(place):
    fill(place)
    wrong = []
    for status, wanted, err, line in ROWS:
        ran = place(*line.split())
        lines = 1 if err else 0
        if ran.status != status or not re.search(err, ran.err) or ran.err.count('\n') != lines:
            wrong.append(f'{line}: status {ran.status}, said {ran.err!r}; out {ran.out!r}')
        elif isinstance(wanted, str):
            if not re.search(wanted, ran.out):
                wrong.append(f'{line}: printed {ran.out!r}')
        else:
            wrong += [f'{line}: {d}' for d in differs(ran.json, wanted)]
    equal(wrong, [])


@test
def what_prints_prints_json(place):
    silent = {'top', 'write', 'completion', 'reap', 'help'}
    commands = place.good('completion', '--commands').out.split()
    equal({c for c in commands if '--json ' not in place.good('help', c).out}, silent)


@test
def a_stage_is_one_of_those_that_are_promised(place):
    fill(place)
    records = place.good('ls', '-a', '--json', '--all-threads').json
    stages = {r['ext']['stage'] for r in records if r['status'] == 'running'}
    assert {'queued', 'running'} <= stages <= {'queued', 'running', 'waiting_input'}, stages
    equal([r for r in records if r['status'] != 'running' and 'stage' in r['ext']], [])
    for name, by in (('done', 'self'), ('bad', 'self'), ('killed', 'self')):
        equal(place.good('show', '--json', name).json['ext']['ended_by'], by)


@test
def a_shape_can_differ(place):
    equal(differs({'a': 1, 'c': True}, {'a': NUMBER, 'b?': TEXT, 'c': FLAG}), [])
    equal(len(differs({'a': '1', 'd': 1}, {'a': NUMBER, 'b?': TEXT, 'c': FLAG})), 3)
    equal(len(differs([1, 'x'], [NUMBER])), 1)


main()
