/* A store whose file is not what it was: cut off, with a bit turned, of somebody else, not to be written, held by somebody. Each
 * call then says which store it is and what to do, or works; what cannot be opened stays as it was, to the byte. */
#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support/check.h"
#include "place.h"

#define ITEMS 60

/* ---- a store with a little of everything ---- */

static void fill(rouse_store *store, const char *text)
{
    rouse_error err = {0};
    for (int i = 0; i < ITEMS; i++) {
        char entry[16], id[16];
        snprintf(entry, sizeof entry, "bg_%d", i);
        snprintf(id, sizeof id, "m%d", i);
        struct item item = {.live = i % 2, .text = text, .parent = "bg_0"};
        assert_fine(put_item(store, "t", entry, &item, &err), &err);
        const rouse_post post = {.thread = "t", .task_id = entry, .json = "{}"};
        const rouse_message message = {.id = id, .role = "user", .json = "{}"};
        const rouse_run run = {.id = id, .status = "done", .json = "{}"};
        rouse_commit commit = {
            .thread = "t", .posts = &post, .n_posts = 1, .messages = &message, .n_messages = 1, .run_record = &run};
        assert_fine(rouse_store_commit(store, &commit, NULL, &err), &err);
    }
}

static void make_store(const char *place)
{
    char text[600];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    rouse_store *store = open_store(place);
    fill(store, text);
    rouse_store_close(store);
}

struct file {
    unsigned char *bytes;
    size_t size;
};

static struct file read_database(const char *place)
{
    struct file f = {NULL, 0};
    FILE *from = fopen(place_at(place, "rouse.db"), "rb");
    assert_non_null(from);
    assert_int_equal(fseek(from, 0, SEEK_END), 0);
    f.size = (size_t)ftell(from);
    rewind(from);
    f.bytes = malloc(f.size + 1);
    assert_non_null(f.bytes);
    assert_int_equal(fread(f.bytes, 1, f.size, from), f.size);
    fclose(from);
    return f;
}

static void write_database(const char *place, const unsigned char *bytes, size_t size)
{
    FILE *to = fopen(place_at(place, "rouse.db"), "wb");
    assert_non_null(to);
    assert_int_equal(fwrite(bytes, 1, size, to), size);
    assert_int_equal(fclose(to), 0);
    unlink(place_at(place, "rouse.db-wal"));
    unlink(place_at(place, "rouse.db-shm"));
}

static void assert_unchanged(const char *place, const struct file *before, const char *context)
{
    struct file now = read_database(place);
    if (now.size != before->size || memcmp(now.bytes, before->bytes, now.size) != 0)
        fail_msg("%s: what could not be opened was changed", context);
    if (access(place_at(place, "rouse.db-wal"), F_OK) == 0 || access(place_at(place, "rouse.db-shm"), F_OK) == 0)
        fail_msg("%s: something was left beside it", context);
    free(now.bytes);
}

/* ---- everything that is asked of it ---- */

struct asked {
    const char *place, *context;
    bool refused; /* some call was */
};

/* A failure names the store, or what in it cannot be read. */
static bool answered(struct asked *a, int code, const rouse_error *err, const char *call)
{
    if (code >= 0)
        return true;
    a->refused = true;
    bool named = strstr(err->message, a->place) || strstr(err->message, "'bg_") || strstr(err->message, "key");
    if ((code != ROUSE_ESTORE && code != ROUSE_EDATA && code != ROUSE_EIO) || err->code != code || !named)
        fail_msg("%s: %s: %d (%d): %s", a->context, call, code, err->code, err->message);
    return false;
}

static void ask_state(struct asked *a, rouse_store *store)
{
    rouse_error err = {0};
    rouse_snapshot *snapshot = NULL;
    rouse_rows *rows = NULL;
    char *json = NULL;
    answered(a, rouse_store_snapshot(store, "t", NULL, &snapshot, &err), &err, "snapshot");
    rouse_snapshot_unref(snapshot);
    if (answered(a, rouse_store_list(store, &items_key, &(rouse_query){.thread = "t"}, &rows, &err), &err, "list"))
        rouse_rows_free(rows);
    if (answered(a, rouse_store_export(store, "t", NULL, &json, &err), &err, "export"))
        free(json);
    answered(a, add_count(store, "t", 1, &err), &err, "commit");
}

static void ask_rest(struct asked *a, rouse_store *store)
{
    rouse_error err = {0};
    rouse_events *events = NULL;
    rouse_messages *messages = NULL;
    rouse_run *run = NULL;
    if (answered(a, rouse_store_inbox(store, "t", 0, true, 0, &events, &err), &err, "inbox"))
        rouse_events_free(events);
    if (answered(a, rouse_store_messages(store, "t", 0, 0, &messages, &err), &err, "messages"))
        rouse_messages_free(messages);
    int code = rouse_store_last_run(store, "t", &run, &err);
    if (code != ROUSE_ENOTFOUND && answered(a, code, &err, "last run"))
        rouse_run_free(run);
}

static void hush(int level, const char *text, void *userdata)
{
    (void)level, (void)text, (void)userdata;
}

/* 0 when it opened, else the code. */
static int ask(struct asked *a)
{
    rouse_error err = {0};
    rouse_store *store = NULL;
    int code = rouse_store_open(a->place, &(rouse_store_options){.busy_timeout_ms = 50}, &store, &err);
    if (!answered(a, code, &err, "open")) {
        assert_null(store);
        return code;
    }
    assert_fine(items_register(store, &err), &err);
    ask_state(a, store);
    ask_rest(a, store);
    int level = rouse_store_check(store, hush, NULL, &err);
    if (level > 1 || level < 0)
        a->refused = true;
    rouse_store_close(store);
    return 0;
}

static void test_cut_off(void **state)
{
    const char *place = *state;
    make_store(place);
    struct file whole = read_database(place);
    const size_t lengths[] = {
        0, 1, 15, 16, 99, 100, 101, 1000, 4095, 4096, 4097, whole.size / 2, whole.size - 4096, whole.size - 1};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        char context[64];
        struct file cut = {whole.bytes, lengths[i]};
        struct asked a = {.place = place, .context = context};
        snprintf(context, sizeof context, "cut off at %zu of %zu", lengths[i], whole.size);
        write_database(place, whole.bytes, lengths[i]);
        if (ask(&a) < 0)
            assert_unchanged(place, &cut, context);
        if (!a.refused)
            fail_msg("%s: nobody noticed", context);
    }
    free(whole.bytes);
}

/* Bits of each page: of its head, which says what the rest is, of the list of cells behind it, and of the cells. */
static void test_bits_turned(void **state)
{
    static const size_t at[] = {0, 1, 3, 5, 7, 8, 9, 10, 13, 100, 104, 2048, 3000, 4000, 4091};
    const char *place = *state;
    size_t noticed = 0, tried = 0;
    make_store(place);
    struct file whole = read_database(place);
    for (size_t page = 0; page < whole.size; page += 4096) {
        for (size_t i = 0; i < COUNT(at); i++) {
            char context[64];
            struct asked a = {.place = place, .context = context};
            snprintf(context, sizeof context, "bit of byte %zu of page %zu", at[i], page / 4096);
            whole.bytes[page + at[i]] ^= (unsigned char)(1 << (page / 4096 + i) % 8);
            write_database(place, whole.bytes, whole.size);
            if (ask(&a) < 0)
                assert_unchanged(place, &whole, context);
            whole.bytes[page + at[i]] ^= (unsigned char)(1 << (page / 4096 + i) % 8);
            noticed += a.refused;
            tried++;
        }
    }
    print_message("# %zu of %zu turned bits were noticed\n", noticed, tried);
    assert_true(noticed > tried / 4); /* of one in a text nobody can know */
    free(whole.bytes);
}

/* ---- held by another program ---- */

static void test_held(void **state)
{
    static const char *const holds[] = {"BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"};
    const char *place = *state;
    make_store(place);
    for (size_t i = 0; i < COUNT(holds); i++) {
        sqlite3 *db = NULL;
        rouse_store *store = NULL;
        assert_works(rouse_store_open(place, &(rouse_store_options){.busy_timeout_ms = 30}, &store, &err));
        assert_works(items_register(store, &err));
        uint64_t before = read_revision(store, "t");
        assert_int_equal(sqlite3_open(place_at(place, "rouse.db"), &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, holds[i], NULL, NULL, NULL), SQLITE_OK);
        assert_refused(add_count(store, "t", 1, &err), ROUSE_EBUSY, "is busy: another process is writing; try again");
        const char document[] = "{\"revision\":1,\"extensions\":{}}";
        assert_refused(rouse_store_import(store, "t", document, sizeof document - 1, NULL, &err), ROUSE_EBUSY, place);
        assert_int_equal(read_revision(store, "t"), before);
        assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
        assert_works(add_count(store, "t", 1, &err));
        sqlite3_close(db);
        rouse_store_close(store);
    }
}

/* One that is locked as a whole, as a program that knows nothing of write-ahead logs does, cannot even be opened. */
static void test_locked_while_opening(void **state)
{
    const char *place = *state;
    sqlite3 *db = NULL;
    rouse_store *store = NULL;
    make_store(place);
    struct file before = read_database(place);
    assert_int_equal(sqlite3_open(place_at(place, "rouse.db"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT", NULL, NULL, NULL),
                     SQLITE_OK);
    const rouse_store_options options = {.busy_timeout_ms = 30};
    assert_refused(rouse_store_open(place, &options, &store, &err), ROUSE_EBUSY,
                   "another process is writing; try again");
    assert_null(store);
    sqlite3_close(db);
    assert_unchanged(place, &before, "locked");
    free(before.bytes);
    rouse_store_close(open_store(place));
}

/* ---- not to be written: as somebody who is not root ---- */

static void test_read_only(void **state)
{
    static const struct {
        mode_t file, directory;
    } rows[] = {{0444, 0755}, {0444, 0555}, {0644, 0555}};
    const char *place = *state;
    bool root = geteuid() == 0;
    make_store(place);
    struct file before = read_database(place);
    for (size_t i = 0; i < COUNT(rows); i++) {
        rouse_store *store = NULL;
        assert_int_equal(chmod(place_at(place, "rouse.db"), rows[i].file), 0);
        assert_int_equal(chmod(place, rows[i].directory), 0);
        if (root)
            assert_int_equal(seteuid(65534), 0);
        assert_refused(rouse_store_open(place, NULL, &store, &err), ROUSE_ESTORE, "check its owner and permissions");
        if (root)
            assert_int_equal(seteuid(0), 0);
        assert_null(store);
        assert_unchanged(place, &before, "read-only");
    }
    assert_int_equal(chmod(place, 0700), 0);
    free(before.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cut_off, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_bits_turned, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_held, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_locked_while_opening, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_read_only, place_set_up, place_tear_down),
    };
    return check_run(tests, NULL, NULL);
}
