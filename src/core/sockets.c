#include "sockets.h"

#include <string.h>
#include <sys/socket.h>

void cr_sockets_use(struct cr_sockets *sockets, int socket)
{
    size_t i = 0;
    while (i < sockets->count && sockets->list[i] != socket) {
        i++;
    }
    if (i == sockets->count) {
        if (i < CR_MAX_SOCKETS) {
            sockets->list[sockets->count++] = socket;
            return;
        }
        i = 0;
    }
    memmove(&sockets->list[i], &sockets->list[i + 1],
            (sockets->count - i - 1) * sizeof sockets->list[0]);
    sockets->list[sockets->count - 1] = socket;
}

bool cr_sockets_have_bytes(const struct cr_sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++) {
        char byte;
        if (recv(sockets->list[i], &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0) {
            return true;
        }
    }
    return false;
}
