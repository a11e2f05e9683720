/* book.h - the live book of one instrument in shared memory: top, ladder, depth.
 *
 * The feed thread writes, any process reads through a PROT_READ mapping, nobody waits for anybody.
 *
 *   bbo     best bid and ask, state, seq and time in one cache line, rewritten when they change
 *   top     best bid and ask and all meta of the last record, in slots of two cache lines
 *   ladder  best MD_LADDER_LEVELS a side in MD_LADDER_SLOTS slots
 *   depth   the best depth_levels a side (0: none), changed in place, with a log of what each
 *           change replaced
 *
 * A reader of bbo, top and ladder takes the newest whole one. A reader of depth copies the levels
 * while they change and takes back what came after the record it began at: only one that is slower
 * than hundreds of changes begins anew.
 *
 * Data words are 8-byte atomics, stored with release and loaded with acquire; what says where to
 * read is stored behind them. No fences: TSan cannot see them. The layout is private to book*.c and
 * the client library, and so are the orders: book_layout.h. */
#ifndef SHM_BOOK_H
#define SHM_BOOK_H

#include "shm/atomics.h"
#include "shm/record.h"

/* What every tier says beside its levels. Top's is that of the last record. Ladder and depth are
 * rewritten only when a record changes their levels, or state, reason, gen, exponents, trust or
 * flags: their last_seq, tape_pos, exch_seq, times and totals are those of the record that last did
 * so, and their levels are right for every record from there to top's last_seq. From any tier,
 * following the tape from its tape_pos joins exactly. */
typedef struct md_book_meta {
  uint8_t  state;  /* md_book_state_t */
  uint8_t  reason; /* md_reason_t, of STALE */
  int8_t   px_exp, qty_exp;
  uint32_t gen;        /* counts resyncs: levels of different generations do not continue */
  uint64_t last_seq;   /* seq of the last record applied; joins with the tape */
  uint64_t tape_pos;   /* tape cursor behind that record */
  uint64_t exch_seq;   /* the exchange's sequence of the book */
  int64_t  ts_exch_ns; /* of the last update, MD_NULL_I64 if the venue gives none */
  int64_t  ts_recv_ns;
  int64_t  ts_pub_ns;
  int64_t  trusted_bid;          /* lowest bid price that is surely known; MD_NULL_I64: all are */
  int64_t  trusted_ask;          /* highest ask price that is surely known */
  uint32_t bid_total, ask_total; /* levels known to the engine */
  uint32_t flags;                /* MD_FLAG_CROSSED */
  uint32_t pad0;
} md_book_meta_t;

/* What a program needs that looks at one price very often. last_seq and ts_recv_ns are of the
 * record that last changed anything of the rest, which is right for every record from there to
 * top's last_seq: on the tape the next record that matters has a greater seq. */
typedef struct md_book_bbo {
  uint8_t  state, reason; /* as in md_book_meta_t */
  int8_t   px_exp, qty_exp;
  uint32_t flags;
  uint64_t last_seq;
  int64_t  ts_recv_ns;
  int64_t  bid_px, bid_qty, ask_px, ask_qty; /* MD_NULL_I64 and 0 when a side is empty */
} md_book_bbo_t;

typedef struct md_book_top {
  md_book_meta_t meta;
  int64_t        bid_px, bid_qty, ask_px, ask_qty; /* MD_NULL_I64 and 0 when a side is empty */
} md_book_top_t;

typedef struct md_book_ladder {
  md_book_meta_t meta;
  uint32_t       bid_cnt, ask_cnt;                               /* <= MD_LADDER_LEVELS */
  md_level_t     bids[MD_LADDER_LEVELS], asks[MD_LADDER_LEVELS]; /* best first */
} md_book_ladder_t;

/* Opaque shared layout; md_book_footprint bytes, aligned to MD_CACHE_BLOCK. */
typedef struct md_book md_book_t;

/* One change of a level, as the engine's book reports it to the writer. */
typedef struct md_book_change {
  int64_t px;
  int64_t qty;  /* 0: gone */
  uint8_t side; /* MD_SIDE_BUY bid, MD_SIDE_SELL ask */
  uint8_t pad[7];
} md_book_change_t;

/* Which levels of a side the writer wants from the engine's book, best first: from the first-th
 * best on (0 = best), at most max. */
typedef struct md_levels_want {
  uint32_t first, max;
} md_levels_want_t;

/* Where the writer finds them: writes them to out and returns how many. ctx is the engine's book.
 */
typedef uint32_t (*md_levels_fn)(const void *ctx, md_side_t side, const md_levels_want_t *want,
                                 md_level_t *out);

/* md_book_footprint returns the bytes for one instrument; depth_levels in [0, MD_DEPTH_LEVELS_MAX].
 */
uint64_t             md_book_footprint(uint32_t depth_levels);
MD_MUST_USE md_err_t md_book_new(void *mem, uint32_t depth_levels);
MD_MUST_USE md_err_t md_book_join(const void *mem, uint64_t avail_bytes, const md_book_t **out);
uint32_t             md_book_depth_levels(const md_book_t *b);

/* ---- writer only (the feed thread that owns the instrument) ---- */

/* Where the next message will write. The writer keeps it in memory of its own, so that it can ask
 * for that without a look at the book. All zero: not known. */
typedef struct md_book_places {
  int64_t  px[2];                        /* best bid and ask, MD_NULL_I64: none */
  uint32_t side[2], log;                 /* of depth: words from the book on; log 0: no depth */
  uint8_t  top, ladder, state, is_known; /* the next slots */
} md_book_places_t;

/* md_book_places says where the next message will write, right behind one. md_book_prefetch_levels
 * asks for depth's levels and log, md_book_prefetch for all else, md_book_prefetch_slots only for
 * what readers may have of it. None of them waits, and only time depends on what they are told. */
void md_book_places(md_book_t *b, md_book_places_t *out);
void md_book_prefetch_levels(const md_book_t *b, const md_book_places_t *p);
void md_book_prefetch(const md_book_t *b, const md_book_places_t *p);
void md_book_prefetch_slots(md_book_t *b);

/* md_book_write_state rewrites the meta of all tiers and keeps the levels, whose exponents meta
 * must repeat. A new gen or exponent is followed by md_book_write_all before any
 * md_book_write_changes. */
void md_book_write_state(md_book_t *b, const md_book_meta_t *meta);

/* md_book_write_all rewrites every tier from the engine's book (snapshot, resync, rescale). */
void md_book_write_all(md_book_t *b, const md_book_meta_t *meta, md_levels_fn read,
                       const void *ctx);

/* md_book_write_changes applies what one message changed, top always, the others when it concerns
 * them (see md_book_meta_t and md_book_bbo_t); another gen or exponent rewrites everything. The
 * engine's book is already changed; `read` gives its state after them. */
void md_book_write_changes(md_book_t *b, const md_book_meta_t *meta,
                           const md_book_change_t *changes, uint32_t change_cnt, md_levels_fn read,
                           const void *ctx);

/* ---- readers, any process ---- MD_OK, MD_ERR_BUSY after MD_READ_RETRY_MAX, MD_ERR_CORRUPT */
MD_MUST_USE md_err_t md_book_read_bbo(const md_book_t *b, md_book_bbo_t *out);
MD_MUST_USE md_err_t md_book_read_top(const md_book_t *b, md_book_top_t *out);
MD_MUST_USE md_err_t md_book_read_ladder(const md_book_t *b, md_book_ladder_t *out);

/* A book of another process with the depth_levels that were checked against the mapping: the
 * places of the depth copies follow from them, so the book's own word is not read again. */
typedef struct md_book_view {
  const md_book_t *book;
  uint32_t         depth_levels;
} md_book_view_t;

/* md_book_read_depth_view copies up to max levels a side, best first, into bids and asks; *bid_cnt
 * and *ask_cnt say how many. MD_ERR_ABSENT when the instrument has no depth. md_book_read_depth
 * trusts the book's own depth_levels: for a book that this process made. 33 KiB of stack. */
MD_MUST_USE md_err_t md_book_read_depth_view(const md_book_view_t *view, uint32_t max,
                                             md_book_meta_t *meta, md_level_t *bids,
                                             uint32_t *bid_cnt, md_level_t *asks,
                                             uint32_t *ask_cnt);
MD_MUST_USE md_err_t md_book_read_depth(const md_book_t *b, uint32_t max, md_book_meta_t *meta,
                                        md_level_t *bids, uint32_t *bid_cnt, md_level_t *asks,
                                        uint32_t *ask_cnt);

#endif
