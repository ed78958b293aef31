/* rouse history: a thread's conversation. */
#include <stdio.h>
#include <string.h>

#include "agent/message.h"
#include "base/utf8.h"
#include "cli/commands.h"
#include "cli/json_line.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "json/jtext.h"

#define PAGE 1000
#define NOTE_COLUMNS 110 /* of what a tool was asked and answered, unless all of it is wanted */

struct history_options {
    struct common common;
    bool full, lines;
    struct number since, last;
};

static const struct option_row rows[] = {
    {"last", 'n', NUMBER(struct history_options, last), "N", "only the last N messages"},
    {"since", 0, NUMBER(struct history_options, since), "N", "only those after number N"},
    {"full", 0, FLAG(struct history_options, full), NULL, "all that tools were asked and answered, not its beginning"},
    ROW_THREAD,
    ROW_STORE,
    {"json", 0, FLAG(struct common, json), NULL, "as JSON, one document a line"},
    {"jsonl", 0, FLAG(struct history_options, lines), NULL, "the same"},
    ROW_END,
};

static int print_json(const rouse_message *message, rouse_error *err)
{
    struct buf out = BUF_INIT(0);
    json_line_number(&out, "number", message->seq);
    json_line_text(&out, "run", message->run);
    json_line_raw(&out, "message", message->json);
    return json_line_print(&out, err);
}

/* Text of others, without control characters: all its lines, or as much of it as fits in one. */
static void write_text(const char *lead, const char *text, bool whole)
{
    char plain[4096];
    while (*text) {
        size_t len = strcspn(text, "\n"), cut = utf8_cut(text, len, sizeof plain - 1);
        char raw[sizeof plain];
        memcpy(raw, text, cut);
        raw[cut] = '\0';
        utf8_copy_printable(plain, sizeof plain, raw);
        size_t fit = whole ? strlen(plain) : text_fit(plain, NOTE_COLUMNS);
        text += cut;
        bool more = plain[fit] != '\0' || (!whole && text[strspn(text, "\n")] != '\0');
        printf("%s%.*s%s\n", lead, (int)fit, plain, !whole && more ? "…" : "");
        if (!whole)
            return;
        text += *text == '\n';
    }
}

static void print_text(const struct history_options *o, const struct message *m, bool is_machine)
{
    char lead[96], name[64];
    const bool is_tool = m->tool_call_id != NULL;
    if (m->text[0] && !is_tool)
        printf("%s%s%s\n", terminal_dim(stdout), is_machine ? "rouse" : strcmp(m->role, "user") == 0 ? "you" : m->role,
               terminal_plain(stdout));
    write_text(is_tool ? "  → " : "  ", m->text, !is_tool || o->full);
    for (size_t i = 0; i < m->n_calls; i++) {
        utf8_copy_printable(name, sizeof name, m->calls[i].name);
        snprintf(lead, sizeof lead, "  · %s ", name);
        write_text(lead, m->calls[i].arguments, o->full);
    }
}

static int print_message(const struct history_options *o, const rouse_message *message, rouse_error *err)
{
    struct arena arena = {0};
    struct message m;
    char visibility[16] = "";
    size_t len = strlen(message->json);
    if (o->common.json || o->lines)
        return print_json(message, err);
    int code = message_decode(message->json, len, &arena, &m, err);
    if (code == 0) {
        jtext_member_text(message->json, len, "visibility", visibility, sizeof visibility);
        print_text(o, &m, strcmp(m.role, "user") == 0 && strcmp(visibility, "internal") == 0);
    }
    arena_done(&arena);
    return code;
}

/* Walks the messages behind *cursor; prints them when o is given. */
static int walk(struct cli *cli, const struct history_options *o, uint64_t *cursor, rouse_error *err)
{
    size_t n = PAGE;
    int code = 0;
    while (code == 0 && n == PAGE) {
        rouse_messages *messages;
        code = rouse_store_messages(cli->store, cli->thread, *cursor, PAGE, &messages, err);
        if (code < 0)
            return code;
        n = rouse_messages_count(messages);
        for (size_t i = 0; o && code == 0 && i < n; i++)
            code = print_message(o, rouse_messages_at(messages, i), err);
        if (n > 0)
            *cursor = rouse_messages_at(messages, n - 1)->seq;
        rouse_messages_free(messages);
    }
    return code;
}

static int run(struct cli *cli, const void *options, rouse_error *err)
{
    const struct history_options *o = options;
    uint64_t from = o->since.value, end = from;
    int code = cli_open(cli, true, err);
    if (code == 0 && o->last.given)
        code = walk(cli, NULL, &end, err);
    if (code == 0 && o->last.given && end - from > o->last.value)
        from = end - o->last.value;
    return code < 0 ? code : walk(cli, o, &from, err);
}

const struct command cmd_history = {
    .name = "history",
    .usage = (const char *const[]){"[OPTION…]", NULL},
    .summary = "what was said in an agent's conversation",
    .text = "Oldest first: what you said, what the assistant said, what it asked of its tools (·) and was told (→), and what rouse\n"
            "told it of its tasks. Each message has a number in its thread, which --json shows.",
    .options = rows,
    .options_size = sizeof(struct history_options),
    .examples = (const struct example[]){{"rouse history -n 10", "how it went lately"},
                                         {"rouse history --json --since 40", "what came after message 40, for a program"},
                                         {NULL, NULL}},
    .run = run,
};
