#include "feeds/sim/sim_market.h"

#include "feeds/sim/sim_market_parts.h"

#include <stdlib.h>
#include <string.h>

#define PUMP_MESSAGES 4096u
#define FLUSH_NS      100000000
#define LEVELS_START  400u
#define LEVELS_MIN    200u
#define LEVELS_MAX    1500u
#define FLAT_RATE     250u /* messages a second and symbol by which a flat-out market's time goes */
#define FIRST_ID      1000000u
#define QUIET_TRIES   16u
#define MINUTE_MS     60000

struct md_sim_market {
  md_sim_t           *sim;
  md_sim_market_cfg_t cfg;
  md_sim_listing_t   *listings;
  uint32_t            flush_idx; /* whose turn it is: all have the same period */
  uint32_t            rate;      /* of its time */
  uint64_t            message_cnt;
  int64_t             begin_ns, begin_ms; /* begin_ns 0: not begun */
};

static const char *const bases[] = {"BTC",  "ETH",  "BNB", "SOL", "XRP",  "ADA",  "DOGE",
                                    "AVAX", "LINK", "DOT", "LTC", "ATOM", "NEAR", "UNI",
                                    "APT",  "ARB",  "FIL", "OP",  "SUI",  "TRX"};

/* ---- the book ---- */

static void
batch_add(md_sim_batch_t *b, md_side_t side, md_level_t level) {
  if (b->cnt == b->cap) {
    b->cap     = b->cap ? b->cap * 2 : 64;
    b->changes = md_sim_resize(b->changes, b->cap, sizeof *b->changes);
  }
  b->changes[b->cnt] = (md_sim_change_t){.level = level, .side = side, .order = b->cnt};
  b->cnt++;
}

/* Every change of a level is one update id. */
static void
change(md_sim_listing_t *l, md_side_t side, int64_t px, int64_t qty) {
  md_sim_book_t *b = &l->symbol->book;
  bool           was_absent;
  if (md_orderbook_set(&b->book, side, px, qty, &was_absent)) return;
  b->id++;
  for (unsigned i = 0; i < 2; i++)
    batch_add(&l->batch[i], side, (md_level_t){px, qty});
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

/* Something behind the best level: a new one, another quantity, or none any more. */
static void
change_deep(md_sim_t *sim, md_sim_listing_t *l, md_side_t side) {
  uint32_t   cnt = level_cnt(l, side);
  md_level_t level, best;
  if (cnt < 2 || !best_of(l, side, &best)) return;
  uint64_t what = md_sim_random(sim, 10);
  if (cnt < LEVELS_MIN || (what < 3 && cnt < LEVELS_MAX)) {
    int64_t px = best.px + away(l, side) * (int64_t)(1 + md_sim_random(sim, 3 * LEVELS_START));
    if (px >= l->tick) change(l, side, px, random_qty(sim, l));
    return;
  }
  uint32_t range = md_sim_random(sim, 4) == 0 ? cnt - 1 : cnt / 16 + 1;
  if (!md_orderbook_at(&l->symbol->book.book, side, 1 + (uint32_t)md_sim_random(sim, range),
                       &level))
    return;
  change(l, side, level.px, what < 7 ? random_qty(sim, l) : 0);
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
    change(l, side, best.px - away(l, side) * step, random_qty(sim, l));
  } else if (what == 7 && level_cnt(l, side) > LEVELS_MIN) {
    change(l, side, best.px, 0);
  } else {
    change(l, side, best.px, random_qty(sim, l));
  }
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
  if (qty == best.qty && level_cnt(l, side) <= LEVELS_MIN) return;
  change(l, side, best.px, best.qty - qty);
  md_sim_out_trade(sim, l, best.px, qty, side == MD_SIDE_BUY);
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
  md_sim_out_book_ticker(m->sim, l);
  return true;
}

static void
step(md_sim_market_t *m) {
  md_sim_t         *sim = m->sim;
  md_sim_listing_t *l   = &m->listings[md_sim_random(sim, m->cfg.symbol_cnt)];
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
turn_minute(md_sim_t *sim, md_sim_listing_t *l) {
  int64_t begin_ms = sim->time_ms / MINUTE_MS * MINUTE_MS;
  if (l->minute.begin_ms == begin_ms) return;
  if (l->minute.cnt) md_sim_out_kline(sim, l, true);
  l->minute = (md_sim_candle_t){.begin_ms = begin_ms};
}

static void
flush(md_sim_market_t *m, md_sim_listing_t *l, bool is_last) {
  md_sim_t *sim       = m->sim;
  bool      is_second = ++l->flush_cnt % 10 == 0;
  if (l->batch[0].cnt) {
    message(m);
    md_sim_out_depth(sim, l, 0);
  }
  md_sim_out_partials(sim, l, is_second);
  if (!is_second && !is_last) return;
  if (l->batch[1].cnt) md_sim_out_depth(sim, l, 1);
  md_sim_out_ticker(sim, l);
  turn_minute(sim, l);
  if (l->flush_cnt % 20 == 0 && l->minute.cnt) md_sim_out_kline(sim, l, false);
}

static void
begin(md_sim_market_t *m) {
  m->begin_ns     = m->sim->now_ns;
  m->begin_ms     = md_clock_real_ns(m->sim->clock) / 1000000;
  m->sim->time_ms = m->begin_ms;
  for (uint32_t i = 0; i < m->cfg.symbol_cnt; i++) {
    m->listings[i].next_flush_ns = FLUSH_NS + FLUSH_NS * (int64_t)i / m->cfg.symbol_cnt;
    m->listings[i].day.begin_ms  = m->begin_ms;
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
fill_side(md_sim_t *sim, md_sim_listing_t *l, md_side_t side, int64_t px) {
  bool was_absent;
  for (uint32_t i = 0; i < LEVELS_START && px >= l->tick; i++) {
    md_err_t err =
        md_orderbook_set(&l->symbol->book.book, side, px, random_qty(sim, l), &was_absent);
    md_assert(!err);
    px += away(l, side) * (int64_t)(1 + md_sim_random(sim, 3));
  }
}

static void
list(md_sim_market_t *m, uint32_t idx) {
  md_sim_t         *sim = m->sim;
  md_sim_listing_t *l   = &m->listings[idx];
  char              name[MD_SIM_NAME_BYTES];
  int               n = idx < MD_CNT(bases) ? snprintf(name, sizeof name, "%sUSDT", bases[idx])
                                            : snprintf(name, sizeof name, "C%uUSDT", idx);
  l->symbol           = md_sim_symbol_add(sim, name, (size_t)n);
  md_assert(l->symbol != NULL);
  /* A price of 5 to 7 digits of its tick, which is 0.01 to 0.000001. */
  static const int64_t ticks[] = {1000000, 100000, 10000, 1000, 100};
  l->tick                      = ticks[idx % MD_CNT(ticks)];
  l->lot                       = 1000;
  l->trade_id                  = 5000000 + (int64_t)md_sim_random(sim, 1000000);
  int64_t px                   = l->tick * (int64_t)(20000 + md_sim_random(sim, 6000000));
  fill_side(sim, l, MD_SIDE_BUY, px);
  fill_side(sim, l, MD_SIDE_SELL, px + l->tick * (int64_t)(1 + md_sim_random(sim, 3)));
  l->symbol->book.id    = FIRST_ID + md_sim_random(sim, 1000000000);
  l->symbol->book.valid = true;
  l->symbol->first_id   = l->symbol->book.id + 1;
  l->batch[0].first_id = l->batch[1].first_id = l->symbol->first_id;
}

md_sim_market_t *
md_sim_market_open(md_sim_t *sim, const md_sim_market_cfg_t *cfg) {
  md_sim_market_t *m = md_sim_alloc(1, sizeof *m);
  m->sim             = sim;
  m->cfg             = *cfg;
  m->rate            = cfg->rate ? cfg->rate : FLAT_RATE * cfg->symbol_cnt;
  m->listings        = md_sim_alloc(cfg->symbol_cnt, sizeof *m->listings);
  for (uint32_t i = 0; i < cfg->symbol_cnt; i++)
    list(m, i);
  return m;
}

void
md_sim_market_close(md_sim_market_t *m) {
  if (!m) return;
  for (uint32_t i = 0; i < m->cfg.symbol_cnt; i++) {
    free(m->listings[i].batch[0].changes);
    free(m->listings[i].batch[1].changes);
  }
  free(m->listings);
  free(m);
}
