#!/usr/bin/env python3
"""What does not work: the exit status of the contract, exactly one line on standard error, nothing half-done."""
import os
import sqlite3

from harness import equal, main, test


def refused(place, status, text, *args, **how):
    ran = place(*args, **how)
    assert ran.status == status, f'status {status} wanted; {ran}'
    assert ran.err.startswith('rouse: ') and ran.err.count('\n') == 1 and text in ran.err, f'{text!r} wanted; {ran}'
    assert ran.out == '', ran


USE = [
    ('no command given', []),
    ("unknown option '--foo'; see 'rouse --help'", ['--foo']),
    ("unknown command 'frobnicate'; see 'rouse --help'", ['frobnicate']),
    ("unknown command 'cancle' (did you mean 'cancel'?)", ['cancle', 'x']),
    ("run: unknown option '--foo'; see 'rouse run --help'", ['run', '--foo', '--', 'true']),
    ("(did you mean '--timeout'?)", ['run', '--timout', '5s', 'true']),
    ('run: no command given', ['run']),
    ('run: no command given', ['run', '-d', '--']),
    ('not both', ['run', '-c', 'true', 'false']),
    ('--session', ['run', '-d', '--session', 'true']),
    ("'5 minutes' is not a duration", ['run', '--timeout', '5 minutes', 'true']),
    ('leaves no time', ['run', '--timeout', '0', 'true']),
    ("needs a value", ['run', '--name']),
    ("'a b' cannot be a name", ['run', '--name', 'a b', 'true']),
    ("'' cannot be a name", ['run', '--name', '', 'true']),
    ("'bg_1' cannot be a name", ['run', '--name', 'bg_1', 'true']),
    ("'parent' is a reserved name", ['run', '--name', 'parent', 'true']),
    ("'NOVALUE' sets nothing", ['run', '--env', 'NOVALUE', 'true']),
    ("--cwd '/nowhere'", ['run', '--cwd', '/nowhere', 'true']),
    ("--cwd", ['run', '--cwd', '/etc/passwd', 'true']),
    ('no command given', ['run', '--', '']),
    ('thread', ['run', '--thread', 'a\nb', 'true']),
    ('thread', ['ls', '--thread', 'x' * 300]),
    ("--status 'done' is none of", ['ls', '--status', 'done']),
    ("'many' is not a whole number", ['ls', '--limit', 'many']),
    ('--limit 0', ['ls', '--limit', '0']),
    ('not both', ['ls', '--thread', 't', '--all-threads']),
    ("'extra' is too much", ['ls', 'extra']),
    ('show: no id or name given', ['show']),
    ("'bg_2' is too much", ['show', 'bg_1', 'bg_2']),
    ('not both', ['logs', '--tail', '1', '--offset', '1', 'bg_0']),
    ('--json goes with neither', ['logs', '--json', '-f', 'bg_0']),
    ('not both', ['wait', '--any', '--all']),
    ("--until 'never'", ['wait', '--until', 'never', 'bg_0']),
    ('cancel: no id or name given', ['cancel']),
    ('not both', ['cancel', '--all', 'bg_0']),
    ("'FOO' is not a signal", ['cancel', '--signal', 'FOO', 'bg_0']),
    ('--all-threads goes with --all', ['cancel', '--all-threads', 'bg_0']),
    ('--budget must be', ['view', '--budget', '3']),
    ('import: no file given', ['import']),
    ('reap: no id given', ['reap']),
    ("unknown command 'nothing'", ['help', 'nothing']),
    ('no prompt given', ['agent', '--model', 'scripted:x']),
    ('not both', ['agent', '--json', '--jsonl', 'hi']),
    ('--max-rounds', ['agent', '--max-rounds', '0', 'hi']),
]


@test
def wrong_use(place):
    for text, args in USE:
        refused(place, 2, text, *args)
    if os.path.exists(place.store):
        equal(place.good('ls', '-a', '--all-threads', '--json').json, [])


@test
def a_bad_pattern(place):
    refused(place, 2, '', 'run', '--ready-when', '(', 'true')
    equal(place.good('ls', '-a', '--json').json, [])


@test
def commands_that_cannot_be_run(place):
    with open(place.path('text'), 'w') as f:
        f.write('hello')
    for flags in ([], ['-d']):
        refused(place, 127, "cannot run 'no-such-command': No such file or directory", 'run', *flags, '--', 'no-such-command')
        refused(place, 126, f"cannot run '{place.path('text')}': Permission denied", 'run', *flags, '--', place.path('text'))
        refused(place, 126, "cannot run '/': ", 'run', *flags, '--', '/')
    equal({r['status'] for r in place.good('ls', '-a', '--json').json}, {'failed'})
    equal(place('wait', 'bg_0').status, 127)
    equal(place('wait', 'bg_1').status, 126)


@test
def no_such_task(place):
    for args in (['show'], ['logs'], ['logs', '-f'], ['wait'], ['cancel'], ['reap']):
        refused(place, 3, "no task 'bg_99'", *args, 'bg_99')
    for name in ('nobody', 'bg_', 'bg_99999999999999999999999', '../../etc', 'bg_1/..', '', '%s%n', 'BG_0'):
        refused(place, 3, 'no task', 'show', '--', name)
    place.good('run', '--thread', 'other', '--name', 'there', 'true')
    refused(place, 3, "no task 'there' in thread 'default'", 'show', 'there')
    refused(place, 3, '', 'ls', '--before', 'bg_99')


@test
def a_name_in_use(place):
    place.good('run', '-d', '--name', 'x', 'sleep', '600')
    refused(place, 4, "a running task named 'x' already exists", 'run', '-d', '--name', 'x', 'true')
    place.good('run', '-d', '--name', 'x', '--thread', 'other', 'true')
    place.good('cancel', 'x')
    place.good('run', '-d', '--name', 'x', 'true')


@test
def stores_that_cannot_be_used(place):
    os.makedirs(place.path('file.d'))
    with open(place.path('file'), 'w') as f:
        f.write('a file')
    places = [place.path('file'), place.path('file', 'below'), '/proc/rouse-store']
    if os.geteuid() != 0:
        os.chmod(place.path('file.d'), 0o500)
        places.append(place.path('file.d', 'below'))
    for where in places:
        for args in (['run', '-d', 'true'], ['ls'], ['show', 'bg_0'], ['wait', 'bg_0'], ['cancel', '--all'], ['view'], ['export']):
            refused(place, 5, '', *args, env={'ROUSE_STORE': where})
            refused(place, 5, '', *args[:1], '--store', where, *args[1:])


@test
def a_store_that_is_not_there(place):
    for args in (['ls'], ['show', 'bg_0'], ['wait', 'bg_0'], ['cancel', '--all'], ['logs', 'bg_0'], ['export'], ['reap', 'bg_0']):
        refused(place, 5, "no store at 'nowhere'", *args[:1], '--store', 'nowhere', *args[1:])
    equal(os.path.exists(place.path('nowhere')), False)


@test
def a_corrupt_store(place):
    place.good('run', 'true')
    place.settle()
    path = place.path('store', 'rouse.db')
    for suffix in ('-wal', '-shm'):
        if os.path.exists(path + suffix):
            os.unlink(path + suffix)
    with open(path, 'r+b') as f:
        f.write(b'This is not a database at all. ' * 100)
    before = os.listdir(place.path('store', 'tasks'))
    for args in (['run', '-d', 'true'], ['ls'], ['show', 'bg_0'], ['export']):
        refused(place, 5, place.store, *args)
    equal(os.listdir(place.path('store', 'tasks')), before)


@test
def a_newer_store(place):
    place.good('run', 'true')
    place.settle()
    db = sqlite3.connect(place.path('store', 'rouse.db'))
    db.execute('pragma user_version = 99')
    db.commit()
    db.close()
    for args in (['run', '-d', 'true'], ['ls']):
        refused(place, 5, 'version 99', *args)


@test
def stores_of_other_kinds(place):
    refused(place, 1, '', 'ls', '--store', 'postgres://localhost/x')


@test
def no_supervisor(place):
    refused(place, 3, "'/nowhere/rouse-shim'", 'run', 'true', env={'ROUSE_SHIM': '/nowhere/rouse-shim'})
    equal(place.good('ls', '-a', '--json').json, [])


@test
def documents_that_cannot_be_imported(place):
    refused(place, 3, "'missing.json'", 'import', 'missing.json')
    place('run', '--name', 'kept', 'true')
    before = place.good('export').out
    for text in (b'', b'{', b'[]', b'{"revision":1}', b'{"revision":-1,"extensions":{}}', b'\xff',
                 b'{"revision":1,"extensions":{"background_task_state":{"tasks":{"bg_0":{}}}}}'):
        ran = place('import', '-', stdin=text)
        assert ran.status == 1 and ran.err.count('\n') == 1, (text, ran)
    refused(place, 2, 'unknown key: future', 'import', '--strict', '-', stdin=b'{"revision":1,"extensions":{"future":1}}')
    equal(place.good('export').out, before)


@test
def output_that_cannot_be_written(place):
    place.good('run', '-c', 'echo hi')
    for args in (['ls', '-a'], ['logs', 'bg_0'], ['show', 'bg_0'], ['--help'], ['export']):
        with open('/dev/full', 'wb') as full:
            ran = place.start(*args, stdout=full, stderr=-1)
            err = ran.communicate()[1].decode()
        assert ran.returncode == 1 and err == 'rouse: cannot write the output: No space left on device\n', (args, ran.returncode, err)


@test
def a_reader_that_goes_away(place):
    place.good('run', '-d', '--name', 'x', '--ready-when', '^9', '-c', 'seq 1 100000; exec sleep 600')
    place.good('wait', '--until', 'ready', 'x')
    for args in (['logs', '-f', 'x'], ['run', '--name', 'y', '-c', 'seq 1 100000; exec sleep 600']):
        ran = place.start(*args, stdout=-1, stderr=-1)
        ran.stdout.readline()
        ran.stdout.close()
        equal(ran.stderr.read(), b'')
        ran.wait()
    # It only stopped looking.
    equal({r['name'] for r in place.good('ls', '--json').json}, {'x', 'y'})


@test
def closed_standard_descriptors(place):
    for fds in ((1,), (0, 1), (0, 1, 2)):
        def close(fds=fds):
            for fd in fds:
                os.close(fd)
        ran = place.start('run', '-d', 'true', preexec_fn=close, stderr=-3)
        assert ran.wait() in (0, 1)
    place.good('wait')
    place.good('doctor')


@test
def agents_that_cannot_begin(place):
    with open(place.path('bad.json'), 'w') as f:
        f.write('{"turns": [')
    refused(place, 3, 'missing.json', 'agent', '--model', 'scripted:missing.json', 'hi')
    refused(place, 1, 'bad.json', 'agent', '--model', 'scripted:bad.json', 'hi')
    refused(place, 2, 'model', 'agent', 'hi', env={'ROUSE_MODEL': None})
    refused(place, 1, '', 'agent', '--model', 'openai:m', 'hi', env={'OPENAI_BASE_URL': 'http://127.0.0.1:1/v1'})


main()
