/* What `doctor` says about a store. Every line says what was looked at, and, when it is not well, what to do. */
#include "storage/sqlite.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { FINE = 0, WARNING = 1, ERROR = 2 };

#define WAL_LARGE (64u << 20)
#define DISK_LOW (64u << 20)

struct checking {
    struct sqlite_store *s;
    storage_report *report;
    void *userdata;
    int worst;
};

static void say(struct checking *c, int level, const char *format, ...) ROUSE_PRINTF(3, 4);

static void say(struct checking *c, int level, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    c->report(level, text, c->userdata);
    if (level > c->worst)
        c->worst = level;
}

static int check_version(struct checking *c, rouse_error *err)
{
    int version = 0;
    int code = sqlite_schema_version(c->s, &version, err);
    if (code == 0)
        say(c, FINE, "store '%s' is of version %d, the newest this rouse knows is %d", c->s->shown, version,
            sqlite_newest_version());
    return code;
}

static int check_integrity(struct checking *c, rouse_error *err)
{
    sqlite3_stmt *statement;
    int result = sqlite3_prepare_v2(c->s->db, "PRAGMA integrity_check(10)", -1, &statement, NULL);
    if (result != SQLITE_OK)
        return sqlite_fail(c->s, result, err);
    int code;
    while ((code = sqlite_step(c->s, statement, err)) == 1) {
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        if (text && strcmp(text, "ok") == 0)
            say(c, FINE, "the database is whole");
        else
            say(c, ERROR, "the database is damaged (%.200s): export what can be read, or bring back a copy", text ? text : "?");
    }
    sqlite3_finalize(statement);
    return code;
}

/* One place of the store; name NULL is the directory itself. Files that come and go need not be there. */
static void check_mode(struct checking *c, const char *name, bool directory, bool needed)
{
    struct stat st;
    mode_t want = directory ? 0700 : 0600;
    char *path = name ? storage_path(c->s->directory, name) : strdup(c->s->directory);
    const char *shown = name ? name : c->s->shown;
    if (!path || stat(path, &st) < 0) {
        if (path && needed)
            say(c, WARNING, "'%s' is missing: it is made again when the store is opened for writing", shown);
    } else if ((st.st_mode & 07777) != want) {
        say(c, WARNING, "'%s' has mode %04o: others may read it; chmod %03o '%s'", shown, (unsigned)(st.st_mode & 07777),
            (unsigned)want, path);
    } else if (st.st_uid != geteuid()) {
        say(c, WARNING, "'%s' belongs to user %u, not to you", shown, (unsigned)st.st_uid);
    } else {
        say(c, FINE, "'%s' is yours alone (mode %04o)", shown, (unsigned)want);
    }
    free(path);
}

static void check_modes(struct checking *c)
{
    check_mode(c, NULL, true, true);
    check_mode(c, "tasks", true, true);
    check_mode(c, "rouse.db", false, true);
    check_mode(c, "rouse.db-wal", false, false);
    check_mode(c, "rouse.db-shm", false, false);
    check_mode(c, "bell", false, true);
}

static void check_room(struct checking *c)
{
    struct statvfs fs;
    if (statvfs(c->s->directory, &fs) < 0) {
        say(c, WARNING, "cannot tell the free disk space: %s", strerrordesc_np(errno));
        return;
    }
    unsigned long long room = (unsigned long long)fs.f_bavail * fs.f_frsize;
    bool low = room < DISK_LOW;
    say(c, low ? WARNING : FINE, "%llu MiB of disk are free%s", room >> 20, low ? ": free some, or tasks cannot be recorded" : "");
}

static void check_wal(struct checking *c)
{
    struct stat st;
    char *path = storage_path(c->s->directory, "rouse.db-wal");
    unsigned long long size = path && stat(path, &st) == 0 ? (unsigned long long)st.st_size : 0;
    bool large = size > WAL_LARGE;
    say(c, large ? WARNING : FINE, "the write-ahead log has %llu KiB%s", size >> 10,
        large ? ": some process holds the store open in the middle of a read; end it" : "");
    free(path);
}

/* Is there an id that is not below next, and which is the highest? 1, 0, or an error. */
static int find_ids_above(struct sqlite_store *s, uint64_t next, uint64_t *ret_highest, rouse_error *err)
{
    sqlite3_stmt *statement;
    bool any = false;
    int code = sqlite_bind(s, SQL_ENTRY_IDS, &statement, err, "");
    if (code < 0)
        return code;
    while ((code = sqlite_step(s, statement, err)) == 1) {
        const char *entry = NULL;
        uint64_t number;
        code = sqlite_read(statement, err, "t", &entry);
        if (code < 0)
            break;
        if (!entry || !storage_task_number(entry, &number) || number < next)
            continue;
        *ret_highest = any && *ret_highest > number ? *ret_highest : number;
        any = true;
    }
    sqlite3_reset(statement);
    return code < 0 ? code : any;
}

static int check_task_counter(struct checking *c, rouse_error *err)
{
    uint64_t next = 0;
    uint64_t highest = 0;
    int code = sqlite_counter(c->s, COUNTER_TASK, &next, err);
    if (code == 0)
        code = find_ids_above(c->s, next, &highest, err);
    if (code == 1)
        say(c, ERROR, "task 'bg_%llu' is above the counter of task numbers (%llu): its id may be given out again; export what is there "
            "and import it into a new store", (unsigned long long)highest, (unsigned long long)next);
    else if (code == 0)
        say(c, FINE, "the next task is 'bg_%llu'", (unsigned long long)next);
    return code < 0 ? code : 0;
}

/* Something that must be 0, or not be there; fine NULL says nothing when it is. */
static const struct rule {
    enum sqlite_statement count;
    const char *finding, *fine;
} rules[] = {
    {SQL_ENTRY_UNPLACED, "values belong to no thread: bring back a copy of the store", NULL},
    {SQL_ENTRY_AHEAD, "values are newer than their thread's revision: export the thread and import it again", NULL},
    {SQL_LIVE_MISCOUNTED, "threads count their live entries wrongly: export them and import them again", NULL},
    {SQL_ENTRY_SHAPES, "entries are neither live nor ended: bring back a copy of the store", "every value is in its place"},
};

static int check_rules(struct checking *c, rouse_error *err)
{
    int code = 0;
    for (size_t i = 0; i < sizeof rules / sizeof *rules && code >= 0; i++) {
        uint64_t count = 0;
        code = sqlite_number(c->s, rules[i].count, &count, err, "");
        if (code >= 0 && count > 0)
            say(c, ERROR, "%llu %s", (unsigned long long)count, rules[i].finding);
        else if (code >= 0 && rules[i].fine)
            say(c, FINE, "%s", rules[i].fine);
    }
    return code < 0 ? code : 0;
}

static int check_finished(struct checking *c, rouse_error *err)
{
    uint64_t is = 0, counted = 0;
    int code = sqlite_counter(c->s, COUNTER_FINISHED, &counted, err);
    if (code == 0)
        code = sqlite_number(c->s, SQL_ENTRY_FINISHED, &is, err, "");
    if (code >= 0 && is != counted)
        say(c, ERROR, "%llu entries have ended, and the store counts %llu: limits are kept wrongly; bring back a copy of the store",
            (unsigned long long)is, (unsigned long long)counted);
    return code < 0 ? code : 0;
}

static int check_inbox(struct checking *c, rouse_error *err)
{
    uint64_t highest = 0, last = 0;
    const char *task = NULL, *thread = NULL;
    sqlite3_stmt *statement;
    int code = sqlite_counter(c->s, COUNTER_EVENT, &last, err);
    if (code == 0)
        code = sqlite_number(c->s, SQL_INBOX_AHEAD, &highest, err, "");
    if (code >= 0 && highest > last)
        say(c, ERROR, "event %llu is above the counter of events (%llu): its id may be given out again; bring back a copy of the store",
            (unsigned long long)highest, (unsigned long long)last);
    if (code >= 0)
        code = sqlite_bind(c->s, SQL_INBOX_TWICE, &statement, err, "");
    if (code == 0 && (code = sqlite_step(c->s, statement, err)) == 1) {
        code = sqlite_read(statement, err, "t", &task);
        if (code == 0)
            say(c, ERROR, "task '%.60s' ended more than once in the inbox: acknowledge one of the events only", task ? task : "");
        sqlite3_reset(statement);
    }
    if (code == 0)
        code = sqlite_bind(c->s, SQL_MESSAGE_GAPS, &statement, err, "");
    if (code == 0 && (code = sqlite_step(c->s, statement, err)) == 1) {
        code = sqlite_read(statement, err, "t", &thread);
        if (code == 0)
            say(c, ERROR, "messages are missing in thread '%.80s': bring back a copy of the store", thread ? thread : "");
        sqlite3_reset(statement);
    }
    return code < 0 ? code : 0;
}

int sqlite_check(void *backend, storage_report *report, void *userdata, rouse_error *err)
{
    struct checking c = {.s = backend, .report = report, .userdata = userdata};
    int code = check_version(&c, err);
    if (code == 0)
        code = check_integrity(&c, err);
    if (code == 0)
        code = check_task_counter(&c, err);
    if (code == 0)
        code = check_rules(&c, err);
    if (code == 0)
        code = check_finished(&c, err);
    if (code == 0)
        code = check_inbox(&c, err);
    if (code < 0)
        return code;
    check_modes(&c);
    check_room(&c);
    check_wal(&c);
    return c.worst;
}
