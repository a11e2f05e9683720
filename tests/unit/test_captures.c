/* Whole recordings through the feed, offline, against what an independent reader says they end in:
 * our own fixtures always, real recordings where MD_CAPTURES names their directory. */
#include "feeds/json.h"
#include "feeds/recording.h"
#include "feeds/venue.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIXTURES "tests/fixtures/binance_spot"

/* One instrument of an EXPECTED file. Strings are empty and numbers 0 where it does not say. */
typedef struct expected {
  char     symbol[MD_SYMBOL_BYTES];
  bool     synced;
  uint64_t final_u, bids, asks, gap, canary_cnt;
  uint64_t trades, aggtrades, first_trade, last_trade, first_aggtrade, last_aggtrade;
  char     trade_qty_sum[MD_DECIMAL_BYTES], aggtrade_qty_sum[MD_DECIMAL_BYTES];
  char     digest[65], digest_top20[65], digest_top400[65];
} expected_t;

typedef struct played {
  md_feed_t   *feed;
  md_metrics_t metrics;
  uint64_t     input_cnt, record_cnt, record_hash;
} played_t;

/* ---- playing ---- */

static void
hash_record(void *ctx, const md_record_t *rec) {
  played_t      *p     = ctx;
  const uint8_t *bytes = (const uint8_t *)rec;
  for (uint32_t i = 0; i < rec->len; i++) {
    p->record_hash = (p->record_hash ^ bytes[i]) * 1099511628211u;
  }
  p->record_cnt++;
  cr_assert_eq(rec->seq, p->record_cnt, "a hole in the feed's own sequence");
  cr_assert_eq(md_record_check(rec, rec->len), MD_OK);
}

static played_t *
play(const char *path) {
  md_msg_t          msg    = {0};
  md_clock_manual_t manual = {.real_ns = 1, .mono_ns = 1};
  md_clock_t        clock  = md_clock_manual(&manual);
  played_t         *p      = aligned_alloc(MD_CACHE_BLOCK, md_align_up(sizeof *p, MD_CACHE_BLOCK));
  memset(p, 0, sizeof *p);

  const char *venue = md_recording_find_venue(path, &msg);
  cr_assert_not_null(venue, "%s", msg.text);
  md_feed_config_t cfg = {
      .name             = venue,
      .venue            = md_venue_find(venue),
      .stream           = 1,
      .raw_stream       = 2,
      .epoch            = 1,
      .instrument_max   = 5000,
      .level_pool_bytes = 1ull << 30,
      .sync_pool_bytes  = 256ull << 20,
      .sync_queue_bytes = 32ull << 20,
      .metrics          = &p->metrics,
      .clock            = &clock,
      .next_id          = 1,
  };
  cr_assert_eq(md_feed_new(&cfg, &p->feed, &msg), MD_OK, "%s", msg.text);
  md_feed_out(p->feed)->tap     = hash_record;
  md_feed_out(p->feed)->tap_ctx = p;

  md_recording_t *r = NULL;
  cr_assert_eq(md_recording_open(path, 0, NULL, &r, &msg), MD_OK, "%s", msg.text);
  md_source_t s = md_recording_source(r);
  md_input_t  in;
  md_err_t    err;
  int64_t     due;
  while ((err = s.next(s.ctx, &in, &due, &msg)) == MD_OK) {
    md_feed_input(p->feed, &in);
    if (++p->input_cnt % MD_BURST_MAX == 0) md_feed_publish(p->feed);
  }
  cr_assert_eq(err, MD_ERR_END, "%s", msg.text);
  md_feed_publish(p->feed);
  s.close(s.ctx);
  return p;
}

static void
drop(played_t *p) {
  md_feed_delete(p->feed);
  free(p);
}

/* ---- reading what is expected ---- */

static uint8_t *
read_whole(const char *path, uint32_t *len) {
  FILE *f = fopen(path, "rb");
  cr_assert_not_null(f, "%s", path);
  uint8_t *data = calloc(1, MD_FRAME_BYTES_MAX);
  *len          = (uint32_t)fread(data, 1, MD_FRAME_BYTES_MAX - MD_FRAME_PAD_BYTES, f);
  fclose(f);
  return data;
}

static void
copy(char *to, size_t room, const uint8_t *s, uint32_t len) {
  cr_assert_lt(len, room);
  memcpy(to, s, len);
  to[len] = 0;
}

static bool
read_text_field(expected_t *e, const uint8_t *key, uint32_t key_len, md_json_t *j) {
  const struct {
    const char *name;
    char       *to;
    size_t      room;
  } fields[] = {
      {"symbol", e->symbol, sizeof e->symbol},
      {"digest", e->digest, sizeof e->digest},
      {"digest_top20", e->digest_top20, sizeof e->digest_top20},
      {"digest_top400", e->digest_top400, sizeof e->digest_top400},
      {"trade_qty_sum", e->trade_qty_sum, sizeof e->trade_qty_sum},
      {"trade_market_qty_sum", e->trade_qty_sum, sizeof e->trade_qty_sum}, /* behind the above */
      {"aggtrade_qty_sum", e->aggtrade_qty_sum, sizeof e->aggtrade_qty_sum},
  };
  for (unsigned i = 0; i < MD_CNT(fields); i++) {
    const uint8_t *s   = NULL;
    uint32_t       len = 0;
    if (strlen(fields[i].name) != key_len || memcmp(fields[i].name, key, key_len) != 0) continue;
    if (md_json_string(j, &s, &len)) copy(fields[i].to, fields[i].room, s, len);
    return true;
  }
  return false;
}

static bool
read_number_field(expected_t *e, const uint8_t *key, uint32_t key_len, md_json_t *j) {
  const struct {
    const char *name;
    uint64_t   *to;
  } fields[] = {
      {"final_u", &e->final_u},
      {"final_change_id", &e->final_u},
      {"bids", &e->bids},
      {"asks", &e->asks},
      {"gap", &e->gap},
      {"bookticker_match", &e->canary_cnt},
      {"trades", &e->trades},
      {"trades_market", &e->trades}, /* behind the above: the others are not of the book */
      {"aggtrades", &e->aggtrades},
      {"first_trade_id", &e->first_trade},
      {"last_trade_id", &e->last_trade},
      {"first_aggtrade_id", &e->first_aggtrade},
      {"last_aggtrade_id", &e->last_aggtrade},
  };
  for (unsigned i = 0; i < MD_CNT(fields); i++) {
    if (strlen(fields[i].name) != key_len || memcmp(fields[i].name, key, key_len) != 0) continue;
    if (!md_json_null_if(j)) md_json_u64(j, fields[i].to);
    return true;
  }
  return false;
}

static void
read_expected(md_json_t *j, expected_t *e) {
  const uint8_t *key;
  uint32_t       key_len;
  memset(e, 0, sizeof *e);
  md_json_object_begin(j);
  while (md_json_key(j, &key, &key_len)) {
    if (md_json_is(key, key_len, "synced")) {
      md_json_bool(j, &e->synced);
    } else if (!read_text_field(e, key, key_len, j) && !read_number_field(e, key, key_len, j)) {
      md_json_skip(j);
    }
  }
}

/* ---- comparing ---- */

static const md_feed_instrument_t *
instrument_of(const md_feed_t *f, const char *symbol) {
  for (uint32_t i = 0; i < md_feed_instrument_cnt(f); i++) {
    const md_feed_instrument_t *in = md_feed_instrument_at(f, i);
    if (strcmp(in->symbol, symbol) == 0) return in;
  }
  return NULL;
}

static void
check_totals(const char *where, const md_feed_instrument_t *i, const md_trade_totals_t *t,
             const char *qty_sum, uint64_t cnt, uint64_t id_first, uint64_t id_last) {
  char sum[192];
  cr_expect_eq(t->cnt, cnt, "%s %s: %llu trades, expected %llu", where, i->symbol,
               (unsigned long long)t->cnt, (unsigned long long)cnt);
  if (cnt == 0 || t->cnt == 0) return;
  md_decimal_format(t->qty_sum, i->qty_exp, sum, sizeof sum);
  cr_expect_str_eq(sum, qty_sum, "%s %s", where, i->symbol);
  cr_expect_eq(t->id_first, id_first, "%s %s", where, i->symbol);
  cr_expect_eq(t->id_last, id_last, "%s %s", where, i->symbol);
}

static void
check_book(const char *where, const md_feed_instrument_t *i, const expected_t *e) {
  char digest[65];
  cr_expect_eq(i->state == MD_BOOK_VALID, e->synced, "%s %s is %s (%s)", where, i->symbol,
               md_book_state_name(i->state), md_reason_name(i->reason));
  if (!e->synced || i->state != MD_BOOK_VALID) return;
  cr_expect_eq(i->exch_seq, e->final_u, "%s %s", where, i->symbol);
  cr_expect_eq(i->book.bids.cnt, e->bids, "%s %s", where, i->symbol);
  cr_expect_eq(i->book.asks.cnt, e->asks, "%s %s", where, i->symbol);
  cr_expect_eq(i->gap_cnt, e->gap, "%s %s: %u gaps", where, i->symbol, i->gap_cnt);
  md_orderbook_digest(&i->book, i->px_exp, i->qty_exp, 0, digest);
  cr_expect_str_eq(digest, e->digest, "%s %s", where, i->symbol);
  md_orderbook_digest(&i->book, i->px_exp, i->qty_exp, 20, digest);
  cr_expect_str_eq(digest, e->digest_top20, "%s %s", where, i->symbol);
  md_orderbook_digest(&i->book, i->px_exp, i->qty_exp, 400, digest);
  cr_expect_str_eq(digest, e->digest_top400, "%s %s", where, i->symbol);
}

/* Plays one capture and compares every instrument that j, standing before its object, names. */
static uint32_t
check_capture(const char *path, md_json_t *j) {
  played_t      *p          = play(path);
  uint32_t       cnt        = 0;
  uint64_t       canary_cnt = 0;
  const uint8_t *key;
  uint32_t       key_len;
  md_json_object_begin(j);
  while (md_json_key(j, &key, &key_len)) {
    expected_t e;
    if (key[0] == '_') {
      md_json_skip(j);
      continue;
    }
    read_expected(j, &e);
    const md_feed_instrument_t *i = instrument_of(p->feed, e.symbol);
    cr_expect_not_null(i, "%s: no %s", path, e.symbol);
    if (!i) continue;
    check_book(path, i, &e);
    check_totals(path, i, &i->trades, e.trade_qty_sum, e.trades, e.first_trade, e.last_trade);
    check_totals(path, i, &i->agg_trades, e.aggtrade_qty_sum, e.aggtrades, e.first_aggtrade,
                 e.last_aggtrade);
    canary_cnt += e.canary_cnt;
    cnt++;
  }
  uint64_t match_cnt = md_load_relaxed(&p->metrics.counter[MD_COUNTER_CANARY_MATCHES]);
  cr_expect_eq(md_load_relaxed(&p->metrics.counter[MD_COUNTER_CANARY_MISMATCHES]), 0, "%s", path);
  /* What came while a book was not valid yet is not compared: at most two for each. */
  cr_expect(match_cnt <= canary_cnt && match_cnt + 2 * cnt >= canary_cnt,
            "%s: best prices agree %llu times, expected %llu", path, (unsigned long long)match_cnt,
            (unsigned long long)canary_cnt);
  cr_expect_eq(md_load_relaxed(&p->metrics.counter[MD_COUNTER_PARSE_ERRORS]), 0, "%s", path);
  drop(p);
  return cnt;
}

/* Compares the captures of an EXPECTED file whose names begin with prefix. */
static uint32_t
check_file(const char *expected_path, const char *dir, const char *prefix) {
  uint32_t       len = 0, cnt = 0;
  uint8_t       *data = read_whole(expected_path, &len);
  md_json_t      j;
  const uint8_t *key;
  uint32_t       key_len;
  md_json_init(&j, data, len);
  md_json_object_begin(&j);
  while (md_json_key(&j, &key, &key_len)) {
    char name[256], path[512];
    copy(name, sizeof name, key, key_len);
    if (strncmp(name, prefix, strlen(prefix)) != 0) {
      md_json_skip(&j);
      continue;
    }
    snprintf(path, sizeof path, "%s/%s", dir, name);
    cnt += check_capture(path, &j);
  }
  cr_assert_eq(md_json_finish(&j), MD_OK, "%s", expected_path);
  free(data);
  return cnt;
}

Test(captures, own_minute_of_five_symbols_ends_in_exact_books_and_trades) {
  cr_assert_eq(check_file(FIXTURES "/demo.expected.json", FIXTURES, ""), 5);
}

Test(captures, own_recording_with_a_hole_is_healed_by_its_second_snapshot) {
  cr_assert_eq(check_file(FIXTURES "/gap.expected.json", FIXTURES, ""), 1);
}

Test(captures, own_recording_without_a_snapshot_never_becomes_valid_while_trades_flow) {
  cr_assert_eq(check_file(FIXTURES "/nosnapshot.expected.json", FIXTURES, ""), 1);
}

Test(captures, own_deribit_recordings_end_in_exact_books_and_trades) {
  static const char dir[] = "tests/fixtures/deribit_derivatives";
  cr_assert_eq(check_file("tests/fixtures/deribit_derivatives/demo.expected.json", dir, ""), 4);
  cr_assert_eq(check_file("tests/fixtures/deribit_derivatives/gap.expected.json", dir, ""), 2);
}

Test(captures, own_futures_of_both_markets_end_in_exact_books_and_trades) {
  static const char *const folders[] = {"tests/fixtures/binance_derivatives",
                                        "tests/fixtures/binance_coinm"};
  for (size_t n = 0; n < MD_CNT(folders); n++) {
    char path[256];
    snprintf(path, sizeof path, "%s/market.expected.json", folders[n]);
    cr_assert_eq(check_file(path, folders[n], ""), 2);
  }
}

Test(captures, own_futures_with_a_broken_chain_are_healed_by_a_second_snapshot) {
  static const char *const folders[] = {"tests/fixtures/binance_derivatives",
                                        "tests/fixtures/binance_coinm"};
  for (size_t n = 0; n < MD_CNT(folders); n++) {
    char path[256];
    snprintf(path, sizeof path, "%s/gap.expected.json", folders[n]);
    cr_assert_eq(check_file(path, folders[n], ""), 1);
  }
}

Test(captures, playing_twice_gives_the_same_records) {
  played_t *a = play(FIXTURES "/demo.wscap.zst");
  played_t *b = play(FIXTURES "/demo.wscap.zst");
  cr_assert_gt(a->record_cnt, 50000);
  cr_assert_eq(a->record_cnt, b->record_cnt);
  cr_assert_eq(a->record_hash, b->record_hash);
  drop(a);
  drop(b);
}

Test(captures, own_recordings_of_okx_with_resets_heartbeats_and_holes) {
  static const char spot[] = "tests/fixtures/okx_spot", other[] = "tests/fixtures/okx_derivatives";
  cr_assert_eq(check_file("tests/fixtures/okx_spot/demo.expected.json", spot, ""), 2);
  cr_assert_eq(check_file("tests/fixtures/okx_spot/gap.expected.json", spot, ""), 2);
  cr_assert_eq(check_file("tests/fixtures/okx_spot/checksum.expected.json", spot, ""), 2);
  cr_assert_eq(check_file("tests/fixtures/okx_derivatives/demo.expected.json", other, ""), 3);
  cr_assert_eq(check_file("tests/fixtures/okx_derivatives/gap.expected.json", other, ""), 3);
}

Test(captures, checksums_of_own_recordings_are_all_compared) {
  played_t *p = play("tests/fixtures/okx_spot/checksum.wscap.zst");
  cr_assert_eq(md_load_relaxed(&p->metrics.counter[MD_COUNTER_CHECKSUM_MATCHES]), 160);
  cr_assert_eq(md_load_relaxed(&p->metrics.counter[MD_COUNTER_CHECKSUM_MISMATCHES]), 0);
  drop(p);
}

Test(captures, connection_named_after_a_feed_says_whose_recording_it_is) {
  md_msg_t    msg;
  const char *name = md_recording_find_venue("tests/fixtures/okx_derivatives/demo.wscap.zst", &msg);
  cr_assert_str_eq(name, "okx_derivatives");
}

static void
check_real(const char *prefix, uint32_t instrument_cnt) {
  const char *dir = getenv("MD_CAPTURES");
  char        path[512];
  if (!dir) return;
  snprintf(path, sizeof path, "%s/EXPECTED.json", dir);
  cr_assert_geq(check_file(path, dir, prefix), instrument_cnt);
}

Test(captures, real_binance_spot) {
  check_real("binance_spot/", 16);
}

Test(captures, real_binance_us) {
  check_real("binance_us/", 5);
}

Test(captures, real_binance_derivatives) {
  check_real("binance_usdm/", 12);
}

Test(captures, real_binance_coinm) {
  check_real("binance_coinm/", 11);
}

Test(captures, real_deribit) {
  check_real("deribit/", 10);
}

/* A book that came over several connections is one here, and like one of them. */
static void
check_okx_capture(const char *path, md_json_t *j) {
  played_t      *p         = play(path);
  uint64_t       wrong[64] = {0}, right[64] = {0};
  const uint8_t *key;
  uint32_t       key_len;
  md_json_object_begin(j);
  while (md_json_key(j, &key, &key_len)) {
    expected_t e;
    char       digest[65];
    read_expected(j, &e);
    const md_feed_instrument_t *i = instrument_of(p->feed, e.symbol);
    cr_assert_not_null(i, "%s: no %s", path, e.symbol);
    if (!i || i->index >= MD_CNT(wrong)) continue;
    check_totals(path, i, &i->trades, e.trade_qty_sum, e.trades, e.first_trade, e.last_trade);
    md_orderbook_digest(&i->book, i->px_exp, i->qty_exp, 0, digest);
    bool is_right = i->state == MD_BOOK_VALID && strcmp(digest, e.digest) == 0 && i->gap_cnt == 0;
    right[i->index] += is_right;
    wrong[i->index] += !is_right;
  }
  for (uint32_t n = 0; n < MD_CNT(wrong); n++)
    cr_expect(right[n] > 0 || wrong[n] == 0, "%s: %s is like none of its connections", path,
              md_feed_instrument_at(p->feed, n)->symbol);
  cr_expect_gt(md_load_relaxed(&p->metrics.counter[MD_COUNTER_CHECKSUM_MATCHES]), 200, "%s", path);
  cr_expect_eq(md_load_relaxed(&p->metrics.counter[MD_COUNTER_CHECKSUM_MISMATCHES]), 0, "%s", path);
  cr_expect_eq(md_load_relaxed(&p->metrics.counter[MD_COUNTER_PARSE_ERRORS]), 0, "%s", path);
  cr_expect_eq(md_load_relaxed(&p->metrics.counter[MD_COUNTER_UNROUTABLE]), 0, "%s", path);
  drop(p);
}

static uint32_t
check_okx_file(const char *expected_path, const char *dir, const char *prefix) {
  uint32_t       len = 0, cnt = 0;
  uint8_t       *data = read_whole(expected_path, &len);
  md_json_t      j;
  const uint8_t *key;
  uint32_t       key_len;
  md_json_init(&j, data, len);
  md_json_object_begin(&j);
  while (md_json_key(&j, &key, &key_len)) {
    char name[256], path[512];
    copy(name, sizeof name, key, key_len);
    if (strncmp(name, prefix, strlen(prefix)) != 0) {
      md_json_skip(&j);
      continue;
    }
    snprintf(path, sizeof path, "%s/%s", dir, name);
    check_okx_capture(path, &j);
    cnt++;
  }
  cr_assert_eq(md_json_finish(&j), MD_OK, "%s", expected_path);
  free(data);
  return cnt;
}

Test(captures, real_okx) {
  const char *dir = getenv("MD_CAPTURES");
  char        path[512];
  if (!dir) return;
  snprintf(path, sizeof path, "%s/EXPECTED.json", dir);
  cr_assert_eq(check_okx_file(path, dir, "okx/"), 2);
}
