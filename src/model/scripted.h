/* A script, read: {"turns":[{"expect":[…],"refuse":[…],"capture":{"name":"regex"},"say":"…","tools":[{"name","arguments"}],
 * "pause_ms":n}]}. Every member is optional. See scripted.c for what they mean. */
#ifndef MODEL_SCRIPTED_H
#define MODEL_SCRIPTED_H

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "rouse/model.h"

struct script_capture {
    const char *name, *pattern; /* POSIX extended, with one group */
};

struct script_tool {
    const char *name, *arguments; /* JSON text, {{name}} not yet replaced */
};

struct script_turn {
    const char **expect, **refuse; /* NULL-terminated, or NULL */
    struct script_capture *captures;
    size_t n_captures;
    const char *say;
    struct script_tool *tools;
    size_t n_tools;
    uint64_t pause_ms;
};

struct script {
    const char *name; /* the file's, without directories */
    struct script_turn *turns;
    size_t n_turns;
    struct arena arena; /* owns everything */
};

/* text is read and not kept. ROUSE_EDATA `script 'f' line n: …`. On failure nothing is left to free. */
int script_parse(const char *file, const char *text, size_t len, struct script *fill, rouse_error *err);
void script_done(struct script *s);

#endif
