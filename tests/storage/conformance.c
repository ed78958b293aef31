#include "conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct backend {
    const char *name;
    const char *(*where)(const char *place); /* what to open, given an empty directory */
    bool durable;
};

static const char *in_directory(const char *place)
{
    return place;
}

static const char *with_scheme(const char *place)
{
    static char where[PLACE_SIZE + 16];
    snprintf(where, sizeof where, "sqlite:%s", place);
    return where;
}

static const char *in_memory(const char *place)
{
    (void)place;
    return "memory:";
}

static const struct backend backends[] = {
    {"sqlite", in_directory, true},
    {"sqlite by scheme", with_scheme, true},
    {"memory", in_memory, false},
};

int conformance_set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->where = ((const struct backend *)*state)->where;
    f->durable = ((const struct backend *)*state)->durable;
    place_make(f->place);
    f->store = open_store(f->where(f->place));
    f->batch = rouse_batch_new();
    assert_non_null(f->batch);
    *state = f;
    return 0;
}

int conformance_tear_down(void **state)
{
    struct fixture *f = *state;
    rouse_batch_free(f->batch);
    rouse_store_close(f->store);
    place_remove(f->place);
    free(f);
    return 0;
}

void reopen(struct fixture *f)
{
    if (!f->durable && f->store)
        return;
    rouse_store_close(f->store);
    f->store = open_store(f->where(f->place));
}

void add(struct fixture *f, const rouse_key *key, void *update)
{
    assert_non_null(update);
    assert_fine(rouse_batch_add(f->batch, key, update, &f->err), &f->err);
}

int commit(struct fixture *f, const char *thread)
{
    rouse_commit c = {.thread = thread, .run = "run-1", .batch = f->batch};
    return rouse_store_commit(f->store, &c, NULL, &f->err);
}

/* The entries of a list, as "bg_2 bg_0", in a static buffer. */
static const char *entries_of(const rouse_rows *rows)
{
    static char text[1024];
    text[0] = '\0';
    for (size_t i = 0; i < rouse_rows_count(rows); i++) {
        const char *entry;
        rouse_rows_at(rows, i, NULL, &entry);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "", entry);
    }
    return text;
}

const char *list(struct fixture *f, const rouse_query *query)
{
    rouse_rows *rows = NULL;
    assert_fine(rouse_store_list(f->store, &items_key, query, &rows, &f->err), &f->err);
    const char *text = entries_of(rows);
    rouse_rows_free(rows);
    return text;
}

char *export(struct fixture *f, const char *thread, const char *run)
{
    char *json = NULL;
    assert_fine(rouse_store_export(f->store, thread, run, &json, &f->err), &f->err);
    return json;
}

void assert_export(struct fixture *f, const char *thread, const char *run, const char *want)
{
    char *json = export(f, thread, run);
    assert_string_equal(json, want);
    free(json);
}

void empty_batch(struct fixture *f)
{
    rouse_batch_free(f->batch);
    f->batch = rouse_batch_new();
    assert_non_null(f->batch);
}

void post(struct fixture *f, const char *thread, const char *task, const char *json)
{
    rouse_post one = {.thread = thread, .task_id = task, .json = json};
    rouse_commit c = {.thread = thread, .posts = &one, .n_posts = 1};
    uint64_t revision = 99;
    assert_fine(rouse_store_commit(f->store, &c, &revision, &f->err), &f->err);
    assert_int_equal(revision, 0);
}

static int prepare(void *userdata, uint64_t number, rouse_commit *c, rouse_error *err)
{
    struct preparing *p = userdata;
    p->number = number;
    if (p->fail) {
        snprintf(err->message, sizeof err->message, "told to fail");
        return err->code = p->fail;
    }
    snprintf(p->entry, sizeof p->entry, "bg_%llu", (unsigned long long)number);
    add(p->f, &items_key, item_put(p->entry, &running));
    p->post = (rouse_post){.thread = "t", .task_id = p->entry, .json = "{}"};
    c->batch = p->f->batch;
    c->posts = &p->post;
    c->n_posts = 1;
    return 0;
}

int commit_prepared(struct fixture *f, struct preparing *p)
{
    empty_batch(f);
    p->f = f;
    rouse_commit c = {.thread = "t", .prepare = prepare, .userdata = p};
    return rouse_store_commit(f->store, &c, NULL, &f->err);
}

#define N_BACKENDS (sizeof backends / sizeof *backends)

/* Fails as soon as the backend has them: then its row is to say so. */
int conformance_run(const char *group, const struct CMUnitTest *tests, size_t count)
{
    struct CMUnitTest *all = calloc(count * N_BACKENDS, sizeof *all);
    char(*names)[96] = calloc(count * N_BACKENDS, sizeof *names);
    if (!all || !names)
        return 1;
    for (size_t i = 0; i < count * N_BACKENDS; i++) {
        const struct backend *backend = &backends[i / count];
        all[i] = tests[i % count];
        snprintf(names[i], sizeof names[i], "%s: %s", backend->name, tests[i % count].name);
        all[i].name = names[i];
        all[i].initial_state = (void *)(uintptr_t)backend;
    }
    int failed = _cmocka_run_group_tests(group, all, count * N_BACKENDS, NULL, NULL);
    free(all);
    free(names);
    return failed;
}
