#include "cli/text.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <wchar.h>

#include "base/utf8.h"

#define MAX_DURATION_MS (100ull * 366 * 24 * 3600 * 1000) /* a century: sums with a clock stay far from overflow */

static const struct {
    const char *name;
    uint64_t ms;
} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};

static int bad_duration(const char *text, rouse_error *err)
{
    return rouse_fail(err, ROUSE_EINVAL, "'%.80s' is not a duration; write 500ms, 2s, 5m, 1h or 1h30m", text);
}

/* One number with its unit at *text, behind which *text is moved. False when there is none, or a unit not below `below`. */
static bool read_part(const char **text, uint64_t below, uint64_t *ret_ms, uint64_t *ret_unit)
{
    char *end;
    if (!isdigit((unsigned char)**text))
        return false;
    errno = 0;
    uint64_t value = strtoull(*text, &end, 10);
    size_t letters = strspn(end, "abcdefghijklmnopqrstuvwxyz");
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strlen(units[i].name) != letters || strncmp(end, units[i].name, letters) != 0)
            continue;
        if (errno != 0 || value > MAX_DURATION_MS / units[i].ms || units[i].ms >= below)
            return false;
        *ret_ms = value * units[i].ms;
        *ret_unit = units[i].ms;
        *text = end + letters;
        return true;
    }
    return false;
}

int text_read_duration(const char *text, uint64_t *ret_ms, rouse_error *err)
{
    uint64_t total = 0;
    uint64_t unit = UINT64_MAX;
    const char *at = text;
    if (*text != '\0' && text[strspn(text, "0123456789")] == '\0') {
        errno = 0;
        total = strtoull(text, NULL, 10);
        if (errno != 0 || total > MAX_DURATION_MS / 1000)
            return bad_duration(text, err);
        *ret_ms = total * 1000;
        return 0;
    }
    do {
        uint64_t ms;
        if (!read_part(&at, unit, &ms, &unit))
            return bad_duration(text, err);
        total += ms;
    } while (*at != '\0');
    if (total > MAX_DURATION_MS)
        return bad_duration(text, err);
    *ret_ms = total;
    return 0;
}

int text_read_number(const char *text, uint64_t *ret, rouse_error *err)
{
    errno = 0;
    uint64_t value = isdigit((unsigned char)*text) ? strtoull(text, NULL, 10) : 0;
    if (*text == '\0' || text[strspn(text, "0123456789")] != '\0' || errno != 0)
        return rouse_fail(err, ROUSE_EINVAL, "'%.80s' is not a whole number", text);
    *ret = value;
    return 0;
}

int text_read_size(const char *text, uint64_t *ret_bytes, rouse_error *err)
{
    static const char letters[] = "KMGT";
    char *end = NULL;
    errno = 0;
    uint64_t value = isdigit((unsigned char)*text) ? strtoull(text, &end, 10) : 0;
    const char *letter = end && *end ? strchr(letters, toupper((unsigned char)*end)) : NULL;
    int shift = letter ? 10 * (int)(letter - letters + 1) : 0;
    if (!end || end[letter != NULL] != '\0' || errno != 0 || value > (uint64_t)INT64_MAX >> shift || value == 0)
        return rouse_fail(err, ROUSE_EINVAL, "'%.80s' is not a size; write 4096, 512K, 100M or 2G", text);
    *ret_bytes = value << shift;
    return 0;
}

int text_read_signal(const char *text, int *ret_signal, rouse_error *err)
{
    const char *name = strncasecmp(text, "sig", 3) == 0 ? text + 3 : text;
    uint64_t number = 0;
    bool is_number = text_read_number(text, &number, NULL) == 0;
    for (int i = 1; i < NSIG; i++) {
        const char *known = sigabbrev_np(i);
        if (known && (is_number ? number == (uint64_t)i : strcasecmp(known, name) == 0)) {
            *ret_signal = i;
            return 0;
        }
    }
    return rouse_fail(err, ROUSE_EINVAL, "'%.80s' is not a signal; write TERM, INT, HUP, KILL or a number", text);
}

const char *text_span(uint64_t ms, char out[TEXT_SMALL])
{
    unsigned long long s = ms / 1000;
    if (ms < 10000)
        snprintf(out, TEXT_SMALL, "%llu.%llus", s, (unsigned long long)(ms % 1000 / 100));
    else if (s < 60)
        snprintf(out, TEXT_SMALL, "%llus", s);
    else if (s < 3600)
        snprintf(out, TEXT_SMALL, "%llum %llus", s / 60, s % 60);
    else if (s < 86400)
        snprintf(out, TEXT_SMALL, "%lluh %llum", s / 3600, s % 3600 / 60);
    else
        snprintf(out, TEXT_SMALL, "%llud %lluh", s / 86400, s % 86400 / 3600);
    return out;
}

const char *text_age(uint64_t ms, char out[TEXT_SMALL], uint64_t *ret_change_ms)
{
    uint64_t step = ms < 60000 ? 1000 : ms < 86400000 ? 60000 : 3600000;
    *ret_change_ms = step - ms % step;
    if (ms < 60000)
        snprintf(out, TEXT_SMALL, "%llus", (unsigned long long)(ms / 1000));
    else if (ms < 3600000)
        snprintf(out, TEXT_SMALL, "%llum", (unsigned long long)(ms / 60000));
    else
        text_span(ms, out);
    return out;
}

const char *text_size(uint64_t bytes, char out[TEXT_SMALL])
{
    static const char *const names[] = {"KiB", "MiB", "GiB", "TiB"};
    uint64_t unit = 1024;
    size_t i = 0;
    if (bytes < unit) {
        snprintf(out, TEXT_SMALL, "%llu byte%s", (unsigned long long)bytes, bytes == 1 ? "" : "s");
        return out;
    }
    for (; i + 1 < sizeof names / sizeof *names && bytes / unit >= 1024; i++)
        unit *= 1024;
    snprintf(out, TEXT_SMALL, "%llu.%llu %s", (unsigned long long)(bytes / unit),
             (unsigned long long)(bytes % unit * 10 / unit), names[i]);
    return out;
}

/* Columns of the character at text, which takes len bytes of well-formed UTF-8. */
static size_t character_width(const char *text, size_t len)
{
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = (unsigned char)text[0] & masks[len];
    for (size_t i = 1; i < len; i++)
        c = c << 6 | ((unsigned char)text[i] & 0x3f);
    int width = wcwidth((wchar_t)c);
    return width < 0 ? 1 : (size_t)width;
}

size_t text_fit(const char *text, size_t columns)
{
    size_t len = strlen(text);
    size_t at = 0;
    for (size_t used = 0; at < len;) {
        size_t step = utf8_length(text + at, len - at);
        used += step ? character_width(text + at, step) : 1;
        if (used > columns)
            break;
        at += step ? step : 1;
    }
    return at;
}

size_t text_width(const char *text)
{
    size_t len = strlen(text);
    size_t used = 0;
    for (size_t at = 0; at < len;) {
        size_t step = utf8_length(text + at, len - at);
        used += step ? character_width(text + at, step) : 1;
        at += step ? step : 1;
    }
    return used;
}
