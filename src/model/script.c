#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "json/jfields.h"
#include "model/scripted.h"

struct turn_form {
    const char **expect, **refuse;
    struct jslice capture, tools; /* at == NULL: not there */
    const char *say;
    uint64_t pause_ms;
};

#define ROW(form, member, kind)                                                                                        \
    {                                                                                                                  \
        .name = #member, .type = JFIELD_##kind, .offset = offsetof(struct form, member)                                \
    }
static const struct jfield turn_rows[] = {
    ROW(turn_form, expect, STRINGS), ROW(turn_form, refuse, STRINGS), ROW(turn_form, capture, SLICE),
    ROW(turn_form, tools, SLICE),    ROW(turn_form, say, STRING),     ROW(turn_form, pause_ms, U64),
};
static const struct jfields turn_fields = {.rows = turn_rows, .count = sizeof turn_rows / sizeof *turn_rows};

struct tool_form {
    const char *name;
    struct jslice arguments;
};
static const struct jfield tool_rows[] = {
    {.name = "name", .type = JFIELD_STRING, .need = JFIELD_REQUIRED, .offset = offsetof(struct tool_form, name)},
    ROW(tool_form, arguments, SLICE),
};
static const struct jfields tool_fields = {.rows = tool_rows, .count = 2};

static const char *keep(struct arena *arena, struct jslice value)
{
    return arena_text(arena, value.at, value.len);
}

/* How many members or items a bracket has that is known to be well formed. */
static size_t count_in(struct jslice value)
{
    struct jtext t;
    struct jslice key, item;
    size_t n = 0;
    enum jtype type = jtext_type(value);
    if ((type != JTYPE_OBJECT && type != JTYPE_ARRAY) || jtext_open(&t, value.at, value.len, type, NULL) < 0)
        return 0;
    if (type == JTYPE_ARRAY)
        while (jtext_item(&t, &item, NULL) > 0)
            n++;
    else
        while (jtext_member(&t, &key, NULL) > 0 && jtext_value(&t, &item, NULL) == 0)
            n++;
    return n;
}

/* A wrong pattern is found when the script is read, not when its turn comes. */
static int check_pattern(const struct script_capture *c, rouse_error *err)
{
    char why[128];
    regex_t regex;
    int code = regcomp(&regex, c->pattern, REG_EXTENDED | REG_NEWLINE);
    if (code != 0) {
        regerror(code, &regex, why, sizeof why);
        return rouse_fail(err, ROUSE_EDATA, "capture '%s': %s", c->name, why);
    }
    size_t groups = regex.re_nsub;
    regfree(&regex);
    return groups == 1 ? 0 : rouse_fail(err, ROUSE_EDATA, "capture '%s' must have one group, not %zu", c->name, groups);
}

static int read_captures(struct jslice value, struct arena *arena, struct script_turn *turn, rouse_error *err)
{
    struct jtext t;
    struct jslice key, pattern;
    turn->captures = arena_alloc(arena, (count_in(value) + 1) * sizeof *turn->captures);
    if (!turn->captures)
        return rouse_fail_memory(err);
    int code = jtext_open(&t, value.at, value.len, JTYPE_OBJECT, err);
    while (code >= 0 && (code = jtext_member(&t, &key, err)) > 0) {
        struct script_capture *c = &turn->captures[turn->n_captures];
        code = jtext_value(&t, &pattern, err);
        if (code < 0)
            break;
        if (jtext_type(pattern) != JTYPE_STRING)
            return rouse_fail(err, ROUSE_EDATA, "a capture must be a string");
        c->name = jtext_string(key, arena);
        c->pattern = jtext_string(pattern, arena);
        if (!c->name || !c->pattern)
            return rouse_fail_memory(err);
        code = check_pattern(c, err);
        turn->n_captures++;
    }
    return code;
}

static int read_tools(struct jslice value, struct arena *arena, struct script_turn *turn, rouse_error *err)
{
    struct jtext t;
    struct jslice item;
    turn->tools = arena_alloc(arena, (count_in(value) + 1) * sizeof *turn->tools);
    if (!turn->tools)
        return rouse_fail_memory(err);
    int code = jtext_open(&t, value.at, value.len, JTYPE_ARRAY, err);
    while (code >= 0 && (code = jtext_item(&t, &item, err)) > 0) {
        struct tool_form form = {.arguments = {.at = "{}", .len = 2}};
        code = jfields_decode(&tool_fields, item.at, item.len, arena, &form, err);
        if (code < 0)
            break;
        struct script_tool *tool = &turn->tools[turn->n_tools++];
        bool raw = jtext_type(form.arguments) == JTYPE_STRING; /* what a model wrote that is no object */
        *tool = (struct script_tool){
            .name = form.name, .arguments = raw ? jtext_string(form.arguments, arena) : keep(arena, form.arguments)};
        if (!tool->arguments)
            return rouse_fail_memory(err);
    }
    return code;
}

static int read_turn(struct jslice value, struct arena *arena, struct script_turn *turn, rouse_error *err)
{
    struct turn_form form = {.say = ""};
    int code = jfields_decode(&turn_fields, value.at, value.len, arena, &form, err);
    if (code < 0)
        return code;
    *turn =
        (struct script_turn){.expect = form.expect, .refuse = form.refuse, .say = form.say, .pause_ms = form.pause_ms};
    if (form.capture.at)
        code = read_captures(form.capture, arena, turn, err);
    if (code >= 0 && form.tools.at)
        code = read_tools(form.tools, arena, turn, err);
    return code < 0 ? code : 0;
}

static size_t line_at(const char *text, const char *at)
{
    size_t line = 1;
    for (; text < at; text++)
        line += *text == '\n';
    return line;
}

/* Finds "turns"; *ret_at is where reading stopped. */
static int find_turns(const char *text, size_t len, struct jslice *ret_turns, const char **ret_at, rouse_error *err)
{
    struct jtext t;
    struct jslice key, value;
    bool found = false;
    int code = jtext_open(&t, text, len, JTYPE_OBJECT, err);
    while (code >= 0 && (code = jtext_member(&t, &key, err)) > 0) {
        code = jtext_value(&t, &value, err);
        if (code == 0 && jtext_is(key, "turns")) {
            *ret_turns = value;
            found = true;
        }
    }
    if (code == 0)
        code = jtext_end(&t, err);
    *ret_at = t.at;
    if (code == 0 && (!found || jtext_type(*ret_turns) != JTYPE_ARRAY))
        return rouse_fail(err, ROUSE_EDATA, "no array \"turns\"");
    return code;
}

static int read_turns(struct script *s, struct jslice value, const char **ret_at, rouse_error *err)
{
    struct jtext t;
    struct jslice item;
    s->turns = arena_alloc(&s->arena, (count_in(value) + 1) * sizeof *s->turns);
    if (!s->turns)
        return rouse_fail_memory(err);
    int code = jtext_open(&t, value.at, value.len, JTYPE_ARRAY, err);
    while (code >= 0 && (code = jtext_item(&t, &item, err)) > 0) {
        *ret_at = item.at;
        code = read_turn(item, &s->arena, &s->turns[s->n_turns], err);
        if (code < 0)
            return rouse_fail_context(err, code, "turn %zu", s->n_turns + 1);
        s->n_turns++;
    }
    return code;
}

int script_parse(const char *file, const char *text, size_t len, struct script *fill, rouse_error *err)
{
    struct script s = {0};
    struct jslice turns = {0};
    const char *at = text;
    const char *slash = strrchr(file, '/');
    const char *name = slash ? slash + 1 : file;
    s.name = arena_text(&s.arena, name, strlen(name));
    int code = s.name ? find_turns(text, len, &turns, &at, err) : rouse_fail_memory(err);
    if (code == 0)
        code = read_turns(&s, turns, &at, err);
    if (code < 0) {
        if (code != ROUSE_ENOMEM)
            code = rouse_fail_context(err, ROUSE_EDATA, "script '%.60s' line %zu", name, line_at(text, at));
        if (code != ROUSE_ENOMEM && err)
            err->code = ROUSE_EDATA;
        script_done(&s);
        return code;
    }
    *fill = s;
    return 0;
}

void script_done(struct script *s)
{
    arena_done(&s->arena);
    *s = (struct script){0};
}
