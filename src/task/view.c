/* The block a model sees. It has a byte budget whatever the number of tasks, says the same for the same state (ages are
 * rounded), and no text from a task can close it or pose as another line of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "json/jtext.h"
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

struct order {
    const rouse_task **tasks; /* room for all running ones and FAILURES more */
    size_t count;
    rouse_task *failed[FAILURES];
    size_t n_failed;
};

static bool is_pressing(const rouse_task *task, uint64_t now)
{
    return waits_for_input(task) || (task->ext.deadline_ms && task->ext.deadline_ms < now + NEAR_DEADLINE_MS);
}

static void add_waiting(struct order *o, const rouse_task_list *list, bool for_input, uint64_t now)
{
    for (size_t i = 0; i < rouse_task_list_count(list); i++) {
        const rouse_task *task = rouse_task_list_at(list, i);
        if (is_pressing(task, now) && waits_for_input(task) == for_input)
            o->tasks[o->count++] = task;
    }
}

/* The others, newest first, but for the one that runs longest: it comes behind the first few. */
static void add_others(struct order *o, const rouse_task_list *list, uint64_t now)
{
    size_t n = rouse_task_list_count(list);
    size_t longest = n;
    for (size_t i = n; i > 0 && longest == n; i--) {
        if (!is_pressing(rouse_task_list_at(list, i - 1), now))
            longest = i - 1;
    }
    size_t shown = 0;
    for (size_t i = 0; i < n; i++) {
        const rouse_task *task = rouse_task_list_at(list, i);
        if (is_pressing(task, now) || (i == longest && shown > NEWEST_FIRST))
            continue;
        if (shown++ == NEWEST_FIRST && longest != i)
            o->tasks[o->count++] = rouse_task_list_at(list, longest), shown++;
        o->tasks[o->count++] = task;
    }
}

/* Tasks that failed and whose event is not part of the conversation yet. Without an agent nobody acknowledges; then the
 * oldest few stay. */
static int add_failures(rouse_manager *m, const char *thread, struct order *o, rouse_error *err)
{
    rouse_events *events;
    int code = rouse_store_inbox(m->store, thread, 0, false, 64, &events, err);
    if (code < 0)
        return code;
    for (size_t i = 0; code == 0 && i < rouse_events_count(events) && o->n_failed < FAILURES; i++) {
        const rouse_event *event = rouse_events_at(events, i);
        char kind[16];
        rouse_task *task;
        if (!jtext_member_text(event->json, strlen(event->json), "kind", kind, sizeof kind) || strcmp(kind, "failed") != 0)
            continue;
        code = task_load(m, thread, event->task_id, &task, err);
        if (code == 0) {
            o->failed[o->n_failed++] = task;
            o->tasks[o->count++] = task;
        } else if (code == ROUSE_ENOTFOUND) {
            code = 0; /* forgotten meanwhile */
        }
    }
    rouse_events_free(events);
    return code;
}

static int put_in_order(rouse_manager *m, const char *thread, const rouse_task_list *list, uint64_t now, struct order *fill,
                        rouse_error *err)
{
    fill->tasks = calloc(rouse_task_list_count(list) + FAILURES, sizeof *fill->tasks);
    if (!fill->tasks)
        return rouse_fail_memory(err);
    add_waiting(fill, list, true, now);
    int code = add_failures(m, thread, fill, err);
    add_waiting(fill, list, false, now);
    add_others(fill, list, now);
    return code;
}

static void order_done(struct order *o)
{
    for (size_t i = 0; i < o->n_failed; i++)
        rouse_task_free(o->failed[i]);
    free(o->tasks);
}

/* ---- the block ---- */

static void add_rest(struct buf *out, size_t left)
{
    if (left > 0)
        buf_addf(out, "and %zu more: list_tasks shows all\n", left);
}

static int fill_block(struct buf *out, const struct order *order, size_t budget, uint64_t now, rouse_error *err)
{
    struct buf line = BUF_INIT(0);
    const size_t reserve = sizeof CLOSING + 64; /* the closing tag and the line about the rest */
    size_t shown = 0;
    buf_adds(out, OPENING);
    for (; shown < order->count; shown++) {
        buf_reset(&line);
        add_line(&line, order->tasks[shown], now);
        if (out->len + line.len + reserve > budget)
            break;
        buf_add(out, buf_text(&line), line.len);
    }
    add_rest(out, order->count - shown);
    buf_adds(out, CLOSING);
    int code = buf_check(&line, err);
    buf_done(&line);
    return code == 0 ? buf_check(out, err) : code;
}

int rouse_view_render(rouse_manager *manager, const char *thread, size_t budget, char **ret_text, rouse_error *err)
{
    rouse_task_list *list;
    struct buf out = BUF_INIT(0);
    struct order order = {0};
    uint64_t now = manager_now(manager);
    const rouse_task_filter filter = {.thread = thread, .running_only = true};
    int code = rouse_task_list_get(manager, &filter, &list, err);
    if (code < 0)
        return code;
    code = put_in_order(manager, thread, list, now, &order, err);
    if (code == 0 && order.count > 0)
        code = fill_block(&out, &order, budget ? budget : LIMIT_VIEW, now, err);
    order_done(&order);
    rouse_task_list_free(list);
    char *text = code == 0 ? buf_take(&out, err) : NULL;
    buf_done(&out);
    if (!text)
        return code < 0 ? code : ROUSE_ENOMEM;
    *ret_text = text;
    return 0;
}
