/* book_model.h - a book whose every word follows from the seq of its last record.
 *
 * Each side has MODEL_SLOTS prices, the worse ones too far apart for a window of ticks. Record seq
 * sets the quantity of slot seq mod MODEL_SLOTS on the bid side, and of the mirrored slot on the
 * ask side, to a number mixed from seq, or deletes it; a message is up to MODEL_BURST records. So
 * what a slot holds at seq is known from seq alone: a reader that got last_seq can compute every
 * level, and a mixture of two states shows. State and generation follow from seq as well. */
#ifndef TESTS_STRESS_BOOK_MODEL_H
#define TESTS_STRESS_BOOK_MODEL_H

#include "shm/book.h"
#include "tests/stress/stress.h"

#define MODEL_SLOTS 61u
#define MODEL_DEPTH 40u
#define MODEL_NEAR  30u
#define MODEL_BURST 16u

typedef struct model_side {
  uint32_t   cnt;
  md_level_t levels[MODEL_SLOTS]; /* best first */
} model_side_t;

/* The writer's book. */
typedef struct model {
  model_side_t side[2];
  uint64_t     seq;
} model_t;

static inline int64_t
model_px(md_side_t side, uint32_t slot) {
  const int64_t off = slot < MODEL_NEAR ? slot : MODEL_NEAR + 50 * ((int64_t)slot - MODEL_NEAR);

  return side == MD_SIDE_BUY ? 10000 - off : 10001 + off;
}

static inline uint32_t
model_slot(md_side_t side, uint64_t seq) {
  const uint32_t slot = (uint32_t)(seq % MODEL_SLOTS);

  return side == MD_SIDE_BUY ? slot : MODEL_SLOTS - 1 - slot;
}

/* model_qty returns what record seq puts into its slot, 0 for a deletion; nothing before seq 1. */
static inline int64_t
model_qty(md_side_t side, uint64_t seq) {
  const uint64_t mixed = stress_mix(seq * 2 + (side == MD_SIDE_BUY));

  return seq == 0 || mixed % 3 == 0 ? 0 : (int64_t)(mixed >> 8) + 1;
}

static inline md_book_meta_t
model_meta(uint64_t seq) {
  return (md_book_meta_t){.state       = (uint8_t)(seq / 251 % 4),
                          .reason      = (uint8_t)(seq / 251 % MD_REASON_CNT),
                          .px_exp      = (int8_t) - (int)(seq / 5003 % 9),
                          .qty_exp     = (int8_t) - (int)(seq / 5003 % 7),
                          .gen         = (uint32_t)(seq / 5003),
                          .last_seq    = seq,
                          .tape_pos    = stress_mix(seq * 7 + 1),
                          .exch_seq    = stress_mix(seq * 7 + 2),
                          .ts_exch_ns  = (int64_t)stress_mix(seq * 7 + 3),
                          .ts_recv_ns  = (int64_t)stress_mix(seq * 7 + 4),
                          .ts_pub_ns   = (int64_t)stress_mix(seq * 7 + 5),
                          .trusted_bid = MD_NULL_I64,
                          .trusted_ask = MD_NULL_I64,
                          .bid_total   = (uint32_t)stress_mix(seq * 7 + 6)};
}

/* model_expect computes up to max levels of a side at seq, best first, and returns their count. */
static inline uint32_t
model_expect(md_side_t side, uint64_t seq, uint32_t max, md_level_t *out) {
  uint32_t cnt = 0;

  for (uint32_t slot = 0; slot < MODEL_SLOTS && cnt < max; slot++) {
    const uint32_t writer = side == MD_SIDE_BUY ? slot : MODEL_SLOTS - 1 - slot;
    const uint64_t age    = (seq + MODEL_SLOTS - writer) % MODEL_SLOTS; /* since it was set */
    const int64_t  qty    = seq > age ? model_qty(side, seq - age) : 0;
    if (qty != 0) out[cnt++] = (md_level_t){model_px(side, slot), qty};
  }
  return cnt;
}

static inline bool
model_meta_is_right(const md_book_meta_t *meta) {
  const md_book_meta_t want = model_meta(meta->last_seq);

  return memcmp(meta, &want, sizeof want) == 0;
}

static inline bool
model_side_is_right(md_side_t side, uint64_t seq, uint32_t max, const md_level_t *levels,
                    uint32_t cnt) {
  md_level_t     want[MODEL_SLOTS];
  const uint32_t want_cnt = model_expect(side, seq, max, want);

  return cnt == want_cnt && memcmp(levels, want, cnt * sizeof *want) == 0;
}

static inline uint32_t
model_levels(const void *ctx, md_side_t side, const md_levels_want_t *want, md_level_t *out) {
  const model_side_t *s = &((const model_t *)ctx)->side[side == MD_SIDE_BUY ? 0 : 1];
  uint32_t            n = 0;

  for (; n < want->max && want->first + n < s->cnt; n++)
    out[n] = s->levels[want->first + n];
  return n;
}

/* model_apply changes the writer's book by one level and says so in *change. */
static inline void
model_apply(model_t *m, md_side_t side, uint64_t seq, md_book_change_t *change) {
  model_side_t *s    = &m->side[side == MD_SIDE_BUY ? 0 : 1];
  const int64_t px   = model_px(side, model_slot(side, seq));
  const int64_t qty  = model_qty(side, seq);
  uint32_t      i    = 0;
  size_t        tail = 0;

  *change = (md_book_change_t){.px = px, .qty = qty, .side = (uint8_t)side};
  while (i < s->cnt && (side == MD_SIDE_BUY ? s->levels[i].px > px : s->levels[i].px < px))
    i++;
  const bool found = i < s->cnt && s->levels[i].px == px;
  tail             = (s->cnt - i) * sizeof s->levels[0];
  if (qty == 0 && found) {
    memmove(&s->levels[i], &s->levels[i + 1], tail - sizeof s->levels[0]);
    s->cnt--;
  } else if (qty != 0) {
    if (!found) {
      memmove(&s->levels[i + 1], &s->levels[i], tail);
      s->cnt++;
    }
    s->levels[i] = (md_level_t){px, qty};
  }
}

/* model_write makes the next message, one record or several, and writes it to the book. */
static inline void
model_write(model_t *m, md_book_t *b) {
  const uint32_t   mixed = (uint32_t)(stress_mix(m->seq) >> 40);
  const uint32_t   cnt   = mixed % 4 == 0 ? 1 + mixed / 4 % MODEL_BURST : 1;
  md_book_change_t changes[2 * MODEL_BURST];
  md_book_meta_t   meta;

  for (uint32_t i = 0; i < cnt; i++) {
    m->seq++;
    model_apply(m, MD_SIDE_BUY, m->seq, &changes[i]);
    model_apply(m, MD_SIDE_SELL, m->seq, &changes[cnt + i]);
  }
  meta = model_meta(m->seq);
  md_book_write_changes(b, &meta, changes, 2 * cnt, model_levels, m);
}

/* model_start brings a new book to seq 1, so that a reader never meets the empty one. */
static inline void
model_start(model_t *m, md_book_t *b) {
  md_book_change_t change;
  md_book_meta_t   meta;

  memset(m, 0, sizeof *m);
  m->seq = 1;
  model_apply(m, MD_SIDE_BUY, 1, &change);
  model_apply(m, MD_SIDE_SELL, 1, &change);
  meta = model_meta(1);
  md_book_write_all(b, &meta, model_levels, m);
}

typedef enum model_tier {
  MODEL_BBO,
  MODEL_TOP,
  MODEL_LADDER,
  MODEL_DEEP,
  MODEL_TIER_CNT
} model_tier_t;

static const char *const model_tier_name[MODEL_TIER_CNT] = {"bbo", "top", "ladder", "depth"};

/* What one reader of one tier has seen. */
typedef struct model_count {
  uint64_t read_cnt, busy_cnt, torn_cnt, back_cnt, last_seq;
} model_count_t;

/* model_read_bbo gives the meta that follows from the seq which was read. */
static inline md_err_t
model_read_bbo(const md_book_t *b, md_book_meta_t *meta, bool *right) {
  md_level_t     bid, ask;
  md_book_bbo_t  bbo;
  const md_err_t err = md_book_read_bbo(b, &bbo);

  *meta  = model_meta(bbo.last_seq);
  bid    = (md_level_t){bbo.bid_px, bbo.bid_qty};
  ask    = (md_level_t){bbo.ask_px, bbo.ask_qty};
  *right = err == MD_OK && bbo.state == meta->state && bbo.reason == meta->reason &&
           bbo.px_exp == meta->px_exp && bbo.qty_exp == meta->qty_exp && bbo.flags == meta->flags &&
           bbo.ts_recv_ns == meta->ts_recv_ns &&
           model_side_is_right(MD_SIDE_BUY, bbo.last_seq, 1, &bid, bid.px != MD_NULL_I64) &&
           model_side_is_right(MD_SIDE_SELL, bbo.last_seq, 1, &ask, ask.px != MD_NULL_I64);
  return err;
}

static inline md_err_t
model_read_tier(const md_book_t *b, model_tier_t tier, md_book_meta_t *meta, bool *right) {
  static _Thread_local md_level_t bids[MODEL_DEPTH], asks[MODEL_DEPTH];
  uint32_t                        bid_cnt, ask_cnt;
  md_book_top_t                   top;
  md_book_ladder_t                ladder;
  md_err_t                        err = MD_ERR_ABSENT;

  if (tier == MODEL_BBO) return model_read_bbo(b, meta, right);
  if (tier == MODEL_TOP) {
    err     = md_book_read_top(b, &top);
    *meta   = top.meta;
    bids[0] = (md_level_t){top.bid_px, top.bid_qty};
    asks[0] = (md_level_t){top.ask_px, top.ask_qty};
    bid_cnt = top.bid_px != MD_NULL_I64;
    ask_cnt = top.ask_px != MD_NULL_I64;
    *right  = err == MD_OK && model_side_is_right(MD_SIDE_BUY, meta->last_seq, 1, bids, bid_cnt) &&
             model_side_is_right(MD_SIDE_SELL, meta->last_seq, 1, asks, ask_cnt);
    return err;
  }
  if (tier == MODEL_LADDER) {
    err    = md_book_read_ladder(b, &ladder);
    *meta  = ladder.meta;
    *right = err == MD_OK &&
             model_side_is_right(MD_SIDE_BUY, meta->last_seq, MD_LADDER_LEVELS, ladder.bids,
                                 ladder.bid_cnt) &&
             model_side_is_right(MD_SIDE_SELL, meta->last_seq, MD_LADDER_LEVELS, ladder.asks,
                                 ladder.ask_cnt);
    return err;
  }
  err    = md_book_read_depth(b, MODEL_DEPTH, meta, bids, &bid_cnt, asks, &ask_cnt);
  *right = err == MD_OK &&
           model_side_is_right(MD_SIDE_BUY, meta->last_seq, MODEL_DEPTH, bids, bid_cnt) &&
           model_side_is_right(MD_SIDE_SELL, meta->last_seq, MODEL_DEPTH, asks, ask_cnt);
  return err;
}

/* model_read makes one read of a tier and counts it; a read that was refused as corrupt is torn. */
static inline void
model_read(const md_book_t *b, model_tier_t tier, model_count_t *count) {
  md_book_meta_t meta;
  bool           right = false;
  const md_err_t err   = model_read_tier(b, tier, &meta, &right);

  if (err == MD_ERR_BUSY) {
    count->busy_cnt++;
    return;
  }
  count->read_cnt++;
  if (err != MD_OK || !right || !model_meta_is_right(&meta)) {
    count->torn_cnt++;
    return;
  }
  if (meta.last_seq < count->last_seq) count->back_cnt++;
  count->last_seq = meta.last_seq;
}

#endif
