/* Objects with known members, decoded by a table: which members there are, of which type, and where they go.
 * Unknown members are ignored; a known one twice, a missing one or one of another type is ROUSE_EDATA that names it and, when
 * it stands deeper, the members around it. */
#ifndef JSON_JFIELDS_H
#define JSON_JFIELDS_H

#include "json/jtext.h"

enum jfield_type {
    JFIELD_STRING,  /* const char *, in the arena */
    JFIELD_STRINGS, /* const char **, NULL-terminated, in the arena */
    JFIELD_RAW,     /* const char *: the value's text, verbatim, in the arena. null is a value like any other */
    JFIELD_SLICE,   /* struct jslice: the same, borrowed from the document */
    JFIELD_U64,     /* uint64_t */
    JFIELD_I64,     /* int64_t */
    JFIELD_INT,     /* int */
    JFIELD_BOOL,    /* bool */
    JFIELD_ENUM,    /* an enum of int's size: the index of a string in names */
    JFIELD_OBJECT,  /* the struct that `object` describes */
};

enum jfield_need {
    JFIELD_OPTIONAL, /* missing or null: the target stays as it is */
    JFIELD_DEFAULT,  /* missing: stays as it is; null is an error */
    JFIELD_REQUIRED,
    JFIELD_PART,     /* as OPTIONAL; offset and has are those in the part */
};

struct jfields;

struct jfield {
    const char *name;
    enum jfield_type type;
    enum jfield_need need;
    size_t offset;
    size_t has;                   /* offset of a bool that says whether the member was there; 0 = none */
    const char *const *names;     /* JFIELD_ENUM: NULL-terminated */
    const struct jfields *object; /* JFIELD_OBJECT */
};

struct jfields {
    const struct jfield *rows; /* at most 64 */
    size_t count;
    bool strict; /* ignored members must be readable too */
    /* The part: a second struct, in the arena and zeroed, which a pointer at part_at of the target leads to. It is made when
     * one of its members is there; so that what is mostly absent takes no room. part_size 0 = none. */
    size_t part_at, part_size;
};

/* One whole document into *into (arena may be NULL when the table has nothing for it), which the caller has set to the
 * defaults. On failure *into is undefined.
 * ROUSE_EDATA, ROUSE_ELIMIT, ROUSE_ENOMEM. */
int jfields_decode(const struct jfields *fields, const char *text, size_t len, struct arena *arena, void *into,
                   rouse_error *err);

/* What a struct borrows: its texts and its part, found in one look. */
#define JFIELDS_OWNED 40 /* texts and lists of a struct, the objects in it included, at most */

struct jfields_item {
    size_t place; /* of the pointer: in the struct, or behind its end: in the part */
    size_t size;  /* of its texts, with their NULs */
    size_t list;  /* JFIELD_STRINGS: pointers in it, with its NULL; else 0 */
    size_t same;  /* 0, or the item whose text it is too: one more than its place */
    const void *value;
};

struct jfields_owned {
    size_t size; /* bytes that jfields_own fills */
    size_t count, lists; /* lists: pointers in all of them */
    const void *part; /* one in all, or NULL */
    size_t part_at, part_size, part_base;
    struct jfields_item items[JFIELDS_OWNED];
};

/* Rows of a part come behind all others. size: of the struct at from, which the result borrows. */
void jfields_gather(const struct jfields *fields, const void *from, size_t size, struct jfields_owned *ret_owned);
/* *into is a copy of the bytes of what was gathered: everything it borrows is copied to room, which has owned->size bytes and is
 * aligned for any type. */
void jfields_own(const struct jfields_owned *owned, void *room, void *into);
/* One value, as a row of a table would take it. */
int jfield_read(const struct jfield *row, struct jslice value, struct arena *arena, void *into, rouse_error *err);

#endif
