#!/usr/bin/env python3
"""What librouse.a may not hold: variables of its own that can change, and calls that print, end the process, start a
thread or change how the process handles signals. Reads the archive's symbols with objdump.

    library.py librouse.a
"""
import re
import subprocess
import sys

# (object, variable): allowed, with the reason beside it.
ALLOWED_VARIABLES = set()
# What a library does not do behind its caller's back. __assert_fail is not here: bugs assert.
FORBIDDEN_CALLS = {
    'exit', '_exit', '_Exit', 'abort', 'quick_exit', 'atexit', 'on_exit',
    'printf', 'vprintf', 'puts', 'putchar', 'perror', 'psignal', 'stdout', 'stderr', 'stdin', 'syslog',
    'err', 'errx', 'warn', 'warnx', 'error',
    'pthread_create', 'thrd_create', 'signal', 'sigaction', 'setenv', 'unsetenv', 'putenv', 'chdir', 'fchdir', 'umask',
    'setlocale', 'alarm', 'setitimer', 'daemon', 'system', 'popen',
    'sqlite3_config', 'curl_global_cleanup',
}
# (object, function): allowed, with the reason beside it.
ALLOWED_CALLS = {
    ('runtime.c.o', 'pthread_create'),  # rouse_pool_new: threads are what its caller asks for, and how many
}
CHANGING = re.compile(r'^(\.data(?!\.rel\.ro)|\.bss|\.tdata|\.tbss|\*COM\*)')


def complaints_of(text):
    where, objects = '', 0
    for line in text.splitlines():
        header = re.match(r'(\S+\.o):\s+file format', line)
        if header:
            where = header.group(1)
            objects += 1
        found = re.match(r'[0-9a-f]{16} (.{7}) (\S+)\s+[0-9a-f]{16}\s+(?:\.hidden\s+)?(\S+)$', line)
        if not found:
            continue
        flags, section, name = found.groups()
        if CHANGING.match(section) and 'd' not in flags and (where, name) not in ALLOWED_VARIABLES:
            yield f'{where}: the variable {name} can change; a library keeps its state in handles'
        if section == '*UND*' and name in FORBIDDEN_CALLS and (where, name) not in ALLOWED_CALLS:
            yield f'{where}: uses {name}, which a library does not'
    if objects == 0:
        yield 'no objects in the archive'


def main(arguments):
    out = subprocess.run(['objdump', '-t', arguments[0]], capture_output=True, text=True, check=True).stdout
    complaints = list(complaints_of(out))
    for line in complaints:
        print(line)
    return 1 if complaints else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
