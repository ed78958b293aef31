/* Rows of cells: aligned under a heading for people, tab-separated and without heading for programs. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

#define TABLE_COLUMNS 8

struct table {
    const char *const *heading; /* columns of them */
    size_t columns;
    char **cells; /* rows * columns */
    size_t rows, cap;
};

/* Copies columns cells; control characters in them become '?'. ROUSE_ENOMEM. */
int table_add(struct table *table, const char *const *cells, rouse_error *err);
/* width: of the terminal, to which the last column is cut; 0 = for programs. */
void table_print(const struct table *table, size_t width, FILE *stream);
void table_done(struct table *table);

#endif
