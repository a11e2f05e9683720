/* REST of OKX: what the engine and common clients ask. Limits are by endpoint, in any two seconds,
 * unless the run has none. */
#include "feeds/json.h"
#include "feeds/sim/sim_fault.h"
#include "feeds/sim/sim_okx.h"

#include <string.h>

#define WINDOW_NS   2000000000
#define FULL_LEVELS 5000u
#define RATIO_MS    300000
#define RATIOS_MAX  100u

typedef md_sim_okx_slice_t slice_t;

enum { LIMIT_INSTRUMENTS, LIMIT_BOOKS, LIMIT_OTHER, LIMIT_NONE };

/* ---- answers ---- */

void
md_sim_okx_refuse(md_sim_answer_t *out, unsigned status) {
  const bool is_busy = status == 429 || status == 418;
  const bool is_down = status == 503;
  md_sim_text_format(&out->body, "{\"code\":\"%s\",\"data\":[],\"msg\":\"%s\"}",
                     is_busy   ? "50011"
                     : is_down ? "50001"
                               : "50000",
                     is_busy   ? "Too Many Requests"
                     : is_down ? "Service temporarily unavailable. Please try again later"
                               : "Request method or path not supported.");
}

static void
fail(md_sim_answer_t *out, unsigned code, const char *msg) {
  md_sim_text_clear(&out->body);
  out->status = 400;
  md_sim_text_format(&out->body, "{\"code\":\"%u\",\"data\":[],\"msg\":\"%s\"}", code, msg);
}

static void
open_data(md_sim_answer_t *out) {
  md_sim_text_str(&out->body, "{\"code\":\"0\",\"msg\":\"\",\"data\":[");
}

static void
close_data(md_sim_answer_t *out) {
  md_sim_text_str(&out->body, "]}");
}

/* An element of data, with a comma where it is not the first. */
static void
next(md_sim_answer_t *out) {
  if (out->body.p[out->body.len - 1] != '[') md_sim_text_str(&out->body, ",");
}

/* ---- requests ---- */

typedef struct request {
  md_sim_t        *sim;
  const char      *path; /* behind /api/v5/ */
  const char      *query;
  md_sim_answer_t *out;
} request_t;

static slice_t
param(const request_t *r, const char *name) {
  slice_t v = {0};
  if (!md_sim_query(r->query, name, &v.p, &v.len) || v.len == 0) return (slice_t){0};
  return v;
}

static bool
same(slice_t a, slice_t b) {
  return a.p && b.p && a.len == b.len && memcmp(a.p, b.p, a.len) == 0;
}

static bool
is_within(const request_t *r, unsigned which) {
  static const uint32_t max[] = {20, 40, 20};
  if (which == LIMIT_NONE || r->sim->weight_max == 0) return true;
  md_sim_okx_window_t *w = &md_sim_okx(r->sim)->windows[which];
  if (r->sim->now_ns - w->begin_ns >= WINDOW_NS)
    *w = (md_sim_okx_window_t){.begin_ns = r->sim->now_ns};
  if (++w->cnt <= max[which]) return true;
  md_sim_refuse(r->sim, r->out, 429);
  return false;
}

/* The instrument that is asked for; refused when it is missing or unknown. */
static md_sim_symbol_t *
symbol_of(const request_t *r) {
  const slice_t    id     = param(r, "instId");
  md_sim_symbol_t *symbol = id.p ? md_sim_symbol(r->sim, id.p, id.len) : NULL;
  if (symbol && !symbol->is_unlisted) return symbol;
  if (id.p)
    fail(r->out, 51001, "Instrument ID, Instrument ID code, or Spread ID doesn't exist.");
  else
    fail(r->out, 50014, "Parameter instId cannot be empty.");
  return NULL;
}

/* ---- instruments ---- */

typedef struct filter {
  slice_t type, family, id;
} filter_t;

static bool
fits(const filter_t *f, slice_t type, slice_t family, slice_t id) {
  return same(f->type, type) && (!f->family.p || same(f->family, family)) &&
         (!f->id.p || same(f->id, id));
}

static slice_t
slice(const char *text) {
  return (slice_t){text, strlen(text)};
}

static void
rows_of_symbols(const request_t *r, const filter_t *f) {
  for (uint32_t n = 0; n < r->sim->symbol_cnt; n++) {
    const md_sim_symbol_t         *s = r->sim->symbols[n];
    const md_sim_okx_instrument_t *i = &md_sim_okx_symbol(s)->instrument;
    if (s->is_unlisted && !s->is_over) continue;
    if (!fits(f, slice(md_sim_okx_types[i->type]), slice(i->pair), slice(s->name))) continue;
    next(r->out);
    md_sim_okx_instrument_row(s, &r->out->body);
  }
}

static slice_t
member(slice_t row, const char *name) {
  const uint8_t *p;
  uint32_t       len;
  if (md_json_member((const uint8_t *)row.p, (uint32_t)row.len, name, &p, &len) || len < 2)
    return (slice_t){0};
  return (slice_t){(const char *)p + 1, len - 2};
}

/* Rows that were recorded keep their text. */
static bool
rows_of_recording(const request_t *r, const filter_t *f) {
  bool found = false;
  for (const md_sim_recorded_t *b = r->sim->recorded; b; b = b->next) {
    const uint8_t *p;
    uint32_t       len;
    if (strcmp(b->path, "/api/v5/public/instruments") != 0) continue;
    if (md_sim_recorded_find(r->sim, b->path, b->query) != b) continue; /* asked for again */
    if (md_json_member((const uint8_t *)b->text, (uint32_t)b->len, "data", &p, &len)) continue;
    md_json_t j;
    md_json_init(&j, p, len);
    md_json_array_begin(&j);
    while (md_json_element(&j)) {
      slice_t  row;
      uint32_t row_len = 0;
      if (!md_json_slice(&j, &p, &row_len)) break;
      row            = (slice_t){(const char *)p, row_len};
      slice_t family = member(row, "instFamily");
      if (!family.len) family = member(row, "uly");
      if (!fits(f, member(row, "instType"), family, member(row, "instId"))) continue;
      next(r->out);
      md_sim_text_add(&r->out->body, row.p, row.len);
      found = true;
    }
  }
  return found;
}

static void
instruments(const request_t *r) {
  filter_t f = {param(r, "instType"), param(r, "instFamily"), param(r, "instId")};
  if (!f.family.p) f.family = param(r, "uly");
  if (!f.type.p) {
    fail(r->out, 50014, "Parameter instType cannot be empty.");
    return;
  }
  if (md_sim_okx_is(f.type, "OPTION") && !f.family.p) {
    fail(r->out, 50014, "Parameter instFamily cannot be empty.");
    return;
  }
  if (r->sim->faults && md_sim_fault_on_depth(r->sim, r->out)) return;
  open_data(r->out);
  if (r->sim->lists || !rows_of_recording(r, &f)) rows_of_symbols(r, &f);
  close_data(r->out);
}

/* ---- books ---- */

static void
books(const request_t *r, uint32_t max) {
  uint32_t         limit;
  uint64_t         id;
  md_sim_symbol_t *s = symbol_of(r);
  if (!s) return;
  if (!md_sim_query_number(r->query, "sz", 1, max, &limit)) {
    fail(r->out, 51000, "Parameter sz error");
    return;
  }
  if (!md_sim_rest_book(r->sim, s, false, r->out, &id)) return;
  open_data(r->out);
  md_sim_text_str(&r->out->body, "{");
  md_sim_okx_sides(s, limit, &r->out->body);
  md_sim_text_format(&r->out->body, ",\"ts\":\"%" PRId64 "\"", md_sim_okx_now_ms(r->sim));
  /* The ids that a recording without any is played with are known to nobody. */
  if (s->listing || r->sim->gives_ids || md_sim_okx_symbol(s)->book.seq != MD_SIM_OKX_NO_SEQ)
    md_sim_text_format(&r->out->body, ",\"seqId\":%" PRIu64, id);
  md_sim_text_str(&r->out->body, "}");
  close_data(r->out);
}

/* ---- what streams say too ---- */

/* The elements of data of what the stream says now. */
static void
add_from_stream(const request_t *r, const md_sim_symbol_t *s, md_sim_kind_t kind) {
  static const char data[] = "\"data\":[";
  if (!s->listing || !md_sim_okx_write(r->sim, s->listing, kind)) return;
  const md_sim_text_t *t  = &r->sim->text;
  const char          *at = memmem(t->p, t->len, data, sizeof data - 1);
  if (!at) return;
  at += sizeof data - 1;
  next(r->out);
  md_sim_text_add(&r->out->body, at, (size_t)(t->p + t->len - at) - 2);
}

static void
of_one(const request_t *r, md_sim_kind_t kind) {
  const md_sim_symbol_t *s = symbol_of(r);
  if (!s) return;
  open_data(r->out);
  add_from_stream(r, s, kind);
  close_data(r->out);
}

static void
of_type(const request_t *r, md_sim_kind_t kind) {
  const slice_t type = param(r, "instType"), id = param(r, "instId");
  open_data(r->out);
  for (uint32_t n = 0; n < r->sim->symbol_cnt; n++) {
    const md_sim_symbol_t         *s = r->sim->symbols[n];
    const md_sim_okx_instrument_t *i = &md_sim_okx_symbol(s)->instrument;
    if (s->is_unlisted || !same(type, slice(md_sim_okx_types[i->type]))) continue;
    if (!id.p || same(id, slice(s->name))) add_from_stream(r, s, kind);
  }
  close_data(r->out);
}

/* Families of options: [["BTC-USD","ETH-USD"]]. */
static void
underlying(const request_t *r) {
  const slice_t type = param(r, "instType");
  open_data(r->out);
  md_sim_text_str(&r->out->body, "[");
  for (uint32_t n = 0; n < r->sim->symbol_cnt; n++) {
    const md_sim_okx_instrument_t *i = &md_sim_okx_symbol(r->sim->symbols[n])->instrument;
    if (!same(type, slice(md_sim_okx_types[i->type]))) continue;
    bool is_told = false;
    for (uint32_t k = 0; k < n && !is_told; k++) {
      const md_sim_okx_instrument_t *o = &md_sim_okx_symbol(r->sim->symbols[k])->instrument;
      is_told                          = o->type == i->type && strcmp(o->pair, i->pair) == 0;
    }
    if (is_told) continue;
    next(r->out);
    md_sim_text_quote(&r->out->body, i->pair, strlen(i->pair));
  }
  md_sim_text_str(&r->out->body, "]");
  close_data(r->out);
}

/* [["time","ratio"],...], the newest first: one for every five minutes, made of time and name. */
static void
ratios(const request_t *r) {
  uint32_t               cnt;
  const md_sim_symbol_t *s = symbol_of(r);
  if (!s) return;
  if (!md_sim_query_number(r->query, "limit", RATIOS_MAX, RATIOS_MAX, &cnt)) {
    fail(r->out, 51000, "Parameter limit error");
    return;
  }
  if (r->sim->faults && md_sim_fault_on_depth(r->sim, r->out)) return;
  const int64_t slot = md_clock_real_ns(r->sim->clock) / 1000000 / RATIO_MS;
  const int64_t salt = (int64_t)strlen(r->path) * 31 + s->name[0] + (int64_t)s->len;
  open_data(r->out);
  for (uint32_t n = 0; n < cnt; n++) {
    const int64_t at = slot - n;
    next(r->out);
    md_sim_text_format(&r->out->body, "[\"%" PRId64 "\",\"%" PRId64 ".%04" PRId64 "\"]",
                       at * RATIO_MS, 1 + (at + salt) % 3, (at * 7919 + salt * 104729) % 10000);
  }
  close_data(r->out);
}

static void
server_time(const request_t *r) {
  open_data(r->out);
  md_sim_text_format(&r->out->body, "{\"ts\":\"%" PRId64 "\"}",
                     md_clock_real_ns(r->sim->clock) / 1000000);
  close_data(r->out);
}

/* ---- routes ---- */

static bool
is_path(const request_t *r, const char *path) {
  return strcmp(r->path, path) == 0;
}

static unsigned
limit_of(const request_t *r) {
  if (is_path(r, "public/instruments")) return LIMIT_INSTRUMENTS;
  if (is_path(r, "market/books")) return LIMIT_BOOKS;
  return strncmp(r->path, "rubik/", 6) == 0 ? LIMIT_NONE : LIMIT_OTHER;
}

static void
answer(const request_t *r) {
  if (!is_within(r, limit_of(r))) return;
  if (is_path(r, "public/instruments"))
    instruments(r);
  else if (is_path(r, "market/books"))
    books(r, MD_SIM_OKX_LEVELS);
  else if (is_path(r, "market/books-full"))
    books(r, FULL_LEVELS);
  else if (is_path(r, "public/time"))
    server_time(r);
  else if (is_path(r, "public/underlying"))
    underlying(r);
  else if (is_path(r, "market/ticker"))
    of_one(r, MD_SIM_TICKER);
  else if (is_path(r, "market/tickers"))
    of_type(r, MD_SIM_TICKER);
  else if (is_path(r, "market/candles"))
    of_one(r, MD_SIM_KLINE_1M);
  else if (is_path(r, "public/funding-rate"))
    of_one(r, MD_SIM_FUNDING);
  else if (is_path(r, "public/open-interest"))
    of_type(r, MD_SIM_OPEN_INTEREST);
  else if (is_path(r, "public/mark-price"))
    of_type(r, MD_SIM_MARK);
  else if (strncmp(r->path, "rubik/stat/contracts/long-short-", 32) == 0)
    ratios(r);
  else
    md_sim_refuse(r->sim, r->out, 404);
}

void
md_sim_okx_rest(md_sim_t *sim, const char *method, const char *path, const char *query,
                md_sim_answer_t *out) {
  static const char root[] = "/api/v5/";
  const size_t      len    = sizeof root - 1;
  if (strncmp(path, root, len) != 0) {
    md_sim_refuse(sim, out, 404);
  } else if (strcmp(method, "GET") != 0) {
    md_sim_refuse(sim, out, 405);
  } else {
    const request_t r = {sim, path + len, query, out};
    answer(&r);
  }
}
