/* One of several processes at a store, for test_hands: hand DIR SEED
 * Uses the manager as agents do: starts tasks, also under names that others want, ensures them, ends, cancels and waits for those of
 * anybody, sends messages, forgets what is over, and is killed in the middle. What was acknowledged is printed, one a line:
 * "s <id>" a start, "e <id>" an end by this one, "c <id>" a cancelled process, which several may have ended together. Status 1 and a
 * line on standard error when something is not as it must be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rouse/work.h"
#include "seed.h"

struct hand {
    const char *place;
    rouse_store *store;
    rouse_manager *manager;
    uint64_t seed;
    rouse_error err;
    bool process; /* what was picked is one */
};

/* What another one did may be in the way. */
static int passed(const struct hand *h, int code, const char *what)
{
    if (code >= 0 || code == ROUSE_ECONFLICT || code == ROUSE_EBUSY || code == ROUSE_ENOTFOUND || code == ROUSE_ETIMEOUT)
        return 0;
    fprintf(stderr, "# hand: %s: %d %s\n", what, code, h->err.message);
    return -1;
}

static int say(char what, const char *id)
{
    printf("%c %s\n", what, id);
    return fflush(stdout) == 0 ? 0 : -1;
}

static const char *thread_of(struct hand *h)
{
    return seed_next(&h->seed) % 2 ? "t" : "u";
}

/* A quick command, a function that nobody runs, something for people; under one of a few names, or none. */
static int start_one(struct hand *h)
{
    static const char *const argv[] = {"sh", "-c", "exit $((RANDOM % 2))", NULL}, *const env[] = {"PATH=/usr/bin:/bin", NULL};
    static const char *const names[] = {"web", "db", "worker", "cache", NULL, NULL, NULL};
    uint64_t what = seed_next(&h->seed) % 16;
    rouse_task *task = NULL;
    rouse_task_spec spec = {.thread = thread_of(h), .kind = what < 8 ? ROUSE_KIND_EXTERNAL : ROUSE_KIND_FUNCTION};
    spec.name = names[seed_next(&h->seed) % 7];
    if (what == 15) {
        spec.kind = ROUSE_KIND_PROCESS;
        spec.argv = argv;
        spec.env = env;
    } else if (what < 3) {
        spec.task_type = "sub_agent";
    } else if (what == 3) {
        spec.queue = "q";
    }
    bool ensure = spec.name && what % 2;
    int code = ensure ? rouse_task_ensure(h->manager, &spec, &task, &h->err) : rouse_task_start(h->manager, &spec, &task, &h->err);
    int said = code == 0 ? say('s', task->task_id) : 0;
    rouse_task_free(task);
    return code < 0 ? passed(h, code, "start") : said;
}

/* A running task of anybody; "" when there is none. */
static int pick(struct hand *h, const char *thread, char id[32])
{
    rouse_task_list *list = NULL;
    id[0] = '\0';
    int code = rouse_task_list_get(h->manager, &(rouse_task_filter){.thread = thread, .running_only = true, .limit = 30}, &list, &h->err);
    if (code < 0)
        return passed(h, code, "list");
    size_t count = rouse_task_list_count(list);
    const rouse_task *task = count > 0 ? rouse_task_list_at(list, seed_next(&h->seed) % count) : NULL;
    if (task)
        snprintf(id, 32, "%s", task->task_id);
    h->process = task && strcmp(task->ext.kind, "process") == 0;
    rouse_task_list_free(list);
    return 0;
}

static int end_one(struct hand *h)
{
    char id[32];
    const char *thread = thread_of(h);
    int code = pick(h, thread, id);
    if (code < 0 || !id[0])
        return code;
    code = seed_next(&h->seed) % 3 ? rouse_task_complete(h->manager, thread, id, "{\"n\":1}", &h->err)
                                   : rouse_task_fail(h->manager, thread, id, "broke", &h->err);
    if (code == ROUSE_EUNSUPPORTED) /* of a process */
        return 0;
    return code < 0 ? passed(h, code, "end") : say('e', id);
}

static int cancel_one(struct hand *h)
{
    char id[32];
    size_t count = 0;
    const char *thread = thread_of(h);
    const rouse_cancel how = {.thread = thread, .has_grace = true, .tree = true};
    int code = pick(h, thread, id);
    if (code < 0 || !id[0])
        return code;
    code = rouse_task_cancel(h->manager, id, &how, &count, &h->err);
    return code < 0 ? passed(h, code, "cancel") : count ? say(h->process ? 'c' : 'e', id) : 0;
}

static int wait_one(struct hand *h)
{
    char id[32];
    const char *thread = thread_of(h), *ids[] = {id};
    rouse_task_list *list = NULL;
    int code = pick(h, thread, id);
    if (code < 0 || !id[0])
        return code;
    const rouse_wait wait = {.thread = thread, .ids = ids, .count = 1, .has_timeout = true, .timeout_ms = seed_next(&h->seed) % 20};
    code = rouse_task_wait(h->manager, &wait, &list, &h->err);
    rouse_task_list_free(list);
    return passed(h, code, "wait");
}

static int send_one(struct hand *h)
{
    char id[32];
    const char *thread = thread_of(h);
    rouse_receipt receipt;
    int code = pick(h, thread, id);
    if (code < 0 || !id[0])
        return code;
    return passed(h, rouse_task_send(h->manager, &(rouse_send){.thread = thread, .child = id, .text = "hello"}, &receipt, &h->err), "send");
}

static int speak_of_one(struct hand *h)
{
    char id[32];
    const char *thread = thread_of(h);
    const rouse_progress progress = {seed_next(&h->seed) % 100, 100, "on it"};
    int code = pick(h, thread, id);
    if (code < 0 || !id[0])
        return code;
    code = progress.done % 2 ? rouse_task_progress(h->manager, thread, id, &progress, &h->err)
                             : rouse_task_emit(h->manager, thread, id, "news", "1", &h->err);
    return code == ROUSE_EUNSUPPORTED ? 0 : passed(h, code, "speak");
}

static int look(struct hand *h)
{
    char *text = NULL;
    int code = rouse_view_render(h->manager, thread_of(h), 0, &text, &h->err);
    free(text);
    if (code >= 0)
        code = rouse_manager_dispatch(h->manager, &h->err);
    return passed(h, code, "look");
}

static int reopen(struct hand *h)
{
    rouse_manager_free(h->manager);
    rouse_store_close(h->store);
    h->manager = NULL;
    h->store = NULL;
    int code = rouse_store_open(h->place, NULL, &h->store, &h->err);
    if (code == 0)
        code = rouse_manager_new(h->store, NULL, &h->manager, &h->err);
    if (code < 0)
        fprintf(stderr, "# hand: open: %d %s\n", code, h->err.message);
    return code;
}

int main(int argc, char **argv)
{
    static int (*const what[])(struct hand *h) = {start_one, start_one, start_one,    start_one,  end_one, end_one,
                                                  end_one,   cancel_one, speak_of_one, send_one,   look,    wait_one};
    if (argc != 3)
        return 2;
    struct hand h = {.place = argv[1], .seed = strtoull(argv[2], NULL, 10)};
    int code = reopen(&h);
    while (code >= 0) {
        uint64_t n = seed_next(&h.seed) % 61;
        code = n == 60 ? reopen(&h) : what[n % (sizeof what / sizeof *what)](&h);
    }
    rouse_manager_free(h.manager);
    rouse_store_close(h.store);
    return 1;
}
