#include "bench/source.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feeds/venue.h"

#define SEED          20240809u
#define CORPUS_CNT    256u
#define LEVEL_CNT     37u
#define SNAPSHOT_ID   50093239212ull
#define ID_DIGITS     11
#define MESSAGE_BYTES (6u << 10)
#define LEVEL_BYTES   (9ull << 13) /* of one instrument's own book, room to grow included */
#define THIN_CNT      20u
#define NAME          "stream.binance.com:9443"

/* Puts the symbol and the ids of an instrument's next update into a copy of a message. */
static bool
address(char *text, uint32_t instrument, uint64_t first, uint64_t last) {
  char  symbol[MD_BENCH_SYMBOL_LEN + 1], id[ID_DIGITS + 8];
  char *s = strstr(text, "\"s\":\""), *from = strstr(text, "\"U\":"), *to = strstr(text, "\"u\":");
  char *stream = strstr(text, "\"stream\":\"");
  if (!s || !from || !to || !stream) return false;
  md_bench_symbol(instrument, symbol);
  memcpy(s + 5, symbol, MD_BENCH_SYMBOL_LEN);
  for (unsigned n = 0; n < MD_BENCH_SYMBOL_LEN; n++)
    stream[10 + n] = (char)tolower((unsigned char)symbol[n]);
  (void)snprintf(id, sizeof id, "%011llu", (unsigned long long)first);
  memcpy(from + 4, id, ID_DIGITS);
  (void)snprintf(id, sizeof id, "%011llu", (unsigned long long)last);
  memcpy(to + 4, id, ID_DIGITS);
  return true;
}

static void
fill_one(md_bench_source_t *s, uint32_t at, uint32_t instrument) {
  uint32_t n    = s->next++ % s->corpus.cnt;
  uint8_t *text = s->batch.bytes + (size_t)at * MESSAGE_BYTES;
  uint64_t last = s->last_id[instrument];
  memcpy(text, s->corpus.text[n], s->corpus.len[n] + MD_FRAME_PAD_BYTES);
  bool good = address((char *)text, instrument, last + 1, last + LEVEL_CNT);
  md_assert(good);
  s->last_id[instrument] = last + LEVEL_CNT;
  s->batch.input[at]     = (md_input_t){.kind     = MD_RAW_TEXT_IN,
                                        .name     = NAME,
                                        .name_len = sizeof NAME - 1,
                                        .payload  = text,
                                        .len      = s->corpus.len[n],
                                        .recv_ns  = md_clock_real_ns(md_clock_system())};
}

void
md_bench_source_fill(md_bench_source_t *s, uint32_t cnt) {
  for (uint32_t i = 0; i < MD_BENCH_BATCH_CNT; i++)
    fill_one(s, i, md_bench_below(&s->random, cnt));
}

void
md_bench_source_next(md_bench_source_t *s, uint32_t i) {
  for (uint32_t ahead = i == 0 ? 1 : MD_FEED_AHEAD_MAX; ahead <= MD_FEED_AHEAD_MAX; ahead++) {
    const md_input_t *in = i + ahead < MD_BENCH_BATCH_CNT ? &s->batch.input[i + ahead] : NULL;
    md_feed_expect_next(s->feed, in ? in->payload : NULL, in ? in->len : 0, ahead);
  }
  md_feed_input(s->feed, &s->batch.input[i]);
  if (i + 1 == MD_BENCH_BATCH_CNT) md_feed_publish(s->feed);
}

static void
give_snapshot(md_bench_source_t *s, uint32_t instrument, const char *text, uint32_t len) {
  char symbol[MD_BENCH_SYMBOL_LEN + 1], url[128];
  md_bench_symbol(instrument, symbol);
  int n = snprintf(url, sizeof url, "https://api.binance.com/api/v3/depth?symbol=%s&limit=5000",
                   symbol);
  const md_input_t in = {.kind     = MD_RAW_HTTP,
                         .leg      = MD_LEG_NONE,
                         .name     = url,
                         .name_len = (uint32_t)n,
                         .payload  = (const uint8_t *)text,
                         .len      = len,
                         .recv_ns  = md_clock_real_ns(md_clock_system())};
  md_feed_input(s->feed, &in);
}

static md_err_t
make_feed(md_bench_source_t *s, bool has_segment, md_ring_t *journal) {
  md_segment_t    *segment = has_segment ? &s->world.segment : NULL;
  md_feed_config_t cfg     = {.name             = "binance_spot",
                              .venue            = md_venue_find("binance_spot"),
                              .stream           = 1,
                              .raw_stream       = 2,
                              .keep_raw         = journal != NULL,
                              .epoch            = 1,
                              .instrument_max   = s->cnt,
                              .level_pool_bytes = 2 * s->cnt * LEVEL_BYTES + (64ull << 20),
                              .sync_pool_bytes  = 64ull << 20,
                              .sync_queue_bytes = 4ull << 20,
                              .segment          = segment,
                              .metrics          = segment ? &segment->metrics[0] : NULL,
                              .clock            = md_clock_system(),
                              .next_id          = 1};
  md_msg_t         msg     = {0};
  md_err_t         err     = md_feed_new(&cfg, &s->feed, &msg);
  if (err) return err;
  md_out_t *out = md_feed_out(s->feed);
  if (journal) {
    md_ring_producer_init(&out->ring[0].producer, journal);
    out->ring[0].wants_raw = out->ring[0].wants_checkpoint = true;
    out->ring_cnt                                          = 1;
  }
  if (!segment) return MD_OK;
  md_tape_writer_init(&out->tape, md_segment_tape(segment, 0));
  out->stream_row = &segment->streams[segment->feeds[0].stream_row];
  return MD_OK;
}

/* A snapshot of THIN_CNT levels a side. */
static bool
thin_snapshot(char **text, uint32_t *len) {
  const size_t bytes = 256 + 2u * THIN_CNT * 48;
  *text              = calloc(1, bytes + MD_FRAME_PAD_BYTES);
  if (!*text) return false;
  int n = snprintf(*text, bytes, "{\"lastUpdateId\":%llu,\"bids\":[", SNAPSHOT_ID);
  for (unsigned i = 0; i < 2 * THIN_CNT; i++) {
    if (i == THIN_CNT) n += snprintf(*text + n, bytes - (size_t)n, "],\"asks\":[");
    const unsigned px = i < THIN_CNT ? 61837 - i : 61838 + i - THIN_CNT;
    n += snprintf(*text + n, bytes - (size_t)n, "%s[\"%u.00000000\",\"1.00000000\"]",
                  i % THIN_CNT ? "," : "", px);
  }
  n += snprintf(*text + n, bytes - (size_t)n, "]}");
  *len = (uint32_t)n;
  return true;
}

/* The book is VALID with the first update behind the snapshot. */
static void
fill_book(md_bench_source_t *s, uint32_t instrument, const char *text, uint32_t len) {
  s->last_id[instrument] = SNAPSHOT_ID;
  give_snapshot(s, instrument, text, len);
  fill_one(s, 0, instrument);
  md_bench_source_handle(s, 0);
}

static bool
fill_books(md_bench_source_t *s, bool is_thin) {
  char    *text = NULL;
  uint32_t len  = 0;
  if (!(is_thin ? thin_snapshot(&text, &len) : md_bench_snapshot_new(SEED, &text, &len)))
    return false;
  for (uint32_t i = 0; i < s->cnt; i++)
    fill_book(s, i, text, len);
  free(text);
  return true;
}

bool
md_bench_source_rewind(md_bench_source_t *s) {
  const md_input_t lost = {.kind     = MD_RAW_CLOSE,
                           .leg      = MD_LEG_NONE,
                           .name     = NAME,
                           .name_len = sizeof NAME - 1,
                           .payload  = (const uint8_t *)"",
                           .recv_ns  = md_clock_real_ns(md_clock_system())};
  s->next               = 0;
  md_feed_input(s->feed, &lost);
  return fill_books(s, false);
}

static bool
source_new(md_bench_source_t *s, uint32_t cnt, bool has_segment, bool is_thin, md_ring_t *journal) {
  const uint32_t depth = is_thin ? 0 : MD_BENCH_DEPTH;
  memset(s, 0, sizeof *s);
  if (has_segment && !md_bench_world_deep(&s->world, cnt, depth, cnt * LEVEL_BYTES)) return false;
  s->cnt         = cnt;
  s->random      = SEED;
  s->last_id     = calloc(cnt, sizeof s->last_id[0]);
  s->batch.bytes = calloc(MD_BENCH_BATCH_CNT, MESSAGE_BYTES);
  bool good      = s->last_id && s->batch.bytes &&
              md_bench_corpus_still(&s->corpus, CORPUS_CNT, LEVEL_CNT, SEED) &&
              make_feed(s, has_segment, journal) == MD_OK && fill_books(s, is_thin);
  if (!good) {
    md_bench_source_delete(s);
    (void)snprintf(s->world.why, sizeof s->world.why, "no memory for a feed of %u books", cnt);
  }
  return good;
}

bool
md_bench_source_new(md_bench_source_t *s, uint32_t cnt, bool has_segment) {
  return source_new(s, cnt, has_segment, false, NULL);
}

bool
md_bench_source_thin(md_bench_source_t *s, uint32_t cnt) {
  return source_new(s, cnt, true, true, NULL);
}

bool
md_bench_source_recorded(md_bench_source_t *s, uint32_t cnt, bool has_segment, md_ring_t *journal) {
  return source_new(s, cnt, has_segment, false, journal);
}

void
md_bench_source_delete(md_bench_source_t *s) {
  md_feed_delete(s->feed);
  md_bench_corpus_delete(&s->corpus);
  free(s->last_id);
  free(s->batch.bytes);
  s->feed        = NULL;
  s->last_id     = NULL;
  s->batch.bytes = NULL;
  if (s->world.dir[0]) md_bench_world_delete(&s->world);
}

static bool
check_instrument(const md_feed_instrument_t *i) {
  static md_level_t bids[MD_BENCH_DEPTH], asks[MD_BENCH_DEPTH];
  md_book_meta_t    meta;
  uint32_t          bid_cnt, ask_cnt;
  md_level_t        level;
  if (i->state != MD_BOOK_VALID) return false;
  if (!i->shm) return true;
  if (md_book_read_depth(i->shm, MD_BENCH_DEPTH, &meta, bids, &bid_cnt, asks, &ask_cnt) ||
      meta.state != MD_BOOK_VALID)
    return false;
  for (uint32_t n = 0; n < MD_BENCH_DEPTH; n++) {
    if (md_orderbook_at(&i->book, MD_SIDE_BUY, n, &level) != (n < bid_cnt)) return false;
    if (n < bid_cnt && memcmp(&bids[n], &level, sizeof level) != 0) return false;
    if (md_orderbook_at(&i->book, MD_SIDE_SELL, n, &level) != (n < ask_cnt)) return false;
    if (n < ask_cnt && memcmp(&asks[n], &level, sizeof level) != 0) return false;
  }
  return true;
}

bool
md_bench_source_check(const md_bench_source_t *s) {
  if (md_feed_instrument_cnt(s->feed) != s->cnt) return false;
  for (uint32_t i = 0; i < s->cnt; i++)
    if (!check_instrument(md_feed_instrument_at(s->feed, i))) return false;
  return true;
}
