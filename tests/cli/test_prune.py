#!/usr/bin/env python3
"""rouse prune: what goes, what stays."""
import json
import os

from harness import equal, main, test


def directories(place):
    return sorted(os.listdir(os.path.join(place.store, 'tasks')))


def run_three(place):
    for i in range(3):
        place.good('run', 'echo', str(i))


@test
def prune_forgets_what_is_over_and_its_output(place):
    run_three(place)
    place.good('run', '-d', '--name', 'stays', 'sleep', '1000')
    ran = place.good('prune', '--unread')
    equal(sorted(ran.out.split()), ['bg_0', 'bg_1', 'bg_2'])
    equal(directories(place), ['bg_3'])
    equal(place('show', 'bg_1').status, 3)
    equal(place.good('prune', '--unread').out, '')
    place.good('cancel', 'stays')
    equal(place.good('run', '-d', 'true').out, 'bg_4\n')


@test
def prune_keeps_what_the_agent_has_not_read_of(place):
    with open(place.path('script.json'), 'w') as f:
        json.dump({'turns': [{'say': 'Here.'}]}, f)
    place.good('agent', '-m', 'scripted:script.json', 'hello')
    run_three(place)
    ran = place('prune')
    equal((ran.status, ran.out), (0, ''))
    equal('3 tasks stay' in ran.err and '--unread' in ran.err, True)
    equal(directories(place), ['bg_0', 'bg_1', 'bg_2'])


@test
def prune_keeps_nothing_for_an_agent_that_is_not(place):
    run_three(place)
    ran = place('prune')
    equal((ran.out.split(), ran.err), (['bg_0', 'bg_1', 'bg_2'], ''))
    equal(directories(place), [])


@test
def prune_keeps_the_newest(place):
    run_three(place)
    equal(place.good('prune', '--unread', '--keep', '2', '-n').out, 'bg_0\n')
    found = json.loads(place.good('prune', '--unread', '--keep', '1', '--json').out)
    equal([t['task_id'] for t in found], ['bg_0', 'bg_1'])
    equal(place.good('prune', '--unread', '--older', '1h').out, '')
    equal(directories(place), ['bg_2'])


@test
def prune_is_of_one_thread_unless_told(place):
    run_three(place)
    equal(place.good('prune', '--unread', '--thread', 'other').out, '')
    equal(place.good('prune', '--unread', '--thread', 'other', '--all-threads').out.split(), ['bg_0', 'bg_1', 'bg_2'])


@test
def prune_finds_what_a_crash_left(place):
    run_three(place)
    left = os.path.join(place.store, 'tasks', 'bg_1')
    os.rename(left, left + '.aside')
    place.good('prune', '--unread')
    os.rename(left + '.aside', left)
    os.mkdir(os.path.join(place.store, 'tasks', 'bg_77'), 0o700)  # a number still to come: somebody may be starting it
    equal(place.good('prune', '--unread').out, '')
    equal(directories(place), ['bg_77'])


if __name__ == '__main__':
    main()
