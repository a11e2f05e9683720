/* Books, best prices, and the checksum over the venue's own texts.
 *
 * The checksum is a CRC32 of "bid:qty:ask:qty:..." as the texts were sent. Mantissas give the plain
 * text of a number back, and nearly every text is the plain one; the few others ("1.50") are kept
 * beside the books. */
#include "feeds/rule.h"
#include "feeds/venues/okx.h"

#include <string.h>

#define CHECKSUM_LEVELS 25u

/* ---- texts that are not plain ---- */

static bool
bit(const uint64_t *bits, uint32_t n) {
  return bits[n / 64] >> (n % 64) & 1;
}

static bool
is_digit(uint8_t c) {
  return c >= '0' && c <= '9';
}

/* Plain: digits, at most one point with digits around it, no zero that could be left out. */
static bool
is_plain(const uint8_t *p, uint32_t len) {
  const uint8_t *point = memchr(p, '.', len);
  if (len == 0 || (len > 1 && p[0] == '0' && p[1] != '.')) return false;
  if (point && p[len - 1] == '0') return false;
  for (uint32_t n = 0; n < len; n++)
    if (!is_digit(p[n]) && p + n != point) return false;
  return true;
}

/* Whether some number of an array of levels may be other than plain: looked at without parsing. */
static bool
may_be_odd(md_okx_slice_t s) {
  bool has_point = false;
  for (uint32_t n = 1; n < s.len; n++) {
    const uint8_t c = s.p[n], before = s.p[n - 1];
    if (c == '.') has_point = true;
    if (c == '"' && before == '0' && has_point) return true;
    if (is_digit(c) && before == '0' && n > 1 && s.p[n - 2] == '"') return true;
    if (c == 'e' || c == 'E' || c == '+') return true;
    if (c == '"' || c == ',') has_point = false;
  }
  return false;
}

static md_okx_odd_t *
find_odd(md_okx_state_t *state, const md_feed_instrument_t *i, md_side_t side, int64_t px) {
  for (uint32_t n = 0; n < MD_OKX_ODD_CNT; n++) {
    md_okx_odd_t *o = &state->odd[n];
    if (o->instrument != i->index + 1 || o->side != side) continue;
    int64_t now = o->px;
    if (md_rescale_i64(&now, o->px_exp, i->px_exp) == MD_OK && now == px) return o;
  }
  return NULL;
}

static void
drop_odd(md_okx_state_t *state, md_okx_odd_t *o) {
  memset(o, 0, sizeof *o);
  state->odd_cnt--;
}

static md_okx_odd_t *
take_odd(md_okx_state_t *state) {
  for (uint32_t n = 0; n < MD_OKX_ODD_CNT && state->odd_cnt < MD_OKX_ODD_CNT; n++) {
    if (state->odd[n].instrument) continue;
    state->odd_cnt++;
    return &state->odd[n];
  }
  return NULL;
}

/* A text that finds no place leaves its book without checksums until the next snapshot. */
static void
keep_odd(md_okx_state_t *state, const md_feed_instrument_t *i, md_side_t side, int64_t px,
         const md_okx_slice_t text[2]) {
  md_okx_odd_t *o = find_odd(state, i, side, px);
  if (!o) o = take_odd(state);
  if (!o || text[0].len > sizeof o->px_text || text[1].len > sizeof o->qty_text) {
    state->unknown[i->index / 64] |= 1ull << (i->index % 64);
    return;
  }
  *o = (md_okx_odd_t){.instrument = i->index + 1,
                      .side       = (uint8_t)side,
                      .px_exp     = i->px_exp,
                      .px_len     = (uint8_t)text[0].len,
                      .qty_len    = (uint8_t)text[1].len,
                      .px         = px};
  memcpy(o->px_text, text[0].p, text[0].len);
  memcpy(o->qty_text, text[1].p, text[1].len);
}

/* Walks an array whose levels were read already. */
static void
note_side(md_okx_state_t *state, const md_feed_instrument_t *i, md_side_t side, md_okx_slice_t s,
          const md_level_t *levels) {
  md_json_t      j = md_okx_cursor(s);
  uint32_t       n = 0;
  md_okx_slice_t text[2];
  md_json_array_begin(&j);
  while (md_json_element(&j)) {
    md_json_array_begin(&j);
    for (uint32_t k = 0; md_json_element(&j); k++) {
      if (k < 2)
        md_json_number_or_string(&j, &text[k].p, &text[k].len);
      else
        md_json_skip(&j);
    }
    if (j.err) return;
    const md_level_t *level = &levels[n++];
    bool              plain = is_plain(text[0].p, text[0].len) && is_plain(text[1].p, text[1].len);
    md_okx_odd_t     *known = state->odd_cnt ? find_odd(state, i, side, level->px) : NULL;
    if (known && (plain || level->qty == 0)) drop_odd(state, known);
    if (!plain && level->qty != 0) keep_odd(state, i, side, level->px, text);
  }
}

static void
forget_odd(md_okx_state_t *state, const md_feed_instrument_t *i) {
  state->unknown[i->index / 64] &= ~(1ull << (i->index % 64));
  for (uint32_t n = 0; n < MD_OKX_ODD_CNT && state->odd_cnt > 0; n++)
    if (state->odd[n].instrument == i->index + 1) drop_odd(state, &state->odd[n]);
}

static void
note_texts(md_okx_state_t *state, const md_feed_instrument_t *i, const md_okx_slice_t sides[2],
           const md_feed_levels_t *levels) {
  if (MD_UNLIKELY(state->odd_cnt > 0 || may_be_odd(sides[0])))
    note_side(state, i, MD_SIDE_BUY, sides[0], levels->bids);
  if (MD_UNLIKELY(state->odd_cnt > 0 || may_be_odd(sides[1])))
    note_side(state, i, MD_SIDE_SELL, sides[1], levels->asks);
}

/* ---- the checksum ---- */

static uint32_t
crc_add(uint32_t crc, const char *p, uint32_t len) {
  static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190,
                                     0x6b6b51f4, 0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344,
                                     0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278,
                                     0xbdbdf21c}; /* CRC-32 of a nibble, reflected 0x04c11db7 */
  for (uint32_t n = 0; n < len; n++) {
    crc ^= (uint8_t)p[n];
    crc = crc >> 4 ^ table[crc & 15];
    crc = crc >> 4 ^ table[crc & 15];
  }
  return crc;
}

static uint32_t
add_level(md_okx_state_t *state, const md_feed_instrument_t *i, md_side_t side, uint32_t n,
          uint32_t crc, bool *is_first) {
  md_level_t level;
  char       text[2 * MD_DECIMAL_BYTES + 2];
  if (!md_orderbook_at(&i->book, side, n, &level)) return crc;
  if (!*is_first) crc = crc_add(crc, ":", 1);
  *is_first             = false;
  const md_okx_odd_t *o = state->odd_cnt ? find_odd(state, i, side, level.px) : NULL;
  if (MD_UNLIKELY(o != NULL)) {
    crc = crc_add(crc, o->px_text, o->px_len);
    crc = crc_add(crc, ":", 1);
    return crc_add(crc, o->qty_text, o->qty_len);
  }
  uint32_t len = md_decimal_format(level.px, i->px_exp, text, MD_DECIMAL_BYTES);
  text[len++]  = ':';
  len += md_decimal_format(level.qty, i->qty_exp, text + len, MD_DECIMAL_BYTES);
  return crc_add(crc, text, len);
}

bool
md_okx_checksum_ok(md_feed_t *f, const md_feed_instrument_t *i, uint32_t checksum) {
  md_okx_state_t *state    = md_feed_venue_state(f);
  uint32_t        crc      = UINT32_MAX;
  bool            is_first = true;
  if (bit(state->unknown, i->index)) return true;
  for (uint32_t n = 0; n < CHECKSUM_LEVELS; n++) {
    crc = add_level(state, i, MD_SIDE_BUY, n, crc, &is_first);
    crc = add_level(state, i, MD_SIDE_SELL, n, crc, &is_first);
  }
  return ~crc == checksum;
}

/* ---- books ---- */

typedef struct book {
  md_okx_slice_t  bids, asks;
  md_feed_event_t event;
  md_update_ids_t ids;
  bool            is_snapshot;
} book_t;

/* seqId, or 0 in messages of the time before it; prevSeqId is -1 in a snapshot. */
static bool
read_ids(md_okx_slice_t seq, md_okx_slice_t prev, book_t *b) {
  int64_t v;
  b->ids = (md_update_ids_t){.first = 0, .last = 0, .prev = MD_NULL_U64};
  if (!seq.p) return !prev.p;
  md_json_t j = md_okx_cursor(seq);
  if (!md_json_i64(&j, &v) || md_json_finish(&j) || v <= 0) return false;
  b->ids.last  = (uint64_t)v;
  b->ids.first = b->ids.last;
  if (!prev.p) return b->is_snapshot;
  j = md_okx_cursor(prev);
  if (!md_json_i64(&j, &v) || md_json_finish(&j) || v < -1) return false;
  if (v < 0) return b->is_snapshot;
  b->ids.prev = (uint64_t)v;
  return true;
}

/* A signed 32-bit number; 0 and absent: the venue gives none. */
static bool
read_checksum(md_okx_slice_t s, md_feed_event_t *event) {
  int64_t v = 0;
  if (md_okx_empty(s)) return true;
  md_json_t j = md_okx_cursor(s);
  if (!md_json_i64(&j, &v) || md_json_finish(&j) || v < INT32_MIN || v > UINT32_MAX) return false;
  event->has_checksum = v != 0;
  event->checksum     = (uint32_t)v;
  return true;
}

static md_err_t
read_book(md_okx_message_t *m, book_t *b) {
  md_okx_slice_t ts = {0}, checksum = {0}, seq = {0}, prev = {0};
  md_okx_key_t   keys[] = {{"bids", &b->bids},      {"asks", &b->asks}, {"ts", &ts},
                           {"checksum", &checksum}, {"seqId", &seq},    {"prevSeqId", &prev}};
  md_err_t       err    = md_okx_read(m->row, keys, MD_CNT(keys));
  if (err) return err;
  b->is_snapshot = m->action.len == 8 && memcmp(m->action.p, "snapshot", 8) == 0;
  if (!b->is_snapshot && !(m->action.len == 6 && memcmp(m->action.p, "update", 6) == 0))
    return MD_ERR_SYNTAX;
  if (!b->bids.p || !b->asks.p || !read_ids(seq, prev, b)) return MD_ERR_SYNTAX;
  b->event.ts_exch_ns = md_okx_time(ts, &b->event.flags);
  b->event.exch_seq   = b->ids.last;
  b->event.limit      = m->channel.len > 7 && memcmp(m->channel.p, "books50", 7) == 0 ? 50 : 400;
  if (!read_checksum(checksum, &b->event)) return MD_ERR_SYNTAX;
  /* With neither there is no telling whether anything is missing. */
  return b->ids.last == 0 && !b->event.has_checksum ? MD_ERR_SYNTAX : MD_OK;
}

/* Nothing changed: only says that the stream lives. */
static bool
is_heartbeat(const md_feed_instrument_t *i, const book_t *b, const md_feed_levels_t *levels) {
  return levels->bid_cnt == 0 && levels->ask_cnt == 0 && b->ids.last != 0 &&
         b->ids.prev == b->ids.last && i->state == MD_BOOK_VALID && i->exch_seq == b->ids.last;
}

static uint32_t
orders_of(md_okx_slice_t s) {
  uint64_t v;
  return md_okx_u64(s, &v) && v <= UINT32_MAX ? (uint32_t)v : 0;
}

/* The fourth element of each level, in the place of its quantity: the levels were read already. */
static void
read_orders(md_okx_slice_t side, md_level_t *levels, uint32_t cnt) {
  md_json_t      j = md_okx_cursor(side);
  md_okx_slice_t level, v[4];
  uint32_t       n = 0;
  md_json_array_begin(&j);
  while (n < cnt && md_json_element(&j) && md_json_slice(&j, &level.p, &level.len)) {
    uint32_t found    = 0;
    bool     is_there = md_okx_row(level, v, 4, &found) == MD_OK && found == 4;
    levels[n++].qty   = is_there ? orders_of(v[3]) : 0;
  }
}

static void
out_orders(md_feed_t *f, md_feed_instrument_t *i, const book_t *b, const md_feed_levels_t *levels) {
  read_orders(b->bids, md_feed_bid_scratch(f), levels->bid_cnt);
  read_orders(b->asks, md_feed_ask_scratch(f), levels->ask_cnt);
  md_feed_out_orders(f, i, &b->event, &b->ids, b->is_snapshot, levels);
}

md_err_t
md_okx_on_books(md_okx_message_t *m) {
  md_feed_t            *f = m->feed;
  book_t                b = {0};
  md_feed_levels_t      levels;
  md_feed_instrument_t *i = m->symbol ? md_feed_lookup(f, m->symbol, m->symbol_len) : NULL;
  if (!m->symbol) return MD_ERR_UNKNOWN;
  md_err_t err = read_book(m, &b);
  if (err) {
    md_feed_bad_message(f, i, err);
    return MD_OK;
  }
  if (!i) i = md_feed_find(f, m->symbol, m->symbol_len);
  if (!i) return MD_ERR_UNKNOWN;
  err = md_okx_levels(f, i, b.bids, b.asks, &levels);
  if (err) {
    md_feed_bad_message(f, i, err);
    return MD_OK;
  }
  const uint64_t seq_before = i->last_seq;
  if (MD_RULE(OKX_HEARTBEAT) && is_heartbeat(i, &b, &levels)) return MD_OK;
  md_okx_state_t      *state    = md_feed_venue_state(f);
  const md_okx_slice_t sides[2] = {b.bids, b.asks};
  if (b.is_snapshot) forget_odd(state, i);
  note_texts(state, i, sides, &levels);
  if (MD_RULE(OKX_SNAPSHOT) && b.is_snapshot)
    md_feed_on_stream_snapshot(f, i, &b.event, &levels);
  else
    md_feed_on_update(f, i, &b.event, &b.ids, &levels);
  if (md_feed_wants_orders(f) && i->last_seq != seq_before && i->exch_seq == b.ids.last)
    out_orders(f, i, &b, &levels);
  return MD_OK;
}

/* ---- best prices ---- */

/* Price, quantity, and, behind a number without meaning, how many orders; absent where there is no
 * level. */
static md_err_t
best_of(md_okx_slice_t side, md_okx_slice_t out[4]) {
  md_okx_slice_t level;
  uint32_t       cnt;
  md_err_t       err = md_okx_row(side, &level, 1, &cnt);
  memset(out, 0, 4 * sizeof *out);
  if (err || cnt == 0) return err;
  err = md_okx_row(level, out, 4, &cnt);
  return err ? err : cnt >= 2 && !md_okx_empty(out[0]) ? MD_OK : MD_ERR_SYNTAX;
}

md_err_t
md_okx_on_bbo(md_okx_message_t *m) {
  md_okx_slice_t  bids = {0}, asks = {0}, ts = {0}, seq = {0}, bid[4], ask[4];
  md_okx_key_t    keys[] = {{"bids", &bids}, {"asks", &asks}, {"ts", &ts}, {"seqId", &seq}};
  md_feed_event_t event  = {0};
  md_bbo_t        b      = MD_ABSENT(BBO);
  md_err_t        err    = md_okx_read(m->row, keys, MD_CNT(keys));
  if (!err) err = best_of(bids, bid);
  if (!err) err = best_of(asks, ask);
  if (err) return err;
  if (!m->symbol) return MD_ERR_UNKNOWN;
  md_feed_instrument_t *i = md_feed_find(m->feed, m->symbol, m->symbol_len);
  if (!i) return MD_ERR_UNKNOWN;
  const md_okx_number_t n[] = {{bid[0], false, &b.bid_px},
                               {bid[1], true, &b.bid_qty},
                               {ask[0], false, &b.ask_px},
                               {ask[1], true, &b.ask_qty}};
  err                       = md_okx_numbers(m->feed, i, n, MD_CNT(n));
  if (err) return err;
  b.bid_orders     = orders_of(bid[3]);
  b.ask_orders     = orders_of(ask[3]);
  event.ts_exch_ns = md_okx_time(ts, &event.flags);
  if (!md_okx_u64(seq, &event.exch_seq)) event.exch_seq = 0;
  memcpy(md_feed_stage(m->feed, i, MD_RECORD_BBO, &event), &b, sizeof b);
  if (event.exch_seq) md_feed_on_bbo(m->feed, i, &b, event.exch_seq);
  return MD_OK;
}
