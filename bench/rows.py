"""The table of what is measured: one row for each figure that has a bar.

A row's figure and floor are functions of a Bench (in run). They are called one after the other, `rounds` times; what they
ask of the measuring program is done once a round, however many rows of a group ask. A bar speaks of the figure, or of its
ratio to the floor.
"""
import dataclasses
import operator
import typing

import measure as m


@dataclasses.dataclass(frozen=True)
class Bar:
    compare: typing.Callable
    value: float
    of_ratio: bool

    def holds(self, figure, ratio):
        return self.compare(ratio if self.of_ratio else figure, self.value)

    def __str__(self):
        sign = '≥' if self.compare is operator.ge else '≤'
        return f'{sign} {self.value:,g}' + (' ×' if self.of_ratio else '')


def at_least(value):
    return Bar(operator.ge, value, False)


def at_most(value):
    return Bar(operator.le, value, False)


def floor_times_at_least(value):
    return Bar(operator.ge, value, True)


def floor_times_at_most(value):
    return Bar(operator.le, value, True)


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    what: str
    unit: str
    bar: Bar
    figure: typing.Callable
    floor: typing.Callable = None
    floor_is: str = ''
    rounds: int = 5   # of the first row of a group
    group: str = ''   # rows that are measured together; otherwise each by itself
    needs: tuple = ()  # programs that must be there


ROWS = [
    # State and storage.
    Row('memory-cycle', 'memory store: start + complete a task, 1,000 tasks in it', '/s', at_least(500_000),
        m.program('cycle', 'rate', where='memory:', n=1000, cycles=200_000), group='cycle'),
    Row('memory-cycle-1m', 'the same with 1,000,000 tasks in it', '/s', floor_times_at_least(0.7),
        m.program('cycle', 'rate', where='memory:', n=1_000_000, cycles=200_000),
        m.program('cycle', 'rate', where='memory:', n=1000, cycles=200_000), 'at 1,000 tasks', rounds=3, group='cycle'),
    Row('get-by-id', 'get by id, 1,000,000 tasks', 'µs', at_most(2),
        m.program('lookups', 'by_id', where='memory:', n=1_000_000), rounds=3, group='lookups'),
    Row('get-by-name', 'get by name, 1,000,000 tasks', 'µs', at_most(2),
        m.program('lookups', 'by_name', where='memory:', n=1_000_000), rounds=3, group='lookups'),
    Row('has-running', 'has-running(thread), 1,000,000 tasks', 'µs', at_most(2),
        m.program('lookups', 'has_running', where='memory:', n=1_000_000), rounds=3, group='lookups'),
    Row('next-child', 'next child of a task, 1,000,000 tasks', 'µs', at_most(2),
        m.program('lookups', 'next_child', where='memory:', n=1_000_000), rounds=3, group='lookups'),
    Row('commit-held', 'commit while a snapshot is held, 100,000 tasks', 'µs', floor_times_at_most(1.5),
        m.program('held', 'held', where='memory:', n=100_000, commits=20_000),
        m.program('held', 'free', where='memory:', n=100_000, commits=20_000), 'without a snapshot'),
    Row('memory-per-task', 'memory per finished task', 'bytes', at_most(700),
        m.program('bytes', 'bytes', where='memory:', n=100_000), rounds=1),
    Row('sqlite-one', 'SQLite, durability process: one task started a transaction', '/s', floor_times_at_least(0.6),
        m.store('start', 'rate', n=20_000), m.bare_rows(n=20_000), 'bare one-row transactions'),
    Row('sqlite-batch', 'SQLite, durability process: batches of 100', 'tasks/s', floor_times_at_least(0.5),
        m.store('start', 'rate', n=100_000, batch=100), m.bare_rows(n=100_000, batch=100), 'bare 100-row transactions'),
    Row('sqlite-group', 'SQLite, durability power: 8 threads committing at once', '/s', floor_times_at_least(3),
        m.store('start', 'rate', n=4000, threads=8, durability='power'),
        m.store('start', 'rate', n=2000, threads=1, durability='power'), 'one thread'),
    Row('open-1m', 'open a store of 1,000,000 finished and 100 running, first list', 'ms', at_most(50),
        m.open_store(1_000_000), group='open'),
    Row('open-flat', 'the same, to opening a store of 10,000 finished', 'ms', floor_times_at_most(1.2),
        m.open_store(1_000_000), m.open_store(10_000), 'at 10,000 finished', group='open'),
    Row('export', "export of 100,000 tasks as the seed's document", 'MB/s', at_least(50),
        m.program('document', 'export', where='memory:', n=100_000), group='document'),
    Row('import', 'import of it', 'MB/s', at_least(50),
        m.program('document', 'import', where='memory:', n=100_000), group='document'),
    # Supervision.
    Row('task-cpu', 'CPU time per process task, start to committed end, runtime listening', 'ms', floor_times_at_most(2.5),
        m.tasks('cpu_ms', n=300, slots=1, spares=2), m.bare_spawn('cpu_ms', n=300, slots=1), 'bare posix_spawn + wait'),
    Row('task-cpu-fresh', 'the same, each with a supervisor of its own', 'ms', floor_times_at_most(5),
        m.tasks('cpu_ms', n=300, slots=1), m.bare_spawn('cpu_ms', n=300, slots=1), 'bare posix_spawn + wait'),
    Row('tasks-to-spawn', '1,000 process tasks, two at a time', '/s', floor_times_at_least(0.35),
        m.tasks('rate', n=1000, slots=2, spares=3), m.bare_spawn('rate', n=1000, slots=2), 'bare posix_spawn + wait', rounds=3, group='throughput'),
    Row('tasks-to-tsp', 'the same, to task-spooler', '/s', floor_times_at_least(3),
        m.tasks('rate', n=1000, slots=2, spares=3), m.task_spooler(n=1000), 'tsp, two slots', rounds=3, needs=('tsp',), group='throughput'),
    Row('tasks-to-nq', 'the same, to nq', '/s', floor_times_at_least(3),
        m.tasks('rate', n=1000, slots=2, spares=3), m.nq(n=1000), 'nq, two queues', rounds=3, needs=('nq',), group='throughput'),
    Row('shim-memory', 'private memory of a shim', 'KiB', at_most(300), m.many('private_kib', n=500), rounds=1, group='many'),
    Row('shim-size', 'size of the static shim', 'KiB', at_most(900), m.shim_size, rounds=1),
    Row('many-ls', '500 tasks running: all of them in `ls`', 'ms', at_most(100), m.many('ls_ms', n=500), rounds=1, group='many'),
    Row('many-idle', 'CPU of their shims together, idle for 2 s', 'ms', at_most(0), m.many('idle_ms', n=500), rounds=1, group='many'),
    Row('output', 'a command that writes 2 GB', 'MB/s', floor_times_at_least(0.5),
        m.output(2_000_000_000), m.bare_output(2_000_000_000), 'CMD > file', rounds=3, group='output'),
    Row('output-kept', 'of them kept', 'MiB', at_most(9.3), m.output(2_000_000_000, 'kept_mib'), rounds=1, group='output'),
    Row('wake-median', 'end of a command → waiter in another process woken: median', 'ms', at_most(5),
        m.wake('median_ms', n=200), rounds=3, group='wake'),
    Row('wake-p99', 'the same: p99', 'ms', at_most(25), m.wake('p99_ms', n=200), rounds=3, group='wake'),
    Row('cancel-tree', 'cancel of 1,000 processes that ignore TERM, grace 100 ms', 's', at_most(2),
        m.cancel_tree(n=1000), rounds=3),
    # The manager and the command line.
    Row('parked-memory', 'memory of a parked function task, of 100,000', 'bytes', at_most(1000),
        m.program('parked', 'bytes', where='memory:', n=100_000), rounds=3, group='parked'),
    Row('parked-cancel', 'cancel 100,000 of them until all are terminal', 's', at_most(1),
        m.program('parked', 'cancel_s', where='memory:', n=100_000), rounds=3, group='parked'),
    Row('functions', 'function task start → end → event received, memory store', '/s', at_least(300_000),
        m.program('functions', 'rate', where='memory:', n=100_000)),
    Row('functions-sqlite', 'the same on SQLite, durability process, batches of 100', '/s', at_least(30_000),
        m.store('function-batches', 'rate', n=20_000)),
    Row('view', 'view of 100,000 running tasks after one change', 'µs', at_most(200),
        m.program('view', 'us', where='memory:', n=100_000), rounds=3, group='view'),
    Row('view-size', 'its size', 'bytes', at_most(1500),
        m.program('view', 'largest', where='memory:', n=100_000), rounds=3, group='view'),
    Row('waiters-idle', '10,000 waiters on 10,000 tasks: CPU while nothing happens for 2 s', 'ms', at_most(1),
        m.store('waiters', 'idle_ms', n=10_000), rounds=3, group='waiters'),
    Row('waiters-woken', 'all woken when all end', 's', at_most(2),
        m.store('waiters', 'woken_s', n=10_000), rounds=3, group='waiters'),
    Row('ls-100k', '`rouse ls -a` on a store of 100,000 tasks, whole process', 'ms', at_most(20),
        m.ls_process(100_000, shown=100), m.start_of_true, 'a static true started the same way'),
]
