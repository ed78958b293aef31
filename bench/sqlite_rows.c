/* What a commit to SQLite costs, and its floor: the same text in a table of one row a task, by SQLite alone. */
#include "bench.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct starter {
    pthread_t thread;
    rouse_store *store;
    size_t commits, batch;
};

static void *start_all(void *userdata)
{
    struct starter *starter = userdata;
    struct bench_task task;
    for (size_t i = 0; i < starter->commits; i++)
        bench_start(starter->store, &task, starter->batch);
    return NULL;
}

void cmd_start(void)
{
    size_t n = (size_t)bench_number("n", 10000), batch = (size_t)bench_number("batch", 1);
    size_t threads = (size_t)bench_number("threads", 1);
    rouse_store *store = bench_open();
    struct starter *starters = bench_memory(threads, sizeof *starters);
    double from = bench_seconds();
    for (size_t i = 0; i < threads; i++) {
        starters[i] = (struct starter){.store = store, .commits = n / batch / threads, .batch = batch};
        if (pthread_create(&starters[i].thread, NULL, start_all, &starters[i]) != 0)
            bench_fail("threads", "cannot start one");
    }
    for (size_t i = 0; i < threads; i++)
        pthread_join(starters[i].thread, NULL);
    double took = bench_seconds() - from;
    bench_say("rate", (double)(n / batch / threads * batch * threads) / took);
    rouse_store_close(store);
    free(starters);
}

/* ---- the floor ---- */

static sqlite3 *db;

static void run(const char *sql)
{
    char *why = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        bench_fail(sql, why ? why : "failed");
}

static sqlite3_stmt *prepare(const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) != SQLITE_OK)
        bench_fail(sql, sqlite3_errmsg(db));
    return statement;
}

static void step(sqlite3_stmt *statement)
{
    if (sqlite3_step(statement) != SQLITE_DONE)
        bench_fail("sqlite3_step", sqlite3_errmsg(db));
    sqlite3_reset(statement);
}

static void open_bare(void)
{
    char path[4096];
    snprintf(path, sizeof path, "%s", bench_word("where", NULL));
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        bench_fail(path, sqlite3_errmsg(db));
    run("PRAGMA journal_mode = WAL");
    bool power = strcmp(bench_word("durability", "process"), "power") == 0;
    run(power ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
    run("PRAGMA journal_size_limit = 20971520");
    run("PRAGMA wal_autocheckpoint = 4000");
    run("CREATE TABLE task(id INTEGER PRIMARY KEY, json TEXT NOT NULL) STRICT");
}

void cmd_bare_rows(void)
{
    size_t n = (size_t)bench_number("n", 10000), batch = (size_t)bench_number("batch", 1);
    struct bench_task task;
    rouse_error err = {0};
    bench_task_init(&task, n);
    char *json = rouse_task_encode(&task.record, &err);
    if (!json)
        bench_fail("encode", err.message);
    int len = (int)strlen(json);
    open_bare();
    sqlite3_stmt *begin = prepare("BEGIN IMMEDIATE"), *commit = prepare("COMMIT");
    sqlite3_stmt *insert = prepare("INSERT INTO task(json) VALUES(?)");
    double from = bench_seconds();
    for (size_t i = 0; i < n / batch; i++) {
        step(begin);
        for (size_t row = 0; row < batch; row++) {
            sqlite3_bind_text(insert, 1, json, len, SQLITE_STATIC);
            step(insert);
        }
        step(commit);
    }
    bench_say("rate", (double)(n / batch * batch) / (bench_seconds() - from));
    sqlite3_finalize(begin);
    sqlite3_finalize(insert);
    sqlite3_finalize(commit);
    sqlite3_close(db);
    free(json);
}
