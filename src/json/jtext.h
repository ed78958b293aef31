/* JSON as text: read in one pass, without a tree and without allocating, so that values keep the spelling they came in
 * (numbers of any size, order of members, escapes).
 *
 * Strings in memory are C strings. The character U+0000, which JSON can write and C cannot hold, stands in them as the two
 * bytes C0 80, which no valid UTF-8 text contains; jtext_add_string writes it back as \u0000.
 *
 * What is accepted is what the seed's decoder accepts: RFC 8259 in UTF-8, no byte order mark, at most LIMIT_JSON_DEPTH
 * levels, no number beyond the range of a double, no lone surrogate. Of members that it does not know it checks the form
 * only, which is why there are two ways to pass over a value.
 *
 * Errors: ROUSE_EDATA with the position in bytes, ROUSE_ELIMIT when nested too deep. */
#ifndef JSON_JTEXT_H
#define JSON_JTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

struct jslice { /* the text of one value, without blanks around it. Borrowed from the document */
    const char *at;
    size_t len;
};

enum jtype { JTYPE_NULL, JTYPE_BOOL, JTYPE_NUMBER, JTYPE_STRING, JTYPE_ARRAY, JTYPE_OBJECT };

/* One whole document; *ret_value (may be NULL) is its value. */
int jtext_check(const char *text, size_t len, struct jslice *ret_value, rouse_error *err);
/* The same with less depth to spare: levels is how many the value may have. */
int jtext_check_depth(const char *text, size_t len, unsigned levels, rouse_error *err);

/* ---- walking through an object or an array ----
 *
 *   struct jtext t;
 *   int code = jtext_open(&t, text, len, JTYPE_OBJECT, err);
 *   while (code >= 0 && (code = jtext_member(&t, &key, err)) > 0)
 *       code = jtext_value(&t, &value, err);           // or jtext_skim: exactly one of them for each member
 *   if (code == 0) code = jtext_end(&t, err);           // nothing but blanks behind it
 */
struct jtext {
    const char *start, *at, *end;
    unsigned open; /* brackets around the cursor */
    bool first;
};

int jtext_open(struct jtext *t, const char *text, size_t len, enum jtype type, rouse_error *err);
/* 1: *ret_key is the next member's name, and its value must be read next. 0: that was the last. */
int jtext_member(struct jtext *t, struct jslice *ret_key, rouse_error *err);
/* 1: *ret_value is the next item. 0: that was the last. */
int jtext_item(struct jtext *t, struct jslice *ret_value, rouse_error *err);
/* 1: an item is next, and must be read. 0: that was the last. */
int jtext_next_item(struct jtext *t, rouse_error *err);
int jtext_value(struct jtext *t, struct jslice *ret_value, rouse_error *err);
/* The same for a value that is ignored, or is read again piece by piece: only its form is checked. */
int jtext_skim(struct jtext *t, struct jslice *ret_value, rouse_error *err);
int jtext_end(struct jtext *t, rouse_error *err);
/* Without slices, each byte once: what comes next, and going into the bracket that comes next. The values in it are then read
 * through inner; when it is over, outer->at = inner->at. */
int jtext_peek(struct jtext *t, enum jtype *ret_type, rouse_error *err);
void jtext_enter(const struct jtext *outer, struct jtext *inner);

/* ---- reading slices that one of the above gave ---- */

enum jtype jtext_type(struct jslice value);
const char *jtext_type_name(enum jtype type); /* "a string", … */
/* The value as a whole number that fits; false for everything else, also for 1.0 and 1e3. */
bool jtext_u64(struct jslice value, uint64_t *ret);
bool jtext_i64(struct jslice value, int64_t *ret);
bool jtext_bool(struct jslice value, bool *ret);
/* Is it a string of exactly these characters? */
bool jtext_is(struct jslice value, const char *text);
/* The characters of a string (which value must be) into out, which has room for value.len bytes, with a NUL. Returns their
 * number. */
size_t jtext_unescape(struct jslice value, char *out);
/* The same into an arena; NULL when out of memory. */
char *jtext_string(struct jslice value, struct arena *arena);

/* The string member `name` of an object, for small documents of our own: false when text is malformed, the member is
 * missing or no string, or does not fit. The first one of that name counts. */
bool jtext_member_text(const char *text, size_t len, const char *name, char *out, size_t size);

/* ---- writing ---- */

/* A string in quotes. Malformed UTF-8 becomes U+FFFD. */
void jtext_add_string(struct buf *out, const char *text, size_t len);
/* `,"name":` (the comma only behind another member or item), for C literals. */
void jtext_add_name(struct buf *out, const char *name);
/* Well-formed JSON as it is, but on one line: line breaks, which can only stand between tokens, become blanks. */
void jtext_add_raw(struct buf *out, const char *json, size_t len);

#endif
