#!/usr/bin/env python3
"""Every public function of the store, the state, the tasks, models and agents that can run out of memory occurs in a test that
fails the n-th allocation for every n: those that return a code, or something that the caller owns."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HEADERS = ('state.h', 'store.h', 'task.h', 'work.h', 'model.h', 'agent.h')
TESTS = ('tests/storage/test_alloc.c', 'tests/task/test_alloc.c', 'tests/torture/operations.c', 'tests/torture/operations_work.c',
         'tests/agent/test_starved.c')
# Not there, and why.
LEFT_OUT = {
    'rouse_edit_get': 'in the reducers of tests/storage/keys.c',
    'rouse_edit_put': 'in the reducers of tests/storage/keys.c',
    'rouse_edit_remove': 'in the reducers of tests/storage/keys.c',
    'rouse_task_resize': 'talks to the supervisor, and allocates nothing but a path',
    'rouse_task_write': 'allocates only where rouse_task_get does, and then talks to the supervisor',
    'rouse_store_register': 'in items_register of tests/storage/keys.c',
}


def functions(header):
    """(name, what it returns) of each declaration."""
    text = re.sub(r'/\*.*?\*/', '', header, flags=re.S)
    for returned, name in re.findall(r'ROUSE_API\s+([^;({]*?)\b(rouse_\w+)\s*\(', text):
        yield name, ' '.join(returned.split())


def can_fail(returned):
    return returned == 'int' or (returned.endswith('*') and not returned.startswith('const '))


def missing(headers, tests):
    for header in headers:
        for name, returned in functions(header):
            if can_fail(returned) and name not in LEFT_OUT and not re.search(rf'\b{name}\b', tests):
                yield name


def self_test():
    header = '/* ROUSE_API int rouse_no(void); */ ROUSE_API int rouse_a(int x); ROUSE_API const char *rouse_b(void);\n' \
             'ROUSE_API struct s *rouse_c(\n    int x); ROUSE_API void rouse_d(void);'
    return list(missing([header], 'x')) == ['rouse_a', 'rouse_c'] and list(missing([header], 'rouse_a(1) rouse_c')) == []


def main():
    if not self_test():
        sys.exit('starved: the self-test fails')
    tests = ''.join((ROOT / path).read_text() for path in TESTS if (ROOT / path).exists())
    found = list(missing([(ROOT / 'include/rouse' / header).read_text() for header in HEADERS], tests))
    for name in found:
        print(f'{name} occurs in no test of lacking memory ({", ".join(TESTS)})')
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
