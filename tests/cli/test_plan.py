#!/usr/bin/env python3
"""Tasks that begin later or again, that tell how far they are, and how many there are."""
import os
import select
import signal
import time

from harness import Terminal, equal, main, test


def record(place, task):
    return place.good('show', '--json', task).json


def shown(place, task):
    return dict(line.split('\t', 1) for line in place.good('show', task).out.splitlines())


@test
def a_script_tells_how_far_it_is(place):
    place.fifo('go')
    place.fifo('told')
    place.good('run', '-d', '-n', 'build', '-c', '"$ROUSE_PROGRAM" progress 3/10 "linking it" && echo > told; read x < go; '
               '"$ROUSE_PROGRAM" progress 7; echo > told; sleep 600')
    place.listen(place.path('told'))
    equal(record(place, 'build')['ext']['progress'], {'done': 3, 'total': 10, 'message': 'linking it'})
    equal(shown(place, 'build')['progress'], '3 of 10 (30%): linking it')
    assert 'running 30%' in Terminal(place, 'ls').end()[1]
    place.write(place.path('go'))
    place.listen(place.path('told'))
    equal(record(place, 'build')['ext']['progress'], {'done': 7, 'total': 0})
    # Of another one, from outside.
    equal(place.good('progress', '-t', 'build', '--json', '8/9', 'soon').json,
          {'task_id': 'bg_0', 'done': 8, 'total': 9, 'message': 'soon'})
    equal(shown(place, 'build')['progress'], '8 of 9 (88%): soon')
    # Progress is no event.
    equal(place.good('events').out, '')


@test
def what_is_no_progress(place):
    place.good('run', '-n', 'over', 'true')
    rows = [
        (2, 'not called in a task of this store; say which with --task', ['1/2']),
        (2, "'half' is neither DONE nor DONE/TOTAL", ['-t', 'over', 'half']),
        (2, "'/2' is neither", ['-t', 'over', '/2']),
        (2, "'1/' is neither", ['-t', 'over', '1/']),
        (2, "'1/2/3' is neither", ['-t', 'over', '1/2/3']),
        (2, 'no progress given', ['-t', 'over']),
        (3, "no task 'nobody'", ['-t', 'nobody', '1']),
        (4, "'bg_0' has ended, so it gets no further; rouse show bg_0 tells how", ['-t', 'over', '1']),
        (4, 'longer than', ['-t', 'over', '1', 'x' * 70000]),
    ]
    for status, text, args in rows:
        ran = place('progress', *args)
        assert (ran.status, ran.out) == (status, '') and text in ran.err and ran.err.count('\n') == 1, (text, ran)
    # Of another store's task nothing is known here.
    ran = place('progress', '1', env={'ROUSE_TASK': 'bg_0', 'ROUSE_STORE': place.path('other')})
    equal(ran.status, 3)


@test
def one_begins_after_another(place):
    place.fifo('go')
    place.good('run', '-d', '-n', 'first', '-c', 'read x < go; echo made > made')
    place.good('run', '-d', '-n', 'second', '--after', 'first', '-c', 'cat made')
    place.good('run', '-d', '-n', 'never', '--after', 'second', '--after-if', 'failed', 'true')
    place.good('run', '-d', '-n', 'always', '--after', 'never', '--after', 'second', '--after-if', 'ended', '-c', 'echo here')
    equal(record(place, 'second')['ext']['stage'], 'queued')
    assert 'queued' in Terminal(place, 'ls').end()[1]
    equal(shown(place, 'always')['after'], 'bg_2 bg_1')
    place.write(place.path('go'))
    # Nobody waits: each ending begins what waited for it.
    equal(place('wait', 'always').status, 0)
    equal(place.good('logs', 'second').out, 'made\n')
    equal([record(place, t)['status'] for t in ('first', 'second', 'never', 'always')],
          ['completed', 'completed', 'failed', 'completed'])
    equal(record(place, 'never')['ext']['reason'], 'after')
    # In the foreground its output is followed once it has begun.
    place.good('run', '-d', '-n', 'third', '-c', 'read x < go')
    follower = place.start('run', '-n', 'fourth', '--after', 'third', '-c', 'echo at last; exit 3', stdout=-1)
    place.write(place.path('go'))
    equal((follower.communicate()[0], follower.returncode), (b'at last\n', 3))


@test
def a_queue_lets_few_run(place):
    place.fifo('go')
    for i in range(3):
        place.good('run', '-d', '-n', f't{i}', '--queue', 'q', '--priority', str(i - 1), '-c', f'echo {i} >> order; read x < go')
    equal([r['ext'].get('stage') for r in place.good('ls', '--queue', 'q', '--json').json], ['queued', 'queued', 'running'])
    equal(place.good('ls', '--stats', '--json').json['queues'], [{'name': 'q', 'running': 1, 'waiting': 2}])
    for _ in range(3):
        runs = [r['task_id'] for r in place.good('ls', '--json').json if r['ext']['stage'] == 'running']
        equal(len(runs), 1)
        place.write(place.path('go'))
        place.good('wait', *runs)
    with open(place.path('order')) as f:
        equal(f.read().split(), ['0', '2', '1'])
    for i in range(2):
        place.good('run', '-d', '--queue', 'wide', '--queue-limit', '2', 'sleep', '600')
    equal(place.good('ls', '--stats', '--json').json['waiting'], 0)


@test
def a_command_is_tried_again(place):
    place.good('run', '-n', 'stubborn', '--retries', '3', '--backoff', '1ms', '-c', 'echo x >> tries; test $(wc -l < tries) -ge 3')
    equal(shown(place, 'stubborn')['attempt'], '3 of 4')
    ran = place('run', '-n', 'hopeless', '--retries', '1', '--backoff', '1ms', '-c', 'exit 5')
    equal((ran.status, shown(place, 'hopeless')['attempt']), (5, '2 of 2'))
    # Nobody is there but the one who recorded the failure.
    os.unlink(place.path('tries'))
    place.good('run', '-d', '-n', 'alone', '--retries', '3', '--backoff', '1ms', '-c', 'echo x >> tries; test $(wc -l < tries) -ge 3')
    while place.processes():
        place.settle()
    equal(record(place, 'alone')['status'], 'completed')


@test
def one_begins_at_a_time(place):
    place.fifo('began')
    place.good('run', '-d', '--in', '100ms', '-c', 'echo > began')
    place.listen(place.path('began'))  # nobody else is there
    while place.processes():
        place.settle()
    equal(record(place, 'bg_0')['status'], 'completed')
    # Who stays for it holds nothing of the caller's. Cancelled, it goes.
    ours, given = os.pipe()
    equal(place.start('run', '-d', '--in', '1h', 'true', stdout=given, pass_fds=[given]).wait(), 0)
    os.close(given)
    assert os.read(ours, 100) == b'bg_1\n' and select.select([ours], [], [], 60)[0] and os.read(ours, 100) == b''
    os.close(ours)
    equal(len(place.processes()), 1)
    place.good('cancel', 'bg_1')
    place.settle()
    # Killed, and the time has passed: it begins late rather than never.
    place.good('run', '-d', '--in', '300ms', 'sleep', '600')
    for pid in place.processes():
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while record(place, 'bg_2')['ext']['stage'] != 'running':
        assert time.monotonic() < deadline


@test
def tasks_are_found_by_label(place):
    place.good('run', '-d', '--label', 'team=red', '--label', 'n=1', 'sleep', '600')
    place.good('run', '-d', '--label', 'team=blue', 'sleep', '600')
    place.good('run', '-d', 'sleep', '600')
    found = {text: [r['task_id'] for r in place.good('ls', '--json', '--label', text).json] for text in ('team', 'team=red', 'x')}
    equal(found, {'team': ['bg_1', 'bg_0'], 'team=red': ['bg_0'], 'x': []})
    equal(shown(place, 'bg_0')['labels'], 'team=red n=1')
    equal(len(place.good('ls', '--newer', '1h', '--json').json), 3)


@test
def what_is_counted(place):
    place.good('run', 'true')
    place('run', '-c', 'exit 1')
    place.good('run', '-d', '--thread', 'other', 'sleep', '600')
    got = place.good('ls', '--stats', '--json').json
    took = [got.pop('took_p50_ms'), got.pop('took_p95_ms')]
    assert took == sorted(took), took
    equal(got, {'running': 0, 'waiting': 0, 'for_input': 0, 'oldest_waiting_ms': 0, 'completed': 1, 'failed': 1, 'cancelled': 0,
                'unread': 2, 'queues': []})
    equal(place.good('ls', '--stats', '--json', '--all-threads').json['running'], 1)
    lines = dict(line.split('\t') for line in place.good('ls', '--stats').out.splitlines())
    equal((lines['completed'], lines['unread events']), ('1', '2'))
    assert 'unread events   2\n' in Terminal(place, 'ls', '--stats').end()[1]


@test
def what_does_not_go_together(place):
    for text, args in [
            ('--after-if goes with --after', ['run', '-d', '--after-if', 'ended', 'true']),
            ("--after-if 'x' is none of", ['run', '-d', '--after', 'bg_0', '--after-if', 'x', 'true']),
            ('--priority goes with --queue', ['run', '-d', '--priority', '1', 'true']),
            ('--queue-limit goes with --queue', ['run', '-d', '--queue-limit', '1', 'true']),
            ('--queue-limit 0', ['run', '-d', '--queue', 'q', '--queue-limit', '0', 'true']),
            ("--priority: 'high' is no number", ['run', '-d', '--queue', 'q', '--priority', 'high', 'true']),
            ('--backoff goes with --retries', ['run', '-d', '--backoff', '1s', 'true']),
            ('--session goes with none of', ['run', '--session', '--queue', 'q', 'true']),
            ('only with -d', ['run', '--stdin', '--after', 'bg_0', 'true']),
            ("'novalue' is no label", ['run', '-d', '--label', 'novalue', 'true']),
            ('queue', ['run', '-d', '--queue', 'a b', 'true']),
            ('--stats counts all', ['ls', '--stats', '-a'])]:
        ran = place(*args)
        assert (ran.status, ran.out) == (2, '') and text in ran.err and ran.err.count('\n') == 1, (text, ran)
    ran = place('run', '-d', '--after', 'nobody', 'true')
    assert ran.status == 3 and 'nobody' in ran.err, ran
    equal(place.good('ls', '-a', '--json').json, [])


main()
