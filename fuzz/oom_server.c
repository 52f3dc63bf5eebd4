#include "oom_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS = 64, REQUEST_SIZE = 16 * 1024 };

static const char tag[] =
    "{\"Code\":\"success\",\"IsSuccess\":true,\"RequestId\":\"03150000-0000-0000-0000-000000000001"
    "\",\"Tag\":\"1.0\",\"Status\":\"NORMAL\",\"Digest\":\"67bfbcc12b67936ec7f867927817cbb0\","
    "\"ImageId\":\"45023655bf39c382\",\"ImageCreate\":1572839125000,\"ImageUpdate\":1572875608000,"
    "\"ImageSize\":27107966,\"Labels\":[\"a\",null,{\"b\":1.5}]}";

static const char missing[] =
    "{\"Code\":\"TAG_NOT_EXIST\",\"IsSuccess\":false,\"RequestId\":\"03150000-0000-0000-0000-"
    "000000000002\",\"Message\":\"tag does not exist\"}";

static const char session[] =
    "{\"RequestId\":\"03150000-0000-0000-0000-000000000003\",\"Credentials\":{\"AccessKeyId\":"
    "\"STS.NTOutOfMemory\",\"AccessKeySecret\":\"not-a-real-secret\",\"SecurityToken\":"
    "\"not-a-real-token\",\"Expiration\":\"9998-12-31T23:59:59Z\"}}";

/* What the service says to a request whose parameters are not those that were signed. */
static const char unsigned_query[] =
    "{\"Code\":\"SignatureDoesNotMatch\",\"RequestId\":\"03150000-0000-0000-0000-000000000004\","
    "\"Message\":\"the query is missing\"}";

struct connection {
    char request[REQUEST_SIZE];
    size_t length;
};

/* Not on the stack of a thread. */
static struct {
    struct pollfd polled[1 + CONNECTIONS]; /* the listening one first */
    struct connection connections[1 + CONNECTIONS];
} server;

static const char *body_for(const char *request)
{
    if (strstr(request, " /?") == NULL) {
        return unsigned_query;
    }
    if (strstr(request, "AssumeRole") != NULL) {
        return session;
    }
    return strstr(request, "Tag=missing") != NULL ? missing : tag;
}

static bool answer(int descriptor, const char *request)
{
    char text[2048];
    const char *body = body_for(request);
    int length =
        snprintf(text, sizeof text,
                 "HTTP/1.1 %s\r\nContent-Type: application/json\r\n"
                 "Content-Length: %zu\r\n\r\n%s",
                 body == unsigned_query ? "400 Bad Request" : "200 OK", strlen(body), body);
    return send(descriptor, text, (size_t)length, MSG_NOSIGNAL) == length;
}

static void drop(size_t i)
{
    close(server.polled[i].fd);
    server.polled[i].fd = -1;
}

/* Requests of this library have no body. */
static void serve(size_t i)
{
    struct connection *connection = &server.connections[i];
    int descriptor = server.polled[i].fd;
    ssize_t count = recv(descriptor, connection->request + connection->length,
                         sizeof connection->request - 1 - connection->length, 0);
    if (count <= 0) {
        drop(i);
        return;
    }
    connection->length += (size_t)count;
    connection->request[connection->length] = '\0';
    if (strstr(connection->request, "\r\n\r\n") != NULL) {
        connection->length = 0;
        if (!answer(descriptor, connection->request)) {
            drop(i);
        }
    }
}

static void take_one(void)
{
    const int on = 1;
    int descriptor = accept(server.polled[0].fd, NULL, NULL);
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for (size_t i = 1; i <= CONNECTIONS; i++) {
        if (server.polled[i].fd < 0) {
            server.polled[i].fd = descriptor;
            server.polled[i].events = POLLIN;
            server.connections[i].length = 0;
            return;
        }
    }
    close(descriptor);
}

static void *run(void *unused)
{
    for (;;) {
        poll(server.polled, 1 + CONNECTIONS, -1);
        for (size_t i = 1; i <= CONNECTIONS; i++) {
            if (server.polled[i].fd >= 0 && server.polled[i].revents != 0) {
                serve(i);
            }
        }
        if (server.polled[0].revents != 0) {
            take_one();
        }
    }
    return unused;
}

int oom_server_start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    pthread_t thread;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (size_t i = 1; i <= CONNECTIONS; i++) {
        server.polled[i].fd = -1;
    }
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 ||
        listen(listener, CONNECTIONS) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
        return 0;
    }
    server.polled[0].fd = listener;
    server.polled[0].events = POLLIN;
    if (pthread_create(&thread, NULL, run, NULL) != 0) {
        return 0;
    }
    pthread_detach(thread);
    return ntohs(address.sin_port);
}
