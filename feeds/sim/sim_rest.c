#include "feeds/sim/sim_rest.h"

#include "feeds/sim/sim_control.h"
#include "feeds/sim/sim_fault.h"
#include "feeds/sim/sim_record.h"
#include "feeds/sim/sim_truth.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define INSIDE_NS 5000000000 /* longest that an answer waits for updates behind it */
#define OVER_MAX  10u        /* requests beyond the weight before 429 becomes 418 */

static void
refuse(md_sim_answer_t *out, unsigned status, int code, const char *text) {
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
  refuse(out, 400, -1102, text);
}

/* The symbol that the query asks for; refused when it is missing or unknown. */
static md_sim_symbol_t *
symbol_of(md_sim_t *sim, const char *query, md_sim_answer_t *out) {
  const char *name;
  size_t      len;
  if (!md_sim_query(query, "symbol", &name, &len) || len == 0) {
    missing(out, "symbol");
    return NULL;
  }
  md_sim_symbol_t *s = md_sim_symbol(sim, name, len);
  if (s && !s->is_unlisted) return s;
  refuse(out, 400, -1121, "Invalid symbol.");
  return NULL;
}

/* limit=, or otherwise; false when it is not a number from 1. */
static bool
limit_of(const char *query, uint32_t otherwise, uint32_t max, uint32_t *out) {
  const char *text;
  size_t      len;
  *out = otherwise;
  if (!md_sim_query(query, "limit", &text, &len)) return true;
  if (len == 0 || len > 8) return false;
  uint32_t v = 0;
  for (size_t i = 0; i < len; i++) {
    if (text[i] < '0' || text[i] > '9') return false;
    v = v * 10 + (uint32_t)(text[i] - '0');
  }
  *out = v > max ? max : v;
  return v > 0;
}

/* Counts the weight of a request; false: it was one too many and was refused. */
static bool
weigh(md_sim_t *sim, uint32_t weight, md_sim_answer_t *out) {
  int64_t real_s = md_clock_real_ns(sim->clock) / 1000000000;
  if (real_s / 60 != sim->minute) {
    sim->minute      = real_s / 60;
    sim->weight_used = 0;
    sim->over_cnt    = 0;
  }
  sim->weight_used += weight;
  out->weight = sim->weight_used;
  if (sim->weight_max == 0 || sim->weight_used <= sim->weight_max) return true;
  bool is_ban        = ++sim->over_cnt > OVER_MAX;
  out->retry_after_s = is_ban ? 120 : (uint32_t)(60 - real_s % 60);
  refuse(out, is_ban ? 418 : 429, -1003,
         is_ban ? "Way too much request weight used; IP banned. Please use WebSocket Streams for "
                  "live updates to avoid bans."
                : "Too much request weight used. Please use WebSocket Streams for live updates to "
                  "avoid polling the API.");
  return false;
}

/* ---- depth ---- */

static uint32_t
depth_weight(uint32_t limit) {
  if (limit <= 100) return 5;
  if (limit <= 500) return 25;
  return limit <= 1000 ? 50 : 250;
}

/* The recorded answer helps a client that got every diff since; a limit cuts it. */
static bool
recorded_helps(const md_sim_symbol_t *s, uint32_t limit) {
  return s->recorded && limit >= 1000 && s->recorded_id + 1 >= s->needed_id;
}

static void
depth_from_book(md_sim_t *sim, md_sim_symbol_t *s, uint32_t limit, md_sim_answer_t *out) {
  const md_sim_book_t *book = &s->book;
  uint64_t             id   = book->id;
  if (sim->lag == MD_SIM_LAG_AFTER && sim->record) {
    const md_sim_book_t *ahead = md_sim_record_ahead(sim->record, s);
    if (ahead) book = ahead;
    id = book->id;
  } else if (sim->lag == MD_SIM_LAG_BEFORE && s->answer_cnt == 0 && s->first_id > 2) {
    id = s->first_id - 2;
  } else if (sim->lag == MD_SIM_LAG_INSIDE) {
    out->due_ns += INSIDE_NS;
    out->symbol    = s;
    out->behind_id = id;
  } else if (sim->lag == MD_SIM_LAG_MS) {
    out->due_ns += sim->lag_ms * 1000000;
  }
  md_sim_book_body(book, id, limit, &out->body);
  s->answer_cnt++;
}

static void
depth(md_sim_t *sim, const char *query, md_sim_answer_t *out) {
  uint32_t limit;
  if (!limit_of(query, 100, MD_SIM_REST_LEVELS, &limit)) {
    if (weigh(sim, 5, out))
      refuse(out, 400, -1100, "Illegal characters found in parameter 'limit'.");
    return;
  }
  if (!weigh(sim, depth_weight(limit), out)) return;
  md_sim_symbol_t *s = symbol_of(sim, query, out);
  if (!s) return;
  if (sim->faults && md_sim_fault_on_depth(sim, out)) return;
  if (sim->lag == MD_SIM_LAG_RECORDED && recorded_helps(s, limit)) {
    md_sim_text_add(&out->body, s->recorded, s->recorded_len);
    s->answer_cnt++;
  } else if (s->book.valid) {
    depth_from_book(sim, s, limit, out);
  } else { /* the recording does not say what the book is now */
    refuse(out, 503, -1008,
           "Server is currently overloaded with other requests. Please try again "
           "in a few minutes.");
  }
}

/* ---- the rest ---- */

static void
exchange_info(md_sim_t *sim, const char *query, md_sim_answer_t *out) {
  const char      *text;
  size_t           len;
  md_sim_symbol_t *one;
  if (!weigh(sim, 20, out)) return;
  if (md_sim_query(query, "symbol", &text, &len)) {
    one = symbol_of(sim, query, out);
    if (one) md_sim_rest_exchange_info(sim, &one, 1, &out->body);
    return;
  }
  if (!md_sim_query(query, "symbols", &text, &len)) {
    if (sim->exchange_info && !sim->lists)
      md_sim_text_add(&out->body, sim->exchange_info, sim->exchange_info_len);
    else
      md_sim_rest_exchange_info(sim, sim->symbols, sim->symbol_cnt, &out->body);
    return;
  }
  /* ["BTCUSDT","ETHUSDT"] */
  md_sim_symbol_t **list = md_sim_alloc(MD_SIM_SYMBOLS_MAX, sizeof(md_sim_symbol_t *));
  uint32_t          cnt  = 0;
  const char       *end  = text + len;
  bool              bad  = len < 4 || text[0] != '[' || end[-1] != ']';
  while (!bad && cnt < MD_SIM_SYMBOLS_MAX) {
    const char *begin = memchr(text, '"', (size_t)(end - text));
    if (!begin) break;
    const char *close = memchr(begin + 1, '"', (size_t)(end - begin - 1));
    bad = !close || !(one = md_sim_symbol(sim, begin + 1, (size_t)(close - begin - 1)));
    if (!bad) list[cnt++] = one;
    if (!bad) text = close + 1;
  }
  if (bad)
    refuse(out, 400, -1121, "Invalid symbol.");
  else
    md_sim_rest_exchange_info(sim, list, cnt, &out->body);
  free(list);
}

/* Its first update may lie partly within a snapshot; one that begins later is behind it for sure.
 */
bool
md_sim_answer_is_due(const md_sim_answer_t *a, int64_t now_ns) {
  return now_ns >= a->due_ns || (a->symbol && a->symbol->event_first > a->behind_id + 1);
}

static void
answer(md_sim_t *sim, const char *method, const char *path, const char *query,
       md_sim_answer_t *out) {
  size_t len = strlen(path);
  if (strcmp(path, "/fapi/v1/exchangeInfo") == 0 || strcmp(path, "/dapi/v1/exchangeInfo") == 0) {
    /* Clients of several markets ask all of them before any stream: here nothing else is listed. */
    if (weigh(sim, 1, out)) md_sim_rest_exchange_info(sim, NULL, 0, &out->body);
    return;
  }
  if (strncmp(path, "/api/v3/", 8) != 0 && strncmp(path, "/api/v1/", 8) != 0) {
    refuse(out, 404, -1, "There is no such path here: this exchange answers /api/v3/...");
    return;
  }
  if (strcmp(method, "GET") != 0) {
    refuse(out, 405, -1, "Request method not supported: only GET is");
    return;
  }
  const char *what = path + 8;
  if (len > 8 && strcmp(what, "depth") == 0) {
    depth(sim, query, out);
  } else if (strcmp(what, "exchangeInfo") == 0) {
    exchange_info(sim, query, out);
  } else if (strcmp(what, "ping") == 0) {
    if (weigh(sim, 1, out)) md_sim_text_str(&out->body, "{}");
  } else if (strcmp(what, "time") == 0) {
    if (weigh(sim, 1, out))
      md_sim_text_format(&out->body, "{\"serverTime\":%" PRId64 "}",
                         md_clock_real_ns(sim->clock) / 1000000);
  } else {
    refuse(out, 404, -1, "This exchange does not have that endpoint");
  }
}

void
md_sim_rest(md_sim_t *sim, const char *method, const char *path, const char *query,
            md_sim_answer_t *out) {
  *out = (md_sim_answer_t){.status = 200, .due_ns = sim->now_ns};
  answer(sim, method, path, query, out);
  md_sim_truth_request(sim->truth, sim, path, query, out->status, out->retry_after_s);
}
