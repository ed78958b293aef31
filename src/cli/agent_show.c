#include "cli/agent_show.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "cli/task_text.h"
#include "cli/text.h"
#include "json/jtext.h"

#define NOTE_COLUMNS 110
#define NAMED_TASKS 10 /* in the waiting line */

/* ---- as text ---- */

static void end_line(struct show *show)
{
    if (show->in_line)
        fputc('\n', stdout);
    show->in_line = false;
    fflush(stdout);
}

static void write_words(struct show *show, const char *text, size_t len)
{
    if (len == 0)
        return;
    if (terminal_is(stdout))
        terminal_write(&show->filter, stdout, text, len);
    else
        fwrite(text, 1, len, stdout);
    show->in_line = text[len - 1] != '\n';
    fflush(stdout);
}

/* One dim line: line breaks become blanks, what is too long is cut. */
static void note(struct show *show, const char *mark, const char *subject, const char *text, size_t len)
{
    char raw[1024], plain[1024];
    size_t cut = utf8_cut(text, len, sizeof raw - 1);
    end_line(show);
    for (size_t i = 0; i < cut; i++)
        raw[i] = text[i] == '\n' || text[i] == '\t' || text[i] == '\0' ? ' ' : text[i];
    while (cut > 0 && raw[cut - 1] == ' ')
        cut--;
    raw[cut] = '\0';
    utf8_copy_printable(plain, sizeof plain, raw);
    size_t fit = text_fit(plain, NOTE_COLUMNS);
    bool is_cut = plain[fit] != '\0' || cut + 1 == sizeof raw;
    fprintf(stderr, "%s%s %s%s%.*s%s%s\n", terminal_dim(stderr), mark, subject, *subject ? " " : "", (int)fit, plain,
            is_cut ? "…" : "", terminal_plain(stderr));
}

/* As the model sees it; a terminal still gets no control characters. */
static void show_block(struct show *show, const rouse_agent_event *event)
{
    struct terminal_filter filter = {0};
    end_line(show);
    fputs(terminal_dim(stderr), stderr);
    terminal_write(&filter, stderr, event->text, event->len);
    if (event->len > 0 && event->text[event->len - 1] != '\n')
        fputc('\n', stderr);
    fputs(terminal_plain(stderr), stderr);
}

static void name_call(char out[80], const rouse_tool_call *call)
{
    utf8_copy_printable(out, 80, call && call->name ? call->name : "");
}

static void show_as_text(struct show *show, const rouse_agent_event *event)
{
    char name[80];
    name_call(name, event->call);
    switch (event->kind) {
    case ROUSE_AGENT_TEXT:
        if (show->mode == SHOW_TEXT)
            write_words(show, event->text, event->len);
        break;
    case ROUSE_AGENT_TOOL_CALL:
        note(show, "·", name, event->call->arguments, strlen(event->call->arguments));
        break;
    case ROUSE_AGENT_TOOL_RESULT:
        note(show, event->failed ? "  ✗" : "  →", "", event->text, event->len);
        break;
    case ROUSE_AGENT_INBOX:
        note(show, "◂", "", event->text, event->len);
        break;
    case ROUSE_AGENT_INJECTED:
        if (show->view)
            show_block(show, event);
        break;
    case ROUSE_AGENT_STEP_END:
        end_line(show);
        break;
    case ROUSE_AGENT_AGAIN:
        note(show, "↻", "asked again:", event->text, event->len);
        break;
    case ROUSE_AGENT_WAITING:
        show_waiting(show, "; Ctrl-C leaves them running");
        break;
    }
}

/* ---- as JSON lines ---- */

static const char *event_name(rouse_agent_event_kind kind)
{
    switch (kind) {
    case ROUSE_AGENT_TEXT:
        return "text";
    case ROUSE_AGENT_TOOL_CALL:
        return "tool_call";
    case ROUSE_AGENT_TOOL_RESULT:
        return "tool_result";
    case ROUSE_AGENT_INBOX:
        return "inbox";
    case ROUSE_AGENT_INJECTED:
        return "injected";
    case ROUSE_AGENT_STEP_END:
        return "step_end";
    case ROUSE_AGENT_WAITING:
        return "waiting";
    case ROUSE_AGENT_AGAIN:
        return "again";
    }
    return "";
}

static void add_member(struct buf *out, const char *name, const char *text, size_t len)
{
    jtext_add_name(out, name);
    jtext_add_string(out, text, len);
}

static void print_line(struct buf *out)
{
    /* Lack of memory costs this line; the conversation itself is in the store. */
    if (!out->failed)
        puts(buf_text(out));
    fflush(stdout);
    buf_done(out);
}

static void show_as_json(const rouse_agent_event *event)
{
    struct buf out = BUF_INIT(0);
    const char *name = event_name(event->kind);
    buf_addc(&out, '{');
    add_member(&out, "event", name, strlen(name));
    if (event->call) {
        add_member(&out, "call_id", event->call->id, strlen(event->call->id));
        add_member(&out, "tool", event->call->name, strlen(event->call->name));
    }
    if (event->kind == ROUSE_AGENT_TOOL_CALL)
        add_member(&out, "arguments", event->call->arguments, strlen(event->call->arguments));
    if (event->kind == ROUSE_AGENT_TOOL_RESULT)
        buf_addf(&out, ",\"failed\":%s", event->failed ? "true" : "false");
    if (event->text)
        add_member(&out, "text", event->text, event->len);
    buf_addc(&out, '}');
    print_line(&out);
}

void show_event(struct show *show, const rouse_agent_event *event)
{
    if (show->mode == SHOW_JSONL)
        show_as_json(event);
    else
        show_as_text(show, event);
}

/* ---- waiting ---- */

static void add_tasks(struct buf *out, const rouse_task_list *list)
{
    size_t n = rouse_task_list_count(list);
    size_t named = n > NAMED_TASKS ? NAMED_TASKS : n;
    for (size_t i = 0; i < named; i++) {
        if (i > 0)
            buf_adds(out, ", ");
        task_add_label(out, rouse_task_list_at(list, n - 1 - i)); /* oldest first */
    }
    if (n > named)
        buf_addf(out, " and %zu more", n - named);
}

void show_waiting(struct show *show, const char *rest)
{
    rouse_task_list *list;
    struct buf line = BUF_INIT(0);
    buf_adds(&line, "waiting for ");
    const size_t before = line.len;
    const rouse_task_filter filter = {.thread = show->cli->thread, .running_only = true};
    if (rouse_task_list_get(show->cli->manager, &filter, &list, NULL) == 0) {
        add_tasks(&line, list);
        rouse_task_list_free(list);
    }
    bool is_news = line.len > before;
    buf_adds(&line, rest);
    char *text = is_news ? buf_take(&line, NULL) : NULL;
    if (text && (!show->said || strcmp(text, show->said) != 0)) {
        end_line(show);
        terminal_say(text);
        free(show->said);
        show->said = text;
    } else {
        free(text);
    }
    buf_done(&line);
}

/* ---- the end ---- */

static void print_result(const struct show *show, const rouse_agent_result *r)
{
    struct buf out = BUF_INIT(0);
    buf_addc(&out, '{');
    if (show->mode == SHOW_JSONL)
        add_member(&out, "event", "result", strlen("result"));
    add_member(&out, "thread", show->cli->thread, strlen(show->cli->thread));
    add_member(&out, "run_id", r->run_id, strlen(r->run_id));
    add_member(&out, "status", r->status, strlen(r->status));
    if (r->status_reason)
        add_member(&out, "status_reason", r->status_reason, strlen(r->status_reason));
    add_member(&out, "response", r->response, strlen(r->response));
    buf_addf(&out, ",\"steps\":%llu,\"input_tokens\":%llu,\"output_tokens\":%llu}", (unsigned long long)r->steps,
             (unsigned long long)r->input_tokens, (unsigned long long)r->output_tokens);
    print_line(&out);
}

void show_result(struct show *show, const rouse_agent_result *result)
{
    end_line(show);
    if (show->mode != SHOW_TEXT)
        print_result(show, result);
}

void show_done(struct show *show)
{
    free(show->said);
    show->said = NULL;
}
