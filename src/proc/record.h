/* The exit record as text: written by the supervisor, read by everybody else, from one table. */
#ifndef PROC_RECORD_H
#define PROC_RECORD_H

#include <stddef.h>

#include "base/limits.h"
#include "proc/proc.h"

struct record {
    struct proc_exit exit;
    uint64_t output, lost; /* bytes written by the task; of them, those no file took */
};

enum record_kind { RECORD_INT, RECORD_U64, RECORD_BOOL, RECORD_TEXT };

#define RECORD_MEMBERS 15
extern const struct record_member {
    const char *name;
    enum record_kind kind;
    size_t offset, size;
} record_members[RECORD_MEMBERS];

/* Fills text with the record and its checksum; returns its length, which is less than LIMIT_EXIT_RECORD. */
size_t record_compose(const struct record *record, char text[LIMIT_EXIT_RECORD]);
/* For the supervisor. A block for the record, so that a disk that fills up cannot swallow the ending. 0 or errno. */
int record_reserve(int fd);
/* 0 or errno. Where syncing fails the record is still true for as long as the machine runs. */
int record_put(int fd, const struct record *record, bool sync);
/* The time of day, as records have it. */
uint64_t record_clock_ms(void);
/* How the command ended, just now, as its parent is told. */
struct rusage;
void record_note(struct proc_exit *exit, int status, const struct rusage *usage);
/* False unless text is one whole, unchanged record. Members that are not known are passed over. */
bool record_parse(const char *text, size_t len, struct record *fill);
/* 1: *fill is the record of the task whose directory dir is. 0: there is none, or none that is whole. ROUSE_EIO. */
int record_read(int dir, struct record *fill, rouse_error *err);

#endif
