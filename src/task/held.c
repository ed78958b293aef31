#include "task/held.h"

#include <stddef.h>
#include <string.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "json/jfields.h"
#include "task/process.h"

static int check_words(const char *what, const char *const *words, rouse_error *err)
{
    for (size_t i = 0; words && words[i]; i++) {
        if (!utf8_is_valid(words[i], strlen(words[i])))
            return rouse_fail(err, ROUSE_EINVAL, "%s of a task that begins later or again must be valid UTF-8", what);
    }
    return 0;
}

int held_check(const rouse_task_spec *spec, rouse_error *err)
{
    int code = check_words("the command", spec->argv, err);
    if (code == 0)
        code = check_words("the environment", spec->env, err);
    return code < 0 || !spec->process ? code : check_words("a writable path", spec->process->writable, err);
}

static void add_words(struct buf *out, const char *name, const char *const *words)
{
    jtext_add_name(out, name);
    buf_addc(out, '[');
    for (size_t i = 0; words && words[i]; i++) {
        if (i > 0)
            buf_addc(out, ',');
        jtext_add_string(out, words[i], strlen(words[i]));
    }
    buf_addc(out, ']');
}

void held_add(struct buf *out, const rouse_task_spec *spec)
{
    add_words(out, "argv", spec->argv);
    add_words(out, "env", spec->env);
    if (spec->process)
        process_add(out, spec->process);
}

#define ROW(member, type) {#member, JFIELD_##type, JFIELD_REQUIRED, offsetof(struct held, member), 0, NULL, NULL}
static const struct jfield rows[] = {
    ROW(token, STRING), ROW(argv, STRINGS), ROW(env, STRINGS), ROW(timeout_ms, U64), ROW(idle_timeout_ms, U64), ROW(grace_ms, U64),
    {"process", JFIELD_OBJECT, JFIELD_OPTIONAL, offsetof(struct held, process), offsetof(struct held, has_process), NULL, &process_fields},
};
#undef ROW
static const struct jfields fields = {.rows = rows, .count = sizeof rows / sizeof *rows};

int held_read(int dir, struct held *fill, rouse_error *err)
{
    struct buf text = BUF_INIT(LIMIT_JSON);
    *fill = (struct held){0};
    int code = fd_read_file(dir, "spec.json", LIMIT_JSON, &text, err);
    if (code == 0)
        code = jfields_decode(&fields, buf_text(&text), text.len, &fill->arena, fill, err);
    buf_done(&text);
    if (code == 0 && !fill->argv[0])
        code = rouse_fail(err, ROUSE_EDATA, "spec.json names no command");
    return code;
}

void held_done(struct held *held)
{
    arena_done(&held->arena);
}
