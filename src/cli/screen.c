#include "cli/screen.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/utf8.h"
#include "cli/text.h"

/* The other screen, no cursor, no wrapping; and back. */
#define ENTER "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
#define LEAVE "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"

#define SPLIT_MS 25 /* the bytes of one key come together; an Escape that is alone for so long is the key */

static void measure(struct screen *s)
{
    if (!terminal_size(&s->rows, &s->columns)) {
        s->rows = 24;
        s->columns = 80;
    }
    s->rows = s->rows < SCREEN_ROWS ? s->rows : SCREEN_ROWS;
    s->columns = s->columns < SCREEN_COLUMNS ? s->columns : SCREEN_COLUMNS;
}

static void forget_rows(struct screen *s)
{
    for (size_t i = 0; i < SCREEN_ROWS; i++) {
        free(s->shown[i]);
        s->shown[i] = NULL;
    }
}

int screen_open(struct screen *s, rouse_error *err)
{
    int code = terminal_make_raw(&s->terminal, LEAVE, err);
    if (code < 0)
        return code;
    s->open = true;
    s->out = BUF_INIT(0);
    buf_adds(&s->out, ENTER);
    forget_rows(s);
    measure(s);
    s->at = 0;
    return 0;
}

void screen_close(struct screen *s)
{
    if (!s->open)
        return;
    s->open = false;
    terminal_restore(&s->terminal); /* sends the farewell */
    forget_rows(s);
    buf_done(&s->out);
}

void screen_forget(struct screen *s)
{
    forget_rows(s);
    measure(s);
    buf_adds(&s->out, "\x1b[2J");
}

unsigned screen_left(const struct screen *s)
{
    return s->rows - s->at;
}

static void add_style(struct buf *line, enum screen_style style)
{
    static const char *const on[] = {"", "\x1b[2m", "\x1b[1m", "\x1b[7m"};
    if (style != SCREEN_DIM || terminal_has_style(stdout))
        buf_adds(line, on[style]);
}

/* Keeps what the row now is; a row whose copy cannot be kept is sent again next time. */
static void put_row(struct screen *s, const struct buf *line)
{
    char **shown = &s->shown[s->at];
    if (!*shown || strcmp(*shown, buf_text(line)) != 0) {
        buf_addf(&s->out, "\x1b[%u;1H%s\x1b[0m\x1b[K", s->at + 1, buf_text(line));
        free(*shown);
        *shown = strdup(buf_text(line));
    }
    s->at++;
}

void screen_line(struct screen *s, enum screen_style style, const char *text)
{
    char plain[SCREEN_COLUMNS * 4 + 1];
    struct buf line = BUF_INIT(0);
    if (screen_left(s) == 0)
        return;
    utf8_copy_printable(plain, sizeof plain, text);
    size_t width = text_width(plain);
    bool whole = width <= s->columns && strlen(plain) == strlen(text);
    size_t len = text_fit(plain, whole ? s->columns : s->columns - 1);
    add_style(&line, style);
    buf_add(&line, plain, len);
    if (!whole)
        buf_adds(&line, "…");
    else if (style == SCREEN_CHOSEN)
        buf_addf(&line, "%*s", (int)(s->columns - width), "");
    if (line.failed)
        s->out.failed = line.failed;
    put_row(s, &line);
    buf_done(&line);
}

int screen_send(struct screen *s, rouse_error *err)
{
    while (screen_left(s) > 0)
        screen_line(s, SCREEN_PLAIN, "");
    s->at = 0;
    int code = buf_check(&s->out, err);
    if (code == 0 && s->out.len > 0 && fd_write_all(STDOUT_FILENO, s->out.data, s->out.len) != 0)
        code = rouse_fail_errno(err, ROUSE_EIO, errno, "cannot draw on the terminal");
    buf_reset(&s->out);
    return code;
}

static const struct {
    const char *bytes; /* behind Escape and [ or O */
    int key;
} sequences[] = {
    {"A", KEY_UP}, {"B", KEY_DOWN}, {"H", KEY_HOME}, {"F", KEY_END}, {"1~", KEY_HOME}, {"4~", KEY_END}, {"7~", KEY_HOME},
    {"8~", KEY_END}, {"5~", KEY_PAGE_UP}, {"6~", KEY_PAGE_DOWN},
};

/* The key that begins at bytes (len > 0), and how long it is; 0 when its end is missing. */
static size_t read_sequence(const char *bytes, size_t len, int *ret_key)
{
    size_t n = 2;
    *ret_key = KEY_ESCAPE;
    if (len == 1)
        return 0;
    if (bytes[1] != '[' && bytes[1] != 'O')
        return 1;
    while (n < len && (unsigned char)bytes[n] >= ' ' && (unsigned char)bytes[n] < '@')
        n++;
    if (n == len)
        return 0;
    *ret_key = KEY_UNKNOWN;
    for (size_t i = 0; i < sizeof sequences / sizeof *sequences; i++) {
        size_t length = strlen(sequences[i].bytes);
        if (n + 1 - 2 == length && memcmp(bytes + 2, sequences[i].bytes, length) == 0)
            *ret_key = sequences[i].key;
    }
    return n + 1;
}

int screen_read_keys(int keys[SCREEN_KEYS])
{
    struct pollfd more = {.fd = STDIN_FILENO, .events = POLLIN};
    char block[SCREEN_KEYS];
    int count = 0;
    ssize_t n = read(STDIN_FILENO, block, sizeof block / 2);
    if (n <= 0)
        return n < 0 && errno == EINTR ? 0 : -1;
    for (size_t at = 0; at < (size_t)n; count++) {
        size_t len = 1;
        keys[count] = (unsigned char)block[at];
        if (block[at] == 0x1b)
            len = read_sequence(block + at, (size_t)n - at, &keys[count]);
        if (len == 0 && (size_t)n < sizeof block && poll(&more, 1, SPLIT_MS) > 0) {
            ssize_t added = read(STDIN_FILENO, block + n, sizeof block - (size_t)n);
            n += added > 0 ? added : 0;
            len = read_sequence(block + at, (size_t)n - at, &keys[count]);
        }
        at += len ? len : (size_t)n - at; /* what never ends is one Escape */
    }
    return count;
}
