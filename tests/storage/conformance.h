/* What the files of the conformance suite share. Together the test_store… files ask for every line of rouse/store.h, of every
 * backend. A new backend is one row in `backends`, in conformance.c. */
#ifndef TESTS_STORAGE_CONFORMANCE_H
#define TESTS_STORAGE_CONFORMANCE_H

#include "place.h"

struct fixture { /* what *state is in each test */
    const char *(*where)(const char *place); /* what to open, given a directory */
    bool durable; /* what is stored is there after reopening, and for other handles. If not, each handle is a store */
    char place[PLACE_SIZE];
    rouse_store *store;
    rouse_batch *batch; /* for the test's use; freed at its end */
    rouse_error err;
};

static const struct item running = {.live = true, .text = "r"};
static const struct item ended = {.live = false, .text = "e"};

int conformance_set_up(void **state);
int conformance_tear_down(void **state);
/* Runs every test on every backend. */
int conformance_run(const char *group, const struct CMUnitTest *tests, size_t count);
#define CONFORMANCE_TEST(function) {#function, function, conformance_set_up, conformance_tear_down, NULL}

/* Closes and opens again, so that what follows sees only what is really stored. A store that is not durable stays open: what
 * follows must be true of it as well. */
void reopen(struct fixture *f);
/* Appends to f->batch. */
void add(struct fixture *f, const rouse_key *key, void *update);
void empty_batch(struct fixture *f);
/* Commits f->batch in the thread, run "run-1". */
int commit(struct fixture *f, const char *thread);
/* The entries of items_key that match, as "bg_2 bg_0", in a static buffer. */
const char *list(struct fixture *f, const rouse_query *query);
char *export(struct fixture *f, const char *thread, const char *run); /* free */
void assert_export(struct fixture *f, const char *thread, const char *run, const char *want);
/* Puts one event into the inbox, in a commit without a batch. */
void post(struct fixture *f, const char *thread, const char *task, const char *json);

struct preparing { /* a commit that takes a number */
    struct fixture *f;
    uint64_t number;
    char entry[32];
    rouse_post post;
    int fail; /* what prepare returns instead of preparing */
};

/* Adds a running item bg_<number> to thread "t", and an event. */
int commit_prepared(struct fixture *f, struct preparing *p);

#endif
