/* The n-th call of the store fails, as if its disk were gone. Counts the calls that the objects linked into the test make of
 * rouse/store.h; link with the arguments in `fail_store_link`. A call that fails has not reached the store. One thread. */
#ifndef SUPPORT_FAIL_STORE_H
#define SUPPORT_FAIL_STORE_H

#include <stdbool.h>

#define FAIL_STORE_TEXT "the store was made to fail" /* with ROUSE_EIO */

/* The n-th call from now on (1 = the next one), and with always all those behind it. */
void fail_store_at(unsigned long n, bool always);
bool fail_store_stop(void); /* no more failures. Was there one? */

#endif
