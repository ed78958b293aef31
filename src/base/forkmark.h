/* Tells a child after fork from the process that made the mark, at the price of a read: asking for the pid each time is a
 * system call, which can cost more than all else of a short call. */
#ifndef BASE_FORKMARK_H
#define BASE_FORKMARK_H

#include <stdbool.h>

struct forkmark {
    volatile unsigned char *page; /* of this process only: a child finds it empty */
};

/* False when there is no memory. */
bool forkmark_init(struct forkmark *mark);
bool forkmark_is_child(const struct forkmark *mark);
/* All zero is allowed. */
void forkmark_done(struct forkmark *mark);

#endif
