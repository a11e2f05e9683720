/* Binance's messages as recordings have them. */
#include "feeds/json.h"
#include "feeds/sim/sim_binance.h"

#include <stdio.h>
#include <string.h>

/* ---- frames ---- */

/* {"stream":"name","data":{...}} */
static bool
split_combined(const char *p, size_t len, md_sim_frame_t *f) {
  static const char open[] = "{\"stream\":\"", middle[] = "\",\"data\":";
  const size_t      o = sizeof open - 1, m = sizeof middle - 1;
  if (len < o + m + 3 || memcmp(p, open, o) != 0 || p[len - 1] != '}') return false;
  const char *quote = memchr(p + o, '"', len - o);
  if (!quote || (size_t)(quote - p) + m >= len || memcmp(quote, middle, m) != 0) return false;
  f->name_len = (size_t)(quote - p) - o;
  if (f->name_len >= sizeof f->name) return false;
  memcpy(f->name, p + o, f->name_len);
  f->data = quote + m;
  f->len  = len - 1 - (size_t)(f->data - p);
  return true;
}

/* A payload without its stream's name says it by e and s; a bookTicker has no e. */
static bool
name_raw(const char *p, size_t len, md_sim_frame_t *f) {
  md_json_t      j;
  const uint8_t *key, *e = NULL, *s = NULL;
  uint32_t       key_len, e_len = 0, s_len = 0;
  bool           has_u = false;
  md_json_init(&j, (const uint8_t *)p, len);
  md_json_object_begin(&j);
  while (md_json_key(&j, &key, &key_len)) {
    if (md_json_is(key, key_len, "e")) {
      md_json_string(&j, &e, &e_len);
    } else if (md_json_is(key, key_len, "s")) {
      md_json_string(&j, &s, &s_len);
    } else {
      has_u |= md_json_is(key, key_len, "u");
      md_json_skip(&j);
    }
  }
  if (md_json_finish(&j) || !s || s_len >= MD_SIM_NAME_BYTES) return false;
  const char *kind = NULL;
  if (!e && has_u) kind = "bookTicker";
  if (e && md_json_is(e, e_len, "bookTicker")) kind = "bookTicker";
  if (e && md_json_is(e, e_len, "markPriceUpdate")) kind = "markPrice@1s";
  if (e && md_json_is(e, e_len, "trade")) kind = "trade";
  if (e && md_json_is(e, e_len, "aggTrade")) kind = "aggTrade";
  if (e && md_json_is(e, e_len, "depthUpdate")) kind = "depth@100ms";
  if (e && md_json_is(e, e_len, "kline")) kind = "kline_1m";
  if (e && md_json_is(e, e_len, "24hrTicker")) kind = "ticker";
  if (!kind) return false;
  for (uint32_t i = 0; i < s_len; i++)
    f->name[i] = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] + 32) : (char)s[i];
  int n       = snprintf(f->name + s_len, sizeof f->name - s_len, "@%s", kind);
  f->name_len = s_len + (size_t)n;
  f->data     = p;
  f->len      = len;
  return true;
}

bool
md_sim_bn_frame(md_sim_t *sim, const md_input_t *in, md_sim_frame_t *f) {
  const char *p = (const char *)in->payload;
  (void)sim;
  return in->kind == MD_RAW_TEXT_IN && (split_combined(p, in->len, f) || name_raw(p, in->len, f));
}

/* ---- contents ---- */

/* A depthUpdate, or the body of a depth answer: first is 0 then. */
md_err_t
md_sim_bn_depth(md_sim_t *sim, md_sim_symbol_t *symbol, const char *data, size_t len,
                md_sim_depth_t *out) {
  md_level_t    *bids = md_sim_scratch(MD_SIDE_BUY), *asks = md_sim_scratch(MD_SIDE_SELL);
  int            px_exp = symbol->px_exp, qty_exp = symbol->qty_exp;
  md_json_t      j;
  const uint8_t *key;
  uint32_t       key_len;
  bool           has_bids = false, has_asks = false;
  (void)sim;
  *out = (md_sim_depth_t){.bids = bids, .asks = asks};
  md_json_init(&j, (const uint8_t *)data, len);
  md_json_object_begin(&j);
  while (md_json_key(&j, &key, &key_len)) {
    bool     is_bids = md_json_is(key, key_len, "b") || md_json_is(key, key_len, "bids");
    bool     is_asks = md_json_is(key, key_len, "a") || md_json_is(key, key_len, "asks");
    md_err_t err     = MD_OK;
    if (md_json_is(key, key_len, "U"))
      md_json_u64(&j, &out->first);
    else if (md_json_is(key, key_len, "u") || md_json_is(key, key_len, "lastUpdateId"))
      md_json_u64(&j, &out->last);
    else if (md_json_is(key, key_len, "pu"))
      out->has_prev = md_json_u64(&j, &out->prev);
    else if (is_bids)
      err = md_json_levels(&j, px_exp, qty_exp, bids, MD_SIM_LEVELS_MAX, &out->bid_cnt);
    else if (is_asks)
      err = md_json_levels(&j, px_exp, qty_exp, asks, MD_SIM_LEVELS_MAX, &out->ask_cnt);
    else
      md_json_skip(&j);
    if (err) return err;
    has_bids |= is_bids;
    has_asks |= is_asks;
  }
  md_err_t err = md_json_finish(&j);
  if (err) return err;
  return has_bids && has_asks && out->last ? MD_OK : MD_ERR_SYNTAX;
}

void
md_sim_bn_count(md_sim_t *sim, md_sim_symbol_t *symbol, md_sim_kind_t kind, const char *data,
                size_t len) {
  md_sim_totals_t *t = kind == MD_SIM_TRADE       ? &symbol->trades
                       : kind == MD_SIM_AGG_TRADE ? &symbol->agg_trades
                                                  : NULL;
  md_json_t        j;
  const uint8_t   *key;
  uint32_t         key_len, kind_len;
  int64_t          qty       = 0;
  bool             is_market = true;
  md_err_t         err       = MD_OK;
  (void)sim;
  if (!t) return;
  md_json_init(&j, (const uint8_t *)data, len);
  md_json_object_begin(&j);
  while (!err && md_json_key(&j, &key, &key_len)) {
    if (md_json_is(key, key_len, "q"))
      err = md_json_mantissa(&j, symbol->qty_exp, &qty);
    else if (md_json_is(key, key_len, "X") && md_json_string(&j, &key, &kind_len))
      is_market = md_json_is(key, kind_len, "MARKET");
    else
      md_json_skip(&j);
  }
  if (err || md_json_finish(&j) || !is_market) return;
  t->cnt++;
  t->qty_sum += qty;
}

bool
md_sim_bn_depth_url(const char *path, const char *query, const char **symbol, size_t *len) {
  size_t path_len = strlen(path);
  return path_len >= 6 && strcmp(path + path_len - 6, "/depth") == 0 &&
         md_sim_query(query, "symbol", symbol, len);
}
