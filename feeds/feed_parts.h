/* feed_parts.h - the inside of a feed, shared by the feed*.c files and by nobody else.
 *
 * feed.c has the inputs, feed_instrument.c what is known of an instrument, feed_market.c trades,
 * bars and best prices, feed_book.c the state machine of a book, feed_leg.c which connection it
 * follows, feed_deepen.c how more of a VALID book becomes known, feed_book_out.c how a book becomes
 * records and shared memory, feed_ladder.c samples of books, feed_checkpoint.c the answer to the
 * journal. All on the feed's thread.
 */
#ifndef FEEDS_FEED_PARTS_H
#define FEEDS_FEED_PARTS_H

#include "feeds/feed.h"
#include "feeds/feed_symbol.h"
#include "feeds/venue.h"

#define MD_FEED_CONNECTION_CNT_MAX 64u
#define MD_FEED_NAME_BYTES         128u
#define MD_FEED_URL_BYTES          256u
#define MD_FEED_CANARY_MISS_MAX    3u           /* mismatches in a row that make a book STALE */
#define MD_FEED_CROSSED_NS         5000000000ll /* crossed or locked for so long: not by right */

/* Symbols of a venue's list that may be kept beside the instruments in use. */
#define MD_FEED_SYMBOL_CNT_MAX 16384u

/* Levels of a BOOK_DELTA, BOOK_SNAPSHOT or CHECKPOINT record with a body of body_bytes. */
#define MD_FEED_LEVELS_MAX(body_bytes)                                                             \
  ((uint32_t)((MD_RECORD_BYTES_MAX - MD_RECORD_HEADER_BYTES - (body_bytes)) / sizeof(md_level_t)))

typedef struct md_feed_connection {
  char     name[MD_FEED_NAME_BYTES];
  char     url[MD_FEED_URL_BYTES];
  uint32_t name_len, url_len; /* name_len: of the whole name, also when it was cut */
  uint8_t  leg;
  bool     microseconds;
} md_feed_connection_t;

/* A frame that comes soon, and how much of what it needs was asked for (feed_expect.c). */
typedef struct md_feed_ahead {
  uint64_t              hash;
  md_feed_instrument_t *i;    /* from step 2 on; a guess until step 3 */
  uint32_t              step; /* steps done; MD_FEED_AHEAD_MAX: all, or there is nothing to do */
  md_venue_peek_t       peek;
} md_feed_ahead_t;

/* What few instruments need and what is large, by the index of the instrument: memory that nobody
 * touched is none. Bars stand one interval behind the other. */
typedef struct md_feed_asides {
  md_feed_deepen_t *deepen;
  md_feed_canary_t *canary;
  md_kline_t       *bar;
  uint64_t          used_bytes;
} md_feed_asides_t;

struct md_feed {
  md_feed_config_t            cfg;
  const md_sync_rule_t       *rule;
  md_metrics_t               *metrics;
  md_out_t                    out;
  md_level_pool_t            *level_pool;
  md_sync_pool_t             *sync_pool;
  md_feed_symbols_t          *symbols;
  md_feed_instrument_t       *instruments;
  md_feed_asides_t            asides;
  uint32_t                    instrument_cnt;
  uint32_t                    next_id;
  uint32_t                    books_valid, books_known;
  void                       *venue_state;
  md_feed_instrument_t       *found[8]; /* by hash: those looked up last */
  md_feed_ahead_t             ahead[8]; /* the last frames that were shown, in turn */
  uint32_t                    ahead_cnt;
  const md_feed_instrument_t *near; /* whose book the last update changed */

  /* Scratch: levels of one message, and what it changed. */
  void             *scratch;
  uint64_t          scratch_bytes;
  md_level_t       *bids, *asks;
  md_book_change_t *changes;
  uint32_t          change_cnt;

  md_feed_connection_t connections[MD_FEED_CONNECTION_CNT_MAX];
  uint32_t             connection_cnt, connection_last, connection_next;

  /* Samples of the books: how often (0 never), and the next instant of one (INT64_MIN unknown). */
  int64_t ladder_every_ns, ladder_next_ns;
  bool    order_counts; /* BOOK_ORDERS are made */

  /* The input being handled. */
  int64_t  recv_ns;
  uint32_t raw_lo;
  uint8_t  leg;

  /* Latencies: inputs that are decoded and not visible yet. */
  int64_t  begin_ns;   /* when the input was handed over */
  int64_t  free_ns;    /* when the last input was visible; 0: unknown */
  uint32_t shown;      /* bit n: the n-th input from now on was shown by md_feed_expect_next */
  int64_t  ts_exch_ns; /* of its first record that has one */
  bool     is_decoded; /* its first records were committed */
  uint32_t decoded_cnt;
  int64_t  decoded_ns[MD_PUBLISH_PENDING_MAX];
};

/* ---- feed.c ---- */

/* md_feed_record stages a record of i (NULL: of no instrument) with its header filled from the
 * input; body_bytes of body. Commits what is staged when there is no room, so not between the
 * records of a group. Never NULL.
 */
md_record_t *md_feed_record(md_feed_t *f, const md_feed_instrument_t *i, md_record_type_t type,
                            uint64_t body_bytes);

/* md_feed_commit writes what is staged to rings and tape. */
void md_feed_commit(md_feed_t *f);

/* md_feed_visible publishes, before shared memory is written; md_feed_settle tells the stage
 * histograms, behind that. */
void md_feed_visible(md_feed_t *f);
void md_feed_settle(md_feed_t *f);

/* ---- feed_instrument.c ---- */

/* md_feed_lookup_hashed is md_feed_lookup with the symbol's hash. */
md_feed_instrument_t *md_feed_lookup_hashed(md_feed_t *f, uint64_t hash, const char *symbol,
                                            uint32_t len);

/* md_feed_define stages the DEFINITION of i unless it stands in the stream already. */
void md_feed_define(md_feed_t *f, md_feed_instrument_t *i);

/* ---- feed_market.c ---- */

/* md_feed_has_trades: some trade was seen, so the ids of the totals are set. */
static inline bool
md_feed_has_trades(const md_trade_totals_t *t) {
  return t->cnt + t->off_book_cnt > 0;
}

/* md_feed_crossed_check looks at a book that is crossed or was: one that stays so for too long is
 * asked for anew. */
void md_feed_crossed_check(md_feed_t *f, md_feed_instrument_t *i);

/* md_feed_canary_check compares the book after an update with a best price that came before it;
 * md_feed_canary_forget drops those that wait. */
void md_feed_canary_check(md_feed_t *f, md_feed_instrument_t *i);
void md_feed_canary_forget(md_feed_instrument_t *i);

/* ---- feed_book_out.c ---- */

/* A part of a group of levels: offsets into both sides and counts. Begin with all zero; false when
 * there is nothing left. A book without a level is one part without a level. */
typedef struct md_feed_cut {
  uint32_t bid_off, ask_off, bid_cnt, ask_cnt;
  bool     is_begun, is_last;
} md_feed_cut_t;

bool md_feed_cut_next(md_feed_cut_t *c, uint32_t bid_total, uint32_t ask_total, uint32_t max);

/* md_feed_copy_book writes the levels of a cut of the engine's book, best first. */
void md_feed_copy_book(const md_orderbook_t *b, const md_feed_cut_t *c, md_level_t *to);

/* md_feed_out_snapshot publishes the engine's book of i as the snapshot that it was loaded from. */
void md_feed_out_snapshot(md_feed_t *f, md_feed_instrument_t *i);

/* What a BOOK_SNAPSHOT says beside its levels. */
typedef struct md_feed_snapshot {
  uint64_t exch_seq;
  int64_t  ts_exch_ns, ts_recv_ns;
  uint32_t raw_lo, limit;
  uint16_t flags;
  uint8_t  leg;
} md_feed_snapshot_t;

/* md_feed_out_book publishes the engine's book of i as a BOOK_SNAPSHOT. */
void md_feed_out_book(md_feed_t *f, md_feed_instrument_t *i, const md_feed_snapshot_t *s);

/* md_feed_edge gives the price up to which one side is known, loaded from a snapshot of limit
 * levels (0: all of them); MD_NULL_I64: the whole side is. */
int64_t md_feed_edge(const md_orderbook_t *b, md_side_t side, uint32_t limit);

/* What a BOOK_DELTA says beside its levels: an update may be older than the input that frees it. */
typedef struct md_feed_delta {
  const md_update_ids_t *ids;
  int64_t                ts_exch_ns, ts_recv_ns;
  uint32_t               raw_lo, checksum;
  uint32_t               match_lag_us;
  uint16_t               flags;
  uint8_t                leg;
  bool                   has_checksum;
} md_feed_delta_t;

void md_feed_out_delta(md_feed_t *f, md_feed_instrument_t *i, const md_feed_delta_t *delta,
                       const md_feed_levels_t *levels);

void md_feed_out_status(md_feed_t *f, md_feed_instrument_t *i, unsigned before, unsigned after,
                        unsigned reason);

/* md_feed_out_gap publishes a GAP of i's book; seen MD_NULL_U64: nothing came instead. */
void md_feed_out_gap(md_feed_t *f, md_feed_instrument_t *i, uint64_t seen, uint64_t missed_cnt,
                     md_reason_t reason);

/* md_feed_out_gap_of publishes a GAP of the records of a type: what was had last, what came
 * instead. */
void md_feed_out_gap_of(md_feed_t *f, md_feed_instrument_t *i, md_record_type_t type, uint64_t last,
                        uint64_t seen, md_reason_t reason);

/* Shared memory, all behind a commit: everything, what f->changes says, or only the state. */
void md_feed_shm_all(md_feed_t *f, md_feed_instrument_t *i);
void md_feed_shm_changes(md_feed_t *f, md_feed_instrument_t *i);
void md_feed_shm_state(md_feed_t *f, md_feed_instrument_t *i);

/* ---- feed_expect.c ---- */

/* md_feed_expect_places: the live book of i was written. */
void md_feed_expect_places(md_feed_t *f, md_feed_instrument_t *i);

/* ---- feed_memory.c ---- */

/* md_feed_reserve gives address space that is zero and takes memory where it is touched, NULL when
 * refused; md_feed_release takes it back. */
void *md_feed_reserve(uint64_t bytes);
void  md_feed_release(void *p, uint64_t bytes);

/* md_feed_asides_new reserves for all instruments that the feed may have; false when refused. */
bool md_feed_asides_new(md_feed_t *f);
void md_feed_asides_delete(md_feed_t *f);

/* md_feed_aside_canary and md_feed_aside_deepen give an instrument its places; md_feed_aside_bar
 * the one of its n-th interval. */
void        md_feed_aside_canary(md_feed_t *f, md_feed_instrument_t *i);
void        md_feed_aside_deepen(md_feed_t *f, md_feed_instrument_t *i);
md_kline_t *md_feed_aside_bar(const md_feed_t *f, const md_feed_instrument_t *i, uint32_t n);

/* md_feed_forget gives back the memory of books that are STALE: readers keep what they see, the
 * next snapshot brings the levels again. */
void md_feed_forget(md_feed_t *f);

/* ---- feed_ladder.c ---- */

/* md_feed_ladder_begin puts the configured interval into the RAW stream in front of the first
 * input, as a COMMAND: a replay of the RAW records needs no configuration to make the same records.
 * md_feed_ladder_command takes such a COMMAND. */
void md_feed_ladder_begin(md_feed_t *f, int64_t recv_ns);
void md_feed_ladder_command(md_feed_t *f, const md_input_t *in);

/* md_feed_ladders publishes the LADDER records that are due before an input of recv_ns. */
void md_feed_ladders(md_feed_t *f, int64_t recv_ns);

/* ---- feed_orders.c ---- */

/* md_feed_orders_begin puts into the RAW stream that BOOK_ORDERS are kept, md_feed_orders_command
 * takes that; false: it is another command. */
void md_feed_orders_begin(md_feed_t *f, int64_t recv_ns);
bool md_feed_orders_command(md_feed_t *f, const md_input_t *in);

/* ---- feed_resume.c ---- */

/* md_feed_resume_command takes "resume", then lines "SYMBOL BOOK TRADE AGGREGATE" of the last ids
 * that the journal has, "-" for none; false for another command or a line that is none. */
bool md_feed_resume_command(md_feed_t *f, const md_input_t *in);

/* ---- feed_deepen.c ---- */

/* md_feed_deepen_begin: a deeper snapshot is asked for: the updates of a VALID book are kept from
 * here on. */
void md_feed_deepen_begin(md_feed_t *f, md_feed_instrument_t *i);

/* md_feed_deepen_update: an update was applied to a book whose updates are kept. */
void md_feed_deepen_update(md_feed_t *f, md_feed_instrument_t *i, const md_feed_delta_t *delta,
                           const md_feed_levels_t *levels);

/* md_feed_deepen_snapshot: a snapshot of a VALID book came; its levels are sane. */
void md_feed_deepen_snapshot(md_feed_t *f, md_feed_instrument_t *i, const md_feed_event_t *event,
                             uint32_t limit, const md_feed_levels_t *levels);

/* md_feed_deepen_stop forgets all that is kept. */
void md_feed_deepen_stop(md_feed_instrument_t *i);

/* md_feed_tell_depth says how much of a VALID book is known to who can ask for more. */
void md_feed_tell_depth(md_feed_t *f, const md_feed_instrument_t *i);

/* ---- feed_known.c ---- */

/* md_feed_known_begin: the edges of what is known were set anew. */
void md_feed_known_begin(md_feed_t *f, md_feed_instrument_t *i);

/* md_feed_known_left gives how many of limit levels are left at most, as far as it was told. */
uint32_t md_feed_known_left(const md_feed_instrument_t *i, uint32_t limit);

/* md_feed_known_check: an update was applied. Warns when little is left of what is known. */
void md_feed_known_check(md_feed_t *f, md_feed_instrument_t *i);

/* md_feed_known_lacks says whether a best price of the venue is a level that was never shown to us:
 * the book has none as good, and it lies beyond what the snapshot held. */
bool md_feed_known_lacks(const md_feed_instrument_t *i, md_side_t side, int64_t px);

/* ---- feed_book.c ---- */

/* md_feed_book_break: a VALID book cannot be used any more: GAP, STALE with the reason, a new
 * snapshot asked for. seen is the id that came instead, MD_NULL_U64: none. A book that is not VALID
 * waits for a snapshot anyhow, and the ids of its updates tell what is missing: nothing happens. */
void md_feed_book_break(md_feed_t *f, md_feed_instrument_t *i, md_reason_t reason, uint64_t seen);

/* md_feed_book_delist: the venue lists the symbol no more; md_feed_book_list: it does again. */
void md_feed_book_delist(md_feed_t *f, md_feed_instrument_t *i);
void md_feed_book_list(md_feed_instrument_t *i);

/* md_feed_books_close: the connection of a leg went away (MD_LEG_NONE: all of them). */
void md_feed_books_close(md_feed_t *f, uint8_t leg);

/* md_feed_book_apply changes the engine's book and publishes the delta; shared memory is the
 * caller's. MD_ERR_CORRUPT: the checksum differs, nothing was published. */
MD_MUST_USE md_err_t md_feed_book_apply(md_feed_t *f, md_feed_instrument_t *i,
                                        md_feed_delta_t *delta, const md_feed_levels_t *levels);

/* md_feed_book_refused makes a book STALE that an update was half applied to. */
void md_feed_book_refused(md_feed_t *f, md_feed_instrument_t *i, md_err_t err, uint64_t seen);

/* md_feed_book_verdict says what the rule says of an update of a VALID book, and counts. */
md_sync_verdict_t md_feed_book_verdict(md_feed_t *f, md_feed_instrument_t *i,
                                       const md_update_ids_t *ids);

/* md_feed_book_pending gives the levels of a waiting update at the exponents of today. */
MD_MUST_USE md_err_t md_feed_book_pending(md_feed_t *f, const md_feed_instrument_t *i,
                                          const md_sync_pending_t *p, md_feed_levels_t *out);

/* md_feed_delta_of and md_feed_pending_of: what an update says beside its levels, before and while
 * it waits. */
md_feed_delta_t   md_feed_delta_of(const md_sync_pending_t *p);
md_sync_pending_t md_feed_pending_of(const md_feed_instrument_t *i, const md_feed_delta_t *delta,
                                     const md_feed_levels_t *levels);

/* ---- feed_leg.c: books whose rule follows one connection ---- */

/* md_feed_leg_is_other: the input comes from another connection than the one that the book follows.
 */
bool md_feed_leg_is_other(const md_feed_t *f, const md_feed_instrument_t *i);

/* md_feed_leg_update: an update from another connection; kept while that one may take over. */
void md_feed_leg_update(md_feed_t *f, md_feed_instrument_t *i, const md_feed_delta_t *delta,
                        const md_feed_levels_t *levels);

/* md_feed_leg_snapshot: a VALID book's snapshot from another connection: that one may take over. */
void md_feed_leg_snapshot(md_feed_t *f, md_feed_instrument_t *i);

/* md_feed_leg_lost: a connection went away; true when the book goes on by another one. */
bool md_feed_leg_lost(md_feed_t *f, md_feed_instrument_t *i, uint8_t leg);

/* md_feed_legs_retire: a connection was replaced by another one that gives the same. */
void md_feed_legs_retire(md_feed_t *f, uint8_t leg);

#endif
