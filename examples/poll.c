/* poll.c: rouse in a loop of your own. Starts commands, goes on with other work, and is told when each has ended: one
 * descriptor to poll, one call to make when it is readable. Nothing here waits for anything else.
 *
 *   cc poll.c $(pkg-config --cflags --libs rouse) -o poll && ./poll /tmp/some-store 'sleep 1; echo one' 'exit 3'
 */
#include <poll.h>
#include <rouse/work.h>
#include <stdio.h>
#include <stdlib.h>

struct job {
    const char *line;
    int *left;
};

static int fail(const rouse_error *err)
{
    fprintf(stderr, "poll: %s\n", err->message);
    return rouse_error_exit_status(err->code);
}

static void ended(int code, const rouse_task_list *list, void *userdata)
{
    const struct job *job = userdata;
    if (code == 0)
        printf("%s: %s\n", job->line, rouse_status_text(rouse_task_list_at(list, 0)->status));
    --*job->left;
}

static int begin(rouse_manager *manager, struct job *job, rouse_error *err)
{
    const char *argv[] = {"sh", "-c", job->line, NULL};
    const char *env[] = {"PATH=/usr/bin:/bin", NULL};
    const rouse_task_spec spec = {.thread = "example", .argv = argv, .env = env};
    rouse_task *task;
    int code = rouse_task_start(manager, &spec, &task, err);
    if (code < 0)
        return code;
    const rouse_wait wait = {.ids = (const char *const[]){task->task_id}, .count = 1};
    code = rouse_waiting_new(manager, &wait, ended, job, NULL, err);
    rouse_task_free(task);
    return code;
}

int main(int argc, char **argv)
{
    rouse_error err = {0};
    rouse_store *store = NULL;
    rouse_manager *manager = NULL;
    struct pollfd p = {.events = POLLIN};
    int left = argc - 2;
    if (argc < 3) {
        fprintf(stderr, "usage: poll STORE LINE...\n");
        return 2;
    }
    if (rouse_store_open(argv[1], NULL, &store, &err) < 0 || rouse_manager_new(store, NULL, &manager, &err) < 0 ||
        rouse_manager_fd(manager, &p.fd, &err) < 0)
        return fail(&err);
    struct job *jobs = calloc((size_t)argc, sizeof *jobs);
    for (int i = 0; jobs && i < argc - 2; i++) {
        jobs[i] = (struct job){argv[i + 2], &left};
        if (begin(manager, &jobs[i], &err) < 0)
            return fail(&err);
    }
    while (jobs && left > 0) {
        poll(&p, 1, -1); /* and whatever else your program polls */
        if (rouse_manager_dispatch(manager, &err) < 0)
            return fail(&err);
    }
    rouse_manager_free(manager);
    rouse_store_close(store);
    free(jobs);
    return 0;
}
