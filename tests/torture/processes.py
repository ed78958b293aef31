#!/usr/bin/env python3
"""Process tasks under random kill -9 of runtimes, supervisors, commands and reapers. Afterwards, of every task that was ever
acknowledged: one terminal record, one event of its end; no process left, and no start that is half there.

    ROUSE_PROGRAM=… ROUSE_SHIM=… processes.py [--seconds N] [--seed N]
"""
import argparse
import collections
import contextlib
import json
import os
import pathlib
import random
import signal
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'cli'))
from harness import Place, wait_for_end  # noqa: E402

LINES = [  # what tasks do, and how they end when nobody kills them
    ('exit 0', {'completed'}), ('exit 7', {'failed'}), ('echo a line; exit 3', {'failed'}),
    ('kill -9 $$', {'failed'}), ('sleep 600 & setsid sleep 600 & exit 0', {'completed'}),
    ('seq 1 20000; exit 5', {'failed'}), ("trap '' TERM; sleep 0.05; exit 2", {'failed'}), ('sleep 0.02', {'completed'})]


class Round:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.place = Place()
        # The leak check works through a process of its own; whoever waits for that one when it is killed waits for ever.
        self.place.env['ASAN_OPTIONS'] = self.place.env.get('ASAN_OPTIONS', '') + ':detect_leaks=0'
        self.started = {}      # id → (line, what may become of it)
        self.unacknowledged = 0
        self.kills = collections.Counter()

    def start(self):
        line, ends = self.random.choice(LINES)
        runtime = self.place.start('run', '-d', '--', 'sh', '-c', line, stdout=-1, stderr=subprocess.DEVNULL)
        if self.random.random() < 0.3:
            try:
                runtime.communicate(timeout=self.random.random() * 0.03)
            except subprocess.TimeoutExpired:
                runtime.kill()
                self.kills['runtime'] += 1
        out = runtime.communicate()[0].decode().strip()
        if out:
            self.started[out] = (line, set(ends))
        else:
            self.unacknowledged += 1
        return out

    def kill_one(self):
        """Any process of the place: supervisors, commands, reapers, waiters."""
        found = self.place.processes()
        if not found:
            return
        pid = self.random.choice(found)
        try:
            fd = os.pidfd_open(pid)
        except OSError:
            return
        try:
            with open(f'/proc/{pid}/comm') as f:
                name = f.read().strip()
            if pid in self.place.processes():  # still ours: the number was not given to somebody else
                signal.pidfd_send_signal(fd, signal.SIGKILL)
                self.kills[name] += 1
        except OSError:
            pass
        os.close(fd)

    def act(self):
        waiters = []
        for _ in range(self.random.randint(4, 10)):
            task = self.start()
            dice = self.random.random()
            if task and dice < 0.25:
                waiters.append(self.place.start('wait', task, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            elif task and dice < 0.4:
                self.started[task][1].add('cancelled')
                waiters.append(self.place.start('cancel', '--grace', '20ms', task, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            if self.random.random() < 0.6:
                self.kill_one()
        for waiter in waiters:
            waiter.wait(60)

    def check(self):
        self.place('wait', '--all', '--timeout', '60s')
        records = {r['task_id']: r for r in self.place.good('ls', '-a', '--all-threads', '--json', '--limit', '10000').json}
        problems = []
        ends = collections.Counter()
        with contextlib.closing(sqlite3.connect(os.path.join(self.place.store, 'rouse.db'))) as db:
            for (text,) in db.execute('SELECT json FROM inbox'):
                event = json.loads(text)
                if event['kind'] != 'custom':
                    ends[event['task_id']] += 1
        for task, (line, may) in self.started.items():
            record = records.get(task)
            if not record:
                problems.append(f'{task} is lost: {line}')
            elif record['status'] not in may | {'failed'}:  # whatever was killed is failed
                problems.append(f'{task} is {record["status"]}, not one of {may}: {line}')
        for task, record in records.items():
            if record['status'] == 'running':
                problems.append(f'{task} still runs')
            if ends[task] != 1:
                problems.append(f'{task} has {ends[task]} events of its end')
        # A supervisor that has handed over, and what the kill of one left in the middle of dying, need a moment.
        for pid in self.place.processes():
            try:
                fd = os.pidfd_open(pid)
            except OSError:
                continue
            if not wait_for_end(fd, 60):  # longer than a reaper tries again
                with open(f'/proc/{pid}/cmdline', 'rb') as f:
                    problems.append(f'left running: {f.read()!r}')
            os.close(fd)
        return problems


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--seconds', type=float, default=10)
    parser.add_argument('--seed', type=int)
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(1 << 32)
    end = time.monotonic() + args.seconds
    rounds, kills, tasks = 0, collections.Counter(), 0
    descriptors = len(os.listdir('/proc/self/fd'))
    while rounds == 0 or time.monotonic() < end:
        one = Round(seed + rounds)
        try:
            one.act()
            problems = one.check()
        finally:
            one.place.close()
        if len(os.listdir('/proc/self/fd')) != descriptors:
            problems.append('a descriptor of this program is left')
        if problems:
            print('\n'.join(['not ok 1 - processes'] + [f'# seed {seed + rounds}: {p}' for p in problems]))
            return 1
        kills += one.kills
        tasks += len(one.started)
        rounds += 1
    print(f'1..1\nok 1 - processes\n# {rounds} rounds from seed {seed}: {tasks} tasks; killed {dict(kills)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
