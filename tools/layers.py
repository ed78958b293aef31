#!/usr/bin/env python3
"""The order of the rooms, held: reads the #include lines under src/ and include/ and fails on an arrow that points the
wrong way, and on an outside library included outside its room.

    layers.py               checks this repository
    layers.py --self-test   checks that a wrong arrow is found
"""
import pathlib
import re
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent

# The one table of ARCHITECTURE.md, section 2: a room may include itself and these.
LIBRARY = ['base', 'json', 'state', 'storage', 'task', 'agent']
ARROWS = {
    'base': [],
    'json': LIBRARY[:1],
    'state': LIBRARY[:2],
    'storage': LIBRARY[:3],
    'proc': ['base'],
    'shim': [],
    'task': LIBRARY[:4] + ['proc'],
    'agent': LIBRARY[:5],
    'model': LIBRARY,
    'tools': LIBRARY,
    'cli': LIBRARY + ['proc', 'model', 'tools'],
}
# The supervisor is a program of its own: of the rooms it knows these headers only.
ALSO = {'shim': ['proc/confine.h', 'proc/feed.h', 'proc/listeners.h', 'proc/match.h', 'proc/pieces.h', 'proc/proc.h', 'proc/protocol.h',
                 'proc/reading.h', 'proc/record.h', 'proc/signals.h', 'proc/starter.h', 'proc/tree.h', 'proc/words.h', 'base/limits.h', 'base/banned.h']}
# A public header belongs to the room that implements it.
PUBLIC = {
    'rouse/error.h': 'base', 'rouse/platform.h': 'base', 'rouse/state.h': 'state', 'rouse/store.h': 'storage',
    'rouse/task.h': 'task', 'rouse/work.h': 'task', 'rouse/agent.h': 'agent', 'rouse/model.h': 'agent',
}
# Outside libraries, and the rooms where they may be included.
OUTSIDE = {'jansson.h': ['json'], 'sqlite3.h': ['storage'], 'curl/': ['model'], 'libpq': ['storage'],
           'microhttpd.h': ['http'], 'cmocka.h': []}


def includes(path):
    for number, line in enumerate(path.read_text(errors='replace').splitlines(), 1):
        found = re.match(r'\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', line)
        if found:
            yield number, found.group(1) or found.group(2), found.group(1) is not None


def complaint(room, header, quoted):
    """What is wrong with one #include of a room, or None."""
    for library, rooms in OUTSIDE.items():
        if header.startswith(library) and room not in rooms:
            return f'{header} is for {", ".join("src/" + one for one in rooms) or "tests"} only'
    if header.startswith('rouse/'):
        if header not in PUBLIC:
            return f'{header} is not in the table of public headers'
        target = PUBLIC[header]
    elif quoted:
        target = header.split('/')[0]
        if '/' not in header or target not in ARROWS:
            return f'"{header}" is written without its room'
    else:
        return None
    if target == room or target in ARROWS[room] or header in ALSO.get(room, []):
        return None
    return f'{room} may not include {header}: {room} ← {", ".join(ARROWS[room]) or "nothing"}'


def check(root):
    complaints = []
    for path in sorted(root.glob('src/*/**/*.[ch]')):
        room = path.relative_to(root / 'src').parts[0]
        if room not in ARROWS:
            complaints.append(f'src/{room}: a room that the table does not know')
            continue
        for number, header, quoted in includes(path):
            wrong = complaint(room, header, quoted)
            if wrong:
                complaints.append(f'{path.relative_to(root)}:{number}: {wrong}')
    for path in sorted(root.glob('include/rouse/*.h')):
        name = f'rouse/{path.name}'
        if name not in PUBLIC:
            complaints.append(f'include/{name}: not in the table of public headers')
            continue
        for number, header, quoted in includes(path):
            wrong = complaint(PUBLIC[name], header, quoted)
            if quoted and not header.startswith('rouse/'):
                wrong = f'{header} is not public'
            if wrong:
                complaints.append(f'include/{name}:{number}: {wrong}')
    return complaints


def self_test():
    rows = [
        ('src/json/a.c', '#include "base/buf.h"', True),
        ('src/json/a.c', '#include <jansson.h>', True),
        ('src/json/a.c', '#include "json/value.h"', True),
        ('src/base/a.c', '#include "json/value.h"', False),
        ('src/state/a.c', '#include "storage/storage.h"', False),
        ('src/state/a.c', '  #  include "rouse/store.h"', False),
        ('src/task/a.c', '#include "proc/proc.h"', True),
        ('src/agent/a.c', '#include "proc/proc.h"', False),
        ('src/proc/a.c', '#include "task/manager.h"', False),
        ('src/model/a.c', '#include <curl/curl.h>', True),
        ('src/tools/a.c', '#include <curl/curl.h>', False),
        ('src/task/a.c', '#include <sqlite3.h>', False),
        ('src/task/a.c', '#include <cmocka.h>', False),
        ('src/task/a.c', '#include <jansson.h>', False),
        ('src/shim/a.c', '#include "base/buf.h"', False),
        ('src/task/a.c', '#include "manager.h"', False),
        ('src/cellar/a.c', '#include <stdio.h>', False),
        ('include/rouse/state.h', '#include <rouse/task.h>', False),
        ('include/rouse/task.h', '#include <rouse/state.h>', True),
        ('include/rouse/task.h', '#include "base/buf.h"', False),
    ]
    wrong = 0
    for path, line, allowed in rows:
        with tempfile.TemporaryDirectory() as directory:
            file = pathlib.Path(directory) / path
            file.parent.mkdir(parents=True)
            file.write_text(f'{line}\n')
            if (check(pathlib.Path(directory)) == []) != allowed:
                print(f'{path}: {line}: should be {"allowed" if allowed else "refused"}')
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
