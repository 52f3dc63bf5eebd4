/*
 * The sockets of one HTTP handle: what is waited for on each, and whether one that was kept is
 * still clean.
 *
 * Waiting is epoll's, with one refinement: a socket that nobody waits for at the moment stays
 * registered, because in a kept connection the next request is about to wait for the same thing.
 * So a request on a kept connection costs no epoll_ctl. Only when something does happen on an idle
 * socket is it taken out.
 *
 * A peer has no reason to send anything between an answer and the next request. Bytes that wait
 * there would be taken for the answer of the next request, whoever put them there; libcurl does not
 * look. So each connection is looked at before a request goes out on it again.
 *
 * All of it is told by libcurl's callbacks, by socket number: the table is an array by number.
 */
#ifndef CR_CORE_SOCKETS_H
#define CR_CORE_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

enum {
    CR_SOCKET_READ = 1,
    CR_SOCKET_WRITE = 2,
    CR_SOCKET_FAILED = 4,           /* an error or a hang-up; never waited for, always told */
    CR_MAX_SOCKET_NUMBER = 1 << 20, /* the largest hard limit that Linux has by default */
    CR_MAX_SOCKET_EVENTS = 64       /* told at a time */
};

struct cr_socket;

struct cr_sockets {
    int epoll; /* -1 when closed */
    size_t count;
    size_t used;            /* above every open one */
    bool ran_out;           /* there was no memory for a socket; its user clears it */
    struct cr_socket *list; /* by number */
};

struct cr_socket_event {
    int socket;
    unsigned what;
};

/* False when there is no memory or no descriptor left; then nothing is to be cleaned up. */
bool cr_sockets_init(struct cr_sockets *sockets);
void cr_sockets_clean_up(struct cr_sockets *sockets); /* closes none of the sockets; idempotent */

/* A socket has been made, or is about to be closed. */
bool cr_sockets_opened(struct cr_sockets *sockets, int socket);
void cr_sockets_closed(struct cr_sockets *sockets, int socket);

/* What is waited for from now on, 0 for nothing. False when the system refuses. */
bool cr_sockets_want(struct cr_sockets *sockets, int socket, unsigned what);

/* Waits up to so many milliseconds (-1: for ever) and fills `events` (CR_MAX_SOCKET_EVENTS).
 * Returns their number; 0 after the time or a signal. */
size_t cr_sockets_wait(struct cr_sockets *sockets, int milliseconds,
                       struct cr_socket_event *events);

/* To be asked once before each request on the connection with this local port: whether bytes wait
 * there that nobody has asked for. A connection seen for the first time is clean, since its TLS
 * handshake may have brought more than has been read. The end of a connection is no byte. */
bool cr_sockets_are_spoilt(struct cr_sockets *sockets, int local_port);

#pragma GCC visibility pop

#endif
