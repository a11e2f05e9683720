/* transport_server.h - a WebSocket server in a process of its own that sends the same frames as
 * fast as they are taken, for `bench transport`.
 *
 * With TLS each message is a record of its own, as exchanges send them, and many records go with
 * one system call, so that the server is not what is measured. */
#ifndef BENCH_TRANSPORT_SERVER_H
#define BENCH_TRANSPORT_SERVER_H

#include "shm/err.h"

#include <sys/types.h>

typedef struct md_bench_server {
  pid_t pid;
  int   port;
  int   cpu; /* it runs there; -1 anywhere */
} md_bench_server_t;

/* md_bench_server_start serves text messages of message_bytes to one client after the other.
 * cert_pem NULL: without TLS. */
MD_MUST_USE md_err_t md_bench_server_start(uint32_t message_bytes, const char *cert_pem,
                                           const char *key_pem, md_bench_server_t *s);
void                 md_bench_server_stop(md_bench_server_t *s);

#endif
