#include "cli/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "cli/text.h"

#define GAP 2

static int make_room(struct table *table, rouse_error *err)
{
    if (table->rows < table->cap)
        return 0;
    size_t cap = table->cap ? table->cap * 2 : 16;
    char **cells = reallocarray(table->cells, cap * table->columns, sizeof *cells);
    if (!cells)
        return rouse_fail_memory(err);
    table->cells = cells;
    table->cap = cap;
    return 0;
}

int table_add(struct table *table, const char *const *cells, rouse_error *err)
{
    int code = make_room(table, err);
    if (code < 0)
        return code;
    char **row = table->cells + table->rows * table->columns;
    for (size_t i = 0; i < table->columns; i++) {
        size_t size = strlen(cells[i]) + 1;
        row[i] = malloc(size);
        if (!row[i]) {
            while (i > 0)
                free(row[--i]);
            return rouse_fail_memory(err);
        }
        utf8_copy_printable(row[i], size, cells[i]);
    }
    table->rows++;
    return 0;
}

static void measure(const struct table *table, size_t widths[TABLE_COLUMNS])
{
    for (size_t c = 0; c < table->columns; c++) {
        widths[c] = text_width(table->heading[c]);
        for (size_t r = 0; r < table->rows; r++) {
            size_t width = text_width(table->cells[r * table->columns + c]);
            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
}

static void print_last(const char *cell, size_t room, FILE *stream)
{
    if (text_width(cell) <= room)
        fprintf(stream, "%s\n", cell);
    else
        fprintf(stream, "%.*s…\n", (int)text_fit(cell, room > 1 ? room - 1 : 0), cell);
}

static void print_aligned(const struct table *table, const char *const *row, const size_t *widths, size_t width,
                          FILE *stream)
{
    size_t used = 0;
    for (size_t c = 0; c + 1 < table->columns; c++) {
        fprintf(stream, "%s%*s", row[c], (int)(widths[c] - text_width(row[c]) + GAP), "");
        used += widths[c] + GAP;
    }
    /* A terminal too narrow even for the other columns gets whole, wrapped lines rather than nothing. */
    print_last(row[table->columns - 1], width > used + 10 ? width - used : SIZE_MAX, stream);
}

void table_print(const struct table *table, size_t width, FILE *stream)
{
    size_t widths[TABLE_COLUMNS];
    if (width > 0) {
        measure(table, widths);
        print_aligned(table, table->heading, widths, width, stream);
    }
    for (size_t r = 0; r < table->rows; r++) {
        const char *const *row = (const char *const *)table->cells + r * table->columns;
        if (width > 0)
            print_aligned(table, row, widths, width, stream);
        else
            for (size_t c = 0; c < table->columns; c++)
                fprintf(stream, "%s%c", row[c], c + 1 < table->columns ? '\t' : '\n');
    }
}

void table_done(struct table *table)
{
    for (size_t i = 0; i < table->rows * table->columns; i++)
        free(table->cells[i]);
    free(table->cells);
    *table = (struct table){.heading = table->heading, .columns = table->columns};
}
