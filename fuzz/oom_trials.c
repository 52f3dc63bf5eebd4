#include "oom_trials.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MOST_POINTS = 200000, MOST_COMPLAINTS = 10 };

struct tally {
    long points, handled, survived, excused, wrong, leaked;
};

struct count {
    long alive[OOM_PARTIES];
    unsigned mark;
};

/* What OpenSSL keeps for a thread (random generators, the ring of its last errors) goes first: it
 * is no leak, and the next trial shall find it missing. */
static struct count take_count(void)
{
    struct count count;
    OPENSSL_thread_stop();
    for (int i = 0; i < OOM_PARTIES; i++) {
        count.alive[i] = oom_alive((enum oom_party)i);
    }
    count.mark = oom_mark();
    return count;
}

/* Blocks that are alive now and were not before, of all parties. */
static long leaked(const struct oom_trial *trial, long n, const struct count *before)
{
    long sum = 0;
    struct count after = take_count();
    for (int i = 0; i < OOM_PARTIES && !trial->is_isolated; i++) {
        long more = after.alive[i] - before->alive[i];
        if (i == OOM_OPENSSL && trial->remembered > 0) {
            continue; /* see to it at the end */
        }
        if (more > 0) {
            fprintf(stderr, "%s, n = %ld: %ld more blocks of %s alive\n", trial->name, n, more,
                    oom_party_name((enum oom_party)i));
            oom_list((enum oom_party)i, before->mark);
            sum += more;
        }
    }
    return sum;
}

static double seconds(void)
{
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void add(struct tally *tally, enum oom_outcome outcome)
{
    tally->points += outcome != OOM_COMPLETE;
    tally->handled += outcome == OOM_HANDLED;
    tally->survived += outcome == OOM_SURVIVED;
    tally->excused += outcome == OOM_EXCUSED;
    tally->wrong += outcome == OOM_WRONG;
}

bool oom_try_all(const struct oom_trial *trial, enum oom_party party, enum oom_mode mode,
                 long stride)
{
    struct tally tally = {0};
    double start = seconds();
    /* What is made once per process is made now. */
    if (!trial->is_isolated && trial->run(trial, party, mode, LONG_MAX) != OOM_COMPLETE) {
        tally.wrong++;
    }
    enum oom_outcome outcome = OOM_WRONG;
    const struct count first = take_count();
    long n = 1;
    while (tally.wrong + tally.leaked < MOST_COMPLAINTS && n < MOST_POINTS) {
        const struct count before = take_count();
        outcome = trial->run(trial, party, mode, n);
        add(&tally, outcome);
        tally.leaked += leaked(trial, n, &before);
        if (outcome == OOM_COMPLETE) {
            break;
        }
        n += stride;
    }
    if (trial->remembered > 0) {
        long more = take_count().alive[OOM_OPENSSL] - first.alive[OOM_OPENSSL];
        tally.leaked += more > trial->remembered ? more : 0;
    }
    bool is_right = outcome == OOM_COMPLETE && tally.wrong == 0 && tally.leaked == 0;
    if (is_right && tally.points == 0) {
        return true; /* the party has no part in this */
    }
    printf("%-22s %-8s %-8s %6ld points: %6ld handled, %5ld survived, %3ld excused, %ld wrong, "
           "%ld leaked, %.1f s%s\n",
           trial->name, oom_party_name(party), oom_mode_name(mode), tally.points, tally.handled,
           tally.survived, tally.excused, tally.wrong, tally.leaked, seconds() - start,
           is_right ? "" : "  FAILED");
    fflush(stdout);
    return is_right;
}

long oom_stride(const char *variable, long fallback)
{
    const char *text = getenv(variable);
    long stride = text != NULL ? strtol(text, NULL, 10) : fallback;
    return stride >= 1 ? stride : 1;
}
