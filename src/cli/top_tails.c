/* The last lines of the tasks that rouse top shows. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clean.h"
#include "base/fd.h"
#include "base/utf8.h"
#include "cli/top.h"

#define LOOK_BYTES 4096 /* in which a last line is looked for */
#define LOOK_LINES 5    /* the last ones may be empty */

int top_tails_open(struct top_tails *tails, rouse_error *err)
{
    tails->count = 0;
    tails->changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    return tails->changes < 0 ? rouse_fail_errno(err, ROUSE_EIO, errno, "cannot watch for output") : 0;
}

void top_tails_close(struct top_tails *tails)
{
    fd_close(&tails->changes);
    tails->count = 0;
}

bool top_tails_take(struct top_tails *tails)
{
    char block[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
    bool any = false;
    ssize_t n;
    while ((n = read(tails->changes, block, sizeof block)) > 0) {
        for (char *at = block; at < block + n;) {
            const struct inotify_event *event = (const struct inotify_event *)(void *)at;
            for (size_t i = 0; i < tails->count; i++) {
                bool meant = event->wd == tails->at[i].watch || event->mask & IN_Q_OVERFLOW;
                tails->at[i].stale = tails->at[i].stale || meant;
                any = any || meant;
            }
            at += sizeof *event + event->len;
        }
    }
    return any;
}

/* The last line of cleaned text that has something in it. */
static void copy_last_line(char out[TOP_LINE], const struct buf *text)
{
    const char *begin = buf_text(text);
    size_t end = text->len;
    while (end > 0 && (begin[end - 1] == '\n' || begin[end - 1] == ' '))
        end--;
    size_t at = end;
    while (at > 0 && begin[at - 1] != '\n')
        at--;
    size_t len = utf8_cut(begin + at, end - at, TOP_LINE - 1);
    memcpy(out, begin + at, len);
    out[len] = '\0';
}

static int read_clean(struct top *top, const char *id, uint64_t offset, size_t most, struct buf *out, rouse_error *err)
{
    struct clean clean = CLEAN_INIT;
    char block[LOOK_BYTES];
    int n = 1;
    for (size_t got = 0; n > 0 && got < most; got += (size_t)n) {
        n = rouse_task_read(top->cli->manager, id, &offset, block, sizeof block, err);
        if (n <= 0)
            break;
        clean_feed(&clean, out, block, (size_t)n);
        offset += (uint64_t)n;
    }
    clean_flush(&clean, out);
    clean_done(&clean);
    return n < 0 ? n : buf_check(out, err);
}

/* Where to begin for the last lines, no more than `most` bytes before the end. */
static int find_begin(struct top *top, const char *id, size_t lines, size_t most, uint64_t *ret_offset, uint64_t *ret_size,
                      rouse_error *err)
{
    rouse_output output;
    int code = rouse_task_output(top->cli->manager, id, &output, err);
    if (code == 0)
        code = rouse_task_tail(top->cli->manager, id, lines, ret_offset, err);
    if (code < 0)
        return code;
    if (output.size > most && *ret_offset < output.size - most)
        *ret_offset = output.size - most;
    *ret_size = output.size;
    return 0;
}

static void load(struct top *top, struct top_tail *tail)
{
    struct buf text = BUF_INIT(0);
    uint64_t offset;
    tail->line[0] = '\0';
    tail->stale = false;
    if (find_begin(top, tail->id, LOOK_LINES, LOOK_BYTES, &offset, &tail->size, NULL) == 0 &&
        read_clean(top, tail->id, offset, LOOK_BYTES * 2, &text, NULL) == 0)
        copy_last_line(tail->line, &text);
    buf_done(&text);
}

static const struct top_tail *find(const struct top_tail *tails, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(tails[i].id, id) == 0)
            return &tails[i];
    }
    return NULL;
}

/* Watched before it is read, so that nothing falls between. */
static void begin(struct top *top, struct top_tail *tail, const rouse_task *task)
{
    char path[PATH_MAX];
    rouse_output output;
    snprintf(tail->id, sizeof tail->id, "%s", task->task_id);
    snprintf(path, sizeof path, "%s/tasks/%s", rouse_store_path(top->cli->store), tail->id);
    tail->watch = -1;
    /* An id that has output is no path of somebody else's. A supervisor that is killed closes what it wrote to. */
    if (task->status == ROUSE_RUNNING && rouse_task_output(top->cli->manager, tail->id, &output, NULL) == 0)
        tail->watch = inotify_add_watch(top->tails.changes, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR);
    load(top, tail);
}

void top_tails_show(struct top *top, const rouse_task *const *tasks, size_t count)
{
    struct top_tails *tails = &top->tails;
    struct top_tail *before = tails->before;
    size_t n_before = tails->count;
    memcpy(before, tails->at, n_before * sizeof *before);
    tails->count = count < SCREEN_ROWS ? count : SCREEN_ROWS;
    for (size_t i = 0; i < tails->count; i++) {
        const struct top_tail *known = find(before, n_before, tasks[i]->task_id);
        if (known)
            tails->at[i] = *known;
        else
            begin(top, &tails->at[i], tasks[i]);
        if (tails->at[i].stale)
            load(top, &tails->at[i]);
    }
    for (size_t i = 0; i < n_before; i++) {
        if (before[i].watch >= 0 && !find(tails->at, tails->count, before[i].id))
            inotify_rm_watch(tails->changes, before[i].watch);
    }
}

const char *top_tails_line(const struct top_tails *tails, const char *id)
{
    const struct top_tail *tail = find(tails->at, tails->count, id);
    return tail ? tail->line : "";
}

int top_tails_log(struct top *top, const char *id, size_t lines, struct buf *out, rouse_error *err)
{
    uint64_t offset, size;
    int code = find_begin(top, id, lines, TOP_LOG, &offset, &size, err);
    return code == 0 ? read_clean(top, id, offset, TOP_LOG, out, err) : code;
}
