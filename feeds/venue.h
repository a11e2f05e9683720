/* venue.h - what one exchange market is to the engine: a row of functions and facts.
 *
 * A venue is one file in feeds/venues/, one row in venue_table.h and one folder of fixtures in
 * tests/fixtures/. Its functions run on the feed's thread, allocate nothing and do no I/O. */
#ifndef FEEDS_VENUE_H
#define FEEDS_VENUE_H

#include "feeds/feed.h"
#include "feeds/venue_net.h"

/* What a glance at a frame tells of it. */
typedef struct md_venue_peek {
  char     symbol[MD_SYMBOL_BYTES]; /* as decode would look it up; no NUL */
  uint32_t len;
  bool     is_book; /* an update of a book */
} md_venue_peek_t;

struct md_venue {
  const char           *name;        /* "binance_spot": feed name in DESIGN 5 */
  const char           *exchange;    /* "binance" */
  const char           *market_type; /* spot, perpetual, future, options */
  const char *const    *hosts;       /* NULL-terminated: substrings of URLs and connection names */
  const md_sync_rule_t *sync;
  size_t                state_bytes;
  bool                  dense_trade_ids; /* trades are numbered one by one: a jump is a hole */
  /* decode handles one input: MD_OK, MD_ERR_UNKNOWN (counted as unroutable), MD_ERR_SYNTAX and
   * others (counted as parse errors). It calls md_feed_*. */
  md_err_t (*decode)(md_feed_t *f, const md_input_t *in);
  /* peek says what a text frame (MD_FRAME_PAD_BYTES readable behind it) is probably about, by its
   * first bytes; false: it cannot tell. Nothing but memory that is asked for depends on it. NULL:
   * the venue has none. */
  bool (*peek)(const uint8_t *payload, uint32_t len, md_venue_peek_t *out);
  /* define fills the definition of a symbol that exchangeInfo did not name (assets by suffix); the
   * symbol stands in it already, everything else is absent. */
  void (*define)(const char *symbol, uint32_t len, md_definition_t *out);
  /* checksum_ok says whether the book, as it is now, has this checksum; NULL: the venue gives none.
   */
  bool (*checksum_ok)(md_feed_t *f, const md_feed_instrument_t *i, uint32_t checksum);
  const md_venue_net_t *net; /* NULL: from recordings only */
  /* A part of the URL of an older protocol of the exchange, whose recordings are refused with these
   * words; NULL: there is none. */
  const char *refused_url, *refused_why;
};

/* md_venue_find returns the row of a name, NULL if none; md_venue_at the i-th row, NULL behind the
 * end. */
const md_venue_t *md_venue_find(const char *name);
const md_venue_t *md_venue_at(uint32_t i);

/* md_venue_by_host returns the row one of whose hosts occurs in text, the longest match first. */
const md_venue_t *md_venue_by_host(const char *text, uint32_t len);

/* md_venue_refusal says why nobody reads what comes from a URL, NULL if it may be read. */
const char *md_venue_refusal(const char *url, uint32_t len);

#endif
