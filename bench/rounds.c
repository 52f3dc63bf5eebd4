#include "rounds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double nanoseconds(clockid_t clock)
{
    struct timespec now = {0, 0};
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static const struct work *find(const struct work *works, const char *name)
{
    while (works->name != NULL && strcmp(works->name, name) != 0) {
        works++;
    }
    return works->name != NULL ? works : NULL;
}

int rounds_serve(const struct work *works, void *state)
{
    char line[64];
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *name = line, *space = strchr(line, ' ');
        if (space == NULL) {
            return 1;
        }
        *space = '\0';
        long count = strtol(space + 1, NULL, 10);
        if (count < 1) {
            return 1;
        }
        const struct work *work = find(works, name);
        double cpu = nanoseconds(CLOCK_PROCESS_CPUTIME_ID), wall = nanoseconds(CLOCK_MONOTONIC);
        if (work == NULL || !work->run(state, count)) {
            return 1;
        }
        wall = nanoseconds(CLOCK_MONOTONIC) - wall;
        cpu = nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
        printf("%.1f %.1f\n", wall / (double)count, cpu / (double)count);
        fflush(stdout);
    }
    return 0;
}
