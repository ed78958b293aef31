/* Four processes start and end tasks, read, and take events in, and are killed with SIGKILL in the middle. Afterwards: ids are
 * unique, revisions have no gap, each ended task has one terminal event and no other has one, names are unique among the live,
 * every acknowledged commit is there and none in half.
 *
 * What each process does and when it is killed (after how many acknowledgements) is the seed's: ROUSE_TEST_SEED, TORTURE_SEED.
 * Where in a commit the kill hits is the machine's. TORTURE_SECONDS: for so long. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../storage/place.h"
#include "../support/check.h"
#include "seed.h"

#define MEMBERS 4
#define SHORT_KILLS 24
#define MOST_TASKS 2000000

enum { STARTED = 1, ENDED = 2, SEEN_LIVE = 4, SEEN_ENDED = 8, SEEN_EVENT = 16 };

static struct {
    char place[PLACE_SIZE];
    struct member {
        pid_t pid;
        FILE *said;
    } members[MEMBERS];
    unsigned char *tasks; /* by number */
    uint64_t seed, highest, n_revisions;
} all;

static void start(struct member *m)
{
    int out[2];
    char seed[32];
    snprintf(seed, sizeof seed, "%" PRIu64, seed_next(&all.seed));
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    m->pid = fork();
    assert_true(m->pid >= 0);
    if (m->pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        execl(getenv("MEMBER"), "member", all.place, seed, (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    m->said = fdopen(out[0], "r");
    assert_non_null(m->said);
}

/* One acknowledgement; false at the end of the output, also when the last line is cut. */
static bool hear(struct member *m)
{
    char line[96], *end;
    if (!fgets(line, sizeof line, m->said) || !strchr(line, '\n'))
        return false;
    uint64_t number = strtoull(line + 2, &end, 10);
    assert_true(number < MOST_TASKS);
    unsigned char what = line[0] == 's' ? STARTED : ENDED;
    if (all.tasks[number] & what)
        fail_msg("bg_%" PRIu64 " was %s twice", number, what == STARTED ? "started" : "ended");
    all.tasks[number] |= what;
    all.highest = number > all.highest ? number : all.highest;
    all.n_revisions++;
    assert_true(strtoull(end, NULL, 10) > 0);
    return true;
}

static void finish(struct member *m)
{
    int status = 0;
    kill(m->pid, SIGKILL);
    while (hear(m))
        ;
    while (waitpid(m->pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    fclose(m->said);
    *m = (struct member){0};
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        fail_msg("a member ended by itself, with status %d", status);
}

static void kill_one(void)
{
    struct member *m = &all.members[seed_next(&all.seed) % MEMBERS];
    for (uint64_t left = seed_next(&all.seed) % 30; left > 0 && hear(m); left--)
        ;
    finish(m);
    start(m);
}

/* ---- looking ---- */

static void look_at_tasks(rouse_store *store, uint64_t *ret_count, uint64_t *ret_ended)
{
    rouse_error err = {0};
    char before[32] = "";
    unsigned names = 0;
    for (size_t got = 1; got > 0;) {
        rouse_rows *rows = NULL;
        rouse_query query = {.thread = "t", .before = *before ? before : NULL};
        assert_fine(rouse_store_list(store, &items_key, &query, &rows, &err), &err);
        got = rouse_rows_count(rows);
        for (size_t i = 0; i < got; i++) {
            const char *entry;
            const struct item *item = rouse_rows_at(rows, i, NULL, &entry);
            uint64_t number = strtoull(entry + 3, NULL, 10);
            assert_true(number < MOST_TASKS && !(all.tasks[number] & (SEEN_LIVE | SEEN_ENDED)));
            all.tasks[number] |= item->live ? SEEN_LIVE : SEEN_ENDED;
            all.highest = number > all.highest ? number : all.highest;
            unsigned bit = item->live && *item->name ? 1u << (item->name[5] - '0') : 0;
            assert_false(names & bit);
            names |= bit;
            ++*ret_count;
            *ret_ended += !item->live;
            snprintf(before, sizeof before, "%s", entry);
        }
        rouse_rows_free(rows);
    }
}

/* Returns how many events are acknowledged. */
static uint64_t look_at_events(rouse_store *store)
{
    rouse_error err = {0};
    uint64_t after = 0, acknowledged = 0;
    for (size_t got = 1; got > 0;) {
        rouse_events *events = NULL;
        assert_fine(rouse_store_inbox(store, "t", after, true, 0, &events, &err), &err);
        got = rouse_events_count(events);
        for (size_t i = 0; i < got; i++) {
            const rouse_event *event = rouse_events_at(events, i);
            uint64_t number = strtoull(event->task_id + 3, NULL, 10);
            if (!(all.tasks[number] & SEEN_ENDED) || all.tasks[number] & SEEN_EVENT)
                fail_msg("%s has a terminal event %s", event->task_id,
                         all.tasks[number] & SEEN_EVENT ? "too many" : "and runs");
            all.tasks[number] |= SEEN_EVENT;
            acknowledged += event->acknowledged;
            after = event->id;
        }
        rouse_events_free(events);
    }
    return acknowledged;
}

static uint64_t look_at_messages(rouse_store *store)
{
    rouse_error err = {0};
    rouse_messages *messages = NULL;
    uint64_t acknowledged = 0;
    assert_fine(rouse_store_messages(store, "t", 0, 0, &messages, &err), &err);
    for (size_t i = 0; i < rouse_messages_count(messages); i++)
        acknowledged += strtoull(rouse_messages_at(messages, i)->json, NULL, 10);
    rouse_messages_free(messages);
    return acknowledged;
}

static void assert_acknowledged(void)
{
    for (uint64_t i = 0; i <= all.highest; i++) {
        unsigned char t = all.tasks[i];
        if (((t & STARTED) && !(t & (SEEN_LIVE | SEEN_ENDED))) || ((t & ENDED) && !(t & SEEN_ENDED)) ||
            ((t & SEEN_ENDED) && !(t & SEEN_EVENT)))
            fail_msg("bg_%" PRIu64 ": acknowledged%s%s, there%s%s%s", i, t & STARTED ? " start" : "",
                     t & ENDED ? " end" : "", t & SEEN_LIVE ? " live" : "", t & SEEN_ENDED ? " ended" : "",
                     t & SEEN_EVENT ? " event" : "");
        all.tasks[i] &= STARTED | ENDED;
    }
}

static void hear_check(int level, const char *text, void *userdata)
{
    (void)userdata;
    if (level > 1)
        print_error("the check says: %s\n", text);
}

static void look(void)
{
    rouse_error err = {0};
    uint64_t count = 0, ended = 0;
    rouse_store *store = open_store(all.place);
    look_at_tasks(store, &count, &ended);
    assert_int_equal(look_at_events(store), look_at_messages(store));
    uint64_t revision = read_revision(store, "t");
    if (revision != count + ended || read_count(store, "t") != (long)revision || revision < all.n_revisions)
        fail_msg("%" PRIu64 " tasks of which %" PRIu64 " ended, %" PRIu64 " acknowledgements, but revision %" PRIu64
                 " and count %ld",
                 count, ended, all.n_revisions, revision, read_count(store, "t"));
    assert_acknowledged();
    int level = rouse_store_check(store, hear_check, NULL, &err);
    assert_true(level >= 0 && level < 2);
    rouse_store_close(store);
}

static uint64_t seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec;
}

static void round_of_kills(uint64_t kills)
{
    for (size_t i = 0; i < MEMBERS; i++)
        start(&all.members[i]);
    for (uint64_t i = 0; i < kills; i++)
        kill_one();
    for (size_t i = 0; i < MEMBERS; i++)
        finish(&all.members[i]);
    look();
}

static void test_members_are_killed(void **state)
{
    (void)state;
    const char *limit = getenv("TORTURE_SECONDS"), *seed = getenv("TORTURE_SEED");
    seed = getenv("ROUSE_TEST_SEED") ? getenv("ROUSE_TEST_SEED") : seed;
    all.seed = seed ? strtoull(seed, NULL, 10) : 1;
    print_message("# seed %" PRIu64 "\n", all.seed);
    uint64_t begin = seconds(), rounds = 0;
    do
        round_of_kills(SHORT_KILLS);
    while (rounds++, limit && seconds() - begin < strtoull(limit, NULL, 10));
    assert_true(all.n_revisions > 0);
    print_message("# %" PRIu64 " kills, %" PRIu64 " commits acknowledged\n", rounds * SHORT_KILLS, all.n_revisions);
}

static int set_up(void **state)
{
    (void)state;
    place_make(all.place);
    all.tasks = calloc(MOST_TASKS, 1);
    return all.tasks ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < MEMBERS; i++) {
        if (all.members[i].pid > 0) {
            kill(all.members[i].pid, SIGKILL);
            waitpid(all.members[i].pid, NULL, 0);
            fclose(all.members[i].said);
        }
    }
    free(all.tasks);
    place_remove(all.place);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_members_are_killed, set_up, tear_down),
    };
    return check_run(tests, NULL, NULL);
}
