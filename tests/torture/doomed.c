/* Stands in for `rouse reap` where it is to be killed: takes an ending in as that does, and dies at step $ROUSE_TEST_REAPER_STEP of
 * enum manager_step. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "task/manager.h"

static int deadly_step;

static void die_at(enum manager_step step)
{
    if ((int)step == deadly_step)
        raise(SIGKILL);
}

int main(int argc, char **argv)
{
    const rouse_manager_options options = {.no_recovery = true};
    rouse_store *store = NULL;
    rouse_manager *manager = NULL;
    const char *step = getenv("ROUSE_TEST_REAPER_STEP");
    if (argc != 5 || !step || strcmp(argv[1], "reap") != 0)
        return 99;
    deadly_step = (int)strtol(step, NULL, 10);
    int code = rouse_store_open(argv[3], NULL, &store, NULL);
    if (code == 0)
        code = rouse_manager_new(store, &options, &manager, NULL);
    if (code == 0) {
        manager->at_step = die_at;
        code = rouse_task_reap(manager, argv[4], NULL);
    }
    rouse_manager_free(manager);
    rouse_store_close(store);
    return code < 0;
}
