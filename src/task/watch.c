#include "task/watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/fd.h"

#define BLOCK 65536
#define BLOCKS_PER_LOOK 16   /* so that one task that prints without end does not keep the others from being looked at */
#define LULL_MS 100          /* a line without an end is tried once its task has been silent for so long: a prompt */

static uint64_t mono(const struct watch *w)
{
    return w->manager->platform->mono_ms(w->manager->platform->userdata);
}

static int compile(struct watch *w, const char *pattern, rouse_error *err)
{
    int code = proc_check_pattern(pattern, err);
    if (code < 0)
        return code;
    if (regcomp(&w->pattern, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return rouse_fail_memory(err);
    w->matches = true;
    return 0;
}

bool watch_is_wanted(const rouse_wait *wait)
{
    return wait->until == ROUSE_UNTIL_MATCH || wait->until == ROUSE_UNTIL_IDLE;
}

int watch_changes(int *ret_fd, rouse_error *err)
{
    *ret_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    return *ret_fd >= 0 ? 0 : rouse_fail_errno(err, ROUSE_EIO, errno, "cannot watch for output (see fs.inotify.max_user_instances)");
}

int watch_open(struct watch *w, rouse_manager *m, const rouse_wait *wait, size_t count, int lent, rouse_error *err)
{
    *w = (struct watch){.manager = m, .changes = lent, .lent = lent >= 0, .idle_ms = wait->idle_ms, .from = wait->match_from};
    if (!watch_is_wanted(wait))
        return 0;
    if (wait->until == ROUSE_UNTIL_MATCH) {
        int code = wait->match ? compile(w, wait->match, err) : rouse_fail(err, ROUSE_EINVAL, "no pattern to wait for");
        if (code < 0)
            return code;
    }
    w->items = calloc(count + 1, sizeof *w->items);
    if (!w->items)
        return rouse_fail_memory(err);
    w->count = count;
    for (size_t i = 0; i < count; i++)
        w->items[i].wd = -1;
    return w->lent ? 0 : watch_changes(&w->changes, err);
}

void watch_close(struct watch *w)
{
    for (size_t i = 0; i < w->count; i++) {
        clean_done(&w->items[i].clean);
        buf_done(&w->items[i].line);
    }
    free(w->items);
    if (w->matches)
        regfree(&w->pattern);
    if (w->manager && !w->lent) /* else it was never opened, and 0 is no descriptor of ours */
        fd_close(&w->changes);
    *w = (struct watch){.changes = -1};
}

/* ---- matching ---- */

static bool try_line(const struct watch *w, struct watched *t)
{
    t->held = regexec(&w->pattern, buf_text(&t->line), 0, NULL, 0) == 0;
    return t->held;
}

static void next_line(struct watched *t, uint64_t at)
{
    clean_done(&t->clean);
    t->clean = CLEAN_INIT;
    buf_reset(&t->line);
    t->line_at = at;
    t->skips = false;
    t->stale = false;
}

/* A piece of one line. Of a line longer than LIMIT_LINE the beginning counts. */
static void add_to_line(struct watched *t, const char *bytes, size_t len)
{
    if (t->skips)
        return;
    clean_feed(&t->clean, &t->line, bytes, len);
    if (t->line.len >= LIMIT_LINE) {
        t->line.data[t->line.len = LIMIT_LINE] = '\0';
        t->skips = true;
    }
}

static void close_line(struct watched *t)
{
    if (!t->skips)
        clean_flush(&t->clean, &t->line);
    if (t->line.len > LIMIT_LINE)
        t->line.data[t->line.len = LIMIT_LINE] = '\0';
}

/* Takes in bytes that stand at t->offset, until a line matches. */
static int match_bytes(const struct watch *w, struct watched *t, const char *bytes, size_t len, rouse_error *err)
{
    for (size_t at = 0; at < len && !t->held;) {
        const char *end = memchr(bytes + at, '\n', len - at);
        size_t n = end ? (size_t)(end - bytes) - at : len - at;
        add_to_line(t, bytes + at, n);
        at += n + (end != NULL);
        t->offset += n + (end != NULL);
        t->stale = true;
        if (!end)
            break;
        close_line(t);
        if (!try_line(w, t))
            next_line(t, t->offset);
    }
    return buf_check(&t->line, err);
}

static int read_on(struct watch *w, struct watched *t, size_t most, rouse_error *err)
{
    char block[BLOCK];
    t->changed = false;
    for (size_t i = 0; !t->held; i++) {
        uint64_t offset = t->offset;
        if (i == most) {
            t->changed = true;
            return 0;
        }
        int n = proc_output_read(w->manager->tasks, t->id, &offset, block, sizeof block, err);
        if (n <= 0)
            return n == ROUSE_ENOTFOUND ? 0 : n;
        if (offset != t->offset) { /* some of it is kept no longer */
            t->offset = offset;
            next_line(t, offset);
        }
        t->heard_at = mono(w);
        int code = match_bytes(w, t, block, (size_t)n, err);
        if (code < 0)
            return code;
    }
    return 0;
}

/* The last line as it stands; it goes on when more comes. */
static int try_unfinished(const struct watch *w, struct watched *t, rouse_error *err)
{
    struct buf whole = BUF_INIT(0);
    t->stale = false;
    buf_add(&whole, buf_text(&t->line), t->line.len);
    buf_add(&whole, buf_text(&t->clean.line), t->skips ? 0 : t->clean.line.len);
    int code = buf_check(&whole, err);
    if (code == 0 && whole.len > LIMIT_LINE)
        whole.data[whole.len = LIMIT_LINE] = '\0';
    if (code == 0 && regexec(&w->pattern, buf_text(&whole), 0, NULL, 0) == 0) {
        buf_done(&t->line);
        t->line = whole;
        t->held = true;
        return 0;
    }
    buf_done(&whole);
    return code;
}

static int look_for_match(struct watch *w, struct watched *t, rouse_error *err)
{
    int code = t->changed ? read_on(w, t, BLOCKS_PER_LOOK, err) : 0;
    if (code < 0 || t->held || !t->stale || mono(w) < t->heard_at + LULL_MS)
        return code;
    return try_unfinished(w, t, err);
}

/* ---- silence ---- */

static int look_for_silence(struct watch *w, struct watched *t, rouse_error *err)
{
    struct proc_output output;
    uint64_t now = mono(w);
    /* Also when the time is up without a change: changes are hints. */
    if (t->changed || now >= t->heard_at + w->idle_ms) {
        int code = proc_output_size(w->manager->tasks, t->id, &output, err);
        if (code < 0)
            return code == ROUSE_ENOTFOUND ? 0 : code;
        if (output.size != t->offset)
            t->heard_at = now;
        t->offset = output.size;
        t->changed = false;
    }
    t->held = now >= t->heard_at + w->idle_ms;
    return 0;
}

/* ---- both ---- */

/* What else it prints is of no interest, unless the same task is watched twice. */
static void stop_hearing(struct watch *w, struct watched *t)
{
    int wd = t->wd;
    t->wd = -1;
    for (size_t i = 0; i < w->count; i++) {
        if (w->items[i].wd == wd)
            return;
    }
    if (!w->lent)
        inotify_rm_watch(w->changes, wd);
}

static int look(struct watch *w, struct watched *t, rouse_error *err)
{
    if (t->wd < 0)
        return 0;
    if (!w->matches)
        return look_for_silence(w, t, err);
    int code = look_for_match(w, t, err);
    if (t->held)
        stop_hearing(w, t);
    return code;
}

static bool prepare(struct watch *w, struct watched *t, const char *id)
{
    if (strlen(id) > LIMIT_TASK_ID)
        return false; /* of an imported record: there is no process */
    snprintf(t->id, sizeof t->id, "%s", id);
    t->clean = CLEAN_INIT;
    t->line = BUF_INIT(0);
    t->offset = t->line_at = w->matches ? w->from : 0;
    t->heard_at = mono(w);
    t->changed = true;
    return true;
}

int watch_begin(struct watch *w, size_t i, const char *id, rouse_error *err)
{
    char path[64];
    if (i >= w->count || w->items[i].id[0])
        return 0;
    struct watched *t = &w->items[i];
    if (!prepare(w, t, id))
        return 0;
    snprintf(path, sizeof path, "/proc/self/fd/%d/%s", w->manager->tasks, t->id);
    t->wd = inotify_add_watch(w->changes, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
    if (t->wd < 0 && errno != ENOENT)
        return rouse_fail_errno(err, ROUSE_EIO, errno, "cannot watch the output of '%s' (see fs.inotify.max_user_watches)", t->id);
    if (w->matches)
        return look(w, t, err);
    struct proc_output output;
    if (t->wd >= 0 && proc_output_size(w->manager->tasks, t->id, &output, NULL) == 0)
        t->offset = output.size;
    t->changed = false;
    return 0;
}

int watch_end(struct watch *w, size_t i, const char *id, rouse_error *err)
{
    if (i >= w->count || !w->matches)
        return 0;
    struct watched *t = &w->items[i];
    if (!t->id[0] && !prepare(w, t, id))
        return 0;
    if (t->wd >= 0)
        stop_hearing(w, t);
    int code = t->held ? 0 : read_on(w, t, SIZE_MAX, err);
    return code < 0 || t->held || !t->stale ? code : try_unfinished(w, t, err);
}

static void mark_changed(struct watch *w, int wd)
{
    for (size_t i = 0; i < w->count; i++)
        w->items[i].changed |= wd < 0 || w->items[i].wd == wd; /* -1: the kernel lost count */
}

static void hear_changes(struct watch *w)
{
    char events[8192] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t n;
    int last = 0;
    while ((n = read(w->changes, events, sizeof events)) > 0) {
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *event = (const struct inotify_event *)(void *)(events + at);
            if (event->wd != last)
                mark_changed(w, event->wd);
            last = event->wd;
            at += (ssize_t)(sizeof *event + event->len);
        }
    }
}

void watch_mark(struct watch *w, size_t i)
{
    if (i < w->count)
        w->items[i].changed = true;
}

int watch_hears(const struct watch *w, size_t i)
{
    return i < w->count && w->items[i].id[0] ? w->items[i].wd : -1;
}

int watch_look(struct watch *w, rouse_error *err)
{
    int code = 0;
    if (w->count > 0 && !w->lent)
        hear_changes(w);
    for (size_t i = 0; code == 0 && i < w->count; i++) {
        if (!w->matches || !w->items[i].held)
            code = look(w, &w->items[i], err);
    }
    return code;
}

bool watch_holds(const struct watch *w, size_t i)
{
    return i < w->count && w->items[i].held;
}

uint64_t watch_due(const struct watch *w)
{
    uint64_t due = UINT64_MAX;
    for (size_t i = 0; i < w->count; i++) {
        const struct watched *t = &w->items[i];
        uint64_t at = UINT64_MAX;
        if (t->wd < 0 || t->held)
            continue;
        if (t->changed)
            at = 0;
        else if (!w->matches)
            at = t->heard_at + w->idle_ms;
        else if (t->stale)
            at = t->heard_at + LULL_MS;
        due = at < due ? at : due;
    }
    return due;
}

int watch_found(const struct watch *w, rouse_found **ret_found, rouse_error *err)
{
    *ret_found = NULL;
    if (!w->matches)
        return 0;
    rouse_found *found = calloc(w->count + 1, sizeof *found);
    size_t i = 0;
    for (; found && i < w->count; i++) {
        const struct watched *t = &w->items[i];
        found[i].offset = t->line_at;
        found[i].line = t->held ? strdup(buf_text(&t->line)) : NULL;
        if (t->held && !found[i].line)
            break;
    }
    if (found && i == w->count) {
        *ret_found = found;
        return 0;
    }
    watch_found_free(found, w->count);
    return rouse_fail_memory(err);
}

void watch_found_free(rouse_found *found, size_t count)
{
    for (size_t i = 0; found && i < count; i++)
        free((char *)(uintptr_t)found[i].line);
    free(found);
}
