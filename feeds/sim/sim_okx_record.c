/* Recordings of OKX: one of the connections that carry a stream is played, whatever depth its book
 * channel has. Books are kept with the texts of their levels, because the checksum of the time
 * before ids is over them; or each event is given the ids of today. */
#include "feeds/json.h"
#include "feeds/sim/sim_fault.h"
#include "feeds/sim/sim_okx.h"

#include <string.h>

#define JUMP_MAX     50u /* of new ids */
#define RESET_EVENT  20u /* the event of a book whose new id begins far below */
#define BEATS_EVERY  8u  /* events between two that change nothing, by chance */
#define FIRST_ID_MIN 300000000000u

typedef md_sim_okx_slice_t slice_t;

static md_sim_kind_t
kind_of(slice_t channel) {
  static const struct {
    const char   *name;
    md_sim_kind_t kind;
  } rows[] = {{"books", MD_SIM_BOOK},           {"books-l2-tbt", MD_SIM_BOOK},
              {"books50-l2-tbt", MD_SIM_BOOK},  {"bbo-tbt", MD_SIM_BBO},
              {"books5", MD_SIM_PARTIAL_5_100}, {"trades", MD_SIM_TRADE},
              {"trades-all", MD_SIM_FILL},      {"tickers", MD_SIM_TICKER}};
  for (uint32_t n = 0; n < MD_CNT(rows); n++)
    if (md_sim_okx_is(channel, rows[n].name)) return rows[n].kind;
  return MD_SIM_OTHER;
}

static bool
read_frame(const md_input_t *in, md_sim_okx_message_t *m) {
  return in->kind == MD_RAW_TEXT_IN && md_sim_okx_message((const char *)in->payload, in->len, m) &&
         (m->arg.symbol.p || m->arg.type.p);
}

/* ---- connections ---- */

static uint32_t
hash_of(const char *p, uint32_t len) {
  uint32_t v = 2166136261u;
  for (uint32_t n = 0; n < len; n++)
    v = (v ^ (uint8_t)p[n]) * 16777619u;
  return v;
}

static void
note_leg(md_sim_okx_symbol_t *o, md_sim_kind_t kind, uint32_t leg) {
  uint32_t *cnt = &o->leg_cnt[kind];
  for (uint32_t n = 0; n < *cnt; n++)
    if (o->legs[kind][n] == leg) return;
  if (*cnt < MD_SIM_OKX_LEGS_MAX) o->legs[kind][(*cnt)++] = leg;
}

/* Of several connections with the same stream one is played, which one the seed says. */
static bool
is_played(const md_sim_t *sim, const md_sim_okx_symbol_t *o, md_sim_kind_t kind, uint32_t leg) {
  const md_sim_okx_t *all = sim->venue_state;
  return o->leg_cnt[kind] == 0 || o->legs[kind][all->leg % o->leg_cnt[kind]] == leg;
}

/* ---- the first reading ---- */

/* The sz of an entry, checked to be a number; false: it has none. */
static bool
next_size(md_json_t *j, const uint8_t **p, uint32_t *len) {
  const uint8_t *key;
  uint32_t       key_len;
  *p = NULL;
  md_json_object_begin(j);
  while (md_json_key(j, &key, &key_len)) {
    if (md_json_is(key, key_len, "sz"))
      md_json_number_or_string(j, p, len);
    else
      md_json_skip(j);
  }
  return !j->err && *p;
}

static void
scan_trades(md_sim_symbol_t *symbol, slice_t data) {
  md_json_t      j;
  const uint8_t *p;
  uint32_t       len = 0;
  md_json_init(&j, (const uint8_t *)data.p, data.len);
  md_json_array_begin(&j);
  while (md_json_element(&j)) {
    if (!next_size(&j, &p, &len)) return;
    const int exp = md_decimal_min_exp(p, len);
    if (exp < symbol->qty_exp) symbol->qty_exp = (int8_t)exp;
  }
}

void
md_sim_okx_scan(md_sim_t *sim, const md_input_t *in) {
  md_sim_okx_message_t m;
  md_sim_okx_row_t     row;
  if (!read_frame(in, &m) || !m.arg.symbol.p) return;
  const md_sim_kind_t kind   = kind_of(m.arg.channel);
  md_sim_symbol_t    *symbol = md_sim_symbol_add(sim, m.arg.symbol.p, m.arg.symbol.len);
  if (!symbol || kind == MD_SIM_OTHER) return;
  md_sim_okx_symbol_t *o = md_sim_okx_symbol(symbol);
  note_leg(o, kind, hash_of(in->name, in->name_len));
  int px_exp = symbol->px_exp, qty_exp = symbol->qty_exp;
  if (kind == MD_SIM_BOOK && md_sim_okx_row(m.data, &row))
    md_sim_okx_row_exps(&row, &px_exp, &qty_exp);
  symbol->px_exp  = (int8_t)px_exp;
  symbol->qty_exp = (int8_t)qty_exp;
  if (kind == MD_SIM_TRADE || kind == MD_SIM_FILL) scan_trades(symbol, m.data);
  o->book.px_exp  = symbol->px_exp;
  o->book.qty_exp = symbol->qty_exp;
}

bool
md_sim_okx_frame(md_sim_t *sim, const md_input_t *in, md_sim_frame_t *out) {
  md_sim_okx_message_t m;
  if (!read_frame(in, &m)) return false;
  const md_sim_kind_t kind    = kind_of(m.arg.channel);
  const slice_t       channel = kind == MD_SIM_BOOK ? (slice_t){"books", 5} : m.arg.channel;
  const slice_t       what    = m.arg.symbol.p ? m.arg.symbol : m.arg.type;
  if (m.arg.symbol.p && kind != MD_SIM_OTHER) {
    const md_sim_symbol_t *symbol = md_sim_symbol(sim, m.arg.symbol.p, m.arg.symbol.len);
    const uint32_t         leg    = hash_of(in->name, in->name_len);
    if (symbol && !is_played(sim, md_sim_okx_symbol(symbol), kind, leg)) return false;
  }
  int n = snprintf(out->name, sizeof out->name, "%.*s:%.*s", (int)channel.len, channel.p,
                   (int)what.len, what.p);
  if (n <= 0 || (size_t)n >= sizeof out->name) return false;
  out->name_len = (size_t)n;
  out->data     = (const char *)in->payload;
  out->len      = in->len;
  return true;
}

/* ---- books ---- */

/* Levels of one side as mantissas. */
static bool
read_side(const md_sim_symbol_t *symbol, slice_t text, md_side_t side, uint32_t *cnt) {
  md_json_t j;
  md_json_init(&j, (const uint8_t *)text.p, text.len);
  return md_json_levels(&j, symbol->px_exp, symbol->qty_exp, md_sim_scratch(side),
                        MD_SIM_LEVELS_MAX, cnt) == MD_OK &&
         md_json_finish(&j) == MD_OK;
}

/* The ids of an event that has none: of today's kind if they are wanted, else 1, 2, 3... */
static void
give_ids(md_sim_t *sim, md_sim_okx_symbol_t *o, bool is_snapshot, uint64_t event) {
  if (o->new_seq == 0) o->new_seq = (int64_t)(FIRST_ID_MIN + md_sim_random(sim, FIRST_ID_MIN));
  o->new_prev = is_snapshot ? MD_SIM_OKX_SNAPSHOT_SEQ : o->new_seq;
  if (!sim->gives_ids)
    o->new_seq = (int64_t)event;
  else if (event == RESET_EVENT && !is_snapshot)
    o->new_seq = 10 + (int64_t)md_sim_random(sim, 990);
  else
    o->new_seq += 1 + (int64_t)md_sim_random(sim, JUMP_MAX);
}

md_err_t
md_sim_okx_depth(md_sim_t *sim, md_sim_symbol_t *symbol, const char *data, size_t len,
                 md_sim_depth_t *out) {
  md_sim_okx_symbol_t *o = md_sim_okx_symbol(symbol);
  md_sim_okx_message_t m;
  md_sim_okx_row_t     row;
  *out =
      (md_sim_depth_t){.bids = md_sim_scratch(MD_SIDE_BUY), .asks = md_sim_scratch(MD_SIDE_SELL)};
  if (!md_sim_okx_message(data, len, &m) || !md_sim_okx_row(m.data, &row)) return MD_ERR_SYNTAX;
  if (!read_side(symbol, row.bids, MD_SIDE_BUY, &out->bid_cnt) ||
      !read_side(symbol, row.asks, MD_SIDE_SELL, &out->ask_cnt))
    return MD_ERR_SYNTAX;
  out->is_snapshot   = md_sim_okx_is(m.action, "snapshot");
  const bool has_ids = row.seq != MD_SIM_OKX_NO_SEQ;
  o->event_cnt++;
  if (!has_ids) give_ids(sim, o, out->is_snapshot, o->event_cnt);
  const md_err_t err = out->is_snapshot ? md_sim_okx_book_load(&o->book, &row)
                                        : md_sim_okx_book_apply(&o->book, &row);
  out->last          = (uint64_t)(has_ids ? row.seq : o->new_seq);
  out->first         = out->last;
  out->has_prev      = !out->is_snapshot;
  out->prev          = (uint64_t)(has_ids ? row.prev : o->new_prev);
  if (err) out->prev = MD_NULL_U64; /* nothing ends there: a hole */
  return MD_OK;
}

md_sim_join_t
md_sim_okx_join(uint64_t id, bool is_fresh, const md_sim_depth_t *d) {
  (void)is_fresh;
  return d->prev == id ? MD_SIM_JOIN_NEXT : MD_SIM_JOIN_HOLE;
}

/* ---- trades ---- */

void
md_sim_okx_count(md_sim_t *sim, md_sim_symbol_t *symbol, md_sim_kind_t kind, const char *data,
                 size_t len) {
  md_sim_okx_message_t m;
  md_json_t            j;
  const uint8_t       *p;
  uint32_t             p_len = 0;
  int64_t              qty;
  (void)sim;
  if (kind != MD_SIM_TRADE || !md_sim_okx_message(data, len, &m)) return;
  md_json_init(&j, (const uint8_t *)m.data.p, m.data.len);
  md_json_array_begin(&j);
  while (md_json_element(&j)) {
    if (!next_size(&j, &p, &p_len) || md_decimal_to_exp(p, p_len, symbol->qty_exp, &qty)) return;
    symbol->trades.cnt++;
    symbol->trades.qty_sum += qty;
  }
}

/* ---- what clients get ---- */

/* An event with the ids of today; before some of them one that changes nothing. */
static void
write_new(md_sim_t *sim, md_sim_symbol_t *s, const md_sim_okx_message_t *m, md_sim_text_t *out) {
  md_sim_okx_symbol_t *o = md_sim_okx_symbol(s);
  md_sim_okx_row_t     row;
  const bool           is_snapshot = md_sim_okx_is(m->action, "snapshot");
  const char          *symbol      = s->name;
  if (!md_sim_okx_row(m->data, &row)) return;
  if (!is_snapshot && md_sim_random(sim, BEATS_EVERY) == 0 && s->stream[MD_SIM_BOOK]) {
    md_sim_okx_begin(out, "books", symbol, "update");
    md_sim_text_format(out,
                       "{\"asks\":[],\"bids\":[],\"ts\":\"%" PRId64
                       "\",\"checksum\":0,\"seqId\":%" PRId64 ",\"prevSeqId\":%" PRId64 "}]}",
                       row.ts_ms, o->new_prev, o->new_prev);
    if (!md_sim_fault_is_silent(sim, s))
      md_sim_hub_publish(&sim->hub, s->stream[MD_SIM_BOOK], out->p, out->len);
  }
  md_sim_okx_begin(out, "books", symbol, is_snapshot ? "snapshot" : "update");
  md_sim_text_str(out, "{\"asks\":");
  md_sim_text_add(out, row.asks.p, row.asks.len);
  md_sim_text_str(out, ",\"bids\":");
  md_sim_text_add(out, row.bids.p, row.bids.len);
  md_sim_text_format(out,
                     ",\"ts\":\"%" PRId64 "\",\"checksum\":0,\"seqId\":%" PRId64
                     ",\"prevSeqId\":%" PRId64 "}]}",
                     row.ts_ms, o->new_seq, o->new_prev);
}

bool
md_sim_okx_rewrite(md_sim_t *sim, md_sim_symbol_t *symbol, const md_sim_stream_t *from,
                   const md_sim_stream_t *to, const char *data, size_t len, md_sim_text_t *out) {
  md_sim_okx_message_t m;
  (void)from;
  if (to->conn_cnt == 0) return false;
  if (to->kind != MD_SIM_BOOK || !symbol || !md_sim_okx_message(data, len, &m)) {
    md_sim_text_add(out, data, len);
    return true;
  }
  if (sim->gives_ids && md_sim_okx_symbol(symbol)->book.seq == MD_SIM_OKX_NO_SEQ) {
    write_new(sim, symbol, &m, out);
    return true;
  }
  char action[16];
  (void)snprintf(action, sizeof action, "%.*s", (int)m.action.len, m.action.p);
  md_sim_okx_begin(out, "books", to->name + to->symbol_off, action);
  md_sim_text_add(out, m.data.p + 1, m.data.len - 1);
  md_sim_text_str(out, "}");
  return true;
}
