/* Reading and writing the small things people type and read: durations, ages, sizes, signals. */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* 500ms, 2s, 5m, 1h, 2d, 1h30m; a plain number is seconds. ROUSE_EINVAL names the text. */
int text_read_duration(const char *text, uint64_t *ret_ms, rouse_error *err);
int text_read_number(const char *text, uint64_t *ret, rouse_error *err);
/* 4096, 512K, 100M, 2G (of 1024). ROUSE_EINVAL names the text. */
int text_read_size(const char *text, uint64_t *ret_bytes, rouse_error *err);
/* TERM, SIGTERM, term, 15. ROUSE_EINVAL. */
int text_read_signal(const char *text, int *ret_signal, rouse_error *err);

#define TEXT_SMALL 32
/* "0.3s", "12s", "5m 10s", "3h 2m", "2d 4h". Fills out. */
const char *text_span(uint64_t ms, char out[TEXT_SMALL]);
/* The same in one unit or two that change rarely: "12s", "5m", "3h 2m", "2d 4h". *ret_change_ms: how long it stays so. */
const char *text_age(uint64_t ms, char out[TEXT_SMALL], uint64_t *ret_change_ms);
/* "812 bytes", "3.1 KiB". Fills out. */
const char *text_size(uint64_t bytes, char out[TEXT_SMALL]);
/* Columns that printable UTF-8 takes on a terminal. */
size_t text_width(const char *text);
/* The largest length in bytes of text that takes at most `columns`. */
size_t text_fit(const char *text, size_t columns);

#endif
