/* Instruments of OKX: what a name says, those of the synthetic market, and their row in a list. */
#include "feeds/sim/sim_okx.h"

#include <stdlib.h>
#include <string.h>

#define EXPIRY      "301227"
#define LEVELS      300u, 150u, 400u /* at the start, at least, at most: clients are shown 400 */
#define LEVELS_THIN 40u, 20u, 100u

const char *const md_sim_okx_types[MD_SIM_OKX_TYPE_CNT] = {"SPOT", "SWAP", "FUTURES", "OPTION"};

/* ---- names ---- */

static void
part(char *to, const char *p, size_t len) {
  (void)snprintf(to, MD_SIM_NAME_BYTES, "%.*s", (int)len, p);
}

/* Contract values as the venue has them, roughly: what is not named has one of its base. */
static const char *
value_of(const md_sim_okx_instrument_t *i) {
  if (i->type == MD_SIM_OKX_SPOT) return "";
  if (i->type == MD_SIM_OKX_OPTION) return "1";
  if (i->is_inverse) return strcmp(i->base, "BTC") == 0 ? "100" : "10";
  if (strcmp(i->base, "BTC") == 0) return "0.01";
  if (strcmp(i->base, "ETH") == 0) return "0.1";
  return strcmp(i->base, "SHIB") == 0 ? "1000000" : "1";
}

void
md_sim_okx_instrument_read(const char *name, size_t len, md_sim_okx_instrument_t *out) {
  const char *begin[5] = {name};
  size_t      lens[5]  = {0};
  uint32_t    cnt      = 0;
  *out                 = (md_sim_okx_instrument_t){.type = MD_SIM_OKX_SPOT};
  for (size_t at = 0; at <= len && cnt < 5; at++) {
    if (at < len && name[at] != '-') continue;
    lens[cnt] = at - (size_t)(begin[cnt] - name);
    if (++cnt < 5) begin[cnt] = name + at + 1;
  }
  part(out->base, begin[0], lens[0]);
  if (cnt < 2) return;
  part(out->quote, begin[1], lens[1]);
  part(out->pair, name, lens[0] + 1 + lens[1]);
  if (cnt == 3) {
    bool is_swap = lens[2] == 4 && memcmp(begin[2], "SWAP", 4) == 0;
    out->type    = is_swap ? MD_SIM_OKX_SWAP : MD_SIM_OKX_FUTURES;
  } else if (cnt == 5) {
    out->type = MD_SIM_OKX_OPTION;
    part(out->strike, begin[3], lens[3]);
    out->option = lens[4] == 1 ? begin[4][0] : 0;
  }
  out->is_inverse = out->type != MD_SIM_OKX_SPOT && strcmp(out->quote, "USD") == 0;
  out->value      = value_of(out);
  out->mult       = out->type == MD_SIM_OKX_OPTION ? "0.01" : out->value[0] ? "1" : "";
}

/* ---- the synthetic market's ---- */

/* Ticks to 0.00000000001, sizes beyond 10^12, whole contracts, options. */
static const md_sim_spec_t spot[] = {
    {"BTC-USDT", -1, -8, 1, 1000, 840935, LEVELS},
    {"ETH-USDT", -2, -6, 1, 100, 320110, LEVELS},
    {"SOL-USDT", -2, -6, 1, 1000, 19875, LEVELS},
    {"PEPE-USDT", -11, 0, 1, 5950000, 712345, LEVELS},
    {"XRP-USDT", -4, -6, 1, 10000, 22876, LEVELS},
    {"DOGE-USDT", -5, -6, 1, 100000, 18312, LEVELS},
    {"ETH-BTC", -5, -6, 1, 100, 3806, LEVELS},
};

static const md_sim_spec_t derivatives[] = {
    {"BTC-USDT-SWAP", -1, -2, 1, 1, 840936, LEVELS},
    {"ETH-USDT-SWAP", -2, -2, 1, 1, 320120, LEVELS},
    {"BTC-USD-" EXPIRY, -1, 0, 1, 1, 861230, LEVELS},
    {"BTC-USD-" EXPIRY "-90000-C", -4, 0, 1, 1, 1050, LEVELS_THIN},
    {"SHIB-USDT-SWAP", -11, -1, 1, 59500000, 1234567, LEVELS},
    {"BTC-USD-SWAP", -1, 0, 1, 1, 840921, LEVELS},
    {"ETH-USDT-" EXPIRY, -2, -2, 1, 1, 331010, LEVELS},
    {"ETH-USD-" EXPIRY "-2500-P", -4, 0, 1, 1, 420, LEVELS_THIN},
};

/* Behind the named ones there is one more for every number. */
static bool
list(const md_sim_spec_t *named, uint32_t cnt, uint32_t idx, const char *suffix,
     md_sim_spec_t *out) {
  if (idx < cnt) {
    *out = named[idx];
    return true;
  }
  *out = (md_sim_spec_t){.px_exp       = (int8_t)(-1 - (int)(idx % 8)),
                         .qty_exp      = (int8_t)(-(int)(idx % 5)),
                         .tick         = 1,
                         .lot          = 1,
                         .levels_start = 300,
                         .levels_min   = 150,
                         .levels_max   = 400};
  (void)snprintf(out->name, sizeof out->name, "C%u-USDT%s", idx, suffix);
  return true;
}

bool
md_sim_okx_list_spot(md_sim_t *sim, uint32_t idx, md_sim_spec_t *out) {
  (void)sim;
  return list(spot, MD_CNT(spot), idx, "", out);
}

bool
md_sim_okx_list_derivatives(md_sim_t *sim, uint32_t idx, md_sim_spec_t *out) {
  (void)sim;
  return list(derivatives, MD_CNT(derivatives), idx, "-SWAP", out);
}

/* ---- a row of a list ---- */

static void
text(md_sim_text_t *out, const char *name, const char *value) {
  md_sim_text_format(out, ",\"%s\":\"%s\"", name, value);
}

static const char *
settle_of(const md_sim_okx_instrument_t *i) {
  if (i->type == MD_SIM_OKX_SPOT) return "";
  return i->is_inverse ? i->base : i->quote;
}

/* What a contract's value is counted in: dollars where it is inverse and no option. */
static const char *
value_asset(const md_sim_okx_instrument_t *i) {
  if (i->type == MD_SIM_OKX_SPOT) return "";
  return i->is_inverse && i->type != MD_SIM_OKX_OPTION ? i->quote : i->base;
}

void
md_sim_okx_instrument_row(const md_sim_symbol_t *symbol, md_sim_text_t *out) {
  const md_sim_okx_instrument_t *i       = &md_sim_okx_symbol(symbol)->instrument;
  const md_sim_listing_t        *l       = symbol->listing;
  const bool                     is_spot = i->type == MD_SIM_OKX_SPOT;
  const bool  is_dated  = i->type == MD_SIM_OKX_FUTURES || i->type == MD_SIM_OKX_OPTION;
  char        option[2] = {i->option, 0};
  const char *linear    = i->is_inverse ? "inverse" : "linear";
  md_sim_text_format(out, "{\"instId\":\"%s\",\"instType\":\"%s\"", symbol->name,
                     md_sim_okx_types[i->type]);
  text(out, "uly", is_spot ? "" : i->pair);
  text(out, "instFamily", is_spot ? "" : i->pair);
  text(out, "baseCcy", is_spot ? i->base : "");
  text(out, "quoteCcy", is_spot ? i->quote : "");
  text(out, "settleCcy", settle_of(i));
  text(out, "ctVal", i->value);
  text(out, "ctMult", i->mult);
  text(out, "ctValCcy", value_asset(i));
  text(out, "ctType", is_spot || i->type == MD_SIM_OKX_OPTION ? "" : linear);
  text(out, "optType", option);
  text(out, "stk", i->strike);
  text(out, "listTime", "1606468572000");
  md_sim_text_format(out, ",\"expTime\":\"%.*s\"", is_dated ? 13 : 0, "1924588800000");
  text(out, "lever", is_spot || i->type == MD_SIM_OKX_OPTION ? "" : "100");
  md_sim_okx_member(out, "tickSz", l ? l->tick : 1, symbol->px_exp);
  md_sim_okx_member(out, "lotSz", l ? l->lot : 1, symbol->qty_exp);
  md_sim_okx_member(out, "minSz", l ? l->lot : 1, symbol->qty_exp);
  text(out, "maxLmtSz", "9999999999999");
  text(out, "maxMktSz", "1000000");
  text(out, "alias", "");
  text(out, "category", "1");
  text(out, "ruleType", "normal");
  text(out, "state", symbol->is_over ? "suspend" : "live");
  md_sim_text_str(out, "}");
}
