/* transport_server.h - a WebSocket server in a process of its own, for `bench transport` and `bench
 * e2e`.
 *
 * It sends the same frame, or depth updates that are the next ones of a feed's books, as fast as
 * they are taken or on a fixed schedule. With TLS each message is a record of its own, as exchanges
 * send them; flat out, many records go with one system call, so that the server is not what is
 * measured. Compressing a message takes longer than all that a client does with it: such messages
 * are made ahead, and each client gets the same from the first one on. On a schedule it also looks,
 * between two messages, at what the client made of them: the book in shared memory, or a count of
 * bytes; a message's latency counts from when it was due. */
#ifndef BENCH_TRANSPORT_SERVER_H
#define BENCH_TRANSPORT_SERVER_H

#include <sys/types.h>

#include "bench/source.h"
#include "shm/hist.h"

/* In memory that both processes have. */
typedef struct md_bench_wire {
  md_atomic_u64 go, done; /* relaxed, as all here: flags and numbers by themselves */
  md_atomic_u64 has_book; /* the book tells what was seen, else the next number */
  md_atomic_u64 seen;     /* bytes that a client without a feed has read */
  md_atomic_u64 lost_ppm; /* of this run, that the server was kept waiting */
  md_hist_t     latency;  /* of messages that were seen */
} md_bench_wire_t;

typedef struct md_bench_server_config {
  uint32_t                 message_bytes;  /* without a corpus: of text messages */
  const md_bench_corpus_t *corpus;         /* depth updates */
  const md_bench_source_t *source;         /* whose books they are for */
  uint32_t                 instrument_cnt; /* of these, in turn */
  bool                     deflates;       /* permessage-deflate */
  uint32_t                 ahead_cnt; /* made before anybody connects: each client gets these */
  const char              *cert_pem, *key_pem; /* NULL: without TLS */
  int                      cpu;                /* it runs there; -1 anywhere */
  uint32_t                 socket_cnt;         /* connections that it waits for */
  uint32_t                 rate, cnt;          /* messages a second, and in all; 0: flat out */
  bool                     only_sends;         /* with a rate: looks at nothing */
  md_bench_wire_t         *wire;               /* with a rate */
} md_bench_server_config_t;

typedef struct md_bench_server {
  pid_t pid;
  int   port;
} md_bench_server_t;

#define MD_BENCH_SOCKET_MAX 64u

/* md_bench_server_start serves one client after the other, each with its connections. With a rate
 * it begins when wire->go is set and sets wire->done at the end. */
MD_MUST_USE md_err_t md_bench_server_start(const md_bench_server_config_t *cfg,
                                           md_bench_server_t              *s);
void                 md_bench_server_stop(md_bench_server_t *s);

#endif
