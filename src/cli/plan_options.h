/* The options that say when a task begins, and whether it is tried again, for every command that starts one. */
#ifndef CLI_PLAN_OPTIONS_H
#define CLI_PLAN_OPTIONS_H

#include "cli/cli.h"

struct plan_options {
    struct texts after, labels;
    const char *after_if, *queue, *priority;
    struct number queue_limit, retries;
    struct duration backoff, in;
};

#define PLAN_ROWS(owner, member)                                                                                       \
    {"after", 0, TEXTS(owner, member.after), "ID", "begin when this task has ended well; may be repeated"},            \
    {"after-if", 0, TEXT(owner, member.after_if), "succeeded|ended|failed", "what those must come to instead"},        \
    {"in", 0, DURATION(owner, member.in), "DUR", "begin not before this time has passed"},                             \
    {"queue", 0, TEXT(owner, member.queue), "Q", "wait for its turn in this queue"},                                   \
    {"queue-limit", 0, NUMBER(owner, member.queue_limit), "N", "so many of the queue run at once; default 1"},         \
    {"priority", 0, TEXT(owner, member.priority), "N", "the highest of the queue first; default 0"},                   \
    {"retries", 0, NUMBER(owner, member.retries), "N", "try again up to N times when it fails"},                       \
    {"backoff", 0, DURATION(owner, member.backoff), "DUR", "wait before the second try, doubled for each; default 1s"}, \
    {"label", 0, TEXTS(owner, member.labels), "KEY=VALUE", "to find it by; may be repeated"}

/* What was asked for, as the library takes it: its lists (NULL-terminated, owned by *fill) and the rest are set in spec, which
 * borrows them until plan_options_free. ROUSE_EINVAL names the option. */
struct plan_asked {
    const char **after, **labels;
};
int plan_options_read(const struct cli *cli, const struct plan_options *o, struct plan_asked *fill, rouse_task_spec *spec,
                      rouse_error *err);
void plan_options_free(struct plan_asked *asked);
/* May the task begin later than now, or again, and so under another program than this one? */
bool plan_options_wait(const struct plan_options *o);

#endif
