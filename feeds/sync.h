/* sync.h - when a book may be called VALID: EMPTY -> SYNCING -> VALID -> STALE, with the venue's
 * rule plugged in.
 *
 * Updates that come before a snapshot are buffered in bounded memory; a snapshot that aligns by the
 * venue's rule makes the book VALID with its first applied update; a hole makes it STALE with a
 * GAP, and the buffering begins again. A rule is pure functions over ids: no clock, no I/O. */
#ifndef FEEDS_SYNC_H
#define FEEDS_SYNC_H

#include "shm/record.h"

typedef enum md_sync_verdict {
  MD_SYNC_APPLY,   /* continues exactly */
  MD_SYNC_OVERLAP, /* covers ids already known and goes on: apply, quantities are absolute */
  MD_SYNC_DROP,    /* older than the book: ignore, count as duplicate */
  MD_SYNC_GAP      /* something is missing before it */
} md_sync_verdict_t;

/* The ids of one update message: U, u, pu on Binance; seqId and prevSeqId elsewhere. */
typedef struct md_update_ids {
  uint64_t first, last, prev; /* MD_NULL_U64 where the venue gives none */
} md_update_ids_t;

/* md_sync_begins_anew: the venue's ids fall with this update, which comes behind prev all the same.
 */
static inline bool
md_sync_begins_anew(const md_update_ids_t *ids) {
  return ids->prev != MD_NULL_U64 && ids->last < ids->prev;
}

typedef struct md_sync_rule {
  /* verdict on the first update after a snapshot with id snapshot_id */
  md_sync_verdict_t (*first)(uint64_t snapshot_id, const md_update_ids_t *update);
  /* verdict on an update of a VALID book whose last id is last_id */
  md_sync_verdict_t (*next)(uint64_t last_id, const md_update_ids_t *update);
  /* The stream itself begins with a snapshot, and how its updates are cut is the connection's own
   * affair: a book follows one connection, another one takes over where `first` lets it. */
  bool follows_one_leg;
  /* Books have a limited depth at the venue already, and updates tell of the levels that enter and
   * leave it: what lies beyond the snapshot's last level comes by the stream. */
  bool keeps_window;
} md_sync_rule_t;

/* Binance spot (protocols: drop u <= L, first U <= L+1 <= u, then U == id+1; U <= id < u overlaps).
 */
extern const md_sync_rule_t md_sync_binance_spot;

/* Deribit: each update names the one before it (prev == last id); ids jump, because all instruments
 * share them. The book comes first as a snapshot of the stream. */
extern const md_sync_rule_t md_sync_deribit;

/* Binance futures: ids are shared with other symbols, so only `pu`, the last id of the update
 * before, tells that nothing is missing. Drop u < L; first U <= L <= u or pu == L; then pu == id.
 */
extern const md_sync_rule_t md_sync_binance_futures;

/* OKX: prevSeqId == last id, also when seqId is below it (the venue began its numbers anew).
 * Messages of before 2023 have no ids (last 0, prev absent): only their checksum says that they
 * continue. */
extern const md_sync_rule_t md_sync_okx;

/* An update that waits for a snapshot. Levels follow: bid_cnt then ask_cnt. */
typedef struct md_sync_pending {
  md_update_ids_t ids;
  int64_t         ts_exch_ns, ts_recv_ns;
  uint32_t        raw_lo;
  uint32_t        bid_cnt, ask_cnt;
  int8_t          px_exp, qty_exp;
  uint8_t         leg;
  uint8_t         era;   /* how often ids had begun anew before it */
  uint16_t        flags; /* of the event */
  bool            has_checksum;
  uint8_t         pad1;
  uint32_t        checksum;
  uint32_t        match_lag_us;
  uint32_t        pad2;
} md_sync_pending_t;

/* Buffer memory shared by the books of a feed: chunks from a reserved range. */
typedef struct md_sync_pool md_sync_pool_t;
md_sync_pool_t             *md_sync_pool_new(uint64_t bytes);
void                        md_sync_pool_delete(md_sync_pool_t *pool);

/* md_sync_pool_touched: bytes of it that hold memory of the system; md_sync_pool_trim gives them
 * back when nothing waits. */
uint64_t md_sync_pool_touched(const md_sync_pool_t *pool);
void     md_sync_pool_trim(md_sync_pool_t *pool);

/* A bounded queue of pending updates of one book. */
typedef struct md_sync_queue {
  md_sync_pool_t *pool;
  void           *first, *last; /* chunks */
  uint64_t        bytes;
  uint32_t        cnt;
  uint64_t        dropped_cnt; /* oldest ones that made room, since the last clear */
} md_sync_queue_t;

void md_sync_queue_init(md_sync_queue_t *q, md_sync_pool_t *pool);
void md_sync_queue_clear(md_sync_queue_t *q);

/* md_sync_queue_push copies an update; when the queue is over max_bytes or the pool is used up, the
 * oldest ones of this queue are dropped and counted. MD_ERR_FULL: not even this one fits. */
MD_MUST_USE md_err_t md_sync_queue_push(md_sync_queue_t *q, uint64_t max_bytes,
                                        const md_sync_pending_t *head, const md_level_t *bids,
                                        const md_level_t *asks);

/* md_sync_queue_peek returns the oldest one (levels behind it) or NULL; md_sync_queue_pop drops it.
 */
const md_sync_pending_t *md_sync_queue_peek(const md_sync_queue_t *q);
void                     md_sync_queue_pop(md_sync_queue_t *q);

#endif
