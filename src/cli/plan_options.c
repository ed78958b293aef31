#include "cli/plan_options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int read_after_if(const struct cli *cli, const struct plan_options *o, rouse_task_spec *spec, rouse_error *err)
{
    static const char *const names[] = {
        [ROUSE_AFTER_SUCCEEDED] = "succeeded", [ROUSE_AFTER_ENDED] = "ended", [ROUSE_AFTER_FAILED] = "failed"};
    if (!o->after_if)
        return 0;
    if (o->after.count == 0)
        return cli_misuse(cli, err, "--after-if goes with --after");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(o->after_if, names[i]) == 0) {
            spec->after_if = (rouse_after_if)i;
            return 0;
        }
    }
    return cli_misuse(cli, err, "--after-if '%.40s' is none of succeeded, ended, failed", o->after_if);
}

static int read_queue(const struct cli *cli, const struct plan_options *o, rouse_task_spec *spec, rouse_error *err)
{
    if (!o->queue && (o->queue_limit.given || o->priority))
        return cli_misuse(cli, err, "--%s goes with --queue", o->priority ? "priority" : "queue-limit");
    if (o->queue_limit.given && o->queue_limit.value == 0)
        return cli_misuse(cli, err, "--queue-limit 0 lets nothing run");
    spec->queue = o->queue;
    spec->queue_limit = o->queue_limit.value;
    if (!o->priority)
        return 0;
    char *end;
    errno = 0;
    spec->priority = strtoll(o->priority, &end, 10);
    bool ok = errno == 0 && end != o->priority && *end == '\0';
    return ok ? 0 : cli_misuse(cli, err, "--priority: '%.40s' is no number", o->priority);
}

static int read_retries(const struct cli *cli, const struct plan_options *o, rouse_task_spec *spec, rouse_error *err)
{
    if (o->backoff.given && !o->retries.given)
        return cli_misuse(cli, err, "--backoff goes with --retries");
    if (o->retries.given)
        spec->retry.max_attempts = o->retries.value < UINT64_MAX ? o->retries.value + 1 : UINT64_MAX;
    spec->retry.backoff_ms = o->backoff.given && o->backoff.ms == 0 ? 1 : o->backoff.ms;
    return 0;
}

static const char **list_of(const struct texts *given)
{
    const char **list = calloc(given->count + 1, sizeof *list);
    if (list && given->count > 0)
        memcpy(list, given->items, given->count * sizeof *list);
    return list;
}

int plan_options_read(const struct cli *cli, const struct plan_options *o, struct plan_asked *fill, rouse_task_spec *spec,
                      rouse_error *err)
{
    *fill = (struct plan_asked){0};
    int code = read_after_if(cli, o, spec, err);
    if (code == 0)
        code = read_queue(cli, o, spec, err);
    if (code == 0)
        code = read_retries(cli, o, spec, err);
    if (code < 0)
        return code;
    fill->after = list_of(&o->after);
    fill->labels = list_of(&o->labels);
    if (!fill->after || !fill->labels)
        return rouse_fail_memory(err);
    spec->after = o->after.count > 0 ? fill->after : NULL; /* a record that was given neither has neither */
    spec->labels = o->labels.count > 0 ? fill->labels : NULL;
    spec->when.in_ms = o->in.ms;
    return 0;
}

void plan_options_free(struct plan_asked *asked)
{
    free(asked->after);
    free(asked->labels);
    *asked = (struct plan_asked){0};
}

bool plan_options_wait(const struct plan_options *o)
{
    return o->after.count > 0 || o->queue || o->in.ms > 0 || o->retries.value > 0;
}
