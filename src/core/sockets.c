#include "sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct cr_socket {
    uint16_t port;      /* local, 0 until its first request */
    bool is_open;       /* told by cr_sockets_opened; others (of a resolver) are strangers */
    uint8_t wanted;     /* CR_SOCKET_… */
    uint8_t registered; /* what epoll waits for */
};

bool cr_sockets_init(struct cr_sockets *sockets)
{
    sockets->count = 0;
    sockets->used = 0;
    sockets->ran_out = false;
    sockets->list = NULL;
    sockets->epoll = epoll_create1(EPOLL_CLOEXEC);
    return sockets->epoll >= 0;
}

void cr_sockets_clean_up(struct cr_sockets *sockets)
{
    if (sockets->epoll >= 0) {
        close(sockets->epoll);
    }
    free(sockets->list);
    sockets->epoll = -1;
    sockets->list = NULL;
    sockets->count = 0;
    sockets->used = 0;
}

/* The entry of this number, made when it is missing; NULL when that fails. */
static struct cr_socket *find(struct cr_sockets *sockets, int socket)
{
    enum { FEWEST = 64 };
    if (socket < 0 || socket >= CR_MAX_SOCKET_NUMBER) {
        return NULL;
    }
    size_t needed = (size_t)socket + 1;
    if (needed > sockets->count) {
        size_t count = needed < FEWEST ? FEWEST : needed * 2;
        struct cr_socket *list = realloc(sockets->list, count * sizeof *list);
        if (list == NULL) {
            sockets->ran_out = true;
            return NULL;
        }
        memset(list + sockets->count, 0, (count - sockets->count) * sizeof *list);
        sockets->list = list;
        sockets->count = count;
    }
    return &sockets->list[socket];
}

bool cr_sockets_opened(struct cr_sockets *sockets, int socket)
{
    static const struct cr_socket opened = {.is_open = true};
    struct cr_socket *entry = find(sockets, socket);
    if (entry == NULL) {
        return false;
    }
    *entry = opened;
    if (sockets->used <= (size_t)socket) {
        sockets->used = (size_t)socket + 1;
    }
    return true;
}

void cr_sockets_closed(struct cr_sockets *sockets, int socket)
{
    static const struct cr_socket closed = {.is_open = false};
    if (socket >= 0 && (size_t)socket < sockets->count) {
        sockets->list[socket] = closed; /* epoll forgets it by itself */
        while (sockets->used > 0 && !sockets->list[sockets->used - 1].is_open) {
            sockets->used--;
        }
    }
}

/* Has epoll wait for `what`. The entry may be wrong about what is registered when a stranger was
 * closed without a word: then epoll says so. */
static bool enroll(struct cr_sockets *sockets, int socket, struct cr_socket *entry, unsigned what)
{
    struct epoll_event event = {
        .events = (what & CR_SOCKET_READ ? EPOLLIN : 0U) | (what & CR_SOCKET_WRITE ? EPOLLOUT : 0U),
        .data.fd = socket,
    };
    int first = entry->registered != 0 ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(sockets->epoll, first, socket, &event) != 0) {
        int second = first == EPOLL_CTL_MOD && errno == ENOENT   ? EPOLL_CTL_ADD
                     : first == EPOLL_CTL_ADD && errno == EEXIST ? EPOLL_CTL_MOD
                                                                 : 0;
        if (second == 0 || epoll_ctl(sockets->epoll, second, socket, &event) != 0) {
            return false;
        }
    }
    entry->registered = (uint8_t)what;
    return true;
}

static void take_out(struct cr_sockets *sockets, int socket, struct cr_socket *entry)
{
    struct epoll_event unused = {0};
    if (entry->registered != 0) {
        epoll_ctl(sockets->epoll, EPOLL_CTL_DEL, socket, &unused);
    }
    entry->registered = 0;
}

bool cr_sockets_want(struct cr_sockets *sockets, int socket, unsigned what)
{
    struct cr_socket *entry = find(sockets, socket);
    if (entry == NULL) {
        return false;
    }
    entry->wanted = (uint8_t)what;
    if (what == 0) {
        if (!entry->is_open) {
            take_out(sockets, socket, entry); /* nobody tells when a stranger is closed */
        }
        return true;
    }
    return entry->registered == what || enroll(sockets, socket, entry, what);
}

/* The part of what happened that is waited for. An idle socket on which something happens is taken
 * out: epoll would tell it again and again. */
static unsigned wanted_of(struct cr_sockets *sockets, const struct epoll_event *event)
{
    int socket = event->data.fd;
    struct cr_socket *entry = find(sockets, socket);
    if (entry == NULL || entry->wanted == 0) {
        if (entry != NULL) {
            take_out(sockets, socket, entry);
        }
        return 0;
    }
    unsigned what = 0;
    if ((event->events & EPOLLIN) != 0) {
        what |= CR_SOCKET_READ;
    }
    if ((event->events & EPOLLOUT) != 0) {
        what |= CR_SOCKET_WRITE;
    }
    if ((event->events & (EPOLLERR | EPOLLHUP)) != 0) {
        what |= CR_SOCKET_FAILED;
    }
    return what;
}

size_t cr_sockets_wait(struct cr_sockets *sockets, int milliseconds, struct cr_socket_event *events)
{
    struct epoll_event happened[CR_MAX_SOCKET_EVENTS];
    int number = epoll_wait(sockets->epoll, happened, CR_MAX_SOCKET_EVENTS, milliseconds);
    size_t count = 0;
    for (int i = 0; i < number; i++) {
        events[count].socket = happened[i].data.fd;
        events[count].what = wanted_of(sockets, &happened[i]);
        if (events[count].what != 0) {
            count++;
        }
    }
    return count;
}

static uint16_t local_port_of(int socket)
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof address;
    if (getsockname(socket, (struct sockaddr *)&address, &length) != 0) {
        return 0;
    }
    if (address.ss_family == AF_INET6) {
        return ntohs(((const struct sockaddr_in6 *)(const void *)&address)->sin6_port);
    }
    return address.ss_family == AF_INET
               ? ntohs(((const struct sockaddr_in *)(const void *)&address)->sin_port)
               : 0;
}

static bool has_bytes(int socket)
{
    char byte;
    return recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

bool cr_sockets_are_spoilt(struct cr_sockets *sockets, int local_port)
{
    bool is_known = false, is_spoilt = false;
    if (local_port <= 0) {
        return false;
    }
    /* More than one can have the port, with different addresses: each of them is looked at. */
    for (size_t i = 0; i < sockets->used; i++) {
        if (sockets->list[i].port == local_port && sockets->list[i].is_open) {
            is_known = true;
            is_spoilt = is_spoilt || has_bytes((int)i);
        }
    }
    for (size_t i = 0; i < sockets->used && !is_known; i++) {
        struct cr_socket *entry = &sockets->list[i];
        if (entry->is_open && entry->port == 0 && local_port_of((int)i) == local_port) {
            entry->port = (uint16_t)local_port;
            break;
        }
    }
    return is_spoilt;
}
