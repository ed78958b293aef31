/* The block a model sees. It has a byte budget whatever the number of tasks, says the same for the same state (ages are
 * rounded), and no text from a task can close it or pose as another line of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "task/manager.h"

#define OPENING "<background-tasks>\n"
#define CLOSING "</background-tasks>\n"
#define SHOWN_DESCRIPTION 100

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

static uint64_t age_of(const rouse_task *task, uint64_t now)
{
    return now > task->created_at_ms ? now - task->created_at_ms : 0;
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
    if (task->status == ROUSE_RUNNING) {
        buf_adds(out, task->ext.ready ? ", ready, for " : " for ");
        add_age(out, age_of(task, now));
        if (task->ext.deadline_ms)
            buf_adds(out, task->ext.deadline_ms > now ? ", has a deadline" : ", past its deadline");
    }
    buf_adds(out, ": ");
    add_escaped(out, task->description, SHOWN_DESCRIPTION);
    buf_addc(out, '\n');
}

static void add_rest(struct buf *out, size_t left)
{
    if (left > 0)
        buf_addf(out, "and %zu more: list_tasks shows all\n", left);
}

static int fill_block(struct buf *out, const rouse_task_list *list, size_t budget, uint64_t now, rouse_error *err)
{
    struct buf line = BUF_INIT(0);
    const size_t reserve = sizeof CLOSING + 64; /* the closing tag and the line about the rest */
    size_t n = rouse_task_list_count(list);
    size_t shown = 0;
    buf_adds(out, OPENING);
    for (; shown < n; shown++) {
        buf_reset(&line);
        add_line(&line, rouse_task_list_at(list, shown), now);
        if (out->len + line.len + reserve > budget)
            break;
        buf_add(out, buf_text(&line), line.len);
    }
    add_rest(out, n - shown);
    buf_adds(out, CLOSING);
    int code = buf_check(&line, err);
    buf_done(&line);
    return code == 0 ? buf_check(out, err) : code;
}

int rouse_view_render(rouse_manager *manager, const char *thread, size_t budget, char **ret_text, rouse_error *err)
{
    rouse_task_list *list;
    struct buf out = BUF_INIT(0);
    const rouse_task_filter filter = {.thread = thread, .running_only = true};
    int code = rouse_task_list_get(manager, &filter, &list, err);
    if (code < 0)
        return code;
    if (rouse_task_list_count(list) > 0)
        code = fill_block(&out, list, budget ? budget : LIMIT_VIEW, manager_now(manager), err);
    rouse_task_list_free(list);
    char *text = code == 0 ? buf_take(&out, err) : NULL;
    buf_done(&out);
    if (!text)
        return code < 0 ? code : ROUSE_ENOMEM;
    *ret_text = text;
    return 0;
}
