#!/usr/bin/env python3
"""rouse events."""
import json
import os
import select
import signal
import subprocess

from harness import PATIENCE, Terminal, equal, main, test


def three(place):
    place.good('run', '-n', 'a', 'true')
    place('run', '-c', 'exit 7')
    place.good('run', '--thread', 'other', 'true')


@test
def events_as_json_lines(place):
    three(place)
    events = [json.loads(line) for line in place.good('events', '--jsonl').out.splitlines()]
    equal([e['event']['kind'] for e in events], ['completed', 'failed'])
    equal([e['event']['task_id'] for e in events], ['bg_0', 'bg_1'])
    equal(sorted(events[0]), ['acknowledged', 'created_at_ms', 'event', 'id', 'thread'])
    equal(place.good('events', '--json').out, place.good('events', '--jsonl').out)
    everywhere = place.good('events', '--all-threads', '--json').out.splitlines()
    equal(json.loads(everywhere[-1])['thread'], 'other')
    equal(len(everywhere), 3)


@test
def events_since_a_number(place):
    three(place)
    first, second = [json.loads(line) for line in place.good('events', '--json').out.splitlines()]
    equal(json.loads(place.good('events', '--since', str(first['id']), '--json').out), second)
    equal(place.good('events', '--since', str(second['id'])).out, '')
    equal(json.loads(place.good('events', '--limit', '1', '--json').out), first)


@test
def events_for_programs_and_people(place):
    three(place)
    fields = place.good('events').out.splitlines()[1].split('\t')
    equal(fields[2:5], ['default', 'bg_1', 'failed'])
    equal(json.loads(fields[5])['error'], 'exit status 7')
    seen = Terminal(place, 'events').end()[1].splitlines()
    assert 'ago  bg_0   completed' in seen[0] and seen[1].endswith('bg_1   failed: exit status 7'), seen


@test
def events_are_followed(place):
    place.good('run', 'true')
    follower = place.start('events', '-f', '--json', stdout=subprocess.PIPE)
    equal(json.loads(follower.stdout.readline())['event']['task_id'], 'bg_0')
    place.good('run', 'true')
    assert select.select([follower.stdout], [], [], PATIENCE)[0]
    equal(json.loads(follower.stdout.readline())['event']['task_id'], 'bg_1')
    follower.send_signal(signal.SIGINT)
    equal(follower.wait(PATIENCE), -signal.SIGINT)
    follower.stdout.close()


@test
def following_ends_when_nobody_reads(place):
    place.good('run', 'true')
    follower = place.start('events', '-f', '--json', stdout=subprocess.PIPE)
    follower.stdout.readline()
    follower.stdout.close()
    equal(follower.wait(PATIENCE), 0)


@test
def following_ends_after_the_limit(place):
    follower = place.start('events', '-f', '--limit', '2', stdout=subprocess.PIPE)
    place.good('run', 'true')
    place.good('run', 'true')
    equal(len(follower.communicate(timeout=PATIENCE)[0].splitlines()), 2)
    equal(follower.returncode, 0)


@test
def hostile_events_stay_in_their_line(place):
    place('run', '--description', 'x\ty', '--', '/no/such\x1b[31m\nprogram')
    equal(len(place.good('events').out.splitlines()), 1)
    seen = Terminal(place, 'events').end()[1]
    assert '\x1b' not in seen and len(seen.splitlines()) == 1, seen


main()
