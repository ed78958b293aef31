/* Several processes and threads at one store, and processes that are killed in the middle. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "place.h"

/* ---- committers ---- */

struct committer {
    pid_t pid;
    FILE *said; /* its standard output */
};

/* With a gate, it starts when the last writer of the gate is closed. */
static void start(struct committer *c, const char *place, long count, const int *gate)
{
    int out[2];
    char text[32];
    snprintf(text, sizeof text, "%ld", count);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    c->pid = fork();
    assert_true(c->pid >= 0);
    if (c->pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        if (gate)
            dup2(gate[0], STDIN_FILENO);
        execl(getenv("COMMITTER"), "committer", place, text, gate ? "go" : NULL, (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    c->said = fdopen(out[0], "r");
    assert_non_null(c->said);
}

static int finish(struct committer *c)
{
    int status = 0;
    while (waitpid(c->pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    fclose(c->said);
    return status;
}

struct seen {
    unsigned long long numbers[1024], revisions[1024];
    size_t count;
};

/* One acknowledgement; false at the end of the output, also when the last line is cut. */
static bool hear(struct committer *c, struct seen *seen)
{
    char line[64];
    if (!fgets(line, sizeof line, c->said) || !strchr(line, '\n') || seen->count == 1024)
        return false;
    char *end;
    seen->numbers[seen->count] = strtoull(line, &end, 10);
    seen->revisions[seen->count++] = strtoull(end, NULL, 10);
    return true;
}

static int compare(const void *a, const void *b)
{
    unsigned long long x = *(const unsigned long long *)a, y = *(const unsigned long long *)b;
    return (x > y) - (x < y);
}

/* Sorted, they are first, first + 1, … */
static void assert_gapless(unsigned long long *values, size_t count, unsigned long long first)
{
    qsort(values, count, sizeof *values, compare);
    for (size_t i = 0; i < count; i++)
        assert_true(values[i] == first + i);
}

/* What every commit did together is there together. Returns how many there were. */
static size_t assert_whole(const char *place)
{
    rouse_error err = {0};
    rouse_store *store = open_store(place);
    rouse_rows *rows = NULL;
    rouse_events *events = NULL;
    assert_fine(rouse_store_list(store, &items_key, NULL, &rows, &err), &err);
    assert_fine(rouse_store_inbox(store, "t", 0, false, 0, &events, &err), &err);
    size_t count = rouse_rows_count(rows);
    assert_int_equal(rouse_events_count(events), count);
    assert_int_equal(read_count(store, "t"), count);
    assert_int_equal(read_revision(store, "t"), count);
    for (size_t i = 0; i < count; i++) {
        const char *entry;
        rouse_rows_at(rows, count - 1 - i, NULL, &entry);
        assert_string_equal(rouse_events_at(events, i)->task_id, entry);
    }
    rouse_rows_free(rows);
    rouse_events_free(events);
    rouse_store_close(store);
    return count;
}

static void run_together(const char *place, struct committer *all, size_t n, long each)
{
    int gate[2];
    static struct seen seen;
    seen.count = 0;
    assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
    for (size_t i = 0; i < n; i++)
        start(&all[i], place, each, gate);
    close(gate[0]);
    close(gate[1]);
    for (size_t i = 0; i < n; i++) {
        while (hear(&all[i], &seen))
            ;
        assert_int_equal(finish(&all[i]), 0);
    }
    assert_int_equal(seen.count, n * (size_t)each);
    assert_gapless(seen.numbers, seen.count, 0);
    assert_gapless(seen.revisions, seen.count, 1);
    assert_int_equal(assert_whole(place), seen.count);
}

static void test_two_processes_commit(void **state)
{
    struct committer two[2];
    run_together(*state, two, 2, 150);
}

static void test_many_create_at_once(void **state)
{
    struct committer many[6];
    for (int round = 0; round < 5; round++) {
        char where[PLACE_SIZE + 32];
        snprintf(where, sizeof where, "%s/round-%d", (const char *)*state, round);
        run_together(where, many, sizeof many / sizeof *many, 2);
    }
}

/* Every acknowledged commit is there, and none is there in part. Where the kill hits depends on the machine; the number of
 * acknowledgements before it is what varies here. */
static void test_killed_while_committing(void **state)
{
    const char *place = *state;
    static struct seen seen;
    seen.count = 0;
    for (int round = 0; round < 20; round++) {
        struct committer c;
        start(&c, place, 0, NULL);
        for (int i = 0; i < round % 7; i++)
            assert_true(hear(&c, &seen));
        assert_int_equal(kill(c.pid, SIGKILL), 0);
        while (hear(&c, &seen))
            ;
        int status = finish(&c);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        size_t there = round == 0 ? 0 : assert_whole(place);
        assert_true(there >= seen.count);
    }
    rouse_error err = {0};
    rouse_store *store = open_store(place);
    for (size_t i = 0; i < seen.count; i++) {
        char entry[32];
        snprintf(entry, sizeof entry, "bg_%llu", seen.numbers[i]);
        rouse_rows *rows = NULL;
        assert_fine(rouse_store_list(store, &items_key, &(rouse_query){.entry = entry}, &rows, &err), &err);
        assert_int_equal(rouse_rows_count(rows), 1);
        rouse_rows_free(rows);
    }
    rouse_store_close(store);
    assert_true(seen.count > 0);
    for (size_t i = 1; i < seen.count; i++)
        assert_true(seen.numbers[i] > seen.numbers[i - 1] && seen.revisions[i] > seen.revisions[i - 1]);
}

static void test_bell_of_another_process(void **state)
{
    const char *place = *state;
    rouse_error err = {0};
    rouse_store *store = open_store(place);
    int fd = -1;
    assert_fine(rouse_store_bell_open(store, &fd, &err), &err);
    int gate[2];
    assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
    struct committer c;
    start(&c, place, 1, gate);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 0), 0);
    close(gate[0]);
    close(gate[1]);
    assert_int_equal(poll(&p, 1, 60000), 1);
    assert_int_equal(finish(&c), 0);
    assert_int_equal(read_count(store, "t"), 1);
    close(fd);
    rouse_store_close(store);
}

/* ---- threads ---- */

#define THREADS 8
#define ROUNDS 20

struct racer {
    pthread_t thread;
    rouse_store *store;
    pthread_barrier_t *line;
    int id;
    atomic_int *winners;
    atomic_int *losers;
};

static void *race_for_names(void *userdata)
{
    struct racer *r = userdata;
    for (int round = 0; round < ROUNDS; round++) {
        char name[16], entry[32];
        snprintf(name, sizeof name, "web%d", round);
        snprintf(entry, sizeof entry, "e-%d-%d", round, r->id);
        struct item item = {.live = true, .name = name, .text = "x"};
        pthread_barrier_wait(r->line);
        int code = put_item(r->store, "t", entry, &item, NULL);
        atomic_fetch_add(code == 0 ? &r->winners[round] : &r->losers[round], code == 0 || code == ROUSE_ECONFLICT);
    }
    return NULL;
}

/* handles: 1 = all threads share one, THREADS = each has its own. */
static void race(const char *place, size_t handles)
{
    rouse_store *stores[THREADS];
    struct racer racers[THREADS];
    pthread_barrier_t line;
    atomic_int winners[ROUNDS] = {0}, losers[ROUNDS] = {0};
    assert_int_equal(pthread_barrier_init(&line, NULL, THREADS), 0);
    for (size_t i = 0; i < handles; i++)
        stores[i] = open_store(place);
    for (int i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){
            .store = stores[(size_t)i % handles], .line = &line, .id = i, .winners = winners, .losers = losers};
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race_for_names, &racers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
    for (int round = 0; round < ROUNDS; round++) {
        assert_int_equal(atomic_load(&winners[round]), 1);
        assert_int_equal(atomic_load(&losers[round]), THREADS - 1);
    }
    for (size_t i = 0; i < handles; i++)
        rouse_store_close(stores[i]);
    pthread_barrier_destroy(&line);
}

static void test_one_name_one_winner(void **state)
{
    race(*state, 1);
}

static void test_one_name_one_winner_many_handles(void **state)
{
    race(*state, THREADS);
}

struct reader {
    rouse_store *store;
    atomic_bool stop;
    bool torn;
};

static void *read_all_the_time(void *userdata)
{
    struct reader *r = userdata;
    do {
        rouse_snapshot *snapshot = NULL;
        if (rouse_store_snapshot(r->store, "t", NULL, &snapshot, NULL) < 0) {
            r->torn = true;
            return NULL;
        }
        const long *count = rouse_snapshot_get(snapshot, &count_key, NULL);
        r->torn = r->torn || (uint64_t)(count ? *count : 0) != rouse_snapshot_revision(snapshot);
        rouse_snapshot_unref(snapshot);
    } while (!atomic_load(&r->stop));
    return NULL;
}

static void nothing(const char *thread, uint64_t before, uint64_t after, size_t operations, rouse_snapshot *snapshot,
                    void *userdata)
{
    (void)thread;
    (void)operations;
    const int64_t *count = snapshot ? rouse_snapshot_get(snapshot, &count_key, NULL) : NULL;
    atomic_fetch_add((atomic_int *)userdata, after == before + 1 && count && (uint64_t)*count == after);
}

static void test_readers_see_whole_commits(void **state)
{
    rouse_store *store = open_store(*state);
    rouse_store *other = open_store(*state);
    struct reader readers[2] = {{.store = store}, {.store = other}};
    pthread_t threads[2];
    atomic_int hooked = 0;
    rouse_error err = {0};
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_all_the_time, &readers[i]), 0);
    for (int i = 0; i < 60; i++) {
        if (i % 20 == 0)
            assert_fine(rouse_store_on_commit(store, nothing, &hooked, &err), &err);
        assert_fine(add_count(store, "t", 1, &err), &err);
    }
    for (int i = 0; i < 2; i++) {
        atomic_store(&readers[i].stop, true);
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_false(readers[i].torn);
    }
    assert_int_equal(atomic_load(&hooked), 20 + 40 + 60);
    rouse_store_close(store);
    rouse_store_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_two_processes_commit, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_many_create_at_once, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_killed_while_committing, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_bell_of_another_process, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_one_name_one_winner, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_one_name_one_winner_many_handles, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_readers_see_whole_commits, place_set_up, place_tear_down),
    };
    return cmocka_run_group_tests_name("storage/processes", tests, NULL, NULL);
}
