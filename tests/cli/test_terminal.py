#!/usr/bin/env python3
"""For people: a terminal, Ctrl-C, widths, colours."""
import os

from harness import Terminal, equal, main, test


@test
def ctrl_c_leaves_the_task_running(place):
    t = Terminal(place, 'run', '-c', 'echo up; exec sleep 600')
    t.until('up')
    t.type('\x03')
    status, seen = t.end()
    equal(status, 130)
    assert 'rouse: bg_0 goes on; rouse logs -f bg_0 follows it, rouse cancel bg_0 ends it' in seen, seen
    equal(place.good('show', '--json', 'bg_0').json['status'], 'running')


@test
def a_second_ctrl_c_cancels_it(place):
    t = Terminal(place, 'run', '-c', 'echo up; exec sleep 600')
    t.until('up')
    t.type('\x03')
    t.until('goes on')
    t.type('\x03')
    status, seen = t.end()
    equal(status, 143)
    assert 'rouse: bg_0 cancelled by user' in seen, seen
    equal(place.good('show', '--json', 'bg_0').json['status'], 'cancelled')


@test
def ctrl_c_ends_a_session_task(place):
    t = Terminal(place, 'run', '--session', '-c', 'echo up; exec sleep 600')
    t.until('up')
    t.type('\x03')
    status, seen = t.end()
    equal(status, 143)
    assert 'goes on' not in seen, seen


@test
def ctrl_c_ends_only_the_following(place):
    place.good('run', '-d', '-c', 'echo up; exec sleep 600')
    t = Terminal(place, 'logs', '-f', 'bg_0')
    t.until('up')
    t.type('\x03')
    equal(t.end()[0], -2)
    equal(place.good('show', '--json', 'bg_0').json['status'], 'running')


@test
def ctrl_c_leaves_no_progress_line(place):
    place.fifo('told')
    place.good('run', '-d', '-c', 'echo up; "$ROUSE_PROGRAM" progress 1/2 half; echo > told; sleep 600')
    place.listen(place.path('told'))
    for args in ('logs', '-f', 'bg_0'), ('wait', 'bg_0'):
        t = Terminal(place, *args)
        t.until('1/2 half')
        t.type('\x03')
        status, seen = t.end()
        equal(status, -2)
        assert seen.rpartition('half')[2].replace('^C', '') == '\r\x1b[K', seen


@test
def a_command_that_catches_ctrl_c_does_not_get_it(place):
    t = Terminal(place, 'run', '-c', 'trap "exit 9" INT; echo up; while :; do sleep 0.05; done')
    t.until('up')
    t.type('\x03')
    equal(t.end()[0], 130)
    equal(place.good('show', '--json', 'bg_0').json['status'], 'running')


@test
def signals_of_rouse_are_not_blocked_in_the_command(place):
    ran = place.good('run', '--', 'sh', '-c', 'grep -E "^Sig(Blk|Ign)" /proc/self/status')
    ordinary = (1 << 31) - 1
    equal([int(line.split()[1], 16) & ordinary for line in ran.out.splitlines()], [0, 0])


@test
def a_table_for_people(place):
    place.good('run', '-n', 'web', '--description', 'x' * 200, '-d', 'sleep', '600')
    place('run', '--description', 'red \x1b[31m line\nbreak', '-c', 'exit 7')
    status, seen = Terminal(place, 'ls', '-a', columns=60).end()
    equal(status, 0)
    lines = seen.splitlines()
    assert lines[0].split() == ['ID', 'NAME', 'STATUS', 'AGE', 'DESCRIPTION'], seen
    assert lines[1].startswith('bg_1  -     failed (7)  ') and lines[1].endswith('red ?[31m line?break'), lines[1]
    assert lines[2].startswith('bg_0  web   running') and len(lines[2]) == 60 and lines[2].endswith('x…'), lines[2]
    equal(len(lines), 3)


@test
def a_tree_for_people(place):
    fifo = place.fifo('go')
    place.good('run', '-d', '-n', 'top', '-c', f'"$ROUSE_PROGRAM" run -d -n leaf sleep 600; echo > {fifo}; sleep 600')
    place.listen(fifo)
    lines = Terminal(place, 'ls', '--tree').end()[1].splitlines()
    assert lines[1].startswith('bg_0') and lines[2].startswith('  bg_1'), lines


@test
def nothing_is_said_in_words(place):
    equal(Terminal(place, 'ls').end(), (0, 'no tasks in thread default; rouse run -d -- CMD starts one\n'))
    place.good('run', '--thread', 'other', 'true')
    equal(Terminal(place, 'ls', '--all-threads').end(), (0, 'nothing is running; rouse ls -a shows what has ended\n'))
    place.good('run', '-d', '--thread', 'other', 'sleep', '600')
    equal(Terminal(place, 'ls').end(),
          (0, 'no tasks in thread default; rouse ls --all-threads shows what runs in others; rouse run -d -- CMD starts one\n'))
    equal(Terminal(place, 'wait').end(), (0, 'nothing is running in thread default\n'))
    equal(Terminal(place, 'cancel', '--all').end(), (0, 'nothing is running\n'))


@test
def output_reaches_a_terminal_as_it_is(place):
    place.good('run', '-c', r"printf '\033[1mbold\033[0m\n'")
    equal(Terminal(place, 'logs', 'bg_0').end(), (0, '\x1b[1mbold\x1b[0m\n'))


@test
def show_for_people(place):
    place('run', '-n', 'x', '-c', 'echo hi; exit 7')
    status, seen = Terminal(place, 'show', 'x').end()
    assert status == 0 and 'status       failed: exit status 7\n' in seen and ' ago (' in seen and '3 bytes; rouse logs bg_0' in seen, seen


@test
def doctor_for_people(place):
    place.good('run', 'true')
    status, seen = Terminal(place, 'doctor').end()
    assert status == 0 and '\nok    supervisor' in seen, seen


main()
