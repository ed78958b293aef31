/* The record's codec, beyond what rouse/task.h says. A record owns one arena; rouse_task is its first member, so that one
 * free gives everything back. */
#ifndef TASK_RECORD_H
#define TASK_RECORD_H

#include "base/arena.h"
#include "json/jfields.h"
#include "rouse/task.h"

enum record_form {
    RECORD_STORED,  /* the seed's record, plus ext without what is found out when it is read (stage) */
    RECORD_SHOWN,   /* the same with stage: CLI.md */
    RECORD_SUMMARY, /* COMPAT B37 */
};

/* Members in the seed's order. ROUSE_EDATA when result is not JSON or too deep to be read back. */
int record_add(struct buf *out, const rouse_task *task, enum record_form form, rouse_error *err);
/* A summary as a record: name and owner are unknown members there. Returns rouse_task_free. */
int record_decode_summary(const char *json, size_t len, rouse_task **ret_task, rouse_error *err);

/* The same record once more, given back with rouse_task_free as well: for records that nobody changes any more. */
rouse_task *record_share(rouse_task *task);
/* A record of the caller's own that keeps task for its texts instead of copying them. Returns rouse_task_free; NULL when out of
 * memory. */
rouse_task *record_over(rouse_task *task);

/* ROUSE_EDATA when the id is bg_<n> with a number that cannot be counted up from (DEFECTS 32), else 0. */
int record_check_id(const char *task_id, rouse_error *err);

/* A parent context by itself; strings in the arena. */
int lineage_decode(const char *json, size_t len, struct arena *arena, rouse_lineage *fill, rouse_error *err);
void lineage_add(struct buf *out, const rouse_lineage *lineage);
/* Stored as not begun: there is no process and no body to look for. */
bool record_is_waiting(const rouse_task_ext *ext);
/* Stored of one that runs, because its owner was told: stage.c. */
bool record_stage_is_told(const char *stage);
bool lineage_is_empty(const rouse_lineage *lineage);

extern const char *const after_if_names[]; /* by rouse_after_if, NULL-terminated */
extern const char *const status_names[]; /* by rouse_status, NULL-terminated */
int status_decode(const char *json, size_t len, rouse_status *fill, rouse_error *err);

/* `,"name":"text"`; nothing when text is NULL. */
void record_add_text(struct buf *out, const char *name, const char *text);

/* In the index of a task that waits for input: before every deadline. */
#define RECORD_DUE_AT_ONCE 1

#endif
