/*
 * A server of this API on loopback, in a thread of its own: it answers what it knows from constant
 * texts and allocates nothing, so that it disturbs no count.
 *
 * It knows GetRepoTag (the tag "missing" is told not to exist) and AssumeRole; signatures it does
 * not verify, but a request without its query is refused as if it did. Connections are kept alive
 * until the client closes. It ends with the process.
 */
#ifndef FUZZ_OOM_SERVER_H
#define FUZZ_OOM_SERVER_H

/* Starts it. Returns the port, 0 when it cannot be started. */
int oom_server_start(void);

#endif
