#!/usr/bin/env python3
"""rouse agent with scripted models."""
import json
import signal

from harness import Terminal, equal, main, test


def script(place, *turns):
    with open(place.path('script.json'), 'w') as f:
        json.dump({'turns': list(turns)}, f)
    return 'scripted:script.json'


def spawn(*argv, **more):
    return {'name': 'spawn_task', 'arguments': dict(argv=list(argv), **more)}


@test
def says_what_the_model_says(place):
    model = script(place, {'expect': ['hello there'], 'say': 'General.'})
    ran = place('agent', '-m', model, 'hello', 'there')
    equal((ran.status, ran.out, ran.err), (0, 'General.\n', ''))


@test
def takes_its_prompt_from_a_pipe_and_its_model_from_the_environment(place):
    model = script(place, {'expect': ['from a pipe'], 'say': 'Yes.'})
    equal(place.good('agent', stdin=b'from a pipe\n', env={'ROUSE_MODEL': model}).out, 'Yes.\n')


@test
def the_conversation_can_be_read_again(place):
    fifo = place.fifo('go')
    line = f'read x < {fifo}; printf "a\\033[31mb"'
    model = script(place, {'say': 'I look.\nTwo lines.', 'tools': [spawn('sh', '-c', line, name='x' * 60)]},
                   {'say': 'I wait.'}, {'say': 'Again.'})
    equal(place('agent', '-m', model, '--no-wait', 'look').status, 0)
    open(fifo, 'w').write('\n')
    place.good('wait', 'bg_0')
    equal(place('agent', '-m', model, 'and again').status, 0)
    said = place.good('history').out
    lines = said.splitlines()
    equal(lines[:5], ['you', '  look', 'assistant', '  I look.', '  Two lines.'])
    assert lines[5].startswith('  · spawn_task {') and lines[5].endswith('…') and lines[6].startswith('  → '), lines
    assert 'rouse' in lines and 'you\n  and again\nassistant\n  Again.\n' in said, said
    assert '\033' not in place.good('history', '--full').out
    equal(place.good('history', '-n', '2').out, 'you\n  and again\nassistant\n  Again.\n')
    messages = [json.loads(line) for line in place.good('history', '--json').out.splitlines()]
    equal([m['number'] for m in messages], list(range(1, len(messages) + 1)))
    equal(messages[0]['message']['content'], [{'type': 'text', 'text': 'look'}])
    equal(place.good('history', '--jsonl', '--since', str(len(messages) - 1)).json, messages[-1])
    equal(place.good('history', '--thread', 'nobody').out, '')


@test
def the_result_as_json(place):
    model = script(place, {'say': 'Done.'})
    result = place.good('agent', '-m', model, '--json', 'go').json
    equal((result['status'], result['status_reason'], result['response'], result['steps'], result['thread']),
          ('done', 'natural', 'Done.', 1, 'default'))


@test
def waits_for_its_tasks_and_says_so(place):
    fifo = place.fifo('go')
    model = script(place, {'say': 'I start it.', 'tools': [spawn('sh', '-c', f'read x < {fifo}; echo fine', name='job')]},
                   {'expect': ['<background-tasks>', 'job ('], 'say': 'I wait.'},
                   {'expect': ['<background-task-event kind="completed"'], 'say': 'It ended.'})
    agent = place.start('agent', '-m', model, '--show-view', 'go', stdout=-1, stderr=-1)
    err = b''
    while b'rouse: waiting for bg_0 job; Ctrl-C leaves them running\n' not in err:
        line = agent.stderr.readline()
        assert line, err
        err += line
    open(fifo, 'w').write('\n')
    out, rest = agent.communicate()
    equal((agent.returncode, out), (0, b'I start it.\nI wait.\nIt ended.\n'))
    for text in ('· spawn_task {', '<background-tasks>\n', 'bg_0 job'):
        assert text in (err + rest).decode(), (text, err + rest)
    equal((err + rest).count(b'rouse: waiting for'), 1)


@test
def returns_while_its_tasks_go_on_and_is_resumed(place):
    fifo = place.fifo('go')
    model = script(place, {'say': 'Started.', 'tools': [spawn('sh', '-c', f'read x < {fifo}', name='job')]},
                   {'say': 'Later.'}, {'expect': ['<background-task-event kind="completed"'], 'say': 'Now.'})
    first = place('agent', '-m', model, '--no-wait', 'go')
    equal((first.status, first.out), (0, 'Started.\nLater.\n'))
    assert 'rouse: waiting for bg_0 job; rouse agent --resume' in first.err, first
    open(fifo, 'w').write('\n')
    place.good('wait', 'job')
    second = place('agent', '-m', model, '--resume')
    equal((second.status, second.out), (0, 'Now.\n'))
    third = place('agent', '-m', model, '--resume')
    assert third.status == 3 and third.err.startswith("rouse: nothing to resume in thread 'default'"), third


@test
def ctrl_c_leaves_its_tasks_running(place):
    model = script(place, {'say': 'Started.', 'tools': [spawn('sleep', '600', name='job')]}, {'say': 'I wait.'})
    t = Terminal(place, 'agent', '-m', model, 'go')
    t.until('waiting for bg_0 job')
    t.type('\x03')
    status, seen = t.end()
    equal(status, 130)
    assert 'rouse agent --resume' in seen, seen
    equal([r['status'] for r in place.good('ls', '--json').json], ['running'])


@test
def what_happens_as_json_lines(place):
    model = script(place, {'say': 'Look.', 'tools': [{'name': 'list_tasks', 'arguments': {}}]}, {'say': 'Nothing.'})
    ran = place.good('agent', '-m', model, '--jsonl', 'go')
    events = [json.loads(line) for line in ran.out.splitlines()]
    kinds = [e['event'] for e in events]
    assert kinds[-1] == 'result' and kinds.count('tool_call') == 1 and kinds.count('tool_result') == 1, kinds
    equal(''.join(e['text'] for e in events if e['event'] == 'text'), 'Look.Nothing.')
    equal([e['tool'] for e in events if e['event'] == 'tool_call'], ['list_tasks'])
    equal(events[-1]['status'], 'done')


@test
def a_model_cannot_draw_on_the_terminal(place):
    model = script(place, {'say': 'a\u001b[31mb\u009b31mc\tä\n'})
    status, seen = Terminal(place, 'agent', '-m', model, 'go', env={'NO_COLOR': '1'}).end()
    equal((status, seen), (0, 'a?[31mb?31mc\tä\n'))
    assert '\u001b[31m' in place.good('agent', '-m', model, '--thread', 't2', 'go').out


@test
def a_script_that_is_not_met_fails_loudly(place):
    model = script(place, {'expect': ['xyzzy'], 'say': 'x'})
    ran = place('agent', '-m', model, 'go')
    equal((ran.status, ran.out, ran.err.count('\n')), (1, '', 1))


@test
def too_many_rounds_are_stopped(place):
    look = {'say': 'Again.', 'tools': [{'name': 'list_tasks', 'arguments': {}}]}
    model = script(place, look, look, look, look)
    ran = place('agent', '-m', model, '--max-rounds', '2', 'go')
    equal((ran.status, ran.out), (1, 'Again.\nAgain.\n'))
    assert 'rouse: the run was stopped (max_rounds)' in ran.err, ran


@test
def exported_state_holds_the_run(place):
    model = script(place, {'say': 'Done.'})
    place.good('agent', '-m', model, 'go')
    extensions = place.good('export').json['extensions']
    equal(extensions['__runtime.run_lifecycle']['status'], 'done')
    equal(place.good('export', '--run', 'another').json['extensions'], {})


@test
def the_agent_ends_when_it_is_told_to(place):
    model = script(place, {'say': 'Started.', 'tools': [spawn('sleep', '600', name='job')]}, {'say': 'I wait.'})
    agent = place.start('agent', '-m', model, 'go', stdout=-3, stderr=-1)
    while b'waiting for' not in agent.stderr.readline():
        pass
    agent.send_signal(signal.SIGTERM)
    agent.communicate()
    equal(agent.returncode, 130)
    equal(len(place.good('ls', '--json').json), 1)



@test
def send_reaches_a_running_sub_agent(place):
    model = script(place, {'say': 'started', 'tools': [spawn('sleep', '600', type='sub_agent', name='helper'),
                                                       spawn('sleep', '600', name='plain')]}, {'say': 'Both run.'})
    equal(place('agent', '--no-wait', '-m', model, 'go').status, 0)
    receipt = place.good('send', '--json', '--key', 'k', 'helper', 'use the other door').json
    equal(receipt['status'], 'accepted')
    equal(place.good('send', '--json', '--key', 'k', 'helper', 'use the other door').json, receipt)
    plain = place('send', 'plain', 'hello')
    equal((plain.status, plain.err), (4, "rouse: 'plain' cannot be told anything: task has no inbox (not a sub-agent)\n"))
    equal(place('send', 'nobody', 'hello').status, 3)
    place.good('cancel', 'helper')
    ended = place('send', '--json', 'helper', 'too late')
    equal((ended.status, ended.json), (4, {'message_id': '', 'status': 'failed', 'error': 'recipient_unavailable'}))


main()
