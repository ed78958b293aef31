/* Output as it is kept: the first bytes stay in `out`; what follows goes to pieces out.<offset of the first byte>, of which the
 * newest are kept. A piece ends at a boundary that depends on offsets alone, or where a write failed: the next one starts
 * behind what was lost, so the names and sizes of the files say exactly which bytes are there. A task that writes nothing has
 * no file. Read by output.c; written by rouse-shim: the C library is all that is used. */
#ifndef PROC_PIECES_H
#define PROC_PIECES_H

#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

#define PIECES_KEPT (LIMIT_OUTPUT_SEGMENTS + 1)

struct pieces {
    int dir;
    int file;                    /* the piece being written, or -1 */
    uint64_t size;               /* bytes that came; also the offset of the next one */
    uint64_t lost;               /* of them, those that no file took */
    uint64_t head, segment;      /* sizes of the first piece and of the others */
    uint64_t start, limit;       /* offsets the piece being written covers at most */
    uint64_t kept[PIECES_KEPT];  /* offsets of the kept pieces of the tail, oldest first */
    unsigned n_kept;
};

/* head, tail: bytes to keep; 0: LIMIT_OUTPUT_HEAD, LIMIT_OUTPUT_TAIL. */
void pieces_open(struct pieces *p, int dir, uint64_t head, uint64_t tail);
/* Neither blocks nor fails: what no file takes, as on a full disk, is counted and forgotten. */
void pieces_add(struct pieces *p, const char *bytes, size_t len);
void pieces_close(struct pieces *p);

#endif
