/* pg_ring.h - the PostgreSQL sink's side of one feed's ring.
 *
 * Live, records are taken in order while the journal has them durable; a record that is not durable
 * yet is held. Let go, everything is released at once and only the highest sequence seen is kept,
 * so that the ring can be joined again where the journal has brought the sink to. The consuming
 * thread only. */
#ifndef WRITERS_PG_RING_H
#define WRITERS_PG_RING_H

#include "shm/metric.h"
#include "shm/ring.h"
#include "shm/status.h"
#include "writers/pg_batch.h"

typedef struct md_pg_ring {
  md_ring_consumer_t consumer;
  md_stream_row_t   *row;                /* of the feed's normalised stream */
  const md_record_t *held;               /* handed out, not handled yet */
  uint64_t           done_pos, done_cnt; /* behind the last record handled */
  uint64_t           seen_seq;           /* highest that was taken or let go */
  int64_t            oldest_pub_ns;      /* of the last take: when its first record was published */
} md_pg_ring_t;

/* md_pg_durable_seq: up to here the journal has the stream for good. Its writer is the journal
 * sink: R1: store-release of durable_seq after the sync; pairs with A1. */
static inline uint64_t
md_pg_durable_seq(const md_stream_row_t *row) {
  return md_load_acquire(&row->durable_seq); /* A1: stored only once durable; pairs with R1 */
}

void md_pg_ring_init(md_pg_ring_t *r, md_ring_t *ring, md_stream_row_t *row);

/* md_pg_ring_let_go releases up to max records; returns how many. */
uint32_t md_pg_ring_let_go(md_pg_ring_t *r, uint32_t max);

/* md_pg_ring_joins says whether the ring goes on without a hole at seq next; holds its first
 * record. */
bool md_pg_ring_joins(md_pg_ring_t *r, uint64_t next);

/* md_pg_ring_take moves up to max records into b. *cnt counts them; oldest_pub_ns is 0 when none
 * became a row's. MD_OK: nothing more now;
 * MD_ERR_FULL: b is full; MD_ERR_SEQUENCE: records are missing, read the journal. */
MD_MUST_USE md_err_t md_pg_ring_take(md_pg_ring_t *r, md_pg_batch_t *b, const md_pg_context_t *ctx,
                                     uint32_t epoch, int64_t mono_ns, uint32_t max, uint32_t *cnt);

/* md_pg_ring_is_empty: everything published was handled, and nothing durable from seq next on was
 * lost on the way into the ring. */
bool md_pg_ring_is_empty(const md_pg_ring_t *r, uint64_t next);

#endif
