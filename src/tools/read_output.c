#include "tools/tools.h"

#include <stdlib.h>
#include <string.h>

#include "base/clean.h"
#include "base/limits.h"
#include "base/utf8.h"

#define DEFAULT_BYTES (16u << 10)
#define DEFAULT_LINES 100

struct args {
    const char *task;
    uint64_t tail, offset, max_bytes;
    bool has_tail, has_offset;
};

static const struct jfield rows[] = {
    {.name = "task", .type = JFIELD_STRING, .need = JFIELD_REQUIRED, .offset = offsetof(struct args, task)},
    {.name = "tail", .type = JFIELD_U64, .offset = offsetof(struct args, tail), .has = offsetof(struct args, has_tail)},
    {.name = "offset",
     .type = JFIELD_U64,
     .offset = offsetof(struct args, offset),
     .has = offsetof(struct args, has_offset)},
    {.name = "max_bytes", .type = JFIELD_U64, .offset = offsetof(struct args, max_bytes)},
};
static const struct jfields fields = {.rows = rows, .count = sizeof rows / sizeof *rows};

struct piece { /* of the raw output */
    char *bytes;
    size_t len;
    uint64_t offset; /* of the first byte */
    rouse_output output;
};

static int check(struct args *a, rouse_error *err)
{
    if (a->has_tail && a->has_offset)
        return rouse_fail(err, ROUSE_EINVAL, "give 'tail' or 'offset', not both");
    if (a->max_bytes > LIMIT_OUTPUT_READ)
        return rouse_fail(err, ROUSE_EINVAL, "'max_bytes' must be at most %u", LIMIT_OUTPUT_READ);
    if (a->max_bytes == 0)
        a->max_bytes = DEFAULT_BYTES;
    if (!a->has_tail)
        a->tail = DEFAULT_LINES;
    return 0;
}

/* Where to begin: at the offset asked for, else where the last lines do, but not further back than max_bytes. */
static int find_start(const rouse_call *call, const struct args *a, const char *id, struct piece *p, rouse_error *err)
{
    int code = rouse_task_output(call->manager, id, &p->output, err);
    if (code < 0)
        return code;
    p->offset = a->offset;
    if (a->has_offset)
        return 0;
    code = rouse_task_tail(call->manager, id, (size_t)(a->tail < LIMIT_LIST ? a->tail : LIMIT_LIST), &p->offset, err);
    if (code == 0 && p->output.size > a->max_bytes && p->offset < p->output.size - a->max_bytes)
        p->offset = p->output.size - a->max_bytes;
    return code;
}

/* The store of output has gaps where bytes were dropped: a piece never spans one. */
static int read_piece(const rouse_call *call, const char *id, size_t max, struct piece *p, rouse_error *err)
{
    int got = 1;
    while (got > 0 && p->len < max) {
        uint64_t at = p->offset + p->len;
        uint64_t from = at;
        got = rouse_task_read(call->manager, id, &from, p->bytes + p->len, max - p->len, err);
        if (got <= 0)
            break;
        if (p->len == 0)
            p->offset = from;
        else if (from != at)
            break;
        p->len += (size_t)got;
    }
    return got < 0 ? got : 0;
}

/* A piece in the middle of the output ends with a line if it can, else with a character, so that the next one begins well. */
static void trim(struct piece *p, bool more)
{
    if (!more)
        return;
    for (size_t n = p->len; n > p->len / 2; n--)
        if (p->bytes[n - 1] == '\n') {
            p->len = n;
            return;
        }
    size_t cut = utf8_cut(p->bytes, p->len, p->len > 4 ? p->len - 1 : p->len);
    p->len = cut > 0 ? cut : p->len;
}

static int answer(const rouse_task *task, const struct piece *p, char **ret_result, rouse_error *err)
{
    struct buf text = BUF_INIT(LIMIT_TEXT);
    struct buf out = BUF_INIT(LIMIT_TEXT);
    clean_text(&text, p->bytes, p->len);
    buf_adds(&out, "{\"text\":");
    jtext_add_string(&out, buf_text(&text), text.len);
    buf_addf(&out, ",\"offset\":%llu,\"next_offset\":%llu,\"size\":%llu,\"dropped\":%llu",
             (unsigned long long)p->offset, (unsigned long long)(p->offset + p->len),
             (unsigned long long)p->output.size, (unsigned long long)p->output.dropped);
    tools_add_text(&out, "status", rouse_status_text(task->status));
    buf_addc(&out, '}');
    int code = buf_check(&text, err);
    *ret_result = code == 0 ? buf_take(&out, err) : NULL;
    buf_done(&text);
    buf_done(&out);
    return *ret_result ? 0 : ROUSE_ENOMEM;
}

static int read_task(const rouse_call *call, const struct args *a, const rouse_task *task, char **ret_result,
                     rouse_error *err)
{
    struct piece p = {0};
    int code = find_start(call, a, task->task_id, &p, err);
    if (code < 0)
        return code;
    p.bytes = malloc((size_t)a->max_bytes + 1);
    if (!p.bytes)
        return rouse_fail_memory(err);
    code = read_piece(call, task->task_id, (size_t)a->max_bytes, &p, err);
    if (code == 0) {
        trim(&p, p.offset + p.len < p.output.size);
        code = answer(task, &p, ret_result, err);
    }
    free(p.bytes);
    return code;
}

static int read_output(rouse_call *call, const char *arguments, char **ret_result, rouse_error *err)
{
    struct arena arena = {0};
    struct args a = {0};
    rouse_task *task = NULL;
    int code = jfields_decode(&fields, arguments, strlen(arguments), &arena, &a, err);
    if (code == 0)
        code = check(&a, err);
    if (code == 0)
        code = tools_find(call, a.task, &task, err);
    if (code == 0)
        code = read_task(call, &a, task, ret_result, err);
    rouse_task_free(task);
    arena_done(&arena);
    return code;
}

const rouse_tool tool_read_output = {
    .name = "read_output",
    .description = "Reads what a task printed: its last lines, or from an offset on (continue with next_offset). "
                   "Offsets count all "
                   "bytes ever printed; dropped says how many of them are no longer kept.",
    .parameters =
        "{\"type\":\"object\",\"properties\":{"
        "\"task\":{\"type\":\"string\",\"description\":\"task id or name\"},"
        "\"tail\":{\"type\":\"integer\",\"minimum\":0,\"description\":\"so many last lines; default 100\"},"
        "\"offset\":{\"type\":\"integer\",\"minimum\":0,\"description\":\"instead of tail\"},"
        "\"max_bytes\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":65536,\"description\":\"default 16384\"}},"
        "\"required\":[\"task\"]}",
    .repeatable = true,
    .call = read_output,
};
