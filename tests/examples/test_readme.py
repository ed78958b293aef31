#!/usr/bin/env python3
"""README's first ten minutes, typed on a terminal: what it shows is what is seen."""
import os
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'cli'))

from harness import ROUSE, Terminal, equal, main, test  # noqa: E402

README = HERE.parent.parent / 'README.md'


def lines_typed():
    """(line, what README shows behind it)."""
    text = README.read_text()
    section = text[text.index('### At a shell'):text.index('### With an agent')]
    for line, shown in re.findall(r'^    \$ (.*)\n((?:    (?!\$ ).*\n)*)', section, re.M):
        yield line, re.sub('^    ', '', shown, flags=re.M)


def same_each_time(text):
    text = re.sub(r'\b\d+(\.\d)?s\b', 'AGE', text)
    text = re.sub(r'\b\d{4,5}\b', 'PORT', text)
    return re.sub(' +', ' ', text)


@test
def the_first_ten_minutes(place):
    env = {'PATH': os.path.dirname(ROUSE) + ':' + os.environ['PATH'], 'NO_COLOR': '1'}
    typed = list(lines_typed())
    assert len(typed) >= 15, typed
    for line, shown in typed:
        _, seen = Terminal(place, '-c', line, program='/bin/bash', columns=120, env=env).end()
        equal((line, same_each_time(seen)), (line, same_each_time(shown)))


main()
