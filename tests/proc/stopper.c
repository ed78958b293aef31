/* Stands in for rouse-shim in the tests that kill it: executes the real one with --die-at. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    char **words = calloc((size_t)argc + 3, sizeof *words);
    const char *shim = getenv("ROUSE_TEST_SHIM");
    char *point = getenv("ROUSE_TEST_POINT");
    if (!words || !shim || !point)
        return 99;
    words[0] = argv[0];
    words[1] = (char[]){"--die-at"};
    words[2] = point;
    for (int i = 1; i < argc; i++)
        words[i + 2] = argv[i];
    execv(shim, words);
    return 98;
}
