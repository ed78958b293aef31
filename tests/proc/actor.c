/* A command for the tests, driven by its words:
 *   say TEXT          a line on stdout
 *   write N           N bytes, the n-th being 'a' + n % 26
 *   fds | cwd | signals | env NAME | umask | stdin    describe what it was started with, one line
 *   ignore N          ignore a signal
 *   child … end       a child does what stands between
 *   session … end     the same in a session of its own
 *   daemon … end      the same, forked twice
 *   close             close stdout and stderr
 *   exit N | raise N | pause | stop | chain | storm    how it goes on: the last two fork without end
 * A parent goes on when its child has come to its last word, so what a line says is true once it is read. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int arrived = -1; /* closed when the last word is reached */

static void arrive(void)
{
    fflush(stdout);
    if (arrived >= 0)
        close(arrived);
    arrived = -1;
}

static int number(const char *word)
{
    return word ? (int)strtol(word, NULL, 10) : 0;
}

static void print_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char target[256];
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1);
        if (n > 0 && number(entry->d_name) != dirfd(dir))
            printf("%s=%.*s ", entry->d_name, target[0] == '/' ? (int)n : 4, target);
    }
    printf("\n");
    if (dir)
        closedir(dir);
}

static void print_signals(void)
{
    sigset_t blocked;
    int changed = 0;
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    for (int i = 1; i < SIGRTMAX; i++) {
        struct sigaction action;
        changed += sigismember(&blocked, i) == 1;
        changed += sigaction(i, NULL, &action) == 0 && action.sa_handler != SIG_DFL;
    }
    printf("%d changed\n", changed);
}

static void write_bytes(long count)
{
    for (long i = 0; i < count; i++)
        putchar('a' + (int)(i % 26));
    fflush(stdout);
}

/* One process at a time, which is never the same for long. */
static void chain(void)
{
    arrive();
    for (;;) {
        pid_t pid = fork();
        if (pid > 0)
            _exit(0);
    }
}

/* A parent that forks without end, and children that stay, up to what can be watched at leisure. */
static void storm(void)
{
    arrive();
    for (int children = 0;;) {
        pid_t pid = fork();
        if (pid == 0) {
            setsid();
            for (;;)
                pause();
        }
        children += pid > 0;
        if (children > 200 && waitpid(-1, NULL, 0) > 0)
            children--;
    }
}

static char **find_end(char **word)
{
    int depth = 1;
    for (; *word; word++) {
        if (strcmp(*word, "child") == 0 || strcmp(*word, "session") == 0 || strcmp(*word, "daemon") == 0)
            depth++;
        if (strcmp(*word, "end") == 0 && --depth == 0)
            return word;
    }
    fprintf(stderr, "no end\n");
    exit(99);
}

static void act(char **word);

static char **start_child(char **word)
{
    char **end = find_end(word + 1);
    int sync[2];
    char byte;
    if (pipe2(sync, O_CLOEXEC) < 0)
        exit(98);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        close(sync[0]);
        if (arrived >= 0)
            close(arrived);
        arrived = sync[1];
        if (word[0][0] != 'c')
            setsid();
        if (word[0][0] == 'd') {
            signal(SIGHUP, SIG_IGN); /* which the kernel may send when the one in between goes */
            if (fork() > 0)
                _exit(0);
        }
        *end = NULL;
        act(word + 1);
        fflush(stdout);
        _exit(0);
    }
    close(sync[1]);
    if (word[0][0] == 'd')
        waitpid(pid, NULL, 0);
    while (read(sync[0], &byte, 1) > 0)
        continue;
    close(sync[0]);
    return end;
}

static int go_on(const char *verb, const char *object)
{
    if (strcmp(verb, "exit") == 0) {
        arrive();
        _exit(number(object));
    }
    if (strcmp(verb, "pause") == 0) {
        arrive();
        for (;;)
            pause();
    }
    if (strcmp(verb, "raise") == 0 || strcmp(verb, "stop") == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0});
        arrive();
        raise(verb[0] == 's' ? SIGSTOP : number(object));
        return verb[0] == 'r';
    }
    if (strcmp(verb, "chain") == 0)
        chain();
    if (strcmp(verb, "storm") == 0)
        storm();
    return -1;
}

static int describe(const char *verb, const char *object)
{
    char text[4096];
    if (strcmp(verb, "fds") == 0) {
        print_fds();
    } else if (strcmp(verb, "signals") == 0) {
        print_signals();
    } else if (strcmp(verb, "cwd") == 0) {
        printf("%s\n", getcwd(text, sizeof text));
    } else if (strcmp(verb, "umask") == 0) {
        printf("%03o\n", (unsigned)umask(0));
    } else if (strcmp(verb, "stdin") == 0) {
        printf("%zd\n", read(0, text, sizeof text));
    } else if (strcmp(verb, "env") == 0) {
        const char *value = getenv(object);
        printf("%s\n", value ? value : "-");
        return 1;
    } else {
        return -1;
    }
    return 0;
}

static int do_simple(const char *verb, const char *object)
{
    if (strcmp(verb, "say") == 0)
        printf("%s\n", object);
    else if (strcmp(verb, "write") == 0)
        write_bytes(number(object));
    else if (strcmp(verb, "ignore") == 0)
        signal(number(object), SIG_IGN);
    else
        return -1;
    fflush(stdout);
    return 1;
}

static void act(char **word)
{
    for (; *word; word++) {
        if (strcmp(*word, "child") == 0 || strcmp(*word, "session") == 0 || strcmp(*word, "daemon") == 0) {
            word = start_child(word);
            continue;
        }
        if (strcmp(*word, "close") == 0) {
            fflush(stdout);
            close(1);
            close(2);
            continue;
        }
        int used = do_simple(*word, word[1]);
        used = used < 0 ? describe(*word, word[1]) : used;
        fflush(stdout);
        used = used < 0 ? go_on(*word, word[1]) : used;
        if (used < 0) {
            fprintf(stderr, "unknown word '%s'\n", *word);
            exit(97);
        }
        word += used;
    }
}

int main(int argc, char **argv)
{
    if (argc > 1)
        act(argv + 1);
    return 0;
}
