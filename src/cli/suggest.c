/* What a mistyped word was probably meant to be. */
#include <string.h>

#include "cli/cli.h"

#define MAX_WORD 32

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Letters to insert, drop, change or swap with the next to come from a to b, both shorter than MAX_WORD. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[MAX_WORD + 1][MAX_WORD + 1];
    size_t n = strlen(a);
    size_t m = strlen(b);
    for (size_t i = 0; i <= n; i++)
        rows[i][0] = i;
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        for (size_t j = 1; j <= m; j++) {
            rows[i][j] = smallest(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && rows[i - 2][j - 2] + 1 < rows[i][j])
                rows[i][j] = rows[i - 2][j - 2] + 1;
        }
    }
    return rows[n][m];
}

const char *suggest(const char *word, const char *(*name_at)(const void *table, size_t i), const void *table)
{
    const char *best = NULL;
    size_t len = strlen(word);
    size_t closest = len < 4 ? 2 : 3; /* one edit off in a short word, two in a longer one */
    if (len < 2 || len >= MAX_WORD)
        return NULL;
    for (size_t i = 0; name_at(table, i); i++) {
        const char *name = name_at(table, i);
        size_t d = strlen(name) < MAX_WORD ? distance(word, name) : closest;
        if (d < closest && d < strlen(name)) {
            closest = d;
            best = name;
        }
    }
    return best;
}
