#include "feeds/sim/sim_record.h"

#include "feeds/json.h"
#include "feeds/recording.h"
#include "feeds/sim/sim_control.h"

#include <stdlib.h>
#include <string.h>

#define PUMP_FRAMES  2048u
#define AHEAD_EVENTS 3u

typedef struct body {
  struct body           *next;
  const md_sim_symbol_t *symbol; /* of a depth answer, else NULL */
  uint64_t               id;     /* and its lastUpdateId */
  size_t                 len;
  char                   text[];
} body_t;

struct md_sim_record {
  md_sim_t       *sim;
  char           *path;
  md_recording_t *play, *ahead;
  md_source_t     source;
  body_t         *bodies;
  md_sim_book_t  *ahead_books; /* by symbol */
  uint32_t       *ahead_cnt;   /* depth events that the one who runs ahead saw */
  int64_t         begin_recv_ns;
  uint64_t        frame_cnt;
};

/* A frame of the recording: name of its stream and its payload. */
typedef struct frame {
  char        name[256];
  size_t      name_len;
  const char *data;
  size_t      len;
} frame_t;

/* ---- frames ---- */

/* {"stream":"name","data":{...}} */
static bool
split_combined(const char *p, size_t len, frame_t *f) {
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
name_raw(const char *p, size_t len, frame_t *f) {
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

static bool
frame_of(const md_input_t *in, frame_t *f) {
  const char *p = (const char *)in->payload;
  return in->kind == MD_RAW_TEXT_IN && (split_combined(p, in->len, f) || name_raw(p, in->len, f));
}

/* ---- the first reading ---- */

static body_t *
keep(md_sim_record_t *r, const md_input_t *in) {
  body_t *b = md_sim_alloc(1, sizeof *b + in->len + MD_FRAME_PAD_BYTES);
  memcpy(b->text, in->payload, in->len);
  b->len    = in->len;
  b->next   = r->bodies;
  r->bodies = b;
  return b;
}

static void
scan_http(md_sim_record_t *r, const md_input_t *in) {
  char        url[1024];
  const char *symbol;
  size_t      len;
  if (in->name_len >= sizeof url) return;
  memcpy(url, in->name, in->name_len);
  url[in->name_len] = 0;
  char *query       = strchr(url, '?');
  if (query) *query++ = 0;
  size_t path_len = strlen(url);
  if (path_len > 13 && strcmp(url + path_len - 13, "/exchangeInfo") == 0 && !query) {
    body_t *b                 = keep(r, in);
    r->sim->exchange_info     = b->text;
    r->sim->exchange_info_len = b->len;
    return;
  }
  if (path_len < 6 || strcmp(url + path_len - 6, "/depth") != 0) return;
  if (!query || !md_sim_query(query, "symbol", &symbol, &len)) return;
  md_sim_symbol_t *s = md_sim_symbol_add(r->sim, symbol, len);
  md_sim_depth_t   d;
  if (!s || md_sim_depth_parse((const char *)in->payload, in->len, &d)) return;
  if (!s->recorded && md_sim_book_load(&s->book, &d)) return;
  body_t *b = keep(r, in);
  b->symbol = s;
  b->id     = d.last;
  if (s->recorded) return; /* for the time after a hole */
  s->recorded     = b->text;
  s->recorded_len = b->len;
  s->recorded_id  = d.last;
}

static void
scan_frame(md_sim_record_t *r, const md_input_t *in) {
  frame_t f;
  if (!frame_of(in, &f)) return;
  md_sim_stream_t *s = md_sim_hub_stream(&r->sim->hub, f.name, f.name_len);
  if (!s || s->symbol_len == 0 || s->symbol_len >= MD_SIM_NAME_BYTES || s->is_known) return;
  char name[MD_SIM_NAME_BYTES];
  for (uint32_t i = 0; i < s->symbol_len; i++)
    name[i] = s->name[i] >= 'a' && s->name[i] <= 'z' ? (char)(s->name[i] - 32) : s->name[i];
  if (md_sim_symbol_add(r->sim, name, s->symbol_len)) (void)md_sim_symbol_of_stream(r->sim, s);
}

static md_err_t
scan(md_sim_record_t *r, md_msg_t *msg) {
  md_recording_t *first = NULL;
  md_input_t      in;
  int64_t         due;
  md_err_t        err = md_recording_open(r->path, 0, NULL, &first, msg);
  if (err) return err;
  md_source_t source = md_recording_source(first);
  while ((err = source.next(source.ctx, &in, &due, msg)) == MD_OK) {
    if (in.kind == MD_RAW_HTTP)
      scan_http(r, &in);
    else
      scan_frame(r, &in);
  }
  md_recording_close(first);
  return err == MD_ERR_END ? MD_OK : err;
}

md_err_t
md_sim_record_open(md_sim_t *sim, const char *path, uint32_t speed_permille, md_sim_record_t **out,
                   md_msg_t *msg) {
  md_sim_record_t *r = md_sim_alloc(1, sizeof *r);
  r->sim             = sim;
  r->path            = strdup(path);
  md_assert(r->path != NULL);
  md_err_t err = scan(r, msg);
  if (!err) err = md_recording_open(path, speed_permille, sim->clock, &r->play, msg);
  if (!err && sim->lag == MD_SIM_LAG_AFTER) err = md_recording_open(path, 0, NULL, &r->ahead, msg);
  if (err) {
    md_sim_record_close(r);
    return err;
  }
  r->source      = md_recording_source(r->play);
  r->ahead_books = md_sim_alloc(sim->symbol_cnt, sizeof *r->ahead_books);
  r->ahead_cnt   = md_sim_alloc(sim->symbol_cnt, sizeof *r->ahead_cnt);
  for (uint32_t i = 0; i < sim->symbol_cnt; i++) {
    const md_sim_symbol_t *s = sim->symbols[i];
    md_sim_depth_t         d;
    md_sim_book_init(&r->ahead_books[i], sim->pool);
    if (!s->recorded || md_sim_depth_parse(s->recorded, s->recorded_len, &d)) continue;
    if (md_sim_book_load(&r->ahead_books[i], &d)) r->ahead_books[i].valid = false;
  }
  *out = r;
  return MD_OK;
}

void
md_sim_record_close(md_sim_record_t *r) {
  if (!r) return;
  for (uint32_t i = 0; r->ahead_books && i < r->sim->symbol_cnt; i++)
    md_sim_book_free(&r->ahead_books[i]);
  while (r->bodies) {
    body_t *next = r->bodies->next;
    free(r->bodies);
    r->bodies = next;
  }
  md_recording_close(r->play);
  md_recording_close(r->ahead);
  free(r->ahead_books);
  free(r->ahead_cnt);
  free(r->path);
  free(r);
}

/* ---- playing ---- */

static void
count_trade(md_sim_totals_t *t, const char *data, size_t len) {
  md_json_t      j;
  const uint8_t *key;
  uint32_t       key_len;
  int64_t        qty = 0;
  md_err_t       err = MD_OK;
  md_json_init(&j, (const uint8_t *)data, len);
  md_json_object_begin(&j);
  while (!err && md_json_key(&j, &key, &key_len)) {
    if (md_json_is(key, key_len, "q"))
      err = md_json_mantissa(&j, MD_SIM_EXP, &qty);
    else
      md_json_skip(&j);
  }
  if (err || md_json_finish(&j)) return;
  t->cnt++;
  t->qty_sum += qty;
}

/* The oldest recorded answer that reaches an update; NULL when there is none. */
static const body_t *
answer_for(const md_sim_record_t *r, const md_sim_symbol_t *symbol, uint64_t first) {
  const body_t *best = NULL;
  for (const body_t *b = r->bodies; b; b = b->next)
    if (b->symbol == symbol && b->id + 1 >= first && (!best || b->id < best->id)) best = b;
  return best;
}

/* Brings a book up to a depth event. Where the recording has a hole, the book goes on from the next
 * answer that was recorded, as the recorder's own did. True: there was a hole before the event. */
static bool
advance(md_sim_record_t *r, const md_sim_symbol_t *symbol, md_sim_book_t *book,
        const md_sim_depth_t *event, const frame_t *f) {
  md_sim_depth_t d = *event;
  if (book->valid && md_sim_book_apply(book, &d) == MD_OK) return false;
  const body_t *b = symbol->recorded ? answer_for(r, symbol, d.first) : NULL;
  if (b && md_sim_depth_parse(b->text, b->len, &d) == MD_OK &&
      md_sim_book_load(book, &d) == MD_OK && md_sim_depth_parse(f->data, f->len, &d) == MD_OK &&
      md_sim_book_apply(book, &d) != MD_OK)
    book->valid = false;
  return true;
}

/* Book and totals are brought up to a frame whether or not a fault keeps it from the clients. */
static void
follow(md_sim_record_t *r, md_sim_symbol_t *symbol, const md_sim_stream_t *s, const frame_t *f) {
  md_sim_t      *sim = r->sim;
  md_sim_depth_t d;
  if (s->kind == MD_SIM_TRADE) count_trade(&symbol->trades, f->data, f->len);
  if (s->kind == MD_SIM_AGG_TRADE) count_trade(&symbol->agg_trades, f->data, f->len);
  if (s->kind != MD_SIM_DEPTH_100 || md_sim_depth_parse(f->data, f->len, &d)) return;
  if (advance(r, symbol, &symbol->book, &d, f)) symbol->needed_id = d.first;
  md_sim_depth_happened(sim, symbol, d.first, d.last);
}

md_err_t
md_sim_record_pump(md_sim_record_t *r, int64_t *due_ns, md_msg_t *msg) {
  md_sim_t  *sim = r->sim;
  md_input_t in;
  frame_t    f;
  *due_ns = sim->now_ns;
  for (unsigned i = 0; i < PUMP_FRAMES; i++) {
    md_err_t err = r->source.next(r->source.ctx, &in, due_ns, msg);
    if (err == MD_ERR_EMPTY) return MD_OK;
    if (err) return err;
    if (!r->begin_recv_ns) r->begin_recv_ns = in.recv_ns;
    if (in.recv_ns - r->begin_recv_ns > sim->played_ns)
      sim->played_ns = in.recv_ns - r->begin_recv_ns;
    sim->time_ms = in.recv_ns / 1000000;
    if (!frame_of(&in, &f)) continue;
    md_sim_stream_t *s = md_sim_hub_stream(&sim->hub, f.name, f.name_len);
    if (!s) continue;
    r->frame_cnt++;
    md_sim_symbol_t *symbol = md_sim_symbol_of_stream(sim, s);
    if (symbol) follow(r, symbol, s, &f);
    md_sim_send(sim, symbol, s, f.data, f.len);
  }
  *due_ns = sim->now_ns;
  return MD_OK;
}

uint64_t
md_sim_record_frame_cnt(const md_sim_record_t *r) {
  return r->frame_cnt;
}

const md_sim_book_t *
md_sim_record_ahead(md_sim_record_t *r, const md_sim_symbol_t *symbol) {
  md_sim_t *sim = r->sim;
  uint32_t  idx = 0;
  while (idx < sim->symbol_cnt && sim->symbols[idx] != symbol)
    idx++;
  if (idx == sim->symbol_cnt || !r->ahead) return NULL;
  md_source_t source = md_recording_source(r->ahead);
  md_input_t  in;
  frame_t     f;
  int64_t     due;
  while (r->ahead_cnt[idx] < symbol->depth_cnt + AHEAD_EVENTS &&
         source.next(source.ctx, &in, &due, NULL) == MD_OK) {
    if (!frame_of(&in, &f)) continue;
    md_sim_stream_t *s = md_sim_hub_stream(&sim->hub, f.name, f.name_len);
    if (!s || s->kind != MD_SIM_DEPTH_100) continue;
    const md_sim_symbol_t *of = md_sim_symbol_of_stream(sim, s);
    md_sim_depth_t         d;
    uint32_t               n = 0;
    while (n < sim->symbol_cnt && sim->symbols[n] != of)
      n++;
    if (n == sim->symbol_cnt || md_sim_depth_parse(f.data, f.len, &d)) continue;
    r->ahead_cnt[n]++;
    (void)advance(r, of, &r->ahead_books[n], &d, &f);
  }
  return r->ahead_books[idx].valid ? &r->ahead_books[idx] : NULL;
}
