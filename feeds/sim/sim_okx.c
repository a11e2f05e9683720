/* OKX v5: the two rows, streams, connections, and what clients say. */
#include "feeds/sim/sim_okx.h"

#include <string.h>

#define SECOND_NS  1000000000ll
#define HOUR_NS    (3600 * SECOND_NS)
#define SILENCE_NS (30 * SECOND_NS)
#define OPS_MAX    480u /* subscriptions and the like of one connection in an hour */

enum { PUBLIC, BUSINESS, PRIVATE };

static md_sim_okx_conn_t *
state_of(const md_sim_conn_t *c) {
  return c->venue_state;
}

/* ---- streams ---- */

static const struct {
  const char   *channel;
  md_sim_kind_t kind;
} kinds[] = {
    {"books", MD_SIM_BOOK},
    {"books5", MD_SIM_PARTIAL_5_100},
    {"bbo-tbt", MD_SIM_BBO},
    {"trades", MD_SIM_TRADE},
    {"trades-all", MD_SIM_FILL},
    {"tickers", MD_SIM_TICKER},
    {"candle1m", MD_SIM_KLINE_1M},
    {"funding-rate", MD_SIM_FUNDING},
    {"open-interest", MD_SIM_OPEN_INTEREST},
    {"mark-price", MD_SIM_MARK},
    {"index-tickers", MD_SIM_INDEX},
    {"liquidation-orders", MD_SIM_ALL_LIQUIDATION},
    {"instruments", MD_SIM_LISTING},
};

/* Indices and lists of a type have no symbol of ours. */
static void
parse_name(md_sim_stream_t *s) {
  const char *colon = strchr(s->name, ':');
  if (!colon) return;
  const size_t len = (size_t)(colon - s->name);
  for (uint32_t n = 0; n < MD_CNT(kinds); n++) {
    if (strlen(kinds[n].channel) != len || memcmp(kinds[n].channel, s->name, len) != 0) continue;
    s->kind = kinds[n].kind;
    if (s->kind == MD_SIM_INDEX || s->kind == MD_SIM_ALL_LIQUIDATION || s->kind == MD_SIM_LISTING)
      return;
    s->symbol_off = (uint32_t)len + 1;
    s->symbol_len = s->name_len - s->symbol_off;
  }
}

static size_t
stream_name(char *out, size_t bytes, const md_sim_symbol_t *symbol, md_sim_kind_t kind) {
  for (uint32_t n = 0; n < MD_CNT(kinds); n++) {
    if (kinds[n].kind != kind) continue;
    int len = snprintf(out, bytes, "%s:%s", kinds[n].channel, symbol->key);
    return len > 0 && (size_t)len < bytes ? (size_t)len : 0;
  }
  return 0;
}

/* ---- connections ---- */

static void
symbol_init(md_sim_t *sim, md_sim_symbol_t *symbol) {
  md_sim_okx_symbol_t *o = md_sim_okx_symbol(symbol);
  (void)sim;
  md_sim_okx_instrument_read(symbol->name, symbol->len, &o->instrument);
  (void)snprintf(symbol->base, sizeof symbol->base, "%s", o->instrument.base);
  (void)snprintf(symbol->quote, sizeof symbol->quote, "%s", o->instrument.quote);
  symbol->px_exp = symbol->qty_exp = 0; /* of a recording: lowered to what it needs */
  o->book.seq                      = MD_SIM_OKX_NO_SEQ;
}

static void
symbol_end(md_sim_symbol_t *symbol) {
  md_sim_okx_book_free(&md_sim_okx_symbol(symbol)->book);
}

static void
init(md_sim_t *sim) {
  for (uint32_t n = 0; n < MD_SIM_OKX_CONNECTS; n++)
    md_sim_okx(sim)->connect_ns[n] = INT64_MIN / 2;
  md_sim_okx(sim)->leg = (uint32_t)md_sim_random(sim, 1u << 30);
}

/* Three connects in a second; the next is refused. */
static bool
may_connect(md_sim_t *sim) {
  md_sim_okx_t *o      = md_sim_okx(sim);
  int64_t      *oldest = &o->connect_ns[o->connect_idx];
  if (sim->now_ns - *oldest < SECOND_NS) return false;
  *oldest        = sim->now_ns;
  o->connect_idx = (o->connect_idx + 1) % MD_SIM_OKX_CONNECTS;
  return true;
}

static md_err_t
open_conn(md_sim_t *sim, md_sim_conn_t *c, const char *path, const char *query) {
  static const char *const paths[] = {"/ws/v5/public", "/ws/v5/business", "/ws/v5/private"};
  (void)query;
  c->path = 0;
  while (c->path < MD_CNT(paths) && strcmp(path, paths[c->path]) != 0)
    c->path++;
  if (c->path == MD_CNT(paths) || !may_connect(sim)) return MD_ERR_ABSENT;
  md_sim_okx_conn_t *o = state_of(c);
  o->id                = (uint32_t)((c->id + 0x5bd1) * 2654435761u);
  o->hour_ns           = sim->now_ns;
  o->alive_ns          = sim->now_ns;
  return MD_OK;
}

static void
check(md_sim_t *sim, md_sim_conn_t *c) {
  md_sim_okx_conn_t *o = state_of(c);
  if (o->frame_cnt != c->frame_cnt) {
    o->frame_cnt = c->frame_cnt;
    o->alive_ns  = sim->now_ns;
  }
  if (sim->now_ns - o->alive_ns >= SILENCE_NS)
    md_sim_conn_end(&sim->hub, c, 4004, "No data received in 30s.", false);
}

static void
say(md_sim_t *sim, md_sim_conn_t *c, md_sim_text_t *text) {
  md_sim_conn_text(&sim->hub, c, text);
}

static void
goodbye(md_sim_t *sim, md_sim_conn_t *c, int64_t time_ms) {
  (void)time_ms;
  md_sim_okx_notice(&sim->text, state_of(c)->id);
  say(sim, c, &sim->text);
}

/* ---- what clients say ---- */

static void
refuse(md_sim_t *sim, md_sim_conn_t *c, md_sim_okx_slice_t id, unsigned code, const char *msg) {
  md_sim_okx_error(&sim->text, id, code, msg, strlen(msg), state_of(c)->id);
  say(sim, c, &sim->text);
}

static bool
is_type(md_sim_okx_slice_t s) {
  for (uint32_t n = 0; n < MD_SIM_OKX_TYPE_CNT; n++)
    if (md_sim_okx_is(s, md_sim_okx_types[n])) return true;
  return md_sim_okx_is(s, "MARGIN");
}

/* Some instrument has the pair as its own index. */
static bool
is_pair(const md_sim_t *sim, md_sim_okx_slice_t s) {
  for (uint32_t n = 0; n < sim->symbol_cnt; n++)
    if (md_sim_okx_is(s, md_sim_okx_symbol(sim->symbols[n])->instrument.pair)) return true;
  return false;
}

/* Whether the channel has what the argument names. */
static bool
exists(const md_sim_t *sim, const md_sim_okx_channel_t *ch, const md_sim_okx_arg_t *arg) {
  if (ch->scope == MD_SIM_OKX_BY_TYPE) return is_type(arg->type);
  if (!arg->symbol.p) return false;
  if (ch->scope == MD_SIM_OKX_BY_PAIR) return is_pair(sim, arg->symbol);
  const md_sim_symbol_t *symbol = md_sim_symbol(sim, arg->symbol.p, arg->symbol.len);
  if (!symbol || symbol->is_unlisted) return false;
  const md_sim_okx_type_t type = md_sim_okx_symbol(symbol)->instrument.type;
  if (strcmp(ch->name, "funding-rate") == 0) return type == MD_SIM_OKX_SWAP;
  return type != MD_SIM_OKX_SPOT || strcmp(ch->name, "open-interest") != 0;
}

/* The first subscription of a channel on a connection is told how many connections have it. */
static void
tell_count(md_sim_t *sim, md_sim_conn_t *c, const md_sim_okx_channel_t *ch) {
  const uint32_t bit = 1u << md_sim_okx_channel_idx(ch);
  uint32_t       cnt = 0;
  if (state_of(c)->channels & bit) return;
  state_of(c)->channels |= bit;
  for (const md_sim_conn_t *other = sim->hub.conns; other; other = other->next)
    cnt += (state_of(other)->channels & bit) != 0;
  md_sim_okx_conn_count(&sim->text, ch->name, cnt, state_of(c)->id);
  say(sim, c, &sim->text);
}

/* One subscription in eight has its data before the acknowledgement, which the venue does not
 * rule out. One that is there already is acknowledged and gets no snapshot. */
static void
subscribe(md_sim_t *sim, md_sim_conn_t *c, const md_sim_okx_request_t *r,
          const md_sim_okx_arg_t *arg, const md_sim_okx_channel_t *ch) {
  char                     name[128];
  const md_sim_okx_slice_t what       = ch->scope == MD_SIM_OKX_BY_TYPE ? arg->type : arg->symbol;
  const bool               data_first = (state_of(c)->id >> 8) % 8 == c->sub_cnt % 8;
  md_sim_text_t            ack        = {0};
  int n = snprintf(name, sizeof name, "%s:%.*s", ch->name, (int)what.len, what.p);
  md_sim_okx_ack(&ack, r, r->op == MD_SIM_OKX_SUBSCRIBE ? "subscribe" : "unsubscribe", arg,
                 state_of(c)->id);
  if (r->op == MD_SIM_OKX_UNSUBSCRIBE) {
    (void)md_sim_conn_unsubscribe(&sim->hub, c, name, (size_t)n);
    say(sim, c, &ack);
  } else {
    if (!data_first) say(sim, c, &ack);
    if (md_sim_conn_subscribe(&sim->hub, c, name, (size_t)n))
      refuse(sim, c, r->id, 60013, "Invalid args: too many channels on this connection");
    if (data_first) say(sim, c, &ack);
    tell_count(sim, c, ch);
  }
  md_sim_text_free(&ack);
}

static void
handle_arg(md_sim_t *sim, md_sim_conn_t *c, const md_sim_okx_request_t *r,
           const md_sim_okx_arg_t *arg) {
  if (!arg->channel.p || arg->channel.len > 64 || arg->symbol.len > 48) {
    refuse(sim, c, r->id, 60013, "Invalid args");
    return;
  }
  const md_sim_okx_channel_t *ch = md_sim_okx_channel(arg->channel);
  if (ch && ch->scope == MD_SIM_OKX_BY_ACCOUNT) {
    refuse(sim, c, r->id, 60011, "Please log in");
  } else if (!ch || ch->is_business != (c->path == BUSINESS) || c->path == PRIVATE ||
             !exists(sim, ch, arg)) {
    md_sim_okx_absent(&sim->text, r->id, arg, state_of(c)->id);
    say(sim, c, &sim->text);
  } else if (ch->scope == MD_SIM_OKX_BY_TIER) {
    refuse(sim, c, r->id, 64003,
           "Your trading fee tier doesn't meet the requirement to access this channel");
  } else {
    subscribe(sim, c, r, arg, ch);
  }
}

static bool
may_ask(const md_sim_t *sim, md_sim_okx_conn_t *o) {
  if (sim->now_ns - o->hour_ns >= HOUR_NS) {
    o->hour_ns = sim->now_ns;
    o->op_cnt  = 0;
  }
  return o->op_cnt++ < OPS_MAX;
}

static void
receive(md_sim_t *sim, md_sim_conn_t *c, const char *text, size_t len) {
  md_sim_okx_conn_t   *o = state_of(c);
  md_sim_okx_request_t r;
  o->alive_ns = sim->now_ns;
  if (len == 4 && memcmp(text, "ping", 4) == 0) {
    md_sim_text_clear(&sim->text);
    md_sim_text_str(&sim->text, "pong");
    say(sim, c, &sim->text);
    return;
  }
  md_sim_okx_read(text, len, &r);
  if (r.op == MD_SIM_OKX_UNREADABLE) {
    md_sim_okx_illegal(&sim->text, r.id, text, len, o->id);
    say(sim, c, &sim->text);
  } else if (!may_ask(sim, o)) {
    refuse(sim, c, r.id, 60014, "Requests too frequent");
  } else if (r.op == MD_SIM_OKX_LOGIN) {
    refuse(sim, c, r.id, 60009, "Login failed.");
  } else {
    for (uint32_t n = 0; n < r.arg_cnt; n++)
      handle_arg(sim, c, &r, &r.args[n]);
  }
}

/* What a new subscription is told at once: the book, or the state of what changes seldom. */
static void
subscribed(md_sim_t *sim, md_sim_conn_t *c, md_sim_stream_t *s) {
  md_sim_symbol_t *symbol = md_sim_symbol_of_stream(sim, s);
  if (!symbol) return;
  if (s->kind == MD_SIM_BOOK) {
    const bool is_known =
        symbol->listing ? symbol->book.valid : md_sim_okx_symbol(symbol)->book.valid;
    if (!is_known) return; /* a recording's next snapshot is for all */
    md_sim_okx_snapshot(sim, symbol, &sim->text);
  } else if (!symbol->listing || !md_sim_okx_write(sim, symbol->listing, s->kind)) {
    return;
  }
  md_sim_send_to(sim, symbol, s, c, sim->text.p, sim->text.len);
}

static void
listing(md_sim_t *sim, md_sim_symbol_t *symbol) {
  const char      *type = md_sim_okx_types[md_sim_okx_symbol(symbol)->instrument.type];
  char             name[64];
  int              n = snprintf(name, sizeof name, "instruments:%s", type);
  md_sim_stream_t *s = md_sim_hub_stream(&sim->hub, name, (size_t)n);
  if (!s || s->conn_cnt == 0) return;
  md_sim_text_clear(&sim->text);
  md_sim_text_format(&sim->text,
                     "{\"arg\":{\"channel\":\"instruments\",\"instType\":\"%s\"},\"data\":[", type);
  md_sim_okx_instrument_row(symbol, &sim->text);
  md_sim_text_str(&sim->text, "]}");
  md_sim_send(sim, NULL, s, sim->text.p, sim->text.len);
}

/* Another checksum, where 0 says that there is none. */
static void
spoil(const char *data, size_t len, md_sim_text_t *out) {
  static const char name[] = "\"checksum\":";
  const char       *at     = memmem(data, len, name, sizeof name - 1);
  if (!at) {
    md_sim_text_add(out, data, len);
    return;
  }
  at += sizeof name - 1;
  const size_t rest = strcspn(at, ",}");
  md_sim_text_add(out, data, (size_t)(at - data));
  md_sim_text_str(out, *at == '7' ? "-" : "");
  md_sim_text_str(out, "7");
  md_sim_text_add(out, at + rest, len - (size_t)(at - data) - rest);
}

/* ---- rows ---- */

#define OKX_WRITERS                                                                                \
  .cadence = {MD_SIM_BOOK, MD_SIM_OTHER, MD_SIM_OTHER}, .listed = md_sim_okx_listed,               \
  .next_id = md_sim_okx_next_id, .book = md_sim_okx_book_event, .top = md_sim_okx_top,             \
  .trade = md_sim_okx_trade, .tenth = md_sim_okx_tenth, .second = md_sim_okx_second,               \
  .kline = md_sim_okx_kline

static const md_sim_writers_t spot_writers        = {OKX_WRITERS, .list = md_sim_okx_list_spot};
static const md_sim_writers_t derivatives_writers = {OKX_WRITERS,
                                                     .list = md_sim_okx_list_derivatives};

#define OKX_VENUE                                                                                  \
  .subscriptions_max = 1024, .weight_max = 1, .state_bytes = sizeof(md_sim_okx_t),                 \
  .symbol_bytes = sizeof(md_sim_okx_symbol_t), .conn_bytes = sizeof(md_sim_okx_conn_t),            \
  .begins_with_book = true, .init = init, .symbol_init = symbol_init, .symbol_end = symbol_end,    \
  .parse_name = parse_name, .stream_name = stream_name, .open = open_conn, .receive = receive,     \
  .subscribed = subscribed, .check = check, .goodbye = goodbye, .listing = listing,                \
  .scan = md_sim_okx_scan, .frame = md_sim_okx_frame, .depth = md_sim_okx_depth,                   \
  .join = md_sim_okx_join, .count = md_sim_okx_count, .rewrite = md_sim_okx_rewrite,               \
  .spoil = spoil, .rest = md_sim_okx_rest, .refuse = md_sim_okx_refuse

const md_sim_venue_t md_sim_okx_spot = {
    .name = "okx_spot", .about = "OKX v5, spot", .market = &spot_writers, OKX_VENUE};
const md_sim_venue_t md_sim_okx_derivatives = {.name   = "okx_derivatives",
                                               .about  = "OKX v5: SWAP, FUTURES and OPTION",
                                               .market = &derivatives_writers,
                                               OKX_VENUE};
