/*
 * The sockets of kept connections, to be looked at before one of them is used again.
 *
 * A peer has no reason to send anything between an answer and the next request. Bytes that wait
 * there would be taken for the answer of the next request, whoever put them there; libcurl does not
 * look. The sockets belong to libcurl: a number may have been closed, or be another file by now,
 * which costs a connection and no more.
 */
#ifndef CR_CORE_SOCKETS_H
#define CR_CORE_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

enum { CR_MAX_SOCKETS = 8 }; /* at least as many as connections are kept */

struct cr_sockets {
    int list[CR_MAX_SOCKETS]; /* the last one used is the last one */
    size_t count;
};

/* Notes that the socket is in use now. When the list is full the one forgotten is the one that was
 * not used for longest. */
void cr_sockets_use(struct cr_sockets *sockets, int socket);

/* Whether bytes wait at any of them. The end of a connection is none. */
bool cr_sockets_have_bytes(const struct cr_sockets *sockets);

#pragma GCC visibility pop

#endif
