#!/usr/bin/env python3
"""A task where the machine fails it: no processes, no descriptors, no disk, no directory, a supervisor that stands still; and commands
that do their worst: fork bombs, 100 MB without a newline, NUL bytes, bytes that are no text. After each: one terminal record and one
event of each task, no process and no descriptor left, the caps of output held.

    ROUSE_PROGRAM=… ROUSE_SHIM=… machine.py [ROW…]
"""
import collections
import contextlib
import itertools
import json
import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import traceback

import pathlib
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'cli'))
from harness import Place, Ran, equal, wait_for_end  # noqa: E402

CAP = (256 << 10) + (8 << 20) + (1 << 20)  # the beginning, the end, and a piece of the end that is being filled
STRANGERS = itertools.count(100000 + os.getpid() * 100)  # users with no processes, not even those that nobody has waited for yet
ROWS = []
SECONDS = 120      # for one row


class Skipped(Exception):
    pass


def row(function):
    ROWS.append(function)
    return function


def record(place, task):
    return place.good('show', '--json', task).json


def check_after(place):
    """What must be true after every row, whatever was done."""
    place('wait', '--all', '--timeout', '60s')
    records = place.good('ls', '-a', '--all-threads', '--json', '--limit', '10000').json
    ends = collections.Counter()
    with contextlib.closing(sqlite3.connect(os.path.join(place.store, 'rouse.db'))) as db:
        for (text,) in db.execute('SELECT json FROM inbox'):
            event = json.loads(text)
            if event['kind'] != 'custom':
                ends[event['task_id']] += 1
    for one in records:
        task = one['task_id']
        assert one['status'] in ('completed', 'failed', 'cancelled'), one
        equal((task, ends[task]), (task, 1))
        directory = os.path.join(place.store, 'tasks', task)
        kept = [os.stat(os.path.join(directory, name)).st_size for name in os.listdir(directory) if name.startswith('out')] \
            if os.path.isdir(directory) else []
        assert sum(kept) <= CAP, (task, kept)
    place.settle()
    equal(place.processes(), [])
    return records


# ---- as somebody else, with less ----

class Poor(Place):
    """Its commands run as a user that has no processes, or as this one, under a limit."""

    def __init__(self, limit=None, amount=0, other=False):
        super().__init__()
        self.limit, self.amount, self.other = limit, amount, other
        if other:
            # The programs may lie where others cannot look.
            for name in ('ROUSE_PROGRAM', 'ROUSE_SHIM'):
                self.env[name] = shutil.copy(os.environ[name], self.path(os.path.basename(os.environ[name])))
            self.user = next(STRANGERS)
            os.chown(self.dir, self.user, self.user)

    def become(self):
        if self.limit is not None:
            resource.setrlimit(self.limit, (self.amount, self.amount))

    def poorly(self, *args):
        how = {'user': self.user, 'group': self.user, 'extra_groups': []} if self.other else {}
        done = subprocess.run([self.env['ROUSE_PROGRAM'], *args], env=self.env, cwd=self.dir, timeout=60, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=self.become, **how)
        return Ran(args, done.returncode, done.stdout.decode(errors='replace'), done.stderr.decode(errors='replace'))


def check_poor(ran):
    """It worked, or said what was missing."""
    assert ran.status >= 0, ran  # not killed, no abort
    assert ran.status in (0, 7) or ran.err or ran.out, ran


def as_stranger(limit, amount):
    if os.geteuid() != 0:
        raise Skipped('needs root, to be a user without processes')
    return Poor(limit, amount, other=True)


@row
def no_descriptors(place):
    """Every number that is too small, and some that are not."""
    seen = set()
    for most in range(4, 40):
        poor = Poor(resource.RLIMIT_NOFILE, most)
        try:
            ran = poor.poorly('run', 'sh', '-c', 'echo out; exit 7')
            check_poor(ran)
            seen.add(ran.status)
            check_after(poor)
        finally:
            assert poor.close() == []
    assert 7 in seen and len(seen) > 1, seen


@row
def no_processes(place):
    seen = set()
    for most in range(1, 12):
        poor = as_stranger(resource.RLIMIT_NPROC, most)
        try:
            ran = poor.poorly('run', 'sh', '-c', 'echo out; sleep 0 & wait; exit 7')
            check_poor(ran)
            seen.add(ran.status)
            check_after(poor)
        finally:
            assert poor.close() == []
    assert 7 in seen and len(seen) > 1, seen


BOMBS = ['b() { b | b & }; b', 'while :; do (setsid sleep 600 &); done', 'while :; do sh -c "trap \'\' TERM; while :; do :; done" & done',
         'python3 -c "\nimport os\nwhile True:\n try: os.fork(); os.setsid()\n except OSError: pass"']


@row
def fork_bombs_within_a_limit(place):
    """As many processes as the user may have, more as soon as one goes: cancelled, they are gone."""
    for bomb in BOMBS:
        poor = as_stranger(resource.RLIMIT_NPROC, 120)
        try:
            task = poor.poorly('run', '-d', '-c', bomb + '; sleep 600').out.strip()
            equal(task, 'bg_0')
            poor('wait', '--timeout', '300ms', task)  # lets it grow
            ran = poor('cancel', '--grace', '50ms', task)
            assert ran.status == 0 and 'cancelled by user' in ran.out, ran
            equal([r['status'] for r in check_after(poor)], ['cancelled'])
        finally:
            assert poor.close() == []


# ---- a disk that is full ----

def on_a_small_disk(function):
    """The row in a mount namespace of its own, where the store lies on 4 MiB."""
    def outside(place):
        command = ['unshare', '--mount', *([] if os.geteuid() == 0 else ['--user', '--map-root-user'])]
        if subprocess.run([*command, 'true'], stderr=subprocess.DEVNULL).returncode != 0:
            raise Skipped('needs a mount namespace of its own')
        done = subprocess.run([*command, sys.executable, __file__, '--inside', function.__name__], timeout=SECONDS,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout.decode(errors='replace')
    outside.__name__ = function.__name__
    outside.inside = function
    return outside


def inside(function):
    place = Place()
    os.mkdir(place.store, 0o700)
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=4m,mode=700', 'tmpfs', place.store], check=True)
    try:
        function(place)
        check_after(place)
    finally:
        left = place.close()
        subprocess.run(['umount', '-l', place.store], check=False)
        shutil.rmtree(place.dir, ignore_errors=True)
    equal(left, [])


def fill(place):
    """Takes all that is left of the disk."""
    path = os.path.join(place.store, 'filler')
    with open(path, 'wb', buffering=0) as f:
        for size in (65536, 4096, 1):
            with contextlib.suppress(OSError):
                while f.write(b'x' * size) == size:
                    pass
    return path


@row
@on_a_small_disk
def disk_full_while_output_is_written(place):
    go, full, on = (place.fifo(name) for name in ('go', 'full', 'on'))
    place.good('run', '-d', '-c', f'echo begin; read x < {go}; head -c 3000000 /dev/zero | tr "\\0" x; echo > {full}; read x < {on};'
               ' echo the end; exit 7')
    place.good('wait', '--until', 'match:begin', 'bg_0')
    filler = fill(place)
    place.write(go)
    place.listen(full)  # all of it was taken: a full disk holds nobody up
    os.unlink(filler)
    place.write(on)
    equal(place('wait', 'bg_0').status, 7)
    output = record(place, 'bg_0')['ext']['output']
    equal((output['size'], output['kept'] + output['dropped']), (3000006 + 8, 3000006 + 8))
    assert output['dropped'] > 2000000, output
    equal(place('logs', '--raw', '--tail', '1', 'bg_0').out[-8:], 'the end\n')


@row
@on_a_small_disk
def disk_full_while_the_end_is_written(place):
    """The record has its place; the store has none. Who tries to commit fails in time and says why, and nothing is lost."""
    go = place.fifo('go')
    place.good('run', '-d', '-c', f'echo begin; read x < {go}; exit 7')
    place.good('wait', '--until', 'match:begin', 'bg_0')
    shims = [os.pidfd_open(pid) for pid in place.processes()]
    filler = fill(place)
    place.write(go)
    for fd in shims:
        assert wait_for_end(fd, 60)  # the reaper gives up
        os.close(fd)
    assert os.path.exists(os.path.join(place.store, 'tasks', 'bg_0', 'exit'))
    ran = place('wait', 'bg_0')
    assert ran.status == 7 or 'full' in ran.err, ran
    os.unlink(filler)
    equal(place('wait', 'bg_0').status, 7)
    got = record(place, 'bg_0')
    equal((got['error'], got['ext']['exit_code'], got['ext']['ended_by']), ('exit status 7', 7, 'self'))


@row
@on_a_small_disk
def disk_full_at_the_start(place):
    place.good('run', 'true')
    filler = fill(place)
    seen = collections.Counter()
    for _ in range(3):
        ran = place('run', 'sh', '-c', 'exit 7')
        assert ran.status == 7 or ran.err, ran
        seen[ran.status] += 1
    os.unlink(filler)
    equal(place('run', 'sh', '-c', 'exit 7').status, 7)


# ---- a directory that goes, a supervisor that stands still ----

def supervisor_of(place, task):
    for pid in place.processes():
        with open(f'/proc/{pid}/cmdline', 'rb') as f:
            words = f.read().split(b'\0')
        if words[0].endswith(b'rouse-shim') and task.encode() in words:
            return pid
    raise AssertionError(f'no supervisor of {task}')


def start_tree(place):
    fifo = place.fifo('up')
    place.good('run', '-d', '-c', f'(setsid sleep 600 &); sleep 600 & echo > {fifo}; sleep 600')
    place.listen(fifo)
    os.unlink(fifo)


@row
def the_directory_removed_under_a_running_task(place):
    for gone in ('', 'spec.json', 'lock', 'spec.json lock', 'out'):
        start_tree(place)
        task = place.good('ls', '--json').json[0]['task_id']
        directory = os.path.join(place.store, 'tasks', task)
        if not gone:
            shutil.rmtree(directory)
        for name in gone.split():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(directory, name))
        got = record(place, task)
        if 'lock' in gone or not gone:  # nobody can tell that it lives: then it must not
            equal((gone, got['status'], got['error']), (gone, 'failed', 'task orphaned: runtime restarted while running'))
            place.settle()
        else:
            equal((gone, got['status']), (gone, 'running'))
            place.good('cancel', '--grace', '50ms', task)
        check_after(place)


@row
def the_store_removed_under_a_running_task(place):
    start_tree(place)
    shutil.rmtree(place.store)
    shim = os.pidfd_open(supervisor_of(place, 'bg_0'))
    equal(place.good('ls', '--json').json, [])
    # Nobody knows it any more, and it ends as it would have. Whoever can see its supervisor can end it.
    signal.pidfd_send_signal(shim, signal.SIGKILL)
    assert wait_for_end(shim, 60)
    os.close(shim)
    for pid in place.processes():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@row
def a_supervisor_that_stands_still(place):
    start_tree(place)
    shim = supervisor_of(place, 'bg_0')
    fd = os.pidfd_open(shim)
    os.kill(shim, signal.SIGSTOP)
    equal(record(place, 'bg_0')['status'], 'running')  # the lock is held: nothing is made up
    equal(place('wait', '--timeout', '200ms', 'bg_0').status, 124)
    canceller = place.start('cancel', '--grace', '50ms', 'bg_0', stdout=subprocess.DEVNULL)
    equal(record(place, 'bg_0')['status'], 'running')
    os.kill(shim, signal.SIGCONT)
    equal(canceller.wait(60), 0)
    equal(record(place, 'bg_0')['status'], 'cancelled')
    assert wait_for_end(fd, 60)
    os.close(fd)


@row
def a_supervisor_that_stands_still_and_is_killed(place):
    start_tree(place)
    shim = supervisor_of(place, 'bg_0')
    os.kill(shim, signal.SIGSTOP)
    os.kill(shim, signal.SIGKILL)
    place('wait', 'bg_0')
    equal(record(place, 'bg_0')['error'], 'task orphaned: runtime restarted while running')


# ---- output that is meant to do harm ----

def bounded(place, *args):
    """rouse with little memory: what it reads may be large, what it holds may not."""
    poor = Poor.__new__(Poor)
    poor.__dict__.update(place.__dict__, limit=resource.RLIMIT_DATA, amount=64 << 20, other=False)
    if os.environ.get('ROUSE_TEST_SANITIZED'):  # which needs memory for itself
        poor.limit = None
    return poor.poorly(*args)


@row
def output_of_nul_bytes(place):
    equal(place('run', '-c', 'head -c 3000000 /dev/zero; exit 7').status, 7)
    raw = place('logs', '--raw', 'bg_0')
    equal((len(raw.out), set(raw.out)), (3000000, {'\0'}))
    assert '\0' not in place('logs', 'bg_0').out
    assert '\0' not in place.good('logs', '--json', 'bg_0').json['text']
    equal(record(place, 'bg_0')['ext']['output'], {'size': 3000000, 'kept': 3000000, 'dropped': 0})


@row
def output_of_100_mb_without_a_newline(place):
    size = 100_000_000
    place.good('run', '-d', '--ready-when', 'x{255}y', '-c', f'head -c {size} /dev/zero | tr "\\0" x; echo y; exit 7')
    ran = bounded(place, 'wait', '--until', 'match:^y', 'bg_0')
    equal(ran.status, 7)
    output = record(place, 'bg_0')['ext']['output']
    equal((output['size'], output['kept'] + output['dropped']), (size + 2, size + 2))
    assert 8 << 20 <= output['kept'] <= CAP, output
    for how in ([], ['--raw'], ['--tail', '1'], ['-f']):
        ran = bounded(place, 'logs', *how, 'bg_0')
        equal((how, ran.status), (how, 0))
        assert ran.out.endswith('xxxy\n'), (how, ran.out[-20:])
        assert len(ran.out) <= CAP, (how, len(ran.out))


@row
def output_that_is_no_text(place):
    place('run', '-c', 'head -c 2000000 /dev/urandom; printf "\\377\\376\\303\\050"; exit 7')
    for ran in (place('logs', 'bg_0'), place('logs', '--tail', '3', 'bg_0')):
        equal(ran.status, 0)
    text = subprocess.run([os.environ['ROUSE_PROGRAM'], 'logs', 'bg_0'], env=place.env, stdout=subprocess.PIPE, check=True).stdout
    text.decode()  # what was cleaned for reading is text
    assert not re.search(rb'[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]', text), 'a control character came through'
    document = place.good('logs', '--json', 'bg_0').json
    equal(document['next_offset'], 2000004)
    equal(record(place, 'bg_0')['ext']['output']['size'], 2000004)
    place.good('run', '-c', 'head -c 100000 /dev/urandom; printf "\\377\\033]0;title\\007"')
    assert len(record(place, 'bg_1')['result']['output_tail'].encode()) <= 3 * 600
    place.good('events', '--json')


# ---- running them ----

def run_one(function):
    """None, or what went wrong; raises Skipped."""
    place = Place()
    descriptors = len(os.listdir('/proc/self/fd'))
    problem = None
    try:
        function(place)
        if os.path.exists(os.path.join(place.store, 'rouse.db')):
            check_after(place)
    except Skipped:
        place.close()
        raise
    except BaseException:
        problem = traceback.format_exc()
    left = place.close()
    if not problem and left:
        problem = f'left running: {left}'
    if not problem and len(os.listdir('/proc/self/fd')) != descriptors:
        problem = 'a descriptor of this program is left'
    return problem


def main():
    if sys.argv[1:2] == ['--inside']:
        inside(next(r for r in ROWS if r.__name__ == sys.argv[2]).inside)
        return 0
    chosen = [r for r in ROWS if not sys.argv[1:] or r.__name__ in sys.argv[1:]]
    failed = not chosen
    print(f'1..{len(chosen)}', flush=True)
    for i, function in enumerate(chosen, 1):
        try:
            problem, note = run_one(function), ''
        except Skipped as why:
            problem, note = None, f' # SKIP {why}'
        failed = failed or problem is not None
        print(f'{"not ok" if problem else "ok"} {i} - {function.__name__}{note}', flush=True)
        for line in (problem or '').splitlines():
            print('# ' + line, flush=True)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
