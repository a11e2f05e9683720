/* feed.h - the logic of one feed: inputs in, records and live books out.
 *
 * A feed is a function of its inputs: the thread that owns it calls md_feed_input in order and
 * md_feed_publish at the end of a batch. It does no I/O, reads no clock but the injected one (for
 * ts_pub_ns and stage latencies only), allocates nothing after md_feed_new but when an instrument
 * is seen for the first time. The same code runs live, in a test and in an offline replay.
 *
 * A venue (venue.h) decodes an input and calls the md_feed_on_* functions below. */
#ifndef FEEDS_FEED_H
#define FEEDS_FEED_H

#include "feeds/input.h"
#include "feeds/orderbook.h"
#include "feeds/out.h"
#include "feeds/sync.h"
#include "shm/segment.h"

typedef struct md_venue md_venue_t;
typedef struct md_feed  md_feed_t;

/* An instrument that the journal knows from before: keeps its id. */
typedef struct md_known_instrument {
  char     symbol[MD_SYMBOL_BYTES];
  uint32_t id;
} md_known_instrument_t;

typedef struct md_feed_config {
  const char       *name;  /* feed name */
  const md_venue_t *venue; /* a row of venue_table.h */
  uint16_t          feed;  /* index */
  uint16_t          stream, raw_stream;
  uint32_t          epoch;
  bool              keep_raw;
  int64_t  ladder_every_ns; /* LADDER records so often, 0 never; a COMMAND input may set it too */
  bool     order_counts;    /* BOOK_ORDERS records, where the venue gives them; the same */
  bool     microseconds;    /* this connection's times are microseconds (timeUnit=MICROSECOND) */
  uint32_t instrument_max;
  uint64_t level_pool_bytes;            /* address space for all levels */
  uint64_t sync_pool_bytes;             /* memory for updates that wait for snapshots, all books */
  uint64_t sync_queue_bytes;            /* the same for one book */
  md_segment_t                *segment; /* NULL: offline, no shared memory */
  md_metrics_t                *metrics; /* NULL: offline */
  const md_clock_t            *clock;
  const md_known_instrument_t *known;
  uint32_t                     known_cnt;
  uint32_t                     next_id; /* offline only: first id for unknown instruments */
  /* Called when a book needs a snapshot: the REST thread later; NULL for recordings. */
  void (*request_snapshot)(void *ctx, uint32_t instrument_id, const char *symbol);
  /* Called when a book became VALID, and when a wait for a deeper snapshot is over, whatever came
   * of it: a snapshot of limit levels a side is all that is known of the book, and of these so
   * many are left at most; 0: nothing is unknown. NULL for recordings. */
  void (*tell_depth)(void *ctx, const char *symbol, uint32_t limit, uint32_t left);
  /* Called when the market left so much of what is known of a VALID book behind that only so many
   * levels of a side are left at most: at half of them, and again at each half of that. */
  void (*tell_low)(void *ctx, const char *symbol, uint32_t left);
  void *request_ctx; /* of all three */
} md_feed_config_t;

/* Totals of one instrument's trades, exact. Prints that are not of the market (their origin) stand
 * in neither count nor sum, but their ids are of the same row. */
typedef struct md_trade_totals {
  uint64_t cnt, off_book_cnt;
  md_i128  qty_sum; /* at the instrument's qty_exp */
  uint64_t id_first, id_last;
} md_trade_totals_t;

/* Bars: the last final one of each interval is kept, to know a repeat from a correction. */
#define MD_FEED_INTERVAL_CNT_MAX 20u

/* Best prices that are ahead of the book: compared when the book reaches their update id. */
#define MD_FEED_CANARY_CNT 32u

typedef struct md_feed_canary {
  uint64_t   exch_seq; /* 0: none */
  md_level_t bid, ask;
} md_feed_canary_t;

/* What the journal has of a symbol from earlier epochs: its last ids, absent where there is none.
 */
typedef struct md_feed_resume {
  uint64_t book, trade, agg;
} md_feed_resume_t;

/* A VALID book that waits for a deeper snapshot: the updates since it began to wait, and the
 * snapshot once it came but is ahead of them (feed_deepen.c). */
typedef struct md_feed_deepen {
  bool            has_snapshot;
  int8_t          px_exp, qty_exp; /* of book and edges */
  uint16_t        flags;
  uint32_t        limit, raw_lo;
  uint64_t        id;        /* of the snapshot */
  uint64_t        begin_seq; /* exch_seq of the book when it began to wait */
  int64_t         begin_ns, recv_ns;
  int64_t         trusted_bid, trusted_ask;
  md_orderbook_t  book;
  md_sync_queue_t queue;
} md_feed_deepen_t;

/* One instrument of a feed. Read by tools at a sequence point; changed only by feed*.c. What every
 * update of a book looks at stands in front, in as few cache lines as it can. */
typedef struct md_feed_instrument {
  _Alignas(64) char symbol[MD_SYMBOL_BYTES];
  uint32_t id, row;
  int8_t   px_exp, qty_exp;
  uint8_t  symbol_len;
  uint8_t  state;  /* md_book_state_t */
  uint8_t  reason; /* md_reason_t of STALE */
  /* Private to feed*.c. */
  uint8_t           leg;         /* connection leg of its book's updates */
  bool              is_handover; /* the next update is the first one of another leg */
  uint8_t           era;         /* how often its ids began anew below the last one */
  md_orderbook_t    book;
  md_book_t        *shm;    /* NULL: no live book */
  md_book_places_t  places; /* where the next update will change it */
  uint64_t          exch_seq, last_seq;
  int64_t           ts_exch_ns, ts_recv_ns;
  int64_t           trusted_bid, trusted_ask;
  uint32_t          gen, known_min;          /* known_min: the next warning (feed_known.c) */
  uint64_t          canary_last;             /* no best price of a later update waits */
  int64_t           crossed_ns;              /* when it was crossed, 0: it is not */
  uint32_t          crossed_cnt;             /* resyncs because of it since it last was not */
  int8_t            shm_px_exp, shm_qty_exp; /* of the levels in shared memory */
  uint16_t          book_flags;              /* MD_FLAG_CROSSED now */
  bool              has_snapshot; /* the book holds a snapshot that waits for its first update */
  bool              resync;       /* the next record of this instrument carries RESYNC */
  bool              is_delisted;  /* book updates are ignored until it is listed again */
  bool              is_deepening; /* its updates are kept for a deeper snapshot */
  bool              is_defined;   /* its DEFINITION stands in this stream */
  bool              is_listed;    /* it has a row in the segment's directory */
  uint8_t           next_leg;     /* one that could take over: its updates wait in the queue */
  uint8_t           next_era;     /* the same of the leg that may take over, as far as it came */
  md_trade_totals_t trades, agg_trades;
  uint64_t          trade_seq; /* of md_feed_trade_seq_is_new, 0: none yet */

  uint32_t         index, gap_cnt;
  uint32_t         snapshot_limit;
  uint32_t         known_first;     /* the first warning */
  uint64_t         ladder_seq;      /* last_seq when its last LADDER was made */
  uint32_t         canary_miss_cnt; /* in a row */
  uint32_t         canary_next;
  md_definition_t *definition; /* in the table of symbols */
  md_feed_resume_t before;     /* what earlier epochs have, absent: nothing, or declared already */
  md_sync_queue_t  queue;
  uint8_t          snapshot_leg;
  uint16_t         snapshot_flags;
  uint32_t         snapshot_raw_lo;
  uint64_t         snapshot_id;
  int64_t          snapshot_ts_exch_ns, snapshot_recv_ns;
  uint64_t missed_cnt;      /* updates that found no room while the book waits, not in a GAP yet */
  bool     missed_declared; /* a GAP told of the first ones */
  uint32_t bar_cnt;
  /* Places of its own in arrays of the feed that only those touch who need them. */
  md_feed_canary_t *canary; /* MD_FEED_CANARY_CNT; set from the first one that waited on */
  md_feed_deepen_t *deepen; /* set since a deeper snapshot was asked for first */
} md_feed_instrument_t;

/* The part of it that an update of a book looks at, and what a trade does too. */
#define MD_FEED_HOT_BYTES  offsetof(md_feed_instrument_t, trades)
#define MD_FEED_WARM_BYTES offsetof(md_feed_instrument_t, index)

/* md_feed_new makes a feed with its out (rings and tape are set by the caller through md_feed_out).
 * MD_ERR_NOMEM. */
MD_MUST_USE md_err_t md_feed_new(const md_feed_config_t *cfg, md_feed_t **out, md_msg_t *msg);
void                 md_feed_delete(md_feed_t *f);
md_out_t            *md_feed_out(md_feed_t *f);

/* md_feed_input handles one input. Never fails: what cannot be decoded is counted, kept as RAW, and
 * makes the book concerned STALE. */
void md_feed_input(md_feed_t *f, const md_input_t *in);

/* Frames ahead of the one that is handled, of which something may be said. */
#define MD_FEED_AHEAD_MAX 5u

/* md_feed_expect_next shows the feed a text frame that was received already and will be given to
 * md_feed_input as the ahead-th one after that of the next call (1 to MD_FEED_AHEAD_MAX), so that
 * memory which it needs comes while the frames before it are handled. payload NULL: there is none.
 * Before each input: MD_FEED_AHEAD_MAX of it; where a batch begins, each ahead from 1 on. Nothing
 * but time depends on it: frames that never come, others and broken ones do no harm. */
void md_feed_expect_next(md_feed_t *f, const uint8_t *payload, uint32_t len, uint32_t ahead);

/* md_feed_look_ahead shows what lies behind the input that a source gave, before that is handled.
 */
void md_feed_look_ahead(md_feed_t *f, const md_source_t *source);

/* md_feed_publish: end of a batch. */
void md_feed_publish(md_feed_t *f);

/* md_feed_checkpoint writes CHECKPOINT records (BEGIN, every definition, every book, END) that
 * answer `request` into the journal's ring. MD_ERR_FULL: no room now, nothing written, try again.
 */
MD_MUST_USE md_err_t md_feed_checkpoint(md_feed_t *f, uint64_t request);

/* md_feed_end makes every VALID book STALE with reason (recording ended, stop). */
void md_feed_end(md_feed_t *f, md_reason_t reason);

/* md_feed_memory: bytes that the feed's own books, waiting updates, instruments and symbols hold.
 * The segment and its rings are not among them: their size is fixed. */
uint64_t md_feed_memory(const md_feed_t *f);

/* md_feed_shed gives back to the system what is kept only to be quick: memory for waiting updates
 * while none waits, for levels while there are none. Books stay as they are. */
void md_feed_shed(md_feed_t *f);

uint32_t                    md_feed_instrument_cnt(const md_feed_t *f);
const md_feed_instrument_t *md_feed_instrument_at(const md_feed_t *f, uint32_t index);
const md_feed_instrument_t *md_feed_instrument_by_id(const md_feed_t *f, uint32_t id);

/* ---- for venues, within md_feed_input ---- */

/* md_feed_expect says that an update of i's book is being read, md_feed_expect_more, that a part of
 * it was: memory comes meanwhile that was not used for long. */
void md_feed_expect(md_feed_t *f, const md_feed_instrument_t *i);
void md_feed_expect_more(md_feed_t *f, const md_feed_instrument_t *i);

/* What the input being handled says to every record made from it. */
typedef struct md_feed_event {
  int64_t  ts_exch_ns; /* MD_NULL_I64: none */
  uint64_t exch_seq;
  uint16_t flags;        /* MD_FLAG_REST ... */
  bool     has_checksum; /* of the book behind this message: the venue's checksum_ok looks at it */
  uint32_t checksum;
  uint32_t limit;        /* levels a side that the stream of a snapshot keeps; 0: all */
  uint32_t match_lag_us; /* of a book's update, as MD_FIELD_LAG; see md_feed_match_lag */
} md_feed_event_t;

/* md_feed_match_lag gives how long before its event time a message was made, as MD_FIELD_LAG has
 * it: absent when either is, when the match is the later one, and from an hour on. */
static inline uint32_t
md_feed_match_lag(int64_t ts_exch_ns, int64_t ts_match_ns) {
  const int64_t hour_ns = 3600 * INT64_C(1000000000);
  if (ts_exch_ns == MD_NULL_I64 || ts_match_ns == MD_NULL_I64 || ts_match_ns > ts_exch_ns ||
      ts_exch_ns - ts_match_ns >= hour_ns)
    return 0;
  return (uint32_t)((ts_exch_ns - ts_match_ns) / 1000) + 1;
}

/* Levels of both sides of one message, at the instrument's exponents. */
typedef struct md_feed_levels {
  const md_level_t *bids, *asks;
  uint32_t          bid_cnt, ask_cnt;
  bool              is_checked; /* the venue saw that no quantity is below zero */
} md_feed_levels_t;

/* md_feed_lookup returns the instrument of a symbol that is in use, NULL if there is none. */
md_feed_instrument_t *md_feed_lookup(md_feed_t *f, const char *symbol, uint32_t len);

/* md_feed_find returns the instrument of a raw symbol (upper case as the venue writes it), made on
 * first sight with the venue's definition; NULL when the table is full (counted). */
md_feed_instrument_t *md_feed_find(md_feed_t *f, const char *symbol, uint32_t len);

/* md_feed_find_known is md_feed_find for rows of messages about a whole market: only a symbol that
 * is in use or stands in the venue's list has an instrument, NULL otherwise. */
md_feed_instrument_t *md_feed_find_known(md_feed_t *f, const char *symbol, uint32_t len);

/* md_feed_widen gives an instrument smaller exponents: a new DEFINITION, a rescale of its book.
 * Larger or equal ones change nothing. MD_ERR_OVERFLOW: something that is known would not fit;
 * nothing changed. */
MD_MUST_USE md_err_t md_feed_widen(md_feed_t *f, md_feed_instrument_t *i, int px_exp, int qty_exp);

/* md_feed_stage adds a record for instrument i (NULL: for none), its DEFINITION before the first
 * one, and returns the zeroed body for the venue to fill. Never NULL; only for types without a
 * variable part. */
void *md_feed_stage(md_feed_t *f, md_feed_instrument_t *i, md_record_type_t type,
                    const md_feed_event_t *event);

/* md_feed_trade_is_new and _agg_trade_is_new say whether an id is above the last one of i; one that
 * is not was sent again, is counted as a duplicate, and must not be staged. A hole before the id is
 * declared by a GAP where the venue numbers its trades one by one. Before md_feed_stage. */
bool md_feed_trade_is_new(md_feed_t *f, md_feed_instrument_t *i, uint64_t id);
bool md_feed_agg_trade_is_new(md_feed_t *f, md_feed_instrument_t *i, uint64_t id);

/* md_feed_trade_seq_is_new is the same for a venue that numbers the trades of an instrument one by
 * one beside their ids. */
bool md_feed_trade_seq_is_new(md_feed_t *f, md_feed_instrument_t *i, uint64_t seq);

/* md_feed_kline_is_new keeps the last final bar of each interval: false for a bar that was final
 * already and says nothing new (counted as a duplicate); a final bar that differs is a correction:
 * true and *flags gets MD_FLAG_CORRECTION. Before md_feed_stage. */
bool md_feed_kline_is_new(md_feed_t *f, md_feed_instrument_t *i, const md_kline_t *k,
                          uint16_t *flags);

/* md_feed_on_trade, _agg_trade, _bbo: what the feed does beside recording (totals, canary); called
 * after md_feed_stage with the filled body. */
void md_feed_on_trade(md_feed_t *f, md_feed_instrument_t *i, const md_trade_t *t);
void md_feed_on_agg_trade(md_feed_t *f, md_feed_instrument_t *i, const md_agg_trade_t *t);
void md_feed_on_bbo(md_feed_t *f, md_feed_instrument_t *i, const md_bbo_t *b, uint64_t exch_seq);

/* md_feed_on_update: a book update. Bodies that md_feed_stage gave before are invalid behind it. */
void md_feed_on_update(md_feed_t *f, md_feed_instrument_t *i, const md_feed_event_t *event,
                       const md_update_ids_t *ids, const md_feed_levels_t *levels);

/* md_feed_on_snapshot: a whole book with its id (event->exch_seq); limit levels a side were asked
 * for (0: all). */
void md_feed_on_snapshot(md_feed_t *f, md_feed_instrument_t *i, const md_feed_event_t *event,
                         uint32_t limit, const md_feed_levels_t *levels);

/* md_feed_on_stream_snapshot: a whole book that stands in the stream of its own updates, at their
 * place (event->exch_seq): the book is VALID with it, whatever it was before, and the next update
 * continues it. Of updates that waited, those that continue it are applied. Another connection's
 * snapshot that is not newer than a VALID book is a repeat; where a book follows one connection, it
 * tells that this other one could take over. */
void md_feed_on_stream_snapshot(md_feed_t *f, md_feed_instrument_t *i, const md_feed_event_t *event,
                                const md_feed_levels_t *levels);

/* md_feed_on_trading: what the venue says of an instrument's trading: a STATUS record and a new
 * DEFINITION when it changed; MD_TRADING_ENDED also ends its book. i NULL: of the venue as a whole,
 * a STATUS record only. */
void md_feed_on_trading(md_feed_t *f, md_feed_instrument_t *i, const md_feed_event_t *event,
                        md_trading_t trading);

/* md_feed_definition_init makes a definition of a symbol in which everything else is absent. */
void md_feed_definition_init(md_definition_t *d, const char *symbol, uint32_t len);

/* md_feed_on_definition: what the venue says of an instrument (exchangeInfo). Kept for symbols that
 * are not in use; an instrument in use gets a DEFINITION record when something changed. */
void md_feed_on_definition(md_feed_t *f, const char *symbol, uint32_t len, const md_definition_t *d,
                           int px_exp, int qty_exp);

/* md_feed_wants_orders says whether BOOK_ORDERS are kept; md_feed_out_orders publishes one behind a
 * message of a book, the quantities of levels being numbers of orders. */
bool md_feed_wants_orders(const md_feed_t *f);
void md_feed_out_orders(md_feed_t *f, md_feed_instrument_t *i, const md_feed_event_t *event,
                        const md_update_ids_t *ids, bool whole, const md_feed_levels_t *levels);

/* md_feed_bad_message counts a message that could not be decoded (MD_ERR_UNKNOWN as unroutable,
 * MD_ERR_RANGE, _OVERFLOW and _FULL as overflow, else as parse error); i not NULL: it was one of
 * the book, which is STALE now. What decode returns is counted the same way: not both. */
void md_feed_bad_message(md_feed_t *f, md_feed_instrument_t *i, md_err_t err);

/* Scratch of the thread for levels: MD_BOOK_LEVELS_MAX a side. */
md_level_t *md_feed_bid_scratch(md_feed_t *f);
md_level_t *md_feed_ask_scratch(md_feed_t *f);

/* Private state of the venue (venue->state_bytes, zeroed at the start). */
void *md_feed_venue_state(md_feed_t *f);

/* md_feed_microseconds says whether the times of in's connection are microseconds: by its connect
 * URL, else by the configuration. md_feed_url gives the beginning of that URL, NULL when there was
 * none. */
bool        md_feed_microseconds(md_feed_t *f, const md_input_t *in);
const char *md_feed_url(md_feed_t *f, const md_input_t *in, uint32_t *len);

#endif
