#!/usr/bin/env python3
"""What real shells complete."""
import json
import os
import pty
import select
import shutil
import subprocess

from harness import PATIENCE, ROUSE, equal, main, test

ROWS = [  # a command line up to the cursor, what must be among its completions, what must not
    (['rouse', 'c'], ['cancel', 'completion'], ['run', 'ls']),
    (['rouse', '--thread', 'other', 'sh'], ['show'], ['run']),
    (['rouse', 'ls', '--st'], ['--status', '--store'], ['--all', '-a']),
    (['rouse', 'ls', '--status', ''], ['running', 'completed', 'failed', 'cancelled'], ['bg_0']),
    (['rouse', 'wait', '-u', 'm'], ['match:'], ['ended', 'bg_0']),
    (['rouse', 'show', ''], ['bg_0', 'web', 'bg_1', 'done'], []),
    (['rouse', 'cancel', ''], ['bg_0', 'web'], ['bg_1', 'done']),
    (['rouse', 'cancel', '--reason', 'w'], [], ['web']),
    (['rouse', 'wait', 'bg_0', 'w'], ['web'], ['bg_1']),
    (['rouse', 'ls', '--before', 'bg'], ['bg_0', 'bg_1'], ['web']),
    (['rouse', '--thread', 'other', 'show', ''], ['bg_2', 'elsewhere'], ['web']),
    (['rouse', 'show', '--thread', 'other', 'e'], ['elsewhere'], ['web']),
    (['rouse', 'help', 'ev'], ['events'], ['run']),
    (['rouse', 'completion', ''], ['bash', 'zsh', 'fish'], ['web']),
    (['rouse', 'import', 'somef'], ['somefile'], []),
    (['rouse', 'run', '-d', 'tru'], ['true', 'truncate'], ['web']),
    (['rouse', 'run', '--', 'cat', 'somef'], ['somefile'], ['--store']),
    (['rouse', 'view', ''], [], ['web', 'bg_0', 'somefile']),
]


def environment(place):
    bin_ = place.path('bin')
    if not os.path.isdir(bin_):
        os.mkdir(bin_)
        os.symlink(ROUSE, os.path.join(bin_, 'rouse'))
    return place.environment({'PATH': bin_ + ':' + os.environ['PATH']})


def fill(place):
    place.good('run', '-d', '-n', 'web', 'sleep', '600')
    place.good('run', '-n', 'done', 'true')
    place.good('run', '-d', '--thread', 'other', '-n', 'elsewhere', 'sleep', '600')
    open(place.path('somefile'), 'w').close()


def script(place, shell):
    path = place.path('completion.' + shell)
    with open(path, 'w') as f:
        f.write(place.good('completion', shell).out)
    return path


def shell(place, argv):
    done = subprocess.run(argv, env=environment(place), cwd=place.dir, timeout=PATIENCE, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0 and done.stderr == '', (argv[0], done)
    return done.stdout.splitlines()


def quoted(words):
    return ' '.join("'" + w.replace("'", "'\\''") + "'" for w in words)


def in_bash(place, words):
    # compopt knows only a completion that a person asked for; bash cuts words at '='.
    return shell(place, ['bash', '--norc', '-c', f'''
        source {script(place, 'bash')}
        compopt() {{ :; }}
        COMP_WORDS=({quoted(words)}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        _rouse
        printf '%s\\n' "${{COMPREPLY[@]}}"'''])


def in_fish(place, words):
    lines = shell(place, ['fish', '--no-config', '-c', f'source {script(place, "fish")}; complete -C "{" ".join(words)}"'])
    return [line.split('\t')[0] for line in lines]


def in_zsh(place, words):
    """Calls the function as zsh does, with the functions that would draw the answer replaced."""
    return shell(place, ['zsh', '-f', '-c', f'''
        compdef() {{ : }}
        compadd() {{ [[ $1 == -a ]] && print -l -- ${{(P)2}} || print -l -- $@ }}
        _describe() {{ print -l -- ${{${{(P)@[-1]}}%%:*}} }}
        _files() {{ print -l -- *(N) }}
        _command_names() {{ print -l -- true truncate }}
        source {script(place, 'zsh')}
        words=({quoted(words)}); CURRENT=$#words
        _rouse''' + '\n:'])


def rows_hold(place, complete, filters):
    fill(place)
    for words, wanted, unwanted in ROWS:
        got = complete(place, words)
        if filters:
            got = [w for w in got if w.startswith(words[-1])]
        assert all(w in got for w in wanted), (words, got)
        assert not any(w in got for w in unwanted), (words, got)


@test
def bash_completes(place):
    rows_hold(place, in_bash, False)
    equal(in_bash(place, ['rouse', 'ls', '--status', '=', 'f']), ['failed'])
    equal(in_bash(place, ['rouse', '--thread', '=', 'other', 'show', 'e']), ['elsewhere'])


@test
def fish_completes(place):
    rows_hold(place, in_fish, False)
    equal(in_fish(place, ['rouse', 'ls', '--status=f']), ['--status=failed'])


@test
def zsh_completes(place):
    rows_hold(place, in_zsh, True)


@test
def no_id_is_expanded_by_a_shell(place):
    evil = ['$(touch evil)', '`touch evil`', "';touch evil;'", 'a b', '*']
    tasks = {i: {'task_id': i, 'owner_thread_id': 'default', 'task_type': 'x', 'description': '$(touch evil)', 'status': 'completed',
                 'created_at_ms': 1, 'completed_at_ms': 2, 'error': None, 'result': None, 'parent_context': {}} for i in evil}
    place.good('import', '-', stdin=json.dumps(
        {'revision': 1, 'extensions': {'background_task_state': {'tasks': tasks}}}).encode())
    place.good('run', '-n', 'fine', 'true')
    equal(len(place.good('ls', '-a').out.splitlines()), 6)
    for complete in in_bash, in_fish, in_zsh:
        equal(sorted(complete(place, ['rouse', 'show', ''])), ['bg_0', 'fine'])
    assert not os.path.exists(place.path('evil'))


@test
def tab_in_a_terminal(place):
    fill(place)
    pid, fd = pty.fork()
    if pid == 0:
        try:
            os.chdir(place.dir)
            os.execvpe('bash', ['bash', '--norc', '--noprofile', '-i'], dict(environment(place), PS1='> ', TERM='dumb'))
        finally:
            os._exit(99)
    seen = b''
    os.write(fd, f'source {script(place, "bash")}; printf "%s\\n" rea""dy\n'.encode())
    for typed, wanted in (b'', b'\nready'), (b'rouse sho\twe\t', b'rouse show web '), (b'--js\t\n', b'"name":"web"'):
        os.write(fd, typed)
        while wanted not in seen:
            assert select.select([fd], [], [], PATIENCE)[0], (wanted, seen)
            seen += os.read(fd, 65536)
    os.write(fd, b'exit\n')
    try:
        while os.read(fd, 65536):
            pass
    except OSError:
        pass
    os.close(fd)
    os.waitpid(pid, 0)


@test
def every_command_and_option_is_there(place):
    commands = place.good('completion', '--commands').out.split()
    for name in 'bash', 'zsh', 'fish':
        text = place.good('completion', name).out
        assert all(c in text for c in commands), name
    ran = place('completion', 'tcsh')
    assert ran.status == 2 and 'none of bash, zsh, fish' in ran.err, ran
    ran = place('completion')
    assert ran.status == 2 and 'no shell given' in ran.err, ran


assert all(shutil.which(s) for s in ('bash', 'zsh', 'fish')), 'a shell is missing; make setup'
main()
