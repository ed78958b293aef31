/* What a process task costs, and its floors: posix_spawn and wait, and a file as stdout. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char *const no_environment[] = {NULL};

/* Supervisors are nobody's children: they fall to this process, which so learns what CPU time they took. */
static rouse_manager *open_with_spares(unsigned spares, rouse_store **ret_store)
{
    rouse_manager *manager = NULL;
    rouse_error err = {0};
    rouse_store_options options = {0};
    rouse_manager_options how = {.spare_supervisors = spares};
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    bench_check(rouse_store_open(bench_word("where", NULL), &options, ret_store, &err), "open", &err);
    bench_check(rouse_manager_new(*ret_store, &how, &manager, &err), "manager", &err);
    return manager;
}

static rouse_manager *open_manager(rouse_store **ret_store)
{
    return open_with_spares(0, ret_store);
}

static void close_manager(rouse_manager *manager, rouse_store *store)
{
    rouse_manager_free(manager);
    rouse_store_close(store);
}

static void reap_children(void)
{
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        continue;
}

static void start(rouse_manager *manager, const char *const *argv, const char *ready_when, char id[32])
{
    rouse_task_spec spec = {.thread = BENCH_THREAD, .argv = argv, .ready_when = ready_when};
    rouse_task *task = NULL;
    rouse_error err = {0};
    bench_check(rouse_task_start(manager, &spec, &task, &err), "start", &err);
    snprintf(id, 32, "%s", task->task_id);
    rouse_task_free(task);
}

static rouse_task_list *wait_for(rouse_manager *manager, const char *const *ids, size_t count, rouse_until until)
{
    rouse_wait wait = {.thread = BENCH_THREAD, .ids = ids, .count = count, .any = true, .until = until};
    rouse_task_list *list = NULL;
    rouse_error err = {0};
    bench_check(rouse_task_wait(manager, &wait, &list, &err), "wait", &err);
    return list;
}

/* ---- many short ones ---- */

#define SLOTS 8

static void run_tasks(rouse_manager *manager, const char *const *argv, size_t n, size_t slots)
{
    char ids[SLOTS][32];
    size_t started = 0, running = 0;
    while (started < n || running > 0) {
        while (running < slots && started++ < n)
            start(manager, argv, NULL, ids[running++]);
        if (running == 0)
            break;
        const char *words[SLOTS];
        for (size_t i = 0; i < running; i++)
            words[i] = ids[i];
        rouse_task_list *list = wait_for(manager, words, running, ROUSE_UNTIL_ENDED);
        for (size_t i = rouse_task_list_count(list); i-- > 0;) { /* backwards: the last one moves into the gap */
            const rouse_task *task = rouse_task_list_at(list, i);
            if (task->status == ROUSE_FAILED)
                bench_fail(task->task_id, task->error);
            if (rouse_status_is_terminal(task->status))
                memmove(ids[i], ids[--running], sizeof ids[i]);
        }
        rouse_task_list_free(list);
    }
}

static size_t slots_wanted(void)
{
    size_t slots = (size_t)bench_number("slots", 1);
    if (slots < 1 || slots > SLOTS)
        bench_fail("slots", "too many");
    return slots;
}

static void say_costs(double seconds, double cpu, size_t n)
{
    bench_say("rate", (double)n / seconds);
    bench_say("cpu_ms", cpu * 1e3 / (double)n);
}

void cmd_tasks(void)
{
    size_t n = (size_t)bench_number("n", 100), slots = slots_wanted();
    const char *const argv[] = {bench_word("command", NULL), NULL};
    rouse_store *store = NULL;
    rouse_manager *manager = open_with_spares((unsigned)bench_number("spares", 0), &store);
    double from = bench_seconds(), cpu = bench_cpu();
    run_tasks(manager, argv, n, slots);
    double took = bench_seconds() - from;
    rouse_manager_free(manager); /* supervisors that stayed go, and are counted */
    reap_children();
    say_costs(took, bench_cpu() - cpu, n);
    rouse_store_close(store);
}

void cmd_bare_spawn(void)
{
    size_t n = (size_t)bench_number("n", 100), slots = slots_wanted(), running = 0;
    char *const argv[] = {(char *)bench_word("command", NULL), NULL};
    double from = bench_seconds(), cpu = bench_cpu();
    for (size_t started = 0; started < n || running > 0;) {
        while (running < slots && started < n) {
            pid_t pid;
            if (posix_spawn(&pid, argv[0], NULL, NULL, argv, no_environment) != 0)
                bench_fail(argv[0], "cannot be started");
            running++;
            started++;
        }
        int status;
        if (waitpid(-1, &status, 0) < 0 || status != 0)
            bench_fail(argv[0], "failed");
        running--;
    }
    say_costs(bench_seconds() - from, bench_cpu() - cpu, n);
}

/* ---- output ---- */

void cmd_output(void)
{
    const char *const argv[] = {bench_word("actor", NULL), "write", bench_word("bytes", NULL), NULL};
    rouse_store *store = NULL;
    rouse_manager *manager = open_manager(&store);
    char id[32];
    const char *ids[] = {id};
    double from = bench_seconds();
    start(manager, argv, NULL, id);
    rouse_task_list *list = wait_for(manager, ids, 1, ROUSE_UNTIL_ENDED);
    double took = bench_seconds() - from;
    const rouse_task *task = rouse_task_list_at(list, 0);
    if (task->status != ROUSE_COMPLETED || task->ext.output.size != (uint64_t)bench_number("bytes", 0))
        bench_fail("output", task->error ? task->error : "some of it is missing");
    bench_say("rate", (double)task->ext.output.size / 1e6 / took);
    bench_say("kept", (double)task->ext.output.kept);
    rouse_task_list_free(list);
    reap_children();
    close_manager(manager, store);
}

void cmd_bare_output(void)
{
    const char *file = bench_word("where", NULL);
    char *const argv[] = {(char *)bench_word("actor", NULL), "write", (char *)bench_word("bytes", NULL), NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    double from = bench_seconds();
    if (posix_spawn(&pid, argv[0], &actions, NULL, argv, no_environment) != 0 || waitpid(pid, &status, 0) < 0 || status)
        bench_fail("bare-output", "the command failed");
    bench_say("rate", (double)bench_number("bytes", 0) / 1e6 / (bench_seconds() - from));
    posix_spawn_file_actions_destroy(&actions);
}

/* ---- many at once ---- */

void cmd_many(void)
{
    size_t n = (size_t)bench_number("n", 500);
    const char *const argv[] = {bench_word("actor", NULL), "pause", NULL};
    rouse_store *store = NULL;
    rouse_manager *manager = open_manager(&store);
    char(*ids)[32] = bench_memory(n, sizeof *ids);
    rouse_error err = {0};
    for (size_t i = 0; i < n; i++)
        start(manager, argv, NULL, ids[i]);
    bench_say("started", (double)n);
    fflush(stdout);
    while (getchar() != EOF)
        continue;
    size_t ended;
    rouse_cancel options = {.thread = BENCH_THREAD, .has_grace = true};
    for (size_t i = 0; i < n; i++)
        bench_check(rouse_task_cancel(manager, ids[i], &options, &ended, &err), "cancel", &err);
    reap_children();
    free(ids);
    close_manager(manager, store);
}

/* ---- waking a waiter in another process ---- */

/* The waiter: is told an id, says when its wait was over. */
static _Noreturn void be_waiter(int in, int out)
{
    rouse_store *store = NULL;
    rouse_manager *manager = open_manager(&store);
    char id[32];
    const char *ids[] = {id};
    while (read(in, id, sizeof id) == (ssize_t)sizeof id) {
        rouse_task_list_free(wait_for(manager, ids, 1, ROUSE_UNTIL_ENDED));
        double now = bench_seconds();
        if (write(out, &now, sizeof now) != (ssize_t)sizeof now)
            break;
    }
    close_manager(manager, store);
    _exit(0);
}

static double stamped(const char *file)
{
    struct timespec then;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, &then, sizeof then) != (ssize_t)sizeof then)
        bench_fail(file, "the command left no time");
    close(fd);
    return (double)then.tv_sec + (double)then.tv_nsec / 1e9;
}

void cmd_wake(void)
{
    size_t n = (size_t)bench_number("n", 200);
    char fifo[4096], file[4096], id[32] = "";
    snprintf(fifo, sizeof fifo, "%s.fifo", bench_word("where", NULL));
    snprintf(file, sizeof file, "%s.stamp", bench_word("where", NULL));
    const char *const argv[] = {bench_word("actor", NULL), "stamp", fifo, file, NULL};
    int to[2], from[2];
    if (mkfifo(fifo, 0600) < 0 || pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
        bench_fail("wake", "no pipes");
    pid_t waiter = fork();
    if (waiter == 0) {
        close(to[1]);
        be_waiter(to[0], from[1]);
    }
    rouse_store *store = NULL;
    rouse_manager *manager = open_manager(&store);
    double *took = bench_memory(n, sizeof *took), woken;
    for (size_t i = 0; i < n; i++) {
        start(manager, argv, NULL, id);
        if (write(to[1], id, sizeof id) != (ssize_t)sizeof id)
            bench_fail("wake", "the waiter is gone");
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL); /* by then it sleeps */
        close(open(fifo, O_WRONLY | O_CLOEXEC));
        if (read(from[0], &woken, sizeof woken) != (ssize_t)sizeof woken)
            bench_fail("wake", "the waiter is gone");
        took[i] = (woken - stamped(file)) * 1e3;
        unlink(file);
    }
    close(to[1]);
    bench_say("median_ms", bench_middle(took, n, 0.5));
    bench_say("p99_ms", bench_middle(took, n, 0.99));
    reap_children();
    unlink(fifo);
    free(took);
    close_manager(manager, store);
}

/* ---- the end of a large tree ---- */

void cmd_cancel(void)
{
    const char *const argv[] = {bench_word("actor", NULL), "tree", bench_word("n", NULL), NULL};
    rouse_store *store = NULL;
    rouse_manager *manager = open_manager(&store);
    char id[32];
    const char *ids[] = {id};
    rouse_error err = {0};
    size_t ended = 0;
    start(manager, argv, "^grown", id);
    rouse_task_list_free(wait_for(manager, ids, 1, ROUSE_UNTIL_READY));
    rouse_cancel options = {.has_grace = true, .grace_ms = (uint64_t)bench_number("grace", 100)};
    double from = bench_seconds();
    bench_check(rouse_task_cancel(manager, id, &options, &ended, &err), "cancel", &err);
    bench_say("seconds", bench_seconds() - from);
    rouse_task *task = NULL;
    bench_check(rouse_task_get(manager, NULL, id, &task, &err), "get", &err);
    if (task->status != ROUSE_CANCELLED)
        bench_fail("cancel", "it is not cancelled");
    bench_say("killed", (double)task->ext.killed);
    rouse_task_free(task);
    reap_children();
    close_manager(manager, store);
}
