#!/usr/bin/env python3
"""Runs one fuzzer over a corpus that it makes for it, or several for some time.

    run.py --runs N FUZZER                 a fixed number of inputs from a fixed seed: the same in every run
    run.py --seconds N [--keep DIR] FUZZER...   each for N seconds, from a random seed that is printed

The corpus is made of the vectors of the seed's runtime ($ROUSE_VECTORS), of the lines below, and of what an earlier run kept.
An input that breaks something is printed, and kept in DIR. Status 1 when one did.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

# What a fuzzer starts from beside the vectors: one input a line, with Python's escapes.
RECORD = (b'"task_type":"shell","description":"d","status":"failed","error":"e","result":[1.50,18446744073709551616],'
          b'"created_at_ms":5,"completed_at_ms":6,"parent_context":{"task_id":"bg_1","run_id":"r","call_id":"c","agent_id":"a"}}')
LINES = {
    'actions': [b'\0{"Upsert":{"task_id":"bg_0",' + RECORD + b'}\n{"ReplaceAll":{"tasks":{}}}', b'\1"Clear"',
                b'\1{"Replace":{"tasks":{"bg_0":{"task_type":"t","description":"d","status":"running"}}}}'],
    'event': [b'{"kind":"completed","result":{"a":"<\\n>"},"task_id":"bg_0"}', b'{"error":"e","kind":"failed","task_id":"bg_0"}',
              b'{"event_type":"e","kind":"custom","payload":null,"task_id":"bg_0"}', b'{"kind":"cancelled","task_id":"bg_0"}'],
    'lineage': [b'{"task_id":"bg_0","run_id":"r","call_id":null}', b'"running"', b'{}'],
    'record': [b'{"task_id":"bg_0","owner_thread_id":"t","name":"n",' + RECORD,
               b'{"task_id":"bg_0","ext":{"kind":"process","argv":["a","b"],"exit_code":-1,"signal":9},' + RECORD],
    'summary': [b'{"task_id":"bg_0",' + RECORD],
    'view': [b'{"tasks":{"bg_0":{"task_type":"t","description":"d","status":"running"}}}'],
    'clean': [b'a\rb\n', b'\x1b[31mred\x1b[0m\n', b'\x1b]0;title\x07x', b'ab\b\bc', b'\xff\xe2\x82', b'50%\r60%\r\n'],
    'control': [b'watch\ntaken', b'cancel 15 5000 user stop it', b'cancel 9 0 agent ', b'cancel 99 1 x', b'watch\ncancel 2 1 u r',
                b'write abc\neof\nresize 24 80\nresize 0 -1'],
    'exit': [b'{"version":1,"exec_errno":0,"exit_code":-1,"signal":9,"core":false,"ended_by":"user","reason":"a\\u000ab\\"",'
             b'"started_at_ms":1,"ended_at_ms":2,"killed":0,"user_us":3,"system_us":4,"max_rss_kib":5,"cancelled":true,'
             b'"output":6,"lost":0'],
    'import': [b'\0{"revision":3,"extensions":{"background_task_state":{"tasks":{}},"other":1}}',
               b'\x01{"revision":18446744073709551615,"extensions":{"background_tasks":{"tasks":{}},"other":1}}'],
    'jfields': [b'{"text":"a","texts":["b","c"],"raw":[1.50],"slice":null,"u":1,"i":-2,"n":3,"yes":true,"choice":"failed",'
                b'"inner":{"name":null,"number":18446744073709551615},"x":[{}]}'],
    'jtext': [b'[1e308,-0.0,"\\ud83d\\ude00\\u0000",{"a":{"a":[]},"":null}]', b'"\xf0\x9f\x98\x80"', b'[' * 130],
    'options': [b'-rf\n--text\nx\n--duration=1h30m\na', b'--\n-f', b'-n3\n--signal\nSIGTERM', b'1d2h3m4s5ms', b'--fl\n-tx'],
    'script': [b'{"turns":[{"expect":["a"],"refuse":["b"],"capture":{"id":"(bg_[0-9]+)"},"say":"x {{id}}","pause_ms":5},'
               b'{"tools":[{"name":"t","arguments":{"a":"{{id}}"}}]}]}'],
    'sse': [b'data: {"choices":[{"delta":{"content":"hi"},"finish_reason":null}]}\n\ndata: [DONE]\n\n',
            b'data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{"}}]}}]}\r\n\r\n'
            b'data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]},"finish_reason":"tool_calls"}],'
            b'"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n', b'\xef\xbb\xbf: comment\rdata:a\rdata:b\r\r',
            b'data: {"error":{"message":"no"}}\n\n',
            b'data: {"type":"message_start","message":{"usage":{"input_tokens":1}}}\n\n'
            b'data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}\n\n'
            b'data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{}"}}\n\n'
            b'data: {"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":9}}\n\n'],
}
# Which of the vectors' types a fuzzer starts from; all of them where it is not named.
TYPES = {
    'actions': ('BackgroundTaskStateAction', 'BackgroundTaskViewAction'), 'event': ('TaskEvent',),
    'lineage': ('TaskParentContext', 'TaskStatus'),
    'record': ('PersistedTaskMeta',), 'summary': ('TaskSummary',), 'view': ('BackgroundTaskView',),
    'import': ('PersistedState',), 'clean': (), 'control': (), 'exit': (), 'options': (), 'sse': (), 'script': (),
}
PREFIXES = {'actions': (b'\0', b'\1'), 'import': (b'\0', b'\1', b'\2', b'\3')}
WORDS = ['"task_id":', '"status":"running"', '"result":', '"parent_context":{}', '{"Upsert":', '{"ReplaceAll":', '"Clear"', '"tasks":{',
         'bg_0', 'bg_18446744073709551615', '\\\\u0000', '\\\\ud800', '"extensions":', 'data: ', '"tool_calls":', '\\x1b[', '"check":']
OPTIONS = {'ASAN_OPTIONS': 'detect_leaks=1:allocator_may_return_null=1', 'UBSAN_OPTIONS': 'print_stacktrace=1:halt_on_error=1'}


def vectors(name):
    """The inputs of all codec vectors, and the actions of the reducers'."""
    wanted = TYPES.get(name)
    for path in sorted(pathlib.Path(os.environ['ROUSE_VECTORS']).glob('*.json')):
        for vector in json.loads(path.read_text())['vectors']:
            texts = [vector[key] for key in ('input', 'initial', 'export_exact') if isinstance(vector.get(key), str)]
            if isinstance(vector.get('input_hex'), str):
                yield bytes.fromhex(vector['input_hex'])
            if name == 'actions' and isinstance(vector.get('actions'), list):
                yield '\n'.join(one for one in vector['actions'] if isinstance(one, str)).encode()
            if wanted is None or vector.get('type') in wanted:
                yield from (text.encode(errors='surrogatepass') for text in texts)


def make_corpus(name, directory):
    inputs = list(LINES.get(name, []))
    if os.path.isdir(os.environ.get('ROUSE_VECTORS', '')) and TYPES.get(name) != ():
        found = list(vectors(name))
        if not found:
            sys.exit(f'no vectors for {name} in {os.environ["ROUSE_VECTORS"]}')
        inputs += [prefix + text for text in found for prefix in PREFIXES.get(name, (b'',))]
    for number, text in enumerate(inputs):
        (directory / f'seed-{number:05}').write_bytes(text)
    return len(inputs)


def fuzz(fuzzer, how, kept, scratch):
    name = pathlib.Path(fuzzer).name.removeprefix('fuzz_')
    corpus, words = scratch / name, scratch / f'{name}.dict'
    corpus.mkdir()
    words.write_text(''.join('"' + word.replace('"', '\\"') + '"\n' for word in WORDS))
    seeds = make_corpus(name, corpus)
    own = [kept / name] if kept else []
    for directory in own:
        directory.mkdir(parents=True, exist_ok=True)
    artifacts = (kept / f'broke-{name}-') if kept else (scratch / 'broke-')
    command = [fuzzer, *how, '-max_len=4096', '-timeout=25', '-rss_limit_mb=2048', '-print_final_stats=1', '-verbosity=0',
               f'-dict={words}', f'-artifact_prefix={artifacts}', *map(str, own), str(corpus)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors='replace', check=False,
                          env={**os.environ, **OPTIONS, 'TMPDIR': str(scratch)})
    runs = [line.split()[-1] for line in done.stderr.splitlines() if 'number_of_executed_units' in line]
    print(f'{"ok" if done.returncode == 0 else "not ok"} - {name}: {seeds} seeds, {runs[0] if runs else "?"} inputs', flush=True)
    if done.returncode != 0:
        print(done.stderr[-6000:], flush=True)
    return done.returncode == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--runs', type=int)
    parser.add_argument('--seconds', type=int)
    parser.add_argument('--seed', type=int)
    parser.add_argument('--keep', type=pathlib.Path)
    parser.add_argument('fuzzers', nargs='+')
    arguments = parser.parse_args()
    seed = arguments.seed or (1 if arguments.runs else int.from_bytes(os.urandom(3), 'big'))
    how = [f'-seed={seed}', f'-runs={arguments.runs}' if arguments.runs else f'-max_total_time={arguments.seconds}']
    if not arguments.runs:
        print(f'seed {seed}', flush=True)
    good = 0
    for fuzzer in arguments.fuzzers:
        scratch = pathlib.Path(tempfile.mkdtemp(prefix='rouse-fuzz-'))
        try:
            good += fuzz(fuzzer, how, arguments.keep, scratch)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    if len(arguments.fuzzers) > 1:
        print(f'{good} passed, {len(arguments.fuzzers) - good} failed')
    return 0 if good == len(arguments.fuzzers) else 1


if __name__ == '__main__':
    sys.exit(main())
