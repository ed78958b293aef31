/* Claims and leases among processes: one winner of many, what a process that was killed held passes on when its time is over, and one
 * that was overtaken cannot write any more. No time passes: those who come later have a clock that is ahead. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../support/check.h"
#include "place.h"

#define PROCESSES 6
#define ENTRIES 30
#define HOUR_MS 3600000

/* ---- clocks ---- */

static uint64_t now_ms(void *userdata)
{
    struct timespec t;
    (void)userdata;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t an_hour_later(void *userdata)
{
    return now_ms(userdata) + HOUR_MS;
}

static int no_random(void *userdata, unsigned char *fill, size_t size)
{
    (void)userdata;
    memset(fill, 7, size);
    return 0;
}

static const rouse_platform today = {.now_ms = now_ms, .mono_ms = now_ms, .random = no_random},
                            later = {.now_ms = an_hour_later, .mono_ms = an_hour_later, .random = no_random};

/* ---- processes: what they find out is written to a pipe, one record each ---- */

struct found {
    int code, who;
    uint64_t epoch;
    char entry[16];
};

struct child {
    pid_t pid;
    int to, from; /* pipes */
};

/* In the child: no assertion, which would run the rest of the tests there. */
typedef void (*task_of_child)(rouse_store *store, int who, int in, int out);

static struct child start(const char *place, const rouse_platform *clock, task_of_child run, int who)
{
    struct child c;
    int to[2], from[2];
    assert_int_equal(pipe(to), 0);
    assert_int_equal(pipe(from), 0);
    c.pid = fork();
    assert_true(c.pid >= 0);
    if (c.pid == 0) {
        rouse_store *store = NULL;
        char byte;
        close(to[1]);
        close(from[0]);
        if (rouse_store_open(place, &(rouse_store_options){.platform = clock}, &store, NULL) < 0 ||
            items_register(store, NULL) < 0)
            _exit(3);
        if (read(to[0], &byte, 1) != 1) /* the gate */
            _exit(4);
        run(store, who, to[0], from[1]);
        _exit(0);
    }
    close(to[0]);
    close(from[1]);
    c.to = to[1];
    c.from = from[0];
    return c;
}

static void let_go(const struct child *c)
{
    assert_int_equal(write(c->to, "g", 1), 1);
}

static void finish(struct child *c, int want_signal)
{
    int status = 0;
    while (waitpid(c->pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    close(c->to);
    close(c->from);
    if (want_signal ? !WIFSIGNALED(status) || WTERMSIG(status) != want_signal : status != 0)
        fail_msg("a process ended with status %d", status);
}

static void tell(int out, const struct found *f)
{
    if (write(out, f, sizeof *f) != sizeof *f)
        _exit(5);
}

static bool hear(const struct child *c, struct found *fill)
{
    return read(c->from, fill, sizeof *fill) == sizeof *fill;
}

/* ---- claims ---- */

static int claim_one(rouse_store *store, int who, uint64_t most, uint64_t lease_ms, struct found *fill)
{
    char holder[16];
    rouse_rows *rows = NULL;
    rouse_error err = {0};
    snprintf(holder, sizeof holder, "holder-%d", who);
    const rouse_claim claim = {.queue = "q", .holder = holder, .max_held = most, .lease_ms = lease_ms};
    *fill = (struct found){.who = who};
    fill->code = rouse_store_claim(store, &items_key, &claim, &rows, &err);
    int count = fill->code < 0 ? fill->code : (int)rouse_rows_count(rows);
    if (count == 1) {
        const char *entry;
        rouse_rows_at(rows, 0, NULL, &entry);
        snprintf(fill->entry, sizeof fill->entry, "%s", entry);
    }
    rouse_rows_free(rows);
    return count;
}

static void claim_all(rouse_store *store, int who, int in, int out)
{
    struct found f;
    (void)in;
    while (claim_one(store, who, 0, HOUR_MS / 2, &f) == 1)
        tell(out, &f);
    if (f.code < 0)
        tell(out, &f);
}

static void claim_within_four(rouse_store *store, int who, int in, int out)
{
    struct found f;
    (void)in;
    while (claim_one(store, who, 4, HOUR_MS / 2, &f) == 1)
        tell(out, &f);
    if (f.code < 0)
        tell(out, &f);
}

static void claim_and_hang(rouse_store *store, int who, int in, int out)
{
    struct found f;
    char byte;
    claim_one(store, who, 0, HOUR_MS / 2, &f);
    tell(out, &f);
    read(in, &byte, 1);
}

static void fill_queue(const char *place, int count)
{
    rouse_error err = {0};
    rouse_store *store = open_store(place);
    for (int i = 0; i < count; i++) {
        char entry[16];
        snprintf(entry, sizeof entry, "bg_%d", i);
        assert_fine(
            put_item(store, "t", entry, &(struct item){.live = true, .queue = "q", .waiting = true, .text = "x"}, &err),
            &err);
    }
    rouse_store_close(store);
}

/* What all of them get, each entry once. */
static size_t race(const char *place, task_of_child run)
{
    struct child children[PROCESSES];
    bool seen[ENTRIES] = {false};
    size_t count = 0;
    for (int i = 0; i < PROCESSES; i++)
        children[i] = start(place, &today, run, i);
    for (int i = 0; i < PROCESSES; i++)
        let_go(&children[i]);
    for (int i = 0; i < PROCESSES; i++) {
        struct found f;
        while (hear(&children[i], &f)) {
            assert_int_equal(f.code, 0);
            unsigned long n = strtoul(f.entry + 3, NULL, 10);
            assert_true(n < ENTRIES);
            if (seen[n])
                fail_msg("'%s' was claimed twice", f.entry);
            seen[n] = true;
            count++;
        }
        finish(&children[i], 0);
    }
    return count;
}

static void test_each_is_claimed_once(void **state)
{
    fill_queue(*state, ENTRIES);
    assert_int_equal(race(*state, claim_all), ENTRIES);
}

static void test_no_more_are_held_than_may_be(void **state)
{
    fill_queue(*state, ENTRIES);
    assert_int_equal(race(*state, claim_within_four), 4);
}

static void test_claims_of_the_dead_pass_on(void **state)
{
    const char *place = *state;
    struct found f;
    fill_queue(place, 1);
    struct child dead = start(place, &today, claim_and_hang, 1);
    let_go(&dead);
    assert_true(hear(&dead, &f));
    assert_string_equal(f.entry, "bg_0");
    assert_int_equal(kill(dead.pid, SIGKILL), 0);
    finish(&dead, SIGKILL);
    rouse_store *store = open_store(place);
    assert_int_equal(claim_one(store, 2, 0, 0, &f), 0); /* its time is not over */
    rouse_store_close(store);
    struct child heir = start(place, &later, claim_and_hang, 3);
    let_go(&heir);
    assert_true(hear(&heir, &f));
    assert_string_equal(f.entry, "bg_0");
    let_go(&heir);
    finish(&heir, 0);
}

/* ---- leases ---- */

static int lease(rouse_store *store, int who, struct found *fill)
{
    char holder[16];
    snprintf(holder, sizeof holder, "holder-%d", who);
    *fill = (struct found){.who = who};
    fill->code = rouse_store_lease(store, "keeper", holder, HOUR_MS / 2, &fill->epoch, NULL);
    return fill->code;
}

static void lease_once(rouse_store *store, int who, int in, int out)
{
    struct found f;
    (void)in;
    lease(store, who, &f);
    tell(out, &f);
}

/* Leases, is held up, and then writes as if nothing had happened. */
static void lease_and_write_late(rouse_store *store, int who, int in, int out)
{
    struct found f;
    char byte;
    lease(store, who, &f);
    tell(out, &f);
    if (read(in, &byte, 1) != 1)
        return;
    rouse_batch *batch = rouse_batch_new();
    rouse_commit commit = {.thread = "t", .batch = batch, .fence = {.lease = "keeper", .epoch = f.epoch}};
    f.code = !batch || rouse_batch_add(batch, &count_key, count_add(1), NULL) < 0
                 ? -99
                 : rouse_store_commit(store, &commit, NULL, NULL);
    rouse_batch_free(batch);
    tell(out, &f);
}

static void test_a_lease_has_one_winner(void **state)
{
    struct child children[PROCESSES];
    int winners = 0;
    for (int i = 0; i < PROCESSES; i++)
        children[i] = start(*state, &today, lease_once, i);
    for (int i = 0; i < PROCESSES; i++)
        let_go(&children[i]);
    for (int i = 0; i < PROCESSES; i++) {
        struct found f;
        assert_true(hear(&children[i], &f));
        assert_true(f.code == 0 || f.code == ROUSE_ECONFLICT);
        winners += f.code == 0;
        finish(&children[i], 0);
    }
    assert_int_equal(winners, 1); /* which has ended since, but its time is not over */
}

static void test_who_was_overtaken_cannot_write(void **state)
{
    const char *place = *state;
    struct found first, second, late;
    struct child slow = start(place, &today, lease_and_write_late, 1);
    let_go(&slow);
    assert_true(hear(&slow, &first));
    assert_int_equal(first.code, 0);
    struct child quick = start(place, &later, lease_and_write_late, 2);
    let_go(&quick);
    assert_true(hear(&quick, &second));
    assert_int_equal(second.code, 0);
    assert_true(second.epoch > first.epoch);
    let_go(&slow);
    assert_true(hear(&slow, &late));
    assert_int_equal(late.code, ROUSE_ECONFLICT);
    let_go(&quick);
    assert_true(hear(&quick, &late));
    assert_int_equal(late.code, 0);
    finish(&slow, 0);
    finish(&quick, 0);
    rouse_store *store = open_store(place);
    assert_int_equal(read_count(store, "t"), 1);
    rouse_store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_is_claimed_once, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_no_more_are_held_than_may_be, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_claims_of_the_dead_pass_on, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_a_lease_has_one_winner, place_set_up, place_tear_down),
        cmocka_unit_test_setup_teardown(test_who_was_overtaken_cannot_write, place_set_up, place_tear_down),
    };
    return check_run(tests, NULL, NULL);
}
