/* cluster.h - a PostgreSQL to measure with: a cluster of its own in a new folder, unix socket only,
 * or the one that MD_CONNINFO names.
 *
 * A process of its own looks after the cluster: when whoever asked for it ends, however that
 * happens, it stops the server and removes the folder. PostgreSQL refuses to run as root, so root
 * hands it to user postgres, or nobody. Calling thread only. */
#ifndef BENCH_CLUSTER_H
#define BENCH_CLUSTER_H

#include <sys/types.h>

#include "shm/base.h"

typedef struct md_bench_cluster {
  char  dir[64];       /* of the cluster and of whatever the server is to read */
  char  conninfo[256]; /* libpq connection string */
  char  why[200];      /* why there is none */
  bool  is_private;
  pid_t keeper;
  int   hold_fd; /* the keeper ends when this is closed */
} md_bench_cluster_t;

/* md_bench_cluster_start makes and starts it, which takes some seconds. Without is_safe nothing is
 * synced: quicker, and no figure. False: c->why says why, and nothing is left.
 * md_bench_cluster_stop waits until it is gone. */
bool md_bench_cluster_start(md_bench_cluster_t *c, bool is_safe);
void md_bench_cluster_stop(md_bench_cluster_t *c);

/* md_bench_cluster_program writes the path of a client program that belongs to it, or its bare name
 * where none is known. */
void md_bench_cluster_program(const char *name, char *out, size_t out_bytes);

#endif
