/* The two keys that the loop writes: where a run stands, and whether work is pending. */
#ifndef AGENT_LIFECYCLE_H
#define AGENT_LIFECYCLE_H

#include "rouse/agent.h"

enum lifecycle_move {
    LIFECYCLE_START,   /* any → created, with a new run id, no step and no reason */
    LIFECYCLE_RUNNING, /* created, waiting → running; the reason goes, the count stays */
    LIFECYCLE_STEP,    /* one more step */
    LIFECYCLE_WAITING, /* running → waiting, for a reason */
    LIFECYCLE_DONE     /* any but done → done, for a reason */
};

/* An update; NULL = no memory. text: the run id for START, the reason for WAITING and DONE, else NULL. A move that the table
 * of COMPAT B125 does not allow changes nothing when it is applied. */
void *lifecycle_update(enum lifecycle_move move, const char *text, uint64_t now_ms);

#endif
