#!/usr/bin/env python3
"""Each command doing what it is for."""
import json
import os

from harness import equal, main, test


def names_of(records):
    return [r['task_id'] for r in records]


@test
def run_shows_output_and_exits_as_the_command_did(place):
    ran = place('run', '--', 'sh', '-c', 'echo out; echo err >&2; exit 3')
    equal((ran.status, sorted(ran.out.split()), ran.err), (3, ['err', 'out'], ''))
    equal(place.good('run', 'echo', '-n', 'no dashes').out, 'no dashes')
    equal(place.good('run', '-c', 'echo $((6 * 7))').out, '42\n')


@test
def run_gives_the_bytes_as_they_are(place):
    done = place.start('run', '--', 'printf', r'\033[1m\377\000x\r\n', stdout=-1)
    equal(done.communicate()[0], b'\x1b[1m\xff\x00x\r\n')


@test
def run_loses_no_output_of_a_hasty_command(place):
    ran = place.good('run', '-c', 'seq 1 200000')
    equal(ran.out, ''.join(f'{i}\n' for i in range(1, 200001)))


@test
def run_reports_what_a_status_cannot_tell(place):
    killed = place('run', '-c', 'kill -9 $$')
    equal((killed.status, killed.err), (137, 'rouse: bg_0 failed: killed by signal 9 (Killed)\n'))
    late = place('run', '--timeout', '100ms', '--', 'sleep', '600')
    equal((late.status, late.err), (143, 'rouse: bg_1 failed: deadline passed; its process tree was ended\n'))
    silent = place('run', '--idle-timeout', '100ms', '--', 'sleep', '600')
    equal(silent.status, 143)
    assert 'wrote no output' in silent.err, silent


@test
def run_in_the_background_prints_the_id(place):
    equal(place.good('run', '-d', '--', 'true').out, 'bg_0\n')
    record = place.good('run', '-d', '--json', '-n', 'web', '--description', 'a server', '--', 'sleep', '600').json
    equal((record['task_id'], record['name'], record['description'], record['status']), ('bg_1', 'web', 'a server', 'running'))
    equal(record['ext']['argv'], ['sleep', '600'])


@test
def run_prints_the_record_at_the_end(place):
    ran = place('run', '--json', '-c', 'echo hidden; exit 4')
    equal((ran.status, ran.json['status'], ran.json['ext']['exit_code']), (4, 'failed', 4))


@test
def run_passes_the_environment(place):
    script = 'echo "$A $B $C"; echo $ROUSE_TASK $ROUSE_THREAD; pwd'
    os.mkdir(place.path('sub'))
    ran = place.good('run', '--env', 'B=2', '-e', 'C=x=3', '--env', 'C=y=4', '--cwd', 'sub', '-c', script,
                     env={'A': '1', 'B': '1'})
    equal(ran.out, f'1 2 y=4\nbg_0 default\n{os.path.realpath(place.path("sub"))}\n')


@test
def run_inside_a_task_is_its_child(place):
    place.good('run', '-c', 'exec "$ROUSE_PROGRAM" run -d -- true')
    equal(place.good('show', '--json', 'bg_1').json['parent_context'], {'task_id': 'bg_0'})
    # An id of another store says nothing about this one.
    place.good('run', '-c', 'exec "$ROUSE_PROGRAM" run --store other -d -- true')
    equal(place.good('show', '--store', 'other', '--json', 'bg_0').json['parent_context'], {})


@test
def ready_is_waited_for(place):
    fifo = place.fifo('go')
    place.good('run', '-d', '-n', 'web', '--ready-when', '^Serving on [0-9]+', '-c',
               f'echo Serving on nothing; read x < {fifo}; echo Serving on 80; exec sleep 600')
    equal(place('wait', '--until', 'ready', '--timeout', '1ms', 'web').status, 124)
    open(fifo, 'w').close()
    equal(place.good('wait', '--until', 'ready', 'web').out, 'bg_0 web: ready\n')
    equal(place.good('show', '--json', 'web').json['ext']['ready'], True)


@test
def ls_lists_running_ones_newest_first(place):
    place.good('ls')
    equal(place.good('ls', '--json').json, [])
    place.good('run', '-n', 'a', 'true')
    place.good('run', '-d', '-n', 'b', 'sleep', '600')
    place.good('run', '-d', '-n', 'c', 'sleep', '600')
    place.good('run', '-d', '--thread', 'other', 'sleep', '600')
    equal(names_of(place.good('ls', '--json').json), ['bg_2', 'bg_1'])
    equal(names_of(place.good('ls', '-a', '--json').json), ['bg_2', 'bg_1', 'bg_0'])
    equal(names_of(place.good('ls', '--json', '--all-threads').json), ['bg_3', 'bg_2', 'bg_1'])
    equal(names_of(place.good('ls', '--json', '--thread', 'other').json), ['bg_3'])
    equal(names_of(place.good('ls', '--json', '-s', 'completed').json), ['bg_0'])
    equal(names_of(place.good('ls', '--json', '-a', '--limit', '1').json), ['bg_2'])
    equal(names_of(place.good('ls', '--json', '-a', '--limit', '1', '--before', 'bg_2').json), ['bg_1'])


@test
def ls_is_stable_in_a_pipe(place):
    place('run', '-n', 'bad', '--description', 'two\nlines\tand \x1b[31mred', '-c', 'exit 9')
    place.good('run', '-d', 'sleep', '600')
    lines = [line.split('\t') for line in place.good('ls', '-a').out.splitlines()]
    created = [str(r['created_at_ms']) for r in place.good('ls', '-a', '--json').json]
    equal(lines, [['bg_1', '-', 'running', '-', created[0], 'default', 'sleep 600'],
                  ['bg_0', 'bad', 'failed', '9', created[1], 'default', 'two?lines?and ?[31mred']])


@test
def ls_shows_who_started_what(place):
    fifo = place.fifo('go')
    inner = '"$ROUSE_PROGRAM" run -d -n leaf sleep 600; "$ROUSE_PROGRAM" run -d --thread default/x -n far sleep 600; '
    place.good('run', '-d', '-n', 'top', '-c', inner + f'echo > {fifo}; sleep 600')
    place.listen(fifo)
    place.good('run', '-d', '-n', 'alone', 'sleep', '600')
    place.good('run', '-d', '--thread', 'stranger', 'sleep', '600')
    equal([r['name'] for r in place.good('ls', '--tree', '--json').json], ['top', 'leaf', 'far', 'alone'])
    equal(len(place.good('ls', '--tree', '--all-threads', '--json').json), 5)


@test
def show_tells_everything(place):
    place('run', '-n', 'x', '--', 'sh', '-c', "echo 'it is'; exit 7")
    record = place.good('show', '--json', 'x').json
    equal((record['task_id'], record['status'], record['error'], record['ext']['exit_code'], record['ext']['ended_by']),
          ('bg_0', 'failed', 'exit status 7', 7, 'self'))
    lines = dict(line.split('\t', 1) for line in place.good('show', 'bg_0').out.splitlines())
    equal((lines['task'], lines['status'], lines['command']), ('bg_0', 'failed: exit status 7', "sh -c 'echo '\\''it is'\\''; exit 7'"))
    equal(lines['created'], str(record['created_at_ms']))


@test
def logs_give_what_was_printed(place):
    place.good('run', '-n', 'x', '-c', r"printf 'one\ntwo\n\033[1mthree\033[0m\n10%%\r20%%\rdone\n'")
    equal(place.good('logs', 'x').out, 'one\ntwo\nthree\ndone\n')
    equal(place.good('logs', '--raw', 'bg_0').out, 'one\ntwo\n\x1b[1mthree\x1b[0m\n10%\r20%\rdone\n')
    equal(place.good('logs', '-n', '2', 'x').out, 'three\ndone\n')
    equal(place.good('logs', '--offset', '4', 'x').out, 'two\nthree\ndone\n')
    equal(place.good('logs', '--tail', '0', 'x').out, '')
    document = place.good('logs', '--offset', '4', '--json', 'x').json
    equal((document['offset'], document['next_offset'], document['text'], document['dropped']), (4, 35, 'two\nthree\ndone\n', 0))


@test
def logs_follow_to_the_end(place):
    fifo = place.fifo('go')
    place.good('run', '-d', '-n', 'x', '-c', f'echo early; read x < {fifo}; echo late; exit 5')
    follower = place.start('logs', '-f', 'x', stdout=-1)
    equal(follower.stdout.readline(), b'early\n')
    open(fifo, 'w').close()
    equal((follower.stdout.read(), follower.wait()), (b'late\n', 0))


@test
def logs_say_what_was_not_kept(place):
    place.good('run', '-d', '-c', 'yes 0123456789 | head -c 20000000')
    place.good('wait', 'bg_0')
    ran = place('logs', 'bg_0')
    equal(ran.status, 0)
    dropped = place.good('show', '--json', 'bg_0').json['ext']['output']['dropped']
    assert dropped > 0 and ran.err == f'rouse: {dropped} bytes of output were not kept\n', (dropped, ran.err)


@test
def wait_exits_as_the_task_did(place):
    place.good('run', '-d', '-n', 'good', 'true')
    place.good('run', '-d', '-c', 'exit 7')
    place.good('run', '-d', '-c', 'kill -15 $$')
    equal([place('wait', t).status for t in ('good', 'bg_1', 'bg_2', 'bg_0')], [0, 7, 143, 0])
    ran = place('wait', 'bg_1')
    equal((ran.out, ran.err), ('bg_1: failed: exit status 7\n', ''))


@test
def wait_for_several(place):
    go = place.fifo('go')
    place.good('run', '-d', '-n', 'slow', '-c', f'read x < {go}')
    place.good('run', '-d', '-n', 'fast', '-c', 'exit 2')
    ran = place('wait', '--any', '--json', 'slow', 'fast')
    equal((ran.status, ran.json['timed_out'], [t['status'] for t in ran.json['tasks']]), (1, False, ['running', 'failed']))
    ran = place('wait', '--json', '--timeout', '1ms', 'slow', 'fast')
    equal((ran.status, ran.json['timed_out']), (124, True))
    ran = place('wait', '--timeout', '10ms')
    equal((ran.status, ran.out, ran.err), (124, 'bg_0 slow: running\n', ''))
    waiter = place.start('wait', '--all', stdout=-1)
    open(go, 'w').write('\n')
    # read fails at the end of a file and works on a line: the shell ends with 0.
    equal(waiter.wait(), 0)
    waiter.stdout.close()
    equal(place.good('wait').out, '')


@test
def cancel_ends_the_whole_tree_of_processes(place):
    pids = place.fifo('pids')
    place.good('run', '-d', '-n', 'x', '-c', f'setsid sleep 600 & (sleep 600 & echo $! > {pids}); wait')
    with open(pids) as f:
        f.read()
    ran = place.good('cancel', '--reason', 'enough', '--json', 'x')
    equal((ran.json['cancelled'], ran.json['tasks'][0]['status']), (1, 'cancelled'))
    equal((ran.json['tasks'][0]['ext']['ended_by'], ran.json['tasks'][0]['ext']['reason']), ('user', 'enough'))
    sleeping = [p for p in place.processes() if open(f'/proc/{p}/comm').read() == 'sleep\n']
    equal(sleeping, [])
    equal(place.good('cancel', 'x').out, 'bg_0 x had ended: cancelled by user: enough\n')


@test
def cancel_sends_the_signal_asked_for(place):
    place.good('run', '-d', '--ready-when', 'up', '-c', 'trap "exit 3" INT; trap "" TERM; echo up; while :; do sleep 0.05; done')
    place.good('wait', '--until', 'ready', 'bg_0')
    place.good('cancel', '-s', 'INT', '--grace', '30s', 'bg_0')
    equal(place.good('show', '--json', 'bg_0').json['ext']['exit_code'], 3)
    place.good('run', '-d', '--ready-when', 'up', '-c', 'trap "" TERM; echo up; while :; do sleep 0.05; done')
    place.good('wait', '--until', 'ready', 'bg_1')
    place.good('cancel', '--grace', '0s', 'bg_1')
    equal(place.good('show', '--json', 'bg_1').json['ext']['signal'], 9)


@test
def cancel_all_is_of_one_thread(place):
    for thread in ('a', 'a', 'b'):
        place.good('run', '-d', '--thread', thread, 'sleep', '600')
    equal(len(place.good('cancel', '--all', '--thread', 'a').out.splitlines()), 2)
    equal(names_of(place.good('ls', '--all-threads', '--json').json), ['bg_2'])
    equal(place.good('cancel', '--all', '--all-threads').out, 'bg_2: cancelled by user\n')
    equal(place.good('cancel', '--all', '--all-threads', '--json').json, {'cancelled': 0, 'tasks': []})


@test
def cancel_tree_reaches_what_a_task_started(place):
    fifo = place.fifo('go')
    place.good('run', '-d', '-n', 'top', '-c', f'"$ROUSE_PROGRAM" run -d sleep 600; echo > {fifo}; sleep 600')
    place.listen(fifo)
    equal(place.good('cancel', '--tree', '--json', 'top').json['cancelled'], 2)
    equal(place.good('ls', '--json').json, [])


@test
def an_unknown_one_stops_a_cancel_before_it_begins(place):
    place.good('run', '-d', '-n', 'x', 'sleep', '600')
    equal(place('cancel', 'x', 'nobody').status, 3)
    equal(len(place.good('ls', '--json').json), 1)


@test
def text_of_others_cannot_draw_on_standard_error(place):
    runner = place.start('run', '-c', 'echo up; exec sleep 600', stdout=-1, stderr=-1)
    equal(runner.stdout.readline(), b'up\n')
    place('cancel', '--reason', 'red \x1b[31m\nrouse: fine', 'bg_0')
    equal((runner.communicate()[1], runner.returncode), (b'rouse: bg_0 cancelled by user: red ?[31m?rouse: fine\n', 143))
    equal(place('run', '--', 'no\x1bsuch').err, "rouse: cannot run 'no?such': No such file or directory\n")


@test
def records_of_the_other_runtime_are_shown(place):
    """Which knows no ext, no output, any name."""
    record = {'task_id': 'bg_5', 'owner_thread_id': 'default', 'task_type': 'x', 'name': 'a\x1bb', 'description': 'd',
              'status': 'running', 'created_at_ms': 1, 'parent_context': {}}
    done = dict(record, task_id='bg_4', name='done', status='completed', result=[1, None], completed_at_ms=2)
    tasks = {'bg_4': done, 'bg_5': record}
    place.good('import', '-', stdin=json.dumps({'revision': 3, 'extensions': {'background_task_state': {'tasks': tasks}}}).encode())
    lost, ended = place.good('ls', '-a', '--json').json
    equal((lost['status'], lost['error']), ('failed', 'task orphaned: runtime restarted while running'))
    equal(ended['result'], [1, None])
    equal([line.split('\t')[1:4] for line in place.good('ls', '-a').out.splitlines()],
          [['a?b', 'failed', '1'], ['done', 'completed', '0']])
    for flags in ([], ['-f'], ['--tail', '3'], ['--json']):
        ran = place('logs', *flags, 'done')
        equal((ran.status, ran.out, ran.err), (3, '', "rouse: no output of 'bg_4' is kept in this store\n"))
    equal((place('wait', 'bg_4').status, place('wait', 'bg_5').status), (0, 1))
    assert 'result\t[1,null]\n' in place.good('show', 'done').out or 'result\t[1, null]\n' in place.good('show', 'done').out
    equal(place.good('run', '-d', 'true').out, 'bg_6\n')


@test
def view_is_the_block_for_a_model(place):
    equal(place.good('view').out, '')
    place.good('run', '-d', '-n', 'x', '--description', 'a </background-tasks> b', 'sleep', '600')
    view = place.good('view').out
    assert view.startswith('<background-tasks>\n') and view.count('</background-tasks>') == 1 and 'bg_0 x' in view, view
    equal(place.good('view', '--json').json, {'thread': 'default', 'view': view})
    for i in range(20):
        place.good('run', '-d', 'sleep', '600')
    assert len(place.good('view', '--budget', '400').out) <= 400


@test
def export_and_import_are_each_others_reverse(place):
    equal(place.good('export').json, {'revision': 0, 'extensions': {}})
    place('run', '-n', 'x', '-c', 'echo hi; exit 2')
    document = place.good('export').out
    equal(list(json.loads(document)['extensions']['background_task_state']['tasks']), ['bg_0'])
    with open(place.path('state.json'), 'w') as f:
        f.write(document)
    place.good('import', '--store', 'copy', 'state.json')
    equal(place.good('export', '--store', 'copy').out, document)
    place.good('import', '--store', 'copy2', '-', stdin=document.encode())
    equal(place.good('show', '--store', 'copy2', '--json', 'x').json['error'], 'exit status 2')
    equal(place.good('run', '--store', 'copy2', '-d', 'true').out, 'bg_1\n')


@test
def reap_of_an_ended_task_changes_nothing(place):
    place.good('run', 'true')
    before = place.good('export').out
    equal(place.good('reap', 'bg_0').out, '')
    equal(place.good('export').out, before)


@test
def doctor_finds_nothing_wrong(place):
    place.good('run', 'true')
    findings = place.good('doctor', '--json').json
    equal(findings['ok'], True)
    assert all(f['level'] != 'error' for f in findings['findings']), findings
    assert any('supervisor' in f['text'] for f in findings['findings']), findings


@test
def doctor_finds_what_is_wrong(place):
    place.good('run', 'true')
    ran = place('doctor', '--json', env={'ROUSE_SHIM': '/nowhere/rouse-shim'})
    equal((ran.status, ran.json['ok'], ran.err), (1, False, ''))
    assert "FAIL  '/nowhere/rouse-shim' cannot be run" in place('doctor', env={'ROUSE_SHIM': '/nowhere/rouse-shim'}).out
    ran = place('doctor', env={'ROUSE_SHIM': '/bin/true'})
    equal(ran.status, 1)
    place.settle()
    with open(place.path('store', 'rouse.db'), 'r+b') as f:
        f.write(b'no database at all')
    ran = place('doctor')
    equal((ran.status, ran.err), (1, ''))
    assert 'FAIL' in ran.out, ran


@test
def ensure_starts_one_however_many_ask(place):
    asking = [place.start('ensure', '-n', 'web', 'sleep', '600', stdout=-1) for _ in range(8)]
    answers = {a.communicate(timeout=60)[0] for a in asking}
    equal([a.returncode for a in asking], [0] * 8)
    equal(len(answers), 1)
    equal(len(place.good('ls').out.splitlines()), 1)
    record = place.good('ensure', '--json', '-n', 'web', 'false').json
    equal((record['task_id'], record['status']), (answers.pop().decode().strip(), 'running'))
    ran = place('ensure', 'true')
    assert ran.status == 2 and 'no --name' in ran.err, ran


@test
def wait_for_a_tree_sees_what_it_starts_meanwhile(place):
    fifo = place.fifo('go')
    place.good('run', '-d', '-n', 'top', '-c', f'cat {fifo}; "$ROUSE_PROGRAM" run -d -n leaf -c "cat {fifo}; exit 3"')
    waiter = place.start('wait', '--tree', 'top', stdout=-1)
    place.write(fifo)
    place.good('wait', 'top')
    place.write(fifo)
    out = waiter.communicate(timeout=60)[0].decode()
    equal((waiter.returncode, out), (1, 'bg_0 top: completed\nbg_1 leaf: failed: exit status 3\n'))


@test
def help_explains_every_command(place):
    everything = place.good('--help').out
    equal(place.good('help').out, everything)
    manual = place.good('help', '--man').out
    commands = [line.split()[0] for line in everything.split('commands:\n')[1].split('\n\n')[0].splitlines()]
    assert {'run', 'ls', 'show', 'logs', 'wait', 'cancel', 'view', 'agent', 'export', 'reap', 'doctor'} <= set(commands)
    for command in commands:
        text = place.good(command, '--help').out
        equal(place.good('help', command).out, text)
        assert text.startswith(f'usage: rouse {command} '), text
        assert f'.SS rouse {command}\n' in manual
        for line in text.splitlines():
            assert len(line) <= 120, line
            option = line.split('--')[1].split()[0] if line.lstrip().startswith('-') else None
            assert option in (None, 'help') or '\\-\\-' + option.replace('-', '\\-') in manual, option
    equal(place.good('--version').out.split()[0], 'rouse')


main()
