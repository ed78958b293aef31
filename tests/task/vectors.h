/* Runs a file of vectors: a check says for each row whether rouse does what the row says, and the list
 * vectors-different.txt says for which rows it does something else on purpose. A row that is listed and passes is a failure.
 * The folder is $ROUSE_VECTORS; without it the one beside the checkout. */
#ifndef TASK_VECTORS_H
#define TASK_VECTORS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"

struct outcome {
    bool same;              /* as the row says */
    const char *difference; /* when not: the deliberate difference that is the whole reason, or NULL */
    char why[600];          /* when not */
};

typedef void (*vector_check)(const json_t *row, struct outcome *outcome);

/* Fails the running test when any row fails, or when there is no such file. */
void vectors_run(const char *file, vector_check check);

/* A string member of a row; NULL when it is missing or null. */
const char *row_text(const json_t *row, const char *name);
void outcome_differs(struct outcome *o, const char *difference, const char *format, ...) ROUSE_PRINTF(3, 4);

#endif
