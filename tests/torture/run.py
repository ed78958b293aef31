#!/usr/bin/env python3
"""The long forms of the torture tests: every fault, and random seeds for a time.

    run.py --build DIR [--seconds N] [--seed N]

Each program runs for its share of the time; what needs one long row (every n of every fault) takes as long as it takes. Seeds are
printed, and a failing program is shown whole. The last line is "N passed, N failed".
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

# Which programs there are, and their share of the time. Two run at once.
SHARES = {'power': 1.0, 'members': 0.5, 'hands': 0.5, 'threads': 0.5, 'processes': 0.5, 'steps': 0.5, 'machine': 0.0, 'clock': 0.0, 'faults': 0.0}
AT_ONCE = 2


def start(build, name, seconds, seed, scratch):
    environment = {**os.environ, 'TORTURE_SECONDS': str(seconds), 'TORTURE_SEED': str(seed), 'CMOCKA_MESSAGE_OUTPUT': 'TAP',
                   'MEMBER': str(build / 'tests/torture/torture_member'), 'HAND': str(build / 'tests/torture/torture_hand'),
                   'DOOMED': str(build / 'tests/torture/torture_doomed'), 'ROUSE_TEST_STOPPER': str(build / 'tests/proc/stopper'),
                   'ROUSE_SHIM': str(build / 'rouse-shim'), 'ROUSE_PROGRAM': str(build / 'rouse'), 'TMPDIR': scratch}
    environment.pop('ROUSE_TEST_SEED', None)
    command = [build / f'tests/torture/test_torture_{name}']
    if name == 'processes':
        command = [sys.executable, pathlib.Path(__file__).parent / 'processes.py', '--seconds', str(seconds), '--seed', str(seed)]
    if name == 'machine':
        command = [sys.executable, pathlib.Path(__file__).parent / 'machine.py']
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            errors='replace', env=environment)


def finish(name, child, begin):
    """(passed, failed) of a program that has ended, or that is waited for."""
    output = child.communicate()[0]
    rows = re.findall(r'^(ok|not ok)\b', output, flags=re.M)
    good, bad = rows.count('ok'), rows.count('not ok')
    if child.returncode != 0 and bad == 0:
        bad = 1
    print(f'torture: {name}: {good} passed, {bad} failed in {time.monotonic() - begin:.0f} s')
    for line in output.splitlines():
        if bad or line.startswith('# seed') or 'kill' in line:
            print(f'    {line}')
    sys.stdout.flush()
    return good, bad


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--build', type=pathlib.Path, required=True)
    parser.add_argument('--seconds', type=int, default=600)
    parser.add_argument('--seed', type=int, default=int.from_bytes(os.urandom(4), 'big'))
    arguments = parser.parse_args()
    print(f'torture: seed {arguments.seed}, {arguments.seconds} s', flush=True)
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix='rouse-torture-') as scratch:
        waiting, running = list(SHARES), []
        while waiting or running:
            while waiting and len(running) < AT_ONCE:
                name = waiting.pop(0)
                seconds = max(1, round(arguments.seconds * SHARES[name]))
                running.append((name, start(arguments.build.resolve(), name, seconds, arguments.seed, scratch), time.monotonic()))
            done = next((one for one in running if one[1].poll() is not None), running[0] if not waiting else None)
            if done is None:
                time.sleep(0.2)
                continue
            running.remove(done)
            good, bad = finish(*done)
            passed, failed = passed + good, failed + bad
    print(f'\n{passed} passed, {failed} failed')
    return 1 if failed or not passed else 0


if __name__ == '__main__':
    sys.exit(main())
