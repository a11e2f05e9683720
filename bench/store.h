/* store.h - a folder on a disk to measure in, and what the same disk does for others: overwriting a
 * prewritten file (by fio, where it is installed, and by a loop of our own), group commits, and
 * checksums over a file in the page cache.
 *
 * The folder is made in TMPDIR, else in /var/tmp, and goes away with the command, also when it is
 * interrupted. One at a time. */
#ifndef BENCH_STORE_H
#define BENCH_STORE_H

#include "bench/bench.h"
#include "shm/hist.h"

#define MD_BENCH_APPEND_RATE  100000 /* records a second */
#define MD_BENCH_APPEND_BYTES 128u   /* of a record */

typedef struct md_bench_store {
  char     dir[256];
  char     file[300];  /* the prewritten one */
  uint64_t file_bytes; /* 0: none */
  bool     has_fio;
  char     why[200]; /* why there is none */
} md_bench_store_t;

/* md_bench_store_new makes the folder, with a file of file_bytes (0: none; whole MiB); need_bytes
 * must be free beside it. False: s->why says why not. */
bool md_bench_store_new(md_bench_store_t *s, uint64_t file_bytes, uint64_t need_bytes);
void md_bench_store_delete(md_bench_store_t *s);

/* md_bench_interrupted: a signal asks for the end; turns return at once. */
bool md_bench_interrupted(void);

/* md_bench_fio and md_bench_overwrite overwrite the file for turn_ns, O_DIRECT by io_uring, 256 KiB
 * each, eight in flight, from registered buffers, the second with an fdatasync every so often (0:
 * never): MB a second, or MD_BENCH_NONE. */
double md_bench_fio(const md_bench_store_t *s, int64_t turn_ns);
double md_bench_overwrite(const md_bench_store_t *s, int64_t turn_ns, int64_t sync_every_ns);

/* md_bench_group_commit is the plainest program that makes records durable that come at
 * MD_BENCH_APPEND_RATE: two threads in turn write all that came meanwhile with RWF_DSYNC. Times of
 * single records, from when each was to come, go into hist. False: the disk refused. */
bool md_bench_group_commit(const md_bench_store_t *s, int64_t turn_ns, md_hist_t *hist);

/* md_bench_sum_file reads path in pieces and sums them: GB a second, or MD_BENCH_NONE. */
double md_bench_sum_file(const char *path);

#endif
