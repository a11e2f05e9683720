#include "feeds/sim/sim_market.h"

#include "feeds/sim/sim_venue.h"

#include <stdlib.h>
#include <string.h>

#define PUMP_MESSAGES 4096u
#define FLUSH_NS      100000000
#define FAST_NS       25000000
#define SECOND_NS     1000000000
#define LEVELS_START  400u
#define LEVELS_MIN    200u
#define NEW_TICKS     1200u /* from the best level: where new ones come */
#define NEAR_PART     16u
#define LEVELS_MAX    1500u
#define FLAT_RATE     250u /* messages a second and symbol by which a flat-out market's time goes */
#define FIRST_ID      1000000u
#define QUIET_TRIES   16u
#define MINUTE_MS     60000

struct md_sim_market {
  md_sim_t               *sim;
  const md_sim_writers_t *writers;
  md_sim_market_cfg_t     cfg;
  md_sim_listing_t       *listings;
  uint32_t                flush_idx; /* whose turn it is: all have the same period */
  uint32_t                rate;      /* of its time */
  uint64_t                message_cnt;
  int64_t                 begin_ns, begin_ms; /* begin_ns 0: not begun */
  int64_t                 next_all_ns;
};

/* ---- the book ---- */

static void
batch_add(md_sim_batch_t *b, md_side_t side, md_level_t level, bool is_new, uint64_t id) {
  if (b->cnt == b->cap) {
    b->cap     = b->cap ? b->cap * 2 : 64;
    b->changes = md_sim_resize(b->changes, b->cap, sizeof *b->changes);
  }
  if (b->cnt == 0) b->first_id = id;
  b->changes[b->cnt] =
      (md_sim_change_t){.level = level, .side = (uint8_t)side, .is_new = is_new, .order = b->cnt};
  b->cnt++;
  b->last_id = id;
}

/* Every change of a level is one update id. */
static void
change(md_sim_t *sim, md_sim_listing_t *l, md_side_t side, int64_t px, int64_t qty) {
  const md_sim_writers_t *w   = sim->venue->market;
  md_sim_book_t          *b   = &l->symbol->book;
  const md_book_side_t   *s   = side == MD_SIDE_BUY ? &b->book.bids : &b->book.asks;
  uint32_t                cnt = s->cnt;
  bool                    was_absent;
  if (md_orderbook_set(&b->book, side, px, qty, &was_absent)) return;
  b->id       = w->next_id ? w->next_id(sim, l) : b->id + 1;
  bool is_new = s->cnt > cnt;
  for (unsigned i = 0; i < MD_SIM_CADENCE_CNT; i++)
    if (w->cadence[i]) batch_add(&l->batch[i], side, (md_level_t){px, qty}, is_new, b->id);
}

static int64_t
random_qty(md_sim_t *sim, const md_sim_listing_t *l) {
  uint64_t size = md_sim_random(sim, 10) == 0 ? 1000000 : 20000;
  return l->lot * (int64_t)(1 + md_sim_random(sim, size));
}

static uint32_t
level_cnt(const md_sim_listing_t *l, md_side_t side) {
  const md_orderbook_t *b = &l->symbol->book.book;
  return side == MD_SIDE_BUY ? b->bids.cnt : b->asks.cnt;
}

/* A step away from the other side: down for bids. */
static int64_t
away(const md_sim_listing_t *l, md_side_t side) {
  return side == MD_SIDE_BUY ? -l->tick : l->tick;
}

static bool
best_of(const md_sim_listing_t *l, md_side_t side, md_level_t *out) {
  return md_orderbook_at(&l->symbol->book.book, side, 0, out);
}

/* Three of four changes are near the best level, of cnt levels or ticks in the nearest part. */
static uint64_t
near_the_best(md_sim_t *sim, uint64_t cnt) {
  return md_sim_random(sim, md_sim_random(sim, 4) == 0 ? cnt : cnt / NEAR_PART + 1);
}

/* Something behind the best level: a new one, another quantity, or none any more. New ones come
 * where others go: a book that only became thinner where it is traded would be no market. */
static void
change_deep(md_sim_t *sim, md_sim_listing_t *l, md_side_t side) {
  uint32_t   cnt = level_cnt(l, side);
  md_level_t level, best;
  if (cnt < 2 || !best_of(l, side, &best)) return;
  uint64_t what = md_sim_random(sim, 10);
  if (cnt < l->levels_min || (what < 3 && cnt < l->levels_max)) {
    int64_t px = best.px + away(l, side) * (int64_t)(1 + near_the_best(sim, NEW_TICKS));
    if (px >= l->tick) change(sim, l, side, px, random_qty(sim, l));
    return;
  }
  uint32_t at = 1 + (uint32_t)near_the_best(sim, cnt - 1);
  if (!md_orderbook_at(&l->symbol->book.book, side, at, &level)) return;
  change(sim, l, side, level.px, what < 7 ? random_qty(sim, l) : 0);
}

/* Books whose clients see a certain depth lose their worst level for a new one. */
static void
trim(md_sim_t *sim, md_sim_listing_t *l, md_side_t side) {
  md_level_t worst;
  uint32_t   cnt = level_cnt(l, side);
  if (cnt > l->levels_max && md_orderbook_at(&l->symbol->book.book, side, cnt - 1, &worst))
    change(sim, l, side, worst.px, 0);
}

/* The best level: a better one when there is room, another quantity, or none any more. */
static void
change_best(md_sim_t *sim, md_sim_listing_t *l, md_side_t side) {
  md_level_t best, other;
  if (!best_of(l, side, &best) ||
      !best_of(l, (md_side_t)(side == MD_SIDE_BUY ? MD_SIDE_SELL : MD_SIDE_BUY), &other))
    return;
  int64_t  spread = (side == MD_SIDE_BUY ? other.px - best.px : best.px - other.px) / l->tick;
  uint64_t what   = md_sim_random(sim, 8);
  if (spread > 1 && (what < 3 || spread > 20)) {
    int64_t step = 1 + (int64_t)md_sim_random(sim, (uint64_t)(spread - 1));
    change(sim, l, side, best.px - away(l, side) * step, random_qty(sim, l));
    trim(sim, l, side);
  } else if (what == 7 && level_cnt(l, side) > l->levels_min) {
    change(sim, l, side, best.px, 0);
  } else {
    change(sim, l, side, best.px, random_qty(sim, l));
  }
}

/* ---- trades ---- */

static void
candle_add(md_sim_candle_t *c, const md_sim_print_t *p) {
  if (c->cnt++ == 0) {
    c->open = c->high = c->low = p->px;
    c->first_id                = p->id;
  }
  if (p->px > c->high) c->high = p->px;
  if (p->px < c->low) c->low = p->px;
  c->close   = p->px;
  c->last_id = p->id;
  c->qty += p->qty;
  c->quote += (md_i128)p->px * p->qty;
  if (p->buyer_makes) return;
  c->taker_qty += p->qty;
  c->taker_quote += (md_i128)p->px * p->qty;
}

static void
print(md_sim_t *sim, md_sim_listing_t *l, int64_t px, int64_t qty, bool buyer_makes) {
  md_sim_totals_t     *totals = &l->symbol->trades;
  const md_sim_print_t p      = {++l->trade_id, px, qty, buyer_makes};
  candle_add(&l->day, &p);
  candle_add(&l->minute, &p);
  if (totals->cnt++ == 0) totals->id_first = (uint64_t)p.id;
  totals->qty_sum += qty;
  totals->id_last               = (uint64_t)p.id;
  l->symbol->agg_trades         = *totals; /* each trade is an aggregate of its own */
  l->symbol->agg_trades.id_last = 0;
  if (sim->venue->market->trade) sim->venue->market->trade(sim, l, &p);
}

/* Someone takes from the best level: a part of it or all. */
static void
trade(md_sim_t *sim, md_sim_listing_t *l, md_side_t side) {
  md_level_t best;
  if (!best_of(l, side, &best)) return;
  int64_t lots = best.qty / l->lot;
  int64_t qty  = md_sim_random(sim, 3) == 0 || lots <= 1
                     ? best.qty
                     : l->lot * (int64_t)(1 + md_sim_random(sim, (uint64_t)lots));
  if (qty == best.qty && level_cnt(l, side) <= l->levels_min) return;
  change(sim, l, side, best.px, best.qty - qty);
  print(sim, l, best.px, qty, side == MD_SIDE_BUY);
}

/* ---- book events ---- */

static int
by_price(const void *a, const void *b) {
  const md_sim_change_t *x = a, *y = b;
  if (x->side != y->side) return x->side < y->side ? -1 : 1;
  if (x->level.px != y->level.px) return x->level.px < y->level.px ? -1 : 1;
  return x->order < y->order ? -1 : 1;
}

bool
md_sim_batch_next(const md_sim_batch_t *b, md_side_t side, uint32_t *at, md_level_t *level,
                  bool *is_new) {
  uint32_t i = *at;
  while (i < b->cnt && b->changes[i].side != side)
    i++;
  if (i == b->cnt) return false;
  if (is_new) *is_new = b->changes[i].is_new;
  while (i + 1 < b->cnt && b->changes[i + 1].side == side &&
         b->changes[i + 1].level.px == b->changes[i].level.px)
    i++;
  *level = b->changes[i].level;
  *at    = i + 1;
  return true;
}

md_sim_stream_t *
md_sim_wanted(md_sim_t *sim, md_sim_symbol_t *symbol, md_sim_kind_t kind) {
  md_sim_stream_t *s = md_sim_symbol_stream(sim, symbol, kind);
  return s && s->conn_cnt ? s : NULL;
}

static void
book_event(md_sim_t *sim, md_sim_listing_t *l, unsigned cadence) {
  const md_sim_writers_t *w     = sim->venue->market;
  md_sim_batch_t         *b     = &l->batch[cadence];
  md_sim_stream_t        *s     = md_sim_wanted(sim, l->symbol, w->cadence[cadence]);
  uint64_t                first = b->prev_id + 1;
  if (s) {
    qsort(b->changes, b->cnt, sizeof *b->changes, by_price);
    md_sim_text_clear(&sim->text);
    w->book(sim, l, b, cadence);
  }
  b->cnt      = 0;
  b->first_id = b->last_id + 1;
  b->prev_id  = b->last_id;
  b->sent_ns  = sim->played_ns;
  if (md_sim_is_book(w->cadence[cadence])) md_sim_depth_happened(sim, l->symbol, first, b->last_id);
  if (s) md_sim_send(sim, l->symbol, s, sim->text.p, sim->text.len);
}

/* The event at the fastest cadence; for nobody there is none. */
static void
fast_event(md_sim_t *sim, md_sim_listing_t *l) {
  md_sim_batch_t *b    = &l->batch[2];
  md_sim_kind_t   kind = sim->venue->market->cadence[2];
  if (!kind || b->cnt == 0) return;
  if (!md_sim_wanted(sim, l->symbol, kind)) {
    b->cnt     = 0;
    b->prev_id = b->last_id;
    return;
  }
  book_event(sim, l, 2);
  l->next_fast_ns = sim->played_ns + FAST_NS;
}

/* ---- time ---- */

static void
message(md_sim_market_t *m) {
  m->message_cnt++;
  m->sim->played_ns = (int64_t)((md_i128)m->message_cnt * 1000000000 / m->rate);
  m->sim->time_ms   = m->begin_ms + m->sim->played_ns / 1000000;
}

/* A bookTicker when the top is not what the last one said. */
static bool
tell_top(md_sim_market_t *m, md_sim_listing_t *l) {
  md_level_t best[2] = {{0, 0}, {0, 0}};
  (void)best_of(l, MD_SIDE_BUY, &best[0]);
  (void)best_of(l, MD_SIDE_SELL, &best[1]);
  if (memcmp(best, l->best, sizeof best) == 0) return false;
  memcpy(l->best, best, sizeof best);
  message(m);
  if (m->writers->top) m->writers->top(m->sim, l);
  return true;
}

static void
move(md_sim_market_t *m, md_sim_listing_t *l) {
  md_sim_t *sim = m->sim;
  for (unsigned i = 0; i < QUIET_TRIES; i++) {
    md_side_t side = (md_side_t)(md_sim_random(sim, 2) ? MD_SIDE_SELL : MD_SIDE_BUY);
    uint64_t  what = md_sim_random(sim, 10);
    uint64_t  id   = l->symbol->book.id;
    if (what < 5) {
      change_deep(sim, l, side);
    } else if (what < 8) {
      change_best(sim, l, side);
    } else {
      trade(sim, l, side);
      if (l->symbol->book.id != id) message(m);
    }
    if (tell_top(m, l)) return;
  }
  message(m); /* nothing to tell: time goes on all the same */
}

static void
step(md_sim_market_t *m) {
  md_sim_listing_t *l = &m->listings[md_sim_random(m->sim, m->cfg.symbol_cnt)];
  move(m, l);
  if (m->sim->played_ns >= l->next_fast_ns) fast_event(m->sim, l);
}

static void
kline(md_sim_market_t *m, md_sim_listing_t *l, bool is_closed) {
  if (l->minute.cnt && m->writers->kline) m->writers->kline(m->sim, l, is_closed);
}

static void
turn_minute(md_sim_market_t *m, md_sim_listing_t *l) {
  int64_t begin_ms = m->sim->time_ms / MINUTE_MS * MINUTE_MS;
  if (l->minute.begin_ms == begin_ms) return;
  kline(m, l, true);
  l->minute = (md_sim_candle_t){.begin_ms = begin_ms};
}

static void
flush(md_sim_market_t *m, md_sim_listing_t *l, bool is_last) {
  md_sim_t               *sim       = m->sim;
  const md_sim_writers_t *w         = m->writers;
  bool                    is_second = ++l->flush_cnt % 10 == 0;
  if (l->batch[0].cnt) {
    message(m);
    book_event(sim, l, 0);
  }
  fast_event(sim, l);
  if (w->tenth) w->tenth(sim, l, is_second);
  if (!is_second && !is_last) return;
  if (l->batch[1].cnt) book_event(sim, l, 1);
  if (w->second) w->second(sim, l);
  turn_minute(m, l);
  if (l->flush_cnt % 20 == 0) kline(m, l, false);
}

void
md_sim_market_settle(md_sim_market_t *m, md_sim_symbol_t *symbol) {
  if (!symbol->listing) return;
  for (unsigned i = 0; i < MD_SIM_CADENCE_CNT; i++) {
    if (!symbol->listing->batch[i].cnt) continue;
    if (i == 2)
      fast_event(m->sim, symbol->listing);
    else
      book_event(m->sim, symbol->listing, i);
  }
}

static void
begin(md_sim_market_t *m) {
  m->begin_ns     = m->sim->now_ns;
  m->begin_ms     = md_clock_real_ns(m->sim->clock) / 1000000;
  m->sim->time_ms = m->begin_ms;
  for (uint32_t i = 0; i < m->cfg.symbol_cnt; i++) {
    m->listings[i].next_flush_ns   = FLUSH_NS + FLUSH_NS * (int64_t)i / m->cfg.symbol_cnt;
    m->listings[i].day.begin_ms    = m->begin_ms;
    m->listings[i].minute.begin_ms = m->begin_ms / MINUTE_MS * MINUTE_MS;
  }
}

md_err_t
md_sim_market_pump(md_sim_market_t *m, int64_t *due_ns) {
  md_sim_t *sim = m->sim;
  if (!m->begin_ns) begin(m);
  int64_t until = m->cfg.rate ? sim->now_ns - m->begin_ns : INT64_MAX;
  for (unsigned i = 0; i < PUMP_MESSAGES; i++) {
    if (m->cfg.end_ns && sim->played_ns >= m->cfg.end_ns) {
      for (uint32_t n = 0; n < m->cfg.symbol_cnt; n++)
        flush(m, &m->listings[n], true);
      return MD_ERR_END;
    }
    if (sim->played_ns > until) break;
    if (m->writers->all && sim->played_ns >= m->next_all_ns) {
      m->next_all_ns += SECOND_NS;
      m->writers->all(sim, m->listings, m->cfg.symbol_cnt);
    }
    md_sim_listing_t *l = &m->listings[m->flush_idx];
    if (sim->played_ns >= l->next_flush_ns) {
      l->next_flush_ns += FLUSH_NS;
      m->flush_idx = (m->flush_idx + 1) % m->cfg.symbol_cnt;
      flush(m, l, false);
    } else {
      step(m);
    }
  }
  *due_ns = m->cfg.rate ? m->begin_ns + sim->played_ns : sim->now_ns;
  return MD_OK;
}

uint64_t
md_sim_market_message_cnt(const md_sim_market_t *m) {
  return m->message_cnt;
}

/* ---- open and close ---- */

static void
fill_side(md_sim_t *sim, md_sim_listing_t *l, md_side_t side, int64_t px, uint32_t cnt) {
  bool was_absent;
  for (uint32_t i = 0; i < cnt && px >= l->tick; i++) {
    md_err_t err =
        md_orderbook_set(&l->symbol->book.book, side, px, random_qty(sim, l), &was_absent);
    md_assert(!err);
    px += away(l, side) * (int64_t)(1 + md_sim_random(sim, 3));
  }
}

/* False: the venue has no more symbols. */
static bool
list(md_sim_market_t *m, uint32_t idx) {
  md_sim_t         *sim  = m->sim;
  md_sim_listing_t *l    = &m->listings[idx];
  md_sim_spec_t     spec = {.px_exp = MD_SIM_EXP, .qty_exp = MD_SIM_EXP};
  if (!m->writers->list(sim, idx, &spec)) return false;
  md_sim_symbol_t *s = md_sim_symbol_add(sim, spec.name, strlen(spec.name));
  md_assert(s != NULL && !s->listing);
  l->symbol      = s;
  s->listing     = l;
  s->px_exp      = spec.px_exp;
  s->qty_exp     = spec.qty_exp;
  l->tick        = spec.tick;
  l->lot         = spec.lot;
  l->levels_min  = spec.levels_min ? spec.levels_min : LEVELS_MIN;
  l->levels_max  = spec.levels_max ? spec.levels_max : LEVELS_MAX;
  uint32_t start = spec.levels_start ? spec.levels_start : LEVELS_START;
  l->trade_id    = 5000000 + (int64_t)md_sim_random(sim, 1000000);
  int64_t px     = l->tick * (int64_t)(20000 + md_sim_random(sim, 6000000));
  if (spec.px) px = spec.px;
  fill_side(sim, l, MD_SIDE_BUY, px, start);
  fill_side(sim, l, MD_SIDE_SELL, px + l->tick * (int64_t)(1 + md_sim_random(sim, 3)), start);
  s->book.id    = FIRST_ID + md_sim_random(sim, 1000000000);
  s->book.valid = true;
  if (m->writers->listed) m->writers->listed(sim, l, idx);
  s->first_id = s->book.id + 1;
  for (unsigned i = 0; i < MD_SIM_CADENCE_CNT; i++) {
    l->batch[i].first_id = s->first_id;
    l->batch[i].last_id = l->batch[i].prev_id = s->book.id;
  }
  return true;
}

md_sim_market_t *
md_sim_market_open(md_sim_t *sim, const md_sim_market_cfg_t *cfg) {
  md_sim_market_t *m = md_sim_alloc(1, sizeof *m);
  uint32_t         n = 0;
  m->sim             = sim;
  m->writers         = sim->venue->market;
  m->cfg             = *cfg;
  m->listings        = md_sim_alloc(cfg->symbol_cnt, sizeof *m->listings);
  while (n < cfg->symbol_cnt && list(m, n))
    n++;
  md_assert(n > 0);
  m->cfg.symbol_cnt = n;
  m->rate           = cfg->rate ? cfg->rate : FLAT_RATE * n;
  return m;
}

void
md_sim_market_close(md_sim_market_t *m) {
  if (!m) return;
  for (uint32_t i = 0; i < m->cfg.symbol_cnt; i++) {
    for (unsigned n = 0; n < MD_SIM_CADENCE_CNT; n++)
      free(m->listings[i].batch[n].changes);
    m->listings[i].symbol->listing = NULL;
  }
  free(m->listings);
  free(m);
}
