#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

const char *rouse_error_text(int code)
{
    switch (code) {
    case ROUSE_OK:
        return "success";
#define ROUSE_ERROR_TEXT(name, value, text, exit_status, http, rpc)                                                    \
    case ROUSE_##name:                                                                                                 \
        return text;
        ROUSE_ERRORS(ROUSE_ERROR_TEXT)
#undef ROUSE_ERROR_TEXT
    default:
        return "unknown error";
    }
}

int rouse_error_exit_status(int code)
{
    switch (code) {
#define ROUSE_ERROR_EXIT(name, value, text, exit_status, http, rpc)                                                    \
    case ROUSE_##name:                                                                                                 \
        return exit_status;
        ROUSE_ERRORS(ROUSE_ERROR_EXIT)
#undef ROUSE_ERROR_EXIT
    default:
        return code >= 0 ? 0 : 1;
    }
}

static void set_message(rouse_error *err, int code, const char *text)
{
    err->code = code;
    utf8_copy_printable(err->message, sizeof err->message, text);
}

int rouse_fail(rouse_error *err, int code, const char *format, ...)
{
    if (err) {
        char text[sizeof err->message * 2];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        set_message(err, code, text);
    }
    return code;
}

int rouse_fail_errno(rouse_error *err, int code, int errnum, const char *format, ...)
{
    if (err) {
        char text[sizeof err->message * 2];
        char reason[128];
        va_list args;
        va_start(args, format);
        int used = vsnprintf(text, sizeof text, format, args);
        va_end(args);
        size_t at = used < 0 ? 0 : (size_t)used;
        if (at < sizeof text)
            snprintf(text + at, sizeof text - at, ": %s", strerror_r(errnum, reason, sizeof reason));
        set_message(err, code, text);
    }
    return code;
}

int rouse_fail_memory(rouse_error *err)
{
    return rouse_fail(err, ROUSE_ENOMEM, "out of memory");
}

int rouse_fail_context(rouse_error *err, int code, const char *format, ...)
{
    if (err) {
        char text[sizeof err->message * 2];
        va_list args;
        va_start(args, format);
        int used = vsnprintf(text, sizeof text, format, args);
        va_end(args);
        size_t at = used < 0 ? 0 : (size_t)used;
        if (at < sizeof text)
            snprintf(text + at, sizeof text - at, ": %s", err->message);
        set_message(err, code, text);
    }
    return code;
}
