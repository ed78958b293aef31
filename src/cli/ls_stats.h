/* `rouse ls --stats`: how many tasks there are, and how they fared. */
#ifndef CLI_LS_STATS_H
#define CLI_LS_STATS_H

#include "cli/cli.h"

/* Prints the numbers of a thread (NULL = all), as JSON when that was asked for. */
int ls_stats(struct cli *cli, const char *thread, rouse_error *err);

#endif
