/* futures_fixture.h - the feed fixture for a Binance futures market. */
#ifndef TESTS_FUTURES_FIXTURE_H
#define TESTS_FUTURES_FIXTURE_H

#include "tests/unit/feed_fixture.h"

static inline void
futures_init(fixture_t *x, const char *venue) {
  md_feed_config_t cfg = fixture_feed_config(x);
  cfg.name             = venue;
  cfg.venue            = md_venue_find(venue);
  (void)snprintf(x->name, sizeof x->name, "futures");
  fixture_open(x, &cfg);
}

/* A book update with its chain. */
static inline void
chained(fixture_t *x, const char *s, unsigned first, unsigned last, unsigned prev, const char *bids,
        const char *asks) {
  textf(x,
        "{\"stream\":\"%s@depth@100ms\",\"data\":{\"e\":\"depthUpdate\",\"E\":1700000000002,"
        "\"T\":1700000000001,\"s\":\"%s\",\"U\":%u,\"u\":%u,\"pu\":%u,\"b\":[%s],\"a\":[%s]}}",
        s, s, first, last, prev, bids, asks);
}

static inline void
futures_snapshot(fixture_t *x, const char *s, unsigned id, const char *bids, const char *asks) {
  char       url[128], body[4096];
  const char root = strchr(s, '_') ? 'd' : 'f'; /* BTCUSD_PERP is of COIN-M */
  (void)snprintf(url, sizeof url, "https://%capi.binance.com/%capi/v1/depth?symbol=%s&limit=1000",
                 root, root, s);
  (void)snprintf(body, sizeof body,
                 "{\"lastUpdateId\":%u,\"E\":1700000000003,\"T\":1700000000002,\"bids\":[%s],"
                 "\"asks\":[%s]}",
                 id, bids, asks);
  give(x, MD_RAW_HTTP, url, body, strlen(body));
}

/* A book with id that is VALID: bid 10 qty 1, ask 11 qty 1. */
static inline void
futures_valid(fixture_t *x, const char *s, unsigned id) {
  futures_snapshot(x, s, id - 1, "[\"10\",\"1\"]", "[\"11\",\"1\"]");
  chained(x, s, id, id, id - 1, "", "");
}

static inline void
http(fixture_t *x, const char *url, const char *body) {
  give(x, MD_RAW_HTTP, url, body, strlen(body));
}

#endif
