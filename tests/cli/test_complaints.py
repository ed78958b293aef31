#!/usr/bin/env python3
"""What people complain about in other systems, one test each: complaint_<its rank in the list of complaints>_…."""
import json
import os
import signal
import sqlite3
import time

from harness import equal, main, shim_of, test, wait_for_end


def record(place, task):
    return place.good('show', '--json', task).json


def events(place, task):
    """What the inboxes say of one task, as stored."""
    with sqlite3.connect(os.path.join(place.store, 'rouse.db')) as db:
        table, column = [(t, c) for (t,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
                         for c in [r[1] for r in db.execute(f'PRAGMA table_info({t})')] if 'inbox' in t and c == 'json'][0]
        found = [json.loads(text) for (text,) in db.execute(f'SELECT {column} FROM {table}')]
    return [e for e in found if e.get('task_id') == task]


def kinds(place, task):
    return [e['kind'] for e in events(place, task)]


@test
def complaint_02_stopped_but_the_tree_runs_on(place):
    fifo = place.fifo('go')
    # A child, one in a session of its own, a daemon whose parent is gone, and all of them deaf to TERM.
    place.good('run', '-d', '-n', 'tree', '-c',
               "trap '' TERM; sleep 600 & setsid sleep 600 & (setsid sleep 600 & ) ; (sleep 600 &) ;"
               f' echo > {fifo}; while :; do sleep 600; done')
    place.listen(fifo)
    ran = place.good('cancel', '--grace', '50ms', 'tree')
    assert ran.out.startswith('bg_0 tree: cancelled by user'), ran
    place.settle()
    equal(place.processes(), [])
    got = record(place, 'bg_0')
    equal((got['status'], got['ext']['ended_by'], got['ext']['killed'] >= 5), ('cancelled', 'user', True))
    equal(kinds(place, 'bg_0'), ['cancelled'])


@test
def complaint_03_tasks_lost_on_restart(place):
    fifo = place.fifo('go')
    runtime = place.start('run', '-n', 'job', '-c', f'echo before; read x < {fifo}; echo after; exit 7', stdout=-1)
    equal(runtime.stdout.readline(), b'before\n')
    runtime.kill()
    runtime.wait()
    runtime.stdout.close()
    equal(record(place, 'job')['status'], 'running')
    follower = place.start('logs', '-f', 'job', stdout=-1)
    equal(follower.stdout.readline(), b'before\n')
    open(fifo, 'w').close()
    equal(follower.communicate()[0], b'after\n')
    equal(place('wait', 'bg_0').status, 7)
    got = record(place, 'bg_0')
    equal((got['error'], got['ext']['exit_code'], got['ext']['ended_by']), ('exit status 7', 7, 'self'))
    equal(kinds(place, 'bg_0'), ['failed'])


@test
def complaint_08_orphans_after_the_agent_exits(place):
    fifo = place.fifo('go')
    owner = place.start('run', '--session', '-n', 'mine', '-c', f'sleep 600 & echo > {fifo}; sleep 600')
    place.listen(fifo)
    place.good('run', '-d', '-n', 'detached', 'sleep', '600')
    owner.kill()
    owner.wait()
    place('wait', 'mine')
    got = record(place, 'mine')
    equal((got['status'], got['ext']['ended_by']), ('cancelled', 'parent'))
    equal(record(place, 'detached')['status'], 'running')


@test
def complaint_09_wrong_status_or_exit_code(place):
    for command, status, ext in [
            (['sh', '-c', 'exit 0'], 'completed', {'exit_code': 0}),
            (['sh', '-c', 'exit 1'], 'failed', {'exit_code': 1}),
            (['sh', '-c', 'exit 255'], 'failed', {'exit_code': 255}),
            (['sh', '-c', 'kill -KILL $$'], 'failed', {'signal': 9}),
            (['sh', '-c', 'kill -TERM $$'], 'failed', {'signal': 15}),
            (['sh', '-c', 'sleep 600 & exit 3'], 'failed', {'exit_code': 3})]:
        got = place('run', '--json', *command).json
        equal((got['status'], {k: v for k, v in got['ext'].items() if k in ('exit_code', 'signal')}, got['ext']['ended_by']),
              (status, ext, 'self'))
        assert got['created_at_ms'] <= got['ext']['started_at_ms'] <= got['completed_at_ms'], got
        assert got['ext']['max_rss_kib'] > 0, got
    missing = place('run', '--json', 'no-such-program').json
    equal((missing['status'], missing['error']), ('failed', "cannot run 'no-such-program': No such file or directory"))
    busy = place('run', '--json', '-c', 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done').json
    assert busy['ext']['cpu_ms'] > 0, busy


@test
def complaint_11_killed_without_attribution(place):
    place.good('run', '-d', 'sleep', '600')
    place.good('cancel', '--reason', 'wrong branch', 'bg_0')
    got = record(place, 'bg_0')
    equal((got['status'], got['ext']['ended_by'], got['ext']['reason']), ('cancelled', 'user', 'wrong branch'))
    place.good('run', '-d', 'sleep', '600')
    shim = os.pidfd_open(shim_of(place, 'bg_1'))
    signal.pidfd_send_signal(shim, signal.SIGKILL)
    wait_for_end(shim, 60)
    os.close(shim)
    place('wait', 'bg_1')
    got = record(place, 'bg_1')
    equal((got['status'], got['error'], got['ext']['ended_by'], got['ext'].get('exit_code')),
          ('failed', 'task orphaned: runtime restarted while running', 'runtime', None))


@test
def complaint_12_no_deadline(place):
    late = place('run', '--json', '--timeout', '100ms', 'sleep', '600').json
    equal((late['status'], late['ext']['ended_by'], late['ext']['deadline_ms'] - late['created_at_ms']), ('failed', 'deadline', 100))
    silent = place('run', '--json', '--idle-timeout', '100ms', '-c', 'echo once; sleep 600').json
    equal((silent['status'], silent['ext']['ended_by']), ('failed', 'idle'))
    place.good('run', '-d', '--timeout', '1h', 'sleep', '600')
    assert 'deadline' in place.good('show', 'bg_2').out


@test
def complaint_13_silent_hang_on_a_prompt(place):
    place.good('run', '-d', '--tty', '-n', 'asks', '-c', 'printf "Overwrite? [y/n] "; read answer; echo "you said $answer"; sleep 600')
    fd = os.pidfd_open(shim_of(place, 'bg_0'))
    deadline = time.monotonic() + 60
    while record(place, 'asks')['ext']['stage'] != 'waiting_input':
        assert time.monotonic() < deadline and not wait_for_end(fd, 0.05)
    os.close(fd)
    for _ in range(3):
        place.good('ls')
    told = [e for e in events(place, 'bg_0') if e['kind'] == 'custom']
    equal([(e['event_type'], e['payload']) for e in told], [('stage', {'stage': 'waiting_input'})])
    place.good('write', 'asks', 'y')
    place.good('wait', '--until', 'match:you said y', 'asks')
    equal(record(place, 'asks')['ext']['stage'], 'running')
    # Not one that only computes, or sleeps, or reads something else.
    fifo = place.fifo('other')
    place.good('run', '-d', '--stdin', '-n', 'busy', '-c', f'echo started; read x < {fifo}')
    place.good('wait', '--until', 'match:started', 'busy')
    place.good('wait', '--until', 'idle:1s', 'busy')
    equal(record(place, 'busy')['ext']['stage'], 'running')


@test
def a_reboot_leaves_no_task_running(place):
    place.good('run', '-d', 'sleep', '600')
    spec = os.path.join(place.store, 'tasks', 'bg_0', 'spec.json')
    with open(spec) as f:
        now = json.load(f)
    fd = os.pidfd_open(shim_of(place, 'bg_0'))
    signal.pidfd_send_signal(fd, signal.SIGKILL)
    wait_for_end(fd, 60)
    os.close(fd)
    place.settle()
    # A process that carries the token by chance, in a boot that is not the task's: it is nobody's to kill.
    bystander = place.start('run', '--store', place.path('other'), '--env', 'X=1', 'sleep', '600', stdout=-1, stderr=-1,
                            env={'ROUSE_TEST_TOKEN': now['token']})
    now['boot'] = '00000000-0000-0000-0000-000000000000'
    with open(spec, 'w') as f:
        json.dump(now, f)
    got = record(place, 'bg_0')
    equal((got['status'], got['error'], got['ext'].get('killed')), ('failed', 'task orphaned: runtime restarted while running', None))
    equal(bystander.poll(), None)
    place('cancel', '--store', place.path('other'), 'bg_0')
    bystander.communicate()


@test
def complaint_14_output_missing_or_truncated(place):
    size = sum(len(f'{i}\n') for i in range(1, 2000001)) + len('the end\n')
    place.good('run', '-d', '-c', 'seq 1 2000000; echo the end')
    place.good('wait', 'bg_0')
    output = record(place, 'bg_0')['ext']['output']
    equal((output['size'], output['kept'] + output['dropped']), (size, size))
    assert output['dropped'] > 0, output
    first = place('logs', 'bg_0')
    assert first.out.startswith('1\n2\n') and first.out.endswith('the end\n'), first.out[:80]
    equal(first.err, f'rouse: {output["dropped"]} bytes of output were not kept\n')
    # By absolute offset, whatever was dropped before it.
    document = place.good('logs', '--offset', str(size - 8), '--json', 'bg_0').json
    equal((document['text'], document['offset'], document['next_offset']), ('the end\n', size - 8, size))


@test
def complaint_15_output_floods_the_context(place):
    place.good('run', '-n', 'bar', '-c', r"i=0; while [ $i -lt 500 ]; do printf '\r\033[K%d%%' $i; i=$((i+1)); done; echo; seq 1 1000")
    text = place.good('logs', 'bar').out
    equal(text.splitlines()[:2], ['499%', '1'])
    equal(place.good('logs', '--tail', '2', 'bar').out, '999\n1000\n')
    result = record(place, 'bar')['result']
    assert len(result['output_tail']) <= 600 and result['output_tail'].endswith('999\n1000\n'), result


@test
def complaint_18_disk_filled_by_output(place):
    env = {'ROUSE_OUTPUT_CAP': '500K'}
    for i in range(4):
        place.good('run', '-c', f'head -c 200000 /dev/zero | tr "\\0" {i}', env=env)
    place.good('run', 'true', env=env)
    kept = [sum(os.path.getsize(os.path.join(place.store, 'tasks', f'bg_{i}', name))
                for name in os.listdir(os.path.join(place.store, 'tasks', f'bg_{i}')) if name.startswith('out')) for i in range(4)]
    equal(kept, [0, 0, 200000, 200000])
    gone = place('logs', 'bg_0')
    equal((gone.status, gone.out, gone.err), (0, '', 'rouse: 200000 bytes of output were not kept\n'))
    document = place.good('logs', '--json', 'bg_3').json
    equal((len(document['text']), document['dropped']), (200000, 0))
    # One that runs has its own cap, and loses nothing to the others.
    fifo = place.fifo('go')
    place.good('run', '-d', '-c', f'head -c 200000 /dev/zero; echo > {fifo}; sleep 600', env=env)
    place.listen(fifo)
    for _ in range(4):
        place.good('run', '-c', 'head -c 200000 /dev/zero', env=env)
    equal(record(place, 'bg_5')['ext']['output'], {'size': 200000, 'kept': 200000, 'dropped': 0})


@test
def complaint_22_pid_reuse(place):
    """A record that names somebody else's process: nothing is believed, and nobody is hit."""
    place.good('run', '-d', 'sleep', '600')
    bystander = place.start('run', '--store', place.path('other'), 'sleep', '600', stdout=-1, stderr=-1)
    shim = os.pidfd_open(shim_of(place, 'bg_0'))
    signal.pidfd_send_signal(shim, signal.SIGKILL)
    wait_for_end(shim, 60)
    os.close(shim)
    # What the dead one left now names a process that runs, in every file that could say so.
    for name in ('lock', 'ctl.pid', 'pid'):
        with open(os.path.join(place.store, 'tasks', 'bg_0', name), 'w') as f:
            f.write(str(bystander.pid))
    got = record(place, 'bg_0')
    equal((got['status'], got['error']), ('failed', 'task orphaned: runtime restarted while running'))
    equal(bystander.poll(), None)
    place.good('cancel', '--store', place.path('other'), 'bg_0')
    bystander.communicate()


@test
def complaint_23_readiness_of_a_named_server(place):
    fifo = place.fifo('go')
    place.good('run', '-d', '-n', 'web', '--ready-when', 'listening', '-c', f'read x < {fifo}; echo listening; sleep 600')
    again = place('run', '-d', '-n', 'web', 'sleep', '600')
    equal((again.status, again.err), (4, "rouse: a running task named 'web' already exists\n"))
    waiter = place.start('wait', '--until', 'ready', 'web', stdout=-1)
    open(fifo, 'w').close()
    equal((waiter.communicate()[0], waiter.returncode), (b'bg_0 web: ready\n', 0))
    equal(place.good('wait', '--until', 'match:^listen', 'web').out, 'bg_0 web: matched at 0: listening\n')


@test
def two_reapers_make_one_ending(place):
    """Handing over: whoever is first commits it, the other finds it done."""
    fifo = place.fifo('go')
    place.good('run', '-d', '-c', f'read x < {fifo}; exit 3')
    open(fifo, 'w').close()
    reapers = [place.start('reap', 'bg_0', stderr=-1) for _ in range(4)] + [place.start('wait', 'bg_0', stdout=-1) for _ in range(4)]
    statuses = [(r.communicate(), r.returncode)[1] for r in reapers]
    equal(statuses, [0] * 4 + [3] * 4)
    equal(kinds(place, 'bg_0'), ['failed'])


@test
def a_busy_store_delays_an_ending_and_loses_none(place):
    fifo = place.fifo('go')
    place.good('run', '-d', '-c', f'read x < {fifo}; exit 3')
    db = sqlite3.connect(os.path.join(place.store, 'rouse.db'), isolation_level=None)
    db.execute('BEGIN IMMEDIATE')
    reaper = place.start('reap', 'bg_0', stderr=-1)
    open(fifo, 'w').close()
    deadline = time.monotonic() + 60
    while not os.path.exists(os.path.join(place.store, 'tasks', 'bg_0', 'exit')):
        assert time.monotonic() < deadline
    db.execute('ROLLBACK')
    db.close()
    reaper.communicate()
    equal(place('wait', 'bg_0').status, 3)
    equal(kinds(place, 'bg_0'), ['failed'])


if __name__ == '__main__':
    main()
