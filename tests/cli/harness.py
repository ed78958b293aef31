"""Runs the real program on a store of its own, and holds each test to leaving nothing behind.

A test file names its tests with @test and ends with main(). Its arguments are names of tests to run; without any it runs
all of them. Output is TAP. Nothing here sleeps to get an order of events: tests wait for files, fifos and `rouse wait`.
"""
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback

ROUSE = os.environ['ROUSE_PROGRAM']
PATIENCE = 60
TESTS = []


def test(function):
    TESTS.append(function)
    return function


class Ran:
    """How a command went."""

    def __init__(self, args, status, out, err):
        self.args, self.status, self.out, self.err = args, status, out, err

    def __repr__(self):
        return f'rouse {" ".join(self.args)}: status {self.status}, out {self.out!r}, err {self.err!r}'

    @property
    def json(self):
        return json.loads(self.out)


class Place:
    """A temporary directory with a store in it. Calling it runs rouse there."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix='rouse-cli.')
        self.store = os.path.join(self.dir, 'store')
        self.env = {k: v for k, v in os.environ.items() if not k.startswith('ROUSE_') or k in ('ROUSE_SHIM', 'ROUSE_PROGRAM')}
        self.env.update(ROUSE_STORE=self.store, HOME=self.dir, LC_ALL='C.UTF-8', ROUSE_TEST_PLACE=self.dir)
        for name in ('XDG_STATE_HOME', 'NO_COLOR', 'OPENAI_API_KEY', 'OPENAI_BASE_URL', 'OPENAI_MODEL'):
            self.env.pop(name, None)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def environment(self, changes):
        env = dict(self.env, **{k: v for k, v in changes.items() if v is not None})
        for name in [k for k, v in changes.items() if v is None]:
            env.pop(name, None)
        return env

    def start(self, *args, env={}, **how):
        return subprocess.Popen([ROUSE, *args], env=self.environment(env), cwd=how.pop('cwd', self.dir), **how)

    def __call__(self, *args, env={}, stdin=None, cwd=None):
        done = subprocess.run([ROUSE, *args], env=self.environment(env), cwd=cwd or self.dir, timeout=PATIENCE,
                              input=stdin, stdin=subprocess.DEVNULL if stdin is None else None,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return Ran(args, done.returncode, done.stdout.decode(errors='replace'), done.stderr.decode(errors='replace'))

    def good(self, *args, **how):
        """The same for a command that must work and say nothing on stderr."""
        ran = self(*args, **how)
        assert ran.status == 0 and ran.err == '', ran
        return ran

    def fifo(self, name):
        os.mkfifo(self.path(name))
        return self.path(name)

    def write(self, fifo):
        """Lets somebody who reads it go on."""
        with open(fifo, 'w') as f:
            f.write('go\n')

    def listen(self, fifo):
        """Until somebody has written into it."""
        with open(fifo) as f:
            assert f.read()

    def processes(self):
        """Everything that runs with this place in its environment, this program and zombies left out."""
        mark = b'ROUSE_TEST_PLACE=' + self.dir.encode()
        found = []
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                with open(f'/proc/{pid}/environ', 'rb') as f:
                    if mark in f.read().split(b'\0'):
                        found.append(int(pid))
            except OSError:
                pass
        return found

    def settle(self):
        """Until nothing runs here any more: a supervisor may live a moment longer than its task."""
        for pid in self.processes():
            try:
                fd = os.pidfd_open(pid)
            except OSError:
                continue
            assert wait_for_end(fd, PATIENCE), f'{pid} does not end'
            os.close(fd)

    def close(self):
        """What still ran, by command line; ends it."""
        if os.path.isdir(os.path.join(self.store, 'tasks')):
            self('cancel', '--all', '--all-threads', '--grace', '0s')
        left = []
        for pid in self.processes():
            try:
                fd = os.pidfd_open(pid)
            except OSError:
                continue
            # A supervisor that has just recorded an ending may need a moment more to end itself.
            if not wait_for_end(fd, 5):
                with open(f'/proc/{pid}/cmdline', 'rb') as f:
                    left.append(f.read().replace(b'\0', b' ').decode(errors='replace'))
                signal.pidfd_send_signal(fd, signal.SIGKILL)
            os.close(fd)
        shutil.rmtree(self.dir, ignore_errors=True)
        return left


def shim_of(place, task):
    """The pid of a task's supervisor."""
    for pid in place.processes():
        with open(f'/proc/{pid}/cmdline', 'rb') as f:
            words = f.read().split(b'\0')
        if b'rouse-shim' in words[0] and task.encode() in words:
            return pid
    raise AssertionError(f'no supervisor of {task}')


def wait_for_end(pidfd, seconds):
    import select
    return bool(select.select([pidfd], [], [], seconds)[0])


class Terminal:
    """rouse, or another program, on a terminal of its own."""

    def __init__(self, place, *args, env={}, columns=80, rows=24, program=ROUSE):
        self.seen = b''
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                import fcntl
                import struct
                import termios
                fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
                os.chdir(place.dir)
                os.execve(program, [program, *args], place.environment(dict({'TERM': 'xterm'}, **env)))
            finally:
                os._exit(99)

    def read(self):
        import select
        if not select.select([self.fd], [], [], PATIENCE)[0]:
            raise AssertionError(f'silent after {self.seen!r}')
        try:
            got = os.read(self.fd, 65536)
        except OSError:
            got = b''
        self.seen += got
        return got

    def until(self, text):
        while text.encode() not in self.seen:
            assert self.read(), f'ended before {text!r}: {self.seen!r}'

    def type(self, text):
        os.write(self.fd, text.encode())

    def resize(self, rows, columns):
        import fcntl
        import struct
        import termios
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))

    def end(self):
        """(exit status, all that was shown); -N when ended by signal N."""
        while self.read():
            pass
        os.close(self.fd)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return status, self.seen.decode(errors='replace').replace('\r\n', '\n')


def equal(got, wanted):
    assert got == wanted, f'{got!r} is not {wanted!r}'


def run_one(function):
    place = Place()
    problem = None
    try:
        function(place)
    except BaseException:
        problem = traceback.format_exc()
    left = place.close()
    if left and not problem:
        problem = 'left running: ' + '; '.join(left)
    return problem


def main():
    chosen = [t for t in TESTS if not sys.argv[1:] or t.__name__ in sys.argv[1:]]
    print(f'1..{len(chosen)}', flush=True)
    failed = not chosen
    for i, function in enumerate(chosen, 1):
        problem = run_one(function)
        failed = failed or problem is not None
        print(f'{"not ok" if problem else "ok"} {i} - {function.__name__}', flush=True)
        for line in (problem or '').splitlines():
            print('# ' + line, flush=True)
    sys.exit(1 if failed else 0)
