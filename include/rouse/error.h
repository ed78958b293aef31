/* rouse/error.h: how every call of librouse reports failure.
 *
 * A function that can fail returns an int: 0 or a positive value on success, one of the negative ROUSE_E… codes on
 * failure. The detail for people goes into a rouse_error that the caller owns: last parameter, may be NULL, untouched on
 * success. Out-parameters are untouched on failure.
 *
 * Pointers in these headers are described by one of four words:
 *   Returns  the caller frees it, with the function named
 *   Takes    the callee owns it from the call on, also when the call fails
 *   Borrows  it stays the other side's, valid until the moment named
 *   Fills    the caller owns the memory, the callee writes into it
 */
#ifndef ROUSE_ERROR_H
#define ROUSE_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ROUSE_API __attribute__((visibility("default")))
#define ROUSE_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define ROUSE_MAYBE_UNUSED __attribute__((unused))
#else
#define ROUSE_API
#define ROUSE_PRINTF(f, a)
#define ROUSE_MAYBE_UNUSED
#endif

/* One row per code: X(name, value, text, exit status of the command, HTTP status, JSON-RPC code).
 * Chosen by what a caller would do next. */
#define ROUSE_ERRORS(X)                                                                                                \
    X(ENOMEM, -1, "out of memory", 1, 500, -32603)                    /* give something back, try again */             \
    X(EINVAL, -2, "invalid argument", 2, 400, -32602)                 /* the caller's bug or a user's slip */          \
    X(ENOTFOUND, -3, "not found", 3, 404, -32602)                     /* no such task, thread, run, key */             \
    X(ECONFLICT, -4, "conflict", 4, 409, -32602)                      /* name in use, revision moved, already ended */ \
    X(ELIMIT, -5, "limit reached", 4, 429, -32602)                    /* too many or too large */                      \
    X(EDATA, -6, "malformed data", 1, 400, -32602)                    /* text or JSON that cannot be read */           \
    X(ESTORE, -7, "the store cannot be used", 5, 503, -32603)         /* corrupt, newer, not a store */                \
    X(EBUSY, -8, "the store is busy", 5, 503, -32603)                 /* locked for longer than the timeout */         \
    X(EIO, -9, "input/output error", 1, 500, -32603)                  /* a system call failed */                       \
    X(EDENIED, -10, "permission denied", 1, 403, -32602)              /* not yours */                                  \
    X(ETIMEOUT, -11, "timed out", 124, 504, -32603)                   /* a wait's time passed */                       \
    X(EINTERRUPTED, -12, "interrupted", 1, 499, -32603)               /* the caller asked to stop waiting */           \
    X(EREMOTE, -13, "the other side failed", 1, 502, -32603)          /* a model or a supervisor */                    \
    X(EUNSUPPORTED, -14, "not supported", 1, 501, -32601)             /* this build or system cannot */

#define ROUSE_ERROR_ENUM(name, value, text, exit_status, http, rpc) ROUSE_##name = (value),
enum rouse_code { ROUSE_OK = 0, ROUSE_ERRORS(ROUSE_ERROR_ENUM) };
#undef ROUSE_ERROR_ENUM

typedef struct rouse_error {
    int code;          /* one of ROUSE_E…, or 0 */
    char message[256]; /* one line for people, always terminated; names the thing and, where there is one, the next step */
} rouse_error;

/* The fixed text of a code ("not found"). Never NULL; an unknown code gives "unknown error". Any thread. */
ROUSE_API const char *rouse_error_text(int code);
/* The exit status the command uses for a code (0 for success, 1 for an unknown code). Any thread. */
ROUSE_API int rouse_error_exit_status(int code);

#ifdef __cplusplus
}
#endif
#endif
