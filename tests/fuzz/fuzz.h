/* What the fuzzers share. Each is one file with LLVMFuzzerTestOneInput, one row in meson.build and one in corpus.py. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rouse/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that does not hold ends the run, and the input is kept. */
#define must(property)                                                                                                 \
    do {                                                                                                               \
        if (!(property)) {                                                                                             \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #property);                                     \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* Every refusal has a code and says why. */
static inline void must_say_why(int code, const rouse_error *err)
{
    must(code < 0 && err->code == code && err->message[0] && strlen(err->message) < sizeof err->message);
}

/* Decodes and encodes; Returns free. NULL: it was refused, with err. */
typedef char *fuzz_codec(const char *json, size_t len, rouse_error *err);

/* What is accepted can be written, what was written can be read, and is then written the same. */
static inline void must_be_stable(fuzz_codec *codec, const uint8_t *data, size_t size)
{
    rouse_error err = {0};
    char *once = codec((const char *)data, size, &err);
    if (!once) {
        must_say_why(err.code, &err);
        return;
    }
    char *twice = codec(once, strlen(once), &err);
    must(twice != NULL);
    must(strcmp(once, twice) == 0);
    free(once);
    free(twice);
}

#endif
