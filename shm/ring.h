/* ring.h - single-producer single-consumer ring of variable-length records in shared memory.
 *
 * One ring joins one feed thread with one sink. It lives in the rings file of the segment and
 * outlives a killed engine: what was published and not released is read again by the next start.
 *
 *        tail (consumer: "released")          start (producer: end of what is published)
 *          |                                    |
 *   .......[rec][rec][rec ][pad ->wrap][rec][rec][0 ...][rec][rec]~~~ not yet published ~~~......
 *              ^ read (consumer, local)                           ^ write (producer, local)
 *
 * Positions are 64-bit byte counts that never wrap in practice; place = position & (capacity - 1).
 * A record never straddles the end: a pad (type 0, length to the end) fills the rest.
 *
 * What is published is told by the records themselves, so that one line travels for a message and
 * not two: the first word of a record (length, type) is never 0, and behind the last published one
 * stands a word of 0, which the consumer polls. A publication fills everything behind that word,
 * ends it with a new 0, and stores the held first word last: all of it is visible at once. So one
 * word of the ring always stays free. head and account are stored before, for those who look on.
 *
 * Orders:  R1 first word store-release publishes the batch      <-> A1 consumer's load-acquire of
 * it R2 tail store-release gives bytes below tail back    <-> A2 producer's tail load-acquire R3
 * account words store-release after the odd mark    <-> A3 md_ring_stat's word loads R4 account
 * version even publishes the account        <-> A4 md_ring_stat's version load R5 consumed_cnt, by
 * a consumer that saw the account  <-> A5 md_ring_stat's load of it
 *
 * A producer killed between its account and R1 leaves a batch that is counted, lies below head, and
 * is not there: nobody sees it, and who takes the producing side over goes on where the words end.
 *
 * The producer never waits: a group that finds no room is dropped whole, counted, and declared by
 * one LOSS record for each stream before the next group that fits. Not guaranteed: order between
 * rings. */
#ifndef SHM_RING_H
#define SHM_RING_H

#include <string.h>

#include "shm/atomics.h"
#include "shm/mutant.h"
#include "shm/record.h"

#define MD_RING_MAGIC 0x32474e4952444d00ull /* "\0MDRING2" */

#define MD_RING_STREAM_CNT 2u /* streams of one feed: normalised and raw */

/* Shared layout. Producer, accounting and consumer stand on blocks of their own. */
typedef struct md_ring {
  uint64_t magic;
  uint64_t capacity_bytes; /* power of two in [MD_RING_BYTES_MIN, MD_RING_BYTES_MAX] */
  uint32_t epoch;
  uint16_t feed;
  uint16_t sink;
  char     name[MD_NAME_BYTES]; /* "<feed>.<sink>" */

  /* The producer's, read only by those who look on. Counts stand under one version (odd while they
   * change): offered = published + lost. */
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 head; /* behind what is or is just being published */
  md_atomic_u64 account_version;
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
_Static_assert(offsetof(md_ring_t, tail) == 2 * MD_CACHE_BLOCK, "ring ABI");
_Static_assert(offsetof(md_ring_t, data) == 3 * MD_CACHE_BLOCK, "ring ABI");

#define MD_RING_WORD_BYTES 8u /* the 0 behind the last record: this much is never filled */

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
  uint64_t   start;     /* position of the 0 that the consumer polls */
  uint64_t   write;     /* next byte to fill; start: nothing waits for its publication */
  uint64_t   limit;     /* up to here one record may be written without a further look */
  uint64_t   zero;      /* where a 0 stands that nothing overwrote since; 0: nowhere */
  uint64_t   held;      /* first word of what begins at start */
  uint64_t   stage_len; /* bytes below write that stand in stage; they never straddle the end */
  uint64_t   offered_cnt, published_cnt;
  uint64_t   version;    /* of the account */
  uint64_t   tail_cache; /* last tail seen: the consumer's line is read only when it seems full */
  uint64_t   lost_cnt, loss_record_cnt;
  bool       changed; /* what was lost or declared is not in the account yet */
  md_ring_loss_t loss[MD_RING_STREAM_CNT];
  uint8_t        stage[MD_RING_STAGE_BYTES];
} md_ring_producer_t;

/* Private to the consuming thread. */
typedef struct md_ring_consumer {
  md_ring_t *ring;
  uint64_t   mask;
  uint64_t   read;       /* position behind the last record handed out */
  uint64_t   released;   /* what tail says: no record lies a lap behind it */
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

/* md_ring_drop_group does not write the group though it may fit: counted and declared as if the
 * ring had been full. For a sink that must not have what the journal lost. */
void md_ring_drop_group(md_ring_producer_t *p, const md_record_t *first, uint32_t cnt);

/* md_ring_free_bytes returns the room that a group would find now (reads the consumer's position).
 */
uint64_t md_ring_free_bytes(md_ring_producer_t *p);

/* ---- consumer only ---- */

/* md_ring_consumer_init takes the consuming side at the released position: everything that was
 * published and not released is handed out, again if a former consumer had seen it. */
void md_ring_consumer_init(md_ring_consumer_t *c, md_ring_t *ring);

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

/* ---- the hot path, inline for whoever builds without link-time optimisation ---- */

static inline md_atomic_u64 *
md_ring_word(const md_ring_t *ring, uint64_t place) {
  return (md_atomic_u64 *)(uintptr_t)(ring->data + place);
}

/* CHECKPOINT and LOSS are not counted: they are about records, and no sequence is theirs. */
static inline bool
md_ring_is_counted(uint64_t type) {
  return type != MD_RECORD_CHECKPOINT && type != MD_RECORD_LOSS;
}

/* What is behind these when they are not enough. */
md_err_t           md_ring_write_slow(md_ring_producer_t *p, const md_record_t *first, uint32_t cnt,
                                      uint64_t bytes);
void               md_ring_flush(md_ring_producer_t *p);
void               md_ring_publish_slow(md_ring_producer_t *p);
const md_record_t *md_ring_next_slow(md_ring_consumer_t *c);

/* md_ring_copy copies a record or its end: short, its length a multiple of 8. */
static inline void
md_ring_copy(uint8_t *to, const uint8_t *from, uint64_t bytes) {
  for (; bytes >= 32; bytes -= 32, to += 32, from += 32)
    memcpy(to, from, 32);
  for (; bytes != 0; bytes -= 8, to += 8, from += 8)
    memcpy(to, from, 8);
}

/* md_ring_write_group copies cnt records that stand one behind the other at first (bytes in all),
 * all or none. Not visible before md_ring_publish. MD_ERR_FULL: dropped, counted, will be declared.
 * A group above capacity/2 is always dropped. Records of CHECKPOINT and LOSS type are not counted
 * and, dropped, not declared (the caller asks again). Producer only. */
static inline md_err_t
md_ring_write_group(md_ring_producer_t *p, const md_record_t *first, uint32_t cnt, uint64_t bytes) {
  const uint8_t *from = (const uint8_t *)first;

  /* One short record, nothing to declare, no wrap: the way that nearly every message takes. */
  if (MD_UNLIKELY(cnt != 1 || p->write + bytes > p->limit || bytes > MD_RING_STAGE_RECORD_BYTES))
    return md_ring_write_slow(p, first, cnt, bytes);
  md_assert(first->len == bytes && first->type != 0 && bytes >= MD_RECORD_HEADER_BYTES &&
            bytes % MD_RECORD_ALIGN_BYTES == 0);
  if (p->write == p->start) {
    uint8_t *to = p->ring->data + (p->write & p->mask);
#if MD_MUTANT == 1
    memcpy(&p->held, from, sizeof p->held);
    md_store_release((md_atomic_u64 *)(void *)to, p->held); /* R1: too early; pairs with A1 */
#endif
    memcpy(&p->held, from, sizeof p->held);
    memcpy(to + 8, from + 8, MD_RECORD_HEADER_BYTES - 8);
    md_ring_copy(to + MD_RECORD_HEADER_BYTES, from + MD_RECORD_HEADER_BYTES,
                 bytes - MD_RECORD_HEADER_BYTES);
  } else {
    if (MD_UNLIKELY(p->stage_len + bytes > sizeof p->stage)) md_ring_flush(p);
    memcpy(p->stage + p->stage_len, from, MD_RECORD_HEADER_BYTES);
    md_ring_copy(p->stage + p->stage_len + MD_RECORD_HEADER_BYTES, from + MD_RECORD_HEADER_BYTES,
                 bytes - MD_RECORD_HEADER_BYTES);
    p->stage_len += bytes;
  }
#if MD_MUTANT == 3
  md_store_relaxed(&p->ring->offered_cnt, p->offered_cnt + 1);
#endif
  p->write += bytes;
  p->offered_cnt += md_ring_is_counted(first->type);
  p->published_cnt += md_ring_is_counted(first->type);
  return MD_OK;
}

/* The last steps of a publication: the 0 behind it, the account, and the word that shows it. What
 * is needed is read first: nothing may stand between the stores to the record's line. */
static inline void
md_ring_show(md_ring_producer_t *p) {
  md_ring_t     *ring  = p->ring;
  const uint64_t start = p->start, write = p->write, held = p->held;
  const uint64_t offered_cnt = p->offered_cnt, published_cnt = p->published_cnt;
  const uint64_t version = p->version, mask = p->mask;
  const uint64_t next = 2 * write - start; /* where the next one ends, if it is as long */
  const bool     fits = next <= p->limit;

#if MD_MUTANT != 7
  if (write != p->zero) md_store_relaxed(md_ring_word(ring, write & mask), 0); /* ordered by R1 */
#endif
  /* The account first, so that nobody consumes what is not yet in it. */
  md_store_relaxed(&ring->account_version, version + 1); /* ordered before the words by R3 */
  md_store_release(&ring->offered_cnt, offered_cnt);     /* R3: after odd mark; pairs with A3 */
  md_store_release(&ring->published_cnt, published_cnt); /* R3: after odd mark; pairs with A3 */
  md_store_release(&ring->account_version, version + 2); /* R4: account whole; pairs with A4 */
  md_store_relaxed(&ring->head, write);                  /* ordered by R1 */
#if MD_MUTANT == 2
  md_store_relaxed(md_ring_word(ring, start & mask), held);
#else
  md_store_release(md_ring_word(ring, start & mask), held); /* R1: publishes all; pairs with A1 */
#endif
  p->start   = write;
  p->version = version + 2;
  /* The 0 behind the next publication is put while nobody waits for it: its line would else be
   * fetched between the record and the word that shows it. */
  p->zero = fits ? next : 0;
  if (MD_LIKELY(fits)) md_store_relaxed(md_ring_word(ring, next & mask), 0); /* ordered by R1 */
}

/* md_ring_publish makes everything written visible to the consumer. Cheap when nothing is pending.
 * Producer only. */
static inline void
md_ring_publish(md_ring_producer_t *p) {
  if (MD_UNLIKELY(p->changed)) {
    md_ring_publish_slow(p);
  } else if (p->write != p->start) {
    if (p->stage_len != 0) md_ring_flush(p);
    md_ring_show(p);
  }
}

/* md_ring_fits says whether word begins a record that may stand at read: whole before the end of
 * the memory, and no lap behind what is released. Else it is a pad, or damage. */
static inline bool
md_ring_fits(const md_ring_consumer_t *c, uint64_t read, uint64_t word) {
  const uint64_t len = word & 0xffff;

  return (word >> 16 & 0xff) != 0 && len >= MD_RECORD_HEADER_BYTES &&
         len % MD_RECORD_ALIGN_BYTES == 0 && (read & c->mask) + len <= c->mask + 1 &&
         read + len - c->released <= c->mask;
}

/* md_ring_hand takes the record that word begins at read. */
static inline const md_record_t *
md_ring_hand(md_ring_consumer_t *c, uint64_t read, uint64_t word) {
  c->handed_cnt += md_ring_is_counted(word >> 16 & 0xff);
  c->read = read + (word & 0xffff);
  return (const md_record_t *)(const void *)(c->ring->data + (read & c->mask));
}

/* md_ring_next returns the next published record, or NULL when there is none. It stays valid until
 * md_ring_release passes it. c->read is then the position behind it. Of a record only the length is
 * checked; where even that is damaged (a dead engine's ring) it returns NULL and sets c->damaged.
 * Consumer only. */
static inline const md_record_t *
md_ring_next(md_ring_consumer_t *c) {
  const md_atomic_u64 *at   = md_ring_word(c->ring, c->read & c->mask);
  const uint64_t       word = md_load_acquire(at); /* A1: all of R1's batch; pairs with R1 */

  if (word == 0) return NULL;
  if (MD_UNLIKELY(!md_ring_fits(c, c->read, word))) return md_ring_next_slow(c);
  return md_ring_hand(c, c->read, word);
}

/* md_ring_release gives all bytes below pos (a former c->read) back to the producer. consumed_cnt
 * is the value of c->handed_cnt that belongs to pos. Consumer only. */
static inline void
md_ring_release(md_ring_consumer_t *c, uint64_t pos, uint64_t consumed_cnt) {
  md_dassert(pos <= c->read);
  c->released = pos;
  md_store_release(&c->ring->consumed_cnt, consumed_cnt); /* R5: knows A1's; pairs with A5 */
#if MD_MUTANT == 5
  md_store_relaxed(&c->ring->tail, pos);
#else
  md_store_release(&c->ring->tail, pos);                    /* R2: gives bytes below pos back; pairs with A2 */
#endif
}

#endif
