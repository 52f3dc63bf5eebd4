#include "console.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int cr_console_columns(int descriptor)
{
    struct winsize size;
    memset(&size, 0, sizeof size);
    if (isatty(descriptor) != 1) {
        return 0;
    }
    return ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/* Written while SIGINT is blocked, read by its handler. */
static char last_words[CR_MAX_LAST_WORDS];
static size_t last_words_length;

/* The disposition is the default again when this runs (SA_RESETHAND), so that the shell sees what
 * it expects of an interrupted program: one that died of SIGINT. */
static void say_last_words(int signal_number)
{
    ssize_t written = write(STDERR_FILENO, last_words, last_words_length);
    (void)written; /* there is nobody left to tell */
    raise(signal_number);
}

void cr_console_on_interrupt(const char *text, size_t length)
{
    sigset_t interrupt, previous;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    sigprocmask(SIG_BLOCK, &interrupt, &previous);
    last_words_length = length < sizeof last_words ? length : sizeof last_words;
    memcpy(last_words, text, last_words_length);
    action.sa_flags = (int)(SA_RESETHAND | SA_NODEFER);
    action.sa_handler = length > 0 ? say_last_words : SIG_DFL;
    sigaction(SIGINT, &action, NULL);
    sigprocmask(SIG_SETMASK, &previous, NULL);
}

bool cr_console_has_input(int descriptor)
{
    struct pollfd input = {descriptor, POLLIN, 0};
    return poll(&input, 1, 0) > 0;
}

ssize_t cr_console_read(int descriptor, char *buffer, size_t size)
{
    ssize_t count = 0;
    do {
        count = read(descriptor, buffer, size);
    } while (count < 0 && errno == EINTR);
    return count;
}
