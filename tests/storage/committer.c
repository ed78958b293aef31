/* A process that commits, for the tests that need several: committer DIR COUNT [go]
 * Each commit takes a number, adds bg_<number> and an event about it, and counts. What was acknowledged is printed, one
 * "<number> <revision>" a line. With "go" it starts when its standard input ends. COUNT 0: until it is killed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keys.h"

struct work {
    uint64_t number;
    char entry[32];
    rouse_batch *batch;
    rouse_post post;
};

static int prepare(void *userdata, uint64_t number, rouse_commit *commit, rouse_error *err)
{
    static const struct item item = {.live = true, .text = "x"};
    struct work *w = userdata;
    w->number = number;
    snprintf(w->entry, sizeof w->entry, "bg_%llu", (unsigned long long)number);
    int code = rouse_batch_add(w->batch, &items_key, item_put(w->entry, &item), err);
    if (code == 0)
        code = rouse_batch_add(w->batch, &count_key, count_add(1), err);
    w->post = (rouse_post){.thread = "t", .task_id = w->entry, .json = "{}"};
    commit->batch = w->batch;
    commit->posts = &w->post;
    commit->n_posts = 1;
    return code;
}

static int commit_one(rouse_store *store, rouse_error *err)
{
    struct work w = {.batch = rouse_batch_new()};
    rouse_commit commit = {.thread = "t", .prepare = prepare, .userdata = &w};
    uint64_t revision = 0;
    int code = rouse_store_commit(store, &commit, &revision, err);
    rouse_batch_free(w.batch);
    if (code == 0)
        printf("%llu %llu\n", (unsigned long long)w.number, (unsigned long long)revision);
    return code == 0 && fflush(stdout) == 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
    rouse_error err = {0};
    rouse_store *store = NULL;
    char byte;
    if (argc < 3)
        return 2;
    if (argc > 3 && read(STDIN_FILENO, &byte, 1) != 0)
        return 2;
    int code = rouse_store_open(argv[1], NULL, &store, &err);
    if (code == 0)
        code = items_register(store, &err);
    long count = strtol(argv[2], NULL, 10);
    for (long i = 0; code == 0 && (count == 0 || i < count); i++)
        code = commit_one(store, &err);
    rouse_store_close(store);
    if (code < 0)
        fprintf(stderr, "# committer: %s\n", err.message);
    return code < 0;
}
