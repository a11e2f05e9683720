/* REST of Binance futures: books, and what has no stream. */
#include "feeds/sim/sim_binance_futures.h"

#include <string.h>

#define RATIO_MS      300000
#define RATIO_ROWS    500u
#define RATIO_DEFAULT 30u

typedef struct request {
  md_sim_t                 *sim;
  const md_sim_fu_market_t *market;
  const char               *query;
  md_sim_answer_t          *out;
} request_t;

/* ---- books ---- */

static uint32_t
depth_weight(uint32_t limit) {
  return limit <= 50 ? 2 : limit <= 100 ? 5 : limit <= 500 ? 10 : 20;
}

static bool
limit_is_good(uint32_t limit) {
  static const uint32_t limits[] = {5, 10, 20, 50, 100, 500, 1000};
  for (unsigned i = 0; i < MD_CNT(limits); i++)
    if (limits[i] == limit) return true;
  return false;
}

static void
depth(request_t *r) {
  md_sim_t      *sim = r->sim;
  md_sim_text_t *t   = &r->out->body;
  uint32_t       limit;
  uint64_t       id;
  bool           is_number = md_sim_query_number(r->query, "limit", 500, UINT32_MAX, &limit);
  if (!is_number || !limit_is_good(limit)) {
    if (md_sim_weigh(sim, 1, r->out)) md_sim_bn_error(r->out, 400, -4021, "Invalid depth limit.");
    return;
  }
  if (!md_sim_weigh(sim, depth_weight(limit), r->out)) return;
  md_sim_symbol_t     *s    = md_sim_bn_symbol(sim, r->query, r->out);
  const md_sim_book_t *book = s ? md_sim_rest_book(sim, s, limit >= 1000, r->out, &id) : NULL;
  if (!book) return;
  md_sim_fu_number(t, "{\"lastUpdateId\":", (int64_t)id);
  md_sim_fu_number(t, ",\"E\":", sim->time_ms);
  md_sim_fu_number(t, ",\"T\":", sim->time_ms);
  md_sim_text_str(t, ",");
  if (r->market->is_inverse)
    md_sim_text_format(t, "\"symbol\":\"%s\",\"pair\":\"%s\",", s->name, md_sim_fu_symbol(s)->pair);
  md_sim_bn_levels(s, book, limit, t);
  md_sim_text_str(t, "}");
}

/* ---- polls ---- */

/* A symbol that is asked for and has a market; a recording says nothing of what follows. */
static const md_sim_symbol_t *
market_symbol(request_t *r) {
  const md_sim_symbol_t *s = md_sim_bn_symbol(r->sim, r->query, r->out);
  if (s && !s->listing) md_sim_refuse(r->sim, r->out, 503);
  return s && s->listing ? s : NULL;
}

static void
open_interest(request_t *r) {
  md_sim_text_t *t = &r->out->body;
  if (!md_sim_weigh(r->sim, 1, r->out)) return;
  const md_sim_symbol_t *s = market_symbol(r);
  if (!s) return;
  int64_t lots = 1000000 + (int64_t)(s->book.id % 1000000);
  md_sim_text_format(t, "{\"symbol\":\"%s\"", s->name);
  if (r->market->is_inverse)
    md_sim_text_format(t, ",\"pair\":\"%s\",\"contractType\":\"%s\"", md_sim_fu_symbol(s)->pair,
                       md_sim_fu_symbol(s)->is_dated ? "CURRENT_QUARTER" : "PERPETUAL");
  md_sim_fu_decimal(t, ",\"openInterest\":", lots * s->listing->lot, -s->qty_exp);
  md_sim_fu_number(t, ",\"time\":", r->sim->time_ms);
  md_sim_text_str(t, "}");
}

static void
premium_row(request_t *r, const md_sim_symbol_t *s) {
  md_sim_text_t   *t = &r->out->body;
  md_sim_fu_mark_t m;
  md_sim_fu_mark(r->sim, s->listing, &m);
  md_sim_text_format(t, "{\"symbol\":\"%s\"", s->name);
  if (r->market->is_inverse) md_sim_text_format(t, ",\"pair\":\"%s\"", md_sim_fu_symbol(s)->pair);
  md_sim_fu_decimal(t, ",\"markPrice\":", m.mark, 8);
  md_sim_fu_decimal(t, ",\"indexPrice\":", m.index, 8);
  md_sim_fu_decimal(t, ",\"estimatedSettlePrice\":", m.settle, 8);
  if (m.has_rate)
    md_sim_fu_decimal(t, ",\"lastFundingRate\":", m.rate, 8);
  else
    md_sim_text_str(t, ",\"lastFundingRate\":\"\"");
  md_sim_text_str(t, ",\"interestRate\":\"0.00010000\"");
  md_sim_fu_number(t, ",\"nextFundingTime\":", m.next_ms);
  md_sim_fu_number(t, ",\"time\":", m.time_ms);
  md_sim_text_str(t, "}");
}

/* COIN-M answers with a list, whatever was asked for. */
static void
premium_index(request_t *r) {
  md_sim_text_t *t = &r->out->body;
  const char    *name;
  size_t         len;
  bool           is_one = md_sim_query(r->query, "symbol", &name, &len);
  if (!md_sim_weigh(r->sim, is_one ? 1 : 10, r->out)) return;
  if (is_one) {
    const md_sim_symbol_t *s = market_symbol(r);
    if (!s) return;
    if (r->market->is_inverse) md_sim_text_str(t, "[");
    premium_row(r, s);
    if (r->market->is_inverse) md_sim_text_str(t, "]");
    return;
  }
  md_sim_text_str(t, "[");
  for (uint32_t i = 0; i < r->sim->symbol_cnt; i++) {
    const md_sim_symbol_t *s = r->sim->symbols[i];
    if (s->is_unlisted || !s->listing) continue;
    if (t->len > 1) md_sim_text_str(t, ",");
    premium_row(r, s);
  }
  md_sim_text_str(t, "]");
}

/* Only those whose interval is not 8 hours, as the venue does. */
static void
funding_info(request_t *r) {
  md_sim_text_t *t = &r->out->body;
  if (!md_sim_weigh(r->sim, 1, r->out)) return;
  md_sim_text_str(t, "[");
  for (uint32_t i = 0; i < r->sim->symbol_cnt; i++) {
    const md_sim_symbol_t *s     = r->sim->symbols[i];
    int64_t                hours = md_sim_fu_symbol(s)->interval_ms / 3600000;
    if (s->is_unlisted || hours == 8 || md_sim_fu_symbol(s)->is_dated) continue;
    if (t->len > 1) md_sim_text_str(t, ",");
    md_sim_text_format(t,
                       "{\"symbol\":\"%s\",\"adjustedFundingRateCap\":\"0.02500000\","
                       "\"adjustedFundingRateFloor\":\"-0.02500000\",\"fundingIntervalHours\":%d,"
                       "\"disclaimer\":false}",
                       s->name, (int)hours);
  }
  md_sim_text_str(t, "]");
}

/* ---- long/short ratios ---- */

static void
ratio_row(md_sim_text_t *t, const char *key, const char *name, bool is_position, int64_t time_ms) {
  const char *what  = is_position ? "Position" : "Account";
  int64_t     share = 3000 + (time_ms / RATIO_MS * 7919 + name[0] * 131) % 4001; /* of 10000 */
  md_sim_text_format(t, "{\"%s\":\"%s\"", key, name);
  md_sim_fu_decimal(t, ",\"longShortRatio\":", share * 10000 / (10000 - share), 4);
  md_sim_text_format(t, ",\"long%s\":", what);
  md_sim_fu_decimal(t, "", share, 4);
  md_sim_text_format(t, ",\"short%s\":", what);
  md_sim_fu_decimal(t, "", 10000 - share, 4);
  md_sim_fu_number(t, ",\"timestamp\":", time_ms);
  md_sim_text_str(t, "}");
}

/* Rows of five minutes, the oldest first. USD-M is asked by symbol, COIN-M by pair. */
static void
ratio(request_t *r, const char *what) {
  static const char *const kinds[] = {"topLongShortPositionRatio", "topLongShortAccountRatio",
                                      "globalLongShortAccountRatio"};
  const char              *key     = r->market->is_inverse ? "pair" : "symbol", *text;
  char                     name[MD_SIM_NAME_BYTES];
  size_t                   len;
  uint32_t                 limit;
  unsigned                 kind = 0;
  md_sim_text_t           *t    = &r->out->body;
  while (kind < MD_CNT(kinds) && strcmp(what, kinds[kind]) != 0)
    kind++;
  if (kind == MD_CNT(kinds)) {
    md_sim_bn_error(r->out, 404, -1, "This exchange does not have that endpoint");
    return;
  }
  if (!md_sim_query(r->query, key, &text, &len) || len == 0 || len >= sizeof name ||
      !md_sim_query_number(r->query, "limit", RATIO_DEFAULT, RATIO_ROWS, &limit)) {
    md_sim_bn_error(r->out, 400, -1130, "Data sent for a parameter is not valid.");
    return;
  }
  memcpy(name, text, len);
  name[len]    = 0;
  int64_t last = r->sim->time_ms / RATIO_MS * RATIO_MS;
  md_sim_text_str(t, "[");
  for (uint32_t i = 0; i < limit; i++) {
    if (i) md_sim_text_str(t, ",");
    ratio_row(t, key, name, kind == 0 && r->market->is_inverse, last - (limit - 1 - i) * RATIO_MS);
  }
  md_sim_text_str(t, "]");
}

/* ---- routes ---- */

static void
exchange_info(request_t *r) {
  if (!md_sim_weigh(r->sim, 1, r->out)) return;
  const md_sim_recorded_t *recorded = md_sim_bn_recorded_info(r->sim);
  if (recorded)
    md_sim_text_add(&r->out->body, recorded->text, recorded->len);
  else
    md_sim_fu_info(r->sim, &r->out->body);
}

/* Clients of several markets ask all of them before any stream: there nothing is listed. */
static bool
is_foreign_list(const md_sim_t *sim, const char *path) {
  static const char *const lists[] = {"/api/v3/exchangeInfo", "/fapi/v1/exchangeInfo",
                                      "/dapi/v1/exchangeInfo"};
  const char              *root    = md_sim_fu_market(sim)->root;
  for (unsigned i = 0; i < MD_CNT(lists); i++)
    if (strcmp(path, lists[i]) == 0) return strncmp(path, root, strlen(root)) != 0;
  return false;
}

void
md_sim_fu_rest(md_sim_t *sim, const char *method, const char *path, const char *query,
               md_sim_answer_t *out) {
  static const char data[] = "/futures/data/";
  static const struct {
    const char *what;
    void (*fn)(request_t *r);
  } routes[]       = {{"depth", depth},
                      {"exchangeInfo", exchange_info},
                      {"openInterest", open_interest},
                      {"premiumIndex", premium_index},
                      {"fundingInfo", funding_info}};
  request_t   r    = {sim, md_sim_fu_market(sim), query, out};
  size_t      root = strlen(r.market->root);
  const char *what = path + root + 3;
  out->headers[0]  = "x-mbx-used-weight-1m:";
  if (strcmp(method, "GET") != 0) {
    md_sim_refuse(sim, out, 405);
    return;
  }
  /* What was polled is answered as it was recorded. */
  const md_sim_recorded_t *recorded = md_sim_recorded_find(sim, path, query);
  if (recorded && !recorded->symbol) {
    if (md_sim_weigh(sim, 1, out)) md_sim_text_add(&out->body, recorded->text, recorded->len);
    return;
  }
  if (strncmp(path, data, sizeof data - 1) == 0) {
    ratio(&r, path + sizeof data - 1);
    return;
  }
  if (is_foreign_list(sim, path)) {
    md_sim_text_str(&out->body, "{\"timezone\":\"UTC\",\"rateLimits\":[],\"exchangeFilters\":[],"
                                "\"symbols\":[]}");
    return;
  }
  bool is_here = strncmp(path, r.market->root, root) == 0 && path[root] == 'v' && path[root + 1] &&
                 path[root + 2] == '/';
  for (unsigned i = 0; is_here && i < MD_CNT(routes); i++) {
    if (strcmp(what, routes[i].what) != 0) continue;
    routes[i].fn(&r);
    return;
  }
  if (!is_here || !md_sim_bn_common(sim, what, out))
    md_sim_bn_error(out, 404, -1, "This exchange does not have that endpoint");
}
