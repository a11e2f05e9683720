/* out.h - the one place where a feed's records become visible.
 *
 * A message is decoded into the staging buffer of the thread, then goes out in this order: journal
 * ring, other rings, tape; the caller rewrites the live book last. So nothing is visible to a reader
 * that is not in the journal ring or declared lost there. Publication (rings and tape) is once for each
 * received batch. One out for each feed, used by its thread only. */
#ifndef FEEDS_OUT_H
#define FEEDS_OUT_H

#include "shm/clock.h"
#include "shm/metric.h"
#include "shm/ring.h"
#include "shm/status.h"
#include "shm/tape.h"

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
  uint64_t          seq, raw_seq; /* last given */
  uint32_t          pending_cnt;  /* messages written and not published */
  int64_t           pub_ns;       /* of the last message */
  /* Staging: records of one message, one behind the other. */
  uint8_t          *stage;
  uint64_t          stage_bytes, stage_used;
  uint32_t          stage_cnt;
  /* Called for every normalised record in order, after the rings: tests and offline journals. */
  void (*tap)(void *ctx, const md_record_t *rec);
  void *tap_ctx;
} md_out_t;

/* md_out_init prepares an out without rings and tape; the caller then sets those. stage_bytes of
 * address space are reserved. MD_ERR_NOMEM. */
MD_MUST_USE md_err_t md_out_init(md_out_t *o, uint64_t stage_bytes, const md_clock_t *clock);
void                 md_out_fini(md_out_t *o);

/* md_out_stage adds a record of type with body_bytes of body to the staged message and returns it,
 * zeroed but for len, type, stream, epoch; NULL when the staging buffer or a record is too small (the
 * caller drops the message and counts). */
md_record_t *md_out_stage(md_out_t *o, md_record_type_t type, uint64_t body_bytes);

/* md_out_drop forgets what is staged. */
void md_out_drop(md_out_t *o);

/* md_out_commit gives the staged normalised records their seq and ts_pub_ns, and writes them to rings and
 * tape. Each message must end with MD_FLAG_LAST. */
void md_out_commit(md_out_t *o);

/* md_out_raw writes one input as RAW records (a group when it is large) into the rings that want them,
 * and returns the low 32 bits of its raw seq; 0 when RAW is not kept. */
uint32_t md_out_raw(md_out_t *o, md_raw_kind_t kind, uint8_t leg, const char *name, uint32_t name_len,
                    const uint8_t *payload, uint32_t len, int64_t recv_ns);

/* md_out_publish makes everything written visible; at the end of a batch, at MD_PUBLISH_PENDING_MAX
 * messages, or when the input is idle. */
void md_out_publish(md_out_t *o);

/* md_out_tape_pos returns the tape cursor behind the last record. */
uint64_t md_out_tape_pos(const md_out_t *o);

#endif
