/* The seed's export document, {"revision":n,"extensions":{key:value}}, and the JSON of a MAP key's whole value: taken apart
 * into slices, nothing copied. A name that stands twice is given twice: the last one counts. */
#ifndef STATE_DOCUMENT_H
#define STATE_DOCUMENT_H

#include "json/jtext.h"

struct document {
    uint64_t revision;
    struct jslice extensions; /* an object */
};

/* name and json are Borrowed for the call; a negative return ends the walk and is returned. */
typedef int (*document_visit)(void *userdata, const char *name, struct jslice json, rouse_error *err);

/* Borrows json. ROUSE_EDATA, ROUSE_ELIMIT. */
int document_parse(const char *json, size_t len, struct document *fill, rouse_error *err);
/* Every (key name, value). */
int document_keys(const struct document *document, document_visit visit, void *userdata, rouse_error *err);
/* Every (entry name, value) of a map: json is {member: {…}}, or with member NULL the map itself. Of a MAP key's whole value,
 * member is its map_member. */
int document_entries(const char *member, const char *json, size_t len, document_visit visit, void *userdata,
                     rouse_error *err);

#endif
