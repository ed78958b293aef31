#include "scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define THREAD "t"
#define BUSY_MS 20

/* The clock and the randomness of a scenario: the same in every run. */
static uint64_t now(void *userdata)
{
    (void)userdata;
    return 1700000000000;
}

static int random_bytes(void *userdata, unsigned char *fill, size_t size)
{
    (void)userdata;
    memset(fill, 7, size);
    return 0;
}

static const rouse_platform still = {.now_ms = now, .mono_ms = now, .random = random_bytes};

/* ---- running ---- */

struct running {
    const struct scenario *what;
    struct told *told;
    const char *place;
    rouse_store *store;
    uint64_t random;
};

static void note(struct running *r, int code, const rouse_error *err, const char *call)
{
    if (code >= 0)
        return;
    if (code != ROUSE_EBUSY && code != ROUSE_ESTORE && code != ROUSE_EIO && code != ROUSE_ENOMEM)
        fail_msg("%s failed with %d: %s", call, code, err->message);
    if (code != err->code || !*err->message)
        fail_msg("%s failed with %d, but the error says %d '%s'", call, code, err->code, err->message);
    r->told->failures++;
    r->told->last_failure = code;
    snprintf(r->told->last_message, sizeof r->told->last_message, "%s: %s", call, err->message);
}

static bool stopped(const struct running *r)
{
    return r->what->stopped && r->what->stopped();
}

struct work {
    uint64_t number;
    char entry[32], run[64];
    rouse_batch *batch;
    rouse_post post;
    rouse_message message;
    char id[32], json[96];
    rouse_run record;
    uint64_t ack;
    const char *text;
};

static int prepare(void *userdata, uint64_t number, rouse_commit *commit, rouse_error *err)
{
    struct work *w = userdata;
    w->number = number;
    snprintf(w->entry, sizeof w->entry, "bg_%llu", (unsigned long long)number);
    snprintf(w->id, sizeof w->id, "m%llu", (unsigned long long)number);
    snprintf(w->json, sizeof w->json, "{\"ack\":%llu}", (unsigned long long)w->ack);
    snprintf(w->run, sizeof w->run, "{\"n\":%llu}", (unsigned long long)number);
    struct item item = {.live = number % 3 != 0, .text = w->text, .name = w->entry, .parent = "bg_0"};
    int code = rouse_batch_add(w->batch, &items_key, item_put(w->entry, &item), err);
    if (code == 0)
        code = rouse_batch_add(w->batch, &count_key, count_add(1), err);
    w->post = (rouse_post){.thread = THREAD, .task_id = w->entry, .json = "{}"};
    w->message = (rouse_message){.id = w->id, .role = "user", .json = w->json};
    w->record = (rouse_run){.id = "run-1", .status = "running", .json = w->run};
    commit->batch = w->batch;
    commit->posts = &w->post;
    commit->n_posts = 1;
    commit->messages = &w->message;
    commit->n_messages = 1;
    commit->run_record = &w->record;
    return code;
}

/* The oldest event that waits, or 0. */
static uint64_t waiting_event(struct running *r)
{
    rouse_error err = {0};
    rouse_events *events = NULL;
    int code = rouse_store_inbox(r->store, THREAD, 0, false, 1, &events, &err);
    note(r, code, &err, "inbox");
    uint64_t id = code == 0 && rouse_events_count(events) ? rouse_events_at(events, 0)->id : 0;
    rouse_events_free(events);
    return id;
}

/* A number that is given out again was that of a commit that is not there. */
static void tell(struct told *told, uint64_t number, bool acknowledged)
{
    for (size_t i = 0; i < told->count; i++) {
        if (told->numbers[i] != number)
            continue;
        assert_false(told->acknowledged[i]);
        told->count--;
        memmove(&told->numbers[i], &told->numbers[i + 1], (told->count - i) * sizeof *told->numbers);
        memmove(&told->acknowledged[i], &told->acknowledged[i + 1], (told->count - i) * sizeof *told->acknowledged);
    }
    assert_true(told->count < SCENARIO_MOST);
    told->numbers[told->count] = number;
    told->acknowledged[told->count++] = acknowledged;
    told->n_acknowledged += acknowledged;
}

static void commit_one(struct running *r)
{
    rouse_error err = {0};
    char *text = malloc(r->what->text + 1);
    assert_non_null(text);
    memset(text, 'a' + (int)(seed_next(&r->random) % 26), r->what->text);
    text[r->what->text] = '\0';
    struct work w = {.batch = rouse_batch_new(), .ack = waiting_event(r), .text = text, .number = UINT64_MAX};
    assert_non_null(w.batch);
    rouse_commit commit = {
        .thread = THREAD, .prepare = prepare, .userdata = &w, .acks = &w.ack, .n_acks = w.ack ? 1 : 0};
    int code = rouse_store_commit(r->store, &commit, NULL, &err);
    note(r, code, &err, "commit");
    if (w.number != UINT64_MAX)
        tell(r->told, w.number, code == 0);
    rouse_batch_free(w.batch);
    free(text);
}

/* What is read is whole, at any time. */
static void read_all(struct running *r)
{
    rouse_error err = {0};
    rouse_snapshot *snapshot = NULL;
    int code = rouse_store_snapshot(r->store, THREAD, NULL, &snapshot, &err);
    note(r, code, &err, "snapshot");
    if (code == 0) {
        const long *count = rouse_snapshot_get(snapshot, &count_key, NULL);
        assert_int_equal(count ? *count : 0, rouse_snapshot_revision(snapshot));
    }
    rouse_snapshot_unref(snapshot);
    rouse_rows *rows = NULL;
    code = rouse_store_list(r->store, &items_key, &(rouse_query){.thread = THREAD, .live_only = true}, &rows, &err);
    note(r, code, &err, "list");
    rouse_rows_free(rows);
    rouse_messages *messages = NULL;
    code = rouse_store_messages(r->store, THREAD, 0, 0, &messages, &err);
    note(r, code, &err, "messages");
    rouse_messages_free(messages);
    char *json = NULL;
    code = rouse_store_export(r->store, THREAD, NULL, &json, &err);
    note(r, code, &err, "export");
    free(json);
}

static void import_one(struct running *r)
{
    static const char document[] =
        "{\"revision\":7,\"extensions\":{\"count\":3,\"items\":{\"tasks\":{"
        "\"a\":{\"live\":true,\"name\":\"n\",\"parent\":\"\",\"run\":\"\",\"text\":\"i\"},"
        "\"b\":{\"live\":false,\"name\":\"n\",\"parent\":\"\",\"run\":\"\",\"text\":\"i\"}}}}}";
    rouse_error err = {0};
    int code = rouse_store_import(r->store, "imported", document, strlen(document), NULL, &err);
    note(r, code, &err, "import");
    if (code == 0 && !r->told->imported_after)
        r->told->imported_after = r->told->n_acknowledged;
}

/* What of the import has ended. */
static void prune_one(struct running *r)
{
    rouse_error err = {0};
    rouse_rows *rows = NULL;
    r->told->prune_tried = true;
    rouse_prune prune = {.thread = "imported", .all = true};
    int code = rouse_store_prune(r->store, &items_key, &prune, &rows, &err);
    note(r, code, &err, "prune");
    r->told->pruned = r->told->pruned || (code >= 0 && r->told->imported_after);
    rouse_rows_free(rows);
}

static void lease_one(struct running *r)
{
    rouse_error err = {0};
    uint64_t epoch = 0;
    int code = rouse_store_lease(r->store, "keeper", "me", 1000, &epoch, &err);
    note(r, code, &err, "lease");
    if (code < 0)
        return;
    assert_true(epoch >= r->told->epoch); /* the same when a release failed */
    r->told->epoch = epoch;
    code = rouse_store_lease_release(r->store, "keeper", epoch, &err);
    note(r, code, &err, "release");
}

static bool open_it(struct running *r)
{
    rouse_error err = {0};
    rouse_store_options options = {.platform = &still, .durability = r->what->durability, .busy_timeout_ms = BUSY_MS};
    for (int attempt = 0; attempt < 3 && !stopped(r); attempt++) {
        int code = rouse_store_open(r->place, &options, &r->store, &err);
        note(r, code, &err, "open");
        if (code == 0) {
            assert_fine(items_register(r->store, &err), &err);
            return true;
        }
    }
    return false;
}

void scenario_run(const char *place, const struct scenario *what, struct told *told)
{
    *told = (struct told){0};
    struct running r = {.what = what, .told = told, .place = place, .random = what->seed + 1};
    for (int round = 0; round < what->rounds && !stopped(&r); round++) {
        if (!open_it(&r))
            return;
        for (int i = 0; i < what->commits && !stopped(&r); i++)
            commit_one(&r);
        if (!stopped(&r))
            lease_one(&r);
        if (!stopped(&r) && round == 0)
            import_one(&r);
        if (!stopped(&r) && round == 1)
            prune_one(&r);
        if (!stopped(&r))
            read_all(&r);
        rouse_store_close(r.store);
        r.store = NULL;
    }
}

/* ---- looking ---- */

static void hear(int level, const char *text, void *userdata)
{
    if (level > 1)
        print_error("%s: the check says: %s\n", (const char *)userdata, text);
}

/* The acknowledgements of events agree with the messages that tell of them. */
static void assert_acks(rouse_store *store, size_t there, const char *context)
{
    rouse_error err = {0};
    rouse_events *events = NULL;
    rouse_messages *messages = NULL;
    assert_fine(rouse_store_inbox(store, THREAD, 0, true, 0, &events, &err), &err);
    assert_fine(rouse_store_messages(store, THREAD, 0, 0, &messages, &err), &err);
    size_t told = 0, acknowledged = 0;
    for (size_t i = 0; i < rouse_messages_count(messages); i++)
        told += strcmp(rouse_messages_at(messages, i)->json, "{\"ack\":0}") != 0;
    for (size_t i = 0; i < rouse_events_count(events); i++)
        acknowledged += rouse_events_at(events, i)->acknowledged;
    if (rouse_messages_count(messages) != there || rouse_events_count(events) != there || told != acknowledged)
        fail_msg("%s: %zu commits left %zu messages with %zu acknowledgements, %zu events with %zu", context, there,
                 rouse_messages_count(messages), told, rouse_events_count(events), acknowledged);
    rouse_events_free(events);
    rouse_messages_free(messages);
}

/* Commits that were tried and are there, in order; the run's record is of the last of them. Returns how many. */
static size_t assert_commits(rouse_store *store, const struct told *told, bool prefix, const char *context)
{
    rouse_error err = {0};
    rouse_rows *rows = NULL;
    assert_fine(rouse_store_list(store, &items_key, &(rouse_query){.thread = THREAD}, &rows, &err), &err);
    size_t there = rouse_rows_count(rows), at = 0;
    for (size_t i = 0; i < told->count; i++) {
        char entry[32];
        const char *found = NULL;
        snprintf(entry, sizeof entry, "bg_%llu", (unsigned long long)told->numbers[i]);
        if (at < there)
            rouse_rows_at(rows, there - 1 - at, NULL, &found);
        if (found && strcmp(found, entry) == 0)
            at++;
        else if (told->acknowledged[i] && !(prefix && at == there))
            fail_msg("%s: commit %zu of %zu (%s) was acknowledged and is not there", context, i, told->count, entry);
    }
    if (at != there)
        fail_msg("%s: %zu entries, of which only %zu were committed", context, there, at);
    rouse_rows_free(rows);
    return there;
}

static void assert_import(rouse_store *store, const struct told *told, bool prefix, size_t there, const char *context)
{
    rouse_error err = {0};
    rouse_rows *rows = NULL;
    assert_fine(rouse_store_list(store, &items_key, &(rouse_query){.thread = "imported"}, &rows, &err), &err);
    uint64_t revision = read_revision(store, "imported");
    size_t rest = rouse_rows_count(rows);
    bool pruned = told->prune_tried && rest == 1;
    bool whole =
        revision == 7 && (pruned || (rest == 2 && (prefix || !told->pruned))) && read_count(store, "imported") == 3;
    bool absent = revision == 0 && rest == 0 && read_count(store, "imported") == 0;
    bool expected = told->imported_after && (!prefix || there > told->imported_after);
    if (!whole && (expected || !absent))
        fail_msg("%s: the import is %s", context, absent ? "gone" : "there in part");
    rouse_rows_free(rows);
}

void scenario_assert(const char *place, const struct told *told, bool prefix, const char *context)
{
    rouse_error err = {0};
    rouse_store *store = NULL;
    if (rouse_store_open(place, NULL, &store, &err) < 0)
        fail_msg("%s: the store cannot be opened: %s", context, err.message);
    assert_fine(items_register(store, &err), &err);
    int level = rouse_store_check(store, hear, (void *)(uintptr_t)context, &err);
    if (level < 0 || level > 1)
        fail_msg("%s: the check gives %d", context, level);
    size_t there = assert_commits(store, told, prefix, context);
    if (read_revision(store, THREAD) != there || read_count(store, THREAD) != (long)there)
        fail_msg("%s: %zu commits are there, but the revision is %llu and the count %ld", context, there,
                 (unsigned long long)read_revision(store, THREAD), read_count(store, THREAD));
    assert_acks(store, there, context);
    assert_import(store, told, prefix, there, context);
    assert_fine(add_count(store, "afterwards", 1, &err), &err);
    uint64_t epoch = 0;
    assert_fine(rouse_store_lease(store, "other", "me", 1000, &epoch, &err), &err);
    if (!prefix && epoch <= told->epoch)
        fail_msg("%s: epoch %llu was given out twice", context, (unsigned long long)epoch);
    rouse_store_close(store);
}
