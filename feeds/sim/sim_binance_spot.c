/* Binance spot, and Binance.US which speaks the same. */
#include "feeds/sim/sim_binance.h"

#include <stdlib.h>
#include <string.h>

#define SECOND_NS 1000000000ll

static const md_sim_bn_name_t names[] = {
    {"bookTicker", MD_SIM_BBO},
    {"trade", MD_SIM_TRADE},
    {"aggTrade", MD_SIM_AGG_TRADE},
    {"depth", MD_SIM_BOOK_SLOW},
    {"depth@100ms", MD_SIM_BOOK},
    {"depth5", MD_SIM_PARTIAL_5},
    {"depth10", MD_SIM_PARTIAL_10},
    {"depth20", MD_SIM_PARTIAL_20},
    {"depth5@100ms", MD_SIM_PARTIAL_5_100},
    {"depth10@100ms", MD_SIM_PARTIAL_10_100},
    {"depth20@100ms", MD_SIM_PARTIAL_20_100},
    {"kline_1m", MD_SIM_KLINE_1M},
    {"ticker", MD_SIM_TICKER},
    {NULL, MD_SIM_OTHER},
};

static void
parse_name(md_sim_stream_t *s) {
  md_sim_bn_parse_name(s, names);
}

static size_t
stream_name(char *out, size_t bytes, const md_sim_symbol_t *symbol, md_sim_kind_t kind) {
  return md_sim_bn_stream_name(out, bytes, symbol, kind, names);
}

/* Update ids rise by one: an event begins behind the one before it. */
static md_sim_join_t
join(uint64_t id, bool is_fresh, const md_sim_depth_t *d) {
  (void)is_fresh;
  if (d->last <= id) return MD_SIM_JOIN_OLD;
  return d->first > id + 1 ? MD_SIM_JOIN_HOLE : MD_SIM_JOIN_NEXT;
}

/* ---- REST ---- */

static uint32_t
depth_weight(uint32_t limit) {
  if (limit <= 100) return 5;
  if (limit <= 500) return 25;
  return limit <= 1000 ? 50 : 250;
}

static void
depth(md_sim_t *sim, const char *query, md_sim_answer_t *out) {
  uint32_t limit;
  uint64_t id;
  if (!md_sim_query_number(query, "limit", 100, 5000, &limit)) {
    if (md_sim_weigh(sim, 5, out))
      md_sim_bn_error(out, 400, -1100, "Illegal characters found in parameter 'limit'.");
    return;
  }
  if (!md_sim_weigh(sim, depth_weight(limit), out)) return;
  md_sim_symbol_t     *s    = md_sim_bn_symbol(sim, query, out);
  const md_sim_book_t *book = s ? md_sim_rest_book(sim, s, limit >= 1000, out, &id) : NULL;
  if (book) md_sim_bn_spot_body(s, book, id, limit, &out->body);
}

static void
exchange_info(md_sim_t *sim, const char *query, md_sim_answer_t *out) {
  const char      *text;
  size_t           len;
  md_sim_symbol_t *one;
  if (!md_sim_weigh(sim, 20, out)) return;
  if (md_sim_query(query, "symbol", &text, &len)) {
    one = md_sim_bn_symbol(sim, query, out);
    if (one) md_sim_bn_spot_info(sim, &one, 1, &out->body);
    return;
  }
  if (!md_sim_query(query, "symbols", &text, &len)) {
    const md_sim_recorded_t *recorded = md_sim_bn_recorded_info(sim);
    if (recorded)
      md_sim_text_add(&out->body, recorded->text, recorded->len);
    else
      md_sim_bn_spot_info(sim, sim->symbols, sim->symbol_cnt, &out->body);
    return;
  }
  md_sim_symbol_t **list = md_sim_alloc(MD_SIM_SYMBOLS_MAX, sizeof(md_sim_symbol_t *));
  uint32_t          cnt;
  if (md_sim_bn_symbols(sim, text, len, list, &cnt))
    md_sim_bn_spot_info(sim, list, cnt, &out->body);
  else
    md_sim_bn_error(out, 400, -1121, "Invalid symbol.");
  free(list);
}

static void
rest(md_sim_t *sim, const char *method, const char *path, const char *query, md_sim_answer_t *out) {
  md_sim_bn_answer(out);
  if (strcmp(path, "/fapi/v1/exchangeInfo") == 0 || strcmp(path, "/dapi/v1/exchangeInfo") == 0) {
    /* Clients of several markets ask all of them before any stream: here nothing else is listed. */
    if (md_sim_weigh(sim, 1, out)) md_sim_bn_spot_info(sim, NULL, 0, &out->body);
    return;
  }
  if (strncmp(path, "/api/v3/", 8) != 0 && strncmp(path, "/api/v1/", 8) != 0) {
    md_sim_bn_error(out, 404, -1, "There is no such path here: this exchange answers /api/v3/...");
    return;
  }
  const char *what = path + 8;
  if (strcmp(method, "GET") != 0)
    md_sim_refuse(sim, out, 405);
  else if (strcmp(what, "depth") == 0)
    depth(sim, query, out);
  else if (strcmp(what, "exchangeInfo") == 0)
    exchange_info(sim, query, out);
  else if (!md_sim_bn_common(sim, what, out))
    md_sim_bn_error(out, 404, -1, "This exchange does not have that endpoint");
}

/* ---- rows ---- */

#define SPOT                                                                                       \
  .subscriptions_max = 1024, .messages_per_s = 5, .weight_max = 6000, .ping_ns = 20 * SECOND_NS,   \
  .pong_timeout_ns = 60 * SECOND_NS, .life_ns = 86400 * SECOND_NS, .has_lower_names = true,        \
  .parse_name = parse_name, .stream_name = stream_name, .microseconds = md_sim_bn_microseconds,    \
  .open = md_sim_bn_open, .receive = md_sim_bn_receive, .goodbye = md_sim_bn_goodbye,              \
  .frame = md_sim_bn_frame, .depth = md_sim_bn_depth, .join = join, .count = md_sim_bn_count,      \
  .depth_url = md_sim_bn_depth_url, .rest = rest, .refuse = md_sim_bn_refuse,                      \
  .market = &md_sim_bn_spot_writers

extern const md_sim_venue_t md_sim_binance_spot, md_sim_binance_us;

const md_sim_venue_t md_sim_binance_spot = {.name = "binance_spot", .about = "Binance spot", SPOT};

const md_sim_venue_t md_sim_binance_us = {
    .name = "binance_us", .about = "Binance.US, as spot", SPOT};
