#include "task/spares.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/limits.h"
#include "proc/proc.h"

struct line {
    int fd;
    bool asked; /* to stay */
    char id[LIMIT_TASK_ID + 1];
};

struct spares {
    pthread_mutex_t guard; /* everything below */
    size_t max, count;
    struct line lines[LIMIT_SPARES];
};

struct spares *spares_new(unsigned max)
{
    struct spares *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    pthread_mutex_init(&s->guard, NULL);
    s->max = max < LIMIT_SPARES ? max : LIMIT_SPARES;
    return s;
}

void spares_free(struct spares *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++)
        fd_close(&s->lines[i].fd);
    pthread_mutex_destroy(&s->guard);
    free(s);
}

static int take_out(struct spares *s, size_t i)
{
    int fd = s->lines[i].fd;
    s->lines[i] = s->lines[--s->count];
    return fd;
}

/* A free one's line, or -1. Those that are gone are dropped, since somebody else took their tasks' endings in, and those that do not
 * come free in time. */
static int find_free(struct spares *s, int patience_ms)
{
    for (size_t i = s->count; i-- > 0;) {
        const struct line *l = &s->lines[i];
        int is_free = l->asked || s->count == s->max ? proc_is_free(l->fd, l->asked ? patience_ms : 0) : 0;
        if (is_free > 0)
            return take_out(s, i);
        if (is_free < 0 || (l->asked && patience_ms > 0))
            fd_close(&(int){take_out(s, i)});
    }
    return -1;
}

bool spares_take(struct spares *s, int *ret_line)
{
    if (!s)
        return false;
    pthread_mutex_lock(&s->guard);
    int line = find_free(s, 0);
    line = line < 0 ? find_free(s, LIMIT_FREE_MS) : line;
    bool room = line >= 0 || s->count < s->max;
    pthread_mutex_unlock(&s->guard);
    *ret_line = line;
    return room;
}

void spares_note(struct spares *s, const char *id, int line)
{
    if (!s || line < 0)
        return;
    pthread_mutex_lock(&s->guard);
    if (s->count < s->max) {
        struct line *l = &s->lines[s->count++];
        *l = (struct line){.fd = line};
        snprintf(l->id, sizeof l->id, "%s", id);
        line = -1;
    }
    pthread_mutex_unlock(&s->guard);
    fd_close(&line);
}

bool spares_settle(struct spares *s, const char *id)
{
    bool told = false;
    if (!s)
        return false;
    pthread_mutex_lock(&s->guard);
    for (size_t i = 0; i < s->count && !told; i++) {
        struct line *l = &s->lines[i];
        if (!l->asked && strcmp(l->id, id) == 0)
            told = l->asked = proc_stay(l->fd);
    }
    pthread_mutex_unlock(&s->guard);
    return told;
}
