/* A JSON object that a command prints as one line. Failures stick in the buffer. */
#ifndef CLI_JSON_LINE_H
#define CLI_JSON_LINE_H

#include "base/buf.h"

/* A member; the first one opens the object. */
void json_line_text(struct buf *out, const char *name, const char *text);
void json_line_bytes(struct buf *out, const char *name, const char *text, size_t len);
void json_line_number(struct buf *out, const char *name, uint64_t number);
void json_line_bool(struct buf *out, const char *name, bool value);
void json_line_raw(struct buf *out, const char *name, const char *json);
/* Closes the object, prints it and empties the buffer. ROUSE_ENOMEM, ROUSE_ELIMIT: then nothing was printed. */
int json_line_print(struct buf *out, rouse_error *err);

#endif
