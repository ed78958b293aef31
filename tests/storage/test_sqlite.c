/* What only a store in a directory can meet: bad files, versions, permissions, a full disk, a busy database. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "place.h"
#include "storage/sqlite.h"

/* ---- making and looking at files ---- */

static void write_file(const char *path, const char *bytes, size_t len)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static sqlite3 *raw(const char *place)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(place_at(place, "rouse.db"), &db), SQLITE_OK);
    return db;
}

static void run_sql(const char *place, const char *sql)
{
    sqlite3 *db = raw(place);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void make_store(const char *place)
{
    rouse_error err = {0};
    rouse_store *store = open_store(place);
    struct item item = {.live = true, .text = "x"};
    assert_fine(put_item(store, "t", "bg_0", &item, &err), &err);
    rouse_store_close(store);
}

static unsigned mode_of(const char *place, const char *name)
{
    struct stat st;
    assert_int_equal(stat(place_at(place, name), &st), 0);
    return st.st_mode & 07777;
}

/* ---- stores that are none ---- */

static void make_nothing(const char *place)
{
    (void)place;
}

static void make_file(const char *place)
{
    write_file(place_at(place, "file"), "hello", 5);
}

static void make_text_database(const char *place)
{
    char text[8192];
    memset(text, 'x', sizeof text);
    write_file(place_at(place, "rouse.db"), text, sizeof text);
}

static void make_short_database(const char *place)
{
    write_file(place_at(place, "rouse.db"), "hello", 5);
}

static void make_directory_database(const char *place)
{
    assert_int_equal(mkdir(place_at(place, "rouse.db"), 0700), 0);
}

static void make_foreign(const char *place)
{
    run_sql(place, "CREATE TABLE entry(a); INSERT INTO entry VALUES(1)");
}

static void make_foreign_id(const char *place)
{
    run_sql(place, "PRAGMA application_id = 5");
}

static void make_foreign_version(const char *place)
{
    run_sql(place, "PRAGMA user_version = 1");
}

static void make_newer(const char *place)
{
    make_store(place);
    run_sql(place, "PRAGMA user_version = 99");
}

static void make_truncated(const char *place)
{
    make_store(place);
    assert_int_equal(truncate(place_at(place, "rouse.db"), 6000), 0);
}

static void make_headless(const char *place)
{
    make_store(place);
    int fd = open(place_at(place, "rouse.db"), O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "not a database, never was", 25, 0), 25);
    close(fd);
}

struct bad_store {
    const char *label;
    void (*make)(const char *place);
    const char *below; /* what is opened: place/below */
    int code;
    const char *says; /* part of the message */
};

static const struct bad_store bad_stores[] = {
    {"a file", make_file, "/file", ROUSE_ESTORE, "is not a directory; a store is a directory, name one"},
    {"below a file", make_file, "/file/store", ROUSE_ESTORE, "Not a directory"},
    {"deep below a file", make_file, "/file/a/b", ROUSE_ESTORE, "Not a directory"},
    {"text as database", make_text_database, "", ROUSE_ESTORE,
     "is not a database: move it away, or name another store"},
    {"a few bytes as database", make_short_database, "", ROUSE_ESTORE, "is not a database: move it away"},
    {"a directory as database", make_directory_database, "", ROUSE_ESTORE, "is not a file; name another store"},
    {"another program's tables", make_foreign, "", ROUSE_ESTORE,
     "is a database of another program; name another store"},
    {"another program's id", make_foreign_id, "", ROUSE_ESTORE, "is a database of another program; name another store"},
    {"a version without an id", make_foreign_version, "", ROUSE_ESTORE, "is a database of another program"},
    {"newer", make_newer, "", ROUSE_ESTORE, "is of version 99, this rouse knows up to 6; use a newer rouse"},
    {"truncated", make_truncated, "", ROUSE_ESTORE, "is damaged: move it away, or bring back a copy of it"},
    {"header overwritten", make_headless, "", ROUSE_ESTORE, "is not a database: move it away"},
};

static void clear(const char *place)
{
    place_remove(place);
    assert_int_equal(mkdir(place, 0700), 0);
}

static off_t size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : -1;
}

static void test_bad_stores(void **state)
{
    const char *place = *state;
    for (size_t i = 0; i < sizeof bad_stores / sizeof *bad_stores; i++) {
        const struct bad_store *row = &bad_stores[i];
        for (int kind = 0; kind < 3; kind++) {
            rouse_store_options options = {.must_exist = kind == 1, .read_only = kind == 2};
            rouse_store *store = NULL;
            rouse_error err = {0};
            char where[PLACE_SIZE + 32];
            row->make(place);
            snprintf(where, sizeof where, "%s%s", place, row->below);
            off_t before = size_of(place_at(place, "rouse.db"));
            int code = rouse_store_open(where, &options, &store, &err);
            if (code != row->code || !strstr(err.message, row->says) || !strstr(err.message, place))
                fail_msg("%s: %d: %s", row->label, code, err.message);
            assert_null(store);
            assert_int_equal(size_of(place_at(place, "rouse.db")), before);
            clear(place);
        }
    }
}

static void test_nothing_is_made_beside_what_is_not_ours(void **state)
{
    const char *place = *state;
    rouse_store *store = NULL;
    make_foreign(place);
    assert_int_equal(rouse_store_open(place, NULL, &store, NULL), ROUSE_ESTORE);
    static const char *const names[] = {"bell", "tasks", "rouse.db-wal", "rouse.db-shm", "rouse.db-journal"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(access(place_at(place, names[i]), F_OK), -1);
    sqlite3 *db = raw(place);
    assert_int_equal(sqlite3_exec(db, "SELECT a FROM entry", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* What a creation that was killed leaves behind is taken up by the next one. */
struct unfinished {
    const char *label;
    void (*make)(const char *place);
    int must_exist; /* what must_exist and read_only answer */
};

static void make_empty(const char *place)
{
    write_file(place_at(place, "rouse.db"), "", 0);
    assert_int_equal(chmod(place_at(place, "rouse.db"), 0644), 0);
}

static void make_bell(const char *place)
{
    write_file(place_at(place, "bell"), "", 0);
}

static void make_wal(const char *place)
{
    run_sql(place, "PRAGMA journal_mode = WAL");
}

static const struct unfinished unfinished[] = {
    {"nothing", make_nothing, ROUSE_ENOTFOUND},
    {"a bell", make_bell, ROUSE_ENOTFOUND},
    {"an empty file", make_empty, ROUSE_ENOTFOUND},
    {"a database without tables", make_wal, 0},
};

static void test_unfinished_stores_are_completed(void **state)
{
    const char *place = *state;
    for (size_t i = 0; i < sizeof unfinished / sizeof *unfinished; i++) {
        rouse_store *store = NULL;
        rouse_store_options options = {.must_exist = true};
        unfinished[i].make(place);
        int code = rouse_store_open(place, &options, &store, NULL);
        if (code != unfinished[i].must_exist)
            fail_msg("%s: %d", unfinished[i].label, code);
        rouse_store_close(store);
        make_store(place);
        store = open_store(place);
        assert_int_equal(read_revision(store, "t"), 1);
        assert_int_equal(mode_of(place, "tasks"), 0700);
        assert_int_equal(mode_of(place, "bell") & 0600, 0600);
        rouse_store_close(store);
        clear(place);
    }
    make_wal(place);
    rouse_store *store = NULL;
    assert_int_equal(rouse_store_open(place, &(rouse_store_options){.read_only = true}, &store, NULL), ROUSE_ENOTFOUND);
}

/* ---- where it is ---- */

struct location {
    const char *where, *variable, *state, *home;
    const char *want; /* the directory, or NULL */
    int code;
};

static const struct location locations[] = {
    {"/a/b", "/v", "/s", "/h", "/a/b", 0},
    {"/a/b//", NULL, NULL, NULL, "/a/b", 0},
    {"/", NULL, NULL, NULL, "/", 0},
    {"sqlite:/a", "/v", "/s", "/h", "/a", 0},
    {NULL, "/v", "/s", "/h", "/v", 0},
    {NULL, "sqlite:/v", "/s", "/h", "/v", 0},
    {NULL, NULL, "/s", "/h", "/s/rouse", 0},
    {NULL, "", "/s", "/h", "/s/rouse", 0},
    {NULL, NULL, "relative", "/h", "/h/.local/state/rouse", 0},
    {NULL, NULL, "", "/h", "/h/.local/state/rouse", 0},
    {NULL, NULL, NULL, "/h", "/h/.local/state/rouse", 0},
    {NULL, NULL, NULL, NULL, NULL, ROUSE_EINVAL},
    {NULL, NULL, NULL, "relative", NULL, ROUSE_EINVAL},
    {"", "/v", NULL, NULL, NULL, ROUSE_EINVAL},
    {"sqlite:", "/v", NULL, NULL, NULL, ROUSE_EINVAL},
    {"postgres://host/db", NULL, NULL, NULL, NULL, ROUSE_EUNSUPPORTED},
    {"postgresql://host/db", NULL, NULL, NULL, NULL, ROUSE_EUNSUPPORTED},
    {NULL, "postgres://host/db", NULL, NULL, NULL, ROUSE_EUNSUPPORTED},
    {"mysql://host/db", NULL, NULL, NULL, NULL, ROUSE_EUNSUPPORTED},
};

static void set_variable(const char *name, const char *value)
{
    assert_int_equal(value ? setenv(name, value, 1) : unsetenv(name), 0);
}

static void test_locations(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof locations / sizeof *locations; i++) {
        const struct location *row = &locations[i];
        rouse_error err = {0};
        char *directory = NULL;
        set_variable("ROUSE_STORE", row->variable);
        set_variable("XDG_STATE_HOME", row->state);
        set_variable("HOME", row->home);
        assert_int_equal(storage_locate(row->where, &directory, &err), row->code);
        if (row->want)
            assert_string_equal(directory, row->want);
        else
            assert_null(directory);
        free(directory);
    }
    char *directory = NULL;
    assert_int_equal(storage_locate("sub/dir", &directory, NULL), 0);
    char here[4096];
    assert_non_null(getcwd(here, sizeof here));
    assert_memory_equal(directory, here, strlen(here));
    assert_string_equal(directory + strlen(here), "/sub/dir");
    free(directory);
    char long_path[5000];
    memset(long_path, 'x', sizeof long_path);
    long_path[sizeof long_path - 1] = '\0';
    assert_int_equal(storage_locate(long_path, &directory, NULL), ROUSE_EINVAL);
}

static void test_odd_paths(void **state)
{
    const char *place = *state;
    static const char *const names[] = {"with space", "per%41cent", "quest?ion=1",     "ha#sh",
                                        "quo'te\"",   "b\\s",       "\xc3\xa4/deep/er"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char where[PLACE_SIZE + 32];
        snprintf(where, sizeof where, "%s/%s", place, names[i]);
        make_store(where);
        rouse_store *store = open_store(where);
        assert_string_equal(rouse_store_path(store), where);
        assert_int_equal(read_revision(store, "t"), 1);
        rouse_store_close(store);
        assert_int_equal(mode_of(where, "rouse.db"), 0600);
    }
}

/* ---- permissions ---- */

static void test_modes(void **state)
{
    const char *place = *state;
    static const mode_t masks[] = {0, 022, 077};
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
        char where[PLACE_SIZE + 32];
        snprintf(where, sizeof where, "%s/new%zu", place, i);
        mode_t before = umask(masks[i]);
        rouse_store *store = open_store(where);
        rouse_error err = {0};
        assert_fine(add_count(store, "t", 1, &err), &err);
        umask(before);
        static const char *const files[] = {"rouse.db", "rouse.db-wal", "rouse.db-shm", "bell"};
        for (size_t k = 0; k < sizeof files / sizeof *files; k++)
            assert_int_equal(mode_of(where, files[k]), 0600);
        assert_int_equal(mode_of(where, ""), 0700);
        assert_int_equal(mode_of(where, "tasks"), 0700);
        rouse_store_close(store);
    }
}

/* For root no file is unwritable, so then it is tried as somebody else. */
static int open_as_stranger(const char *where, const rouse_store_options *options, rouse_error *err)
{
    rouse_store *store = NULL;
    bool root = geteuid() == 0;
    if (root)
        assert_int_equal(seteuid(65534), 0);
    int code = rouse_store_open(where, options, &store, err);
    if (root)
        assert_int_equal(seteuid(0), 0);
    rouse_store_close(store);
    return code;
}

static void test_no_rights(void **state)
{
    const char *place = *state;
    rouse_error err = {0};
    assert_int_equal(chmod(place, 0555), 0);
    assert_failed(open_as_stranger(place_at(place, "new"), NULL, &err), &err, ROUSE_ESTORE, NULL);
    assert_non_null(strstr(err.message, "Permission denied"));
    assert_failed(open_as_stranger(place, NULL, &err), &err, ROUSE_ESTORE, NULL);
    assert_non_null(strstr(err.message, "Permission denied"));
    assert_int_equal(chmod(place, 0755), 0);
    make_store(place);
    assert_int_equal(chmod(place_at(place, "rouse.db"), 0444), 0);
    assert_int_equal(chmod(place, 0555), 0);
    assert_failed(open_as_stranger(place, NULL, &err), &err, ROUSE_ESTORE, NULL);
    assert_non_null(strstr(err.message, "check its owner and permissions"));
    assert_int_equal(chmod(place_at(place, "rouse.db"), 0), 0);
    assert_failed(open_as_stranger(place, NULL, &err), &err, ROUSE_ESTORE, NULL);
    assert_int_equal(chmod(place, 0700), 0);
}

/* ---- trouble while in use ---- */

static void test_busy(void **state)
{
    const char *place = *state;
    rouse_error err = {0};
    rouse_store *store = NULL;
    make_store(place);
    assert_fine(rouse_store_open(place, &(rouse_store_options){.busy_timeout_ms = 20}, &store, &err), &err);
    assert_fine(items_register(store, &err), &err);
    sqlite3 *db = raw(place);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_failed(add_count(store, "t", 1, &err), &err, ROUSE_EBUSY, NULL);
    assert_int_equal(read_count(store, "t"), 0); /* readers are never held up */
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    assert_fine(add_count(store, "t", 1, &err), &err);
    sqlite3_close(db);
    rouse_store_close(store);
}

/* However often it rang and by whatever kind of touch, one clear is enough; also when somebody removes the file. */
/* What a handle holds is rung only while it is what others watch. */
static void test_bell_that_was_replaced(void **state)
{
    const char *place = *state;
    char other[PLACE_SIZE + 8];
    int fd = -1;
    rouse_error err = {0};
    rouse_store *store = open_store(place);
    write_file(place_at(place, "new"), "", 0);
    snprintf(other, sizeof other, "%s/new", place);
    assert_int_equal(rename(other, place_at(place, "bell")), 0);
    assert_fine(rouse_store_bell_open(store, &fd, &err), &err);
    assert_int_equal(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0), 0);
    assert_fine(put_item(store, "t", "a", &(struct item){.live = true}, &err), &err);
    assert_int_equal(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0), 1);
    rouse_store_bell_clear(fd);
    rouse_store_close(store); /* which does not ring */
    assert_int_equal(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0), 0);
    close(fd);
}

static void test_bell_is_cleared_whole(void **state)
{
    const char *place = *state;
    rouse_error err = {0};
    rouse_store *store = open_store(place);
    int fd = -1;
    assert_fine(rouse_store_bell_open(store, &fd, &err), &err);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    for (int i = 0; i < 400; i++) {
        bell_ring(-1, place);
        int bell = open(place_at(place, "bell"), O_WRONLY);
        assert_true(bell >= 0);
        assert_int_equal(write(bell, "x", 1), 1);
        close(bell);
    }
    assert_int_equal(poll(&p, 1, 10000), 1);
    rouse_store_bell_clear(fd);
    assert_int_equal(poll(&p, 1, 0), 0);
    assert_int_equal(unlink(place_at(place, "bell")), 0);
    assert_int_equal(poll(&p, 1, 10000), 1);
    assert_fine(add_count(store, "t", 1, &err), &err);
    assert_int_equal(mode_of(place, "bell"), 0600); /* the next committer hangs a new one */
    close(fd);
    rouse_store_close(store);
}

static void limit_file_size(rlim_t size)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_no_room(void **state)
{
    const char *place = *state;
    rouse_error err = {0};
    rouse_store *store = open_store(place);
    char text[100000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    struct item large = {.live = true, .text = text};
    struct item small = {.live = true, .text = "x"};
    assert_fine(put_item(store, "t", "bg_0", &small, &err), &err);
    void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
    limit_file_size(140000);
    int code = 0;
    for (int i = 1; i < 40 && code == 0; i++) {
        char entry[16];
        snprintf(entry, sizeof entry, "bg_%d", i);
        code = put_item(store, "t", entry, &large, &err);
    }
    limit_file_size(RLIM_INFINITY);
    signal(SIGXFSZ, before);
    assert_failed(code, &err, ROUSE_EIO, NULL);
    uint64_t revision = read_revision(store, "t");
    assert_fine(put_item(store, "t", "bg_0", &large, &err), &err);
    assert_int_equal(read_revision(store, "t"), revision + 1);
    rouse_store_close(store);
    store = open_store(place);
    assert_int_equal(read_revision(store, "t"), revision + 1);
    rouse_store_close(store);
}

static int pragma(rouse_store *store, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    struct sqlite_store *s = store->backend;
    assert_int_equal(sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int value = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

static void test_durability(void **state)
{
    const char *place = *state;
    rouse_error err = {0};
    rouse_store *store = NULL;
    assert_fine(rouse_store_open(place, NULL, &store, &err), &err);
    assert_int_equal(pragma(store, "PRAGMA synchronous"), 1);
    rouse_store_close(store);
    rouse_store_options power = {.durability = ROUSE_DURABLE_POWER};
    assert_fine(rouse_store_open(place, &power, &store, &err), &err);
    assert_int_equal(pragma(store, "PRAGMA synchronous"), 2);
    rouse_store_close(store);
}

/* Every way to ask has an index: nothing sorts, and nothing but the list of everything walks the table. */
static void defect_11_nothing_scans(void **state)
{
    const char *place = *state;
    rouse_error err = {0};
    rouse_store *store = open_store(place);
    struct item item = {.live = true, .parent = "bg_0", .run = "r", .text = "x"};
    for (int i = 0; i < 20; i++) {
        char entry[16];
        snprintf(entry, sizeof entry, "bg_%d", i);
        item.live = i % 2;
        assert_fine(put_item(store, i % 3 ? "t" : "u", entry, &item, &err), &err);
    }
    struct sqlite_store *s = store->backend;
    for (unsigned mask = 0; mask < LIST_FILTERS; mask++) {
        rouse_query q = {0};
        rouse_rows *rows = NULL;
        q.thread = mask & LIST_BY_THREAD ? "t" : NULL;
        q.entry = mask & LIST_BY_ENTRY ? "bg_4" : NULL;
        q.name = mask & LIST_BY_NAME ? "n" : NULL;
        q.parent = mask & LIST_BY_PARENT ? "bg_0" : NULL;
        q.run = mask & LIST_BY_RUN ? "r" : NULL;
        q.live_only = mask & LIST_BY_LIVE;
        q.finished_only = mask & LIST_BY_FINISHED;
        q.before = mask & LIST_BY_BEFORE ? "bg_10" : NULL;
        q.queue = mask & LIST_BY_QUEUE ? "q" : NULL;
        if ((q.live_only && q.finished_only) || (q.queue && !q.live_only))
            continue;
        assert_fine(rouse_store_list(store, &items_key, &q, &rows, &err), &err);
        rouse_rows_free(rows);
        /* Sorting the holders of one id or name, and what is in one queue, is fine. */
        bool few = mask & (LIST_BY_ENTRY | LIST_BY_NAME | LIST_BY_QUEUE);
        bool all = !(mask & ~(unsigned)(LIST_BY_FINISHED | LIST_BY_BEFORE));
        few |= !(mask & ~(unsigned)(LIST_BY_LIVE | LIST_BY_BEFORE)); /* so is sorting the numbers of what is live */
        all |= !(mask & ~(unsigned)(LIST_BY_LIVE | LIST_BY_BEFORE));
        int sorts = sqlite3_stmt_status(s->lists[mask], SQLITE_STMTSTATUS_SORT, 0);
        int scans = sqlite3_stmt_status(s->lists[mask], SQLITE_STMTSTATUS_FULLSCAN_STEP, 0);
        if ((sorts && !few) || (scans && !all))
            fail_msg("%u sorts %d, scans %d: %s", mask, sorts, scans, sqlite3_sql(s->lists[mask]));
    }
    assert_int_equal(read_count(store, "t"), 0);
    for (size_t i = 0; i < SQL_COUNT; i++) {
        sqlite3_stmt *statement = s->statements[i];
        if (statement && sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_SORT, 0) +
                             sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_FULLSCAN_STEP, 0))
            fail_msg("%s", sqlite3_sql(statement));
    }
    rouse_store_close(store);
}

/* ---- what doctor finds ---- */

struct findings {
    int worst;
    char text[4096];
};

static void find(int level, const char *text, void *userdata)
{
    struct findings *f = userdata;
    size_t at = strlen(f->text);
    if (level > 0)
        snprintf(f->text + at, sizeof f->text - at, "%s\n", text);
}

static void check(const char *place, struct findings *f)
{
    rouse_error err = {0};
    rouse_store *store = open_store(place);
    *f = (struct findings){0};
    f->worst = rouse_store_check(store, find, f, &err);
    rouse_store_close(store);
}

/* ---- an older version ---- */

/* The statements of the first version, as it made its stores. */
static const char version_1[] =
    "CREATE TABLE thread(id TEXT PRIMARY KEY NOT NULL, revision INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE entry("
    "  seq INTEGER PRIMARY KEY AUTOINCREMENT, thread TEXT NOT NULL, run TEXT NOT NULL, key TEXT NOT NULL,"
    "  entry TEXT NOT NULL, json TEXT NOT NULL, revision INTEGER NOT NULL, live INTEGER NOT NULL,"
    "  name TEXT, parent TEXT, origin TEXT) STRICT;"
    "CREATE UNIQUE INDEX entry_place ON entry(key, entry, thread, run);"
    "CREATE INDEX entry_thread ON entry(thread, run, key);"
    "CREATE INDEX entry_live ON entry(thread, run, key) WHERE live = 1;"
    "CREATE INDEX entry_live_key ON entry(key) WHERE live = 1;"
    "CREATE UNIQUE INDEX entry_live_name ON entry(thread, run, key, name) WHERE live = 1 AND name IS NOT NULL;"
    "CREATE INDEX entry_name ON entry(key, name, thread) WHERE name IS NOT NULL;"
    "CREATE INDEX entry_parent ON entry(key, parent) WHERE parent IS NOT NULL;"
    "CREATE INDEX entry_origin ON entry(key, origin) WHERE origin IS NOT NULL;"
    "CREATE TABLE inbox("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT, thread TEXT NOT NULL, task_id TEXT NOT NULL, json TEXT NOT NULL,"
    "  created_ms INTEGER NOT NULL, acked_ms INTEGER) STRICT;"
    "CREATE INDEX inbox_waiting ON inbox(thread) WHERE acked_ms IS NULL;"
    "CREATE INDEX inbox_thread ON inbox(thread);"
    "CREATE TABLE message("
    "  thread TEXT NOT NULL, seq INTEGER NOT NULL, id TEXT NOT NULL, run TEXT NOT NULL, role TEXT NOT NULL,"
    "  json TEXT NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX message_place ON message(thread, seq);"
    "CREATE UNIQUE INDEX message_id ON message(thread, id);"
    "CREATE TABLE run("
    "  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, thread TEXT NOT NULL, status TEXT NOT NULL,"
    "  reason TEXT, json TEXT NOT NULL, updated_ms INTEGER NOT NULL) STRICT;"
    "CREATE INDEX run_thread ON run(thread);"
    "CREATE TABLE counter(name TEXT PRIMARY KEY NOT NULL, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "INSERT INTO counter(name, value) VALUES('task', 0);";

static const char rows_of_version_1[] =
    "UPDATE counter SET value = 7;"
    "INSERT INTO thread(id, revision) VALUES('t', 4), ('u', 1);"
    "INSERT INTO entry(thread, run, key, entry, json, revision, live, name) VALUES"
    "  ('t', '', 'items', '', '', 1, 0, NULL), ('t', '', 'count', '', '5', 1, 1, NULL),"
    "  ('t', '', 'items', 'bg_1', '{\"live\":true,\"name\":\"n\",\"parent\":\"\",\"run\":\"\",\"text\":\"a\"}', 2, 1, "
    "'n'),"
    "  ('t', '', 'items', 'bg_0', '{\"live\":false,\"name\":\"\",\"parent\":\"\",\"run\":\"\",\"text\":\"b\"}', 3, 0, "
    "NULL),"
    "  ('u', '', 'items', '', '', 1, 0, NULL);"
    "INSERT INTO inbox(thread, task_id, json, created_ms, acked_ms) VALUES"
    "  ('t', 'bg_0', '{}', 1, 2), ('t', 'bg_1', '{}', 3, NULL), ('t', 'bg_2', '{}', 3, NULL);"
    "DELETE FROM inbox WHERE id = 3;"
    "PRAGMA application_id = 0x726f7573; PRAGMA user_version = 1;";

static void test_version_1_is_brought_up(void **state)
{
    const char *place = *state;
    rouse_error err = {0};
    rouse_store *store = NULL;
    char *json = NULL;
    run_sql(place, version_1);
    run_sql(place, rows_of_version_1);
    rouse_store_options read_only = {.read_only = true};
    assert_failed(rouse_store_open(place, &read_only, &store, &err), &err, ROUSE_ESTORE, NULL);
    store = open_store(place);
    assert_int_equal(read_count(store, "t"), 5);
    assert_int_equal(read_revision(store, "t"), 4);
    assert_fine(rouse_store_export(store, "t", NULL, &json, &err), &err);
    assert_non_null(strstr(json, "\"items\":{\"tasks\":{\"bg_1\":{\"live\":true"));
    free(json);
    assert_fine(rouse_store_export(store, "u", NULL, &json, &err), &err);
    assert_string_equal(json, "{\"revision\":1,\"extensions\":{\"items\":{\"tasks\":{}}}}");
    free(json);
    struct item named = {.live = true, .name = "n", .text = "x"};
    assert_failed(put_item(store, "t", "bg_9", &named, &err), &err, ROUSE_ECONFLICT, NULL);
    rouse_events *events = NULL;
    assert_fine(rouse_store_inbox(store, "t", 0, true, 0, &events, &err), &err);
    assert_int_equal(rouse_events_count(events), 2);
    assert_true(rouse_events_at(events, 0)->acknowledged);
    rouse_events_free(events);
    rouse_post post = {.thread = "t", .task_id = "", .json = "{}"};
    assert_fine(rouse_store_commit(store, &(rouse_commit){.thread = "t", .posts = &post, .n_posts = 1}, NULL, &err),
                &err);
    assert_fine(rouse_store_inbox(store, "t", 3, true, 0, &events, &err), &err);
    assert_int_equal(rouse_events_at(events, 0)->id, 4); /* 3 was given out once */
    rouse_events_free(events);
    assert_int_equal(pragma(store, "SELECT value FROM place WHERE id = 1"), 7);
    rouse_store_close(store);
    struct findings f;
    assert_int_equal(chmod(place_at(place, "rouse.db"), 0600), 0);
    assert_int_equal(chmod(place, 0700), 0);
    check(place, &f);
    assert_true(f.worst < 2);
}

static void test_version_3_is_brought_up(void **state)
{
    const char *place = *state;
    make_store(place);
    run_sql(place, "DELETE FROM place WHERE key = 'imports'; ALTER TABLE place DROP COLUMN upto; "
                   "PRAGMA user_version = 3"); /* all that it lacked */
    rouse_store *store = open_store(place);
    assert_int_equal(pragma(store, "PRAGMA user_version"), 6);
    assert_int_equal(pragma(store, "SELECT count(*) FROM place WHERE thread = '' AND key = 'imports' AND value = 0"),
                     1);
    rouse_store_close(store);
}

/* Its entries stay as they are made; what a task is found by afterwards does not depend on when it was made. */
static void test_version_4_is_brought_up(void **state)
{
    const char *place = *state;
    struct item item = {.live = true, .text = "x"};
    rouse_error err = {0};
    make_store(place);
    run_sql(place, "UPDATE entry SET seq = 3 WHERE entry = 'bg_0'; UPDATE place SET value = 1 WHERE id = 1; DROP INDEX entry_place; "
                   "CREATE UNIQUE INDEX entry_place ON entry(entry, place); ALTER TABLE place DROP COLUMN upto; "
                   "PRAGMA user_version = 4");
    rouse_store *store = open_store(place);
    assert_int_equal(pragma(store, "SELECT count(*) FROM entry INDEXED BY entry_place WHERE entry = 'bg_0' AND " SQL_UNTOLD("")), 1);
    assert_fine(put_item(store, "t", "bg_0", &item, &err), &err);
    assert_fine(put_item(store, "t", "bg_1", &item, &err), &err);
    assert_fine(put_item(store, "t", "bg_1", &item, &err), &err);
    assert_int_equal(pragma(store, "SELECT count(*) FROM entry"), 2);
    rouse_rows *rows = NULL;
    assert_fine(rouse_store_list(store, &items_key, &(rouse_query){.thread = "t", .before = "bg_1"}, &rows, &err), &err);
    assert_int_equal(rouse_rows_count(rows), 1);
    rouse_rows_free(rows);
    rouse_store_close(store);
}

static void test_doctor_finds(void **state)
{
    const char *place = *state;
    struct findings f;
    make_store(place);
    check(place, &f);
    assert_true(f.worst == 0 || strstr(f.text, "MiB of disk"));
    assert_int_equal(chmod(place, 0755), 0);
    assert_int_equal(chmod(place_at(place, "bell"), 0644), 0);
    check(place, &f);
    assert_int_equal(f.worst, 1);
    assert_non_null(strstr(f.text, "chmod 700"));
    assert_non_null(strstr(f.text, "chmod 600"));
    run_sql(place, "UPDATE entry SET seq = 1 WHERE entry = 'bg_0'; UPDATE place SET value = 0 WHERE id = 1");
    check(place, &f);
    assert_int_equal(f.worst, 2);
    assert_non_null(strstr(f.text, "task 'bg_0' is above the counter"));
    run_sql(place, "DELETE FROM place WHERE id = 1");
    check(place, &f);
    assert_int_equal(f.worst, ROUSE_ESTORE);
}

static void test_doctor_finds_damage(void **state)
{
    const char *place = *state;
    struct findings f;
    make_store(place);
    /* An index that no longer agrees with its table, as a flipped bit makes it. */
    sqlite3 *db = raw(place);
    assert_int_equal(
        sqlite3_exec(db,
                     "PRAGMA writable_schema = 1;"
                     "UPDATE sqlite_schema SET sql = 'CREATE INDEX run_thread ON run(status)'"
                     " WHERE name = 'run_thread';"
                     "INSERT INTO run(id, thread, status, json, updated_ms) VALUES('r', 't', 's', '{}', 1)",
                     NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    check(place, &f);
    assert_int_equal(f.worst, 2);
    assert_non_null(strstr(f.text, "damaged"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bad_stores, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_is_made_beside_what_is_not_ours, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_unfinished_stores_are_completed, place_set_up, place_tear_down),
        cmocka_unit_test(test_locations),
        cmocka_unit_test_setup_teardown(test_odd_paths, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_modes, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_no_rights, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_busy, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_bell_that_was_replaced, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_bell_is_cleared_whole, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_no_room, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_durability, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(defect_11_nothing_scans, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_version_1_is_brought_up, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_version_3_is_brought_up, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_version_4_is_brought_up, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_doctor_finds, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_doctor_finds_damage, place_set_up, place_tear_down),
    };
    return cmocka_run_group_tests_name("storage/sqlite", tests, NULL, NULL);
}
