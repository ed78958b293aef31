/* rouse events: what happened, as lines. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "cli/commands.h"
#include "cli/json_line.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "json/jtext.h"

struct events_options {
    struct common common;
    bool follow, all_threads, pending, lines;
    struct number since, limit;
};

static const struct option_row rows[] = {
    {"follow", 'f', FLAG(struct events_options, follow), NULL, "then what happens from now on, until Ctrl-C"},
    {"since", 0, NUMBER(struct events_options, since), "N", "only those after number N"},
    {"limit", 0, NUMBER(struct events_options, limit), "N", "at most N"},
    {"pending", 0, FLAG(struct events_options, pending), NULL, "only those that are not part of the conversation yet"},
    ROW_THREAD,
    {"all-threads", 0, FLAG(struct events_options, all_threads), NULL, "of every thread"},
    ROW_STORE,
    {"json", 0, FLAG(struct common, json), NULL, "as JSON, one document a line"},
    {"jsonl", 0, FLAG(struct events_options, lines), NULL, "the same"},
    ROW_END,
};

static int print_json(const rouse_event *event, rouse_error *err)
{
    struct buf out = BUF_INIT(0);
    json_line_number(&out, "id", event->id);
    json_line_text(&out, "thread", event->thread);
    json_line_number(&out, "created_at_ms", event->created_at_ms);
    json_line_bool(&out, "acknowledged", event->acknowledged);
    json_line_raw(&out, "event", event->json);
    return json_line_print(&out, err);
}

/* An event about a stage is told by the stage. */
static void read_stage(const char *json, char kind[64], char *more, size_t size)
{
    static const char member[] = "\"payload\":";
    const char *payload = strstr(json, member);
    if (strcmp(more, "stage") != 0 || !payload)
        return;
    payload += strlen(member);
    if (jtext_member_text(payload, strlen(payload) - 1, "stage", more, size))
        snprintf(kind, 64, "stage");
}

/* "12  3 min ago  bg_4  failed: exit status 2"; the event's own text is JSON, and shown as it is. */
static void add_line(const struct cli *cli, struct buf *out, const rouse_event *event, bool with_thread)
{
    char kind[64] = "event", more[512] = "", plain[512], span[TEXT_SMALL];
    uint64_t now = cli_now(cli);
    size_t len = strlen(event->json);
    jtext_member_text(event->json, len, "kind", kind, sizeof kind);
    if (strcmp(kind, "custom") == 0) {
        jtext_member_text(event->json, len, "event_type", more, sizeof more);
        read_stage(event->json, kind, more, sizeof more);
    } else {
        jtext_member_text(event->json, len, "error", more, sizeof more);
    }
    buf_addf(out, "%-4llu ", (unsigned long long)event->id);
    buf_addf(out, "%8s ago  ", text_span(now > event->created_at_ms ? now - event->created_at_ms : 0, span));
    if (with_thread) {
        utf8_copy_printable(plain, sizeof plain, event->thread);
        buf_addf(out, "%s  ", plain);
    }
    utf8_copy_printable(plain, sizeof plain, event->task_id);
    buf_addf(out, "%-6s ", plain);
    utf8_copy_printable(plain, sizeof plain, kind);
    buf_adds(out, plain);
    utf8_copy_printable(plain, sizeof plain, more);
    buf_addf(out, "%s%s\n", *plain ? ": " : "", plain);
}

/* For programs: number, time, thread, task, kind, the event; separated by tabs, which JSON text has only as an escape. */
static void add_row(struct buf *out, const rouse_event *event)
{
    char kind[64] = "event", plain[512];
    jtext_member_text(event->json, strlen(event->json), "kind", kind, sizeof kind);
    buf_addf(out, "%llu\t%llu\t", (unsigned long long)event->id, (unsigned long long)event->created_at_ms);
    utf8_copy_printable(plain, sizeof plain, event->thread);
    buf_addf(out, "%s\t", plain);
    utf8_copy_printable(plain, sizeof plain, event->task_id);
    buf_addf(out, "%s\t", plain);
    utf8_copy_printable(plain, sizeof plain, kind);
    buf_addf(out, "%s\t%s\n", plain, event->json);
}

static int print_event(const struct cli *cli, const struct events_options *o, const rouse_event *event, rouse_error *err)
{
    struct buf out = BUF_INIT(0);
    if (o->common.json || o->lines)
        return print_json(event, err);
    if (terminal_is(stdout))
        add_line(cli, &out, event, o->all_threads);
    else
        add_row(&out, event);
    int code = buf_check(&out, err);
    if (code == 0)
        fwrite(buf_text(&out), 1, out.len, stdout);
    buf_done(&out);
    return code;
}

/* Prints what came after *cursor, at most *left of it. */
static int print_new(struct cli *cli, const struct events_options *o, uint64_t *cursor, uint64_t *left, rouse_error *err)
{
    size_t n = 1;
    int code = 0;
    while (code == 0 && n > 0 && *left > 0) {
        rouse_events *events;
        size_t page = *left < 1000 ? (size_t)*left : 1000;
        code = rouse_store_inbox(cli->store, o->all_threads ? NULL : cli->thread, *cursor, !o->pending, page, &events, err);
        if (code < 0)
            return code;
        n = rouse_events_count(events);
        for (size_t i = 0; code == 0 && i < n; i++) {
            const rouse_event *event = rouse_events_at(events, i);
            code = print_event(cli, o, event, err);
            *cursor = event->id;
            --*left;
        }
        rouse_events_free(events);
    }
    fflush(stdout);
    return code;
}

/* Sleeps until something was committed; false once nobody reads what is printed. */
static int sleep_once(int bell, rouse_error *err)
{
    struct pollfd p[] = {{.fd = bell, .events = POLLIN}, {.fd = STDOUT_FILENO, .events = 0}};
    if (poll(p, 2, -1) < 0 && errno != EINTR)
        return rouse_fail_errno(err, ROUSE_EIO, errno, "cannot sleep");
    return !(p[1].revents & (POLLERR | POLLHUP | POLLNVAL));
}

static int follow(struct cli *cli, const struct events_options *o, uint64_t cursor, uint64_t left, int bell, rouse_error *err)
{
    int code = print_new(cli, o, &cursor, &left, err);
    while (code >= 0 && left > 0) {
        code = sleep_once(bell, err);
        if (code <= 0)
            return code;
        rouse_store_bell_clear(bell);
        code = print_new(cli, o, &cursor, &left, err);
    }
    return code < 0 ? code : 0;
}

static int run(struct cli *cli, const void *options, rouse_error *err)
{
    const struct events_options *o = options;
    uint64_t cursor = o->since.value;
    uint64_t left = o->limit.given ? o->limit.value : UINT64_MAX;
    int bell;
    if (o->all_threads && o->common.thread)
        return cli_misuse(cli, err, "give --thread or --all-threads, not both");
    int code = cli_open(cli, true, err);
    if (code < 0 || !o->follow)
        return code < 0 ? code : print_new(cli, o, &cursor, &left, err);
    code = rouse_store_bell_open(cli->store, &bell, err);
    if (code < 0)
        return code;
    code = follow(cli, o, cursor, left, bell, err);
    close(bell);
    return code;
}

const struct command cmd_events = {
    .name = "events",
    .usage = (const char *const[]){"[OPTION…]", NULL},
    .summary = "what happened to tasks, oldest first",
    .text = "Each event has a number, which never repeats: --since the last one seen gives what is new. Into a pipe or a file, one\n"
            "line per event with these columns, separated by tabs: number, time (ms), thread, task, kind, the event as JSON.",
    .options = rows,
    .options_size = sizeof(struct events_options),
    .examples = (const struct example[]){{"rouse events -f --json", "all there was and all there will be, for a program"},
                                         {"rouse events --since 41", "what came after event 41"},
                                         {NULL, NULL}},
    .run = run,
};
