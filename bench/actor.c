/* The commands that the measurements start as tasks. Static, so that they cost little themselves.
 *
 *   actor write BYTES          writes that many to its stdout
 *   actor pause                does nothing for ever
 *   actor stamp FIFO FILE      waits until FIFO is opened and closed, writes the time to FILE, ends
 *   actor tree N               starts N processes that ignore TERM, says "grown", does nothing for ever */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void pause_for_ever(void)
{
    for (;;)
        pause();
}

static int write_bytes(const char *count)
{
    static char block[65536];
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = i % 64 == 63 ? '\n' : 'x';
    for (long left = strtol(count, NULL, 10); left > 0;) {
        size_t size = left < (long)sizeof block ? (size_t)left : sizeof block;
        ssize_t n = write(STDOUT_FILENO, block, size);
        if (n <= 0)
            return 1;
        left -= n;
    }
    return 0;
}

static int stamp(const char *fifo, const char *file)
{
    char byte;
    struct timespec now;
    int out = open(file, O_WRONLY | O_CREAT, 0600), in = open(fifo, O_RDONLY);
    if (out < 0 || in < 0 || read(in, &byte, 1) != 0)
        return 1;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return write(out, &now, sizeof now) == sizeof now ? 0 : 1;
}

/* In tens of tens, so that it is a tree and not a brush. count includes the caller. */
static _Noreturn void grow(long count, int ready)
{
    for (long left = count - 1; left > 0;) {
        long share = left > 10 ? (left + 9) / 10 : 1;
        left -= share;
        if (fork() == 0) {
            count = share;
            left = share - 1;
        }
    }
    close(ready);
    pause_for_ever();
}

static int tree(const char *count)
{
    int ready[2];
    char byte;
    signal(SIGTERM, SIG_IGN);
    if (pipe(ready) < 0)
        return 1;
    if (fork() == 0) {
        close(ready[0]);
        grow(strtol(count, NULL, 10) - 1, ready[1]);
    }
    close(ready[1]);
    if (read(ready[0], &byte, 1) != 0) /* the end, once the last of them is up */
        return 1;
    puts("grown");
    fflush(stdout);
    pause_for_ever();
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (argc == 3 && strcmp(what, "write") == 0)
        return write_bytes(argv[2]);
    if (argc == 4 && strcmp(what, "stamp") == 0)
        return stamp(argv[2], argv[3]);
    if (argc == 3 && strcmp(what, "tree") == 0)
        return tree(argv[2]);
    if (argc == 2 && strcmp(what, "pause") == 0)
        pause_for_ever();
    return 2;
}
