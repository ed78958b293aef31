/* Makes the n-th allocation fail, for tests that loop over all n until nothing fails any more.
 *
 * It counts the calls of malloc, calloc, realloc, reallocarray, strdup and strndup that the objects linked into the test make:
 * link with the arguments in `fail_alloc_link`. A library with an allocator of its own can ask fail_alloc_now. One thread. */
#ifndef SUPPORT_FAIL_ALLOC_H
#define SUPPORT_FAIL_ALLOC_H

#include <stdbool.h>

enum fail_alloc { FAIL_ONCE, FAIL_FROM_THEN_ON };

/* The n-th allocation from now on fails (1 = the next one), and in one way of failing all those behind it. */
void fail_alloc_at(unsigned long n, enum fail_alloc how);
/* No more failures. Was there one? */
bool fail_alloc_stop(void);
/* Counts an allocation: must it fail? */
bool fail_alloc_now(void);

#endif
