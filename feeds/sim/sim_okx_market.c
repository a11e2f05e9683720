/* The synthetic market as OKX tells it: books, best prices, trades. */
#include "feeds/sim/sim_fault.h"
#include "feeds/sim/sim_okx.h"

#include <string.h>

#define SECOND_NS 1000000000ll
#define BEAT_NS   (60 * SECOND_NS) /* a book that does not change says so this often ... */
#define PAUSE_NS                                                                                   \
  (3 * SECOND_NS) /* ... and one that paused, once: real books seldom rest longer                  \
                   */
#define ORDERS 9u

/* ---- parts of a message ---- */

void
md_sim_okx_begin(md_sim_text_t *t, const char *channel, const char *symbol, const char *action) {
  md_sim_text_clear(t);
  md_sim_text_str(t, "{\"arg\":{\"channel\":\"");
  md_sim_text_str(t, channel);
  md_sim_text_str(t, "\",\"instId\":\"");
  md_sim_text_str(t, symbol);
  md_sim_text_str(t, "\"}");
  if (action) {
    md_sim_text_str(t, ",\"action\":\"");
    md_sim_text_str(t, action);
    md_sim_text_str(t, "\"");
  }
  md_sim_text_str(t, ",\"data\":[");
}

static void
decimal(md_sim_text_t *t, md_i128 mantissa, int exp) {
  char *to = md_sim_text_room(t, 192);
  t->len += md_decimal_format(mantissa, exp, to, 192);
}

void
md_sim_okx_member(md_sim_text_t *t, const char *name, md_i128 mantissa, int exp) {
  md_sim_text_str(t, ",\"");
  md_sim_text_str(t, name);
  md_sim_text_str(t, "\":\"");
  decimal(t, mantissa, exp);
  md_sim_text_str(t, "\"");
}

/* ["px","qty","0","orders"] */
static void
write_level(md_sim_text_t *t, const md_sim_symbol_t *s, md_level_t level) {
  md_sim_text_str(t, "[\"");
  decimal(t, level.px, s->px_exp);
  md_sim_text_str(t, "\",\"");
  decimal(t, level.qty, s->qty_exp);
  md_sim_text_str(t, "\",\"0\",\"");
  md_sim_text_u64(t, level.qty ? 1 + (uint64_t)level.qty % ORDERS : 0);
  md_sim_text_str(t, "\"]");
}

static void
write_side(const md_sim_symbol_t *s, md_side_t side, uint32_t limit, md_sim_text_t *t) {
  md_level_t level;
  for (uint32_t n = 0; n < limit && md_orderbook_at(&s->book.book, side, n, &level); n++) {
    if (n) md_sim_text_str(t, ",");
    write_level(t, s, level);
  }
}

void
md_sim_okx_sides(const md_sim_symbol_t *symbol, uint32_t limit, md_sim_text_t *t) {
  md_sim_text_str(t, "\"asks\":[");
  write_side(symbol, MD_SIDE_SELL, limit, t);
  md_sim_text_str(t, "],\"bids\":[");
  write_side(symbol, MD_SIDE_BUY, limit, t);
  md_sim_text_str(t, "]");
}

static void
number(md_sim_text_t *t, const char *name, int64_t v) {
  md_sim_text_format(t, ",\"%s\":%" PRId64, name, v);
}

static void
time_ms(md_sim_text_t *t, int64_t ms) {
  md_sim_text_str(t, ",\"ts\":\"");
  md_sim_text_u64(t, (uint64_t)ms);
  md_sim_text_str(t, "\"");
}

/* ---- books ---- */

/* Behind both sides. */
static void
finish_book(md_sim_text_t *t, int64_t ms, int32_t checksum, int64_t seq, int64_t prev) {
  time_ms(t, ms);
  number(t, "checksum", checksum);
  if (seq != MD_SIM_OKX_NO_SEQ) {
    number(t, "seqId", seq);
    number(t, "prevSeqId", prev);
  }
  md_sim_text_str(t, "}]}");
}

void
md_sim_okx_snapshot(const md_sim_t *sim, const md_sim_symbol_t *symbol, md_sim_text_t *t) {
  const md_sim_okx_book_t *b = &md_sim_okx_symbol(symbol)->book;
  md_sim_okx_begin(t, "books", symbol->name, "snapshot");
  md_sim_text_str(t, "{");
  if (symbol->listing) {
    md_sim_okx_sides(symbol, MD_SIM_OKX_LEVELS, t);
    finish_book(t, md_sim_okx_now_ms(sim), 0, (int64_t)symbol->book.id, MD_SIM_OKX_SNAPSHOT_SEQ);
    return;
  }
  md_sim_okx_book_rows(b, MD_SIM_OKX_LEVELS, t);
  const bool    is_new = sim->gives_ids && b->seq == MD_SIM_OKX_NO_SEQ;
  const int64_t seq    = is_new ? (int64_t)symbol->book.id : b->seq;
  finish_book(t, b->ts_ms, b->has_crc && !is_new ? md_sim_okx_crc(b) : 0, seq,
              MD_SIM_OKX_SNAPSHOT_SEQ);
}

void
md_sim_okx_listed(md_sim_t *sim, md_sim_listing_t *l, uint32_t idx) {
  md_sim_okx_symbol_t *o = md_sim_okx_symbol(l->symbol);
  (void)idx;
  o->changes_to_reset = 150 + (uint32_t)md_sim_random(sim, 300);
  l->symbol->book.id  = 100000000000u + md_sim_random(sim, 100000000000u);
  /* Who subscribes before the market begins is told its prices. */
  (void)md_orderbook_at(&l->symbol->book.book, MD_SIDE_BUY, 0, &l->best[0]);
  (void)md_orderbook_at(&l->symbol->book.book, MD_SIDE_SELL, 0, &l->best[1]);
}

/* Ids jump. Once in its life a book's begin anew far below, as after a maintenance. */
uint64_t
md_sim_okx_next_id(md_sim_t *sim, md_sim_listing_t *l) {
  md_sim_okx_symbol_t *o    = md_sim_okx_symbol(l->symbol);
  const uint64_t       jump = 1 + md_sim_random(sim, 9);
  if (o->changes_to_reset && --o->changes_to_reset == 0) return 10 + jump;
  return l->symbol->book.id + jump;
}

static void
write_changes(md_sim_text_t *t, const md_sim_symbol_t *s, const md_sim_batch_t *b, md_side_t side) {
  uint32_t   at       = 0;
  bool       is_first = true;
  md_level_t level;
  while (md_sim_batch_next(b, side, &at, &level, NULL)) {
    if (!is_first) md_sim_text_str(t, ",");
    is_first = false;
    write_level(t, s, level);
  }
}

void
md_sim_okx_book_event(md_sim_t *sim, md_sim_listing_t *l, const md_sim_batch_t *b,
                      unsigned cadence) {
  md_sim_text_t         *t = &sim->text;
  const md_sim_symbol_t *s = l->symbol;
  (void)cadence;
  md_sim_okx_begin(t, "books", s->name, "update");
  md_sim_text_str(t, "{\"asks\":[");
  write_changes(t, s, b, MD_SIDE_SELL);
  md_sim_text_str(t, "],\"bids\":[");
  write_changes(t, s, b, MD_SIDE_BUY);
  md_sim_text_str(t, "]");
  finish_book(t, sim->time_ms, 0, (int64_t)b->last_id, (int64_t)b->prev_id);
  md_sim_okx_symbol(s)->beat_ns = sim->played_ns;
}

/* Nothing changed: an update without levels that ends where it begins. Faults are about events, so
 * it goes past them. */
static void
beat(md_sim_t *sim, md_sim_listing_t *l) {
  md_sim_symbol_t     *s = l->symbol;
  md_sim_okx_symbol_t *o = md_sim_okx_symbol(s);
  md_sim_stream_t     *to;
  const int64_t        quiet_ns = sim->played_ns - o->beat_ns;
  const bool           is_due   = quiet_ns >= BEAT_NS || (quiet_ns >= PAUSE_NS && o->print_cnt % 2);
  if (!is_due || l->batch[0].cnt > 0) return;
  o->beat_ns = sim->played_ns;
  to         = md_sim_wanted(sim, s, MD_SIM_BOOK);
  if (!to || s->is_unlisted || md_sim_fault_is_silent(sim, s)) return;
  md_sim_okx_begin(&sim->text, "books", s->name, "update");
  md_sim_text_str(&sim->text, "{\"asks\":[],\"bids\":[]");
  finish_book(&sim->text, sim->time_ms, 0, (int64_t)s->book.id, (int64_t)s->book.id);
  md_sim_hub_publish(&sim->hub, to, sim->text.p, sim->text.len);
}

static void
write_bbo(md_sim_t *sim, const md_sim_listing_t *l) {
  md_sim_okx_begin(&sim->text, "bbo-tbt", l->symbol->name, NULL);
  md_sim_text_str(&sim->text, "{");
  md_sim_okx_sides(l->symbol, 1, &sim->text);
  time_ms(&sim->text, md_sim_okx_now_ms(sim));
  number(&sim->text, "seqId", (int64_t)l->symbol->book.id);
  md_sim_text_str(&sim->text, "}]}");
}

static void
write_books5(md_sim_t *sim, const md_sim_listing_t *l) {
  md_sim_okx_begin(&sim->text, "books5", l->symbol->name, NULL);
  md_sim_text_str(&sim->text, "{");
  md_sim_okx_sides(l->symbol, 5, &sim->text);
  md_sim_text_format(&sim->text, ",\"instId\":\"%s\"", l->symbol->name);
  time_ms(&sim->text, md_sim_okx_now_ms(sim));
  number(&sim->text, "seqId", (int64_t)l->symbol->book.id);
  md_sim_text_str(&sim->text, "}]}");
}

static void
send(md_sim_t *sim, md_sim_listing_t *l, md_sim_stream_t *s) {
  md_sim_send(sim, l->symbol, s, sim->text.p, sim->text.len);
}

void
md_sim_okx_top(md_sim_t *sim, md_sim_listing_t *l) {
  md_sim_stream_t *s = md_sim_wanted(sim, l->symbol, MD_SIM_BBO);
  if (!s) return;
  write_bbo(sim, l);
  send(sim, l, s);
}

void
md_sim_okx_tenth(md_sim_t *sim, md_sim_listing_t *l, bool is_second) {
  md_sim_stream_t *s = md_sim_wanted(sim, l->symbol, MD_SIM_PARTIAL_5_100);
  (void)is_second;
  if (s) {
    write_books5(sim, l);
    send(sim, l, s);
  }
  beat(sim, l);
}

/* ---- trades ---- */

static void
tell_trade(md_sim_t *sim, md_sim_listing_t *l, const md_sim_print_t *p, md_sim_kind_t kind) {
  md_sim_stream_t *s = md_sim_wanted(sim, l->symbol, kind);
  md_sim_text_t   *t = &sim->text;
  if (!s) return;
  md_sim_okx_begin(t, kind == MD_SIM_TRADE ? "trades" : "trades-all", l->symbol->name, NULL);
  md_sim_text_format(t, "{\"instId\":\"%s\",\"tradeId\":\"%" PRId64 "\"", l->symbol->name, p->id);
  md_sim_okx_member(t, "px", p->px, l->symbol->px_exp);
  md_sim_okx_member(t, "sz", p->qty, l->symbol->qty_exp);
  md_sim_text_str(t, p->buyer_makes ? ",\"side\":\"sell\"" : ",\"side\":\"buy\"");
  time_ms(t, sim->time_ms);
  if (kind == MD_SIM_TRADE) md_sim_text_str(t, ",\"count\":\"1\"");
  md_sim_text_str(t, ",\"source\":\"0\"");
  number(t, "seqId", (int64_t)l->symbol->book.id);
  md_sim_text_str(t, "}]}");
  send(sim, l, s);
}

/* One print in 40 of a derivative was a liquidation; the channel has those of a whole type. */
static void
tell_liquidation(md_sim_t *sim, md_sim_listing_t *l, const md_sim_print_t *p) {
  md_sim_okx_symbol_t           *o = md_sim_okx_symbol(l->symbol);
  const md_sim_okx_instrument_t *i = &o->instrument;
  md_sim_text_t                 *t = &sim->text;
  if (i->type == MD_SIM_OKX_SPOT || o->print_cnt % 40 != 0) return;
  if (!o->liquidation) {
    char name[64];
    int  n = snprintf(name, sizeof name, "liquidation-orders:%s", md_sim_okx_types[i->type]);
    o->liquidation = md_sim_hub_stream(&sim->hub, name, (size_t)n);
  }
  if (!o->liquidation || o->liquidation->conn_cnt == 0) return;
  md_sim_text_clear(t);
  md_sim_text_format(t,
                     "{\"arg\":{\"channel\":\"liquidation-orders\",\"instType\":\"%s\"},\"data\":"
                     "[{\"details\":[{\"bkLoss\":\"0\"",
                     md_sim_okx_types[i->type]);
  md_sim_okx_member(t, "bkPx", p->px, l->symbol->px_exp);
  md_sim_okx_member(t, "sz", p->qty, l->symbol->qty_exp);
  md_sim_text_format(t, ",\"ccy\":\"\",\"posSide\":\"%s\",\"side\":\"%s\"",
                     p->buyer_makes ? "long" : "short", p->buyer_makes ? "sell" : "buy");
  time_ms(t, sim->time_ms);
  md_sim_text_format(
      t, "}],\"instFamily\":\"%s\",\"instId\":\"%s\",\"instType\":\"%s\",\"uly\":\"%s\"}]}",
      i->pair, l->symbol->name, md_sim_okx_types[i->type], i->pair);
  send(sim, l, o->liquidation);
}

void
md_sim_okx_trade(md_sim_t *sim, md_sim_listing_t *l, const md_sim_print_t *p) {
  md_sim_okx_symbol(l->symbol)->print_cnt++;
  tell_trade(sim, l, p, MD_SIM_TRADE);
  tell_trade(sim, l, p, MD_SIM_FILL);
  tell_liquidation(sim, l, p);
}

bool
md_sim_okx_write_book(md_sim_t *sim, const md_sim_listing_t *l, md_sim_kind_t kind) {
  if (kind == MD_SIM_BBO)
    write_bbo(sim, l);
  else if (kind == MD_SIM_PARTIAL_5_100)
    write_books5(sim, l);
  else
    return false;
  return true;
}
