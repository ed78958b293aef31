#!/usr/bin/env python3
"""How a command runs: input, terminals, limits, what is kept of its output."""
import os
import shutil
import signal

from harness import Terminal, equal, main, test


def record(place, task):
    return place.good('show', '--json', task).json


@test
def input_comes_from_rouse_write(place):
    place.good('run', '-d', '--stdin', '-n', 'cat', '--', 'cat')
    equal(record(place, 'cat')['ext']['reads'], 'pipe')
    place.good('write', 'cat', 'one', 'line')
    place.good('write', '--no-newline', 'cat', 'two')
    place.good('write', '--eof', 'cat', stdin=b' of\nmany\n')
    place.good('wait', 'cat')
    equal(place.good('logs', 'cat').out, 'one line\ntwo of\nmany\n')
    late = place('write', 'cat', 'more')
    equal((late.status, late.err), (4, "rouse: 'bg_0' has ended: nobody reads its input\n"))


@test
def the_last_lines_go_no_further_back_than_what_was_dropped(place):
    place.good('run', '-d', '--keep-head', '100', '--keep-tail', '4K', '-c', 'seq 1 20000')
    place.good('wait', 'bg_0')
    kept = place('logs', '--raw', 'bg_0').out
    tail = kept[100:]
    assert tail.endswith('19999\n20000\n') and 4096 <= len(tail) < 40000, len(tail)
    for lines in ('100000', str(tail.count('\n'))):
        assert place.good('logs', '--raw', '--tail', lines, 'bg_0').out == tail, lines
    equal(place.good('logs', '--raw', '--tail', '3', 'bg_0').out, '19998\n19999\n20000\n')


@test
def input_of_a_task_that_has_none_is_refused(place):
    place.good('run', '-d', '-c', 'if read x; then echo got $x; fi; echo end; sleep 600')
    place.good('wait', '--until', 'match:end', 'bg_0')
    equal(place.good('logs', 'bg_0').out, 'end\n')
    ran = place('write', 'bg_0', 'x')
    equal((ran.status, ran.err), (4, "rouse: 'bg_0' was started without input; start it with --stdin or --tty\n"))
    equal(place('write', 'no-such', 'x').status, 3)


@test
def input_after_its_end_is_refused(place):
    place.good('run', '-d', '--stdin', '-c', 'cat; sleep 600')
    place.good('write', '--eof', 'bg_0', 'last')
    place.good('wait', '--until', 'match:last', 'bg_0')
    equal(place('write', 'bg_0', 'x').status, 4)


@test
def a_slow_reader_keeps_nobody_else_waiting(place):
    fifo = place.fifo('go')
    place.good('run', '-d', '--stdin', '-n', 'slow', '-c', f'read x < {fifo}; wc -c')
    # Does not fit: the writer waits, and everybody else goes on.
    writer = place.start('write', '--eof', 'slow', stdin=-1)
    equal(place('write', '--timeout', '100ms', 'slow', stdin=b'y' * 1000000).status, 124)
    equal(record(place, 'slow')['status'], 'running')
    equal(place.good('run', 'echo', 'others').out, 'others\n')
    open(fifo, 'w').close()
    writer.communicate(b'x' * 500000)
    place.good('wait', 'slow')
    assert int(place.good('logs', 'slow').out) >= 500000


@test
def the_foreground_hands_its_input_over(place):
    equal(place.good('run', '--stdin', '--', 'tr', 'a-z', 'A-Z', stdin=b'shout\nplease').out, 'SHOUT\nPLEASE')


@test
def a_terminal_is_one(place):
    place.good('run', '-d', '--tty', '-n', 'sh', '-c', 'tty | sed s/[0-9].*//; stty size; printf "name: "; read x; echo hello $x')
    equal(record(place, 'sh')['ext']['reads'], 'tty')
    place.good('wait', '--until', 'match:^name: $', 'sh')
    place.good('write', 'sh', 'world')
    place.good('wait', 'sh')
    equal(place.good('logs', 'sh').out, '/dev/pts/\n24 80\nname: world\nhello world\n')


@test
def a_terminal_in_the_foreground_gets_every_key(place):
    t = Terminal(place, 'run', '--tty', '-c', 'stty size; printf "name: "; read x; echo "hello $x"; exec cat')
    t.until('name: ')
    t.type('world\r')
    t.until('hello world')
    t.type('\x03')
    status, seen = t.end()
    equal(status, 128 + signal.SIGINT)
    assert '24 80' in seen, seen


@test
def a_terminal_is_left_with_its_key(place):
    t = Terminal(place, 'run', '--tty', '-c', 'echo started; exec sleep 600')
    t.until('started')
    t.type('\x1d')
    status, seen = t.end()
    equal(status, 130)
    assert 'bg_0 goes on' in seen, seen
    equal(record(place, 'bg_0')['status'], 'running')


@test
def the_terminal_is_given_back_after_a_kill(place):
    """A shell whose child, rouse, is killed with the terminal raw."""
    import termios
    import pty
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(place.dir)
        os.execve('/bin/sh', ['sh', '-c', '"$ROUSE_PROGRAM" run --tty -n t -c "echo started; exec sleep 600"; echo "status $?"; read x'],
                  dict(place.environment({}), TERM='xterm'))
    before = termios.tcgetattr(fd)[3]
    seen = b''
    while b'started' not in seen:
        seen += os.read(fd, 4096)
    equal(termios.tcgetattr(fd)[3] & termios.ICANON, 0)
    rouse = [p for p in place.processes() if open(f'/proc/{p}/comm').read() == 'rouse\n']
    guardian = [p for p in rouse if os.getpgid(p) == p and os.getsid(p) != p and os.getpgid(p) != pid]
    main_ = [p for p in rouse if p not in guardian]
    equal(len(guardian), 1)
    watch = os.pidfd_open(guardian[0])
    for p in main_:
        os.kill(p, signal.SIGKILL)
    import select
    assert select.select([watch], [], [], 60)[0]
    os.close(watch)
    while b'status 137' not in seen:
        seen += os.read(fd, 4096)
    equal(termios.tcgetattr(fd)[3], before)
    os.write(fd, b'\r')
    os.waitpid(pid, 0)
    os.close(fd)


@test
def limits_hold(place):
    equal(place.good('run', '--files', '64', '--cpu', '90s', '--memory', '1G', '-c', 'ulimit -n; ulimit -t; ulimit -v').out,
          '64\n90\n1048576\n')
    here = os.nice(0)
    equal(place.good('run', '--nice', '3', '--', 'nice').out, f'{min(here + 3, 19)}\n')
    equal(place.good('run', '--umask', '027', '-c', 'umask').out, '0027\n')
    spins = place('run', '--json', '--cpu', '1s', '-c', 'while :; do :; done').json
    # The first signal of the two may be missed: one says that the limit is reached, the other that it is final.
    assert spins['status'] == 'failed' and spins['ext']['signal'] in (signal.SIGXCPU, signal.SIGKILL), spins


@test
def caps_of_output_are_chosen(place):
    place.good('run', '-d', '--keep-head', '4K', '--keep-tail', '64K', '-c', 'seq 1 200000')
    place.good('wait', 'bg_0')
    output = record(place, 'bg_0')['ext']['output']
    assert 4096 + 32768 <= output['kept'] <= 4096 + 2 * 65536 and output['dropped'] > 0, output
    ran = place('logs', 'bg_0')
    assert ran.out.startswith('1\n2\n') and ran.out.endswith('\n200000\n'), ran


@test
def the_tree_is_waited_for_when_asked(place):
    fifo = place.fifo('go')
    place.good('run', '-d', '--wait-tree', '-c', f'(read x < {fifo}; echo late) & echo early')
    place.good('wait', '--until', 'match:early', 'bg_0')
    equal(place('wait', '--timeout', '300ms', 'bg_0').status, 124)
    open(fifo, 'w').close()
    place.good('wait', 'bg_0')
    equal(place.good('logs', 'bg_0').out, 'early\nlate\n')


@test
def sandbox_or_a_clear_error(place):
    if not shutil.which('bwrap'):
        ran = place('run', '--sandbox', 'true')
        assert ran.status != 0 and 'bwrap' in ran.err, ran
        return
    os.mkdir(place.path('open'))
    ran = place('run', '--sandbox', '--writable', 'open', '-c', 'echo x > open/file; echo y > /tmp/rouse-closed; echo z > /etc/rouse-closed || echo refused')
    if 'namespace' in ran.out or 'ermission' in ran.out + ran.err:
        return  # not allowed on this machine: it said so
    assert ran.out.endswith('refused\n') and os.path.exists(place.path('open', 'file')), ran
    assert not os.path.exists('/tmp/rouse-closed') and not os.path.exists('/etc/rouse-closed')


@test
def wrong_wishes_are_named(place):
    for args, status, text in [
            (['--tty', '--stdin'], 2, '--tty is input as well'),
            (['--memory', 'lots'], 2, "--memory: 'lots' is not a size"),
            (['--memory', '1K'], 1, 'at least 1 MiB'),
            (['--files', '2'], 1, 'at least 4'),
            (['--files', 'x'], 2, "--files: 'x' is no number"),
            (['--nice', '40'], 1, 'between -20 and 19'),
            (['--umask', '9'], 2, "--umask: '9' is no octal number"),
            (['--umask', '7777'], 1, 'between 0 and 777'),
            (['--cpu', '10ms'], 2, 'less than a second'),
            (['--no-network'], 2, '--no-network goes with --sandbox'),
            (['--writable', '/'], 2, '--writable goes with --sandbox'),
            (['--keep-tail', '9G'], 4, 'keeps at most')]:
        ran = place('run', *args, 'true')
        assert text in ran.err, (args, ran)
        equal((args, ran.status if status != 1 else status), (args, status))
    equal(place.good('ls', '-a', '--json').json, [])


if __name__ == '__main__':
    main()
