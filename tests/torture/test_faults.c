/* The n-th call that a store makes of the file system fails, for every n, once and from then on always. Each call of the
 * store then fails with a documented code or works; without faults the store opens again, with every acknowledged commit in
 * it, none in half, and the check finds nothing. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../support/check.h"
#include "scenario.h"

#define MOST 100000 /* calls in one scenario; more means that it never gets through */

static const struct row {
    const char *label;
    struct vfs_fault fault;
} rows[] = {
    {"open", {VFS_OPEN, SQLITE_CANTOPEN, false, false}},
    {"read", {VFS_READ, SQLITE_IOERR_READ, false, false}},
    {"write", {VFS_WRITE, SQLITE_IOERR_WRITE, false, false}},
    {"torn write", {VFS_WRITE, SQLITE_IOERR_WRITE, false, true}},
    {"disk full", {VFS_WRITE, SQLITE_FULL, false, true}},
    {"truncate", {VFS_TRUNCATE, SQLITE_IOERR_TRUNCATE, false, false}},
    {"sync", {VFS_SYNC, SQLITE_IOERR_FSYNC, false, false}},
    {"size", {VFS_SIZE, SQLITE_IOERR_FSTAT, false, false}},
    {"lock", {VFS_LOCK, SQLITE_BUSY, false, false}},
    {"lock error", {VFS_LOCK, SQLITE_IOERR_LOCK, false, false}},
    {"delete", {VFS_DELETE, SQLITE_IOERR_DELETE, false, false}},
    {"access", {VFS_ACCESS, SQLITE_IOERR_ACCESS, false, false}},
    {"map shm", {VFS_SHM_MAP, SQLITE_IOERR_SHMMAP, false, false}},
    {"lock shm", {VFS_SHM_LOCK, SQLITE_BUSY, false, false}},
    {"lock shm error", {VFS_SHM_LOCK, SQLITE_IOERR_SHMLOCK, false, false}},
};

static const struct scenario plain = {.rounds = 2, .commits = 4, .text = 3000};

static struct scenario scenario_of(rouse_durability durability)
{
    struct scenario what = plain;
    what.durability = durability;
    return what;
}

/* One failure is told once: what comes after a failed sync is refused until the store is opened again, and an opening that
 * failed is tried again; everything else works at once. */
static void assert_told(const struct row *row, const struct told *told, const char *context)
{
    size_t most = row->fault.call == VFS_SYNC ? (size_t)plain.commits + 2 : 1;
    if (told->failures > most)
        fail_msg("%s: one fault made %zu calls fail, the last of them %s", context, told->failures, told->last_message);
}

static char place[PLACE_SIZE];

static int tear_down(void **state)
{
    (void)state;
    vfs_stop();
    if (*place)
        place_remove(place);
    *place = '\0';
    return 0;
}

static bool one(const struct row *row, unsigned long n, bool always, rouse_durability durability)
{
    char context[128];
    struct told told;
    struct scenario what = scenario_of(durability);
    struct vfs_fault fault = row->fault;
    fault.always = always;
    snprintf(context, sizeof context, "%s %lu fails %s, durability %d", row->label, n,
             always ? "and all behind it" : "once", (int)durability);
    place_make(place);
    vfs_fail_at(n, &fault);
    scenario_run(place, &what, &told);
    bool failed = vfs_stop();
    if (failed && !always)
        assert_told(row, &told, context);
    if (!failed && told.failures)
        fail_msg("%s: without a fault, %s", context, told.last_message);
    scenario_assert(place, &told, false, context);
    tear_down(NULL);
    return failed;
}

static bool is_long(void)
{
    return getenv("TORTURE_SECONDS") != NULL;
}

/* The short form leaves out more and more of the later calls; the long one leaves out none. */
static unsigned long after(unsigned long n)
{
    return n + 1 + (is_long() ? 0 : n / 2);
}

/* How a commit is made durable makes a difference to these two. */
static bool depends_on_durability(const struct row *row)
{
    return row->fault.call == VFS_SYNC || row->fault.call == VFS_WRITE;
}

static void test_each_call_fails(void **state)
{
    const struct row *row = *state;
    for (int durability = ROUSE_DURABLE_PROCESS; durability <= ROUSE_DURABLE_POWER; durability++) {
        if (durability == ROUSE_DURABLE_POWER && !is_long() && !depends_on_durability(row))
            return;
        for (int always = 0; always <= 1; always++) {
            unsigned long n = 1;
            while (n < MOST && one(row, n, always, (rouse_durability)durability))
                n = after(n);
            assert_true(n > 1 && n < MOST);
        }
    }
}

/* What a person reads who has no room left. */
static void test_full_disk_is_told(void **state)
{
    static const char told[] = "disk full: store '", next[] = "' cannot grow; free some space and try again";
    (void)state;
    rouse_error err = {0};
    const struct vfs_fault fault = {VFS_WRITE, SQLITE_FULL, true, false};
    place_make(place);
    rouse_store *store = open_store(place);
    assert_fine(add_count(store, "t", 1, &err), &err);
    vfs_fail_at(1, &fault);
    int code = add_count(store, "t", 1, &err);
    assert_true(vfs_stop());
    assert_failed(code, &err, ROUSE_EIO, NULL);
    assert_int_equal(strncmp(err.message, told, sizeof told - 1), 0);
    assert_non_null(strstr(err.message, next));
    assert_int_equal(read_count(store, "t"), 1);
    assert_fine(add_count(store, "t", 1, &err), &err); /* there is room again */
    assert_int_equal(read_count(store, "t"), 2);
    rouse_store_close(store);
}

/* With durability `process` nothing but a checkpoint syncs, after a commit that has been made: so that one is told as made, and the
 * next is refused, since what came before it may be lost with the power. */
static void test_checkpoint_cannot_sync(void **state)
{
    static char text[500000];
    (void)state;
    char entry[16];
    rouse_error err = {0};
    const struct vfs_fault fault = {VFS_SYNC, SQLITE_IOERR_FSYNC, false, false};
    memset(text, 'x', sizeof text - 1);
    const struct item item = {.live = true, .text = text};
    place_make(place);
    rouse_store *store = open_store(place);
    assert_fine(add_count(store, "t", 1, &err), &err); /* a new log syncs its header */
    vfs_fail_at(1, &fault);
    int made = 0, code = 0;
    while (code == 0 && made < 100) {
        snprintf(entry, sizeof entry, "bg_%d", made);
        code = put_item(store, "t", entry, &item, &err);
        made += code == 0;
    }
    assert_true(vfs_stop());
    assert_true(made > 20 && made < 100);
    assert_int_equal(code, ROUSE_EIO);
    assert_non_null(strstr(err.message, "could not be synced"));
    assert_int_equal(add_count(store, "t", 1, &err), ROUSE_EIO);
    rouse_store_close(store);
    store = open_store(place);
    assert_int_equal(read_revision(store, "t"), made + 1);
    assert_fine(add_count(store, "t", 1, &err), &err);
    rouse_store_close(store);
}

static int install(void **state)
{
    (void)state;
    vfs_install();
    return 0;
}

int main(void)
{
    struct CMUnitTest tests[COUNT(rows) + 2] = {cmocka_unit_test_teardown(test_checkpoint_cannot_sync, tear_down),
                                                cmocka_unit_test_teardown(test_full_disk_is_told, tear_down)};
    for (size_t i = 0; i < COUNT(rows); i++)
        tests[i + 2] =
            (struct CMUnitTest){rows[i].label, test_each_call_fails, NULL, tear_down, (void *)(uintptr_t)&rows[i]};
    return check_run(tests, install, NULL);
}
