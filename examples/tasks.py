"""tasks.py: rouse from Python, without anything but ctypes. Starts a command, waits for its end and prints the record; then
shows a task that this program itself works on, with its progress.

    LD_LIBRARY_PATH=/usr/local/lib python3 tasks.py /tmp/some-store 'echo hi'
"""
import ctypes
import json
import os
import sys
from ctypes import POINTER, Structure, byref, c_bool, c_char, c_char_p, c_int, c_size_t, c_uint64, c_void_p

LIB = ctypes.CDLL(os.environ.get('ROUSE_LIBRARY', 'librouse.so.0'))
FREE = ctypes.CDLL(None).free
FREE.argtypes = [c_void_p]
EXTERNAL = 3


class Error(Structure):
    _fields_ = [('code', c_int), ('message', c_char * 256)]


class Spec(Structure):
    """The beginning of a rouse_task_spec; of the rest, zero means default."""
    _fields_ = [('thread', c_char_p), ('kind', c_int), ('argv', POINTER(c_char_p)), ('env', POINTER(c_char_p)),
                ('cwd', c_char_p), ('name', c_char_p), ('description', c_char_p), ('rest', c_char * 512)]


class Task(Structure):
    """The beginning of a rouse_task."""
    _fields_ = [('task_id', c_char_p)]


class Wait(Structure):
    _fields_ = [('thread', c_char_p), ('ids', POINTER(c_char_p)), ('count', c_size_t), ('any', c_bool), ('tree', c_bool),
                ('rest', c_char * 128)]


class Progress(Structure):
    _fields_ = [('done', c_uint64), ('total', c_uint64), ('message', c_char_p)]


LIB.rouse_task_list_at.restype = LIB.rouse_task_json.restype = c_void_p


def call(name, *args):
    """Calls a function whose last argument is an error; raises what it says."""
    error = Error()
    code = getattr(LIB, name)(*args, byref(error))
    if code < 0:
        raise RuntimeError(error.message.decode())
    return code


def texts(*items):
    return (c_char_p * (len(items) + 1))(*[item.encode() for item in items], None)


def start(manager, **members):
    task = POINTER(Task)()
    call('rouse_task_start', manager, byref(Spec(thread=b'example', **members)), byref(task))
    task_id = task.contents.task_id
    LIB.rouse_task_free(task)
    return task_id


def wait(manager, task_id):
    """Sleeps until it has ended: its record, as `rouse show --json` prints it."""
    listed = c_void_p()
    call('rouse_task_wait', manager, byref(Wait(ids=texts(task_id.decode()), count=1)), byref(listed))
    text = LIB.rouse_task_json(c_void_p(LIB.rouse_task_list_at(listed, c_size_t(0))), None)
    record = json.loads(ctypes.string_at(text))
    FREE(text)
    LIB.rouse_task_list_free(listed)
    return record


def main():
    store, manager = c_void_p(), c_void_p()
    call('rouse_store_open', sys.argv[1].encode(), None, byref(store))
    call('rouse_manager_new', store, None, byref(manager))

    record = wait(manager, start(manager, argv=texts('sh', '-c', sys.argv[2]), env=texts('PATH=/usr/bin:/bin')))
    print(record['task_id'], record['status'], record.get('result', record.get('error')))

    ours = start(manager, kind=EXTERNAL, name=b'report', description=b'written by this program')
    for page in range(1, 4):
        call('rouse_task_progress', manager, None, ours, byref(Progress(page, 3, b'page %d' % page)))
    call('rouse_task_complete', manager, None, ours, b'{"pages":3}')
    print(ours.decode(), wait(manager, ours)['result'])

    LIB.rouse_manager_free(manager)
    LIB.rouse_store_close(store)


if __name__ == '__main__':
    main()
