/* How rouse top looks: a line about all of it, a heading, the tasks, a line for what is to be said. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "cli/task_text.h"
#include "cli/text.h"
#include "cli/top.h"

#define AROUND 3 /* lines that are not tasks */
#define CELL 256

struct row {
    const rouse_task *task;
    char id[CELL], name[CELL], thread[CELL], status[TASK_STATUS], age[TEXT_SMALL];
    const char *text;
};

struct widths {
    size_t id, name, thread, status, age;
};

size_t top_page(const struct top *top)
{
    return top->screen.rows > AROUND ? top->screen.rows - AROUND : 1;
}

static uint64_t age_of(struct top *top, const rouse_task *task)
{
    uint64_t now = cli_now(top->cli);
    return now > task->created_at_ms ? now - task->created_at_ms : 0;
}

static void write_age(struct top *top, const rouse_task *task, char out[TEXT_SMALL])
{
    uint64_t change;
    text_age(age_of(top, task), out, &change);
    top->change_ms = change < top->change_ms ? change : top->change_ms;
}

/* What says most about how far it is. */
static const char *last_words(const struct top *top, const rouse_task *task)
{
    const rouse_task_plan *plan = task->has_ext ? task->ext.plan : NULL;
    const char *line = top_tails_line(&top->tails, task->task_id);
    if (plan && plan->has_progress && plan->progress.message)
        return plan->progress.message;
    if (task->status == ROUSE_FAILED && task->error && !*line)
        return task->error;
    return *line ? line : task->description;
}

static void fill_row(struct top *top, size_t i, struct row *row)
{
    size_t depth;
    const rouse_task *task = top_list_at(&top->tasks, i, &depth);
    size_t indent = depth < 20 ? depth * 2 : 40;
    row->task = task;
    memset(row->id, ' ', indent);
    utf8_copy_printable(row->id + indent, sizeof row->id - indent, task->task_id);
    utf8_copy_printable(row->name, sizeof row->name, task->name ? task->name : "-");
    utf8_copy_printable(row->thread, sizeof row->thread, top->all_threads ? task->owner_thread_id : "");
    task_short_status(task, row->status);
    write_age(top, task, row->age);
    row->text = last_words(top, task);
}

static void widen(size_t *width, const char *text, size_t most)
{
    size_t needed = text_width(text);
    needed = needed < most ? needed : most;
    *width = needed > *width ? needed : *width;
}

static struct widths measure(const struct top *top, const struct row *rows, size_t n)
{
    struct widths w = {.id = 2, .name = 4, .thread = top->all_threads ? 6 : 0, .status = 6, .age = 3};
    size_t third = top->screen.columns / 3;
    for (size_t i = 0; i < n; i++) {
        widen(&w.id, rows[i].id, third);
        widen(&w.name, rows[i].name, third / 2);
        widen(&w.thread, rows[i].thread, third / 2);
        widen(&w.status, rows[i].status, 18);
        widen(&w.age, rows[i].age, 8);
    }
    return w;
}

static void add_cell(struct buf *line, const char *text, size_t width)
{
    size_t len = text_fit(text, width);
    size_t used = text_width(text);
    if (width == 0)
        return;
    if (text[len] != '\0') {
        buf_add(line, text, text_fit(text, width - 1));
        buf_adds(line, "…");
        used = width;
    } else {
        buf_add(line, text, len);
    }
    buf_addf(line, "%*s", (int)(width > used ? width - used + 2 : 2), "");
}

static void draw_cells(struct top *top, enum screen_style style, const struct widths *w, const struct row *row)
{
    struct buf line = BUF_INIT(0);
    add_cell(&line, row->id, w->id);
    add_cell(&line, row->name, w->name);
    add_cell(&line, row->thread, w->thread);
    add_cell(&line, row->status, w->status);
    add_cell(&line, row->age, w->age);
    buf_adds(&line, row->text);
    screen_line(&top->screen, style, buf_text(&line));
    buf_done(&line);
}

static void keep_bar_visible(struct top *top)
{
    size_t page = top_page(top);
    if (top->tasks.place < top->first)
        top->first = top->tasks.place;
    if (top->tasks.place >= top->first + page)
        top->first = top->tasks.place - page + 1;
    if (top->first + page > top->tasks.count)
        top->first = top->tasks.count > page ? top->tasks.count - page : 0;
}

static int draw_tasks(struct top *top, rouse_error *err)
{
    static const struct row heading = {.id = "ID", .name = "NAME", .thread = "THREAD", .status = "STATUS", .age = "AGE",
                                       .text = "LAST LINE"};
    const rouse_task *shown[SCREEN_ROWS] = {0};
    size_t n = top->tasks.count - top->first;
    n = n < top_page(top) ? n : top_page(top);
    struct row *rows = calloc(n + 1, sizeof *rows);
    if (!rows)
        return rouse_fail_memory(err);
    for (size_t i = 0; i < n; i++)
        shown[i] = top_list_at(&top->tasks, top->first + i, NULL);
    top_tails_show(top, shown, n);
    for (size_t i = 0; i < n; i++)
        fill_row(top, top->first + i, &rows[i]);
    const struct widths w = measure(top, rows, n);
    if (top->screen.rows > AROUND)
        draw_cells(top, SCREEN_DIM, &w, &heading);
    for (size_t i = 0; i < n; i++) {
        bool ended = rouse_status_is_terminal(rows[i].task->status);
        bool chosen = top->first + i == top->tasks.place;
        draw_cells(top, chosen ? SCREEN_CHOSEN : ended ? SCREEN_DIM : SCREEN_PLAIN, &w, &rows[i]);
    }
    free(rows);
    return 0;
}

static void draw_title(struct top *top)
{
    struct buf line = BUF_INIT(0);
    size_t running = 0;
    for (size_t i = 0; i < top->tasks.forest.count; i++)
        running += top->tasks.forest.nodes[i].task->status == ROUSE_RUNNING;
    buf_addf(&line, "rouse top: %s%s, %zu running", top->all_threads ? "all threads" : "thread ",
             top->all_threads ? "" : top->cli->thread, running);
    if (top->ended_too)
        buf_addf(&line, ", %zu ended", top->tasks.forest.count - running);
    if (*top->filter)
        buf_addf(&line, "; %zu match '%s'", top->tasks.count, top->filter);
    screen_line(&top->screen, SCREEN_BOLD, buf_text(&line));
    buf_done(&line);
}

/* The last row: a question, a message, or the keys. */
static void draw_foot(struct top *top, const char *keys)
{
    struct buf line = BUF_INIT(0);
    while (screen_left(&top->screen) > 1)
        screen_line(&top->screen, SCREEN_PLAIN, "");
    if (top->mode == TOP_FILTER)
        buf_addf(&line, "show only: %s_", top->filter);
    else if (top->mode == TOP_CONFIRM)
        buf_addf(&line, "cancel %s and all it started? y n", top->subject);
    else
        buf_adds(&line, *top->message ? top->message : keys);
    bool is_keys = top->mode == TOP_KEYS && !*top->message;
    screen_line(&top->screen, is_keys ? SCREEN_DIM : SCREEN_BOLD, buf_text(&line));
    buf_done(&line);
}

static int draw_list(struct top *top, rouse_error *err)
{
    keep_bar_visible(top);
    if (top->screen.rows > 1)
        draw_title(top);
    int code = draw_tasks(top, err);
    if (code == 0 && top->tasks.count == 0)
        screen_line(&top->screen, SCREEN_PLAIN, *top->filter ? "none of them matches; Esc shows all"
                    : top->ended_too ? "no tasks; rouse run -d -- CMD starts one"
                    : "nothing is running; a shows what has ended, rouse run -d -- CMD starts a task");
    draw_foot(top, "up/down  enter logs  c cancel  / filter  a ended too  q quit");
    return code;
}

/* ---- the log of one task ---- */

static void draw_log_title(struct top *top, const rouse_task *task)
{
    struct buf line = BUF_INIT(0);
    char status[TASK_STATUS], age[TEXT_SMALL];
    buf_addf(&line, "%s", top->subject);
    if (task) {
        write_age(top, task, age);
        buf_addf(&line, "%s%s: %s, begun %s ago: %s", task->name ? " " : "", task->name ? task->name : "",
                 task_short_status(task, status), age, task->description);
    }
    screen_line(&top->screen, SCREEN_BOLD, buf_text(&line));
    buf_done(&line);
}

/* Lines of text from the end: those above the last `back`, as many as fit. back is made smaller when there are not so many. */
static void draw_log_lines(struct top *top, char *text)
{
    size_t room = screen_left(&top->screen) > 1 ? screen_left(&top->screen) - 1 : 1;
    size_t count = 0;
    for (const char *at = text; *at; count++)
        at += strcspn(at, "\n") + (at[strcspn(at, "\n")] == '\n');
    size_t most = count > room ? count - room : 0;
    top->back = top->back < most ? top->back : most;
    size_t skip = most - top->back;
    char *next = text;
    for (size_t i = 0; i < skip + room && *next; i++) {
        char *line = strsep(&next, "\n");
        if (i >= skip)
            screen_line(&top->screen, SCREEN_PLAIN, line);
        if (!next)
            break;
    }
}

static int draw_log(struct top *top, rouse_error *err)
{
    const rouse_task *task = top->viewed;
    struct buf text = BUF_INIT(0);
    if (top->screen.rows > 2)
        draw_log_title(top, task);
    top_tails_show(top, &task, task ? 1 : 0);
    int code = top_tails_log(top, top->subject, screen_left(&top->screen) + top->back, &text, err);
    if (code == ROUSE_ENOTFOUND) {
        screen_line(&top->screen, SCREEN_PLAIN, "it has no output");
        code = 0;
    } else if (code == 0) {
        buf_addc(&text, '\0'); /* never NULL, and ours to cut */
        code = buf_check(&text, err);
        if (code == 0)
            draw_log_lines(top, text.data);
    }
    buf_done(&text);
    draw_foot(top, top->back ? "up/down  end: follow again  c cancel  q back" : "up/down  c cancel  q back");
    return code;
}

int top_draw(struct top *top, rouse_error *err)
{
    top->change_ms = UINT64_MAX;
    int code = top->in_log ? draw_log(top, err) : draw_list(top, err);
    return code == 0 ? screen_send(&top->screen, err) : code;
}
