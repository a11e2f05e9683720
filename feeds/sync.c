#include "feeds/sync.h"

#include "feeds/rule.h"
#include "feeds/run_pool.h"

#include <stdlib.h>
#include <string.h>

/* An update beyond this size gets a chunk of its own. */
#define CHUNK_ORDER 14u

typedef struct chunk {
  struct chunk *next;
  uint32_t      order;
  uint32_t      read, used, cap; /* bytes of data[] */
  uint8_t       pad[8];
  uint8_t       data[];
} chunk_t;

_Static_assert(sizeof(chunk_t) % 8 == 0, "updates in a chunk are 8-byte aligned");
_Static_assert(sizeof(md_sync_pending_t) % 8 == 0, "levels behind an update are 8-byte aligned");

struct md_sync_pool {
  md_run_pool_t runs;
};

md_sync_pool_t *
md_sync_pool_new(uint64_t bytes) {
  md_sync_pool_t *pool = malloc(sizeof *pool);
  if (!pool) return NULL;
  if (!md_run_pool_init(&pool->runs, bytes)) {
    free(pool);
    return NULL;
  }
  return pool;
}

void
md_sync_pool_delete(md_sync_pool_t *pool) {
  if (!pool) return;
  md_run_pool_fini(&pool->runs);
  free(pool);
}

uint64_t
md_sync_pool_touched(const md_sync_pool_t *pool) {
  return pool->runs.used;
}

void
md_sync_pool_trim(md_sync_pool_t *pool) {
  md_run_pool_trim(&pool->runs);
}

static chunk_t *
chunk_take(md_sync_pool_t *pool, uint64_t data_bytes) {
  uint32_t order = md_run_order(data_bytes + sizeof(chunk_t));
  if (order < CHUNK_ORDER) order = CHUNK_ORDER;
  chunk_t *c = md_run_pool_take(&pool->runs, order);
  if (!c) return NULL;
  memset(c, 0, sizeof *c);
  c->order = order;
  c->cap   = (uint32_t)((1ull << order) - sizeof *c);
  return c;
}

void
md_sync_queue_init(md_sync_queue_t *q, md_sync_pool_t *pool) {
  memset(q, 0, sizeof *q);
  q->pool = pool;
}

void
md_sync_queue_clear(md_sync_queue_t *q) {
  chunk_t *c = q->first;
  while (c) {
    chunk_t *next = c->next;
    md_run_pool_give(&q->pool->runs, c, c->order);
    c = next;
  }
  md_sync_queue_init(q, q->pool);
}

static uint64_t
pending_bytes(const md_sync_pending_t *p) {
  return sizeof *p + ((uint64_t)p->bid_cnt + p->ask_cnt) * sizeof(md_level_t);
}

const md_sync_pending_t *
md_sync_queue_peek(const md_sync_queue_t *q) {
  const chunk_t *c = q->first;
  return c ? (const void *)(c->data + c->read) : NULL;
}

void
md_sync_queue_pop(md_sync_queue_t *q) {
  chunk_t *c = q->first;
  md_assert(c != NULL);
  md_assert(q->cnt > 0);

  uint64_t bytes = pending_bytes(md_sync_queue_peek(q));
  c->read += (uint32_t)bytes;
  q->bytes -= bytes;
  q->cnt--;
  if (c->read < c->used) return;
  q->first = c->next;
  if (!q->first) q->last = NULL;
  md_run_pool_give(&q->pool->runs, c, c->order);
}

static void
drop_oldest(md_sync_queue_t *q) {
  md_sync_queue_pop(q);
  q->dropped_cnt++;
}

/* Room for bytes at the end of the queue, at the cost of its oldest updates. */
static uint8_t *
queue_room(md_sync_queue_t *q, uint64_t bytes) {
  chunk_t *last = q->last;
  if (last && last->cap - last->used >= bytes) return last->data + last->used;

  chunk_t *c = chunk_take(q->pool, bytes);
  while (!c && q->cnt > 0) {
    drop_oldest(q);
    c = chunk_take(q->pool, bytes);
  }
  if (!c) return NULL;
  last = q->last;
  if (last) {
    last->next = c;
  } else {
    q->first = c;
  }
  q->last = c;
  return c->data;
}

md_err_t
md_sync_queue_push(md_sync_queue_t *q, uint64_t max_bytes, const md_sync_pending_t *head,
                   const md_level_t *bids, const md_level_t *asks) {
  uint64_t bytes = pending_bytes(head);
  if (bytes > max_bytes || md_run_order(bytes + sizeof(chunk_t)) > MD_RUN_ORDER_MAX) {
    return MD_ERR_FULL;
  }
  while (q->bytes + bytes > max_bytes) {
    drop_oldest(q);
  }
  uint8_t *to = queue_room(q, bytes);
  if (!to) return MD_ERR_FULL;

  memcpy(to, head, sizeof *head);
  to += sizeof *head;
  if (head->bid_cnt > 0) memcpy(to, bids, head->bid_cnt * sizeof *bids);
  to += head->bid_cnt * sizeof *bids;
  if (head->ask_cnt > 0) memcpy(to, asks, head->ask_cnt * sizeof *asks);

  chunk_t *last = q->last;
  last->used += (uint32_t)bytes;
  q->bytes += bytes;
  q->cnt++;
  return MD_OK;
}

/* ---- rules ---- */

/* The documentation's own test (L within [U;u]) refuses U == L + 1, which is the normal case. */
static md_sync_verdict_t
binance_spot_first(uint64_t snapshot_id, const md_update_ids_t *update) {
  if (update->last <= snapshot_id) return MD_SYNC_DROP;
  if (!MD_RULE(SPOT_FIRST) || update->first <= snapshot_id + MD_RULE(SPOT_BEHIND))
    return MD_SYNC_APPLY;
  return MD_SYNC_GAP;
}

static md_sync_verdict_t
binance_spot_next(uint64_t last_id, const md_update_ids_t *update) {
  if (MD_RULE(SPOT_REPEAT) && update->last <= last_id) return MD_SYNC_DROP;
  if (!MD_RULE(SPOT_CHAIN) || update->first == last_id + 1) return MD_SYNC_APPLY;
  if (update->first <= last_id) return MD_SYNC_OVERLAP;
  return MD_SYNC_GAP;
}

const md_sync_rule_t md_sync_binance_spot = {
    .first = binance_spot_first,
    .next  = binance_spot_next,
};

static md_sync_verdict_t
deribit_next(uint64_t last_id, const md_update_ids_t *update) {
  if (!MD_RULE(DERIBIT_CHAIN) || update->prev == last_id) return MD_SYNC_APPLY;
  if (update->last <= last_id) return MD_SYNC_DROP;
  return MD_SYNC_GAP;
}

const md_sync_rule_t md_sync_deribit = {
    .first = deribit_next,
    .next  = deribit_next,
};

/* An update that ends with the snapshot's own id is applied: its quantities are absolute. */
static md_sync_verdict_t
binance_futures_first(uint64_t snapshot_id, const md_update_ids_t *update) {
  if (update->last < snapshot_id) return MD_SYNC_DROP;
  if (!MD_RULE(FUTURES_FIRST) || update->first <= snapshot_id) return MD_SYNC_APPLY;
  return MD_RULE(FUTURES_NAMED) && update->prev == snapshot_id ? MD_SYNC_APPLY : MD_SYNC_GAP;
}

/* That U..u covers our id proves nothing here: an update between may be missing all the same. */
static md_sync_verdict_t
binance_futures_next(uint64_t last_id, const md_update_ids_t *update) {
  if (update->last <= last_id) return MD_SYNC_DROP;
  if (!MD_RULE(FUTURES_CHAIN) || update->prev == last_id) return MD_SYNC_APPLY;
  return !MD_RULE(FUTURES_MASK) && update->first <= last_id ? MD_SYNC_APPLY : MD_SYNC_GAP;
}

const md_sync_rule_t md_sync_binance_futures = {
    .first = binance_futures_first,
    .next  = binance_futures_next,
};

/* A snapshot by REST lies anywhere between two updates. */
static md_sync_verdict_t
okx_first(uint64_t snapshot_id, const md_update_ids_t *update) {
  if (update->last == 0) return snapshot_id == 0 ? MD_SYNC_APPLY : MD_SYNC_GAP;
  if (update->prev == snapshot_id) return MD_SYNC_APPLY;
  if (update->last <= snapshot_id) return MD_SYNC_DROP;
  if (update->prev == MD_NULL_U64 || update->prev > snapshot_id) return MD_SYNC_GAP;
  return MD_SYNC_OVERLAP;
}

/* An id below the last one is no proof of a repeat: the venue may have begun anew in a message that
 * we did not get. */
static md_sync_verdict_t
okx_next(uint64_t last_id, const md_update_ids_t *update) {
  if (update->last == 0) return last_id == 0 ? MD_SYNC_APPLY : MD_SYNC_GAP;
  if (!MD_RULE(OKX_RESET) && update->last < last_id) return MD_SYNC_DROP;
  if (!MD_RULE(OKX_CHAIN) || update->prev == last_id) return MD_SYNC_APPLY;
  return update->last == last_id ? MD_SYNC_DROP : MD_SYNC_GAP;
}

const md_sync_rule_t md_sync_okx = {
    .first           = okx_first,
    .next            = okx_next,
    .follows_one_leg = true,
    .keeps_window    = true,
};
