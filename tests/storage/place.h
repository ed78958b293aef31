/* What the tests of this room share: a directory of their own, and short ways to commit. */
#ifndef TESTS_STORAGE_PLACE_H
#define TESTS_STORAGE_PLACE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keys.h"

#define PLACE_SIZE 128

/* A new empty directory; removed, with all that is in it, by place_remove. Fail the running test when they cannot. */
void place_make(char place[PLACE_SIZE]);
void place_remove(const char *place);
/* For cmocka: *state is such a directory's path. */
int place_set_up(void **state);
int place_tear_down(void **state);
/* "<place>/<name>" in a static buffer that the next call overwrites. */
const char *place_at(const char *place, const char *name);

/* Opens the store with the test keys registered; fails the test when it cannot. */
rouse_store *open_store(const char *where);

/* Asserts that code is the one given and the message is exactly this (NULL = any). */
void assert_failed(int code, const rouse_error *err, int want_code, const char *want_message);
/* Fails the test and says why when code is not 0. */
void assert_fine(int code, const rouse_error *err);

/* One update, one commit in thread "t"; return what rouse_store_commit does. */
int put_item(rouse_store *store, const char *thread, const char *entry, const struct item *item, rouse_error *err);
int add_count(rouse_store *store, const char *thread, long by, rouse_error *err);
/* The value of the counter in the thread, 0 when it has none. */
long read_count(rouse_store *store, const char *thread);
uint64_t read_revision(rouse_store *store, const char *thread);

#endif
