#include "process.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void cr_process_exec(const char *path, char *const arguments[])
{
    execvp(path, arguments);
}

enum cr_status cr_process_free_port(int *port, struct cr_error *err)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0) {
        return cr_fail(err, CR_ESYSTEM, "the system gives no socket");
    }
    bool ok = bind(fd, (struct sockaddr *)&address, size) == 0 &&
              getsockname(fd, (struct sockaddr *)&address, &size) == 0;
    close(fd);
    if (!ok) {
        return cr_fail(err, CR_ESYSTEM, "the system gives no free port on 127.0.0.1");
    }
    *port = ntohs(address.sin_port);
    return CR_OK;
}
