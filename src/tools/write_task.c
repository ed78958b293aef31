#include "tools/tools.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

#define PATIENCE_MS 10000 /* with a command that does not read */

struct args {
    const char *task, *text;
    bool newline, eof;
};

static const struct jfield rows[] = {
    {.name = "task", .type = JFIELD_STRING, .need = JFIELD_REQUIRED, .offset = offsetof(struct args, task)},
    {.name = "text", .type = JFIELD_STRING, .offset = offsetof(struct args, text)},
    {.name = "newline", .type = JFIELD_BOOL, .offset = offsetof(struct args, newline)},
    {.name = "eof", .type = JFIELD_BOOL, .offset = offsetof(struct args, eof)},
};
static const struct jfields fields = {.rows = rows, .count = sizeof rows / sizeof *rows};

static int give(const rouse_call *call, const struct args *a, const char *id, struct buf *bytes, rouse_error *err)
{
    size_t taken = 0;
    rouse_error why = {0};
    if (a->text)
        buf_adds(bytes, a->text);
    if (a->text && a->newline)
        buf_addc(bytes, '\n');
    int code = buf_check(bytes, err);
    if (code < 0)
        return code;
    code = rouse_task_write(call->manager, call->thread, id, buf_text(bytes), bytes->len, a->eof, PATIENCE_MS, &taken, &why);
    if (code == ROUSE_ETIMEOUT)
        return rouse_fail(err, code, "'%s' does not read: it took %zu of %zu bytes", id, taken, bytes->len);
    return code < 0 ? rouse_fail(err, code, "%s", why.message) : 0;
}

static int write_task(rouse_call *call, const char *arguments, char **ret_result, rouse_error *err)
{
    struct arena arena = {0};
    struct args a = {.newline = true};
    struct buf bytes = BUF_INIT(LIMIT_TOOL_ARGUMENTS + 1), out = BUF_INIT(LIMIT_JSON);
    rouse_task *task = NULL;
    int code = jfields_decode(&fields, arguments, strlen(arguments), &arena, &a, err);
    if (code == 0 && !a.text && !a.eof)
        code = rouse_fail(err, ROUSE_EINVAL, "nothing to write: give 'text' or 'eof'");
    if (code == 0)
        code = tools_find(call, a.task, &task, err);
    if (code == 0)
        code = give(call, &a, task->task_id, &bytes, err);
    if (code == 0) {
        buf_addc(&out, '{');
        tools_add_text(&out, "task_id", task->task_id);
        buf_addf(&out, ",\"written\":%zu}", bytes.len);
        *ret_result = buf_take(&out, err);
        code = *ret_result ? 0 : ROUSE_ENOMEM;
    }
    buf_done(&out);
    buf_done(&bytes);
    rouse_task_free(task);
    arena_done(&arena);
    return code;
}

const rouse_tool tool_write_task = {
    .name = "write_task",
    .description =
        "Writes a line to the standard input of a task that was started with stdin, as when its stage is waiting_input. "
        "What it answers is read with read_output.",
    .parameters =
        "{\"type\":\"object\",\"properties\":{"
        "\"task\":{\"type\":\"string\",\"description\":\"id or name\"},"
        "\"text\":{\"type\":\"string\",\"description\":\"what to write\"},"
        "\"newline\":{\"type\":\"boolean\",\"description\":\"end the text with a newline; default true\"},"
        "\"eof\":{\"type\":\"boolean\",\"description\":\"end its input behind the text\"}},"
        "\"required\":[\"task\"]}",
    .repeatable = false, /* what was read once may not be read twice: the model is told instead */
    .call = write_task,
};
