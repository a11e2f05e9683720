/* okx_fixture.h - a feed of OKX that is driven with literal frames, and a checksum of our own. */
#ifndef TESTS_OKX_FIXTURE_H
#define TESTS_OKX_FIXTURE_H

#include "tests/unit/feed_fixture.h"

#define SWAP "BTC-USDT-SWAP"
#define TS   "1790439596900"

static inline void
okx_init(fixture_t *x, const char *venue) {
  md_feed_config_t cfg = fixture_feed_config(x);
  cfg.name             = venue;
  cfg.venue            = md_venue_find(venue);
  (void)snprintf(x->name, sizeof x->name, "OKX.1");
  fixture_open(x, &cfg);
}

/* A channel's message with one row of data. */
__attribute__((format(printf, 4, 5))) static inline void
push(fixture_t *x, const char *channel, const char *symbol, const char *format, ...) {
  char    row[3072];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(row, sizeof row, format, args);
  va_end(args);
  cr_assert_lt((size_t)n, sizeof row);
  textf(x, "{\"arg\":{\"channel\":\"%s\",\"instId\":\"%s\"},\"data\":[%s]}", channel, symbol, row);
}

/* A book message; checksum 0 as the venue sends it today. */
static inline void
book(fixture_t *x, const char *action, const char *symbol, long long seq, long long prev,
     const char *bids, const char *asks) {
  textf(x,
        "{\"arg\":{\"channel\":\"books\",\"instId\":\"%s\"},\"action\":\"%s\",\"data\":[{\"asks\":"
        "[%s],\"bids\":[%s],\"ts\":\"" TS "\",\"checksum\":0,\"seqId\":%lld,\"prevSeqId\":%lld}]}",
        symbol, action, asks, bids, seq, prev);
}

/* One of the time before there were ids. */
static inline void
old_book(fixture_t *x, const char *action, const char *symbol, int64_t ts, int32_t checksum,
         const char *bids, const char *asks) {
  textf(x,
        "{\"arg\":{\"channel\":\"books\",\"instId\":\"%s\"},\"action\":\"%s\",\"data\":[{\"asks\":"
        "[%s],\"bids\":[%s],\"ts\":\"%lld\",\"checksum\":%d}]}",
        symbol, action, asks, bids, (long long)ts, checksum);
}

/* CRC-32 bit by bit, as the venue's documentation of 2021 tells: a signed number. */
static inline int32_t
crc_of(const char *text) {
  uint32_t crc = UINT32_MAX;
  for (; *text; text++) {
    crc ^= (uint8_t)*text;
    for (unsigned n = 0; n < 8; n++)
      crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  return (int32_t)~crc;
}

static inline void
assert_book(fixture_t *x, const char *symbol, const char *bid, const char *ask) {
  cr_assert_eq(book_of(x, symbol)->state, MD_BOOK_VALID, "%s",
               md_reason_name(book_of(x, symbol)->reason));
  cr_assert_str_eq(best(x, symbol, MD_SIDE_BUY), bid);
  cr_assert_str_eq(best(x, symbol, MD_SIDE_SELL), ask);
}

#endif
