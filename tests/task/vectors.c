#include "task/vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LISTED 512

struct listed {
    char *row, *reason; /* within text */
    bool used;
};

struct list {
    char *text;
    struct listed items[MAX_LISTED];
    size_t count;
};

struct run {
    const char *file;
    struct list list; /* of this file only */
    bool own_folder;  /* not given by $ROUSE_VECTORS: then the list must fit exactly */
    size_t rows, different, failed;
};

const char *row_text(const json_t *row, const char *name)
{
    return json_string_value(json_object_get(row, name));
}

void outcome_differs(struct outcome *o, const char *difference, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    o->same = false;
    o->difference = difference;
    vsnprintf(o->why, sizeof o->why, format, args);
    va_end(args);
}

static const char *variable(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value && value[0] ? value : otherwise;
}

static char *read_whole(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = NULL;
    size_t size = 0;
    FILE *to = f ? open_memstream(&text, &size) : NULL;
    for (int c; to && (c = getc(f)) != EOF;)
        putc(c, to);
    if (f)
        fclose(f);
    if (to)
        fclose(to);
    return text;
}

/* A line is `file <tab> row <tab> difference: reason`. */
static void read_list(struct list *list, const char *file)
{
    const char *path = variable("ROUSE_VECTORS_LIST", "tests/task/vectors-different.txt");
    list->text = read_whole(path);
    if (!list->text)
        fail_msg("cannot read the list of differences, '%s'", path);
    char *save = NULL;
    for (char *line = strtok_r(list->text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *row = strchr(line, '\t');
        char *reason = row ? strchr(row + 1, '\t') : NULL;
        if (line[0] == '#' || !reason)
            continue;
        *row++ = '\0';
        *reason++ = '\0';
        if (strcmp(line, file) != 0)
            continue;
        if (list->count == MAX_LISTED)
            fail_msg("%s: more than %d rows", path, MAX_LISTED);
        list->items[list->count++] = (struct listed){.row = row, .reason = reason};
    }
}

static struct listed *find_listed(struct list *list, const char *row)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].row, row) == 0)
            return &list->items[i];
    }
    return NULL;
}

/* The row's name; where names repeat, with what tells the rows apart. Tabs and line ends cannot stand in the list. */
static void label_row(const json_t *row, char *label, size_t size)
{
    const char *op = row_text(row, "op"), *policy = row_text(row, "policy");
    if (policy)
        snprintf(label, size, "%s/%s/%s", row_text(row, "name"), op, policy);
    else
        snprintf(label, size, "%s", row_text(row, "name"));
    for (char *at = label; *at; at++) {
        if (*at == '\t' || *at == '\n')
            *at = ' ';
    }
}

static void complain(struct run *run, const char *label, const char *what, const char *why)
{
    run->failed++;
    fprintf(stderr, "# %s: %s: %s%s%s\n", run->file, label, what, why[0] ? ": " : "", why);
}

static void judge(struct run *run, const char *label, const struct outcome *o)
{
    struct listed *listed = find_listed(&run->list, label);
    if (listed)
        listed->used = true;
    if (o->same) {
        if (listed)
            complain(run, label, "passes now, take it off the list", "");
    } else if (listed) {
        size_t len = o->difference ? strlen(o->difference) : 0;
        run->different++;
        if (len == 0 || strncmp(listed->reason, o->difference, len) != 0 || listed->reason[len] != ':')
            complain(run, label, "differs in another way than the list says", o->why);
    } else if (o->difference && !run->own_folder) {
        run->different++;
        fprintf(stderr, "# %s: %s: differs on purpose (%s)\n", run->file, label, o->difference);
    } else {
        complain(run, label, o->difference ? o->difference : "fails", o->why);
    }
}

static json_t *load_file(struct run *run)
{
    char path[4096];
    json_error_t why;
    const char *given = getenv("ROUSE_VECTORS");
    run->own_folder = !given || !given[0];
    const char *folder = run->own_folder ? variable("ROUSE_VECTORS_DEFAULT", "../shared/vectors") : given;
    snprintf(path, sizeof path, "%s/%s.json", folder, run->file);
    json_t *document = json_load_file(path, JSON_ALLOW_NUL, &why);
    if (!document)
        fail_msg("no vectors: %s: %s (set ROUSE_VECTORS to the folder that has them)", path, why.text);
    return document;
}

void vectors_run(const char *file, vector_check check)
{
    static struct run run; /* large */
    run = (struct run){.file = file};
    json_t *document = load_file(&run);
    json_t *rows = json_object_get(document, "vectors"), *row;
    size_t i;
    read_list(&run.list, file);
    if (json_array_size(rows) == 0)
        fail_msg("%s: no rows", file);
    json_array_foreach(rows, i, row)
    {
        char label[512];
        struct outcome outcome = {.same = true};
        label_row(row, label, sizeof label);
        check(row, &outcome);
        judge(&run, label, &outcome);
        run.rows++;
    }
    for (size_t k = 0; k < run.list.count && run.own_folder; k++) {
        if (!run.list.items[k].used)
            complain(&run, run.list.items[k].row, "is on the list, but there is no such row", "");
    }
    fprintf(stderr, "# %s: %zu rows, %zu different on purpose, %zu failed\n", file, run.rows, run.different, run.failed);
    free(run.list.text);
    json_decref(document);
    if (run.failed > 0)
        fail_msg("%s: %zu of %zu rows failed (told above, by name)", file, run.failed, run.rows);
}
