/* Tasks without a process, and all that rouse/work.h says of them, in thread "w". Nothing here sleeps: time that must pass is
 * in the past already. */
#include <stdlib.h>
#include <string.h>

#include "../support/check.h"
#include "base/error.h"
#include "operations.h"

#define W "w"

static rouse_task_spec spec_of(rouse_kind kind)
{
    return (rouse_task_spec){.thread = W, .kind = kind};
}

/* Starts it and Fills its id. */
static int start(struct set *s, const rouse_task_spec *spec, char id[32], rouse_error *err)
{
    rouse_task *task = NULL;
    int code = rouse_task_start(s->scene.manager, spec, &task, err);
    if (code >= 0)
        snprintf(id, 32, "%s", task->task_id);
    rouse_task_free(task);
    return code < 0 ? code : 0;
}

static int dispatch(struct set *s, rouse_error *err)
{
    int code = 1;
    while (code > 0)
        code = rouse_manager_dispatch(s->scene.manager, err);
    return code;
}

/* ---- bodies ---- */

struct body {
    int code; /* of the first call that failed */
    rouse_error err;
};

static void take(struct body *b, int code)
{
    b->code = b->code < 0 ? b->code : code;
}

static int body(rouse_call *call, const char *input, void *userdata)
{
    struct body *b = userdata;
    rouse_task *child = NULL;
    const rouse_task_spec spec = {.kind = ROUSE_KIND_EXTERNAL};
    const rouse_progress progress = {1, 2, "half"};
    rouse_manager *m = rouse_call_manager(call);
    const char *id = rouse_call_task(call);
    int fd;
    (void)input;
    take(b, rouse_call_checkpoint(call) ? 0 : rouse_task_checkpoint(m, NULL, id, "{\"at\":1}", &b->err));
    if (b->code >= 0)
        take(b, rouse_task_emit(m, NULL, id, "half", "[1]", &b->err));
    if (b->code >= 0)
        take(b, rouse_task_progress(m, NULL, id, &progress, &b->err));
    if (b->code >= 0)
        take(b, rouse_call_start(call, &spec, &child, &b->err));
    if (b->code >= 0)
        take(b, rouse_call_cancel_fd(call, &fd, &b->err));
    if (b->code >= 0)
        take(b, rouse_call_result(call, "{\"x\":1}", &b->err));
    if (b->code >= 0)
        take(b, rouse_call_error(call, "not used", &b->err));
    rouse_task_free(child);
    return rouse_call_is_cancelled(call) || b->code < 0 ? ROUSE_EIO : 0;
}

static int op_body(struct set *s, rouse_error *err)
{
    struct body b = {0};
    char id[32];
    rouse_task_spec spec = spec_of(ROUSE_KIND_FUNCTION);
    spec.run = body;
    spec.userdata = &b;
    spec.input = "{}";
    int code = start(s, &spec, id, err);
    if (code == 0)
        code = dispatch(s, err);
    operations_no_more_failures();
    dispatch(s, NULL); /* userdata is ours: the body must have run when we return */
    if (code >= 0 && b.code < 0)
        *err = b.err;
    return code < 0 ? code : b.code < 0 ? b.code : 0;
}

static int op_register(struct set *s, rouse_error *err)
{
    static struct body b;
    rouse_manager *manager = NULL;
    rouse_task_spec spec = spec_of(ROUSE_KIND_FUNCTION);
    rouse_task *task = NULL;
    int fd;
    b = (struct body){0};
    int code = rouse_manager_new(s->store, &(rouse_manager_options){.rouse = ""}, &manager, err);
    if (code == 0)
        code = rouse_function_register(manager, "known", body, &b, err);
    if (code == 0)
        code = rouse_manager_fd(manager, &fd, err);
    spec.function = "known";
    if (code == 0)
        code = rouse_task_start(manager, &spec, &task, err);
    for (int ran = 1; code >= 0 && ran > 0; code = ran < 0 ? ran : 0)
        ran = rouse_manager_dispatch(manager, err);
    rouse_task_free(task);
    rouse_manager_free(manager);
    if (code >= 0 && b.code < 0)
        *err = b.err;
    return code < 0 ? code : b.code < 0 ? b.code : 0;
}

static int op_pool(struct set *s, rouse_error *err)
{
    rouse_pool *pool = NULL;
    int code = rouse_pool_new(s->scene.manager, 2, &pool, err);
    rouse_pool_free(pool);
    return code;
}

/* ---- one task, by whoever holds its id ---- */

static int op_complete(struct set *s, rouse_error *err)
{
    char id[32];
    const rouse_task_spec spec = spec_of(ROUSE_KIND_EXTERNAL);
    int code = start(s, &spec, id, err);
    if (code == 0)
        code = rouse_task_emit(s->scene.manager, W, id, "news", "{}", err);
    return code < 0 ? code : rouse_task_complete(s->scene.manager, W, id, "[1]", err);
}

static int op_fail(struct set *s, rouse_error *err)
{
    char id[32];
    rouse_task_spec spec = spec_of(ROUSE_KIND_FUNCTION);
    spec.name = "parked";
    int code = start(s, &spec, id, err);
    return code < 0 ? code : rouse_task_fail(s->scene.manager, W, "parked", "it broke", err);
}

static int op_many(struct set *s, rouse_error *err)
{
    enum { N = 3 };
    const rouse_task_spec spec = spec_of(ROUSE_KIND_FUNCTION), *specs[N] = {&spec, &spec, &spec};
    rouse_task *tasks[N] = {0};
    rouse_ending endings[N];
    int code = rouse_task_start_many(s->scene.manager, specs, N, tasks, err);
    if (code < 0)
        return code;
    for (size_t i = 0; i < N; i++)
        endings[i] = (rouse_ending){.id = tasks[i]->task_id, .result = "1", .error = i == 1 ? "odd" : NULL};
    code = rouse_task_end_many(s->scene.manager, W, endings, N, err);
    for (size_t i = 0; i < N; i++)
        rouse_task_free(tasks[i]);
    return code < 0 ? code : 0;
}

static int op_ensure(struct set *s, rouse_error *err)
{
    rouse_task *one = NULL, *two = NULL;
    rouse_task_spec spec = spec_of(ROUSE_KIND_EXTERNAL);
    spec.name = "only";
    int code = rouse_task_ensure(s->scene.manager, &spec, &one, err);
    if (code >= 0)
        code = rouse_task_ensure(s->scene.manager, &spec, &two, err);
    if (code >= 0)
        assert_string_equal(one->task_id, two->task_id);
    rouse_task_free(one);
    rouse_task_free(two);
    return code < 0 ? code : 0;
}

static int op_key(struct set *s, rouse_error *err)
{
    static unsigned long keys;
    char one[32] = "", two[32] = "", key[32];
    rouse_task_spec spec = spec_of(ROUSE_KIND_EXTERNAL);
    snprintf(key, sizeof key, "request-%lu", keys++);
    spec.key = key;
    int code = start(s, &spec, one, err);
    if (code == 0)
        code = start(s, &spec, two, err);
    if (code == 0)
        assert_string_equal(one, two);
    return code;
}

/* ---- what waits for something ---- */

static int op_timer(struct set *s, rouse_error *err)
{
    char id[32];
    rouse_task_spec spec = spec_of(ROUSE_KIND_TIMER);
    spec.when.at_ms = 1;
    int code = start(s, &spec, id, err);
    return code < 0 ? code : dispatch(s, err);
}

static int op_after(struct set *s, rouse_error *err)
{
    char first[32], second[32];
    rouse_task_spec spec = spec_of(ROUSE_KIND_EXTERNAL);
    int code = start(s, &spec, first, err);
    const char *after[] = {first, NULL};
    spec.after = after;
    if (code == 0)
        code = start(s, &spec, second, err);
    if (code == 0)
        code = rouse_task_complete(s->scene.manager, W, first, NULL, err);
    if (code == 0)
        code = dispatch(s, err);
    return code < 0 ? code : rouse_task_complete(s->scene.manager, W, second, NULL, err);
}

static int op_queue(struct set *s, rouse_error *err)
{
    char first[32], second[32];
    rouse_task_spec spec = spec_of(ROUSE_KIND_EXTERNAL);
    spec.queue = "work";
    int code = start(s, &spec, first, err);
    if (code == 0)
        code = start(s, &spec, second, err);
    if (code == 0)
        code = dispatch(s, err);
    if (code == 0)
        code = rouse_task_complete(s->scene.manager, W, first, NULL, err);
    return code < 0 ? code : dispatch(s, err);
}

static int break_down(rouse_call *call, const char *input, void *userdata)
{
    (void)call, (void)input, (void)userdata;
    return ROUSE_EIO;
}

static int op_retry(struct set *s, rouse_error *err)
{
    char id[32];
    rouse_task_spec spec = spec_of(ROUSE_KIND_FUNCTION);
    spec.run = break_down;
    spec.retry = (rouse_retry){.max_attempts = 3, .backoff_ms = 1000000, .backoff_max_ms = 1000000};
    int code = start(s, &spec, id, err);
    if (code == 0)
        code = dispatch(s, err);
    return code < 0 ? code : rouse_task_cancel(s->scene.manager, id, &(rouse_cancel){.thread = W, .tree = true}, NULL, err);
}

/* ---- many, runs, messages, waits ---- */

static int op_cancel_all(struct set *s, rouse_error *err)
{
    char id[32];
    rouse_task_spec spec = spec_of(ROUSE_KIND_EXTERNAL);
    int code = start(s, &spec, id, err);
    spec.parent.task_id = id;
    if (code == 0)
        code = start(s, &spec, (char[32]){0}, err);
    return code < 0 ? code : rouse_task_cancel_all(s->scene.manager, W, &(rouse_cancel){.reason = "enough"}, NULL, err);
}

static int op_cancel_run(struct set *s, rouse_error *err)
{
    static unsigned long runs;
    char id[32], run[32];
    rouse_task_spec spec = spec_of(ROUSE_KIND_EXTERNAL);
    snprintf(run, sizeof run, "run-%lu", runs++); /* a cancelled one admits no task for ever */
    spec.parent.run_id = run;
    int code = start(s, &spec, id, err);
    return code < 0 ? code : rouse_task_cancel_run(s->scene.manager, W, run, NULL, NULL, err);
}

static int op_letters(struct set *s, rouse_error *err)
{
    char id[32];
    rouse_receipt receipt;
    rouse_task_spec spec = spec_of(ROUSE_KIND_EXTERNAL);
    spec.task_type = "sub_agent";
    const enum rouse_recover actions[] = {ROUSE_RECOVER_LIST, ROUSE_RECOVER_REPLAY, ROUSE_RECOVER_CLEAR};
    int code = start(s, &spec, id, err);
    const rouse_send send = {.thread = W, .child = id, .text = "hello", .key = "once"};
    if (code == 0)
        code = rouse_task_send(s->scene.manager, &send, &receipt, err);
    if (code == 0)
        code = rouse_task_cancel(s->scene.manager, id, &(rouse_cancel){.thread = W}, NULL, err);
    for (size_t i = 0; i < COUNT(actions) && code >= 0; i++) {
        char *json = NULL;
        code = rouse_message_recover(s->scene.manager, W, actions[i], &json, err);
        free(json);
    }
    return code;
}

static void note(int code, const rouse_task_list *list, void *userdata)
{
    int *called = userdata;
    (void)list;
    ++*called;
    assert_true(code == 0 || code == ROUSE_ENOMEM || code == ROUSE_EIO);
}

static int op_waiting(struct set *s, rouse_error *err)
{
    char id[32] = "";
    const char *ids[] = {id};
    int called = 0;
    rouse_waiting *waiting = NULL;
    const rouse_task_spec spec = spec_of(ROUSE_KIND_EXTERNAL);
    const rouse_wait wait = {.thread = W, .ids = ids, .count = 1};
    int code = start(s, &spec, id, err);
    bool begun = code == 0 && (code = rouse_waiting_new(s->scene.manager, &wait, note, &called, &waiting, err)) == 0;
    if (code == 0)
        code = rouse_task_complete(s->scene.manager, W, id, NULL, err);
    if (code == 0)
        code = dispatch(s, err);
    operations_no_more_failures();
    if (begun) {
        rouse_task_complete(s->scene.manager, W, id, NULL, NULL); /* unless it did */
        for (int i = 0; i < 3; i++)
            dispatch(s, NULL);
        assert_int_equal(called, 1);
    }
    return code;
}

static int op_watch(struct set *s, rouse_error *err)
{
    const char *ids[] = {s->ended};
    rouse_wait wait = {.thread = "t", .ids = ids, .count = 1, .has_timeout = true, .until = ROUSE_UNTIL_MATCH, .match = "o.t"};
    rouse_task_list *list = NULL;
    int code = rouse_task_wait(s->scene.manager, &wait, &list, err);
    rouse_task_list_free(list);
    return code;
}

const struct operation work_operations[] = {
    {"body", op_body, false},           {"register", op_register, false},
    {"pool", op_pool, false},           {"complete", op_complete, false},
    {"fail", op_fail, false},           {"many", op_many, false},
    {"ensure", op_ensure, false},       {"key", op_key, false},
    {"timer", op_timer, false},         {"after", op_after, false},
    {"queue", op_queue, false},         {"retry", op_retry, false},
    {"cancel all", op_cancel_all, false}, {"cancel run", op_cancel_run, false},
    {"letters", op_letters, false},     {"waiting", op_waiting, false},
    {"watch", op_watch, false},         {NULL, NULL, false},
};

/* ---- afterwards ---- */

static size_t terminal_events(const rouse_events *events, const char *id)
{
    size_t count = 0;
    for (size_t i = 0; i < rouse_events_count(events); i++) {
        const rouse_event *event = rouse_events_at(events, i);
        count += strcmp(event->task_id, id) == 0 && !strstr(event->json, "\"kind\":\"custom\"");
    }
    return count;
}

static void check_ended(struct set *s, const char *context)
{
    rouse_task_list *list = NULL;
    rouse_events *events = NULL;
    assert_works(rouse_task_list_get(s->scene.manager, &(rouse_task_filter){.thread = W}, &list, &err));
    assert_works(rouse_store_inbox(s->store, W, 0, true, 0, &events, &err));
    for (size_t i = 0; i < rouse_task_list_count(list); i++) {
        const rouse_task *task = rouse_task_list_at(list, i);
        size_t told = terminal_events(events, task->task_id);
        if (!rouse_status_is_terminal(task->status) || told != 1)
            fail_msg("%s: '%s' is %s, and %zu events tell of its end", context, task->task_id, rouse_status_text(task->status), told);
    }
    rouse_task_list_free(list);
    rouse_events_free(events);
}

static void forget(struct set *s)
{
    const rouse_prune all = {.thread = W, .all = true, .unread = true};
    char *json = NULL;
    int code = 1;
    assert_works(rouse_message_recover(s->scene.manager, W, ROUSE_RECOVER_CLEAR, &json, &err));
    free(json);
    while (code > 0)
        assert_works(code = rouse_task_prune(s->scene.manager, &all, NULL, NULL, &err));
}

void operations_settle(struct set *s, const char *context)
{
    rouse_error err = {0};
    if (dispatch(s, &err) < 0 || rouse_task_recover(s->scene.manager, W, &err) < 0 ||
        rouse_task_cancel_all(s->scene.manager, W, &(rouse_cancel){.has_grace = true}, NULL, &err) < 0)
        fail_msg("%s: afterwards: %s", context, err.message);
    check_ended(s, context);
    forget(s);
}
