#!/usr/bin/env python3
"""Waiting sleeps in the kernel: no call of it comes back because time has passed."""
import re
import subprocess

from harness import PATIENCE, ROUSE, main, test


@test
def wait_has_no_timed_wake_ups(place):
    fifo = place.fifo('go')
    place.good('run', '-d', '-c', f'cat {fifo}')
    place.good('run', '-d', '-c', f'cat {fifo}')
    trace = place.path('trace')
    waiter = subprocess.Popen(['strace', '-f', '-o', trace, ROUSE, 'wait', 'bg_0'], env=place.env, stdout=subprocess.DEVNULL)
    while True:  # until it sleeps
        try:
            with open(trace) as f:
                if re.search(r'poll\(.*, -1$', f.read()):
                    break
        except FileNotFoundError:
            pass
    place.good('cancel', 'bg_1')  # news that is not for it
    place.write(fifo)
    assert waiter.wait(PATIENCE) == 0
    with open(trace) as f:
        text = f.read()
    assert re.findall(r'\bpoll\(', text)
    for timed in re.findall(r'\b(?:poll|epoll_wait)\(.*?, ([0-9]+)\)', text):
        assert timed == '0', text
    assert not re.search(r'nanosleep\(|timerfd_settime\(|select\(', text), text


main()
