#!/usr/bin/env python3
"""Every test that tests/README.md names exists, and every row of its tables names one or says why not."""
import pathlib
import re
import sys

TESTS = pathlib.Path(__file__).resolve().parent.parent


def complaints(text):
    section = text[text.index('## What the seed'):]
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip('|').split('|')]
        if not line.startswith('| ') or len(cells) != 2 or cells == ['row', 'shown by']:
            continue
        row, shown = cells
        if shown.startswith('left out: '):
            continue
        named = re.findall(r'`([^`]+)` ([^;]+)', shown)
        if not named:
            yield f'{row}: no test is named'
        for path, tests in named:
            file = TESTS / path
            source = file.read_text() if file.is_file() else None
            if source is None:
                yield f'{row}: there is no {path}'
            for name in re.split(r', ', tests.strip()) if source is not None else []:
                if not re.search(rf'\b{re.escape(name)}\b', source):
                    yield f'{row}: no {name} in {path}'


def main():
    found = list(complaints((TESTS / 'README.md').read_text()))
    for one in found:
        print(f'tests/README.md: {one}')
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
