/* What tasks print, watched for a wait: has a line matched, how long has a task been silent. Nothing here polls: `changes`
 * becomes readable when a task wrote, and watch_due says when silence alone will have changed something. */
#ifndef TASK_WATCH_H
#define TASK_WATCH_H

#include <regex.h>

#include "base/clean.h"
#include "base/limits.h"
#include "task/manager.h"

struct watched {
    char id[LIMIT_TASK_ID + 1]; /* "" until watch_begin */
    int wd;                     /* in changes; -1: none, the task has no directory or its output was read to the end */
    bool changed;               /* something was written that was not looked at */
    bool held;                  /* matched, or silent for long enough as of the last look */
    bool stale;                 /* the last line has no end yet, and was not tried as it stands */
    bool skips;                 /* the rest of a line that is longer than LIMIT_LINE */
    uint64_t offset;            /* of the next byte to look at; for silence: size as of the last look */
    uint64_t line_at;           /* offset of the line that is being put together */
    uint64_t heard_at;          /* monotonic ms of the last output, at first of watch_begin */
    struct clean clean;
    struct buf line;            /* cleaned, at most LIMIT_LINE; when it matched, that line */
};

struct watch {
    rouse_manager *manager;
    int changes; /* inotify; -1: nothing is watched */
    bool lent;   /* changes is somebody else's, who reads it and calls watch_mark */
    bool matches; /* pattern is there: else silence is waited for */
    regex_t pattern;
    uint64_t idle_ms, from;
    struct watched *items;
    size_t count;
};

/* Is there anything in what it prints that the wait is for? */
bool watch_is_wanted(const rouse_wait *wait);
/* For a zeroed w with changes -1. Watches nothing, and costs nothing, when wait is for neither. lent: an inotify descriptor to hear
 * through, Borrowed until close, or -1 for one of its own. ROUSE_EINVAL (pattern), ROUSE_EIO, ROUSE_ENOMEM. */
int watch_open(struct watch *w, rouse_manager *m, const rouse_wait *wait, size_t count, int lent, rouse_error *err);
void watch_close(struct watch *w);
/* Item i is this task, which ran just now; looks at what it has printed so far. Does nothing the second time. */
int watch_begin(struct watch *w, size_t i, const char *id, rouse_error *err);
/* Task i has ended: looks at the rest. Its last line needs no end. */
int watch_end(struct watch *w, size_t i, const char *id, rouse_error *err);
/* Something was written by task i. */
void watch_mark(struct watch *w, size_t i);
/* Which watch of `changes` hears item i; -1: none. */
int watch_hears(const struct watch *w, size_t i);
/* An inotify descriptor. ROUSE_EIO. */
int watch_changes(int *ret_fd, rouse_error *err);
/* Takes in what changed and what silence brought about. */
int watch_look(struct watch *w, rouse_error *err);
bool watch_holds(const struct watch *w, size_t i);
/* Monotonic ms at which to look without a change, UINT64_MAX for never. */
uint64_t watch_due(const struct watch *w);
/* What matched, for a list of the same tasks: *ret_found Returns free, its lines too; NULL when no pattern was given. */
int watch_found(const struct watch *w, rouse_found **ret_found, rouse_error *err);
void watch_found_free(rouse_found *found, size_t count); /* takes NULL */

#endif
