/* Binance USD-M and COIN-M: names, paths, ids, symbols, and the two rows. */
#include "feeds/sim/sim_binance_futures.h"

#include <stdio.h>
#include <string.h>

#define SECOND_NS 1000000000ll
#define HOUR_MS   3600000ll

static const md_sim_bn_name_t names[] = {
    {"bookTicker", MD_SIM_BBO},
    {"trade", MD_SIM_TRADE},
    {"aggTrade", MD_SIM_AGG_TRADE},
    {"depth@100ms", MD_SIM_BOOK},
    {"depth@0ms", MD_SIM_BOOK_FAST},
    {"depth5@100ms", MD_SIM_PARTIAL_5_100},
    {"depth10@100ms", MD_SIM_PARTIAL_10_100},
    {"depth20@100ms", MD_SIM_PARTIAL_20_100},
    {"kline_1m", MD_SIM_KLINE_1M},
    {"ticker", MD_SIM_TICKER},
    {"markPrice@1s", MD_SIM_MARK},
    {"markPrice", MD_SIM_MARK_SLOW},
    {"forceOrder", MD_SIM_LIQUIDATION},
    {NULL, MD_SIM_OTHER},
};

static const md_sim_bn_name_t all_names[] = {
    {"!markPrice@arr@1s", MD_SIM_ALL_MARK},
    {"!markPrice@arr", MD_SIM_ALL_MARK_SLOW},
    {"!forceOrder@arr", MD_SIM_ALL_LIQUIDATION},
};

/* ---- streams ---- */

static void
parse_name(md_sim_stream_t *s) {
  if (s->name[0] != '!') {
    md_sim_bn_parse_name(s, names);
    return;
  }
  for (unsigned i = 0; i < MD_CNT(all_names); i++)
    if (strcmp(s->name, all_names[i].suffix) == 0) s->kind = all_names[i].kind;
}

static size_t
stream_name(char *out, size_t bytes, const md_sim_symbol_t *symbol, md_sim_kind_t kind) {
  return md_sim_bn_stream_name(out, bytes, symbol, kind, names);
}

/* Paths of USD-M; without one, only what is public. */
enum { PATH_NONE, PATH_PUBLIC, PATH_MARKET, PATH_PRIVATE };

static const char *const paths[] = {
    [PATH_PUBLIC] = "/public", [PATH_MARKET] = "/market", [PATH_PRIVATE] = "/private"};

static bool
is_public(md_sim_kind_t kind) {
  return (kind >= MD_SIM_BOOK && kind <= MD_SIM_BBO) || kind == MD_SIM_TRADE;
}

static bool
usdm_hears(const md_sim_conn_t *c, const md_sim_stream_t *s) {
  if (c->path == PATH_PRIVATE) return false;
  return is_public(s->kind) == (c->path != PATH_MARKET);
}

static md_err_t
usdm_open(md_sim_t *sim, md_sim_conn_t *c, const char *path, const char *query) {
  for (uint32_t i = PATH_PUBLIC; i < MD_CNT(paths); i++) {
    size_t len = strlen(paths[i]);
    if (strncmp(path, paths[i], len) != 0 || path[len] != '/') continue;
    c->path = i;
    return md_sim_bn_open(sim, c, path + len, query);
  }
  return md_sim_bn_open(sim, c, path, query);
}

static void
receive(md_sim_t *sim, md_sim_conn_t *c, const char *text, size_t len) {
  md_sim_bn_receive_as(sim, c, text, len, true);
}

/* Ids jump, because symbols share them: an event says which one it follows. The first one behind a
 * snapshot may begin before it. */
static md_sim_join_t
join(uint64_t id, bool is_fresh, const md_sim_depth_t *d) {
  if (is_fresh)
    return d->last < id ? MD_SIM_JOIN_OLD : d->prev <= id ? MD_SIM_JOIN_NEXT : MD_SIM_JOIN_HOLE;
  if (d->last <= id) return MD_SIM_JOIN_OLD;
  return d->prev == id ? MD_SIM_JOIN_NEXT : MD_SIM_JOIN_HOLE;
}

/* ---- symbols ---- */

typedef struct shape {
  int8_t  px_exp, qty_exp;
  int64_t tick, lot, px;
} shape_t;

static const shape_t usdm_shapes[] = {{-2, -3, 10, 1, 6180000}, {-2, -3, 1, 1, 194364},
                                      {-3, -2, 10, 1, 580000},  {-4, 0, 10, 1, 1521400},
                                      {-5, -1, 1, 1, 54321},    {-7, 0, 10, 1, 123450}};

static const shape_t coinm_shapes[] = {
    {-1, 0, 1, 1, 618047}, {-2, 0, 1, 1, 194364}, {-3, 0, 1, 1, 580000}, {-4, 0, 1, 1, 5659}};

/* Three of four of COIN-M are perpetuals, fifteen of sixteen of USD-M. */
static void
name_symbol(const md_sim_fu_market_t *m, uint32_t idx, char *out, size_t bytes) {
  const char *quote  = m->is_inverse ? "USD" : "USDT";
  uint32_t    period = m->is_inverse ? 4 : 16, dated = idx / period;
  bool        is_dated = idx % period == period - 1;
  uint32_t    rank     = is_dated ? dated : idx - dated;
  const char *base = md_sim_bn_base(rank), *tail = "";
  if (is_dated)
    tail = "_270326";
  else if (m->is_inverse)
    tail = "_PERP";
  if (base)
    (void)snprintf(out, bytes, "%s%s%s", base, quote, tail);
  else
    (void)snprintf(out, bytes, "C%u%s%s", rank, quote, tail);
}

static bool
list(md_sim_t *sim, uint32_t idx, md_sim_spec_t *out) {
  const md_sim_fu_market_t *m = md_sim_fu_market(sim);
  const shape_t            *s = m->is_inverse ? &coinm_shapes[idx % MD_CNT(coinm_shapes)]
                                              : &usdm_shapes[idx % MD_CNT(usdm_shapes)];
  name_symbol(m, idx, out->name, sizeof out->name);
  out->px_exp  = s->px_exp;
  out->qty_exp = s->qty_exp;
  out->tick    = s->tick;
  out->lot     = s->lot;
  out->px      = s->px + s->tick * (int64_t)md_sim_random(sim, 5000);
  return true;
}

static uint64_t
next_id(md_sim_t *sim, md_sim_listing_t *l) {
  (void)l;
  return md_sim_fu_state(sim)->id += 1 + md_sim_random(sim, 4);
}

static void
listed(md_sim_t *sim, md_sim_listing_t *l, uint32_t idx) {
  md_sim_fu_symbol_t *s = md_sim_fu_symbol(l->symbol);
  l->symbol->book.id    = next_id(sim, l);
  if (idx % 5 == 4) s->interval_ms = 4 * HOUR_MS;
}

static void
symbol_init(md_sim_t *sim, md_sim_symbol_t *symbol) {
  md_sim_fu_symbol_t *s    = md_sim_fu_symbol(symbol);
  const char         *tail = strchr(symbol->name, '_');
  (void)sim;
  (void)snprintf(s->pair, sizeof s->pair, "%.*s",
                 tail ? (int)(tail - symbol->name) : (int)symbol->len, symbol->name);
  s->is_dated    = tail && strcmp(tail, "_PERP") != 0;
  s->interval_ms = 8 * HOUR_MS;
}

/* ---- rows ---- */

static const md_sim_fu_market_t usdm  = {"/fapi/", 1, true, false};
static const md_sim_fu_market_t coinm = {"/dapi/", 2, false, true};

static void
begin_market(md_sim_t *sim, const md_sim_fu_market_t *market) {
  md_sim_fu_state_t *state = md_sim_fu_state(sim);
  state->market            = market;
  state->id                = 5000000000000 + md_sim_random(sim, 1000000000);
}

static void
usdm_init(md_sim_t *sim) {
  begin_market(sim, &usdm);
}

static void
coinm_init(md_sim_t *sim) {
  begin_market(sim, &coinm);
}

static const md_sim_writers_t writers = {
    .cadence = {MD_SIM_BOOK, MD_SIM_OTHER, MD_SIM_BOOK_FAST},
    .list    = list,
    .listed  = listed,
    .next_id = next_id,
    .book    = md_sim_fu_book,
    .top     = md_sim_fu_top,
    .trade   = md_sim_fu_trade,
    .tenth   = md_sim_fu_tenth,
    .second  = md_sim_fu_second,
    .kline   = md_sim_fu_kline,
    .all     = md_sim_fu_all,
};

#define FUTURES                                                                                    \
  .subscriptions_max = 1024, .messages_per_s = 10, .weight_max = 2400, .ping_ns = 180 * SECOND_NS, \
  .pong_timeout_ns = 600 * SECOND_NS, .life_ns = 86400 * SECOND_NS,                                \
  .state_bytes = sizeof(md_sim_fu_state_t), .symbol_bytes = sizeof(md_sim_fu_symbol_t),            \
  .has_lower_names = true, .symbol_init = symbol_init, .parse_name = parse_name,                   \
  .stream_name = stream_name, .microseconds = md_sim_bn_microseconds, .receive = receive,          \
  .goodbye = md_sim_bn_goodbye, .frame = md_sim_bn_frame, .depth = md_sim_bn_depth, .join = join,  \
  .count = md_sim_bn_count, .depth_url = md_sim_bn_depth_url, .rest = md_sim_fu_rest,              \
  .refuse = md_sim_bn_refuse, .market = &writers

extern const md_sim_venue_t md_sim_binance_derivatives, md_sim_binance_coinm;

const md_sim_venue_t md_sim_binance_derivatives = {.name  = "binance_derivatives",
                                                   .about = "Binance USD-M futures",
                                                   FUTURES,
                                                   .init  = usdm_init,
                                                   .open  = usdm_open,
                                                   .hears = usdm_hears};

const md_sim_venue_t md_sim_binance_coinm = {.name  = "binance_coinm",
                                             .about = "Binance COIN-M futures",
                                             FUTURES,
                                             .init = coinm_init,
                                             .open = md_sim_bn_open};
