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

/* Offset behind the newline that precedes the last `lines` lines of [start, end), or start. */
static int find_line(rouse_manager *m, const char *id, uint64_t start, uint64_t end, size_t lines, uint64_t *ret_offset,
                     rouse_error *err)
{
    char block[16384];
    uint64_t at = end;
    size_t seen = 0;
    while (at > start) {
        uint64_t from = at - start > sizeof block ? at - sizeof block : start;
        uint64_t got_from = from;
        int n = proc_output_read(m->tasks, id, &got_from, block, (size_t)(at - from), err);
        if (n < 0)
            return n;
        for (int i = n; i > 0; i--) {
            /* A newline at the very end closes the last line and starts none. */
            if (block[i - 1] != '\n' || got_from + (uint64_t)i == end || ++seen < lines)
                continue;
            *ret_offset = got_from + (uint64_t)i;
            return 0;
        }
        if (got_from > from)
            break; /* what came before was dropped */
        at = from;
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
