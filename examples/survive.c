/* survive.c: the smallest whole program. Starts a command as a background task, leaves it alone, comes back to it through
 * a second handle as another program would, waits for its end and prints the record.
 *
 *   cc survive.c $(pkg-config --cflags --libs rouse) -o survive && ./survive /tmp/some-store -- sh -c 'sleep 1; echo hi'
 */
#include <rouse/task.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const rouse_error *err)
{
    fprintf(stderr, "survive: %s\n", err->message);
    return rouse_error_exit_status(err->code);
}

static int open_manager(const char *where, rouse_store **store, rouse_manager **manager, rouse_error *err)
{
    if (rouse_store_open(where, NULL, store, err) < 0)
        return -1;
    return rouse_manager_new(*store, NULL, manager, err);
}

int main(int argc, char **argv)
{
    rouse_error err = {0};
    rouse_store *store = NULL;
    rouse_manager *manager = NULL;
    rouse_task *task;
    rouse_task_list *ended;

    if (argc < 4 || strcmp(argv[2], "--") != 0) {
        fprintf(stderr, "usage: survive STORE -- COMMAND [ARG...]\n");
        return 2;
    }

    /* Start it, and forget everything but its id. */
    if (open_manager(argv[1], &store, &manager, &err) < 0)
        return fail(&err);
    const char *env[] = {"PATH=/usr/bin:/bin", NULL};
    rouse_task_spec spec = {.thread = "example", .argv = (const char *const *)argv + 3, .env = env};
    if (rouse_task_start(manager, &spec, &task, &err) < 0)
        return fail(&err);
    char id[64];
    snprintf(id, sizeof id, "%s", task->task_id);
    printf("started %s: %s\n", id, task->description);
    rouse_task_free(task);
    rouse_manager_free(manager);
    rouse_store_close(store);

    /* Anybody with the store can come back to it, also after this process was killed. */
    if (open_manager(argv[1], &store, &manager, &err) < 0)
        return fail(&err);
    rouse_wait wait = {.thread = "example", .ids = (const char *const[]){id}, .count = 1};
    if (rouse_task_wait(manager, &wait, &ended, &err) < 0)
        return fail(&err);
    char *json = rouse_task_json(rouse_task_list_at(ended, 0), &err);
    if (!json)
        return fail(&err);
    printf("%s\n", json);
    free(json);
    rouse_task_list_free(ended);
    rouse_manager_free(manager);
    rouse_store_close(store);
    return 0;
}
