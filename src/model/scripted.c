/* A model that plays a file: the turn to play is the number of assistant messages in the conversation, so it needs no memory
 * and goes on after a crash where the conversation does. What it must have seen is looked for in the whole request, the
 * injected view included; anything that is not as the script says fails loudly instead of playing on.
 *
 *   expect   texts that must be in the request      refuse   texts that must not
 *   capture  name → regular expression; the last match's group replaces {{name}} in `say` and in the arguments' strings
 *   say, tools   the reply                          pause_ms  thinking time, for demonstrations */
#include "model/scripted.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "json/jtext.h"
#include "model/model.h"
#include "model/prompt.h"

struct scripted {
    rouse_model shown; /* first */
    struct script script;
};

struct play { /* one call */
    const struct script *script;
    const struct script_turn *turn;
    size_t number; /* of the turn, from 1 */
    const char *prompt;
    const char **values; /* of the captures, in their order */
    struct arena arena;
};

static int check_texts(const struct play *p, rouse_error *err)
{
    for (size_t i = 0; p->turn->expect && p->turn->expect[i]; i++)
        if (!strstr(p->prompt, p->turn->expect[i]))
            return rouse_fail(err, ROUSE_EREMOTE, "script '%.60s' turn %zu: not seen in the prompt: '%s'",
                              p->script->name, p->number, p->turn->expect[i]);
    for (size_t i = 0; p->turn->refuse && p->turn->refuse[i]; i++)
        if (strstr(p->prompt, p->turn->refuse[i]))
            return rouse_fail(err, ROUSE_EREMOTE, "script '%.60s' turn %zu: must not be in the prompt: '%s'",
                              p->script->name, p->number, p->turn->refuse[i]);
    return 0;
}

/* The group of the last match, in the arena; *ret NULL when nothing matches. */
static int last_match(struct play *p, const char *pattern, const char **ret, rouse_error *err)
{
    regmatch_t m[2];
    regmatch_t last = {-1, -1};
    regex_t regex;
    const char *base = NULL;
    const char *at = p->prompt;
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NEWLINE) != 0)
        return rouse_fail_memory(err); /* it compiled when the script was read */
    while (regexec(&regex, at, 2, m, at == p->prompt || at[-1] == '\n' ? 0 : REG_NOTBOL) == 0) {
        if (m[1].rm_so >= 0) {
            last = m[1];
            base = at;
        }
        at += m[0].rm_eo > m[0].rm_so ? m[0].rm_eo : m[0].rm_eo + (at[m[0].rm_eo] != '\0');
        if (*at == '\0')
            break;
    }
    regfree(&regex);
    *ret = base ? arena_text(&p->arena, base + last.rm_so, (size_t)(last.rm_eo - last.rm_so)) : NULL;
    return base && !*ret ? rouse_fail_memory(err) : 0;
}

static int capture(struct play *p, rouse_error *err)
{
    p->values = arena_alloc(&p->arena, (p->turn->n_captures + 1) * sizeof *p->values);
    if (!p->values)
        return rouse_fail_memory(err);
    for (size_t i = 0; i < p->turn->n_captures; i++) {
        const struct script_capture *c = &p->turn->captures[i];
        int code = last_match(p, c->pattern, &p->values[i], err);
        if (code < 0)
            return code;
        if (!p->values[i])
            return rouse_fail(err, ROUSE_EREMOTE, "script '%.60s' turn %zu: nothing to capture as '%s': '%s'",
                              p->script->name, p->number, c->name, c->pattern);
    }
    return 0;
}

/* The value of {{name}}, which begins at text and has len characters between the braces. */
static const char *value_of(const struct play *p, const char *text, size_t len)
{
    for (size_t i = 0; i < p->turn->n_captures; i++)
        if (strlen(p->turn->captures[i].name) == len && memcmp(p->turn->captures[i].name, text, len) == 0)
            return p->values[i];
    return NULL;
}

/* In JSON "{{" can stand in strings only, so the value goes in without its quotes. */
static void add_value(struct buf *out, const char *value, bool json)
{
    struct buf quoted = BUF_INIT(LIMIT_TEXT);
    if (!json) {
        buf_adds(out, value);
        return;
    }
    jtext_add_string(&quoted, value, strlen(value));
    if (quoted.failed)
        out->failed = out->failed ? out->failed : quoted.failed;
    else
        buf_add(out, quoted.data + 1, quoted.len - 2);
    buf_done(&quoted);
}

static int fill_in(struct play *p, const char *template, bool json, const char **ret, rouse_error *err)
{
    struct buf out = BUF_INIT(LIMIT_REPLY);
    int code = 0;
    for (const char *at = template; code == 0 && *at;) {
        const char *end = at[0] == '{' && at[1] == '{' ? strstr(at, "}}") : NULL;
        if (!end) {
            buf_addc(&out, *at++);
            continue;
        }
        const char *value = value_of(p, at + 2, (size_t)(end - at - 2));
        if (value)
            add_value(&out, value, json);
        else
            code = rouse_fail(err, ROUSE_EREMOTE, "script '%.60s' turn %zu: nothing was captured for '%.*s'",
                              p->script->name, p->number, (int)(end + 2 - at), at);
        at = end + 2;
    }
    if (code == 0)
        code = buf_check(&out, err);
    if (code == 0) {
        *ret = arena_text(&p->arena, buf_text(&out), out.len);
        code = *ret ? 0 : rouse_fail_memory(err);
    }
    buf_done(&out);
    return code;
}

static int think(const struct script_turn *turn, const rouse_model_sink *sink, rouse_error *err)
{
    for (uint64_t left = turn->pause_ms;; left -= left < 50 ? left : 50) {
        if (sink->interrupted && sink->interrupted(sink->userdata))
            return rouse_fail(err, ROUSE_EINTERRUPTED, "interrupted");
        if (left == 0)
            return 0;
        poll(NULL, 0, left < 50 ? (int)left : 50);
    }
}

/* In a few pieces, as a real model would, each cut at a character. */
static void stream(const char *text, const rouse_model_sink *sink)
{
    size_t len = strlen(text);
    size_t step = len / 4 + 4;
    while (sink->text && len > 0) {
        size_t n = utf8_cut(text, len, step);
        n = n > 0 ? n : len;
        sink->text(text, n, sink->userdata);
        text += n;
        len -= n;
    }
}

static int play(struct play *p, const rouse_model_sink *sink, rouse_model_reply **ret_reply, rouse_error *err)
{
    const struct script_turn *turn = p->turn;
    rouse_model_reply reply = {.n_calls = turn->n_tools, .finish_reason = turn->n_tools > 0 ? "tool_calls" : "stop"};
    rouse_tool_call *calls = arena_alloc(&p->arena, (turn->n_tools + 1) * sizeof *calls);
    int code = calls ? check_texts(p, err) : rouse_fail_memory(err);
    if (code == 0)
        code = capture(p, err);
    if (code == 0)
        code = fill_in(p, turn->say, false, &reply.text, err);
    for (size_t i = 0; code == 0 && i < turn->n_tools; i++) {
        calls[i] = (rouse_tool_call){.id = "", .name = turn->tools[i].name};
        code = fill_in(p, turn->tools[i].arguments, true, &calls[i].arguments, err);
    }
    if (code == 0)
        code = think(turn, sink, err);
    if (code < 0)
        return code;
    reply.calls = calls;
    rouse_model_reply *copy = rouse_model_reply_copy(&reply);
    if (!copy)
        return rouse_fail_memory(err);
    stream(reply.text, sink);
    *ret_reply = copy;
    return 0;
}

static int complete(rouse_model *model, const rouse_model_request *request, const rouse_model_sink *sink,
                    rouse_model_reply **ret_reply, rouse_error *err)
{
    const struct script *script = &((struct scripted *)(void *)model)->script;
    const rouse_model_sink nobody = {0};
    struct buf prompt = BUF_INIT(LIMIT_TEXT);
    size_t at = 0;
    int code = prompt_render(request, &prompt, &at, err);
    if (code == 0 && at >= script->n_turns)
        code = rouse_fail(err, ROUSE_EREMOTE, "script '%.60s' has no turn %zu: it ends with turn %zu", script->name,
                          at + 1, script->n_turns);
    if (code == 0) {
        struct play p = {.script = script, .turn = &script->turns[at], .number = at + 1, .prompt = buf_text(&prompt)};
        code = play(&p, sink ? sink : &nobody, ret_reply, err);
        arena_done(&p.arena);
    }
    buf_done(&prompt);
    return code;
}

static void release(rouse_model *model)
{
    struct scripted *s = (struct scripted *)(void *)model;
    script_done(&s->script);
    free(s);
}

int scripted_open(const char *file, rouse_model **ret_model, rouse_error *err)
{
    struct buf text = BUF_INIT(LIMIT_TEXT);
    struct scripted *s = calloc(1, sizeof *s);
    if (!s)
        return rouse_fail_memory(err);
    int code = fd_read_file(AT_FDCWD, file, LIMIT_SCRIPT, &text, err);
    if (code == 0)
        code = script_parse(file, buf_text(&text), text.len, &s->script, err);
    buf_done(&text);
    if (code < 0) {
        free(s);
        return code;
    }
    s->shown = (rouse_model){.name = s->script.name, .complete = complete, .free = release};
    *ret_model = &s->shown;
    return 0;
}
