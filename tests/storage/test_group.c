/* Commits of several threads of one handle: they go together, and each is told its own outcome. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "place.h"
#include "storage/sqlite.h"

#define RIDERS 4

struct rider {
    rouse_store *store;
    pthread_t thread;
    int want;         /* the code it is to end with */
    bool stale, fail; /* with a base that is not the thread's; with a reducer that fails */
    int code;
    rouse_error err;
};

static void *ride(void *userdata)
{
    struct rider *r = userdata;
    rouse_batch *batch = rouse_batch_new();
    rouse_post post = {.thread = "t", .task_id = "", .json = "{}"};
    rouse_commit c = {.thread = "t", .batch = batch, .posts = &post, .n_posts = 1};
    int code = rouse_batch_add(batch, &count_key, count_add(1), &r->err);
    if (code == 0 && r->fail)
        code = rouse_batch_add(batch, &items_key, item_fail(), &r->err);
    if (r->stale)
        rouse_batch_set_base(batch, 77);
    r->code = code < 0 ? code : rouse_store_commit(r->store, &c, NULL, &r->err);
    rouse_batch_free(batch);
    return NULL;
}

static size_t count_events(rouse_store *store)
{
    rouse_error err = {0};
    rouse_events *events = NULL;
    assert_fine(rouse_store_inbox(store, "t", 0, true, 0, &events, &err), &err);
    size_t count = rouse_events_count(events);
    rouse_events_free(events);
    return count;
}

struct first {
    rouse_store *store;
    struct rider *riders;
};

/* Inside the first commit: starts the others, and lasts until all of them wait for their turn. */
static int start_riders(void *userdata, uint64_t number, rouse_commit *commit, rouse_error *err)
{
    struct first *first = userdata;
    (void)number;
    (void)commit;
    (void)err;
    for (size_t i = 0; i < RIDERS; i++) {
        first->riders[i].store = first->store;
        assert_int_equal(pthread_create(&first->riders[i].thread, NULL, ride, &first->riders[i]), 0);
    }
    while (store_waiting(first->store) < RIDERS)
        sched_yield();
    return 0;
}

/* One commit that lasts until all riders wait; then they are one group. */
static void ride_together(rouse_store *store, struct rider riders[RIDERS])
{
    struct first first = {.store = store, .riders = riders};
    rouse_error err = {0};
    rouse_commit c = {.thread = "first", .prepare = start_riders, .userdata = &first};
    rouse_store_commit(store, &c, NULL, &err);
    for (size_t i = 0; i < RIDERS; i++)
        assert_int_equal(pthread_join(riders[i].thread, NULL), 0);
    for (size_t i = 0; i < RIDERS; i++) {
        if (riders[i].code != riders[i].want)
            fail_msg("rider %zu: %d: %s", i, riders[i].code, riders[i].err.message);
    }
}

static void test_who_fails_fails_alone(void **state)
{
    rouse_store *store = open_store(*state);
    struct rider riders[RIDERS] = {
        {.want = 0}, {.want = ROUSE_ECONFLICT, .stale = true}, {.want = ROUSE_ELIMIT, .fail = true}, {.want = 0}};
    ride_together(store, riders);
    assert_string_equal(riders[2].err.message, "told to fail");
    assert_int_equal(read_count(store, "t"), 2);
    assert_int_equal(read_revision(store, "t"), 2);
    assert_int_equal(count_events(store), 2);
    rouse_store_close(store);
    store = open_store(*state);
    assert_int_equal(read_count(store, "t"), 2);
    rouse_store_close(store);
}

static int refuse(void *userdata)
{
    (void)userdata;
    return 1;
}

static void test_a_failing_end_fails_all(void **state)
{
    rouse_store *store = open_store(*state);
    struct sqlite_store *s = store->backend;
    struct rider riders[RIDERS] = {
        {.want = ROUSE_ESTORE}, {.want = ROUSE_ESTORE}, {.want = ROUSE_ESTORE}, {.want = ROUSE_ESTORE}};
    sqlite3_commit_hook(s->db, refuse, NULL);
    ride_together(store, riders);
    sqlite3_commit_hook(s->db, NULL, NULL);
    assert_int_equal(read_count(store, "t"), 0);
    assert_int_equal(count_events(store), 0);
    struct rider again[RIDERS] = {{.want = 0}, {.want = 0}, {.want = 0}, {.want = 0}};
    ride_together(store, again);
    assert_int_equal(read_count(store, "t"), RIDERS);
    assert_int_equal(read_revision(store, "t"), RIDERS);
    rouse_store_close(store);
}

/* ---- a callback that calls the store, in whosever thread it runs ---- */

static int call_back(void *userdata, uint64_t number, rouse_commit *commit, rouse_error *err)
{
    (void)number;
    (void)commit;
    return rouse_store_commit(userdata, &(rouse_commit){.thread = "t"}, NULL, err);
}

static void *commit_and_call_back(void *userdata)
{
    struct rider *r = userdata;
    rouse_commit c = {.thread = "t", .prepare = call_back, .userdata = r->store};
    for (int i = 0; i < 50 && r->code == r->want; i++)
        r->code = rouse_store_commit(r->store, &c, NULL, &r->err);
    return NULL;
}

static void test_callbacks_are_told(void **state)
{
    rouse_store *store = open_store(*state);
    struct rider riders[RIDERS];
    for (size_t i = 0; i < RIDERS; i++)
        riders[i] = (struct rider){.store = store, .want = ROUSE_EINVAL, .code = ROUSE_EINVAL};
    for (size_t i = 0; i < RIDERS; i++)
        assert_int_equal(pthread_create(&riders[i].thread, NULL, commit_and_call_back, &riders[i]), 0);
    for (size_t i = 0; i < RIDERS; i++) {
        assert_int_equal(pthread_join(riders[i].thread, NULL), 0);
        assert_failed(riders[i].code, &riders[i].err, ROUSE_EINVAL, "a callback of a store cannot call that store");
    }
    rouse_store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_who_fails_fails_alone, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_a_failing_end_fails_all, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_callbacks_are_told, place_set_up, place_tear_down),
    };
    return cmocka_run_group_tests_name("storage/group", tests, NULL, NULL);
}
