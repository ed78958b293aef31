#include "proc/match.h"

#include <errno.h>

int match_open(struct match *m, const char *pattern)
{
    m->on = regcomp(&m->pattern, pattern, REG_EXTENDED | REG_NOSUB) == 0;
    return m->on ? 0 : EINVAL;
}

static bool try_line(struct match *m)
{
    m->line[m->len] = '\0';
    m->len = 0;
    if (regexec(&m->pattern, m->line, 0, NULL, 0) != 0)
        return false;
    m->on = false;
    regfree(&m->pattern);
    return true;
}

/* Of a line longer than LIMIT_LINE the beginning counts. */
bool match_feed(struct match *m, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len && m->on; i++) {
        if (bytes[i] == '\n' && try_line(m))
            return true;
        if (bytes[i] != '\n' && m->len < LIMIT_LINE)
            m->line[m->len++] = bytes[i] ? bytes[i] : ' ';
    }
    return false;
}

bool match_last(struct match *m)
{
    return m->on && m->len > 0 && try_line(m);
}

void match_close(struct match *m)
{
    if (m->on)
        regfree(&m->pattern);
    m->on = false;
    m->len = 0;
}
