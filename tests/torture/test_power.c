/* The power goes at a random moment: unsynced writes are kept, lost or torn. With durability `power` every acknowledged commit
 * is there afterwards, with `process` a prefix of the commits; none is there in half, and the check finds nothing.
 *
 * A seed replays exactly: ROUSE_TEST_SEED=N runs that one only. TORTURE_SECONDS: random seeds for so long. */
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../support/check.h"
#include "scenario.h"

#define SHORT_SEEDS 40

static char place[PLACE_SIZE], found[PLACE_SIZE];

static int tear_down(void **state)
{
    (void)state;
    vfs_stop();
    vfs_cut_at(0);
    if (*place)
        place_remove(place);
    if (*found)
        place_remove(found);
    *place = *found = '\0';
    return 0;
}

/* fsync_fails: some time before the cut one sync fails, and what it should have written is lost for good. */
static void cut(uint64_t seed, rouse_durability durability, bool fsync_fails)
{
    uint64_t random = seed * 0x9e3779b97f4a7c15u + 1;
    struct scenario what = {.durability = durability, .stopped = vfs_is_cut, .seed = seed};
    struct told told;
    char context[160];
    bool big = seed_next(&random) % 10 == 0; /* enough for a checkpoint in between */
    what.rounds = 1 + (int)(seed_next(&random) % 3);
    what.commits = 1 + (int)(seed_next(&random) % (big ? 12 : 24));
    what.text = big ? 400000 : 1 + seed_next(&random) % 9000;
    unsigned long at = 1 + (unsigned long)(seed_next(&random) % (unsigned long)(20 + what.rounds * what.commits * 12));
    snprintf(context, sizeof context,
             "seed %" PRIu64 ", durability %d%s, cut at change %lu of %d x %d commits of %zu bytes", seed,
             (int)durability, fsync_fails ? ", a sync fails" : "", at, what.rounds, what.commits, what.text);
    place_make(place);
    place_make(found);
    vfs_record();
    vfs_cut_at(at);
    if (fsync_fails)
        vfs_fail_at(1 + (unsigned long)(seed_next(&random) % 40),
                    &(struct vfs_fault){VFS_SYNC, SQLITE_IOERR_FSYNC, false, false});
    scenario_run(place, &what, &told);
    vfs_stop();
    vfs_rebuild(found, random);
    scenario_assert(found, &told, durability == ROUSE_DURABLE_PROCESS, context);
    tear_down(NULL);
}

static uint64_t seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec;
}

static void all(rouse_durability durability, bool fsync_fails)
{
    const char *one = getenv("ROUSE_TEST_SEED"), *limit = getenv("TORTURE_SECONDS"), *first = getenv("TORTURE_SEED");
    if (one) {
        cut(strtoull(one, NULL, 10), durability, fsync_fails);
        return;
    }
    uint64_t seed = limit && first ? strtoull(first, NULL, 10) : 1, begin = seconds(), count = 0;
    for (; limit ? seconds() - begin < strtoull(limit, NULL, 10) / 3 : count < SHORT_SEEDS; count++)
        cut(seed + count, durability, fsync_fails);
    print_message("# seeds %" PRIu64 " to %" PRIu64 "\n", seed, seed + count - 1);
}

static void test_power_keeps_all(void **state)
{
    (void)state;
    all(ROUSE_DURABLE_POWER, false);
}

static void test_process_keeps_a_prefix(void **state)
{
    (void)state;
    all(ROUSE_DURABLE_PROCESS, false);
}

static void test_a_failed_sync_is_not_trusted(void **state)
{
    (void)state;
    all(ROUSE_DURABLE_POWER, true);
}

static int install(void **state)
{
    (void)state;
    vfs_install();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_power_keeps_all, tear_down),
        cmocka_unit_test_teardown(test_process_keeps_a_prefix, tear_down),
        cmocka_unit_test_teardown(test_a_failed_sync_is_not_trusted, tear_down),
    };
    return check_run(tests, install, NULL);
}
