#!/usr/bin/env python3
"""One store, many processes, some of them killed; and which store and thread are meant."""
import os
import signal

from harness import ROUSE, equal, main, test


@test
def the_exit_status_outlives_everybody_but_the_supervisor(place):
    fifo = place.fifo('go')
    runner = place.start('run', '-n', 'x', '-c', f'echo up; read x < {fifo}; exit 7', stdout=-1)
    equal(runner.stdout.readline(), b'up\n')
    waiter = place.start('wait', 'x')
    for process in (runner, waiter):
        process.send_signal(signal.SIGKILL)
        process.wait()
    runner.stdout.close()
    open(fifo, 'w').close()
    equal(place('wait', 'x').status, 7)
    record = place.good('show', '--json', 'x').json
    equal((record['status'], record['ext']['exit_code'], record['ext']['ended_by']), ('failed', 7, 'self'))


@test
def a_supervisor_that_is_killed_takes_its_command_with_it(place):
    place.good('run', '-d', '--ready-when', 'up', '-c', 'echo up; exec sleep 600')
    place.good('wait', '--until', 'ready', 'bg_0')
    waiter = place.start('wait', 'bg_0', stdout=-1)
    shims = [p for p in place.processes() if open(f'/proc/{p}/comm').read() == 'rouse-shim\n']
    equal(len(shims), 1)
    os.kill(shims[0], signal.SIGKILL)
    equal((waiter.wait(), waiter.stdout.read()), (1, b'bg_0: failed: task orphaned: runtime restarted while running\n'))
    waiter.stdout.close()


@test
def many_at_once_on_one_store(place):
    runners = [place.start('run', '-d', '-n', f'n{i}', '-c', f'exit {i}', stdout=-1) for i in range(20)]
    ids = sorted(r.communicate()[0].decode() for r in runners)
    equal([r.returncode for r in runners], [0] * 20)
    equal(ids, sorted(f'bg_{i}\n' for i in range(20)))
    waiters = [place.start('wait', f'n{i}', stdout=-3) for i in range(20)]
    equal([w.wait() for w in waiters], list(range(20)))


@test
def one_name_is_given_once(place):
    runners = [place.start('run', '-d', '-n', 'same', 'sleep', '600', stdout=-1, stderr=-1) for _ in range(10)]
    said = sorted((r.communicate()[1], r.returncode) for r in runners)
    equal(said, [(b'', 0)] + [(b"rouse: a running task named 'same' already exists\n", 4)] * 9)
    equal(len(place.good('ls', '--json').json), 1)


@test
def a_start_that_is_refused_takes_nothing_from_others(place):
    place.good('run', '-d', '-n', 'same', 'sleep', '600')
    refused = [place.start('run', '-d', '-n', 'same', 'sleep', '600', stdout=-3, stderr=-3) for _ in range(10)]
    runners = [place.start('run', '-d', '-c', f'exit {i}', stdout=-1, stderr=-1) for i in range(10)]
    for i, runner in enumerate(runners):
        out, err = runner.communicate()
        equal((runner.returncode, err), (0, b''))
        equal(place('wait', out.decode().strip()).status, i)
    equal([r.wait() for r in refused], [4] * 10)


@test
def everybody_who_waits_is_told(place):
    fifo = place.fifo('go')
    place.good('run', '-d', '-n', 'x', '-c', f'read x < {fifo}; exit 3')
    waiters = [place.start('wait', 'x', stdout=-1) for _ in range(5)]
    followers = [place.start('logs', '-f', 'x') for _ in range(3)]
    open(fifo, 'w').close()
    for waiter in waiters:
        equal((waiter.communicate()[0], waiter.returncode), (b'bg_0 x: failed: exit status 3\n', 3))
    equal([f.wait() for f in followers], [0, 0, 0])


@test
def the_store_that_is_meant(place):
    a, b = place.path('a'), place.path('b')
    place.good('run', '-n', 'in-a', 'true', env={'ROUSE_STORE': a})
    place.good('run', '--store', b, '-n', 'in-b', 'true', env={'ROUSE_STORE': a})
    place.good('--store', b, 'run', '-n', 'in-b-too', 'true', env={'ROUSE_STORE': a})
    equal([r['name'] for r in place.good('ls', '-a', '--json', env={'ROUSE_STORE': a}).json], ['in-a'])
    equal([r['name'] for r in place.good('ls', '-a', '--json', '--store', b).json], ['in-b-too', 'in-b'])
    nowhere = {'ROUSE_STORE': None}
    place.good('run', 'true', env=nowhere)
    equal(os.path.exists(place.path('.local', 'state', 'rouse', 'rouse.db')), True)
    place.good('run', 'true', env=dict(nowhere, XDG_STATE_HOME=place.path('xdg')))
    equal(os.path.exists(place.path('xdg', 'rouse', 'rouse.db')), True)
    equal(os.stat(place.path('xdg', 'rouse')).st_mode & 0o777, 0o700)


@test
def the_thread_that_is_meant(place):
    place.good('run', 'true')
    place.good('run', 'true', env={'ROUSE_THREAD': 'env'})
    place.good('run', '--thread', 'option', 'true', env={'ROUSE_THREAD': 'env'})
    place.good('--thread', 'leading', 'run', 'true', env={'ROUSE_THREAD': 'env'})
    place.good('run', 'true', env={'ROUSE_THREAD': ''})
    threads = [r['owner_thread_id'] for r in place.good('ls', '-a', '--json', '--all-threads').json]
    equal(threads, ['default', 'leading', 'option', 'env', 'default'])


@test
def an_interrupt_that_is_ignored_stays_ignored(place):
    """As for `rouse run … &` in a script, whose terminal's Ctrl-C must not reach it."""
    fifo = place.fifo('go')
    runner = place.start('run', '-c', f'echo up; read x < {fifo}; exit 5', stdout=-1,
                         preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    equal(runner.stdout.readline(), b'up\n')
    runner.send_signal(signal.SIGINT)
    open(fifo, 'w').close()
    equal(runner.wait(), 5)
    runner.stdout.close()


main()
