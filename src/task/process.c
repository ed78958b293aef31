#include "task/process.h"

#include <stddef.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"

static const char *const input_names[] = {[ROUSE_INPUT_NONE] = "none", [ROUSE_INPUT_PIPE] = "pipe", [ROUSE_INPUT_TTY] = "tty", NULL};

#define ROW(member, type) {#member, JFIELD_##type, JFIELD_OPTIONAL, offsetof(rouse_process, member), 0, NULL, NULL}
static const struct jfield rows[] = {
    {"input", JFIELD_ENUM, JFIELD_OPTIONAL, offsetof(rouse_process, input), 0, input_names, NULL},
    ROW(rows, INT),
    ROW(columns, INT),
    ROW(has_umask, BOOL),
    ROW(umask, INT),
    ROW(cpu_seconds, U64),
    ROW(memory_bytes, U64),
    ROW(files, U64),
    ROW(nice, INT),
    ROW(head_bytes, U64),
    ROW(tail_bytes, U64),
    ROW(wait_tree, BOOL),
    ROW(sandbox, BOOL),
    ROW(writable, STRINGS),
    ROW(no_network, BOOL),
};
#undef ROW
const struct jfields process_fields = {.rows = rows, .count = sizeof rows / sizeof *rows};

static const char *truth(bool is)
{
    return is ? "true" : "false";
}

void process_add(struct buf *out, const rouse_process *p)
{
    buf_addf(out, ",\"process\":{\"input\":\"%s\",\"rows\":%u,\"columns\":%u,\"has_umask\":%s,\"umask\":%u,\"nice\":%d",
             input_names[p->input], p->rows, p->columns, truth(p->has_umask), p->umask, p->nice);
    buf_addf(out, ",\"cpu_seconds\":%llu,\"memory_bytes\":%llu,\"files\":%llu,\"head_bytes\":%llu,\"tail_bytes\":%llu",
             (unsigned long long)p->cpu_seconds, (unsigned long long)p->memory_bytes, (unsigned long long)p->files,
             (unsigned long long)p->head_bytes, (unsigned long long)p->tail_bytes);
    buf_addf(out, ",\"wait_tree\":%s,\"sandbox\":%s,\"no_network\":%s,\"writable\":[", truth(p->wait_tree), truth(p->sandbox),
             truth(p->no_network));
    for (size_t i = 0; p->writable && p->writable[i]; i++) {
        if (i > 0)
            buf_addc(out, ',');
        jtext_add_string(out, p->writable[i], strlen(p->writable[i]));
    }
    buf_adds(out, "]}");
}

static int check_output(const rouse_process *p, rouse_error *err)
{
    if (p->head_bytes > LIMIT_OUTPUT_PART || p->tail_bytes > LIMIT_OUTPUT_PART)
        return rouse_fail(err, ROUSE_ELIMIT, "a task keeps at most %llu bytes of the beginning and of the end of its output",
                          (unsigned long long)LIMIT_OUTPUT_PART);
    return 0;
}

static int check_limits(const rouse_process *p, rouse_error *err)
{
    if (p->memory_bytes && p->memory_bytes < 1u << 20)
        return rouse_fail(err, ROUSE_EINVAL, "%llu bytes of memory are too few to start a program; give at least 1 MiB",
                          (unsigned long long)p->memory_bytes);
    if (p->files && p->files < 4)
        return rouse_fail(err, ROUSE_EINVAL, "%llu open files are too few to start a program; give at least 4",
                          (unsigned long long)p->files);
    if (p->cpu_seconds > LIMIT_SECONDS || p->memory_bytes > INT64_MAX || p->files > INT32_MAX)
        return rouse_fail(err, ROUSE_ELIMIT, "a limit of cpu, memory or files is too large to be one");
    if (p->nice < -20 || p->nice > 19)
        return rouse_fail(err, ROUSE_EINVAL, "nice %d is not between -20 and 19", p->nice);
    if (p->has_umask && p->umask > 0777)
        return rouse_fail(err, ROUSE_EINVAL, "umask %o is not between 0 and 777", p->umask);
    return check_output(p, err);
}

static int check_sandbox(const rouse_process *p, rouse_error *err)
{
    size_t n = 0;
    if (!p->sandbox && (p->no_network || (p->writable && p->writable[0])))
        return rouse_fail(err, ROUSE_EINVAL, "writable paths and no network are for a sandbox; ask for one");
    for (; p->writable && p->writable[n]; n++) {
        const char *path = p->writable[n];
        if (n == LIMIT_WRITABLE)
            return rouse_fail(err, ROUSE_ELIMIT, "a sandbox has at most %d writable paths", LIMIT_WRITABLE);
        if (path[0] != '/')
            return rouse_fail(err, ROUSE_EINVAL, "writable path '%.80s' does not begin with '/'", path);
        if (strlen(path) > LIMIT_LINE)
            return rouse_fail(err, ROUSE_ELIMIT, "a writable path is longer than %d bytes", LIMIT_LINE);
    }
    return 0;
}

int process_check(const rouse_process *p, rouse_error *err)
{
    if (!p)
        return 0;
    if (p->input < ROUSE_INPUT_NONE || p->input > ROUSE_INPUT_TTY)
        return rouse_fail(err, ROUSE_EINVAL, "unknown kind of input");
    if (p->rows > UINT16_MAX || p->columns > UINT16_MAX)
        return rouse_fail(err, ROUSE_EINVAL, "a terminal has at most %d rows and columns", UINT16_MAX);
    int code = check_limits(p, err);
    return code == 0 ? check_sandbox(p, err) : code;
}

void process_fill(const rouse_process *p, struct proc_start *start, struct proc_sandbox *sandbox)
{
    static const enum proc_input inputs[] = {
        [ROUSE_INPUT_NONE] = PROC_INPUT_NONE, [ROUSE_INPUT_PIPE] = PROC_INPUT_PIPE, [ROUSE_INPUT_TTY] = PROC_INPUT_TTY};
    if (!p)
        return;
    start->input = inputs[p->input];
    start->rows = p->rows;
    start->columns = p->columns;
    start->has_umask = p->has_umask;
    start->umask = (mode_t)p->umask;
    start->cpu_seconds = p->cpu_seconds;
    start->memory_bytes = p->memory_bytes;
    start->files = p->files;
    start->nice = p->nice;
    start->head_bytes = p->head_bytes;
    start->tail_bytes = p->tail_bytes;
    start->wait_tree = p->wait_tree;
    if (p->sandbox) {
        *sandbox = (struct proc_sandbox){.writable = p->writable, .no_network = p->no_network};
        start->sandbox = sandbox;
    }
}

const char *process_input_text(const rouse_process *p)
{
    return p && p->input != ROUSE_INPUT_NONE ? input_names[p->input] : NULL;
}
