#!/usr/bin/env python3
"""Supervision where things do not go as they should: a tree that does not end, a follower that is slower than the writer."""
import ctypes
import os
import re
import subprocess

from harness import equal, main, test

PTRACE_SEIZE = 0x4206
WALL = 0x40000000
PR_SET_CHILD_SUBREAPER = 36
libc = ctypes.CDLL(None, use_errno=True)


def record(place, task):
    return place.good('show', '--json', task).json


def command_of(place, task):
    """The pid of its command, which has no children."""
    def names(pid):
        with open(f'/proc/{pid}/environ', 'rb') as f:
            return f'ROUSE_TASK={task}'.encode() in f.read().split(b'\0')
    found = []
    for pid in filter(names, place.processes()):
        with open(f'/proc/{pid}/cmdline', 'rb') as f:
            if not f.read().startswith(b'rouse-shim'):
                found.append(pid)
    equal(len(found), 1)
    return found[0]


class Held:
    """A process that stays, even killed, until it is let go: what is traced is nobody else's to bury."""

    def __init__(self, pid):
        # Tracing is for descendants where the kernel is strict.
        self.pid = pid
        self.there = libc.ptrace(PTRACE_SEIZE, pid, None, None) == 0

    def let_go(self):
        os.waitpid(self.pid, WALL)


@test
def a_tree_that_cannot_be_ended_is_never_called_cancelled(place):
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    place.good('run', '-d', '-n', 'stays', 'sleep', '600')
    held = Held(command_of(place, 'bg_0'))
    if not held.there:
        return
    place.good('run', '-d', '-n', 'goes', 'sleep', '600')
    ran = place('cancel', '--grace', '0s', '--all')
    equal(ran.err, "rouse: 'bg_0' cannot be ended: a process of it does not go; it is still watched\n")
    equal((ran.status, ran.out), (1, 'bg_1 goes: cancelled by user\n'))
    # Reported as such, to whoever looks and to the owner, once; it goes on being watched.
    equal((record(place, 'bg_0')['status'], record(place, 'bg_0')['ext']['stage']), ('running', 'stuck'))
    assert 'status\tcannot be ended\n' in place.good('show', 'bg_0').out
    for _ in range(3):
        again = place('cancel', '--grace', '0s', 'bg_0')
        equal((again.status, record(place, 'bg_0')['status']), (1, 'running'))
    told = [e for e in place.good('events', '--json').out.splitlines() if '"stuck"' in e]
    equal(len(told), 1)
    waiter = place.start('wait', 'bg_0', stdout=subprocess.DEVNULL)
    held.let_go()
    waiter.wait(60)
    got = record(place, 'bg_0')
    equal((got['status'], got['ext']['ended_by'], got['ext']['signal'], got['ext'].get('stage')), ('cancelled', 'user', 9, None))


def check_follower(place, follower):
    """Every byte was read, or is counted as not kept, where it was missing."""
    out, err = follower.communicate(timeout=60)
    size = record(place, 'bg_0')['ext']['output']['size']
    missing = [int(n) for n in re.findall(rb'^rouse: (\d+) bytes of output were not kept$', err, flags=re.M)]
    assert missing and sum(missing) > 0, err
    equal(len(out) + sum(missing), size)
    assert out.startswith(b'1\n2\n3\n') and out.endswith(b'2000000\n'), (out[:40], out[-40:])


SCRIPT = 'echo > {started}; read x < {go}; seq 1 2000000; echo > {done}; read x < {end}'


def fifos(place):
    return {name: place.fifo(name) for name in ('started', 'go', 'done', 'end')}


@test
def a_slow_follower_is_told_what_it_has_missed(place):
    f = fifos(place)
    place.good('run', '-d', '-c', SCRIPT.format(**f))
    place.listen(f['started'])
    follower = place.start('logs', '-f', '--raw', 'bg_0', stdout=-1, stderr=-1)
    place.write(f['go'])
    place.listen(f['done'])  # nobody has read a byte so far
    place.write(f['end'])
    check_follower(place, follower)


@test
def a_slow_reader_in_the_foreground_is_told_what_it_has_missed(place):
    f = fifos(place)
    runner = place.start('run', '-c', SCRIPT.format(**f), stdout=-1, stderr=-1)
    place.listen(f['started'])
    place.write(f['go'])
    place.listen(f['done'])
    place.write(f['end'])
    check_follower(place, runner)


if __name__ == '__main__':
    main()
