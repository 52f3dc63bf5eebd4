#define _GNU_SOURCE /* pipe2, dup3, syscall, NSIG */

#include "child.h"

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    FIRST_DESCRIPTOR = 3,      /* behind the standard ones */
    MAX_DESCRIPTORS = 1 << 20, /* the kernel's own maximum, unless raised */
    CANNOT_EXECUTE = 127,
    FIRST_PAUSE = 100000, /* nanoseconds between looks at a process that cannot be waited for */
    LONGEST_PAUSE = 16000000
};

static const double kill_seconds = 1; /* a killed process that the kernel holds is left alone */

/* What the parent and the child of one start share. -1: closed. */
struct start {
    int output[2];
    int report[2]; /* errno of an exec that failed; closed by one that did not */
    int null;
};

void cr_child_init(struct cr_child *child)
{
    memset(child, 0, sizeof *child);
    child->output_end = -1;
    cr_buffer_init(&child->output, CR_MAX_CHILD_OUTPUT, true);
}

static void close_descriptor(int *descriptor)
{
    if (*descriptor >= 0) {
        close(*descriptor);
        *descriptor = -1;
    }
}

/* A host without standard descriptors gets those for its files; the child must not mix them up. */
static int move_up(int *descriptor)
{
    if (*descriptor < 0 || *descriptor >= FIRST_DESCRIPTOR) {
        return *descriptor;
    }
    int moved = fcntl(*descriptor, F_DUPFD_CLOEXEC, FIRST_DESCRIPTOR);
    int reason = errno;
    close_descriptor(descriptor);
    errno = reason;
    *descriptor = moved;
    return moved;
}

static bool open_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) != 0) {
        ends[0] = ends[1] = -1;
        return false;
    }
    return move_up(&ends[0]) >= 0 && move_up(&ends[1]) >= 0;
}

static bool open_all(struct start *start)
{
    if (!open_pipe(start->output) || !open_pipe(start->report)) {
        return false;
    }
    start->null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return move_up(&start->null) >= 0 && fcntl(start->output[0], F_SETFL, O_NONBLOCK) == 0;
}

static void close_all(struct start *start)
{
    close_descriptor(&start->output[0]);
    close_descriptor(&start->output[1]);
    close_descriptor(&start->report[0]);
    close_descriptor(&start->report[1]);
    close_descriptor(&start->null);
}

/* From here to exec only async-signal-safe functions: another thread of the host may have held any
 * lock when it was forked. */
static void close_from(int first)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, (unsigned)first, ~0U, 0U) == 0) {
        return;
    }
#endif
    long end = sysconf(_SC_OPEN_MAX);
    if (end < 0 || end > MAX_DESCRIPTORS) {
        end = MAX_DESCRIPTORS;
    }
    for (int i = first; i < end; i++) {
        close(i);
    }
}

/* A handler of the host must not run here, so signals stay blocked until there is none. */
static void reset_signals(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    for (int i = 1; i < NSIG; i++) {
        sigaction(i, &action, NULL); /* refused for SIGKILL, SIGSTOP and those of the C library */
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* execvp allocates nothing in the C libraries of Linux. */
static _Noreturn void become_program(const struct start *start, char *const arguments[])
{
    int report = start->report[1];
    if (setpgid(0, 0) == 0 && dup2(start->null, STDIN_FILENO) >= 0 &&
        dup2(start->output[1], STDOUT_FILENO) >= 0 &&
        (report == FIRST_DESCRIPTOR || dup3(report, FIRST_DESCRIPTOR, O_CLOEXEC) >= 0)) {
        report = FIRST_DESCRIPTOR;
        close_from(FIRST_DESCRIPTOR + 1);
        reset_signals();
        execvp(arguments[0], arguments);
    }
    int reason = errno;
    ssize_t written = 0;
    do {
        written = write(report, &reason, sizeof reason);
    } while (written < 0 && errno == EINTR);
    _exit(CANNOT_EXECUTE);
}

/* Never 0: the child does not return. -1 with errno set when there is none. */
static pid_t fork_program(const struct start *start, char *const arguments[])
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t id = fork();
    if (id == 0) {
        become_program(start, arguments);
    }
    int reason = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = reason;
    return id;
}

/* 0 once the program is executed, else the errno of what hindered it. */
static int await_exec(int report)
{
    int reason = 0;
    ssize_t count = 0;
    do {
        count = read(report, &reason, sizeof reason);
    } while (count < 0 && errno == EINTR);
    return count == (ssize_t)sizeof reason ? reason : 0;
}

enum cr_status cr_child_start(struct cr_child *child, char *const arguments[], struct cr_error *err)
{
    struct start start = {{-1, -1}, {-1, -1}, -1};
    int reason = 0;
    if (!open_all(&start)) {
        reason = errno;
        goto done;
    }
    pid_t id = fork_program(&start, arguments);
    if (id < 0) {
        reason = errno;
        goto done;
    }
    close_descriptor(&start.report[1]);
    reason = await_exec(start.report[0]);
    if (reason != 0) {
        while (waitpid(id, NULL, 0) < 0 && errno == EINTR) {
            /* it is about to end */
        }
        goto done;
    }
    child->id = id;
    child->owner = getpid();
    child->output_end = start.output[0];
    child->end = CR_CHILD_RUNNING;
    start.output[0] = -1;
done:
    close_all(&start);
    /* texts of errno are static for every error the system documents */
    return reason == 0 ? CR_OK : cr_fail(err, CR_ESYSTEM, strerror(reason));
}

static double monotonic(void)
{
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Waits a little, longer at the next time, but not longer than what is left. */
static void pause_briefly(long *pause, double left)
{
    double longest = left * 1e9;
    struct timespec time = {0, (double)*pause < longest ? *pause : (long)longest};
    nanosleep(&time, NULL);
    *pause = *pause * 2 < LONGEST_PAUSE ? *pause * 2 : LONGEST_PAUSE;
}

/* Also returns early: for a signal, and because poll counts in an int of milliseconds. */
static void await_output(int descriptor, double left)
{
    const double longest = 3600;
    struct pollfd entry = {.fd = descriptor, .events = POLLIN};
    poll(&entry, 1, (int)((left < longest ? left : longest) * 1000) + 1);
}

/* What is there now, and its end if it has come. */
static enum cr_status drain(struct cr_child *child, struct cr_error *err)
{
    while (child->output_end >= 0) {
        ssize_t count = cr_file_append(&child->output, child->output_end);
        if (count == 0) {
            close_descriptor(&child->output_end);
        } else if (count < 0) {
            return errno == EAGAIN || errno == EWOULDBLOCK
                       ? CR_OK
                       : cr_fail(err, CR_ESYSTEM, strerror(errno));
        } else if (child->output.status == CR_ELIMIT) {
            return cr_fail(err, CR_ELIMIT, "more than 64 KiB of output");
        } else if (child->output.status != CR_OK) {
            return cr_fail(err, child->output.status, "out of memory");
        }
    }
    return CR_OK;
}

/* Collects the exit status if the program has ended. Its id may be another's from then on. */
static void collect_end(struct cr_child *child)
{
    int status = 0;
    pid_t id = 0;
    do {
        id = waitpid(child->id, &status, WNOHANG);
    } while (id < 0 && errno == EINTR);
    if (id == 0) {
        return;
    }
    if (id < 0) {
        child->end = CR_CHILD_LOST;
    } else if (WIFEXITED(status)) {
        child->end = CR_CHILD_EXITED;
        child->code = WEXITSTATUS(status);
    } else {
        child->end = CR_CHILD_SIGNALED;
        child->code = WTERMSIG(status);
    }
    child->id = 0;
}

/* The exit status is collected after the end of the output, not before: as long as it is not, the
 * id of the group is the program's, and what the program left behind can be killed by it. */
enum cr_status cr_child_poll(struct cr_child *child, double seconds, struct cr_error *err)
{
    if (child->id > 0 && child->owner != getpid()) { /* what is in the pipe is for the parent */
        return cr_fail(err, CR_EINVAL, "the program is another process's");
    }
    double deadline = monotonic() + seconds;
    long pause = FIRST_PAUSE;
    for (;;) {
        if (drain(child, err) != CR_OK) {
            cr_child_kill(child);
            return err->status;
        }
        if (child->output_end < 0 && child->id > 0) {
            collect_end(child);
        }
        double left = deadline - monotonic();
        if (child->id == 0 || !(left > 0)) {
            return CR_OK;
        }
        if (child->output_end >= 0) {
            await_output(child->output_end, left);
        } else {
            pause_briefly(&pause, left);
        }
    }
}

/* Somebody else may have collected the program, and its id gone to a new process. The system does
 * not give away an id that a group still bears: if the id is a process again, the group has ended.
 */
static bool is_group_ours(const struct cr_child *child)
{
    siginfo_t info;
    return child->owner == getpid() &&
           (waitid(P_PID, (id_t)child->id, &info, WEXITED | WNOHANG | WNOWAIT) == 0 ||
            errno != ECHILD || getpgid(child->id) < 0);
}

void cr_child_kill(struct cr_child *child)
{
    if (child->id > 0 && is_group_ours(child)) {
        kill(-child->id, SIGKILL);
        double deadline = monotonic() + kill_seconds;
        long pause = FIRST_PAUSE;
        collect_end(child);
        while (child->id > 0 && monotonic() < deadline) {
            pause_briefly(&pause, kill_seconds);
            collect_end(child);
        }
    }
    child->id = 0;
    close_descriptor(&child->output_end);
    cr_buffer_clean_up(&child->output);
}
