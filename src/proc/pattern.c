/* Patterns come from models as well. Some are refused though the C library may take them: those with back-references, and those that
 * repeat what may be nothing around braces, which take exponential time; those whose repeats stand for much, which take memory and time
 * with its square; and those with numbers that the supervisor's C library does not take. */
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "proc/proc.h"

/* The larger of the numbers in "{n,m}", at least 1. */
static unsigned long repeats_at(const char *brace)
{
    char *end;
    unsigned long low = strtoul(brace + 1, &end, 10);
    unsigned long high = *end == ',' ? strtoul(end + 1, NULL, 10) : 0;
    unsigned long most = low > high ? low : high;
    return most > 0 ? most : 1;
}

/* Behind a bracket expression, or its last character when it has no end. */
static const char *skip_bracket(const char *c)
{
    c += c[1] == '^' ? 2 : 1;
    for (const char *first = c; *c && (*c != ']' || c == first); c++) {
        const char kind = c[0] == '[' ? c[1] : '\0';
        const char *end = NULL;
        if (kind == ':' || kind == '.' || kind == '=')
            end = strstr(c + 2, (const char[]){kind, ']', '\0'});
        if (end)
            c = end + 1;
    }
    return *c ? c : c - 1;
}

struct atom { /* what a repeat behind it would repeat */
    unsigned long characters; /* that it stands for when its repeats are written out */
    bool empty;               /* it may match nothing */
    bool braces, loops;       /* there are some in it */
};

struct group {
    struct atom all, last;
    bool branch_empty; /* all of the branch before last may match nothing */
};

static const struct group new_group = {.last = {.empty = true}, .branch_empty = true};

static unsigned long bounded(unsigned long a, unsigned long b)
{
    return a > 0 && b > (LIMIT_PATTERN_REPEATS + 1) / a ? LIMIT_PATTERN_REPEATS + 1 : a * b;
}

static void begin_atom(struct group *g, struct atom atom)
{
    g->branch_empty = g->branch_empty && g->last.empty;
    g->last = atom;
    g->all.characters += atom.characters;
    g->all.braces = g->all.braces || atom.braces;
    g->all.loops = g->all.loops || atom.loops;
}

static void end_branch(struct group *g)
{
    g->all.empty = g->all.empty || (g->branch_empty && g->last.empty);
    g->branch_empty = g->last.empty = true;
}

/* Loops around copies, and copies of loops, that may match nothing take the C library exponential time. */
static bool may_repeat(const struct group *g, char how)
{
    return !g->last.empty || (!g->last.braces && !(how == '{' && g->last.loops));
}

static void repeat_loop(struct group *g, bool empty)
{
    g->last.empty = g->last.empty || empty;
    g->last.loops = g->all.loops = true;
}

static const char *repeat_braces(struct group *g, const char *c)
{
    const char *end = strchr(c, '}');
    unsigned long now = bounded(g->last.characters, repeats_at(c));
    g->all.characters += now - g->last.characters;
    g->last.characters = now;
    g->last.empty = g->last.empty || strtoul(c + 1, NULL, 10) == 0;
    g->last.braces = g->all.braces = true;
    return end ? end : c;
}

/* Takes in what stands at c, in the group `depth`. Returns its last character; NULL when it repeats what it may not. */
static const char *count(struct group *groups, size_t *depth, const char *c)
{
    struct group *g = &groups[*depth];
    if (strchr("*+{", *c) && !may_repeat(g, *c))
        return NULL;
    if (*c == '(') {
        groups[++*depth] = new_group;
    } else if (*c == ')' && *depth > 0) {
        end_branch(g);
        begin_atom(&groups[--*depth], g->all);
    } else if (*c == '{') {
        return repeat_braces(g, c);
    } else if (*c == '|') {
        end_branch(g);
    } else if (*c == '*' || *c == '+') {
        repeat_loop(g, *c == '*');
    } else if (*c == '?') {
        g->last.empty = true;
    } else {
        begin_atom(g, (struct atom){.characters = 1, .empty = strchr("^$", *c)});
        return *c == '[' ? skip_bracket(c) : *c == '\\' && c[1] ? c + 1 : c;
    }
    return c;
}

static int check_braces(const char *pattern, rouse_error *err)
{
    for (const char *c = pattern; *c; c++) {
        if (c[0] == '\\' && c[1] >= '1' && c[1] <= '9')
            return rouse_fail(err, ROUSE_EINVAL, "'%.80s' has a back-reference, which patterns here may not", pattern);
        if (c[0] == '\\' && c[1] != '\0')
            c++;
        else if (*c == '{' && repeats_at(c) > LIMIT_PATTERN_REPEAT)
            return rouse_fail(err, ROUSE_EINVAL, "'%.80s' has a number above %d in braces", pattern, LIMIT_PATTERN_REPEAT);
    }
    return 0;
}

static int check_cost(const char *pattern, rouse_error *err)
{
    struct group groups[LIMIT_PATTERN + 1];
    size_t depth = 0;
    if (strlen(pattern) > LIMIT_PATTERN)
        return rouse_fail(err, ROUSE_EINVAL, "a pattern may have %d bytes", LIMIT_PATTERN);
    int code = check_braces(pattern, err);
    if (code < 0)
        return code;
    groups[0] = new_group;
    for (const char *c = pattern; *c; c++) {
        c = count(groups, &depth, c);
        if (!c)
            return rouse_fail(err, ROUSE_EINVAL, "'%.80s' repeats what may be nothing and repeats itself; repeat it once", pattern);
    }
    while (depth > 0)
        count(groups, &depth, ")");
    if (groups[0].all.braces && groups[0].all.characters > LIMIT_PATTERN_REPEATS)
        return rouse_fail(err, ROUSE_EINVAL, "'%.80s' stands for more than %d characters when its repeats are written out", pattern,
                          LIMIT_PATTERN_REPEATS);
    return 0;
}

int proc_check_pattern(const char *pattern, rouse_error *err)
{
    regex_t compiled;
    char reason[128];
    int code = check_cost(pattern, err);
    if (code < 0)
        return code;
    code = regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB);
    if (code == REG_ESPACE)
        return rouse_fail_memory(err);
    if (code != 0) {
        regerror(code, NULL, reason, sizeof reason);
        return rouse_fail(err, ROUSE_EINVAL, "'%.80s' is no regular expression: %s", pattern, reason);
    }
    regfree(&compiled);
    return 0;
}
