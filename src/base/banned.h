/* Included before everything else, by the compiler's command line: functions whose ordinary use is a bug do not compile.
 * The headers that declare them come first, for a poisoned word may not even be declared again.
 */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <alloca.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

/* No bound on what is written: buf_add…, snprintf, memcpy. */
#pragma GCC poison gets strcpy strcat stpcpy sprintf vsprintf
/* Truncate or fill in silence: buf_add…, utf8_copy_printable, memcpy. */
#pragma GCC poison strncpy strncat stpncpy
/* Hidden static state. */
#pragma GCC poison strtok localtime gmtime ctime asctime strerror
/* No error, or undefined behaviour out of range: strtol and its kin with a check. */
#pragma GCC poison atoi atol atoll atof
/* Predictable, and one state for the whole process: the platform's random. */
#pragma GCC poison rand srand srandom drand48
/* A shell, or a name that another can take first. */
#pragma GCC poison popen mktemp tmpnam tempnam
/* The stack is no place for a size from outside. */
#undef alloca
#undef strdupa
#undef strndupa
#pragma GCC poison alloca strdupa strndupa

/* Words that are also good names for members: calling them is an error with -Werror. */
int system(const char *command) __attribute__((deprecated("text must not reach a shell")));
long random(void) __attribute__((deprecated("one state for the whole process: use the platform's")));

#endif
