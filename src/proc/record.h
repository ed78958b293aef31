/* The exit record as text (written by src/shim/record.c). */
#ifndef PROC_RECORD_H
#define PROC_RECORD_H

#include "proc/proc.h"

struct record {
    struct proc_exit exit;
    uint64_t output, lost; /* bytes written by the task; of them, those no file took */
};

/* False unless text is one whole, unchanged record. Members that are not known are passed over. */
bool record_parse(const char *text, size_t len, struct record *fill);
/* 1: *fill is the record of the task whose directory dir is. 0: there is none, or none that is whole. ROUSE_EIO. */
int record_read(int dir, struct record *fill, rouse_error *err);

#endif
