/* One of several processes at a store, for test_members: member DIR SEED
 * Starts tasks, ends some that anybody started, reads, and takes events in, as its seed has it, until it is killed. What was
 * acknowledged is printed, one a line: "s <number> <revision>" a start, "e <number> <revision>" an end. Status 1 and a line on
 * standard error when something is not as it must be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../storage/keys.h"
#include "seed.h"

#define MOST_ACKS 3

struct member {
    const char *place;
    rouse_store *store;
    uint64_t seed;
    rouse_error err;
};

static int broken(const struct member *m, const char *what)
{
    fprintf(stderr, "# member: %s: %s\n", what, m->err.message);
    return -1;
}

/* What another process did may be in the way. */
static int passed(const struct member *m, int code, const char *what)
{
    return code >= 0 || code == ROUSE_ECONFLICT || code == ROUSE_EBUSY ? 0 : broken(m, what);
}

static int say(char what, uint64_t number, uint64_t revision)
{
    printf("%c %llu %llu\n", what, (unsigned long long)number, (unsigned long long)revision);
    return fflush(stdout) == 0 ? 0 : -1;
}

struct start {
    uint64_t number;
    char entry[32], name[16];
    rouse_batch *batch;
};

static int prepare(void *userdata, uint64_t number, rouse_commit *commit, rouse_error *err)
{
    struct start *w = userdata;
    w->number = number;
    snprintf(w->entry, sizeof w->entry, "bg_%llu", (unsigned long long)number);
    struct item item = {.live = true, .name = w->name, .text = "x"};
    commit->batch = w->batch;
    int code = rouse_batch_add(w->batch, &items_key, item_put(w->entry, &item), err);
    return code < 0 ? code : rouse_batch_add(w->batch, &count_key, count_add(1), err);
}

static int start_one(struct member *m)
{
    struct start w = {.batch = rouse_batch_new()};
    uint64_t revision = 0, name = seed_next(&m->seed) % 12;
    if (name < 8)
        snprintf(w.name, sizeof w.name, "name-%d", (int)name);
    rouse_commit commit = {.thread = "t", .prepare = prepare, .userdata = &w};
    int code = rouse_store_commit(m->store, &commit, &revision, &m->err);
    rouse_batch_free(w.batch);
    return code < 0 ? passed(m, code, "start") : say('s', w.number, revision);
}

/* The end and its event, of a live task or of one that somebody else is ending. */
static int end_entry(struct member *m, const char *entry)
{
    struct item item = {.live = false, .text = "ended"};
    rouse_post post = {.thread = "t", .task_id = entry, .json = "{\"kind\":\"completed\"}"};
    rouse_batch *batch = rouse_batch_new();
    rouse_commit commit = {.thread = "t", .batch = batch, .posts = &post, .n_posts = 1};
    uint64_t revision = 0;
    int code = rouse_batch_add(batch, &items_key, item_put(entry, &item), &m->err);
    if (code == 0)
        code = rouse_batch_add(batch, &count_key, count_add(1), &m->err);
    if (code == 0)
        code = rouse_store_commit(m->store, &commit, &revision, &m->err);
    rouse_batch_free(batch);
    return code < 0 ? passed(m, code, "end") : say('e', strtoull(entry + 3, NULL, 10), revision);
}

static int end_one(struct member *m)
{
    rouse_rows *rows = NULL;
    rouse_query query = {.thread = "t", .live_only = true, .limit = 24};
    int code = rouse_store_list(m->store, &items_key, &query, &rows, &m->err);
    if (code < 0)
        return passed(m, code, "list");
    size_t count = rouse_rows_count(rows);
    const char *entry;
    if (count > 4) {
        rouse_rows_at(rows, seed_next(&m->seed) % count, NULL, &entry);
        code = end_entry(m, entry);
    }
    rouse_rows_free(rows);
    return code;
}

static bool names_are_unique(const rouse_snapshot *snapshot)
{
    unsigned seen = 0;
    for (size_t i = 0; i < rouse_snapshot_count(snapshot, &items_key); i++) {
        const struct item *item = rouse_snapshot_at(snapshot, &items_key, i, NULL);
        unsigned bit = *item->name ? 1u << (item->name[5] - '0') : 0;
        if (seen & bit)
            return false;
        seen |= bit;
    }
    return true;
}

static int read_once(struct member *m)
{
    rouse_snapshot *snapshot = NULL;
    int code = rouse_store_snapshot(m->store, "t", NULL, &snapshot, &m->err);
    if (code < 0)
        return passed(m, code, "snapshot");
    const long *count = rouse_snapshot_get(snapshot, &count_key, NULL);
    if ((uint64_t)(count ? *count : 0) != rouse_snapshot_revision(snapshot))
        code = broken(m, "a snapshot shows half a commit");
    else if (!names_are_unique(snapshot))
        code = broken(m, "two live tasks of one name");
    rouse_snapshot_unref(snapshot);
    return code;
}

static int take_events(struct member *m)
{
    rouse_events *events = NULL;
    int code = rouse_store_inbox(m->store, "t", 0, false, MOST_ACKS, &events, &m->err);
    if (code < 0)
        return passed(m, code, "inbox");
    uint64_t acks[MOST_ACKS];
    char id[48], json[32];
    size_t count = rouse_events_count(events);
    for (size_t i = 0; i < count; i++)
        acks[i] = rouse_events_at(events, i)->id;
    rouse_events_free(events);
    snprintf(id, sizeof id, "m-%d-%llx", (int)getpid(), (unsigned long long)seed_next(&m->seed));
    snprintf(json, sizeof json, "%zu", count);
    rouse_message message = {.id = id, .role = "user", .json = json};
    rouse_commit commit = {.thread = "t", .messages = &message, .n_messages = 1, .acks = acks, .n_acks = count};
    return count ? passed(m, rouse_store_commit(m->store, &commit, NULL, &m->err), "take events in") : 0;
}

static int reopen(struct member *m)
{
    rouse_store_close(m->store);
    m->store = NULL;
    int code = rouse_store_open(m->place, NULL, &m->store, &m->err);
    if (code == 0)
        code = items_register(m->store, &m->err);
    return code < 0 ? broken(m, "open") : 0;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    struct member m = {.place = argv[1], .seed = strtoull(argv[2], NULL, 10)};
    int code = reopen(&m);
    while (code == 0) {
        uint64_t what = seed_next(&m.seed) % 100;
        code = what < 42   ? start_one(&m)
               : what < 80 ? end_one(&m)
               : what < 90 ? read_once(&m)
               : what < 98 ? take_events(&m)
                           : reopen(&m);
    }
    rouse_store_close(m.store);
    return 1;
}
