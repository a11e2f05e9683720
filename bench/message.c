#include "bench/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_CNT     2048u /* ticks of the window that the generated book covers, both sides */
#define TEXT_MAX     (256u + 2u * MD_BENCH_LEVEL_MAX * 48u)
#define PAD_BYTES    64u
#define DELETE_SHARE 7u /* one change in so many deletes a level that exists */

typedef struct market {
  uint64_t seed, update_id, trade_id, now_ms;
  int64_t  base; /* price of tick 0, in units of 0.01 */
  unsigned best; /* first tick of the asks */
  bool     is_still;
  uint32_t qty[TICK_CNT];
} market_t;

static uint64_t
next_random(market_t *m) {
  uint64_t z = (m->seed += 0x9e3779b97f4a7c15u);
  z          = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z          = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/* From 0.00001 to about 20, small ones far more often, as in real books. */
static uint32_t
next_qty(market_t *m) {
  unsigned bits = 6 + (unsigned)(next_random(m) % 15);
  return 1 + (uint32_t)(next_random(m) & ((1u << bits) - 1));
}

static unsigned
put_decimal(char *out, size_t bytes, int64_t mantissa, unsigned digits) {
  int64_t unit = 1;
  for (unsigned i = 0; i < digits; i++)
    unit *= 10;
  return (unsigned)snprintf(out, bytes, "\"%lld.%0*lld%0*d\"", (long long)(mantissa / unit),
                            (int)digits, (long long)(mantissa % unit), (int)(8 - digits), 0);
}

/* Where the best ask is now: a walk that stays inside the window. */
static void
walk(market_t *m) {
  uint64_t r = next_random(m) % 16;
  if (!m->is_still && r == 0 && m->best < TICK_CNT * 3 / 4) m->best++;
  if (!m->is_still && r == 1 && m->best > TICK_CNT / 4) m->best--;
  m->now_ms += 1 + next_random(m) % 100;
}

static unsigned
put_agg_trade(market_t *m, char *out, size_t bytes) {
  char     px[48], qty[48];
  bool     is_maker = next_random(m) & 1;
  uint64_t fills    = next_random(m) % 3;
  walk(m);
  put_decimal(px, sizeof px, m->base + (int64_t)m->best - is_maker, MD_BENCH_PX_DIGITS);
  put_decimal(qty, sizeof qty, next_qty(m), MD_BENCH_QTY_DIGITS);
  m->update_id++;
  m->trade_id += 1 + fills;
  return (unsigned)snprintf(
      out, bytes,
      "{\"stream\":\"btcusdt@aggTrade\",\"data\":{\"e\":\"aggTrade\",\"E\":%llu,\"s\":\"BTCUSDT\","
      "\"a\":%llu,\"p\":%s,\"q\":%s,\"f\":%llu,\"l\":%llu,\"T\":%llu,\"m\":%s,\"M\":true}}",
      (unsigned long long)m->now_ms, (unsigned long long)m->update_id, px, qty,
      (unsigned long long)(m->trade_id - fills), (unsigned long long)m->trade_id,
      (unsigned long long)(m->now_ms - 1), is_maker ? "true" : "false");
}

/* One side of an update: changes near the best price, most of them close to it. */
static unsigned
put_side(market_t *m, char *out, size_t bytes, bool bids, unsigned cnt) {
  unsigned n    = (unsigned)snprintf(out, bytes, "[");
  unsigned tick = m->best - (bids ? 1 : 0);
  for (unsigned i = 0; i < cnt; i++) {
    uint32_t qty = next_qty(m);
    if (m->qty[tick] != 0 && next_random(m) % DELETE_SHARE == 0) qty = 0;
    m->qty[tick] = qty;
    if (i) out[n++] = ',';
    out[n++] = '[';
    n += put_decimal(out + n, bytes - n, m->base + (int64_t)tick, MD_BENCH_PX_DIGITS);
    out[n++] = ',';
    n += put_decimal(out + n, bytes - n, qty, MD_BENCH_QTY_DIGITS);
    out[n++]      = ']';
    unsigned step = 1 + (unsigned)(next_random(m) % 4);
    tick          = bids ? tick - step : tick + step;
    if (tick >= TICK_CNT) break; /* below 0 it wraps to a large number */
  }
  out[n++] = ']';
  return n;
}

static unsigned
put_depth(market_t *m, char *out, size_t bytes, unsigned level_cnt) {
  unsigned cnt     = level_cnt - level_cnt / 8 + (unsigned)(next_random(m) % (level_cnt / 4 + 1));
  unsigned bid_cnt = cnt / 4 + (unsigned)(next_random(m) % (cnt / 2 + 1));
  uint64_t first   = m->update_id + 1;
  walk(m);
  m->update_id += cnt;
  unsigned n = (unsigned)snprintf(
      out, bytes,
      "{\"stream\":\"btcusdt@depth@100ms\",\"data\":{\"e\":\"depthUpdate\",\"E\":%llu,"
      "\"s\":\"BTCUSDT\",\"U\":%llu,\"u\":%llu,\"b\":",
      (unsigned long long)m->now_ms, (unsigned long long)first, (unsigned long long)m->update_id);
  n += put_side(m, out + n, bytes - n, true, bid_cnt);
  n += (unsigned)snprintf(out + n, bytes - n, ",\"a\":");
  n += put_side(m, out + n, bytes - n, false, cnt - bid_cnt);
  n += (unsigned)snprintf(out + n, bytes - n, "}}");
  return n;
}

static void
market_begin(market_t *m, uint64_t seed) {
  memset(m, 0, sizeof *m);
  m->seed      = seed;
  m->update_id = 50093239212;
  m->trade_id  = 3735683259;
  m->now_ms    = 1723161255343;
  m->base      = 6183763 - TICK_CNT / 2;
  m->best      = TICK_CNT / 2;
  for (unsigned i = 0; i < TICK_CNT; i++)
    m->qty[i] = next_qty(m);
}

static bool
generate(md_bench_corpus_t *c, market_t *m, uint32_t level_cnt) {
  size_t each = c->kind == MD_BENCH_AGG_TRADE ? 512 : 512 + (size_t)level_cnt * 2 * 48;
  size_t at   = 0;
  if (each > TEXT_MAX) each = TEXT_MAX;
  c->bytes = calloc(c->cnt, each + PAD_BYTES);
  c->text  = calloc(c->cnt, sizeof c->text[0]);
  c->len   = calloc(c->cnt, sizeof c->len[0]);
  if (c->bytes == NULL || c->text == NULL || c->len == NULL) {
    md_bench_corpus_delete(c);
    return false;
  }
  for (uint32_t i = 0; i < c->cnt; i++) {
    char *out  = (char *)c->bytes + at;
    c->text[i] = c->bytes + at;
    c->len[i]  = c->kind == MD_BENCH_AGG_TRADE ? put_agg_trade(m, out, each)
                                               : put_depth(m, out, each, level_cnt);
    c->text_bytes += c->len[i];
    at += c->len[i] + PAD_BYTES;
    memset(c->bytes + at - PAD_BYTES, 0, PAD_BYTES);
  }
  return true;
}

static market_t market; /* large; the generators are called by one thread, and begin anew */

bool
md_bench_corpus_new(md_bench_corpus_t *c, md_bench_kind_t kind, uint32_t cnt, uint32_t level_cnt,
                    uint64_t seed) {
  *c = (md_bench_corpus_t){.kind = kind, .cnt = cnt};
  market_begin(&market, seed);
  return generate(c, &market, level_cnt);
}

bool
md_bench_corpus_still(md_bench_corpus_t *c, uint32_t cnt, uint32_t level_cnt, uint64_t seed) {
  *c = (md_bench_corpus_t){.kind = MD_BENCH_DEPTH, .cnt = cnt};
  market_begin(&market, seed);
  market.is_still = true;
  return generate(c, &market, level_cnt);
}

bool
md_bench_snapshot_new(uint64_t seed, char **text, uint32_t *len) {
  size_t bytes = 256 + (size_t)TICK_CNT * 48 + PAD_BYTES, n;
  market_begin(&market, seed);
  *text = calloc(1, bytes);
  if (*text == NULL) return false;
  n = (size_t)snprintf(*text, bytes, "{\"lastUpdateId\":%llu,\"bids\":[",
                       (unsigned long long)market.update_id);
  for (unsigned i = 0; i < TICK_CNT; i++) { /* best first */
    bool     is_bid = i < market.best;
    unsigned tick   = is_bid ? market.best - 1 - i : i;
    if (i == market.best) n += (size_t)snprintf(*text + n, bytes - n, "],\"asks\":[");
    if (i != 0 && i != market.best) (*text)[n++] = ',';
    (*text)[n++] = '[';
    n += put_decimal(*text + n, bytes - n, market.base + (int64_t)tick, MD_BENCH_PX_DIGITS);
    (*text)[n++] = ',';
    n += put_decimal(*text + n, bytes - n, market.qty[tick], MD_BENCH_QTY_DIGITS);
    (*text)[n++] = ']';
  }
  n += (size_t)snprintf(*text + n, bytes - n, "]}");
  *len = (uint32_t)n;
  return true;
}

void
md_bench_corpus_delete(md_bench_corpus_t *c) {
  free(c->bytes);
  free(c->text);
  free(c->len);
  *c = (md_bench_corpus_t){0};
}
