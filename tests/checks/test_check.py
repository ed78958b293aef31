"""What makes tools/check.py say that something failed: rows of test outcomes, and processes that tests left behind."""
import os
import pathlib
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / 'tools'))
import check  # noqa: E402

# (what a test printed, its result, rows passed, rows failed)
OUTCOMES = [
    ('1..2\nok 1 - a\nok 2 - b\n', 'OK', 2, 0),
    ('1..2\nok 1 - a\nnot ok 2 - b\n', 'FAIL', 1, 1),
    ('1..2\nok 1 - a\n', 'ERROR', 1, 1),
    ('1..2\nok 1 - a\nok 2 - b # SKIP no network\n', 'OK', 1, 1),
    ('1..0 # SKIP all\n', 'SKIP', 0, 1),
    ('', 'OK', 1, 0),
    ('', 'FAIL', 0, 1),
    ('', 'TIMEOUT', 0, 1),
    ('', 'SKIP', 0, 1),
    ('okay is no row\n', 'OK', 1, 0),
]


def outcomes():
    for text, result, passed, failed in OUTCOMES:
        tally = check.Tally()
        check.count('gcc', {'name': 'x', 'stdout': text, 'result': result, 'returncode': 0}, tally)
        yield f'{result} {text!r}', (tally.passed, tally.failed) == (passed, failed)


def left_behind(directory, line):
    """Runs a shell line as if it were the tests; the failures counted, and whether anything is left after that."""
    tally = check.Tally()
    token = f'self-test-{os.getpid()}'
    log = pathlib.Path(directory) / 'log'
    check.run_and_reap(['sh', '-c', line], log, {**os.environ, 'ROUSE_TEST_RUN': token})
    check.end_processes(directory, token, tally)
    return tally.failed, check.processes_left(directory, token) == []


def processes():
    with tempfile.TemporaryDirectory() as directory:
        yield 'nothing left', left_behind(directory, 'true') == (0, True)
        yield 'an orphan that ends soon', left_behind(directory, 'sleep 0.1 &') == (0, True)
        yield 'an orphan', left_behind(directory, 'sleep 1000 &') == (1, True)
        yield 'a daemon', left_behind(directory, 'setsid sh -c "sleep 1000 & sleep 1000" &') == (1, True)
        yield 'one without environment', left_behind(directory, 'env -i setsid sleep 1000 &') == (1, True)


def main():
    check.become_subreaper()
    check.PATIENCE = 0.5
    rows = [*outcomes(), *processes()]
    print(f'1..{len(rows)}')
    for number, (name, good) in enumerate(rows, 1):
        print(f'{"ok" if good else "not ok"} {number} - {name}'.replace('#', 'no.'))


main()
