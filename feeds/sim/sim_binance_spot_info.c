/* The body of exchangeInfo: what clients read of it to know symbols, ticks and permissions. */
#include "feeds/sim/sim_binance.h"

#include <inttypes.h>

static void
write_filters(md_sim_text_t *out) {
  md_sim_text_str(
      out,
      "\"filters\":["
      "{\"filterType\":\"PRICE_FILTER\",\"minPrice\":\"0.00000001\",\"maxPrice\":\"1000000."
      "00000000\","
      "\"tickSize\":\"0.00000001\"},"
      "{\"filterType\":\"LOT_SIZE\",\"minQty\":\"0.00000001\",\"maxQty\":\"90000000.00000000\","
      "\"stepSize\":\"0.00000001\"},"
      "{\"filterType\":\"ICEBERG_PARTS\",\"limit\":10},"
      "{\"filterType\":\"MARKET_LOT_SIZE\",\"minQty\":\"0.00000000\",\"maxQty\":\"100000."
      "00000000\","
      "\"stepSize\":\"0.00000000\"},"
      "{\"filterType\":\"NOTIONAL\",\"minNotional\":\"5.00000000\",\"applyMinToMarket\":true,"
      "\"maxNotional\":\"9000000.00000000\",\"applyMaxToMarket\":false,\"avgPriceMins\":5},"
      "{\"filterType\":\"MAX_NUM_ORDERS\",\"maxNumOrders\":200}]");
}

static void
write_symbol(const md_sim_symbol_t *s, md_sim_text_t *out) {
  md_sim_text_str(out, "{\"symbol\":");
  md_sim_text_quote(out, s->name, s->len);
  md_sim_text_format(out,
                     ",\"status\":\"%s\",\"baseAsset\":\"%s\",\"baseAssetPrecision\":8,"
                     "\"quoteAsset\":\"%s\",\"quotePrecision\":8,\"quoteAssetPrecision\":8,"
                     "\"baseCommissionPrecision\":8,\"quoteCommissionPrecision\":8,",
                     s->is_over ? "BREAK" : "TRADING", s->base, s->quote);
  md_sim_text_str(out,
                  "\"orderTypes\":[\"LIMIT\",\"LIMIT_MAKER\",\"MARKET\"],\"icebergAllowed\":true,"
                  "\"ocoAllowed\":true,\"otoAllowed\":true,\"quoteOrderQtyMarketAllowed\":true,"
                  "\"allowTrailingStop\":true,\"cancelReplaceAllowed\":true,"
                  "\"isSpotTradingAllowed\":true,\"isMarginTradingAllowed\":false,");
  write_filters(out);
  md_sim_text_str(out, ",\"permissions\":[],\"permissionSets\":[[\"SPOT\"]],"
                       "\"defaultSelfTradePreventionMode\":\"EXPIRE_MAKER\","
                       "\"allowedSelfTradePreventionModes\":[\"EXPIRE_TAKER\",\"EXPIRE_MAKER\"]}");
}

void
md_sim_bn_spot_info(md_sim_t *sim, md_sim_symbol_t *const *symbols, uint32_t cnt,
                    md_sim_text_t *out) {
  md_sim_text_format(out,
                     "{\"timezone\":\"UTC\",\"serverTime\":%" PRId64
                     ",\"rateLimits\":[{\"rateLimitType\":\"REQUEST_WEIGHT\",\"interval\":"
                     "\"MINUTE\",\"intervalNum\":1,\"limit\":%u},{\"rateLimitType\":"
                     "\"RAW_REQUESTS\",\"interval\":\"MINUTE\",\"intervalNum\":5,\"limit\":61000}],"
                     "\"exchangeFilters\":[],\"symbols\":[",
                     md_clock_real_ns(sim->clock) / 1000000,
                     sim->weight_max ? sim->weight_max : 6000);
  bool is_first = true;
  for (uint32_t i = 0; i < cnt; i++) {
    if (symbols[i]->is_unlisted && !symbols[i]->is_over) continue;
    if (!is_first) md_sim_text_str(out, ",");
    write_symbol(symbols[i], out);
    is_first = false;
  }
  md_sim_text_str(out, "]}");
}
