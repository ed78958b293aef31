#include "cli/progress.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/utf8.h"
#include "cli/task_text.h"
#include "cli/terminal.h"
#include "cli/text.h"

#define BAR 20
#define WIDEST 1000

static const char wipe[] = "\r\x1b[K";
static const int ending[] = {SIGINT, SIGTERM};

/* In place only while the line is drawn. The signal then ends the program, as if nobody had been here. */
static void wipe_and_end(int signal)
{
    (void)!write(STDERR_FILENO, wipe, sizeof wipe - 1);
    raise(signal);
}

static void on_endings(void (*wanted)(int), void (*instead)(int))
{
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++) {
        struct sigaction before, now = {.sa_handler = instead, .sa_flags = (int)SA_RESETHAND | SA_NODEFER};
        sigemptyset(&now.sa_mask);
        if (sigaction(ending[i], NULL, &before) == 0 && before.sa_handler == wanted)
            sigaction(ending[i], &now, NULL);
    }
}

void progress_open(struct progress *p, rouse_store *store)
{
    const char *kind = cli_getenv("TERM");
    *p = PROGRESS_NONE;
    if (terminal_is(stderr) && kind && strcmp(kind, "dumb") != 0 && rouse_store_bell_open(store, &p->bell, NULL) < 0)
        p->bell = -1;
}

void progress_close(struct progress *p)
{
    progress_hide(p);
    fd_close(&p->bell);
}

void progress_hide(struct progress *p)
{
    if (p->shown) {
        fd_write_all(STDERR_FILENO, wipe, sizeof wipe - 1);
        on_endings(wipe_and_end, SIG_DFL);
    }
    p->shown = false;
}

void progress_printed(struct progress *p, const char *text, size_t len)
{
    /* Where output does not go to a terminal it cannot be in the way. */
    if (len > 0 && terminal_is(stdout))
        p->mid_line = text[len - 1] != '\n';
}

static void add_bar(struct buf *out, const rouse_progress *progress)
{
    unsigned percent = task_percent(progress);
    unsigned full = percent * BAR / 100;
    buf_addc(out, '[');
    for (unsigned i = 0; i < BAR; i++)
        buf_addc(out, i < full ? '=' : i == full ? '>' : ' ');
    buf_addf(out, "] %u%% %llu/%llu", percent, (unsigned long long)progress->done, (unsigned long long)progress->total);
}

bool progress_add(struct buf *out, const rouse_task *task)
{
    const rouse_task_plan *plan = task->has_ext ? task->ext.plan : NULL;
    if (task->status != ROUSE_RUNNING || !plan || !plan->has_progress)
        return false;
    task_add_label(out, task);
    if (plan->progress.total > 0 || plan->progress.done > 0)
        buf_addc(out, ' ');
    if (plan->progress.total > 0)
        add_bar(out, &plan->progress);
    else if (plan->progress.done > 0)
        buf_addf(out, "%llu", (unsigned long long)plan->progress.done);
    if (plan->progress.message)
        buf_addf(out, " %s", plan->progress.message);
    return true;
}

void progress_show(struct progress *p, const struct buf *line)
{
    char plain[WIDEST * 4];
    unsigned rows, columns;
    if (p->bell < 0 || p->mid_line)
        return;
    progress_hide(p);
    if (line->failed || line->len == 0)
        return;
    /* stderr's own size may be another's, but one of the three is the terminal at which somebody sits. */
    if (!terminal_size(&rows, &columns))
        columns = 80;
    columns = columns < WIDEST ? columns : WIDEST;
    utf8_copy_printable(plain, sizeof plain, buf_text(line));
    plain[text_fit(plain, columns - 1)] = '\0';
    fflush(stdout);
    on_endings(SIG_DFL, wipe_and_end);
    fd_write_all(STDERR_FILENO, plain, strlen(plain));
    p->shown = true;
}

void progress_look(struct progress *p, rouse_manager *manager, const char *id)
{
    struct buf line = BUF_INIT(0);
    rouse_task *task;
    if (p->bell < 0)
        return;
    rouse_store_bell_clear(p->bell);
    if (rouse_task_get(manager, NULL, id, &task, NULL) < 0)
        return;
    progress_add(&line, task);
    progress_show(p, &line);
    buf_done(&line);
    rouse_task_free(task);
}
