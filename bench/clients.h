/* clients.h - WebSocket clients of a server on loopback: ours, libwebsockets that only counts, and
 * reads that look at nothing. What the measurements of transport and e2e compare.
 *
 * A client is opened, stepped (one look at its sockets) and closed by one thread. Ours may give
 * what comes to a feed, as a feed thread does. */
#ifndef BENCH_CLIENTS_H
#define BENCH_CLIENTS_H

#include "bench/source.h"

#define MD_BENCH_PATIENCE_NS 5000000000ll /* without anything: something is wrong */

typedef struct md_bench_client {
  const char        *ca_file;
  bool               is_tls, offers_deflate;
  bool               is_spinning; /* else a client that has nothing to read waits */
  uint32_t           socket_cnt;  /* of ours */
  uint32_t           frame_bytes; /* all of one size; 0: bytes are counted, not messages (bare) */
  uint32_t           message_max; /* the server has no more; 0: no end */
  int                port;
  md_bench_source_t *source;                /* whose feed gets the messages; NULL: only counted */
  md_atomic_u64     *seen;                  /* bytes so far are told here (bare), or NULL */
  uint64_t           message_cnt, byte_cnt; /* so far */
  void              *state;
} md_bench_client_t;

typedef struct md_bench_client_kind {
  const char *name;
  bool (*open)(md_bench_client_t *c);
  void (*step)(md_bench_client_t *c); /* one look at the sockets, counted */
  void (*close)(md_bench_client_t *c);
} md_bench_client_kind_t;

extern const md_bench_client_kind_t md_bench_client_native, md_bench_client_lws,
    md_bench_client_bare;

#endif
