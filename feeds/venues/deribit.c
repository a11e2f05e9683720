/* Deribit, JSON-RPC over WebSocket: the envelope, books and trades. Every message is read wholly
 * before any of it is applied: the ids of a book's change may stand behind its levels. */
#include "feeds/venues/deribit.h"
#include "feeds/rule.h"

#include <string.h>

typedef struct message {
  md_db_slice_t  method, channel, type, result, error;
  md_db_slice_t  data; /* of a channel, when it is no object */
  bool           has_fields;
  md_db_fields_t fields; /* of a channel's data, when it is an object */
} message_t;

/* ---- the envelope ---- */

static void
read_data(md_json_t *j, message_t *m) {
  md_json_ws(j);
  m->has_fields = j->p < j->end && *j->p == '{';
  if (m->has_fields)
    md_db_read_fields(j, &m->fields);
  else
    md_json_slice(j, &m->data.p, &m->data.len);
}

static void
read_params(md_json_t *j, message_t *m) {
  const uint8_t *key;
  uint32_t       len;
  md_json_object_begin(j);
  while (md_json_key(j, &key, &len)) {
    if (md_json_is(key, len, "channel"))
      md_json_string(j, &m->channel.p, &m->channel.len);
    else if (md_json_is(key, len, "data"))
      read_data(j, m);
    else if (md_json_is(key, len, "type"))
      md_json_string(j, &m->type.p, &m->type.len);
    else
      md_json_skip(j);
  }
}

static md_err_t
read_message(const md_input_t *in, message_t *m) {
  md_json_t      j;
  const uint8_t *key;
  uint32_t       len;
  m->method = m->channel = m->type = m->result = m->error = m->data = (md_db_slice_t){NULL, 0};
  m->has_fields                                                     = false;
  md_json_init(&j, in->payload, in->len);
  md_json_object_begin(&j);
  while (md_json_key(&j, &key, &len)) {
    if (md_json_is(key, len, "method"))
      md_json_string(&j, &m->method.p, &m->method.len);
    else if (md_json_is(key, len, "params"))
      read_params(&j, m);
    else if (md_json_is(key, len, "result"))
      md_json_slice(&j, &m->result.p, &m->result.len);
    else if (md_json_is(key, len, "error"))
      md_json_slice(&j, &m->error.p, &m->error.len);
    else
      md_json_skip(&j);
  }
  return md_json_finish(&j);
}

/* ---- channels ---- */

/* The n-th part of a channel's name between points; absent behind the end. */
static md_db_slice_t
part(md_db_slice_t channel, uint32_t n) {
  const uint8_t *p = channel.p, *end = channel.p + channel.len;
  for (; n > 0; n--) {
    p = memchr(p, '.', (size_t)(end - p));
    if (!p) return (md_db_slice_t){NULL, 0};
    p++;
  }
  const uint8_t *stop = memchr(p, '.', (size_t)(end - p));
  return (md_db_slice_t){p, (uint32_t)((stop ? stop : end) - p)};
}

static bool
part_is(md_db_slice_t s, const char *word) {
  return s.p != NULL && s.len == strlen(word) && memcmp(s.p, word, s.len) == 0;
}

/* ---- books ---- */

/* A book of all levels has three parts in its channel's name; one of grouped levels has five. */
static bool
is_whole_book(md_db_slice_t channel) {
  return part_is(part(channel, 0), "book") && part(channel, 2).p && !part(channel, 3).p;
}

/* What is left of a message that cannot be used still names its book. */
static md_err_t
break_book(md_feed_t *f, md_db_slice_t channel, md_err_t err) {
  md_db_slice_t symbol = part(channel, 1);
  md_feed_bad_message(f, md_feed_lookup(f, (const char *)symbol.p, symbol.len), err);
  return MD_OK;
}

/* The ids of a message. A change that does not name the one before it cannot be used. */
static md_err_t
read_ids(const md_db_slice_t *v, md_update_ids_t *ids) {
  *ids = (md_update_ids_t){.prev = MD_NULL_U64};
  if (!md_db_u64(v[MD_DB_change_id], &ids->last)) return MD_ERR_SYNTAX;
  ids->first = ids->last;
  if (md_db_has(v[MD_DB_prev_change_id]) && !md_db_u64(v[MD_DB_prev_change_id], &ids->prev))
    return MD_ERR_SYNTAX;
  const bool is_change = MD_RULE(DERIBIT_NAMED) && md_db_is(v[MD_DB_type], "change");
  if (is_change && ids->prev == MD_NULL_U64) return MD_ERR_SYNTAX;
  return MD_OK;
}

/* Whether it is the whole book: it says so, or nothing came before it. Old recordings have no type.
 * A book that begins with id 0 is continued by a change behind 0. */
static bool
is_snapshot(const md_feed_instrument_t *i, const md_db_slice_t *v, const md_update_ids_t *ids) {
  if (md_db_is(v[MD_DB_type], "snapshot") || ids->prev == MD_NULL_U64) return true;
  return ids->prev == 0 && (i->state != MD_BOOK_VALID || i->exch_seq != 0);
}

static md_err_t
on_book(md_db_context_t *c) {
  const md_db_slice_t *v = c->s->value;
  md_update_ids_t      ids;
  md_feed_levels_t     levels;
  if (!is_whole_book(c->channel)) return MD_ERR_UNKNOWN;
  md_db_slice_t symbol = part(c->channel, 1);
  if (read_ids(v, &ids) || !v[MD_DB_bids].p || !v[MD_DB_asks].p)
    return break_book(c->feed, c->channel, MD_ERR_SYNTAX);
  md_feed_instrument_t *i = md_feed_find(c->feed, (const char *)symbol.p, symbol.len);
  if (!i) return MD_ERR_UNKNOWN;
  md_err_t err = md_db_levels(c->feed, i, v[MD_DB_bids], v[MD_DB_asks], &levels);
  if (err) return break_book(c->feed, c->channel, err);
  c->event.exch_seq = ids.last;
  if (MD_RULE(DERIBIT_SNAPSHOT) && is_snapshot(i, v, &ids))
    md_feed_on_stream_snapshot(c->feed, i, &c->event, &levels);
  else
    md_feed_on_update(c->feed, i, &c->event, &ids, &levels);
  return MD_OK;
}

/* ---- trades ---- */

typedef struct one_trade {
  md_feed_instrument_t *i;
  md_feed_event_t       event;
  md_trade_t            body;
  md_trade_detail_t     detail;
  md_side_t             liquidated[2];
  uint32_t              liquidated_cnt;
} one_trade_t;

/* "267258393", or "ETH-284830839" beside the first currency. */
static uint64_t
trade_id_of(md_db_slice_t s) {
  char           buffer[MD_SYMBOL_BYTES];
  const char    *text;
  uint32_t       len;
  uint64_t       id;
  const uint8_t *dash;
  if (md_db_text(s, buffer, sizeof buffer, &text, &len)) return MD_NULL_U64;
  dash = memrchr(text, '-', len);
  if (dash) {
    len -= (uint32_t)((const char *)dash + 1 - text);
    text = (const char *)dash + 1;
  }
  return md_uint_parse((const uint8_t *)text, len, &id) ? MD_NULL_U64 : id;
}

/* M: the maker was liquidated, T: the taker, MT: both. */
static void
read_liquidation(md_db_slice_t s, one_trade_t *t) {
  const md_side_t taker = t->body.side == MD_SIDE_BUY ? MD_SIDE_BUY : MD_SIDE_SELL;
  const md_side_t maker = taker == MD_SIDE_BUY ? MD_SIDE_SELL : MD_SIDE_BUY;
  t->liquidated_cnt     = 0;
  if (md_db_is(s, "M") || md_db_is(s, "MT")) t->liquidated[t->liquidated_cnt++] = maker;
  if (md_db_is(s, "T") || md_db_is(s, "MT")) t->liquidated[t->liquidated_cnt++] = taker;
}

/* Trades that were agreed elsewhere, or made in the book of a combination, took nothing from this
 * book. They are trades of the market all the same, and count. */
static bool
is_off_book(const md_db_slice_t *v) {
  return md_db_has(v[MD_DB_block_trade_id]) || md_db_has(v[MD_DB_block_rfq_id]) ||
         md_db_has(v[MD_DB_combo_id]);
}

static md_err_t
read_detail(const md_db_slice_t *v, uint64_t trade_id, md_trade_detail_t *d) {
  *d                = (md_trade_detail_t)MD_ABSENT(TRADE_DETAIL);
  d->trade_id       = trade_id;
  d->match_id       = md_db_u64_or_absent(v[MD_DB_starbase_match_id]);
  d->rfq_id         = md_db_u64_or_absent(v[MD_DB_block_rfq_id]);
  d->combo_trade_id = md_db_u64_or_absent(v[MD_DB_combo_trade_id]);
  d->block_leg_cnt  = md_db_u64_or_absent(v[MD_DB_block_trade_leg_count]);
  d->tick_direction = md_db_u64_or_absent(v[MD_DB_tick_direction]);
  md_db_name(v[MD_DB_block_trade_id], d->block_trade_id, sizeof d->block_trade_id);
  md_db_name(v[MD_DB_combo_id], d->combo_id, sizeof d->combo_id);
  md_db_name(v[MD_DB_liquidation], d->liquidation, sizeof d->liquidation);
  bool is_read = md_db_dec128(v[MD_DB_mark_price], &d->mark_px) &&
                 md_db_dec128(v[MD_DB_index_price], &d->index_px) &&
                 md_db_dec128(v[MD_DB_iv], &d->iv) &&
                 md_db_dec128(v[MD_DB_contracts], &d->contracts);
  return is_read ? MD_OK : MD_ERR_SYNTAX;
}

static bool
has_detail(const md_trade_detail_t *d) {
  md_trade_detail_t none = MD_ABSENT(TRADE_DETAIL);
  none.trade_id          = d->trade_id;
  return memcmp(&none, d, sizeof none) != 0;
}

static md_err_t
read_trade(md_feed_t *f, md_json_t *j, one_trade_t *t) {
  md_db_fields_t       s;
  const md_db_slice_t *v = s.value;
  *t                     = (one_trade_t){.body = MD_ABSENT(TRADE)};
  md_db_read_fields(j, &s);
  if (j->err) return j->err;
  bool buys = md_db_is(v[MD_DB_direction], "buy");
  if ((!buys && !md_db_is(v[MD_DB_direction], "sell")) || !md_db_has(v[MD_DB_price]) ||
      !md_db_has(v[MD_DB_amount]) || !md_db_u64(v[MD_DB_trade_seq], &t->event.exch_seq))
    return MD_ERR_SYNTAX;
  t->i = md_db_instrument(f, v[MD_DB_instrument_name]);
  if (!t->i) return MD_ERR_UNKNOWN;
  const md_db_decimal_t d[] = {{v[MD_DB_price], false, &t->body.px},
                               {v[MD_DB_amount], true, &t->body.qty}};
  md_err_t              err = md_db_decimals(f, t->i, d, MD_CNT(d));
  if (err) return err;
  if (t->body.px <= 0 || t->body.qty < 0) return MD_ERR_SYNTAX;
  t->event.ts_exch_ns = md_db_time(v[MD_DB_timestamp], &t->event.flags);
  t->body.ts_match_ns = t->event.ts_exch_ns;
  uint64_t ns         = 0;
  if (md_db_u64(v[MD_DB_starbase_timestamp], &ns) && ns <= INT64_MAX)
    t->body.ts_match_ns = (int64_t)ns;
  t->body.trade_id = trade_id_of(v[MD_DB_trade_id]);
  t->body.side     = buys ? MD_SIDE_BUY : MD_SIDE_SELL;
  if (is_off_book(v)) t->event.flags |= MD_FLAG_OFF_BOOK;
  read_liquidation(v[MD_DB_liquidation], t);
  return read_detail(v, t->body.trade_id, &t->detail);
}

static void
stage_trade(md_feed_t *f, const one_trade_t *t) {
  if (!md_feed_trade_seq_is_new(f, t->i, t->event.exch_seq)) return;
  memcpy(md_feed_stage(f, t->i, MD_RECORD_TRADE, &t->event), &t->body, sizeof t->body);
  md_feed_on_trade(f, t->i, &t->body);
  if (has_detail(&t->detail))
    memcpy(md_feed_stage(f, t->i, MD_RECORD_TRADE_DETAIL, &t->event), &t->detail, sizeof t->detail);
  for (uint32_t n = 0; n < t->liquidated_cnt; n++) {
    md_liquidation_t l = MD_ABSENT(LIQUIDATION);
    l.px = l.avg_px = t->body.px;
    l.qty = l.filled_qty = t->body.qty;
    l.ts_match_ns        = t->body.ts_match_ns;
    l.side               = (uint8_t)t->liquidated[n];
    memcpy(md_feed_stage(f, t->i, MD_RECORD_LIQUIDATION, &t->event), &l, sizeof l);
  }
}

/* Twice over the array: nothing of it is published unless all of it can be read. */
static md_err_t
on_trades(md_feed_t *f, md_db_slice_t rows) {
  one_trade_t t;
  if (!rows.p || *rows.p != '[') return MD_ERR_SYNTAX;
  for (int turn = 0; turn < 2; turn++) {
    md_json_t j = md_db_cursor(rows);
    md_json_array_begin(&j);
    while (md_json_element(&j)) {
      md_err_t err = read_trade(f, &j, &t);
      if (err) return err;
      if (turn == 1) stage_trade(f, &t);
    }
    if (md_json_finish(&j)) return MD_ERR_SYNTAX;
  }
  return MD_OK;
}

/* ---- messages ---- */

typedef md_err_t (*channel_fn)(md_db_context_t *c);

static const struct {
  const char *name;
  channel_fn  fn;
} channels[] = {{"book", on_book},
                {"ticker", md_db_on_ticker},
                {"quote", md_db_on_quote},
                {"perpetual", md_db_on_perpetual},
                {"deribit_price_index", md_db_on_price_index},
                {"deribit_volatility_index", md_db_on_volatility},
                {"platform_state", md_db_on_platform},
                {"instrument", md_db_on_instrument_state}};

static md_err_t
on_channel(md_feed_t *f, const message_t *m) {
  const md_db_slice_t first = part(m->channel, 0);
  if (part_is(first, "trades")) return on_trades(f, m->data);
  for (uint32_t n = 0; n < MD_CNT(channels); n++) {
    if (!part_is(first, channels[n].name)) continue;
    if (!m->has_fields) return MD_ERR_SYNTAX;
    md_db_context_t c  = {.feed = f, .s = &m->fields, .channel = m->channel};
    c.event.ts_exch_ns = md_db_time(m->fields.value[MD_DB_timestamp], &c.event.flags);
    return channels[n].fn(&c);
  }
  return MD_ERR_UNKNOWN;
}

/* An array of objects is a list of instruments; one of names answers a subscription. */
static md_err_t
on_result(md_feed_t *f, md_db_slice_t result) {
  md_json_t j = md_db_cursor(result);
  if (*result.p != '[') return MD_OK;
  md_json_array_begin(&j);
  if (!md_json_element(&j)) return MD_OK;
  md_json_ws(&j);
  return j.p < j.end && *j.p == '{' ? md_db_on_instruments(f, result) : MD_OK;
}

static md_err_t
decode(md_feed_t *f, const md_input_t *in) {
  message_t m;
  md_err_t  err = read_message(in, &m);
  if (err) return m.channel.p && is_whole_book(m.channel) ? break_book(f, m.channel, err) : err;
  if (m.channel.p) return on_channel(f, &m);
  if (m.error.p) return MD_ERR_UNKNOWN;
  if (m.result.p) return on_result(f, m.result);
  return m.method.p && md_json_is(m.method.p, m.method.len, "heartbeat") ? MD_OK : MD_ERR_UNKNOWN;
}

/* By the channel's name in front, as Deribit writes it: "book.SYMBOL.raw". */
static bool
peek(const uint8_t *payload, uint32_t len, md_venue_peek_t *out) {
  static const char head[] =
      "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":\"";
  static const char book[] = "book.";
  if (len < 160 || !md_json_same(payload, head, sizeof head - 1)) return false;
  const uint8_t *channel = payload + sizeof head - 1, *point = memchr(channel, '.', 16);
  const uint8_t *stop = point ? memchr(point + 1, '.', MD_SYMBOL_BYTES) : NULL;
  if (!stop) return false;
  out->len     = (uint32_t)(stop - point - 1);
  out->is_book = md_json_same(channel, book, sizeof book - 1);
  memcpy(out->symbol, point + 1, out->len);
  return true;
}

static const char *const hosts[] = {"www.deribit.com", "deribit.com", "test.deribit.com",
                                    "DERIBIT-",        "DERIBIT.",    NULL};

const md_venue_t md_venue_deribit_derivatives = {.name        = "deribit_derivatives",
                                                 .exchange    = "deribit",
                                                 .market_type = "perpetual",
                                                 .hosts       = hosts,
                                                 .sync        = &md_sync_deribit,
                                                 .decode      = decode,
                                                 .peek        = peek,
                                                 .define      = md_db_define,
                                                 .net         = &md_db_net};
