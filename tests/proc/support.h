/* What the tests of supervisors share: a directory for tasks, and certainty that nothing is left behind. The test process
 * is a child subreaper, so every supervisor, reaper and survivor becomes its child and can be waited for. */
#ifndef TESTS_PROC_SUPPORT_H
#define TESTS_PROC_SUPPORT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "proc/proc.h"

/* Of this run alone: tests that run at the same time must not end each other's processes. */
extern char test_token[33];
#define ACTOR(...) ((const char *const[]){getenv("ROUSE_TEST_ACTOR"), __VA_ARGS__, NULL})

struct place {
    char path[64];
    int tasks;
};

int place_setup(void **state);
/* Fails when a process with the token is left. */
int place_teardown(void **state);

/* A start with what every test wants: token, environment, no reaper. */
struct proc_start start_of(const char *const *argv);
/* proc_create and proc_start as the task room does it; *ret_command may be NULL. */
int start_task(struct place *p, const char *id, const struct proc_start *start, pid_t *ret_command, rouse_error *err);
/* Waits until every supervisor and what it left has ended. */
void settle(void);
/* settle, then the exit record, which must be there. */
struct proc_exit end_of(struct place *p, const char *id);
enum proc_state probe(struct place *p, const char *id);
struct proc_look look_at(struct place *p, const char *id);
/* Sleeps until this news comes, passing over others. */
void await_news(int fd, enum proc_news news);
int connect_and_watch(struct place *p, const char *id);
/* The whole output from offset 0, terminated. */
const char *output_of(struct place *p, const char *id);
/* Of a command: its supervisor. */
pid_t parent_of(pid_t pid);
/* Living processes with the token. */
unsigned survivors(void);

#endif
