#!/usr/bin/env python3
"""Rules of style that a machine can hold: short files, short functions, no tabs, no trailing space, every public function
described.

    lint.py               checks this repository
    lint.py --self-test   checks that each rule is held
"""
import pathlib
import re
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILE_LINES = 800
FUNCTION_LINES = 80
LINE_COLUMNS = 140
FOLDERS = ('include', 'src', 'tests', 'examples', 'bench')


def functions(lines):
    """(first line, length) of each function body: the house writes its braces alone at the margin."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == '{':
            start = number
        elif start and line.startswith('}'):
            yield start, number - start + 1
            start = None


def undescribed(lines):
    """Lines of public declarations in whose paragraph no comment stands before them."""
    described = False
    for number, line in enumerate(lines, 1):
        if not line.strip():
            described = False
        if '/*' in line:
            described = True
        if line.startswith('ROUSE_API') and not described:
            yield number


def file_complaints(path, text):
    lines = text.split('\n')
    if not text.endswith('\n') or text.endswith('\n\n'):
        yield f'{path}: ends without a newline, or with an empty line'
    if len(lines) - 1 > FILE_LINES:
        yield f'{path}: {len(lines) - 1} lines, {FILE_LINES} at most'
    for number, line in enumerate(lines, 1):
        if '\t' in line or '\r' in line:
            yield f'{path}:{number}: a tab or a carriage return'
        if line != line.rstrip():
            yield f'{path}:{number}: a space at the end'
        if len(line) > LINE_COLUMNS:
            yield f'{path}:{number}: {len(line)} columns, {LINE_COLUMNS} at most'
    for number, length in functions(lines):
        if length > FUNCTION_LINES:
            yield f'{path}:{number}: a function of {length} lines, {FUNCTION_LINES} at most'
    if path.parts[0] == 'include':
        for number in undescribed(lines):
            yield f'{path}:{number}: a public function without a description'


def check(root):
    complaints = []
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob('*.[ch]')):
            if 'node_modules' not in path.parts:
                complaints += file_complaints(path.relative_to(root), path.read_text())
    return complaints


def self_test():
    body = 'int f(void)\n{\n' + '    f();\n' * 78 + '}\n'
    rows = [
        ('src/base/a.c', body, True),
        ('src/base/a.c', body.replace('{\n', '{\n    f();\n'), False),
        ('src/base/a.c', 'int x;\n' * 800, True),
        ('src/base/a.c', 'int x;\n' * 801, False),
        ('src/base/a.c', 'int\tx;\n', False),
        ('src/base/a.c', 'int x; \n', False),
        ('src/base/a.c', 'int x;', False),
        ('src/base/a.c', 'int x;\n\n', False),
        ('src/base/a.c', '/*' + 'x' * 138 + '\n', True),
        ('src/base/a.c', '/*' + 'x' * 139 + '\n', False),
        ('include/rouse/a.h', '/* Says. */\nROUSE_API int f(void);\nROUSE_API int g(void);\n', True),
        ('include/rouse/a.h', '/* Says. */\nROUSE_API int f(void);\n\nROUSE_API int g(void);\n', False),
    ]
    wrong = 0
    for path, text, allowed in rows:
        with tempfile.TemporaryDirectory() as directory:
            file = pathlib.Path(directory) / path
            file.parent.mkdir(parents=True)
            file.write_text(text)
            if (check(pathlib.Path(directory)) == []) != allowed:
                print(f'{path}: {text[-60:]!r}: should be {"allowed" if allowed else "refused"}')
                wrong = 1
    return wrong


def main(arguments):
    if arguments == ['--self-test']:
        return self_test()
    complaints = check(ROOT)
    for line in complaints:
        print(line)
    return 1 if complaints else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
