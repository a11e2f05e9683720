#include "feeds/feed_parts.h"

#include <string.h>

void
md_feed_definition_init(md_definition_t *d, const char *symbol, uint32_t len) {
  md_assert(len < MD_SYMBOL_BYTES);
  memset(d, 0, sizeof *d);
  memcpy(d->symbol, symbol, len);
  d->tick_size     = MD_NULL_I64;
  d->lot_size      = MD_NULL_I64;
  d->min_qty       = MD_NULL_I64;
  d->min_notional  = MD_DEC128_NULL;
  d->contract_size = MD_DEC128_NULL;
  d->strike        = MD_DEC128_NULL;
  d->expiry_ns     = MD_NULL_I64;
}

/* ---- finding and making ---- */

/* A row of the directory and a live book. Without room for the book the instrument is kept without
 * one; without a row it cannot be named to anybody. */
static md_err_t
list(md_feed_t *f, md_feed_instrument_t *i) {
  md_segment_t        *s    = f->cfg.segment;
  md_instrument_spec_t spec = {.definition = i->definition,
                               .feed       = f->cfg.feed,
                               .px_exp     = i->px_exp,
                               .qty_exp    = i->qty_exp,
                               .want_book  = true};
  md_err_t             err  = md_instrument_add(s, &spec, &i->id, &i->row, &i->shm);
  if (err) {
    spec.want_book = false;
    err            = md_instrument_add(s, &spec, &i->id, &i->row, &i->shm);
  }
  i->is_listed = err == MD_OK;
  return err;
}

static md_feed_instrument_t *
create(md_feed_t *f, const char *symbol, uint32_t len) {
  if (f->instrument_cnt == f->cfg.instrument_max) return NULL;
  md_feed_symbol_t *row = md_feed_symbols_add(f->symbols, symbol, len);
  if (!row) return NULL;
  md_feed_instrument_t *i = &f->instruments[f->instrument_cnt];
  memset(i, 0, sizeof *i);
  memcpy(i->symbol, symbol, len);
  i->symbol_len  = row->len;
  i->id          = row->id;
  i->index       = f->instrument_cnt;
  i->leg         = MD_LEG_NONE;
  i->next_leg    = MD_LEG_NONE;
  i->ts_exch_ns  = MD_NULL_I64;
  i->trusted_bid = MD_NULL_I64;
  i->trusted_ask = MD_NULL_I64;
  i->before =
      row->has_resume ? row->resume : (md_feed_resume_t){MD_NULL_U64, MD_NULL_U64, MD_NULL_U64};
  i->definition = &row->definition;
  if (row->has_definition) {
    i->px_exp  = row->px_exp;
    i->qty_exp = row->qty_exp;
  } else {
    md_feed_definition_init(i->definition, symbol, len);
    f->cfg.venue->define(symbol, len, i->definition);
  }
  i->shm_px_exp  = i->px_exp;
  i->shm_qty_exp = i->qty_exp;
  if (f->cfg.segment) {
    if (list(f, i)) return NULL;
  } else if (i->id == 0) {
    i->id = f->next_id++;
  }
  md_orderbook_init(&i->book, f->level_pool);
  md_sync_queue_init(&i->queue, f->sync_pool);
  row->id = i->id;
  md_feed_symbols_use(f->symbols, row, f->instrument_cnt++);
  return i;
}

md_feed_instrument_t *
md_feed_lookup(md_feed_t *f, const char *symbol, uint32_t len) {
  return md_feed_lookup_hashed(f, md_feed_symbol_hash(symbol, len), symbol, len);
}

static bool
is_called(const md_feed_instrument_t *i, const char *symbol, uint32_t len) {
  return i->symbol_len == len && memcmp(i->symbol, symbol, len) == 0;
}

/* Those found last are found again by one comparison: messages of one symbol come in a row, and
 * what md_feed_expect_next found is asked for a little later. */
md_feed_instrument_t *
md_feed_lookup_hashed(md_feed_t *f, uint64_t hash, const char *symbol, uint32_t len) {
  md_feed_instrument_t **found = &f->found[hash % MD_CNT(f->found)];
  if (MD_LIKELY(*found && is_called(*found, symbol, len))) return *found;
  uint32_t index = md_feed_symbols_guess(f->symbols, hash);
  if (index == UINT32_MAX || !is_called(&f->instruments[index], symbol, len)) {
    const md_feed_symbol_t *row = md_feed_symbols_find(f->symbols, hash, symbol, len);
    if (!row || row->instrument == UINT32_MAX) return NULL;
    index = row->instrument;
  }
  *found = &f->instruments[index];
  return *found;
}

md_feed_instrument_t *
md_feed_find(md_feed_t *f, const char *symbol, uint32_t len) {
  md_feed_instrument_t *i = md_feed_lookup(f, symbol, len);
  return MD_LIKELY(i != NULL) ? i : create(f, symbol, len);
}

md_feed_instrument_t *
md_feed_find_known(md_feed_t *f, const char *symbol, uint32_t len) {
  const md_feed_symbol_t *row =
      md_feed_symbols_find(f->symbols, md_feed_symbol_hash(symbol, len), symbol, len);
  if (!row) return NULL;
  if (row->instrument != UINT32_MAX) return &f->instruments[row->instrument];
  return row->has_definition ? create(f, symbol, len) : NULL;
}

/* ---- definitions ---- */

void
md_feed_define(md_feed_t *f, md_feed_instrument_t *i) {
  if (MD_LIKELY(i->is_defined)) return;
  md_record_t *rec = md_feed_record(f, i, MD_RECORD_DEFINITION, sizeof(md_definition_t));
  memcpy(md_record_body(rec), i->definition, sizeof *i->definition);
  i->is_defined = true;
}

/* After a change: the stream gets a new DEFINITION unless it had none yet, the directory and the
 * live book follow. */
static void
announce(md_feed_t *f, md_feed_instrument_t *i, bool is_rescaled) {
  if (i->is_defined) {
    i->is_defined = false;
    md_feed_define(f, i);
  }
  bool rewrite = is_rescaled && i->state == MD_BOOK_VALID;
  if (rewrite) md_feed_publish(f);
  if (i->is_listed)
    md_instrument_update(f->cfg.segment, i->row, i->px_exp, i->qty_exp, i->definition);
  if (rewrite) md_feed_shm_all(f, i);
}

static void
rescale_or_forget(int64_t *v, int from, int to) {
  if (md_rescale_i64(v, from, to)) *v = MD_NULL_I64;
}

static void
rescale_definition(md_definition_t *d, const int px[2], const int qty[2]) {
  rescale_or_forget(&d->tick_size, px[0], px[1]);
  rescale_or_forget(&d->lot_size, qty[0], qty[1]);
  rescale_or_forget(&d->min_qty, qty[0], qty[1]);
}

static bool
rescale_sum(md_i128 *sum, int from, int to) {
  md_i128 v = *sum;
  for (int n = to; n < from; n++)
    if (__builtin_mul_overflow(v, (md_i128)10, &v)) return false;
  *sum = v;
  return true;
}

static bool
rescale_bar(md_kline_t *k, const int px[2], const int qty[2]) {
  int64_t *const prices[]     = {&k->open, &k->high, &k->low, &k->close};
  int64_t *const quantities[] = {&k->volume, &k->taker_volume};
  for (size_t n = 0; n < MD_CNT(prices); n++)
    if (md_rescale_i64(prices[n], px[0], px[1])) return false;
  for (size_t n = 0; n < MD_CNT(quantities); n++)
    if (md_rescale_i64(quantities[n], qty[0], qty[1])) return false;
  return true;
}

/* Everything of i that is a mantissa goes to new exponents, or nothing does. */
static md_err_t
rescale(const md_feed_t *f, md_feed_instrument_t *i, int px_exp, int qty_exp) {
  const int px[2] = {i->px_exp, px_exp}, qty[2] = {i->qty_exp, qty_exp};
  int64_t   bid = i->trusted_bid, ask = i->trusted_ask;
  md_i128   sum = i->trades.qty_sum, agg_sum = i->agg_trades.qty_sum;
  if (px_exp < MD_EXP_MIN || qty_exp < MD_EXP_MIN) return MD_ERR_OVERFLOW;
  if (md_rescale_i64(&bid, px[0], px[1]) || md_rescale_i64(&ask, px[0], px[1]))
    return MD_ERR_OVERFLOW;
  if (!rescale_sum(&sum, qty[0], qty[1]) || !rescale_sum(&agg_sum, qty[0], qty[1]))
    return MD_ERR_OVERFLOW;
  if (md_orderbook_rescale(&i->book, px[0], px[1], qty[0], qty[1])) return MD_ERR_OVERFLOW;

  i->trusted_bid        = bid;
  i->trusted_ask        = ask;
  i->trades.qty_sum     = sum;
  i->agg_trades.qty_sum = agg_sum;
  rescale_definition(i->definition, px, qty);
  for (uint32_t n = 0; n < i->bar_cnt; n++) {
    md_kline_t *bar = md_feed_aside_bar(f, i, n);
    if (!rescale_bar(bar, px, qty)) bar->ts_open_ns = MD_NULL_I64;
  }
  md_feed_canary_forget(i);
  i->px_exp  = (int8_t)px_exp;
  i->qty_exp = (int8_t)qty_exp;
  return MD_OK;
}

static int
smaller(int a, int b) {
  return a < b ? a : b;
}

md_err_t
md_feed_widen(md_feed_t *f, md_feed_instrument_t *i, int px_exp, int qty_exp) {
  px_exp  = smaller(px_exp, i->px_exp);
  qty_exp = smaller(qty_exp, i->qty_exp);
  if (px_exp == i->px_exp && qty_exp == i->qty_exp) return MD_OK;
  md_err_t err = rescale(f, i, px_exp, qty_exp);
  if (err) return err;
  announce(f, i, true);
  return MD_OK;
}

/* The names of an instrument stay: readers hold them. One that it had not is added. All of it
 * follows from the inputs, whether or not there are readers. */
static void
keep_name(char *to, const char *from, size_t bytes) {
  if (from[0]) memcpy(to, from, bytes);
}

static void
keep_names(md_definition_t *to, const md_definition_t *from) {
  keep_name(to->normalised, from->normalised, sizeof to->normalised);
  keep_name(to->base, from->base, sizeof to->base);
  keep_name(to->quote, from->quote, sizeof to->quote);
  keep_name(to->settle, from->settle, sizeof to->settle);
}

static void
redefine(md_feed_t *f, md_feed_instrument_t *i, const md_definition_t *d, int said_px_exp,
         int said_qty_exp) {
  const int px_exp  = smaller(said_px_exp, i->px_exp);
  const int qty_exp = smaller(said_qty_exp, i->qty_exp);
  bool      widened = px_exp != i->px_exp || qty_exp != i->qty_exp;
  if (widened && rescale(f, i, px_exp, qty_exp)) {
    md_count(f->metrics, MD_COUNTER_OVERFLOWS, 1);
    return;
  }
  const int       px[2]  = {said_px_exp, px_exp};
  const int       qty[2] = {said_qty_exp, qty_exp};
  md_definition_t now    = *d;
  rescale_definition(&now, px, qty);
  keep_names(&now, i->definition);
  bool changed   = memcmp(&now, i->definition, sizeof now) != 0;
  *i->definition = now;
  if (changed || widened) announce(f, i, widened);
}

void
md_feed_on_definition(md_feed_t *f, const char *symbol, uint32_t len, const md_definition_t *d,
                      int px_exp, int qty_exp) {
  md_feed_symbol_t *row = md_feed_symbols_add(f->symbols, symbol, len);
  if (!row || px_exp < MD_EXP_MIN || qty_exp < MD_EXP_MIN) {
    md_count(f->metrics, MD_COUNTER_OVERFLOWS, 1);
    return;
  }
  if (row->instrument != UINT32_MAX) {
    redefine(f, &f->instruments[row->instrument], d, px_exp, qty_exp);
    return;
  }
  row->definition     = *d;
  row->px_exp         = (int8_t)px_exp;
  row->qty_exp        = (int8_t)qty_exp;
  row->has_definition = true;
}

/* ---- trading ---- */

static void
out_trading(md_feed_t *f, md_feed_instrument_t *i, const md_feed_event_t *event, unsigned before,
            unsigned after) {
  md_status_t *s = md_feed_stage(f, i, MD_RECORD_STATUS, event);
  s->subject     = i ? MD_SUBJECT_INSTRUMENT : MD_SUBJECT_VENUE;
  s->before      = (uint8_t)before;
  s->after       = (uint8_t)after;
  s->reason      = after == MD_TRADING_ENDED ? MD_REASON_DELISTED : MD_REASON_NONE;
  s->gen         = i ? i->gen : 0;
}

void
md_feed_on_trading(md_feed_t *f, md_feed_instrument_t *i, const md_feed_event_t *event,
                   md_trading_t trading) {
  const unsigned before = i ? i->definition->trading : MD_TRADING_UNKNOWN;
  if (i && before == trading) return;
  out_trading(f, i, event, before, trading);
  if (!i) return;
  i->definition->trading = (uint8_t)trading;
  announce(f, i, false);
  if (trading == MD_TRADING_ENDED)
    md_feed_book_delist(f, i);
  else if (trading == MD_TRADING_ON)
    md_feed_book_list(i);
}
