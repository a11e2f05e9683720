#include "feeds/sim/sim_record.h"

#include "feeds/recording.h"
#include "feeds/sim/sim_venue.h"

#include <stdlib.h>
#include <string.h>

#define PUMP_FRAMES  2048u
#define AHEAD_EVENTS 3u

struct md_sim_record {
  md_sim_t       *sim;
  char           *path;
  md_recording_t *play, *ahead;
  md_source_t     source;
  md_sim_book_t  *ahead_books; /* by symbol */
  uint32_t       *ahead_cnt;   /* depth events that the one who runs ahead saw */
  int64_t         begin_recv_ns;
  uint64_t        frame_cnt;
};

/* ---- the first reading ---- */

/* The answer with path and query of its URL, without host. */
static md_sim_recorded_t *
keep(md_sim_record_t *r, const md_input_t *in) {
  md_sim_recorded_t *b = md_sim_alloc(1, sizeof *b + in->len + MD_FRAME_PAD_BYTES);
  memcpy(b->text, in->payload, in->len);
  b->len  = in->len;
  b->path = md_sim_alloc(1, in->name_len + 2);
  memcpy(b->path, in->name, in->name_len);
  char *host  = strstr(b->path, "://");
  char *slash = host ? strchr(host + 3, '/') : b->path;
  if (slash) memmove(b->path, slash, strlen(slash) + 1);
  b->query = strchr(b->path, '?');
  if (b->query)
    *b->query++ = 0;
  else
    b->query = b->path + strlen(b->path);
  b->next          = r->sim->recorded;
  r->sim->recorded = b;
  return b;
}

static void
scan_http(md_sim_record_t *r, const md_input_t *in) {
  const md_sim_venue_t *v = r->sim->venue;
  md_sim_recorded_t    *b = keep(r, in);
  const char           *symbol;
  size_t                len;
  md_sim_depth_t        d;
  if (!v->depth_url || !v->depth_url(b->path, b->query, &symbol, &len)) return;
  md_sim_symbol_t *s = md_sim_symbol_add(r->sim, symbol, len);
  if (!s || v->depth(r->sim, s, b->text, b->len, &d)) return;
  if (!s->recorded && md_sim_book_load(&s->book, &d)) return;
  b->symbol = s;
  b->id     = d.last;
  if (s->recorded) return; /* for the time after a hole */
  s->recorded     = b->text;
  s->recorded_len = b->len;
  s->recorded_id  = d.last;
}

static void
scan_frame(md_sim_record_t *r, const md_input_t *in) {
  md_sim_t      *sim = r->sim;
  md_sim_frame_t f;
  if (!sim->venue->frame(sim, in, &f)) return;
  md_sim_stream_t *s = md_sim_hub_stream(&sim->hub, f.name, f.name_len);
  if (!s || s->symbol_len == 0 || s->symbol_len >= MD_SIM_NAME_BYTES || s->is_known) return;
  char name[MD_SIM_NAME_BYTES];
  for (uint32_t i = 0; i < s->symbol_len; i++) {
    char ch = s->name[s->symbol_off + i];
    name[i] = sim->venue->has_lower_names && ch >= 'a' && ch <= 'z' ? (char)(ch - 32) : ch;
  }
  if (md_sim_symbol_add(sim, name, s->symbol_len)) (void)md_sim_symbol_of_stream(sim, s);
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
    if (r->sim->venue->scan) r->sim->venue->scan(r->sim, &in);
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
    md_sim_symbol_t *s = sim->symbols[i];
    md_sim_depth_t   d;
    md_sim_book_init(&r->ahead_books[i], sim->pool);
    if (!s->recorded || sim->venue->depth(sim, s, s->recorded, s->recorded_len, &d)) continue;
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
  md_recording_close(r->play);
  md_recording_close(r->ahead);
  free(r->ahead_books);
  free(r->ahead_cnt);
  free(r->path);
  free(r);
}

/* ---- playing ---- */

/* The oldest recorded answer that reaches an update; NULL when there is none. */
static const md_sim_recorded_t *
answer_for(const md_sim_record_t *r, const md_sim_symbol_t *symbol, uint64_t first) {
  const md_sim_recorded_t *best = NULL;
  for (const md_sim_recorded_t *b = r->sim->recorded; b; b = b->next)
    if (b->symbol == symbol && b->id + 1 >= first && (!best || b->id < best->id)) best = b;
  return best;
}

/* False: the event does not continue the book. */
static bool
apply(md_sim_record_t *r, md_sim_book_t *book, const md_sim_depth_t *d) {
  if (d->is_snapshot) return md_sim_book_load(book, d) == MD_OK;
  if (!book->valid) return false;
  switch (r->sim->venue->join(book->id, book->fresh, d)) {
  case MD_SIM_JOIN_OLD:
    return true;
  case MD_SIM_JOIN_NEXT:
    return md_sim_book_apply(book, d) == MD_OK;
  case MD_SIM_JOIN_HOLE:
    break;
  }
  return book->valid = false;
}

/* Brings a book up to an event. Where the recording has a hole, the book goes on from the next
 * answer that was recorded, as the recorder's own did. True: there was a hole before the event. */
static bool
advance(md_sim_record_t *r, md_sim_symbol_t *symbol, md_sim_book_t *book,
        const md_sim_depth_t *event, const md_sim_frame_t *f) {
  const md_sim_venue_t *v = r->sim->venue;
  md_sim_depth_t        d = *event;
  if (apply(r, book, &d)) return false;
  uint64_t                 first = d.has_prev ? d.prev + 1 : d.first;
  const md_sim_recorded_t *b     = symbol->recorded ? answer_for(r, symbol, first) : NULL;
  if (b && v->depth(r->sim, symbol, b->text, b->len, &d) == MD_OK &&
      md_sim_book_load(book, &d) == MD_OK && v->depth(r->sim, symbol, f->data, f->len, &d) == MD_OK)
    (void)apply(r, book, &d);
  return true;
}

/* Book and totals are brought up to a frame whether or not a fault keeps it from the clients. */
static void
follow(md_sim_record_t *r, md_sim_symbol_t *symbol, const md_sim_stream_t *s,
       const md_sim_frame_t *f) {
  md_sim_t      *sim = r->sim;
  md_sim_depth_t d;
  sim->venue->count(sim, symbol, s->kind, f->data, f->len);
  if (!md_sim_is_book(s->kind) || sim->venue->depth(sim, symbol, f->data, f->len, &d)) return;
  uint64_t first = d.has_prev ? d.prev + 1 : d.first;
  if (advance(r, symbol, &symbol->book, &d, f)) symbol->needed_id = first;
  md_sim_depth_happened(sim, symbol, first, d.last);
}

static void
send_as(md_sim_t *sim, md_sim_symbol_t *symbol, const md_sim_stream_t *from, md_sim_stream_t *to,
        const md_sim_frame_t *f) {
  if (!sim->venue->rewrite) {
    md_sim_send(sim, symbol, to, f->data, f->len);
    return;
  }
  md_sim_text_clear(&sim->text);
  if (sim->venue->rewrite(sim, symbol, from, to, f->data, f->len, &sim->text))
    md_sim_send(sim, symbol, to, sim->text.p, sim->text.len);
}

/* A recording has one cadence of a book: who follows the other one gets what was recorded. */
static void
send(md_sim_t *sim, md_sim_symbol_t *symbol, md_sim_stream_t *s, const md_sim_frame_t *f) {
  bool             is_book = symbol && md_sim_is_book(s->kind);
  md_sim_kind_t    kind    = s->kind == MD_SIM_BOOK ? MD_SIM_BOOK_FAST : MD_SIM_BOOK;
  md_sim_stream_t *other   = is_book ? symbol->stream[kind] : NULL;
  if (other && other->conn_cnt == 0) other = NULL;
  if (other) send_as(sim, symbol, s, other, f);
  if (!other || s->conn_cnt) send_as(sim, symbol, s, s, f);
}

md_err_t
md_sim_record_pump(md_sim_record_t *r, int64_t *due_ns, md_msg_t *msg) {
  md_sim_t      *sim = r->sim;
  md_input_t     in;
  md_sim_frame_t f;
  *due_ns = sim->now_ns;
  for (unsigned i = 0; i < PUMP_FRAMES; i++) {
    md_err_t err = r->source.next(r->source.ctx, &in, due_ns, msg);
    if (err == MD_ERR_EMPTY) return MD_OK;
    if (err) return err;
    if (!r->begin_recv_ns) r->begin_recv_ns = in.recv_ns;
    if (in.recv_ns - r->begin_recv_ns > sim->played_ns)
      sim->played_ns = in.recv_ns - r->begin_recv_ns;
    sim->time_ms = in.recv_ns / 1000000;
    if (!sim->venue->frame(sim, &in, &f)) continue;
    md_sim_stream_t *s = md_sim_hub_stream(&sim->hub, f.name, f.name_len);
    if (!s) continue;
    r->frame_cnt++;
    md_sim_symbol_t *symbol = md_sim_symbol_of_stream(sim, s);
    if (symbol) follow(r, symbol, s, &f);
    send(sim, symbol, s, &f);
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
  md_source_t    source = md_recording_source(r->ahead);
  md_input_t     in;
  md_sim_frame_t f;
  int64_t        due;
  while (r->ahead_cnt[idx] < symbol->depth_cnt + AHEAD_EVENTS &&
         source.next(source.ctx, &in, &due, NULL) == MD_OK) {
    if (!sim->venue->frame(sim, &in, &f)) continue;
    md_sim_stream_t *s = md_sim_hub_stream(&sim->hub, f.name, f.name_len);
    if (!s || !md_sim_is_book(s->kind)) continue;
    md_sim_symbol_t *of = md_sim_symbol_of_stream(sim, s);
    md_sim_depth_t   d;
    uint32_t         n = 0;
    while (n < sim->symbol_cnt && sim->symbols[n] != of)
      n++;
    if (n == sim->symbol_cnt || sim->venue->depth(sim, of, f.data, f.len, &d)) continue;
    r->ahead_cnt[n]++;
    (void)advance(r, of, &r->ahead_books[n], &d, &f);
  }
  return r->ahead_books[idx].valid ? &r->ahead_books[idx] : NULL;
}
