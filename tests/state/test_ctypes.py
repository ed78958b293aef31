"""A key in another language: its reducer in Python, its values JSON, through the C ABI of librouse.so."""
import ctypes
import json
import os
import shutil
import sys
import tempfile

LIB = ctypes.CDLL(os.environ['ROUSE_LIBRARY'])
FREE = ctypes.CDLL(None).free
FREE.argtypes = [ctypes.c_void_p]


class Error(ctypes.Structure):
    _fields_ = [('code', ctypes.c_int), ('message', ctypes.c_char * 256)]


REDUCE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p,
                          ctypes.POINTER(Error))


class KeyOptions(ctypes.Structure):
    _fields_ = [('name', ctypes.c_char_p), ('shape', ctypes.c_int), ('scope', ctypes.c_int), ('merge', ctypes.c_int),
                ('transient', ctypes.c_bool), ('retain', ctypes.c_bool), ('map_member', ctypes.c_char_p),
                ('reduce', REDUCE), ('userdata', ctypes.c_void_p)]


class Commit(ctypes.Structure):
    """The beginning of a rouse_commit; the rest, zero, is beyond what any version of it needs."""
    _fields_ = [('thread', ctypes.c_char_p), ('run', ctypes.c_char_p), ('batch', ctypes.c_void_p),
                ('rest', ctypes.c_char * 512)]


LIB.rouse_batch_new.restype = ctypes.c_void_p
SCOPE_THREAD, ECONFLICT = 1, -4


def call(name, *args):
    err = Error()
    code = getattr(LIB, name)(*args, ctypes.byref(err))
    return code, err.message.decode()


def well(name, *args):
    code, message = call(name, *args)
    assert code == 0, f'{name}: {code} {message}'


@REDUCE
def votes(edit, update, length, _userdata, err):
    """{"for": NAME} counts a vote, {"end": true} refuses all later ones."""
    update = json.loads(ctypes.string_at(update, length))
    old, old_len = ctypes.c_void_p(), ctypes.c_size_t()
    code = LIB.rouse_edit_json(ctypes.c_void_p(edit), None, ctypes.byref(old), ctypes.byref(old_len), err)
    if code < 0:
        return code
    value = json.loads(ctypes.string_at(old, old_len.value)) if old.value else {'ended': False, 'votes': {}}
    if value['ended']:
        err.contents.message = b'the vote has ended'
        return ECONFLICT
    if 'end' in update:
        value['ended'] = True
    else:
        value['votes'][update['for']] = value['votes'].get(update['for'], 0) + 1
    text = json.dumps(value, separators=(',', ':'), ensure_ascii=False).encode()
    return LIB.rouse_edit_put_json(ctypes.c_void_p(edit), None, text, ctypes.c_size_t(len(text)), err)


def update(store, key, value):
    batch = ctypes.c_void_p(LIB.rouse_batch_new())
    text = json.dumps(value).encode()
    well('rouse_batch_add_json', batch, key, text, ctypes.c_size_t(len(text)))
    commit = Commit(thread=b't', batch=batch)
    outcome = call('rouse_store_commit', store, ctypes.byref(commit), None)
    LIB.rouse_batch_free(batch)
    return outcome


def read(store, key):
    snapshot, text = ctypes.c_void_p(), ctypes.c_void_p()
    well('rouse_store_snapshot', store, b't', None, ctypes.byref(snapshot))
    well('rouse_snapshot_json', snapshot, key, None, ctypes.byref(text))
    value = ctypes.string_at(text).decode()
    FREE(text)
    LIB.rouse_snapshot_unref(snapshot)
    return value


def open_store(where, key):
    store = ctypes.c_void_p()
    well('rouse_store_open', where.encode(), None, ctypes.byref(store))
    well('rouse_store_register', store, key)
    return store


def main():
    place = tempfile.mkdtemp(prefix='rouse-ctypes.')
    key = ctypes.c_void_p()
    try:
        options = KeyOptions(name=b'votes', scope=SCOPE_THREAD, reduce=votes)
        well('rouse_json_key_new', ctypes.byref(options), ctypes.byref(key))
        store = open_store(place, key)
        assert update(store, key, {'for': 'Zoë'})[0] == 0
        assert update(store, key, {'for': 'Zoë'})[0] == 0
        assert read(store, key) == '{"ended":false,"votes":{"Zoë":2}}', read(store, key)
        LIB.rouse_store_close(store)
        print('ok 1 - updates go through a reducer in another language')
        store = open_store(place, key)
        assert update(store, key, {'end': True})[0] == 0
        assert update(store, key, {'for': 'Zoë'}) == (ECONFLICT, 'the vote has ended')
        assert read(store, key) == '{"ended":true,"votes":{"Zoë":2}}', read(store, key)
        LIB.rouse_store_close(store)
        print('ok 2 - its refusal reaches the caller, and changes nothing')
    finally:
        LIB.rouse_json_key_free(key)
        shutil.rmtree(place)
    print('1..2')


if __name__ == '__main__':
    sys.exit(main())
