/* What a handle on SQLite keeps of its snapshots: never stale, whoever wrote, and nothing is read twice. */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "place.h"
#include "storage/sqlite.h"

enum { ROUNDS = 1200, HANDLES = 3, TEXT = 4096 };

struct crowd {
    char place[PLACE_SIZE];
    rouse_store *stores[HANDLES]; /* the last one forgets before it looks */
    uint64_t random;
};

static int set_up(void **state)
{
    struct crowd *c = calloc(1, sizeof *c);
    assert_non_null(c);
    place_make(c->place);
    for (size_t i = 0; i < HANDLES; i++)
        c->stores[i] = open_store(c->place);
    c->random = 7;
    *state = c;
    return 0;
}

static int tear_down(void **state)
{
    struct crowd *c = *state;
    for (size_t i = 0; i < HANDLES; i++)
        rouse_store_close(c->stores[i]);
    place_remove(c->place);
    free(c);
    return 0;
}

static unsigned draw(struct crowd *c, unsigned below)
{
    c->random = c->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (unsigned)(c->random >> 33) % below;
}

static const char *const threads[] = {"t", "u"};
static const char *const runs[] = {NULL, "r", "s"};

/* ---- everything a snapshot shows, as text ---- */

static void describe_map(const rouse_snapshot *snapshot, const rouse_key *key, char *text)
{
    for (size_t i = 0; i < rouse_snapshot_count(snapshot, key); i++) {
        const char *entry = NULL;
        const struct item *item = rouse_snapshot_at(snapshot, key, i, &entry);
        assert_ptr_equal(rouse_snapshot_get(snapshot, key, entry), item);
        size_t at = strlen(text);
        snprintf(text + at, TEXT - at, " %s=%s", entry, item->text);
    }
}

static void describe(const rouse_snapshot *snapshot, char text[TEXT])
{
    const rouse_key *const scalars[] = {&count_key, &run_key, &scratch_key};
    snprintf(text, TEXT, "%llu:", (unsigned long long)rouse_snapshot_revision(snapshot));
    for (size_t i = 0; i < 3; i++) {
        const long *value = rouse_snapshot_get(snapshot, scalars[i], NULL);
        size_t at = strlen(text);
        snprintf(text + at, TEXT - at, value ? " %ld" : " -", value ? *value : 0);
    }
    describe_map(snapshot, &items_key, text);
    describe_map(snapshot, &run_items_key, text);
}

static rouse_snapshot *look(rouse_store *store, const char *thread, const char *run, char text[TEXT])
{
    rouse_error err = {0};
    rouse_snapshot *snapshot = NULL;
    assert_fine(rouse_store_snapshot(store, thread, run, &snapshot, &err), &err);
    describe(snapshot, text);
    return snapshot;
}

static void compare(struct crowd *c)
{
    const char *thread = threads[draw(c, 2)], *run = runs[draw(c, 3)];
    rouse_store *judge = c->stores[HANDLES - 1];
    char want[TEXT], is[TEXT];
    sqlite_seen_forget(judge->backend, thread);
    rouse_snapshot_unref(look(judge, thread, run, want));
    for (size_t i = 0; i + 1 < HANDLES; i++) {
        if (draw(c, 3) == 0)
            continue; /* so that it falls behind */
        rouse_snapshot_unref(look(c->stores[i], thread, run, is));
        assert_string_equal(is, want);
    }
}

/* ---- at random ---- */

static void add_one(struct crowd *c, rouse_batch *batch)
{
    char entry[16], text[16];
    rouse_error err = {0};
    unsigned number = draw(c, 10), what = draw(c, 40);
    snprintf(entry, sizeof entry, number % 3 ? "bg_%u" : "e%u", number);
    snprintf(text, sizeof text, "%u", draw(c, 1000));
    const struct item item = {.live = draw(c, 3) > 0, .text = text};
    const rouse_key *const scalars[] = {&count_key, &run_key, &scratch_key};
    const rouse_key *map = draw(c, 3) ? &items_key : &run_items_key;
    if (what < 8)
        assert_fine(rouse_batch_add(batch, scalars[draw(c, 3)], count_add(1), &err), &err);
    else
        assert_fine(rouse_batch_add(batch, map,
                                    what < 30   ? item_put(entry, &item)
                                    : what < 36 ? item_remove(entry)
                                    : what < 38 ? item_clear()
                                                : item_fail(),
                                    &err),
                    &err);
}

/* Some fail: what is put again after it has ended, and what is told to. */
static void commit_some(struct crowd *c, rouse_store *store)
{
    rouse_batch *batch = rouse_batch_new();
    const char *run = runs[1 + draw(c, 2)];
    for (unsigned count = 1 + draw(c, 4); count > 0; count--)
        add_one(c, batch);
    rouse_store_commit(store, &(rouse_commit){.thread = threads[draw(c, 2)], .run = run, .batch = batch}, NULL, NULL);
    rouse_batch_free(batch);
}

/* With the revision that the thread has already, so that it does not tell. */
static void import_some(struct crowd *c, rouse_store *store)
{
    char json[400];
    const char *thread = threads[draw(c, 2)];
    rouse_error err = {0};
    snprintf(json, sizeof json,
             "{\"revision\":%llu,\"extensions\":{\"items\":{\"tasks\":{\"bg_%u\":"
             "{\"live\":true,\"name\":\"\",\"parent\":\"\",\"run\":\"\",\"text\":\"i%u\"}}},\"count\":%u}}",
             (unsigned long long)read_revision(store, thread), draw(c, 10), draw(c, 1000), draw(c, 1000));
    const rouse_import_options options = {.run = draw(c, 2) ? "r" : NULL, .thread_only = draw(c, 2)};
    assert_fine(rouse_store_import(store, thread, json, strlen(json), &options, &err), &err);
}

static void test_at_random(void **state)
{
    struct crowd *c = *state;
    char then[TEXT], now[TEXT];
    rouse_snapshot *held = look(c->stores[0], "t", "r", then);
    for (int i = 0; i < ROUNDS; i++) {
        rouse_store *store = c->stores[draw(c, 2)];
        if (draw(c, 25) == 0)
            import_some(c, store);
        else
            commit_some(c, store);
        compare(c);
        if (i % 50 == 0) {
            describe(held, now);
            assert_string_equal(now, then); /* whatever became of the place */
            rouse_snapshot_unref(held);
            held = look(c->stores[0], "t", "r", then);
        }
    }
    rouse_snapshot_unref(held);
}

/* ---- what is read ---- */

static int decoded;

static int decode(const char *entry, const char *json, size_t len, void **ret_value, rouse_error *err)
{
    decoded++;
    return plain_key.decode(entry, json, len, ret_value, err);
}

static int read_by(rouse_store *store)
{
    rouse_error err = {0};
    rouse_snapshot *snapshot = NULL;
    decoded = 0;
    assert_fine(rouse_store_snapshot(store, "t", NULL, &snapshot, &err), &err);
    rouse_snapshot_unref(snapshot);
    return decoded;
}

static int put_counted(rouse_store *store, const rouse_key *key, const char *entry)
{
    static const struct item item = {.live = true, .text = "x"};
    rouse_error err = {0};
    rouse_batch *batch = rouse_batch_new();
    int code = rouse_batch_add(batch, key, item_put(entry, &item), &err);
    if (code == 0)
        code = rouse_store_commit(store, &(rouse_commit){.thread = "t", .batch = batch}, NULL, &err);
    rouse_batch_free(batch);
    return code;
}

static void test_what_is_known_is_not_read_again(void **state)
{
    struct crowd *c = *state;
    static rouse_key counted;
    char entry[16];
    rouse_error err = {0};
    counted = plain_key;
    counted.name = "counted";
    counted.decode = decode;
    for (size_t i = 0; i < 2; i++)
        assert_fine(rouse_store_register(c->stores[i], &counted, &err), &err);
    for (int i = 0; i < 20; i++) {
        snprintf(entry, sizeof entry, "e%d", i);
        assert_int_equal(put_counted(c->stores[0], &counted, entry), 0);
    }
    assert_int_equal(read_by(c->stores[0]), 20);
    assert_int_equal(read_by(c->stores[0]), 0);
    assert_int_equal(put_counted(c->stores[0], &counted, "e3"), 0); /* its own */
    assert_int_equal(read_by(c->stores[0]), 0);
    assert_int_equal(put_counted(c->stores[1], &counted, "e4"), 0); /* another's */
    assert_int_equal(read_by(c->stores[0]), 1);
    assert_fine(put_item(c->stores[1], "u", "bg_0", &(struct item){.live = true, .text = "x"}, &err), &err); /* elsewhere */
    assert_int_equal(read_by(c->stores[0]), 0);
}

/* ---- another process ---- */

static FILE *start_committer(const char *place, pid_t *ret_pid)
{
    int out[2];
    posix_spawn_file_actions_t actions;
    char *argv[] = {"committer", (char *)(uintptr_t)place, "40", NULL};
    assert_non_null(getenv("COMMITTER"));
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO), 0);
    assert_int_equal(posix_spawn(ret_pid, getenv("COMMITTER"), &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    FILE *lines = fdopen(out[0], "r");
    assert_non_null(lines);
    return lines;
}

static void test_another_process(void **state)
{
    struct crowd *c = *state;
    char text[TEXT];
    unsigned long long number, revision;
    pid_t pid = 0;
    int count = 0, status = -1;
    FILE *lines = start_committer(c->place, &pid);
    for (; fscanf(lines, "%llu %llu", &number, &revision) == 2; count++) {
        rouse_error err = {0};
        rouse_snapshot *snapshot = look(c->stores[0], "t", NULL, text);
        const long *counted = rouse_snapshot_get(snapshot, &count_key, NULL);
        assert_true(rouse_snapshot_revision(snapshot) >= revision);
        assert_true(rouse_snapshot_count(snapshot, &items_key) > number);
        assert_true(counted && (size_t)*counted == rouse_snapshot_count(snapshot, &items_key));
        rouse_snapshot_unref(snapshot);
        if (count % 8 == 0)
            assert_fine(add_count(c->stores[0], "u", 1, &err), &err);
    }
    fclose(lines);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(count, 40);
}

/* ---- more places than are kept ---- */

static void test_many_places(void **state)
{
    struct crowd *c = *state;
    char thread[16], text[TEXT];
    rouse_error err = {0};
    for (int turn = 1; turn <= 2; turn++) {
        for (int i = 0; i < 3 * SQLITE_SEEN; i++) {
            snprintf(thread, sizeof thread, "t%d", i);
            assert_fine(add_count(c->stores[i % 2], thread, i, &err), &err);
            rouse_snapshot *snapshot = look(c->stores[0], thread, "r", text);
            assert_int_equal(*(const long *)rouse_snapshot_get(snapshot, &count_key, NULL), turn * i);
            rouse_snapshot_unref(snapshot);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_at_random, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_known_is_not_read_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_process, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_places, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
