/* out.h - the one place where a feed's records become visible.
 *
 * A message is decoded into the staging buffer of the thread, then goes out in this order: journal
 * ring, other rings, tape; the caller rewrites the live book last. So nothing is visible to a
 * reader that is not in the journal ring or declared lost there. Publication (rings and tape) is
 * once for each received batch. One out for each feed, used by its thread only. */
#ifndef FEEDS_OUT_H
#define FEEDS_OUT_H

#include "feeds/input.h"
#include "shm/clock.h"
#include "shm/metric.h"
#include "shm/ring.h"
#include "shm/status.h"
#include "shm/tape.h"

#define MD_OUT_NAME_BYTES_MAX 8192u /* of a connection or URL in a RAW record */

typedef struct md_out_ring {
  md_ring_producer_t producer;
  bool               wants_raw;        /* RAW records too */
  bool               wants_checkpoint; /* the journal */
} md_out_ring_t;

typedef struct md_out {
  md_out_ring_t     ring[MD_SINK_CNT_MAX]; /* ring 0 is the journal's */
  uint32_t          ring_cnt;              /* 0 in an offline replay */
  md_tape_writer_t  tape;                  /* tape.tape NULL: none */
  md_stream_row_t  *stream_row, *raw_row;  /* NULL offline */
  md_metrics_t     *metrics;               /* NULL offline */
  const md_clock_t *clock;
  uint16_t          stream, raw_stream;
  uint32_t          epoch;
  bool              keep_raw;
  uint64_t          seq, raw_seq;         /* last given */
  uint32_t          pending_cnt;          /* commits that are not published yet */
  int64_t           pub_ns;               /* clock of the last commit or RAW */
  int64_t           recv_ns, raw_recv_ns; /* receive times of the last records */
  /* Staging: records of one message, one behind the other. */
  uint8_t *stage;
  uint64_t stage_bytes, stage_used;
  uint32_t stage_cnt;
  /* Called for every normalised record in order, after the rings: tests and offline journals. */
  void (*tap)(void *ctx, const md_record_t *rec);
  void *tap_ctx;
} md_out_t;

/* md_out_init prepares an out without rings and tape; the caller then sets those. stage_bytes of
 * address space are reserved. MD_ERR_NOMEM. */
MD_MUST_USE md_err_t md_out_init(md_out_t *o, uint64_t stage_bytes, const md_clock_t *clock);
void                 md_out_fini(md_out_t *o);

/* md_out_stage adds a record of type with body_bytes of body (rounded up to 8) to the staged
 * message and returns it: len, type, stream, epoch and leg (none) are set, header, fixed body and
 * padding are zero, the variable part is the caller's to fill. NULL when the staging buffer or a
 * record is too small: commit what is staged and ask again. */
md_record_t *md_out_stage(md_out_t *o, md_record_type_t type, uint64_t body_bytes);

/* md_out_commit gives the staged normalised records their seq and ts_pub_ns, and writes them to
 * rings and tape, each group that LAST closes by itself. The last staged record must carry
 * MD_FLAG_LAST. */
void md_out_commit(md_out_t *o);

/* md_out_commit_checkpoint writes the staged CHECKPOINT records, one group, to the rings that want
 * them: they repeat the last seq, go to no tape and are no records of the account. */
void md_out_commit_checkpoint(md_out_t *o);

/* md_out_raw writes one input as RAW records (a group when it is large) into the rings that want
 * them, and returns the low 32 bits of the first one's seq; 0 when RAW is not kept. Nothing may be
 * staged. A name beyond MD_OUT_NAME_BYTES_MAX is cut. */
uint32_t md_out_raw(md_out_t *o, const md_input_t *in);

/* md_out_publish makes everything written visible; at the end of a batch, at MD_PUBLISH_PENDING_MAX
 * messages, or when the input is idle. */
void md_out_publish(md_out_t *o);

/* md_out_tape_pos returns the tape cursor behind the last record. */
uint64_t md_out_tape_pos(const md_out_t *o);

#endif
