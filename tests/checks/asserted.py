#!/usr/bin/env python3
"""Every test that tests/README.md names exists, and every row of its tables names one or says why not."""
import pathlib
import re
import sys

TESTS = pathlib.Path(__file__).resolve().parent.parent


# The numbered rows of each section.
ROWS = {2: (1, 2, 3, 5, 6), 3: (1, 3, 4, 5, *range(7, 14)), 4: (1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, *range(16, 26)), 5: (1, 3, 4),
        6: (1, 3, 4, 5, 7, 8, 9, 11, 12, 13, 15, 16), 7: (1, 2, 4, 5, 7, 8, 9, 11, 12), 8: (1,)}


def missing_rows(text):
    for section, wanted in ROWS.items():
        part = re.search(rf'^### Section {section}:.*?(?=^### |\Z)', text, flags=re.M | re.S)
        rows = re.findall(r'^\| (\d[\d, ]*)', part.group() if part else '', flags=re.M)
        numbers = {int(number) for row in rows for number in re.findall(r'\d+', row)}
        for number in sorted(set(wanted) - numbers):
            yield f'section {section}: row {number} is missing'


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
    text = (TESTS / 'README.md').read_text()
    found = [*complaints(text), *missing_rows(text)]
    for one in found:
        print(f'tests/README.md: {one}')
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
