#!/usr/bin/env python3
"""The examples, run; and what the command shows of a task whose progress another program tells."""
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE.parent / 'cli'), str(ROOT / 'examples')]

from harness import PATIENCE, Terminal, equal, main, test  # noqa: E402

LIBRARY = os.environ['ROUSE_LIBRARY']
BUILT = pathlib.Path(os.environ['ROUSE_EXAMPLES']).parent
MODULES = ROOT / 'tests/npm'


def run(place, *args, cwd=None):
    done = subprocess.run(args, env=place.environment({'ROUSE_LIBRARY': LIBRARY}), cwd=cwd or place.dir, timeout=PATIENCE,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    equal((done.returncode, done.stderr), (0, ''))
    return done.stdout


def matches(seen, shown):
    """Whether seen is what is shown, where … stands for anything on a line."""
    pattern = '.*'.join(re.escape(part) for part in shown.split('…'))
    return re.fullmatch(pattern, seen)


@test
def survive_prints_what_readme_shows(place):
    readme = (ROOT / 'README.md').read_text()
    shown = re.search(r'^    \$ \./survive /tmp/store -- (.*)\n((?:    .*\n)+)', readme, re.M)
    equal(shown.group(1), "sh -c 'sleep 1; echo hi'")
    seen = run(place, str(BUILT / 'survive'), place.store, '--', 'sh', '-c', 'sleep 1; echo hi')
    wanted = re.sub('^    ', '', shown.group(2), flags=re.M)
    assert matches(seen, wanted), f'{seen!r} is not {wanted!r}'


@test
def the_smallest_program_is_small(place):
    for name in ('survive.c', 'poll.c'):
        assert len((ROOT / 'examples' / name).read_text().splitlines()) < 80, name


@test
def poll_tells_each_end(place):
    fifo = place.fifo('go')
    out = run(place, str(BUILT / 'poll'), place.store, f'cat {fifo}', f'echo > {fifo}; exit 3')
    equal(sorted(out.splitlines()), [f'cat {fifo}: completed', f'echo > {fifo}; exit 3: failed'])


@test
def python(place):
    script = str(ROOT / 'examples/tasks.py')
    equal(run(place, sys.executable, script, place.store, 'echo hi'),
          "bg_0 completed {'exit_code': 0, 'output_tail': 'hi\\n'}\nbg_1 {'pages': 3}\n")
    equal(run(place, sys.executable, script, place.store, 'exit 4'), "bg_2 failed exit status 4\nbg_3 {'pages': 3}\n")


@test
def node(place):
    assert (MODULES / 'node_modules/koffi').is_dir(), 'koffi is not installed: run tools/setup.sh mock'
    equal(run(place, 'node', str(ROOT / 'examples/tasks.mjs'), place.store, 'echo one', 'exit 3', cwd=MODULES),
          'bg_0 completed {"exit_code":0,"output_tail":"one\\n"}\nbg_1 failed exit status 3\n')


# ---- progress ----

class Teller:
    """Tells how far a task is, as the program that works on it would."""

    def __init__(self, place):
        import ctypes
        import tasks
        self.rouse, self.store, self.manager = tasks, ctypes.c_void_p(), ctypes.c_void_p()
        tasks.call('rouse_store_open', place.store.encode(), None, ctypes.byref(self.store))
        tasks.call('rouse_manager_new', self.store, None, ctypes.byref(self.manager))

    def tell(self, task, done, total, message):
        import ctypes
        progress = self.rouse.Progress(done, total, message)
        self.rouse.call('rouse_task_progress', self.manager, None, task, ctypes.byref(progress))

    def close(self):
        self.rouse.LIB.rouse_manager_free(self.manager)
        self.rouse.LIB.rouse_store_close(self.store)


def finish(terminal):
    """What is left on the screen of a terminal that showed progress: each line's last state."""
    status, seen = terminal.end()
    return status, '\n'.join(re.split('\r\x1b\\[K', line)[-1] for line in seen.split('\n'))


@test
def run_shows_progress_and_never_in_output(place):
    fifo = place.fifo('go')
    t = Terminal(place, 'run', '-n', 'build', '-c', f'echo begun; cat {fifo}; printf "half a "; cat {fifo}; echo line')
    t.until('begun\r\n')
    teller = Teller(place)
    teller.tell(b'bg_0', 1, 4, b'compiling \x1b[31m')
    t.until('bg_0 build [=====>              ] 25% 1/4 compiling ?[31m')
    teller.tell(b'bg_0', 4, 4, None)
    t.until('\r\x1b[Kbg_0 build [====================] 100% 4/4')
    place.write(fifo)
    t.until('half a ')
    teller.tell(b'bg_0', 4, 4, b'not here')
    place.write(fifo)
    teller.close()
    status, left = finish(t)
    equal((status, left), (0, 'begun\ngo\nhalf a go\nline\n'))
    assert b'half a bg_0' not in t.seen, t.seen


@test
def wait_and_logs_show_progress(place):
    fifo = place.fifo('go')
    place.good('run', '-d', '-n', 'one', '-c', f'cat {fifo}')
    place.good('run', '-d', '-n', 'two', 'sleep', '600')
    teller = Teller(place)
    teller.tell(b'bg_0', 0, 0, b'reading')
    waits, logs = Terminal(place, 'wait', 'one'), Terminal(place, 'logs', '-f', 'one')
    waits.until('bg_0 one reading')
    logs.until('bg_0 one reading')
    both = Terminal(place, 'wait', '--any')
    both.until('bg_0 one reading')
    teller.tell(b'bg_1', 1, 2, None)
    both.until('1/2')
    teller.close()
    place.write(fifo)
    equal(finish(waits), (0, 'bg_0 one: completed\n'))
    equal(finish(logs), (0, 'go\n'))
    equal(finish(both), (0, 'bg_1 two: running\nbg_0 one: completed\n'))
    out = place('wait', '-t', '1ms', 'two')  # none in a pipe
    equal((out.status, out.err), (124, ''))


main()
