/* HTTP answers of Binance spot, and what a symbol's name says. */
#include "feeds/venues/binance.h"

#include <string.h>

#define LIMIT_DEFAULT 100u /* of /depth without a limit */

void
md_bn_define(const char *symbol, uint32_t len, md_definition_t *out) {
  out->kind = MD_KIND_SPOT;
  if (!md_bn_split(symbol, len, out)) memcpy(out->normalised, symbol, len); /* its own name */
}

static void
define(md_feed_t *f, const md_bn_listing_t *l) {
  md_definition_t d;
  int             px_exp, qty_exp;
  if (!md_bn_begin_definition(l, md_bn_define, &d, &px_exp, &qty_exp)) return;
  if (l->status.p)
    d.trading = md_bn_text_is(l->status, "TRADING") ? MD_TRADING_ON : MD_TRADING_HALT;
  md_feed_on_definition(f, d.symbol, (uint32_t)strlen(d.symbol), &d, px_exp, qty_exp);
}

md_err_t
md_bn_http(md_feed_t *f, const md_input_t *in) {
  md_bn_slice_t path;
  if (!md_bn_endpoint(in->name, in->name_len, "/api/v", &path)) return MD_ERR_UNKNOWN;
  if (md_json_is(path.p, path.len, "depth")) return md_bn_on_depth_answer(f, in, LIMIT_DEFAULT);
  if (md_json_is(path.p, path.len, "exchangeInfo")) return md_bn_on_exchange_info(f, in, define);
  if (md_json_is(path.p, path.len, "time") || md_json_is(path.p, path.len, "ping")) return MD_OK;
  return MD_ERR_UNKNOWN;
}
