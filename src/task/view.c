/* The block a model sees. It has a byte budget whatever the number of tasks, says the same for the same state (ages are
 * rounded), and no text from a task can close it or pose as another line of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "json/jtext.h"
#include "task/record.h"
#include "task/manager.h"

#define OPENING "<background-tasks>\n"
#define CLOSING "</background-tasks>\n"
#define SHOWN_DESCRIPTION 100
#define SHOWN_ERROR 120
#define FAILURES 5           /* that nobody has been told of yet: so many lines at most */
#define NEWEST_FIRST 5       /* so many of the newest come before the one that runs longest */
#define NEAR_DEADLINE_MS 60000

/* Text of a task as part of a line: control characters gone, angle brackets and ampersands escaped, cut at max bytes. */
static void add_escaped(struct buf *out, const char *text, size_t max)
{
    char plain[LIMIT_DESCRIPTION + 1];
    utf8_copy_printable(plain, sizeof plain, text);
    size_t len = strlen(plain);
    size_t cut = utf8_cut(plain, len, max);
    for (size_t i = 0; i < cut; i++) {
        if (plain[i] == '<')
            buf_adds(out, "&lt;");
        else if (plain[i] == '>')
            buf_adds(out, "&gt;");
        else if (plain[i] == '&')
            buf_adds(out, "&amp;");
        else
            buf_addc(out, plain[i]);
    }
    if (cut < len)
        buf_adds(out, "…");
}

/* An age that changes its wording seldom: steps of about a third. */
static void add_age(struct buf *out, uint64_t ms)
{
    static const struct {
        uint64_t below_s;
        const char *text;
    } steps[] = {{10, "a few seconds"}, {30, "over 10 s"},  {60, "over 30 s"},   {120, "over 1 min"}, {300, "over 2 min"},
                 {600, "over 5 min"},   {1200, "over 10 min"}, {1800, "over 20 min"}, {3600, "over 30 min"}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (ms < steps[i].below_s * 1000) {
            buf_adds(out, steps[i].text);
            return;
        }
    }
    uint64_t hours = ms / 3600000;
    if (hours < 48)
        buf_addf(out, "over %llu h", (unsigned long long)hours);
    else
        buf_addf(out, "over %llu days", (unsigned long long)(hours / 24));
}

static bool waits_for_input(const rouse_task *task)
{
    return task->has_ext && task->ext.stage && strcmp(task->ext.stage, "waiting_input") == 0;
}

static uint64_t age_of(const rouse_task *task, uint64_t now)
{
    return now > task->created_at_ms ? now - task->created_at_ms : 0;
}

static void add_running(struct buf *out, const rouse_task *task, uint64_t now)
{
    if (waits_for_input(task))
        buf_adds(out, ", waiting for input, for ");
    else
        buf_adds(out, task->ext.ready ? ", ready, for " : " for ");
    add_age(out, age_of(task, now));
    if (task->ext.deadline_ms)
        buf_adds(out, task->ext.deadline_ms > now ? ", has a deadline" : ", past its deadline");
}

static void add_line(struct buf *out, const rouse_task *task, uint64_t now)
{
    add_escaped(out, task->task_id, LIMIT_TASK_NAME);
    if (task->name) {
        buf_addc(out, ' ');
        add_escaped(out, task->name, LIMIT_TASK_NAME);
    }
    buf_adds(out, " (");
    add_escaped(out, task->task_type, LIMIT_TASK_NAME);
    buf_addf(out, ") %s", rouse_status_text(task->status));
    if (task->status == ROUSE_RUNNING)
        add_running(out, task, now);
    if (task->status == ROUSE_FAILED && task->error) {
        buf_adds(out, " (");
        add_escaped(out, task->error, SHOWN_ERROR);
        buf_addc(out, ')');
    }
    buf_adds(out, ": ");
    add_escaped(out, task->description, SHOWN_DESCRIPTION);
    buf_addc(out, '\n');
}

/* ---- which, in what order ---- */

#define SHORTEST_LINE 32 /* no task is shown in less */
#define PROCESSES 256    /* so many live tasks are all held against their processes */
#define OLDEST 8

struct order {
    rouse_manager *manager;
    const char *thread;
    uint64_t now, running;
    size_t most; /* that can be shown */
    rouse_overview overview;
    const rouse_task **tasks; /* first what is pressing */
    size_t count;
    const rouse_task **waiting, **near, **others; /* in tasks' memory */
    size_t n_waiting, n_near, n_others;
    rouse_task **owned;
    size_t n_owned;
    size_t over; /* tasks that were found to have ended */
};

static bool is_pressing(const rouse_task *task, uint64_t now)
{
    return waits_for_input(task) || (task->ext.deadline_ms && task->ext.deadline_ms < now + NEAR_DEADLINE_MS);
}

/* Can the record say that it runs, and be wrong? */
static bool is_doubtful(const rouse_manager *m, const rouse_task *task)
{
    const rouse_task_plan *plan = task->has_ext ? task->ext.plan : NULL;
    if (record_is_waiting(&task->ext))
        return false;
    return task_is_process(task) || (plan && plan->owner && strcmp(plan->owner, m->owner) != 0);
}

/* The i-th row up to date, Borrowed from the order; NULL when it has ended. */
static int look_at(struct order *o, const rouse_rows *rows, size_t i, const rouse_task **ret_task, rouse_error *err)
{
    const rouse_task *task = rouse_rows_at(rows, i, NULL, NULL);
    *ret_task = task;
    if (!is_doubtful(o->manager, task))
        return 0;
    rouse_task *copy = rouse_task_copy(task);
    if (!copy)
        return rouse_fail_memory(err);
    int code = task_refresh(o->manager, o->thread, &copy, err);
    o->owned[o->n_owned++] = copy;
    bool over = code == 0 && rouse_status_is_terminal(copy->status);
    o->over += over;
    *ret_task = over ? NULL : copy;
    return code;
}

static void sort_in(struct order *o, const rouse_task *task)
{
    if (!task)
        return;
    if (waits_for_input(task))
        o->waiting[o->n_waiting++] = task;
    else if (is_pressing(task, o->now))
        o->near[o->n_near++] = task;
    else
        o->others[o->n_others++] = task;
}

/* What is stored as pressing is among what is due, and only there: no task comes twice. */
static int sort_rows(struct order *o, rouse_error *err)
{
    const rouse_task *task;
    int code = 0;
    for (size_t i = 0; i < rouse_rows_count(o->overview.due) && code == 0; i++) {
        code = look_at(o, o->overview.due, i, &task, err);
        if (code == 0)
            sort_in(o, task);
    }
    for (size_t i = 0; i < rouse_rows_count(o->overview.newest) && code == 0; i++) {
        if (is_pressing(rouse_rows_at(o->overview.newest, i, NULL, NULL), o->now))
            continue;
        code = look_at(o, o->overview.newest, i, &task, err);
        if (code == 0)
            sort_in(o, task);
    }
    return code;
}

/* The one that runs longest of those that nothing else presses; NULL when it is not to be seen. */
static int find_longest(struct order *o, const rouse_task **ret_task, rouse_error *err)
{
    int code = 0;
    *ret_task = NULL;
    for (size_t i = 0; i < rouse_rows_count(o->overview.oldest) && code == 0 && !*ret_task; i++) {
        const rouse_task *task;
        code = look_at(o, o->overview.oldest, i, &task, err);
        if (code == 0 && task && !is_pressing(task, o->now))
            *ret_task = task;
    }
    return code;
}

static bool is_same(const rouse_task *a, const rouse_task *b)
{
    return b && strcmp(a->task_id, b->task_id) == 0;
}

/* The others, newest first, but for the one that runs longest: it comes behind the first few. */
static void add_others(struct order *o, const rouse_task *longest)
{
    bool shown = !longest;
    for (size_t i = 0; i < o->n_others; i++) {
        const rouse_task *task = o->others[i];
        if (i == NEWEST_FIRST && !shown) {
            o->tasks[o->count++] = longest;
            shown = true;
        } else if (!shown) {
            shown = is_same(task, longest);
        }
        if (i < NEWEST_FIRST || !is_same(task, longest))
            o->tasks[o->count++] = task;
    }
    if (!shown)
        o->tasks[o->count++] = longest;
}

/* Tasks that failed and whose event is not part of the conversation yet. Without an agent nobody acknowledges; then the
 * oldest few stay. */
static int add_failures(struct order *o, rouse_error *err)
{
    rouse_manager *m = o->manager;
    rouse_events *events;
    size_t shown = 0;
    int code = rouse_store_topic(m->store, o->thread, ROUSE_TOPIC_FAILURE, 0, 2 * FAILURES, &events, err);
    if (code < 0)
        return code;
    for (size_t i = 0; code == 0 && i < rouse_events_count(events) && shown < FAILURES; i++) {
        rouse_task *task;
        code = task_load(m, o->thread, rouse_events_at(events, i)->task_id, &task, err);
        if (code == 0) {
            o->owned[o->n_owned++] = task;
            o->tasks[o->count++] = task;
            o->running++; /* counts among what can be left out */
            shown++;
        } else if (code == ROUSE_ENOTFOUND) {
            code = 0; /* forgotten meanwhile */
        }
    }
    rouse_events_free(events);
    return code;
}

static void add_all(struct order *o, const rouse_task *const *tasks, size_t count)
{
    if (count > 0)
        memcpy(o->tasks + o->count, tasks, count * sizeof *tasks);
    o->count += count;
}

static int put_in_order(struct order *o, rouse_error *err)
{
    const rouse_task *longest = NULL;
    size_t room = rouse_rows_count(o->overview.due) + rouse_rows_count(o->overview.newest) +
                  rouse_rows_count(o->overview.oldest) + FAILURES;
    o->tasks = calloc(4 * room, sizeof *o->tasks);
    o->owned = calloc(room, sizeof *o->owned);
    if (!o->tasks || !o->owned)
        return rouse_fail_memory(err);
    o->waiting = o->tasks + room;
    o->near = o->waiting + room;
    o->others = o->near + room;
    int code = sort_rows(o, err);
    if (code == 0)
        code = find_longest(o, &longest, err);
    if (code < 0 || o->over > 0)
        return code;
    o->running = o->overview.live;
    add_all(o, o->waiting, o->n_waiting);
    code = add_failures(o, err);
    add_all(o, o->near, o->n_near);
    add_others(o, longest);
    return code;
}

static void order_done(struct order *o)
{
    for (size_t i = 0; i < o->n_owned; i++)
        rouse_task_free(o->owned[i]);
    free(o->owned);
    free(o->tasks);
    rouse_overview_done(&o->overview);
}

static int read_order(struct order *o, rouse_error *err)
{
    rouse_ends ends = {.due_by = o->now + NEAR_DEADLINE_MS - 1, .due = o->most, .newest = o->most, .oldest = OLDEST};
    int code = rouse_store_overview(o->manager->store, &rouse_task_state_key, o->thread, &ends, &o->overview, err);
    if (code == 0 && o->overview.live > o->most && o->overview.live <= PROCESSES) {
        rouse_overview_done(&o->overview);
        ends.due = ends.newest = PROCESSES;
        code = rouse_store_overview(o->manager->store, &rouse_task_state_key, o->thread, &ends, &o->overview, err);
    }
    return code < 0 ? code : put_in_order(o, err);
}

/* Again, as long as tasks turn up that had ended: what came behind them was not looked at. Each round takes in those. */
static int find_order(rouse_manager *m, const char *thread, size_t budget, struct order *fill, rouse_error *err)
{
    size_t most = budget / SHORTEST_LINE + 1;
    for (;;) {
        *fill = (struct order){.manager = m, .thread = thread, .now = manager_now(m),
                               .most = most < LIMIT_LIST ? most : LIMIT_LIST};
        int code = read_order(fill, err);
        if (code < 0 || fill->over == 0)
            return code;
        order_done(fill);
    }
}

/* ---- the block ---- */

static void add_rest(struct buf *out, uint64_t left)
{
    if (left > 0)
        buf_addf(out, "and %llu more: list_tasks shows all\n", (unsigned long long)left);
}

static int fill_block(struct buf *out, const struct order *order, size_t budget, rouse_error *err)
{
    struct buf line = BUF_INIT(0);
    const size_t reserve = sizeof CLOSING + 64; /* the closing tag and the line about the rest */
    size_t shown = 0;
    buf_adds(out, OPENING);
    for (; shown < order->count; shown++) {
        buf_reset(&line);
        add_line(&line, order->tasks[shown], order->now);
        if (out->len + line.len + reserve > budget)
            break;
        buf_add(out, buf_text(&line), line.len);
    }
    add_rest(out, order->running - shown);
    buf_adds(out, CLOSING);
    int code = buf_check(&line, err);
    buf_done(&line);
    return code == 0 ? buf_check(out, err) : code;
}

int rouse_view_render(rouse_manager *manager, const char *thread, size_t budget, char **ret_text, rouse_error *err)
{
    struct buf out = BUF_INIT(0);
    struct order order;
    budget = budget ? budget : LIMIT_VIEW;
    int code = find_order(manager, thread, budget, &order, err);
    if (code == 0 && order.count > 0)
        code = fill_block(&out, &order, budget, err);
    order_done(&order);
    char *text = code == 0 ? buf_take(&out, err) : NULL;
    buf_done(&out);
    if (!text)
        return code < 0 ? code : ROUSE_ENOMEM;
    *ret_text = text;
    return 0;
}
