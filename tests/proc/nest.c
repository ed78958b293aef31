/* A command that starts a task of its own in the directory of its first word, says so, and stays. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support.h"

int main(int argc, char **argv)
{
    struct place p = {.tasks = argc > 1 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1};
    struct proc_start start = start_of(ACTOR("pause"));
    start.token = getenv("ROUSE_TASK_TOKEN");
    rouse_error err = {0};
    if (start_task(&p, "bg_2", &start, NULL, &err) < 0) {
        printf("%s\n", err.message);
        return 1;
    }
    printf("up\n");
    fflush(stdout);
    for (;;)
        pause();
}
