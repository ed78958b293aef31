/* Reading a task's output. */
#include <string.h>

#include "base/limits.h"
#include "task/manager.h"

#define TAIL_SEARCH (1u << 20)

int rouse_task_read(rouse_manager *manager, const char *task_id, uint64_t *offset, char *fill, size_t size, rouse_error *err)
{
    return proc_output_read(manager->tasks, task_id, offset, fill, size, err);
}

int rouse_task_output(rouse_manager *manager, const char *task_id, rouse_output *fill, rouse_error *err)
{
    struct proc_output output;
    int code = proc_output_size(manager->tasks, task_id, &output, err);
    if (code == 0)
        *fill = (rouse_output){.size = output.size, .kept = output.kept, .dropped = output.dropped};
    return code;
}

/* The last bytes of [*from, at) that stand together, without a gap between them or to at. Returns how many; *from moves to the first. */
static int read_last_run(rouse_manager *m, const char *id, uint64_t *from, uint64_t at, char *block, rouse_error *err)
{
    size_t len = 0;
    for (uint64_t next = *from; next < at;) {
        uint64_t got = next;
        int n = proc_output_read(m->tasks, id, &got, block + len, (size_t)(at - next), err);
        if (n < 0)
            return n;
        if (n == 0 || got >= at) {
            *from = at;
            return 0;
        }
        uint64_t most = at - got;
        size_t more = (uint64_t)n < most ? (size_t)n : (size_t)most;
        if (got > next) {
            memmove(block, block + len, more);
            *from = got;
            len = 0;
        }
        len += more;
        next = got + more;
    }
    return (int)len;
}

/* Offset behind the newline that precedes the last `lines` lines of [start, end); or where they begin to stand together, or start. */
static int find_line(rouse_manager *m, const char *id, uint64_t start, uint64_t end, size_t lines, uint64_t *ret_offset,
                     rouse_error *err)
{
    char block[16384];
    uint64_t at = end;
    size_t seen = 0;
    while (at > start) {
        uint64_t from = at - start > sizeof block ? at - sizeof block : start;
        uint64_t run = from;
        int n = read_last_run(m, id, &run, at, block, err);
        if (n < 0)
            return n;
        for (int i = n; i > 0; i--) {
            /* A newline at the very end closes the last line and starts none. */
            if (block[i - 1] != '\n' || run + (uint64_t)i == end || ++seen < lines)
                continue;
            *ret_offset = run + (uint64_t)i;
            return 0;
        }
        at = run;
        if (run > from)
            break; /* what came before was dropped */
    }
    *ret_offset = at;
    return 0;
}

int rouse_task_tail(rouse_manager *manager, const char *task_id, size_t lines, uint64_t *ret_offset, rouse_error *err)
{
    struct proc_output output;
    int code = proc_output_size(manager->tasks, task_id, &output, err);
    if (code < 0)
        return code;
    if (lines == 0) {
        *ret_offset = output.size;
        return 0;
    }
    uint64_t start = output.size > TAIL_SEARCH ? output.size - TAIL_SEARCH : 0;
    return find_line(manager, task_id, start, output.size, lines, ret_offset, err);
}
