/* Frames that are shown before they come: every venue's glance names the symbol that decoding looks
 * up, other, cut and broken frames do no harm, and books are the same whatever was shown. */
#include "bench/source.h"
#include "feeds/venue.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define INSTRUMENT_CNT 40u
#define TEXT_BYTES     512u

static const struct {
  const char *venue, *text, *symbol;
  bool        is_book;
} frames[] = {
    {"binance_spot", "{\"stream\":\"btcusdt@depth@100ms\",\"data\":{\"e\":\"depthUpdate\"",
     "BTCUSDT", true},
    {"binance_spot", "{\"stream\":\"1000satsusdt@trade\",\"data\":{", "1000SATSUSDT", false},
    {"binance_derivatives", "{\"stream\":\"btcusdt_241227@depth@0ms\",\"data\":{", "BTCUSDT_241227",
     true},
    {"okx_spot", "{\"arg\":{\"channel\":\"books\",\"instId\":\"BTC-USDT\"},\"action\":\"update\"",
     "BTC-USDT", true},
    {"okx_derivatives", "{\"arg\":{\"channel\":\"trades\",\"instId\":\"BTC-USDT-SWAP\"},\"data\":[",
     "BTC-USDT-SWAP", false},
    {"deribit_derivatives",
     "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":\"book.BTC-"
     "PERPETUAL.100ms\","
     "\"data\":{",
     "BTC-PERPETUAL", true},
};

/* A frame as a transport gives it, of `len` bytes whatever its text says. */
static uint8_t *
frame_of(const char *text, uint32_t text_len, uint32_t len, char rest) {
  uint8_t *p = malloc(len + MD_FRAME_PAD_BYTES);
  cr_assert_not_null(p);
  memset(p, rest, len + MD_FRAME_PAD_BYTES);
  memcpy(p, text, text_len < len ? text_len : len);
  return p;
}

Test(feed_expect, a_glance_names_what_decoding_looks_up) {
  md_venue_peek_t peek;
  for (size_t n = 0; n < MD_CNT(frames); n++) {
    uint8_t *p = frame_of(frames[n].text, (uint32_t)strlen(frames[n].text), TEXT_BYTES, ' ');
    cr_assert(md_venue_find(frames[n].venue)->peek(p, TEXT_BYTES, &peek), "%s", frames[n].text);
    cr_assert_eq(peek.len, strlen(frames[n].symbol));
    cr_assert_arr_eq(peek.symbol, frames[n].symbol, peek.len);
    cr_assert_eq(peek.is_book, frames[n].is_book);
    free(p);
  }
}

Test(feed_expect, letters_beyond_ascii_stay) {
  const char      text[] = "{\"stream\":\"\xe5\xb8\x81{az`usdt@depth@100ms\",\"data\":{";
  md_venue_peek_t peek;
  uint8_t        *p = frame_of(text, sizeof text - 1, TEXT_BYTES, ' ');
  cr_assert(md_venue_find("binance_spot")->peek(p, TEXT_BYTES, &peek));
  cr_assert_eq(peek.len, 11);
  cr_assert_arr_eq(peek.symbol, "\xe5\xb8\x81{AZ`USDT", 11);
  free(p);
}

/* Every part of every venue's frame, behind it whatever may stand there; the sanitisers look. */
Test(feed_expect, cut_and_broken_frames_name_at_most_a_symbol) {
  static const char rests[] = {0, ' ', '"', '@', '.', 'a'};
  md_venue_peek_t   peek;
  for (uint32_t v = 0; md_venue_at(v); v++) {
    for (size_t n = 0; n < MD_CNT(frames) && md_venue_at(v)->peek; n++) {
      const uint32_t all = (uint32_t)strlen(frames[n].text);
      for (uint32_t cut = 0; cut <= all; cut++) {
        for (size_t r = 0; r < MD_CNT(rests); r++) {
          const uint32_t len = r % 2 ? TEXT_BYTES : cut;
          uint8_t       *p   = frame_of(frames[n].text, cut, len, rests[r]);
          if (md_venue_at(v)->peek(p, len, &peek)) cr_assert_lt(peek.len, MD_SYMBOL_BYTES);
          free(p);
        }
      }
    }
  }
}

static void
show_junk(md_feed_t *f, uint64_t *random) {
  static uint8_t junk[TEXT_BYTES + MD_FRAME_PAD_BYTES];
  const size_t   n     = md_bench_below(random, MD_CNT(frames));
  const uint32_t cut   = md_bench_below(random, (uint32_t)strlen(frames[n].text) + 1);
  const uint32_t ahead = 1 + md_bench_below(random, MD_FEED_AHEAD_MAX);
  memset(junk, (int)md_bench_below(random, 256), sizeof junk);
  memcpy(junk, frames[n].text, cut);
  md_feed_expect_next(f, junk, md_bench_below(random, TEXT_BYTES), ahead);
}

Test(feed_expect, books_are_the_same_whatever_was_shown) {
  static md_bench_source_t plain, shown, misled;
  md_bench_source_t *const all[]  = {&plain, &shown, &misled};
  uint64_t                 random = 1;
  char                     digest[MD_CNT(all)][65];
  for (size_t n = 0; n < MD_CNT(all); n++)
    cr_assert(md_bench_source_new(all[n], INSTRUMENT_CNT, false));
  for (uint32_t k = 0; k < 8; k++) {
    for (size_t n = 0; n < MD_CNT(all); n++)
      md_bench_source_fill(all[n], INSTRUMENT_CNT);
    for (uint32_t i = 0; i < MD_BENCH_BATCH_CNT; i++) {
      md_bench_source_handle(&plain, i);
      md_bench_source_next(&shown, i);
      show_junk(misled.feed, &random);
      md_bench_source_handle(&misled, i);
    }
  }
  for (uint32_t i = 0; i < INSTRUMENT_CNT; i++) {
    for (size_t n = 0; n < MD_CNT(all); n++)
      md_orderbook_digest(&md_feed_instrument_at(all[n]->feed, i)->book, -2, -5, 0, digest[n]);
    cr_assert_str_eq(digest[0], digest[1]);
    cr_assert_str_eq(digest[0], digest[2]);
  }
  for (size_t n = 0; n < MD_CNT(all); n++) {
    cr_assert(md_bench_source_check(all[n]));
    md_bench_source_delete(all[n]);
  }
}
