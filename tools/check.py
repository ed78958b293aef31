#!/usr/bin/env python3
"""Builds rouse in several ways in build-check/, runs every test in each, and sums up.

    check.py [--only VARIANT]...

The last line is "N passed, N failed"; the status is 0 only when nothing failed, crashed, timed out or was skipped, every
build succeeded, and no process or file of the tests was left behind.
"""
import argparse
import ctypes
import json
import os
import pathlib
import platform
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / 'build-check'
PR_SET_CHILD_SUBREAPER = 36
PATIENCE = 5  # seconds that a process which is just ending gets
SHOWN_TESTS, SHOWN_LINES, SHOWN_BYTES = 20, 60, 8000

# How each variant is compiled, and how much longer than a plain build its tests may take. Warnings are errors in the first
# two; the code that sanitizers insert makes compilers see things.
VARIANTS = {
    'gcc': {'cc': 'gcc', 'options': [], 'times': 1},
    'clang': {'cc': 'clang', 'options': [], 'times': 1},
    'asan': {'cc': 'gcc', 'times': 4,
             'options': ['-Db_sanitize=address,undefined', '-Doptimization=1', '-Dc_args=-fno-sanitize-recover=all',
                         '-Dwerror=false']},
    'tsan': {'cc': 'clang', 'times': 5, 'options': ['-Db_sanitize=thread', '-Doptimization=1', '-Dwerror=false']},
    # The short runs of the fuzzers, which are a build of their own: everything they test is instrumented for them.
    'fuzz': {'cc': 'clang', 'times': 2, 'options': ['-Dfuzz=true', '-Db_sanitize=address,undefined', '-Doptimization=1',
                                                    '-Dwerror=false']},
}
SANITIZERS = {
    'ASAN_OPTIONS': 'allocator_may_return_null=1:detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1',
    'UBSAN_OPTIONS': 'print_stacktrace=1:halt_on_error=1',
    'TSAN_OPTIONS': 'allocator_may_return_null=1:halt_on_error=1:second_deadlock_stack=1',
}


class Tally:
    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.failures = []

    def fail(self, what, output=''):
        self.failed += 1
        self.failures.append((what, output))


def say(text):
    print(f'check: {text}', flush=True)


def seconds(since):
    return f'{time.monotonic() - since:.0f} s'


# Processes: every orphan of the tests becomes a child of this process, so that none can hide.

def become_subreaper():
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        sys.exit('check: this kernel has no child subreapers')


def run_and_reap(command, log, environment):
    """Runs a command, and meanwhile reaps what its descendants leave to us, as init would."""
    with open(log, 'wb') as out:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, cwd=ROOT,
                                 env=environment, start_new_session=True)
    try:
        while True:
            pid, status = os.waitpid(-1, 0)
            if pid == child.pid:
                child.returncode = os.waitstatus_to_exitcode(status)
                return child.returncode
    except KeyboardInterrupt:
        os.killpg(child.pid, signal.SIGKILL)
        raise


def read(path):
    try:
        return pathlib.Path(path).read_bytes()
    except OSError:
        return b''


def reap_all():
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass


def processes_left(directory, token):
    """Living processes that the tests started: ours by parentage, by a word in their environment, or by their program."""
    reap_all()
    left = []
    for entry in pathlib.Path('/proc').iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        parent = read(entry / 'stat').rpartition(b')')[2].split()[1:2]
        try:
            program = os.readlink(entry / 'exe')
        except OSError:
            program = ''
        if (parent == [str(os.getpid()).encode()] or token.encode() in read(entry / 'environ')
                or program.startswith(f'{directory}/')):
            left.append((int(entry.name), read(entry / 'cmdline').replace(b'\0', b' ').decode(errors='replace').strip()))
    return left


def end_processes(directory, token, tally):
    """What is just ending gets a moment; the rest is a failure, and is ended."""
    deadline = time.monotonic() + PATIENCE
    while (left := processes_left(directory, token)) and time.monotonic() < deadline:
        time.sleep(0.05)
    if left:
        tally.fail('processes left behind by the tests', '\n'.join(f'{pid}: {command}' for pid, command in left))
    for _ in range(100):
        for pid, _command in processes_left(directory, token):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if not processes_left(directory, token):
            return
        time.sleep(0.05)


# Building

def without_sudden_layout(directory):
    """ThreadSanitizer cannot live with every randomisation of addresses that kernels do: run it with none where needed."""
    probe = directory.parent / 'tsan-probe'
    subprocess.run(['clang', '-fsanitize=thread', '-x', 'c', '-', '-o', probe], input=b'int main(void) { return 0; }',
                   check=True)
    setarch = ['setarch', platform.machine(), '-R']
    for prefix in ([], setarch):
        if all(subprocess.run([*prefix, probe], capture_output=True, check=False).returncode == 0 for _ in range(8)):
            return prefix
    return setarch


def build(name, directory, tally):
    variant = VARIANTS[name]
    setup = ['meson', 'setup', str(directory), *variant['options']]
    stamp = directory / 'check-options'
    wanted = ' '.join([variant['cc'], *setup])
    log = OUT / f'{name}-build.log'
    if read(stamp).decode() != wanted:
        shutil.rmtree(directory, ignore_errors=True)
        with open(log, 'wb') as out:
            done = subprocess.run(setup, cwd=ROOT, env={**os.environ, 'CC': variant['cc']}, stdin=subprocess.DEVNULL,
                                  stdout=out, stderr=subprocess.STDOUT, check=False)
        if done.returncode != 0:
            return tally.fail(f'{name}: meson cannot configure', read(log).decode(errors='replace'))
        stamp.write_text(wanted)
    with open(log, 'wb') as out:
        done = subprocess.run(['ninja', '-k', '20', '-C', str(directory)], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out,
                              stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        lines = [line for line in read(log).decode(errors='replace').splitlines()
                 if not re.match(r'\[\d+/\d+\] |(cc|gcc|clang) -|.*(found: |\(cached\))', line)]
        first = next((at for at, line in enumerate(lines) if re.match('FAILED|.*ERROR', line)), 0)
        lines = lines[first:]
        return tally.fail(f'{name}: the build failed ({log.relative_to(ROOT)})', '\n'.join(lines))
    return True


# Testing

def test_environment(name, token, scratch):
    """The caller's settings and secrets stay out of the tests; what they write goes where it can be counted."""
    keep = {key: value for key, value in os.environ.items()
            if not key.startswith(('ROUSE_', 'OPENAI_', 'XDG_')) and not key.lower().endswith('_proxy')}
    home = scratch / 'home'
    home.mkdir()
    vectors = os.environ.get('ROUSE_VECTORS') or ROOT.parent / 'shared/vectors'
    return {**keep, **SANITIZERS, 'ROUSE_TEST_RUN': token, 'ROUSE_VECTORS': str(vectors), 'ROUSE_CHECK_VARIANT': name,
            'TMPDIR': str(scratch), 'HOME': str(home), 'LC_ALL': 'C.UTF-8'}


def count(variant, test, tally):
    """Counts the rows that a test printed; one that printed no rows counts as one."""
    name = f"{variant}: {test['name']}"
    output = (test.get('stdout') or '') + (test.get('stderr') or '')
    rows = re.findall(r'^(ok|not ok)\b(.*)$', test.get('stdout') or '', flags=re.M)
    good = 0
    for verdict, rest in rows:
        if re.search(r'#\s*(skip|todo)', rest, flags=re.I):
            tally.fail(f'{name}: skipped:{rest}')
        elif verdict == 'ok':
            good += 1
        else:
            tally.fail(f'{name}:{rest}', output)
            output = ''
    tally.passed += good
    bad = len(rows) - good
    if test['result'] == 'OK':
        tally.passed += 0 if rows else 1
    elif bad == 0:
        tally.fail(f"{name}: {test['result'].lower()}, status {test.get('returncode')}", output)


def test(name, directory, token, tally, jobs):
    scratch = pathlib.Path(tempfile.mkdtemp(prefix='rouse-'))
    scratch.chmod(0o1777)  # tests of rights come here as other users
    before = (tally.passed, tally.failed)
    command = ['meson', 'test', '-C', str(directory), '--no-rebuild', '--num-processes', str(jobs),
               '--timeout-multiplier', str(VARIANTS[name]['times'])]
    if name != 'gcc':
        command += ['--no-suite', 'checks']
    if name == 'tsan':
        command += ['--no-suite', 'starved']  # one thread, tens of thousands of runs: nothing for it to see
        command = without_sudden_layout(directory) + command
    log = directory / 'meson-logs/testlog.json'
    log.unlink(missing_ok=True)
    try:
        run_and_reap(command, OUT / f'{name}-test.log', test_environment(name, token, scratch))
        tests = [json.loads(line) for line in read(log).decode(errors='replace').splitlines()]
        for one in tests:
            count(name, one, tally)
        if (tally.passed, tally.failed) == before:
            tally.fail(f'{name}: no test ran', read(OUT / f'{name}-test.log').decode(errors='replace'))
    finally:
        end_processes(directory, token, tally)
        left = sorted(str(path.relative_to(scratch)) for path in scratch.rglob('*') if path.name != 'home')
        shutil.rmtree(scratch, ignore_errors=True)
    if left:
        tally.fail(f'{name}: files left behind by the tests', '\n'.join(left))


def show(failures):
    for what, output in failures[:SHOWN_TESTS]:
        print(f'\nFAILED {what}')
        lines = output[-SHOWN_BYTES:].splitlines()
        if len(lines) > SHOWN_LINES:
            lines = lines[:SHOWN_LINES // 2] + ['…'] + lines[-SHOWN_LINES // 2:]
        for line in lines:
            print(f'    {line}')
    if len(failures) > SHOWN_TESTS:
        print(f'\n… and {len(failures) - SHOWN_TESTS} more')
    for what, _output in failures[SHOWN_TESTS:]:
        print(f'FAILED {what}')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--only', action='append', choices=VARIANTS)
    parser.add_argument('--jobs', type=int, default=2)
    arguments = parser.parse_args()
    become_subreaper()
    OUT.mkdir(exist_ok=True)
    tally = Tally()
    token = f'rouse-{secrets.token_hex(12)}'
    for name in arguments.only or VARIANTS:
        start = time.monotonic()
        directory = OUT / name
        say(f'{name}: building')
        if not build(name, directory, tally):
            say(f'{name}: the build failed')
            continue
        say(f'{name}: built in {seconds(start)}; testing')
        start = time.monotonic()
        before = (tally.passed, tally.failed)
        test(name, directory, token, tally, arguments.jobs)
        say(f'{name}: {tally.passed - before[0]} passed, {tally.failed - before[1]} failed in {seconds(start)}')
    show(tally.failures)
    print(f'\n{tally.passed} passed, {tally.failed} failed', flush=True)
    return 1 if tally.failed or tally.passed == 0 else 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
