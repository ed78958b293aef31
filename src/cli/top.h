/* What the parts of `rouse top` share. cmd_top.c: options, keys, the loop; top_list.c: which tasks; top_tails.c: their last
 * lines; top_draw.c: how all of it looks.
 *
 * Nothing is polled: the store's bell tells that a record changed, inotify that one of the shown tasks printed something, and a
 * timer is set only for the moment at which an age that is shown changes. */
#ifndef CLI_TOP_H
#define CLI_TOP_H

#include "cli/cli.h"
#include "cli/forest.h"
#include "cli/screen.h"

#define TOP_LINE 512        /* bytes of a last line */
#define TOP_LOG (256u << 10) /* bytes that the log view looks back at most */

struct top_tail {
    char id[64];
    int watch; /* of the task's directory; -1 = none */
    bool stale;
    uint64_t size;
    char line[TOP_LINE];
};

struct top_tails {
    int changes; /* inotify */
    size_t count;
    struct top_tail at[SCREEN_ROWS], before[SCREEN_ROWS];
};

struct top_list {
    rouse_task_list *list;
    struct forest forest;
    size_t *shown; /* of the forest's nodes, those that the filter lets through */
    size_t count;
    char *chosen;  /* the id under the bar; NULL = none */
    size_t place;  /* of the bar in shown */
};

enum top_mode { TOP_KEYS, TOP_FILTER, TOP_CONFIRM };

struct top {
    struct cli *cli;
    bool ended_too, all_threads;
    enum top_mode mode;
    bool in_log;
    struct top_list tasks;
    struct top_tails tails;
    struct screen screen;
    size_t first;       /* the first of shown on the screen */
    size_t back;        /* lines that the log view is above the end */
    char filter[128];
    char message[512];  /* the last line of the screen, when not empty */
    char subject[128];  /* id of the task to be cancelled, or whose log is shown */
    rouse_task *viewed; /* whose log is shown, as it was at the last look; or NULL */
    uint64_t change_ms; /* until an age that was drawn changes; UINT64_MAX = none */
};

/* Reads the tasks anew and keeps the bar on its task, or near where it was. On error nothing changed. */
int top_list_read(struct top *top, rouse_error *err);
int top_list_filter(struct top *top, rouse_error *err);
int top_list_choose(struct top *top, size_t place, rouse_error *err);
void top_list_done(struct top_list *tasks);
const rouse_task *top_list_at(const struct top_list *tasks, size_t i, size_t *ret_depth);
void top_list_view(struct top *top); /* looks at the subject again */

int top_tails_open(struct top_tails *tails, rouse_error *err);
void top_tails_close(struct top_tails *tails);
/* Takes in what inotify tells: true when one of them printed something. */
bool top_tails_take(struct top_tails *tails);
/* From now on those of these tasks, each with its last line. */
void top_tails_show(struct top *top, const rouse_task *const *tasks, size_t count);
/* "" when it printed nothing. */
const char *top_tails_line(const struct top_tails *tails, const char *id);
/* The last output of a task, cleaned, of which the last `lines` lines are wanted. */
int top_tails_log(struct top *top, const char *id, size_t lines, struct buf *out, rouse_error *err);

int top_draw(struct top *top, rouse_error *err);
/* How many tasks fit on the screen. */
size_t top_page(const struct top *top);

#endif
