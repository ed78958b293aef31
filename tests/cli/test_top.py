#!/usr/bin/env python3
"""rouse top, as it is seen on a terminal."""
import json
import os
import re
import signal
import subprocess
import termios

from harness import PATIENCE, ROUSE, Terminal, equal, main, shim_of, test

ENTER, LEAVE = '\x1b[?1049h', '\x1b[?1049l'


class Top(Terminal):
    """Keeps what is on the screen as lines, from the sequences that top sends."""

    def __init__(self, place, *args, **how):
        super().__init__(place, *(args if 'program' in how else ('top', *args)), **how)
        self.lines = {}
        self.done = 0

    def screen(self):
        text = self.seen[self.done:]
        end = len(text) if b'\x1b' not in text else text.rfind(b'\x1b[K') + 3
        for clear, row, line in re.findall(r'(\x1b\[2J)|\x1b\[(\d+);1H(.*?)\x1b\[0m\x1b\[K', text[:end].decode(), re.S):
            if clear:
                self.lines = {}
            else:
                self.lines[int(row)] = line
        self.done += end if end > 2 else 0
        return '\n'.join(re.sub(r'\x1b\[\d+m', '', self.lines.get(i, '')).rstrip() for i in range(1, max(self.lines, default=0) + 1))

    def shows(self, *patterns):
        """Until the screen matches all of them."""
        for _ in range(PATIENCE):  # it is drawn anew at least once a second
            if all(re.search(p, self.screen(), re.M) for p in patterns):
                return
            assert self.read(), f'ended before {patterns}: {self.screen()}'
        raise AssertionError(f'{patterns} are not all in: {self.screen()}')

    def chosen(self, pattern):
        while not any('\x1b[7m' in line and re.search(pattern, line) for line in self.lines.values()):
            assert self.read(), f'ended before {pattern} was chosen'
            self.screen()


def write(place, fifo, text):
    with open(place.path(fifo), 'w') as f:
        f.write(text + '\n')


@test
def shows_the_tree_and_what_is_printed(place):
    for name in ('up', 'more'):
        place.fifo(name)
    place.good('run', '-d', '-n', 'root', '-c', '"$ROUSE_PROGRAM" run -d -n leaf -c "cat more; sleep 600"; echo > up; sleep 600')
    place.listen(place.path('up'))
    top = Top(place)
    top.shows(r'^rouse top: thread default, 2 running', r'^bg_0    root  running  \d+s  bg_1$', r'^  bg_1  leaf  running')
    write(place, 'more', 'it says so')
    top.shows(r'leaf .*it says so$')
    place.good('run', '-d', '-n', 'later', 'sleep', '600')
    top.shows(r'^bg_2 +later')
    place.good('cancel', '--tree', '--grace', '0s', 'root')
    top.shows(r'1 running')
    assert 'leaf' not in top.screen(), top.screen()
    top.type('a')
    top.shows(r'leaf +cancelled', r'1 running, 2 ended')
    top.type('q')
    equal(top.end()[0], 0)


@test
def sees_a_supervisor_die(place):
    """Which rings no bell: nobody is there to."""
    place.good('run', '-d', '-n', 'quiet', 'sleep', '600')
    place.good('run', '-d', '-n', 'other', 'sleep', '600')
    top = Top(place)
    top.shows('2 running')
    signal.pidfd_send_signal(os.pidfd_open(shim_of(place, 'bg_0')), signal.SIGKILL)
    top.shows('1 running')
    assert 'quiet' not in top.screen(), top.screen()
    top.type('q')
    equal(top.end()[0], 0)


@test
def shows_ten_thousand(place):
    tasks = {f'bg_{i}': {'task_id': f'bg_{i}', 'owner_thread_id': 'default', 'task_type': 'x', 'description': f'number {i}', 'status': 'running',
                         'created_at_ms': 1 + i, 'parent_context': {}, 'ext': {'kind': 'external'}} for i in range(10000)}
    place.good('import', '-', stdin=json.dumps({'revision': 1, 'extensions': {'background_task_state': {'tasks': tasks}}}).encode())
    top = Top(place)
    top.shows('10000 running', 'bg_0 ')
    top.type('G')
    top.chosen('bg_9999')
    top.type('/number 77\r')
    top.shows('111 match')
    place.good('progress', '-t', 'bg_7799', '1/4')
    top.shows('bg_7799 .* 25%')
    top.type('q')
    status, seen = top.end()
    equal(status, 0)
    assert len(seen) < 100000, len(seen)


@test
def hostile_text_moves_nothing(place):
    place.good('run', '-d', '--description', '\x1b[2Jgone\x1b]0;title\x07\u202e', '-n', 'plain', 'sleep', '600')
    place.good('run', '-d', '-c', r"printf 'one\n\033[5;5Htwo\rthree\033]0;x\007'; sleep 600")
    top = Top(place)
    top.shows(r'^bg_0 .*\?\[2Jgone\?\]0;title\?', r'^bg_1 .*three')
    top.type('q')
    _, seen = top.end()
    assert '\x07' not in seen and '\x1b]' not in seen and '\x1b[5;5H' not in seen, seen


@test
def cancels_only_when_told_twice(place):
    place.good('run', '-d', '-n', 'one', 'sleep', '600')
    place.good('run', '-d', '-n', 'two', 'sleep', '600')
    top = Top(place)
    top.chosen('bg_0')
    top.type('\x1b[B')
    top.chosen('bg_1')
    top.type('c')
    top.shows('cancel bg_1 and all it started')
    top.type('n')
    top.shows('c cancel')
    top.type('c')
    top.shows('cancel bg_1 and all it started')
    top.type('y')
    top.shows('bg_1 two: cancelled by user: rouse top', '1 running')
    top.chosen('bg_0')
    top.type('\x03')
    equal(top.end()[0], 0)
    equal(place.good('show', '--json', 'bg_0').json['status'], 'running')


@test
def shows_the_output_of_one(place):
    place.fifo('more')
    place.good('run', '-d', '-n', 'long', '-c', 'seq -f "line %g" 100; cat more; sleep 600')
    top = Top(place, rows=10)
    top.shows('line 100')
    top.type('\r')
    top.shows(r'^bg_0 long: running, begun \d+s ago: ', '^line 93$', '^line 100$')
    top.type('\x1b[A')
    top.shows('^line 92$', '^line 99$')
    top.type('G')
    top.shows('^line 100$')
    write(place, 'more', 'and more')
    top.shows('^and more$', '^line 94$')
    top.type('g')
    top.shows('^line 1$')
    top.type('q')
    top.shows('^rouse top')
    top.type('q')
    equal(top.end()[0], 0)


@test
def filters(place):
    for name in ('apple', 'pear', 'grape'):
        place.good('run', '-d', '-n', name, 'sleep', '600')
    top = Top(place)
    top.shows('apple', 'pear', 'grape')
    top.type('/AP')
    top.shows('2 match', '^show only: AP_')
    assert 'pear' not in top.screen(), top.screen()
    top.type('x')
    top.shows('none of them matches')
    top.type('\x7f\r')
    top.shows('2 match', 'q quit')
    top.type('\x1b')
    top.shows('pear')
    top.type('q')
    equal(top.end()[0], 0)


@test
def fits_any_terminal(place):
    for i in range(6):
        place.good('run', '-d', '-n', f'task{i}', 'sleep', '600')
    top = Top(place, rows=5, columns=30)
    top.chosen('bg_0')
    top.type('\x1b[F')
    top.shows('bg_5', '^rouse top: thread default, 6 …$')
    for rows, columns in ((1, 1), (2, 7), (3, 200), (12, 60)):
        at = len(top.seen)
        top.resize(rows, columns)
        while b'\x1b[2J' not in top.seen[at:]:
            assert top.read()
    top.shows('bg_0', 'bg_5', 'q quit')
    top.chosen('bg_5')
    top.type('q')
    equal(top.end()[0], 0)


@test
def gives_the_terminal_back(place):
    """By q, by signals, and when it is killed."""
    for how, wanted in ((None, 0), (signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGKILL, -9)):
        master, slave = os.openpty()
        before = termios.tcgetattr(slave)
        p = subprocess.Popen([ROUSE, 'top'], stdin=slave, stdout=slave, stderr=slave, cwd=place.dir,
                             env=place.environment({'TERM': 'xterm'}))
        seen = b''
        while b'nothing is running' not in seen:
            seen += os.read(master, 65536)
        assert termios.tcgetattr(slave)[3] != before[3], 'the terminal is as it was'
        if how is None:
            os.write(master, b'q')
        else:
            p.send_signal(how)
        equal(p.wait(PATIENCE), wanted)
        while LEAVE.encode() not in seen:
            seen += os.read(master, 65536)
        place.settle()
        equal(termios.tcgetattr(slave), before)
        os.close(slave)
        os.close(master)


@test
def stops_and_goes_on(place):
    place.good('run', '-d', '-n', 'web', 'sleep', '600')
    top = Top(place, '--norc', '-i', program='/bin/bash', env={'PS1': 'ready> '})
    top.until('ready> ')
    top.type(f'{ROUSE} top\n')
    top.shows('bg_0 +web')
    at = len(top.seen)
    top.type('\x1a')
    while b'Stopped' not in top.seen[at:]:
        assert top.read()
    left = top.seen[at:].decode()
    assert left.index(LEAVE) < left.index('Stopped'), left
    top.type('stty -a\n')
    top.until(' icanon')
    at = len(top.seen)
    top.type('fg\n')
    while b'web' not in top.seen[at:]:
        assert top.read()
    assert ENTER.encode() in top.seen[at:]
    top.type('q')
    while LEAVE.encode() not in top.seen[at:]:
        assert top.read()
    top.type('exit 7\n')
    equal(top.end()[0], 7)


@test
def needs_a_terminal(place):
    ran = place('top')
    equal((ran.status, ran.out), (2, ''))
    equal(ran.err, 'rouse: top: this is no terminal; rouse ls prints the tasks, rouse events -f what happens\n')
    status, seen = Terminal(place, 'top', env={'TERM': 'dumb'}).end()
    equal((status, seen), (2, 'rouse: top: TERM says that this terminal cannot be drawn on; use rouse ls\n'))


@test
def sleeps_while_nothing_happens(place):
    """No age is shown, so no call comes back by itself."""
    trace = place.path('trace')
    no_leaks = {'ASAN_OPTIONS': os.environ.get('ASAN_OPTIONS', '') + ':detect_leaks=0'}  # who is traced cannot be looked into
    top = Top(place, '-f', '-o', trace, ROUSE, 'top', program='/usr/bin/strace', env=no_leaks)
    top.shows('nothing is running')
    while True:
        with open(trace) as f:
            if re.search(r'poll\(.*, -1$', f.read()):
                break
    place.good('run', 'true')  # rings the bell
    top.type('a')
    top.shows('bg_0')
    top.type('q')
    equal(top.end()[0], 0)
    with open(trace) as f:
        text = f.read()
    assert re.search(r'poll\(\[.*, -1(\)| <unfinished)', text), text


main()
