/*
 * Measures starting and ending a process. All commands are started by the same code, in turns, so
 * that what starting costs by itself is the same for each.
 *
 *     spawn ROUNDS -- COMMAND ARGUMENT… -- COMMAND ARGUMENT…
 *
 * What they print is thrown away. It prints a line per command and round: number of the command
 * (from 1), wall nanoseconds from
 * posix_spawn to the end, CPU nanoseconds, peak memory in KiB. The kernel's peak of a process
 * includes the one of the program that started it, at the moment of exec: that is why this is a C
 * program, smaller than all that it measures.
 */
#define _DEFAULT_SOURCE /* wait4, which POSIX does not have */

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

enum { MAX_COMMANDS = 8 };

static double nanoseconds(void)
{
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double of_timeval(struct timeval time)
{
    return (double)time.tv_sec * 1e9 + (double)time.tv_usec * 1e3;
}

static int measure(int number, char **command, const posix_spawn_file_actions_t *actions)
{
    struct rusage usage;
    pid_t pid = 0;
    int status = 0;
    double wall = nanoseconds();
    if (command[0] == NULL || posix_spawn(&pid, command[0], actions, NULL, command, environ) != 0 ||
        wait4(pid, &status, 0, &usage) != pid || status != 0) {
        fprintf(stderr, "spawn: %s failed\n", command[0]);
        return 1;
    }
    wall = nanoseconds() - wall;
    printf("%d %.0f %.0f %ld\n", number, wall,
           of_timeval(usage.ru_utime) + of_timeval(usage.ru_stime), usage.ru_maxrss);
    return 0;
}

int main(int argc, char **argv)
{
    char **commands[MAX_COMMANDS];
    int count = 0;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0 && count < MAX_COMMANDS && i + 1 < argc) {
            commands[count++] = &argv[i + 1];
            argv[i] = NULL; /* ends the arguments of the command before */
        }
    }
    posix_spawn_file_actions_t silently;
    if (posix_spawn_file_actions_init(&silently) != 0 ||
        posix_spawn_file_actions_addopen(&silently, 1, "/dev/null", O_WRONLY, 0) != 0) {
        return 1;
    }
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    for (long round = 0; round < rounds; round++) {
        for (int i = 0; i < count; i++) {
            int turn = (int)((i + round) % count);
            if (measure(turn + 1, commands[turn], &silently) != 0) {
                return 1;
            }
        }
    }
    return count > 0 && rounds > 0 ? 0 : 1;
}
