#!/usr/bin/env python3
"""The public functions, once: declared with ROUSE_API in include/rouse/, listed in src/librouse.map, exported by
librouse.so. Fails when the three differ.

    symbols.py [--library librouse.so]    compares
    symbols.py --update                   writes new functions into the version script
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
MAP = ROOT / 'src/librouse.map'
HEAD = '# The functions that librouse exports; tools/symbols.py keeps the list in step with the headers.\n'


def without_comments(text):
    return re.sub(r'/\*.*?\*/', ' ', text, flags=re.S)


def declared():
    names = set()
    for header in sorted((ROOT / 'include/rouse').glob('*.h')):
        text = re.sub(r'^#.*(?:\\\n.*)*$', '', without_comments(header.read_text()), flags=re.M)
        for declaration in re.findall(r'\bROUSE_API\b([^;]*);', text):
            found = re.search(r'\b(rouse_\w+)\s*(?:\(|$|\[)', declaration)
            if not found:
                sys.exit(f'{header.name}: cannot read the declaration "{" ".join(declaration.split())}"')
            names.add(found.group(1))
    return names


def listed():
    text = MAP.read_text() if MAP.exists() else ''
    return set(re.findall(r'^\s+(rouse_\w+);', text, flags=re.M))


def exported(library):
    out = subprocess.run(['nm', '-D', '--defined-only', library], capture_output=True, text=True, check=True).stdout
    names = {line.split()[-1] for line in out.splitlines()}
    return {re.sub(r'@.*', '', name) for name in names if not name.startswith('ROUSE_')}


def update(names):
    body = ''.join(f'    {name};\n' for name in sorted(names))
    MAP.write_text(f'{HEAD}ROUSE_0.1 {{\nglobal:\n{body}local:\n    *;\n}};\n')


def differences(left, right, left_name, right_name):
    for name in sorted(left - right):
        yield f'{name} is {left_name} but not {right_name}'
    for name in sorted(right - left):
        yield f'{name} is {right_name} but not {left_name}'


def main(arguments):
    if arguments == ['--update']:
        return update(declared())
    complaints = list(differences(declared(), listed(), 'declared', 'listed in src/librouse.map'))
    if arguments[:1] == ['--library']:
        complaints += differences(listed(), exported(arguments[1]), 'listed in src/librouse.map', 'exported')
    for line in complaints:
        print(line)
    return 1 if complaints else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
