/* A whole terminal drawn line by line. Only lines that changed are sent. The sequences are those that every terminal of today
 * knows (and nothing is asked of it), so no description of terminals is needed. */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include "base/buf.h"
#include "cli/terminal.h"

enum screen_style { SCREEN_PLAIN, SCREEN_DIM, SCREEN_BOLD, SCREEN_CHOSEN };

#define SCREEN_ROWS 500     /* what is drawn of larger terminals */
#define SCREEN_COLUMNS 1000

struct screen {
    struct terminal_state terminal;
    bool open;
    unsigned rows, columns;
    unsigned at;                    /* the next row */
    char *shown[SCREEN_ROWS];       /* NULL = not known */
    struct buf out;
};

/* Takes the terminal; it is given back however the program ends. ROUSE_EIO. */
int screen_open(struct screen *screen, rouse_error *err);
void screen_close(struct screen *screen); /* takes one that was not opened */
/* The terminal has another size, or was drawn on by somebody else: all of it is drawn anew. */
void screen_forget(struct screen *screen);

/* From the top: each row once, cut to the width; control characters become '?'. Rows beyond the last are left out. */
void screen_line(struct screen *screen, enum screen_style style, const char *text);
unsigned screen_left(const struct screen *screen); /* rows not drawn yet */
/* Empties the rows that are left and sends what changed. ROUSE_EIO, ROUSE_ENOMEM. */
int screen_send(struct screen *screen, rouse_error *err);

enum screen_key { /* others are their own byte */
    KEY_UP = 256, KEY_DOWN, KEY_PAGE_UP, KEY_PAGE_DOWN, KEY_HOME, KEY_END, KEY_ESCAPE, KEY_UNKNOWN,
};
#define SCREEN_KEYS 64
/* The keys that were typed, at most SCREEN_KEYS; call when standard input is readable. -1 = there is no terminal any more. */
int screen_read_keys(int keys[SCREEN_KEYS]);

#endif
