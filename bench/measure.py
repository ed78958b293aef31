"""How the rows are measured. Each function here gives a function of a Bench that gives a number, once a round."""
import os
import pathlib
import shutil
import subprocess
import time


def program(command, value, **arguments):
    """What the measuring program prints as `value`."""
    return lambda bench: bench.values(command, **arguments)[value]


def store(command, value, **arguments):
    """The same on a new SQLite store."""
    return lambda bench: bench.values(command, place='store', **arguments)[value]


def bare_rows(**arguments):
    return lambda bench: bench.values('bare-rows', place='bare.db', **arguments)['rate']


def open_store(finished):
    def measure(bench):
        finished_now = bench.scaled(finished)
        where = bench.kept(f'store-{finished_now}',
                           lambda path: bench.run('fill', where=path, n=finished_now, running=100))
        return bench.run('open', where=where, expect=100)['ms']
    return measure


# Processes

def tasks(value, **arguments):
    return lambda bench: bench.values('tasks', place='store', command=bench.built('bench/bench-true'), **arguments)[value]


def bare_spawn(value, **arguments):
    return lambda bench: bench.values('bare-spawn', command=bench.built('bench/bench-true'), **arguments)[value]


def spawn(command, env):
    """With as little as it takes: a client of the others should not be slowed down by how it is started."""
    quiet = (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)
    status = os.waitpid(os.posix_spawn(command[0], command, env, file_actions=[quiet]), 0)[1]
    if status != 0:
        raise RuntimeError(f'{command[0]}: status {os.waitstatus_to_exitcode(status)}')


def task_spooler(n):
    """Debian's tsp with two slots: everything is put into its queue, and then waited for."""
    def measure(bench):
        count, place = bench.scaled(n), bench.place('tsp')
        place.mkdir()
        env = {**os.environ, 'TS_SOCKET': str(place / 'socket'), 'TMPDIR': str(place), 'TS_MAXFINISHED': '10'}
        command = [shutil.which('tsp'), bench.built('bench/bench-true')]
        subprocess.run(['tsp', '-S', '2'], env=env, check=True)
        try:
            start = time.monotonic()
            for _ in range(count):
                spawn(command, env)
            subprocess.run(['tsp', '-w'], env=env, check=True)
            while b'running' in subprocess.run(['tsp', '-l'], env=env, stdout=subprocess.PIPE, check=True).stdout:
                continue
            return count / (time.monotonic() - start)
        finally:
            subprocess.run(['tsp', '-K'], env=env, check=True)
    return measure


def nq(n):
    """nq runs one queue one after the other; two queues are two at a time."""
    def measure(bench):
        count, place = bench.scaled(n), bench.place('nq')
        command = [shutil.which('nq'), '-q', bench.built('bench/bench-true')]
        queues = [{**os.environ, 'NQDIR': str(place / name)} for name in 'ab']
        for env in queues:
            os.makedirs(env['NQDIR'])
        start = time.monotonic()
        for i in range(count):
            spawn(command, queues[i % 2])
        for env in queues:
            subprocess.run(['nq', '-w'], env=env, check=True)
        return count / (time.monotonic() - start)
    return measure


def shim_size(bench):
    return pathlib.Path(bench.built('rouse-shim')).stat().st_size / 1024


def output(size, value='rate'):
    def measure(bench):
        got = bench.values('output', place='store', actor=bench.built('bench/bench-actor'), bytes=size)
        return {**got, 'kept_mib': got['kept'] / 2**20}[value]
    return measure


def bare_output(size):
    return lambda bench: bench.values('bare-output', place='file', actor=bench.built('bench/bench-actor'), bytes=size)['rate']


def wake(value, n):
    return lambda bench: bench.values('wake', place='store', actor=bench.built('bench/bench-actor'), n=n)[value]


def cancel_tree(n):
    def measure(bench):
        got = bench.values('cancel', place='store', actor=bench.built('bench/bench-actor'), n=n, grace=100)
        if got['killed'] < bench.scaled(n) - 1:  # it counts what is left of the tree once the leader has ended
            raise RuntimeError(f"{got['killed']:.0f} processes ended, {bench.scaled(n)} were there")
        return got['seconds']
    return measure


def shims_of(store_path):
    """The supervisors of a store: they are told where its bell is."""
    for entry in pathlib.Path('/proc').iterdir():
        try:
            words = (entry / 'cmdline').read_bytes() if entry.name.isdigit() else b''
        except OSError:
            continue
        if words.startswith(b'rouse-shim\0') and os.fsencode(store_path) in words:
            yield entry


def private_kib(process):
    rows = (line.split() for line in (process / 'smaps_rollup').read_text().splitlines()[1:])
    return sum(int(row[1]) for row in rows if row[0] in ('Private_Clean:', 'Private_Dirty:'))


def processor_ms(processes):
    """Time on a processor, to the nanosecond, unlike the ticks in /proc/PID/stat."""
    return sum(int((process / 'schedstat').read_text().split()[0]) for process in processes) / 1e6


def time_of(bench, command, env, times=9):
    """The whole process, from before its start until it was waited for: the median, in ms, and the last output."""
    out, took = bench.place('shown'), []
    to_file = (os.POSIX_SPAWN_OPEN, 1, str(out), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for _ in range(times):
        start = time.monotonic()
        pid = os.posix_spawn(command[0], command, env, file_actions=[to_file])
        status = os.waitpid(pid, 0)[1]
        took.append((time.monotonic() - start) * 1e3)
        if status != 0:
            raise RuntimeError(f'{command[0]}: status {os.waitstatus_to_exitcode(status)}')
    shown = out.read_bytes()
    out.unlink()
    return sorted(took)[times // 2], shown


def time_of_ls(bench, where, count, *options):
    """All tasks asked for must be there."""
    command = [bench.built('rouse'), 'ls', '--json', *options]
    took, shown = time_of(bench, command, {**os.environ, 'ROUSE_STORE': str(where), 'ROUSE_THREAD': 'bench'})
    if shown.count(b'"created_at_ms":') != count:
        raise RuntimeError(f'ls shows {shown.count(b"created_at_ms")} tasks, not {count}')
    return took


def ls_process(n, shown):
    def measure(bench):
        count = bench.scaled(n)
        where = bench.kept(f'listed-{count}', lambda path: bench.run('fill', where=path, n=count))
        return time_of_ls(bench, where, min(count, shown), '-a', '--limit', str(shown))
    return measure


def start_of_true(bench):
    return time_of(bench, [bench.built('bench/bench-true')], {})[0]


def look_at_many(bench, where, count):
    got = {'ls_ms': time_of_ls(bench, where, count, '--limit', '10000')}
    shims = list(shims_of(where))
    if len(shims) != count:
        raise RuntimeError(f'{len(shims)} shims are there, not {count}')
    got['private_kib'] = sorted(private_kib(shim) for shim in shims)[count // 2]
    before = processor_ms(shims)
    time.sleep(2)
    got['idle_ms'] = processor_ms(shims) - before
    return got


def many(value, n):
    def measure(bench):
        def start_and_look():
            count, where = bench.scaled(n), bench.place('store')
            with bench.start('many', where=where, n=count, actor=bench.built('bench/bench-actor')) as started:
                if not started.stdout.readline().startswith(b'started'):
                    raise RuntimeError('the tasks could not be started')
                got = look_at_many(bench, where, count)
                started.communicate()
            if started.returncode != 0:
                raise RuntimeError('the tasks could not be ended')
            shutil.rmtree(where)
            return got
        return bench.once(('many', n), start_and_look)[value]
    return measure
