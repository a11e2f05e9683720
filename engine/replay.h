/* replay.h - playing inputs again without a running engine: a recording through the feed logic, or
 * the normalised records of a journal into books. Both end in the same list of instruments. */
#ifndef ENGINE_REPLAY_H
#define ENGINE_REPLAY_H

#include "feeds/feed.h"
#include "writers/journal.h"

/* One instrument at the end of a replay. */
typedef struct md_replay_instrument {
  char              feed[MD_NAME_BYTES];
  char              symbol[MD_SYMBOL_BYTES];
  uint32_t          id;
  uint16_t          stream;
  int8_t            px_exp, qty_exp;
  uint8_t           state; /* md_book_state_t */
  uint64_t          exch_seq;
  uint64_t          gap_cnt;
  md_orderbook_t    book;
  md_trade_totals_t trades, agg_trades;
} md_replay_instrument_t;

typedef struct md_replay {
  md_level_pool_t        *pool;
  md_replay_instrument_t *instruments;
  uint32_t                cnt, cap;
  uint64_t                frame_cnt;    /* inputs, or RAW messages of a journal */
  uint64_t                record_cnt;   /* normalised records */
  uint64_t                loss_cnt;     /* records that the journal declares lost */
  uint64_t                mismatch_cnt; /* checkpoints that differ from the replayed book */
  md_journal_damage_t     damage;
} md_replay_t;

/* md_replay_free releases what a replay holds; a zeroed struct is fine. */
void md_replay_free(md_replay_t *r);

/* md_replay_recording plays path through the logic of venue (NULL: found from the file). A damaged
 * recording gives MD_ERR_CORRUPT with msg, and r holds what came before the damage. */
MD_MUST_USE md_err_t md_replay_recording(const char *path, const char *venue, md_replay_t *r,
                                         md_msg_t *msg);

/* Which part of a journal is replayed; all zero: all of it. */
typedef struct md_replay_part {
  uint64_t segment;    /* begin here */
  uint64_t record_max; /* stop after so many normalised records; checkpoints do not count */
  int64_t from_ns; /* count only what was published then or later; books are built from the begin of
                      the segment before it, which holds them whole */
  int64_t to_ns;   /* stop before what was published then */
} md_replay_part_t;

/* md_replay_journal applies the normalised records of a part of dir; feed NULL: all. */
MD_MUST_USE md_err_t md_replay_journal(const char *dir, const char *feed,
                                       const md_replay_part_t *part, md_replay_t *r, md_msg_t *msg);

/* What a verification found. */
typedef struct md_replay_verdict {
  uint64_t raw_cnt;      /* RAW messages played again */
  uint64_t compared_cnt; /* records compared */
  uint64_t lost_cnt;     /* records that the journal declares lost: not comparable */
  uint64_t differ_cnt;   /* records that differ */
  uint64_t epoch_cnt;    /* (feed, epoch) pairs played */
  char     first[256];   /* the first difference */
} md_replay_verdict_t;

/* md_replay_verify plays the RAW records of each feed and epoch of dir through the feed logic and
 * compares what comes out with the normalised records, byte for byte but for ts_pub_ns. */
MD_MUST_USE md_err_t md_replay_verify(const char *dir, const char *feed, md_replay_verdict_t *out,
                                      md_msg_t *msg);

/* md_replay_feed_config is the configuration of an offline feed of venue. Its clock says when the
 * input was received: a replay is the same each time, and a reading of the system's costs what the
 * rest of a small message does. */
md_feed_config_t md_replay_feed_config(const char *name, const md_venue_t *venue,
                                       const md_clock_t *clock);

#endif
