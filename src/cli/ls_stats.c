#include "cli/ls_stats.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "cli/json_line.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "json/jtext.h"

static int print_json(const rouse_stats *s, rouse_error *err)
{
    struct buf out = BUF_INIT(0), queues = BUF_INIT(0);
    buf_addc(&queues, '[');
    json_line_number(&out, "running", s->running);
    json_line_number(&out, "waiting", s->waiting);
    json_line_number(&out, "for_input", s->for_input);
    json_line_number(&out, "oldest_waiting_ms", s->oldest_waiting_ms);
    json_line_number(&out, "completed", s->completed);
    json_line_number(&out, "failed", s->failed);
    json_line_number(&out, "cancelled", s->cancelled);
    json_line_number(&out, "took_p50_ms", s->took_p50_ms);
    json_line_number(&out, "took_p95_ms", s->took_p95_ms);
    json_line_number(&out, "unread", s->unread);
    for (size_t i = 0; i < s->n_queues; i++) {
        const rouse_queue_stats *q = &s->queues[i];
        buf_adds(&queues, i > 0 ? ",{\"name\":" : "{\"name\":");
        jtext_add_string(&queues, q->name, strlen(q->name));
        buf_addf(&queues, ",\"running\":%llu,\"waiting\":%llu}", (unsigned long long)q->running, (unsigned long long)q->waiting);
    }
    buf_addc(&queues, ']');
    int code = buf_check(&queues, err);
    json_line_raw(&out, "queues", buf_text(&queues));
    buf_done(&queues);
    if (code == 0)
        code = json_line_print(&out, err);
    buf_done(&out);
    return code;
}

static void print_number(const char *name, uint64_t number)
{
    printf(terminal_is(stdout) ? "%-15s %llu\n" : "%s\t%llu\n", name, (unsigned long long)number);
}

/* In words for people, in milliseconds for programs. */
static void print_span(const char *name, uint64_t ms)
{
    char span[TEXT_SMALL];
    if (terminal_is(stdout))
        printf("%-15s %s\n", name, text_span(ms, span));
    else
        print_number(name, ms);
}

static void print_lines(const rouse_stats *s)
{
    char plain[sizeof s->queues[0].name * 4];
    print_number("running", s->running);
    print_number("waiting", s->waiting);
    print_number("for input", s->for_input);
    print_span("oldest waiting", s->oldest_waiting_ms);
    print_number("completed", s->completed);
    print_number("failed", s->failed);
    print_number("cancelled", s->cancelled);
    print_span("took, half", s->took_p50_ms);
    print_span("took, 95 of 100", s->took_p95_ms);
    print_number("unread events", s->unread);
    for (size_t i = 0; i < s->n_queues; i++) {
        const rouse_queue_stats *q = &s->queues[i];
        utf8_copy_printable(plain, sizeof plain, q->name); /* an imported record's may be anything */
        printf(terminal_is(stdout) ? "queue %-9s %llu running, %llu waiting\n" : "queue %s\t%llu\t%llu\n", plain,
               (unsigned long long)q->running, (unsigned long long)q->waiting);
    }
}

int ls_stats(struct cli *cli, const char *thread, rouse_error *err)
{
    rouse_stats stats;
    int code = rouse_manager_stats(cli->manager, thread, &stats, err);
    if (code < 0)
        return code;
    if (cli->common.json)
        return print_json(&stats, err);
    print_lines(&stats);
    return 0;
}
