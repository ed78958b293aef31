#!/usr/bin/env python3
"""Each known defect of the seed's runtime has a test that carries its number and that its program runs, and tests/README.md
names it. Which numbers there are is written here, so that a row that goes is missed."""
import pathlib
import re
import sys

TESTS = pathlib.Path(__file__).resolve().parent.parent
NUMBERS = range(1, 34)


def complaints(readme, sources):
    rows = dict((int(number), (path, name)) for number, path, name in
                re.findall(r'^\| (\d+) \| `([^`]+)` (defect_\w+) \|$', readme, flags=re.M))
    for number in NUMBERS:
        path, name = rows.get(number, ('', ''))
        if not name.startswith(f'defect_{number:02}_'):
            yield f'no test of defect {number} is named'
        elif path not in sources:
            yield f'defect {number}: there is no {path}'
        # Once where it is written, once where its program lists it.
        elif len(re.findall(rf'\b{name}\b', sources[path])) < 2:
            yield f'defect {number}: {path} does not run {name}'


def self_test():
    readme = ''.join(f'| {n} | `a.c` defect_{n:02}_x |\n' for n in NUMBERS)
    source = ''.join(f'void defect_{n:02}_x(void) run(defect_{n:02}_x) ' for n in NUMBERS)
    return (not list(complaints(readme, {'a.c': source}))
            and len(list(complaints(readme.replace('| 7 |', '| 77 |'), {'a.c': source}))) == 1
            and len(list(complaints(readme, {'a.c': source.replace('run(defect_09_x)', '')}))) == 1)


def main():
    if not self_test():
        sys.exit('defects: the self-test fails')
    sources = {str(path.relative_to(TESTS)): path.read_text() for path in TESTS.rglob('*.c')}
    found = list(complaints((TESTS / 'README.md').read_text(), sources))
    for one in found:
        print(f'tests/README.md: {one}')
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
