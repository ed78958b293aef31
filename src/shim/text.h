/* Text in fixed memory, without stdio: appending beyond the end marks the text as cut and changes nothing else. */
#ifndef SHIM_TEXT_H
#define SHIM_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *at;
    size_t len, size;
    bool cut;
};

void text_add(struct text *t, const char *word);
void text_add_u64(struct text *t, uint64_t number);
/* In quotes, escaped as JSON asks. */
void text_add_json(struct text *t, const char *word);
/* Copies word into fill (size > 0), cut where it does not fit. */
void text_set(char *fill, size_t size, const char *word);
/* The decimal number at *at, which is moved behind it. False when there is none or it does not fit. */
bool text_read_u64(const char **at, uint64_t *ret_number);

#endif
