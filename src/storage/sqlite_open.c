/* Opening and closing a store that is a SQLite database.
 *
 * Traps
 *   - rouse.db itself is never opened by anything but SQLite: closing any other descriptor of it would drop every lock this
 *     process holds on it (POSIX locks).
 *   - The first file made is the bell, mode 0600: SQLite gives the database the bell's mode ("modeof"), whatever the umask,
 *     and the -wal and -shm files that of the database.
 *   - Nothing is made beside a database before it has been seen to be ours. */
#include "storage/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/platform.h"

#define DEFAULT_BUSY_MS 10000

static void sqlite_close(void *backend)
{
    struct sqlite_store *s = backend;
    if (!s)
        return;
    for (size_t i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(s->statements[i]);
    for (size_t i = 0; i < LIST_FILTERS; i++)
        sqlite3_finalize(s->lists[i]);
    sqlite_forget(s);
    sqlite_seen_done(s);
    sqlite3_close(s->db);
    sqlite_wal_free(s);
    free(s->directory);
    free(s);
}

static const struct storage_backend operations = {
    .name = "sqlite",
    .close = sqlite_close,
    .group_begin = sqlite_group_begin,
    .group_end = sqlite_group_end,
    .commit = sqlite_commit,
    .import = sqlite_import,
    .values = sqlite_values,
    .snapshot = sqlite_snapshot,
    .list = sqlite_list,
    .overview = sqlite_overview,
    .topic = sqlite_topic,
    .inbox = sqlite_inbox,
    .messages = sqlite_messages,
    .last_run = sqlite_last_run,
    .claim = sqlite_claim,
    .unclaim = sqlite_unclaim,
    .lease = sqlite_lease,
    .lease_release = sqlite_lease_release,
    .prune = sqlite_prune,
    .set_retention = sqlite_set_retention,
    .retention = sqlite_retention,
    .check = sqlite_check,
};

static int fail_path(struct sqlite_store *s, int reason, const char *what, rouse_error *err)
{
    return rouse_fail_errno(err, ROUSE_ESTORE, reason, "cannot %s store '%s'", what, s->shown);
}

/* The directory of tasks is made when the database is there. */
static bool has_tasks(const struct sqlite_store *s)
{
    char *tasks = storage_path(s->directory, "tasks");
    bool there = tasks && access(tasks, F_OK) == 0;
    free(tasks);
    return there;
}

/* Is there a database? 1, 0, or an error when the way is barred. A file of no bytes (and, for SQLite, of one) is what a creation
 * that was killed left, unless there are tasks beside it. */
static int look(struct sqlite_store *s, const char *database, rouse_error *err)
{
    struct stat st;
    if (stat(s->directory, &st) == 0 && !S_ISDIR(st.st_mode))
        return rouse_fail(err, ROUSE_ESTORE, "'%s' is not a directory; a store is a directory, name one", s->shown);
    if (stat(database, &st) == 0 && !S_ISREG(st.st_mode))
        return rouse_fail(err, ROUSE_ESTORE, "'%s/rouse.db' is not a file; name another store", s->shown);
    if (stat(database, &st) == 0 && st.st_size <= 1 && has_tasks(s))
        return rouse_fail(err, ROUSE_ESTORE, "'%s/rouse.db' is empty, but was not: move the store away, or bring back a copy of it",
                          s->shown);
    if (stat(database, &st) == 0)
        return st.st_size > 0;
    return errno == ENOENT ? 0 : fail_path(s, errno, "open", err);
}

static void add_encoded(struct buf *out, const char *path)
{
    for (const char *at = path; *at; at++) {
        if (strchr("%?#", *at))
            buf_addf(out, "%%%02X", (unsigned char)*at);
        else
            buf_addc(out, *at);
    }
}

static int connect_to(struct sqlite_store *s, const char *database, bool create, rouse_error *err)
{
    struct buf uri = BUF_INIT(PATH_MAX * 8);
    buf_adds(&uri, "file:");
    add_encoded(&uri, database);
    if (create) {
        buf_adds(&uri, "?modeof=");
        add_encoded(&uri, s->directory);
        buf_adds(&uri, "/bell");
    }
    int code = buf_check(&uri, err);
    if (code == 0) {
        int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
        int result = sqlite3_open_v2(buf_text(&uri), &s->db, flags | (create ? SQLITE_OPEN_CREATE : 0), NULL);
        if (result != SQLITE_OK)
            code = s->db ? sqlite_fail(s, result, err) : rouse_fail_memory(err);
    }
    buf_done(&uri);
    return code;
}

static int execute(struct sqlite_store *s, const char *sql, rouse_error *err)
{
    int result = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    return result == SQLITE_OK ? 0 : sqlite_fail(s, result, err);
}

/* SQLite need not ask its busy handler when two connections that both read want to switch: try again here. */
static int switch_to_wal(struct sqlite_store *s, uint64_t timeout_ms, rouse_error *err)
{
    static const struct timespec pause = {.tv_nsec = 2000000};
    for (uint64_t waited = 0;; waited += 2) {
        int result = sqlite3_exec(s->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
        if ((result & 0xff) != SQLITE_BUSY || waited >= timeout_ms)
            return result == SQLITE_OK ? 0 : sqlite_fail(s, result, err);
        nanosleep(&pause, NULL);
    }
}

static int set_up(struct sqlite_store *s, const rouse_store_options *options, rouse_error *err)
{
    uint64_t timeout = options->busy_timeout_ms ? options->busy_timeout_ms : DEFAULT_BUSY_MS;
    sqlite3_busy_timeout(s->db, timeout > INT_MAX ? INT_MAX : (int)timeout);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    int version;
    int code = sqlite_prepare_transactions(s, err);
    if (code == 0)
        code = sqlite_schema_version(s, &version, err);
    if (code < 0)
        return code;
    if (options->read_only) {
        code = sqlite_check_schema(s, err);
        return code < 0 ? code : execute(s, "PRAGMA query_only = 1", err);
    }
    if (sqlite3_db_readonly(s->db, "main"))
        return sqlite_fail(s, SQLITE_READONLY, err);
    bool power = options->durability == ROUSE_DURABLE_POWER;
    code = execute(s, power ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", err);
    if (code == 0)
        code = execute(s, "PRAGMA journal_size_limit = 20971520", err); /* a large import leaves no large log behind */
    if (code == 0)
        code = switch_to_wal(s, timeout, err);
    if (code == 0)
        code = sqlite_migrate(s, err);
    if (code == 0)
        sqlite_wal_checkpoints(s);
    if (code == 0 && !power)
        sqlite_wal_gather(s);
    return code;
}

/* Which start of the machine this is, as a number; 0 when the system does not tell. */
static uint64_t read_boot(void)
{
    char text[64];
    FD_AUTO int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text);
    uint64_t hash = n > 0 ? 14695981039346656037u : 0;
    for (ssize_t i = 0; i < n; i++)
        hash = (hash ^ (unsigned char)text[i]) * 1099511628211u;
    return hash >> 1;
}

static int make_place(struct sqlite_store *s, rouse_error *err)
{
    int code = fd_make_dirs(s->directory, err);
    if (code < 0)
        return rouse_fail_context(err, ROUSE_ESTORE, "store '%s'", s->shown);
    return bell_make(s->directory, err);
}

static int open_directory(struct sqlite_store *s, const rouse_store_options *options, rouse_error *err)
{
    char *database = storage_path(s->directory, "rouse.db");
    if (!database)
        return rouse_fail_memory(err);
    int there = look(s, database, err);
    int code = there < 0 ? there : 0;
    if (there == 0 && (options->must_exist || options->read_only))
        code = rouse_fail(err, ROUSE_ENOTFOUND, "no store in '%s'", s->shown);
    else if (there == 0)
        code = make_place(s, err);
    if (code == 0)
        code = connect_to(s, database, there == 0, err);
    if (code == 0)
        code = set_up(s, options, err);
    free(database);
    return code;
}

/* What a store consists of besides the database, once that is known to be ours. */
static int complete(struct sqlite_store *s, bool power, rouse_error *err)
{
    char *tasks = storage_path(s->directory, "tasks");
    if (!tasks)
        return rouse_fail_memory(err);
    int code = bell_make(s->directory, err);
    if (code == 0 && mkdir(tasks, 0700) < 0 && errno != EEXIST)
        code = fail_path(s, errno, "make the directory 'tasks' in", err);
    free(tasks);
    /* The names of the files must outlive a power cut as well. */
    if (code == 0 && power) {
        FD_AUTO int fd = open(s->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fsync(fd) < 0)
            code = fail_path(s, errno, "sync the directory of", err);
    }
    return code;
}

int sqlite_open(const char *directory, const rouse_store_options *options, const struct storage_backend **ret_operations,
                void **ret_backend, rouse_error *err)
{
    struct sqlite_store *s = calloc(1, sizeof *s);
    if (s)
        s->pending_end = &s->pending;
    if (!s || !(s->directory = strdup(directory))) {
        sqlite_close(s);
        return rouse_fail_memory(err);
    }
    storage_show_path(directory, s->shown);
    s->platform = platform_or_default(options->platform);
    s->boot = read_boot();
    int code = open_directory(s, options, err);
    if (code == 0 && !options->read_only)
        code = complete(s, options->durability == ROUSE_DURABLE_POWER, err);
    if (code < 0) {
        sqlite_close(s);
        return code;
    }
    *ret_operations = &operations;
    *ret_backend = s;
    return 0;
}
