/* rig.h - the journal as the engine runs it, with one ring and nobody else: what `bench journal`
 * feeds by hand and `bench replay` by a feed.
 *
 * The sink is turned by the caller's thread. Records are put by one other, or by the same. Segments
 * are rolled as in an engine: they are made ahead, and files of retired ones are used again. */
#ifndef BENCH_RIG_H
#define BENCH_RIG_H

#include "bench/source.h"
#include "writers/journal.h"
#include "writers/sink.h"

#define MD_BENCH_RIG_STREAM 1u /* normalised; the next one is its RAW */

typedef struct md_bench_rig {
  char                dir[300];
  char                why[200];
  md_manifest_t      *manifest;
  md_segment_header_t header;
  md_stream_row_t     row[2];
  md_thread_row_t     thread;
  md_segment_t        segment;
  md_metrics_t       *metrics;
  md_ring_t          *ring;
  md_ring_producer_t  producer;
  md_journal_config_t cfg;
  void               *sink;
  uint64_t            seq;      /* last one put */
  uint64_t            answered; /* last checkpoint request */
  uint64_t            retired;  /* last segment that was given up */
} md_bench_rig_t;

/* md_bench_rig_new opens a journal in the folder dir/name with the configuration's defaults and
 * these. False: r->why. */
bool md_bench_rig_new(md_bench_rig_t *r, const char *dir, const char *name,
                      md_journal_policy_t policy, uint64_t segment_bytes);
/* md_bench_rig_delete drains, closes and removes it; _close leaves the files. */
void md_bench_rig_close(md_bench_rig_t *r);
void md_bench_rig_delete(md_bench_rig_t *r);

/* md_bench_rig_put writes one RAW record of bytes (a multiple of 8, its header included), published
 * at pub_ns; false: no room. md_bench_rig_publish shows what was put, and answers a request for a
 * checkpoint. Producer only. */
bool md_bench_rig_put(md_bench_rig_t *r, uint32_t bytes, int64_t pub_ns);
void md_bench_rig_publish(md_bench_rig_t *r);

/* md_bench_rig_turn is one turn of the sink, as its thread makes it; _drain turns until everything
 * is durable. False: it failed. */
bool     md_bench_rig_turn(md_bench_rig_t *r);
bool     md_bench_rig_drain(md_bench_rig_t *r);
uint64_t md_bench_rig_durable(const md_bench_rig_t *r); /* seq of the RAW stream */

/* md_bench_rig_record lets a feed of one instrument write messages into the journal, whole as an
 * engine's, until it holds bytes; *s is the feed behind it. False: r->why. */
bool md_bench_rig_record(md_bench_rig_t *r, md_bench_source_t *s, uint64_t bytes);

/* md_bench_rig_retire gives up all but the newest segments: their files are used again. Any thread,
 * one at a time. */
void md_bench_rig_retire(md_bench_rig_t *r);

#endif
