/* The body of exchangeInfo of Binance futures: what clients read of it to know contracts. */
#include "feeds/sim/sim_binance_futures.h"

#include <inttypes.h>

#define PERPETUAL_MS 4133404800000 /* the venue's delivery date of what is never delivered */
#define ONBOARD_MS   1569398400000

/* One step of the last decimal, times units. */
static void
step(md_sim_text_t *out, const char *key, int64_t units, int exp) {
  md_sim_fu_decimal(out, key, units, -exp);
}

static void
write_filters(const md_sim_symbol_t *s, md_sim_text_t *out) {
  int64_t tick = s->listing ? s->listing->tick : 1, lot = s->listing ? s->listing->lot : 1;
  md_sim_text_str(out, "\"filters\":[{\"filterType\":\"PRICE_FILTER\"");
  step(out, ",\"minPrice\":", tick, s->px_exp);
  md_sim_text_str(out, ",\"maxPrice\":\"4529764\"");
  step(out, ",\"tickSize\":", tick, s->px_exp);
  for (unsigned i = 0; i < 2; i++) {
    md_sim_text_format(out, "},{\"filterType\":\"%s\",\"maxQty\":\"1000000000\"",
                       i ? "MARKET_LOT_SIZE" : "LOT_SIZE");
    step(out, ",\"minQty\":", lot, s->qty_exp);
    step(out, ",\"stepSize\":", lot, s->qty_exp);
  }
  md_sim_text_str(out, "},{\"filterType\":\"MAX_NUM_ORDERS\",\"limit\":200},{\"filterType\":"
                       "\"MAX_NUM_ALGO_ORDERS\",\"limit\":10},{\"filterType\":\"MIN_NOTIONAL\","
                       "\"notional\":\"5\"},{\"filterType\":\"PERCENT_PRICE\",\"multiplierUp\":"
                       "\"1.0500\",\"multiplierDown\":\"0.9500\",\"multiplierDecimal\":\"4\"}]");
}

static void
write_symbol(const md_sim_fu_market_t *m, const md_sim_symbol_t *s, md_sim_text_t *out) {
  const md_sim_fu_symbol_t *f      = md_sim_fu_symbol(s);
  const char               *status = s->is_over ? "SETTLING" : "TRADING";
  md_sim_text_format(
      out,
      "{\"symbol\":\"%s\",\"pair\":\"%s\",\"contractType\":\"%s\",\"deliveryDate\":%" PRId64
      ",\"onboardDate\":%" PRId64 ",",
      s->name, f->pair, f->is_dated ? "CURRENT_QUARTER" : "PERPETUAL",
      f->is_dated ? (int64_t)MD_SIM_FU_EXPIRY_MS : (int64_t)PERPETUAL_MS, (int64_t)ONBOARD_MS);
  if (m->is_inverse)
    md_sim_text_format(out,
                       "\"contractStatus\":\"%s\",\"contractSize\":%d,\"equalQtyPrecision\":4,",
                       status, s->name[0] == 'B' && s->name[1] == 'T' ? 100 : 10);
  else
    md_sim_text_format(out, "\"status\":\"%s\",\"settlePlan\":0,", status);
  md_sim_text_format(out,
                     "\"baseAsset\":\"%s\",\"quoteAsset\":\"%s\",\"marginAsset\":\"%s\","
                     "\"pricePrecision\":%d,\"quantityPrecision\":%d,\"baseAssetPrecision\":8,"
                     "\"quotePrecision\":8,\"underlyingType\":\"COIN\",\"underlyingSubType\":[],"
                     "\"triggerProtect\":\"0.0500\",\"liquidationFee\":\"0.012500\","
                     "\"marketTakeBound\":\"0.05\",\"maintMarginPercent\":\"2.5000\","
                     "\"requiredMarginPercent\":\"5.0000\",\"orderTypes\":[\"LIMIT\",\"MARKET\"],"
                     "\"timeInForce\":[\"GTC\",\"IOC\",\"FOK\",\"GTX\"],",
                     s->base, s->quote, m->is_inverse ? s->base : s->quote, -s->px_exp,
                     -s->qty_exp);
  write_filters(s, out);
  md_sim_text_str(out, "}");
}

void
md_sim_fu_info(md_sim_t *sim, md_sim_text_t *out) {
  const md_sim_fu_market_t *m = md_sim_fu_market(sim);
  md_sim_text_format(out,
                     "{\"timezone\":\"UTC\",\"serverTime\":%" PRId64
                     ",\"futuresType\":\"%s\",\"rateLimits\":[{\"rateLimitType\":"
                     "\"REQUEST_WEIGHT\",\"interval\":\"MINUTE\",\"intervalNum\":1,\"limit\":%u}],"
                     "\"exchangeFilters\":[],\"assets\":[],\"symbols\":[",
                     md_clock_real_ns(sim->clock) / 1000000,
                     m->is_inverse ? "C_MARGINED" : "U_MARGINED",
                     sim->weight_max ? sim->weight_max : 2400);
  bool is_first = true;
  for (uint32_t i = 0; i < sim->symbol_cnt; i++) {
    if (sim->symbols[i]->is_unlisted && !sim->symbols[i]->is_over) continue;
    if (!is_first) md_sim_text_str(out, ",");
    write_symbol(m, sim->symbols[i], out);
    is_first = false;
  }
  md_sim_text_str(out, "]}");
}
