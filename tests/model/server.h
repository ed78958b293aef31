/* A small server in the test's own program: one fixed answer a connection, in order; then nobody answers any more. */
#ifndef TESTS_MODEL_SERVER_H
#define TESTS_MODEL_SERVER_H

#include <pthread.h>
#include <stdbool.h>

#include "base/buf.h"
#include "support/check.h"

#define SERVER_ANSWERS 8

struct server {
    int listener;
    char url[64]; /* with a user and a password, which nothing may repeat */
    pthread_t thread;
    const char *answers[SERVER_ANSWERS]; /* sent, then the connection is closed; NULL: nothing is sent until the other side goes away */
    size_t count;
    bool joined;
    size_t asked;
    struct buf request; /* what came, one behind the other */
};

void server_open(struct server *s, const char *const *answers, size_t count);
void server_join(struct server *s); /* after it the requests are there to be read */
void server_done(struct server *s);

#endif
