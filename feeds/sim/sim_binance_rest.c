/* REST of Binance: what its markets share. */
#include "feeds/sim/sim_binance.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void
md_sim_bn_answer(md_sim_answer_t *out) {
  out->headers[0] = "x-mbx-used-weight:";
  out->headers[1] = "x-mbx-used-weight-1m:";
}

void
md_sim_bn_error(md_sim_answer_t *out, unsigned status, int code, const char *text) {
  md_sim_text_clear(&out->body);
  out->status = status;
  md_sim_text_format(&out->body, "{\"code\":%d,\"msg\":", code);
  md_sim_text_quote(&out->body, text, strlen(text));
  md_sim_text_str(&out->body, "}");
}

static void
missing(md_sim_answer_t *out, const char *name) {
  char text[160];
  (void)snprintf(text, sizeof text,
                 "Mandatory parameter '%s' was not sent, was empty/null, or malformed.", name);
  md_sim_bn_error(out, 400, -1102, text);
}

md_sim_symbol_t *
md_sim_bn_symbol(md_sim_t *sim, const char *query, md_sim_answer_t *out) {
  const char *name;
  size_t      len;
  if (!md_sim_query(query, "symbol", &name, &len) || len == 0) {
    missing(out, "symbol");
    return NULL;
  }
  md_sim_symbol_t *s = md_sim_symbol(sim, name, len);
  if (s && !s->is_unlisted) return s;
  md_sim_bn_error(out, 400, -1121, "Invalid symbol.");
  return NULL;
}

void
md_sim_bn_refuse(md_sim_answer_t *out, unsigned status) {
  static const struct {
    unsigned    status;
    int         code;
    const char *text;
  } rows[] = {
      {405, -1, "Request method not supported: only GET is"},
      {418, -1003,
       "Way too much request weight used; IP banned. Please use WebSocket Streams for live "
       "updates to avoid bans."},
      {429, -1003,
       "Too much request weight used. Please use WebSocket Streams for live updates to avoid "
       "polling the API."},
      {503, -1008,
       "Server is currently overloaded with other requests. Please try again in a few minutes."},
  };
  for (unsigned i = 0; i < MD_CNT(rows); i++)
    if (rows[i].status == status) md_sim_bn_error(out, status, rows[i].code, rows[i].text);
  if (out->body.len == 0) md_sim_bn_error(out, status, -1, "This exchange does not have that");
}

bool
md_sim_bn_symbols(md_sim_t *sim, const char *text, size_t len, md_sim_symbol_t **list,
                  uint32_t *cnt) {
  const char *end = text + len;
  *cnt            = 0;
  if (len < 4 || text[0] != '[' || end[-1] != ']') return false;
  while (*cnt < MD_SIM_SYMBOLS_MAX) {
    const char *begin = memchr(text, '"', (size_t)(end - text));
    if (!begin) break;
    const char *close = memchr(begin + 1, '"', (size_t)(end - begin - 1));
    if (!close) return false;
    md_sim_symbol_t *one = md_sim_symbol(sim, begin + 1, (size_t)(close - begin - 1));
    if (!one) return false;
    list[(*cnt)++] = one;
    text           = close + 1;
  }
  return true;
}

bool
md_sim_bn_common(md_sim_t *sim, const char *what, md_sim_answer_t *out) {
  if (strcmp(what, "ping") == 0) {
    if (md_sim_weigh(sim, 1, out)) md_sim_text_str(&out->body, "{}");
  } else if (strcmp(what, "time") == 0) {
    if (md_sim_weigh(sim, 1, out))
      md_sim_text_format(&out->body, "{\"serverTime\":%" PRId64 "}",
                         md_clock_real_ns(sim->clock) / 1000000);
  } else {
    return false;
  }
  return true;
}

/* Prices and quantities have as many decimals as the symbol. */
static void
write_side(const md_sim_symbol_t *symbol, const md_sim_book_t *b, md_side_t side, uint32_t limit,
           md_sim_text_t *out) {
  md_level_t level;
  for (uint32_t i = 0; i < limit && md_orderbook_at(&b->book, side, i, &level); i++) {
    md_sim_text_str(out, i ? ",[\"" : "[\"");
    md_sim_text_fixed(out, level.px, -symbol->px_exp);
    md_sim_text_str(out, "\",\"");
    md_sim_text_fixed(out, level.qty, -symbol->qty_exp);
    md_sim_text_str(out, "\"]");
  }
}

void
md_sim_bn_levels(const md_sim_symbol_t *symbol, const md_sim_book_t *b, uint32_t limit,
                 md_sim_text_t *out) {
  md_sim_text_str(out, "\"bids\":[");
  write_side(symbol, b, MD_SIDE_BUY, limit, out);
  md_sim_text_str(out, "],\"asks\":[");
  write_side(symbol, b, MD_SIDE_SELL, limit, out);
  md_sim_text_str(out, "]");
}

const md_sim_recorded_t *
md_sim_bn_recorded_info(const md_sim_t *sim) {
  static const char tail[] = "/exchangeInfo";
  for (const md_sim_recorded_t *r = sim->recorded; r && !sim->lists; r = r->next) {
    size_t len = strlen(r->path);
    if (len > sizeof tail - 1 && strcmp(r->path + len - (sizeof tail - 1), tail) == 0 &&
        !r->query[0])
      return r;
  }
  return NULL;
}
