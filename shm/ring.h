/* ring.h - single-producer single-consumer ring of variable-length records in shared memory.
 *
 * One ring joins one feed thread with one sink. It lives in the rings file of the segment and
 * outlives a killed engine: what was published and not released is read again by the next start.
 *
 *        tail (consumer: "released")          head (producer: "published")
 *          |                                    |
 *   .......[rec][rec][rec ][pad ->wrap][rec][rec]~~~~ reserved, not yet published ~~~~......
 *              ^ read (consumer, local)              ^ write (producer, local)
 *
 * Positions are 64-bit byte counts that never wrap in practice; place = position & (capacity - 1).
 * A record never straddles the end: a pad (type 0, length to the end) fills the rest.
 *
 * Orders:  R1 head store-release publishes bytes below head     <-> A1 consumer's head load-acquire
 *          R2 tail store-release gives bytes below tail back    <-> A2 producer's tail load-acquire
 *          R3 account words store-release after the odd mark    <-> A3 md_ring_stat's word loads
 *          R4 account version even publishes the account        <-> A4 md_ring_stat's version load
 *          R5 consumed_cnt, by a consumer that saw the account  <-> A5 md_ring_stat's load of it
 *
 * The producer never waits: a group that finds no room is dropped whole, counted, and declared by
 * one LOSS record for each stream before the next group that fits. Not guaranteed: order between
 * rings. */
#ifndef SHM_RING_H
#define SHM_RING_H

#include "shm/atomics.h"
#include "shm/record.h"

#define MD_RING_MAGIC 0x31474e4952444d00ull /* "\0MDRING1" */

#define MD_RING_STREAM_CNT 2u /* streams of one feed: normalised and raw */

/* Shared layout. Producer, accounting and consumer stand on blocks of their own. */
typedef struct md_ring {
  uint64_t magic;
  uint64_t capacity_bytes; /* power of two in [MD_RING_BYTES_MIN, MD_RING_BYTES_MAX] */
  uint32_t epoch;
  uint16_t feed;
  uint16_t sink;
  char     name[MD_NAME_BYTES]; /* "<feed>.<sink>" */

  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 head;

  /* Kept by the producer under one version (odd while it changes): offered = published + lost. */
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 account_version;
  md_atomic_u64 offered_cnt;   /* records that the feed wanted to write */
  md_atomic_u64 published_cnt; /* records written; LOSS, CHECKPOINT and pad not counted */
  md_atomic_u64 lost_cnt;      /* records dropped because it was full */
  md_atomic_u64 loss_record_cnt;
  /* Lost and not yet declared by a LOSS in the ring: kept here, so that the consumer at a stop, or
   * recovery after a kill, declares what no later group did. last 0: nothing. */
  struct {
    md_atomic_u64 stream, seq_first, seq_last;
  } pending[MD_RING_STREAM_CNT];

  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 tail;
  md_atomic_u64 consumed_cnt; /* records released; LOSS, CHECKPOINT and pad not counted */
  /* Grows by one when the consumer wants a CHECKPOINT of the feed; the producer looks now and then
   * and answers with CHECKPOINT records that repeat the number. Relaxed: it orders nothing. */
  md_atomic_u64 checkpoint_request;

  _Alignas(MD_CACHE_BLOCK) uint8_t data[]; /* capacity_bytes */
} md_ring_t;

_Static_assert(offsetof(md_ring_t, head) == MD_CACHE_BLOCK, "ring ABI");
_Static_assert(offsetof(md_ring_t, account_version) == 2 * MD_CACHE_BLOCK, "ring ABI");
_Static_assert(offsetof(md_ring_t, tail) == 3 * MD_CACHE_BLOCK, "ring ABI");
_Static_assert(offsetof(md_ring_t, data) == 4 * MD_CACHE_BLOCK, "ring ABI");

/* A range of sequences of one stream that found no room. */
typedef struct md_ring_loss {
  uint64_t seq_first, seq_last, record_cnt; /* record_cnt 0: nothing lost */
  uint16_t stream;
} md_ring_loss_t;

/* What comes while another record waits for its publication is gathered in the producer's memory:
 * lines of the ring that it fills bit by bit a consumer close behind takes from it half full. */
#define MD_RING_STAGE_BYTES        2048u
#define MD_RING_STAGE_RECORD_BYTES 256u /* a longer record fills whole lines: it goes directly */

/* Private to the producing thread. */
typedef struct md_ring_producer {
  md_ring_t *ring;
  uint64_t   mask;
  uint64_t   write;      /* next byte to fill */
  uint64_t   stage_len;  /* bytes below write that stand in stage; they never straddle the end */
  uint64_t   tail_cache; /* last tail seen: the consumer's line is read only when it seems full */
  uint64_t   offered_cnt, published_cnt, lost_cnt, loss_record_cnt;
  md_ring_loss_t loss[MD_RING_STREAM_CNT];
  bool           pending; /* something was put since the last publication */
  uint8_t        stage[MD_RING_STAGE_BYTES];
} md_ring_producer_t;

/* Private to the consuming thread. */
typedef struct md_ring_consumer {
  md_ring_t *ring;
  uint64_t   mask;
  uint64_t   read; /* position behind the last record handed out */
  uint64_t   head_cache;
  uint64_t   handed_cnt; /* records handed out, LOSS, CHECKPOINT and pad not counted */
  bool       damaged;    /* the bytes at read are no record: md_ring_next stays at NULL */
} md_ring_consumer_t;

/* md_ring_footprint returns the bytes of a ring, or 0 when capacity_bytes is not a power of two in
 * range. */
uint64_t md_ring_footprint(uint64_t capacity_bytes);

/* md_ring_new formats memory of md_ring_footprint bytes, aligned to MD_CACHE_BLOCK; magic last. */
MD_MUST_USE md_err_t md_ring_new(void *mem, const char *name, uint16_t feed, uint16_t sink,
                                 uint32_t epoch, uint64_t capacity_bytes);

/* md_ring_join checks alignment, magic and sizes against avail_bytes: MD_ERR_VERSION or
 * MD_ERR_CORRUPT. The ring stays owned by its mapping. */
MD_MUST_USE md_err_t md_ring_join(void *mem, uint64_t avail_bytes, md_ring_t **out);

/* ---- producer only ---- */

/* md_ring_producer_init takes the producing side; one at a time in all processes. */
void md_ring_producer_init(md_ring_producer_t *p, md_ring_t *ring);

/* md_ring_write_group copies cnt records that stand one behind the other at first (bytes in all),
 * all or none. Not visible before md_ring_publish. MD_ERR_FULL: dropped, counted, will be declared.
 * A group above capacity/2 is always dropped. Records of CHECKPOINT and LOSS type are not counted
 * and, dropped, not declared (the caller asks again). */
md_err_t md_ring_write_group(md_ring_producer_t *p, const md_record_t *first, uint32_t cnt,
                             uint64_t bytes);

/* md_ring_drop_group does not write the group though it may fit: counted and declared as if the
 * ring had been full. For a sink that must not have what the journal lost. */
void md_ring_drop_group(md_ring_producer_t *p, const md_record_t *first, uint32_t cnt);

/* md_ring_publish makes everything written visible to the consumer. Cheap when nothing is pending.
 */
void md_ring_publish(md_ring_producer_t *p);

/* md_ring_free_bytes returns the room that a group would find now (reads the consumer's position).
 */
uint64_t md_ring_free_bytes(md_ring_producer_t *p);

/* ---- consumer only ---- */

/* md_ring_consumer_init takes the consuming side at the released position: everything that was
 * published and not released is handed out, again if a former consumer had seen it. */
void md_ring_consumer_init(md_ring_consumer_t *c, md_ring_t *ring);

/* md_ring_next returns the next published record, or NULL when there is none. It stays valid until
 * md_ring_release passes it. c->read is then the position behind it. Of a record only the length is
 * checked; where even that is damaged (a dead engine's ring) it returns NULL and sets c->damaged.
 */
const md_record_t *md_ring_next(md_ring_consumer_t *c);

/* md_ring_release gives all bytes below pos (a former c->read) back to the producer. consumed_cnt
 * is the value of c->handed_cnt that belongs to pos. */
void md_ring_release(md_ring_consumer_t *c, uint64_t pos, uint64_t consumed_cnt);

/* ---- any thread ---- */

typedef struct md_ring_stat {
  uint64_t capacity_bytes, used_bytes;
  uint64_t offered_cnt, published_cnt, lost_cnt, consumed_cnt;
} md_ring_stat_t;

/* md_ring_stat reads one consistent account (offered = published + lost) or MD_ERR_BUSY. */
MD_MUST_USE md_err_t md_ring_stat(const md_ring_t *ring, md_ring_stat_t *out);

/* ---- losses that no record in the ring declares yet ---- */

/* A LOSS as it stands in a ring or in the journal. */
typedef struct md_ring_loss_record {
  md_record_t head;
  md_loss_t   body;
} md_ring_loss_record_t;

/* md_ring_pending_loss copies pending loss i (< MD_RING_STREAM_CNT); record_cnt 0 when there is
 * none. The consumer may ask once the producer has stopped or died; while it writes, the answer may
 * be a mix. */
void md_ring_pending_loss(const md_ring_t *ring, uint32_t i, md_ring_loss_t *out);

/* md_ring_loss_record makes the LOSS record of a range, with the times of the record next to it. */
void md_ring_loss_record(const md_ring_loss_t *loss, uint32_t epoch, int64_t ts_recv_ns,
                         int64_t ts_pub_ns, md_reason_t reason, md_ring_loss_record_t *out);

#endif
