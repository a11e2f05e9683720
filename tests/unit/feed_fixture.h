/* feed_fixture.h - a feed that is driven with literal frames, and every record that it makes. */
#ifndef TESTS_FEED_FIXTURE_H
#define TESTS_FEED_FIXTURE_H

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feeds/feed.h"
#include "feeds/venue.h"

#define RECORDS_MAX 4096
#define RECV_NS     1700000000000000000

typedef struct fixture {
  md_feed_t        *feed;
  md_clock_manual_t manual;
  md_clock_t        clock;
  md_metrics_t     *metrics;
  md_record_t      *records[RECORDS_MAX];
  uint32_t          cnt, seen; /* seen: records before it were looked at */
  uint32_t          request_cnt, requested_id;
  uint8_t           leg;
  int64_t           recv_ns;
  char              name[64];
} fixture_t;

static inline void
fixture_tap(void *ctx, const md_record_t *rec) {
  fixture_t *x = ctx;
  cr_assert_lt(x->cnt, RECORDS_MAX);
  cr_assert_eq(md_record_check(rec, rec->len), MD_OK);
  x->records[x->cnt] = malloc(rec->len);
  memcpy(x->records[x->cnt++], rec, rec->len);
}

static inline void
fixture_request(void *ctx, uint32_t id, const char *symbol) {
  fixture_t *x = ctx;
  cr_assert(symbol[0] != 0);
  x->request_cnt++;
  x->requested_id = id;
}

static inline md_feed_config_t
fixture_feed_config(fixture_t *x) {
  memset(x, 0, sizeof *x);
  x->manual.real_ns = RECV_NS + 5000;
  x->clock          = md_clock_manual(&x->manual);
  x->recv_ns        = RECV_NS;
  (void)snprintf(x->name, sizeof x->name, "stream.binance.com");
  cr_assert_eq(posix_memalign((void **)&x->metrics, MD_CACHE_BLOCK, sizeof *x->metrics), 0);
  memset(x->metrics, 0, sizeof *x->metrics);
  return (md_feed_config_t){.name             = "binance_spot",
                            .venue            = md_venue_find("binance_spot"),
                            .stream           = 3,
                            .raw_stream       = 4,
                            .epoch            = 9,
                            .instrument_max   = 8,
                            .level_pool_bytes = 64u << 20,
                            .sync_pool_bytes  = 64u << 20,
                            .sync_queue_bytes = 32u << 20,
                            .metrics          = x->metrics,
                            .clock            = &x->clock,
                            .next_id          = 100,
                            .request_snapshot = fixture_request,
                            .request_ctx      = x};
}

static inline void
fixture_open(fixture_t *x, const md_feed_config_t *cfg) {
  md_msg_t msg = {""};
  cr_assert_eq(md_feed_new(cfg, &x->feed, &msg), MD_OK, "%s", msg.text);
  md_feed_out(x->feed)->tap     = fixture_tap;
  md_feed_out(x->feed)->tap_ctx = x;
}

static inline void
fixture_init(fixture_t *x) {
  md_feed_config_t cfg = fixture_feed_config(x);
  fixture_open(x, &cfg);
}

static inline void
fixture_fini(fixture_t *x) {
  md_feed_delete(x->feed);
  for (uint32_t n = 0; n < x->cnt; n++)
    free(x->records[n]);
  free(x->metrics);
}

/* ---- inputs ---- */

static inline void
give(fixture_t *x, md_raw_kind_t kind, const char *name, const void *payload, size_t len) {
  /* Exactly as much room as the contract promises, so that a sanitizer sees one byte more. */
  uint8_t *copy = calloc(1, len + MD_FRAME_PAD_BYTES);
  memcpy(copy, payload, len);
  memset(copy + len, '7', MD_FRAME_PAD_BYTES);
  md_input_t in = {.kind     = kind,
                   .leg      = kind == MD_RAW_HTTP ? MD_LEG_NONE : x->leg,
                   .name     = name,
                   .name_len = (uint32_t)strlen(name),
                   .payload  = copy,
                   .len      = (uint32_t)len,
                   .recv_ns  = x->recv_ns};
  md_feed_input(x->feed, &in);
  free(copy);
}

static inline void
text(fixture_t *x, const char *frame) {
  give(x, MD_RAW_TEXT_IN, x->name, frame, strlen(frame));
}

__attribute__((format(printf, 2, 3))) static inline void
textf(fixture_t *x, const char *format, ...) {
  char    frame[4096];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(frame, sizeof frame, format, args);
  va_end(args);
  cr_assert_lt((size_t)n, sizeof frame);
  text(x, frame);
}

static inline void
connect_to(fixture_t *x, const char *url) {
  give(x, MD_RAW_CONNECT, x->name, url, strlen(url));
}

static inline void
disconnect(fixture_t *x) {
  give(x, MD_RAW_CLOSE, x->name, "gone", 4);
}

/* A book update of s with bids and asks as JSON: "[\"1.5\",\"2\"]". */
static inline void
depth(fixture_t *x, const char *s, unsigned first, unsigned last, const char *bids,
      const char *asks) {
  textf(x,
        "{\"stream\":\"%s@depth@100ms\",\"data\":{\"e\":\"depthUpdate\",\"E\":1700000000001,"
        "\"s\":\"%s\",\"U\":%u,\"u\":%u,\"b\":[%s],\"a\":[%s]}}",
        s, s, first, last, bids, asks);
}

static inline void
snapshot(fixture_t *x, const char *s, unsigned limit, unsigned id, const char *bids,
         const char *asks) {
  char url[128], body[4096];
  (void)snprintf(url, sizeof url, "https://api.binance.com/api/v3/depth?symbol=%s&limit=%u", s,
                 limit);
  (void)snprintf(body, sizeof body, "{\"lastUpdateId\":%u,\"bids\":[%s],\"asks\":[%s]}", id, bids,
                 asks);
  give(x, MD_RAW_HTTP, url, body, strlen(body));
}

static inline void
ticker(fixture_t *x, const char *s, unsigned id, const char *bid, const char *ask) {
  textf(x,
        "{\"stream\":\"%s@bookTicker\",\"data\":{\"u\":%u,\"s\":\"%s\",\"b\":\"%s\",\"B\":\"1\","
        "\"a\":\"%s\",\"A\":\"1\"}}",
        s, id, s, bid, ask);
}

static inline void
trade(fixture_t *x, const char *s, unsigned id, const char *px, const char *qty) {
  textf(x,
        "{\"stream\":\"%s@trade\",\"data\":{\"e\":\"trade\",\"E\":1700000000002,\"s\":\"%s\","
        "\"t\":%u,\"p\":\"%s\",\"q\":\"%s\",\"T\":1700000000001,\"m\":true,\"M\":true}}",
        s, s, id, px, qty);
}

/* A book with id that is VALID: bid 10 qty 1, ask 11 qty 1. */
static inline void
make_valid(fixture_t *x, const char *s, unsigned id) {
  snapshot(x, s, 5, id - 1, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  depth(x, s, id, id, "", "");
}

/* ---- what came of it ---- */

/* NULL when there is no such instrument. */
static inline const md_feed_instrument_t *
find_book(fixture_t *x, const char *s) {
  for (uint32_t n = 0; n < md_feed_instrument_cnt(x->feed); n++)
    if (strcmp(md_feed_instrument_at(x->feed, n)->symbol, s) == 0)
      return md_feed_instrument_at(x->feed, n);
  return NULL;
}

static inline const md_feed_instrument_t *
book_of(fixture_t *x, const char *s) {
  const md_feed_instrument_t *i = find_book(x, s);
  cr_assert_not_null(i, "no instrument %s", s);
  if (!i) abort(); /* not reached: the compiler does not know that criterion ends the test */
  return i;
}

static inline uint64_t
counter(const fixture_t *x, md_counter_t id) {
  return md_load_relaxed(&x->metrics->counter[id]); /* same thread */
}

static inline uint32_t
count(const fixture_t *x, md_record_type_t type) {
  uint32_t cnt = 0;
  for (uint32_t n = 0; n < x->cnt; n++)
    cnt += x->records[n]->type == type;
  return cnt;
}

/* The n-th record of a type, 0 the first. */
static inline const md_record_t *
nth(const fixture_t *x, md_record_type_t type, uint32_t n) {
  for (uint32_t k = 0; k < x->cnt; k++)
    if (x->records[k]->type == type && n-- == 0) return x->records[k];
  cr_assert_fail("no such record");
  return NULL;
}

static inline const md_record_t *
last_of(const fixture_t *x, md_record_type_t type) {
  return nth(x, type, count(x, type) - 1);
}

static inline const void *
body_of(const md_record_t *rec) {
  return md_record_body_const(rec);
}

/* The types of the records since the last call: "definition status gap ". */
static inline const char *
types(fixture_t *x) {
  static char list[1024];
  size_t      len = 0;
  list[0]         = 0;
  for (; x->seen < x->cnt; x->seen++)
    len += (size_t)snprintf(list + len, sizeof list - len, "%s ",
                            md_record_info(x->records[x->seen]->type)->name);
  return list;
}

static inline void
assert_status(const md_record_t *rec, md_book_state_t before, md_book_state_t after,
              md_reason_t reason) {
  cr_assert_eq(rec->type, MD_RECORD_STATUS);
  const md_status_t *s = body_of(rec);
  cr_assert_eq(s->subject, MD_SUBJECT_BOOK);
  cr_assert_eq(s->before, before, "before %s", md_book_state_name(s->before));
  cr_assert_eq(s->after, after, "after %s", md_book_state_name(s->after));
  cr_assert_eq(s->reason, reason, "reason %s", md_reason_name(s->reason));
}

static inline void
assert_gap(const md_record_t *rec, uint64_t last, uint64_t seen, md_reason_t reason) {
  cr_assert_eq(rec->type, MD_RECORD_GAP);
  const md_gap_t *g = body_of(rec);
  cr_assert_eq(g->exch_seq_last, last);
  cr_assert_eq(g->exch_seq_seen, seen);
  cr_assert_eq(g->reason, reason);
  cr_assert_eq(g->record_type, MD_RECORD_BOOK_DELTA);
}

static inline void
digest_of(fixture_t *x, const char *s, char out[65]) {
  const md_feed_instrument_t *i = book_of(x, s);
  md_orderbook_digest(&i->book, i->px_exp, i->qty_exp, 0, out);
}

/* The best level of a side as text, "-" when there is none. */
static inline const char *
best(fixture_t *x, const char *s, md_side_t side) {
  static char                 list[2][128];
  static unsigned             turn;
  const md_feed_instrument_t *i   = book_of(x, s);
  char                       *out = list[turn++ % 2];
  char                        px[MD_DECIMAL_BYTES], qty[MD_DECIMAL_BYTES];
  md_level_t                  l;
  if (!md_orderbook_at(&i->book, side, 0, &l)) return "-";
  md_decimal_format(l.px, i->px_exp, px, sizeof px);
  md_decimal_format(l.qty, i->qty_exp, qty, sizeof qty);
  (void)snprintf(out, 128, "%sx%s", px, qty);
  return out;
}

#endif
