/* mdshm.h - read the live market data of an mdengine on this machine.
 *
 * The public header of libmdshm: C99 and C++, no dependency but the C library. The engine's segment
 * is mapped read-only: nothing here can slow the engine down, make it wait, or change what others
 * read. What the segment says is checked before use; a damaged or hostile one gives MDSHM_CORRUPT,
 * one that is cut off under the reader as well (mdshm_guard).
 *
 * Thread rule, everywhere: an mdshm_t and the tapes opened on it belong to one thread at a time;
 * different mdshm_t are independent. Ownership: handles are made by an open function and freed by
 * the close function of the same name; everything else is the caller's memory. None blocks but
 * mdshm_open (its timeout, and half a second for the answer of a sealed segment's engine). No
 * system call is made by the reads (mdshm_read_*, mdshm_tape_next)
 * while the engine lives; the open functions, mdshm_check, mdshm_register, mdshm_beat and
 * mdshm_reader make some, and so does whatever finds an old heartbeat or a segment that ended.
 * Such a call looks for the next engine at most once a millisecond and waits for nothing: a sealed
 * segment is asked for by one call and attached to by a later one, when its engine has answered.
 *
 * Engine restarts: the engine makes a new segment. The first call that notices attaches to it and
 * returns MDSHM_RESTARTED, once for the mdshm_t and once for each tape; the next call is answered
 * by the new engine. Rows of feeds and instruments are numbers of the handle: they stay what they
 * are (one that the new engine does not have is ABSENT until it comes), pointers do not exist.
 *
 * Public structs begin with struct_size: the caller sets it to sizeof of the struct before the
 * call. A program built with an older header goes on with a newer library of the same soname, and
 * the other way round: fields that the library does not know become zero. Prices and quantities
 * are integer mantissas: value = mantissa * 10^exponent, exact. */
#ifndef MDSHM_H
#define MDSHM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MDSHM_API_VERSION 1 /* the soname: libmdshm.so.1 */

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#define MDSHM_MUST_USE  __attribute__((warn_unused_result))
#define MDSHM_MAY_ALIAS __attribute__((may_alias))
#else
#define MDSHM_MUST_USE
#define MDSHM_MAY_ALIAS
#endif

#define MDSHM_NAME_BYTES    32
#define MDSHM_SYMBOL_BYTES  48
#define MDSHM_ASSET_BYTES   16
#define MDSHM_LADDER_LEVELS 20
#define MDSHM_STAGE_BUCKETS 497
#define MDSHM_RECORD_BYTES  32768
#define MDSHM_NONE          UINT32_MAX /* no such row */
#define MDSHM_ABSENT_I64    INT64_MIN  /* a price or time that is not there */
#define MDSHM_ANY_AGE       INT64_MAX  /* a maximum age: do not look at the heartbeat */
#define MDSHM_ANY_FEED      UINT32_MAX

/* What every function returns. */
typedef enum mdshm_result {
  MDSHM_OK         = 0,
  MDSHM_NOT_VALID  = 1,  /* read, but the book is EMPTY, SYNCING or STALE: see meta.state, reason */
  MDSHM_STALE      = 2,  /* the feed thread's heartbeat is too old, its process is alive */
  MDSHM_DEAD       = 3,  /* the heartbeat is too old and the process is gone */
  MDSHM_SUPERSEDED = 4,  /* a newer engine of this name is starting: soon RESTARTED */
  MDSHM_STOPPED    = 5,  /* the engine stopped in order */
  MDSHM_BUSY       = 6,  /* the writer was faster than the bounded retries: try again */
  MDSHM_ABSENT     = 7,  /* no such engine, instrument, book, feed, name or row */
  MDSHM_EMPTY      = 8,  /* nothing new, or the engine is not ready yet */
  MDSHM_LAPPED     = 9,  /* the tape reader was overtaken: records were lost to it */
  MDSHM_VERSION    = 10, /* the segment has another layout: use library and engine of one version */
  MDSHM_CORRUPT    = 11, /* the segment holds what it must not, or was cut off */
  MDSHM_DENIED     = 12, /* no permission to open the segment, or the next one has another owner */
  MDSHM_USAGE      = 13, /* struct_size too small, or a NULL where none may be */
  MDSHM_FAILED     = 14, /* out of memory, or the system refused: see the message of the open */
  MDSHM_RESTARTED  = 15  /* told once: this handle is now attached to a newer engine; call again */
} mdshm_result_t;

typedef struct mdshm      mdshm_t;      /* an open segment */
typedef struct mdshm_tape mdshm_tape_t; /* a position in the stream of a feed */

/* mdshm_api_version returns the MDSHM_API_VERSION of the library that runs. Any thread. */
int mdshm_api_version(void);

/* mdshm_result_name returns "OK", "STALE" ...; "?" for another value. Never freed. Any thread. */
const char *mdshm_result_name(mdshm_result_t result);

/* ---- open, check, close ---- */

/* mdshm_open maps the segment of engine `name` in dir (NULL: /dev/shm) and waits at most timeout_ms
 * (0: one look) until it is ready. A sealed segment's engine has half a second to answer a look.
 * message (may be NULL) of message_bytes gets one line that says what is wrong. Cost: a few system
 * calls; about 160 bytes of memory an instrument in use. OK; ABSENT, EMPTY after the timeout;
 * VERSION, CORRUPT, DENIED (no permission, or a file that others than its owner may write), USAGE,
 * FAILED at once. */
MDSHM_MUST_USE mdshm_result_t mdshm_open(const char *dir, const char *name, int timeout_ms,
                                         mdshm_t **out, char *message, size_t message_bytes);

/* mdshm_close unmaps and frees; NULL is allowed. Close the tapes of the handle first. */
void mdshm_close(mdshm_t *shm);

/* mdshm_check says whether the engine lives: OK, RESTARTED, SUPERSEDED, STOPPED, DEAD (process
 * gone), CORRUPT. Cost: reads /proc, microseconds: not for every message. */
MDSHM_MUST_USE mdshm_result_t mdshm_check(mdshm_t *shm);

/* The only way to take pages away from under a reader is to truncate the file, which its owner
 * alone may do and no part of mdengine does. The guard is a SIGBUS handler that then puts zeros in
 * their place, so that the read answers CORRUPT instead of ending the process. It is process-wide:
 *   AUTO   the default: set by mdshm_open, but only where the process has no SIGBUS handler
 *   CHAIN  set now, before a handler that is there (Rust's, a sanitizer's) and gets what is not
 * ours OFF    never set by this library: such a truncation ends the process */
typedef enum mdshm_guard_mode {
  MDSHM_GUARD_AUTO  = 0,
  MDSHM_GUARD_CHAIN = 1,
  MDSHM_GUARD_OFF   = 2
} mdshm_guard_mode_t;

/* mdshm_guard chooses the mode, before the first mdshm_open. One system call. OK, FAILED, USAGE.
 * Any thread, no two at once. */
MDSHM_MUST_USE mdshm_result_t mdshm_guard(mdshm_guard_mode_t mode);

typedef struct mdshm_info {
  uint32_t struct_size;
  uint32_t epoch; /* counts engine starts */
  uint32_t pid;
  uint32_t abi_version;
  uint32_t feed_cnt, thread_cnt, stream_cnt, instrument_capacity;
  int64_t  created_ns;
  uint8_t  journal_uuid[16];
  char     name[MDSHM_NAME_BYTES];
  char     version[32];
  uint32_t monitor_ipv4; /* where /health and /metrics are served: a.b.c.d is a << 24 | ... | d */
  uint16_t health_port, metrics_port; /* 0: nowhere */
  uint32_t generation;                /* segments that this handle was attached to, from 1 */
  uint32_t owner_uid;                 /* of the file: who could lie to you */
} mdshm_info_t;

/* mdshm_info copies what the segment says of itself; feed_cnt counts the feeds that the handle has
 * seen. Cost: a copy. OK, CORRUPT, USAGE. */
MDSHM_MUST_USE mdshm_result_t mdshm_info(const mdshm_t *shm, mdshm_info_t *out);

/* ---- instruments ---- */

typedef struct mdshm_instrument {
  uint32_t struct_size;
  uint32_t row;  /* of this handle */
  uint32_t id;   /* of the journal, for ever: what records on the tape name */
  uint32_t feed; /* row */
  int32_t  px_exp, qty_exp;
  uint32_t kind;    /* 0 spot, 1 perpetual, 2 future, 3 option, 4 index */
  uint32_t trading; /* 0 unknown, 1 on, 2 halt, 3 ended */
  uint32_t has_book;
  uint32_t pad0;
  int64_t  tick_size; /* mantissa of px_exp */
  int64_t  lot_size;  /* mantissa of qty_exp */
  int64_t  min_qty;
  int64_t  expiry_ns;                      /* MDSHM_ABSENT_I64 if none */
  char     symbol[MDSHM_SYMBOL_BYTES];     /* the exchange's own */
  char     normalised[MDSHM_SYMBOL_BYTES]; /* BTC-USDT */
  char     base[MDSHM_ASSET_BYTES], quote[MDSHM_ASSET_BYTES], settle[MDSHM_ASSET_BYTES];
} mdshm_instrument_t;

/* mdshm_instrument_cnt returns the rows known by now; rows are 0 .. cnt - 1 and never go away.
 * Cost: one load, and for each instrument that is new a copy of its row. */
uint32_t mdshm_instrument_cnt(mdshm_t *shm);

/* mdshm_instrument_find puts into *row the instrument of feed (its row, or MDSHM_ANY_FEED) whose
 * raw or normalised symbol equals symbol without regard to case; the lowest row where several do.
 * Cost: a hash and a compare, and as mdshm_instrument_cnt. OK, ABSENT, USAGE. */
MDSHM_MUST_USE mdshm_result_t mdshm_instrument_find(mdshm_t *shm, uint32_t feed, const char *symbol,
                                                    uint32_t *row);

/* mdshm_instrument_next copies the first row from *next on whose raw or normalised symbol matches
 * pattern (a shell pattern without regard to case, such as "*-USDT"; NULL: any) in feed (or
 * MDSHM_ANY_FEED), and puts the row behind it into *next. Begin with *next = 0; ABSENT at the end:
 * the same call later finds what came since. Cost: a match for each row. OK, ABSENT, USAGE. */
MDSHM_MUST_USE mdshm_result_t mdshm_instrument_next(mdshm_t *shm, uint32_t feed,
                                                    const char *pattern, uint32_t *next,
                                                    mdshm_instrument_t *out);

/* mdshm_instrument_get copies one row. Cost: 40 loads. OK, ABSENT, BUSY, CORRUPT, USAGE. */
MDSHM_MUST_USE mdshm_result_t mdshm_instrument_get(mdshm_t *shm, uint32_t row,
                                                   mdshm_instrument_t *out);

/* ---- books ---- */

/* In a ladder and a depth, everything but state, reason and trust is of the record that last
 * changed their levels; those of top follow every record. */
typedef struct mdshm_book_meta {
  uint8_t  state;  /* 0 EMPTY, 1 SYNCING, 2 VALID, 3 STALE */
  uint8_t  reason; /* of STALE: mdshm_reason_name */
  int8_t   px_exp, qty_exp;
  uint32_t gen;        /* counts resyncs: levels of different generations do not continue */
  uint64_t last_seq;   /* seq of the last record applied; joins with the tape */
  uint64_t tape_pos;   /* tape cursor behind that record: mdshm_tape_seek */
  uint64_t exch_seq;   /* the exchange's sequence */
  int64_t  ts_exch_ns; /* MDSHM_ABSENT_I64 if the venue gives none */
  int64_t  ts_recv_ns;
  int64_t  ts_pub_ns;
  int64_t  trusted_bid;          /* lowest bid that is surely known, MDSHM_ABSENT_I64: all are */
  int64_t  trusted_ask;          /* highest ask that is surely known */
  uint32_t bid_total, ask_total; /* levels known to the engine */
  uint32_t flags;                /* 128: crossed or locked */
  uint32_t generation;           /* as in mdshm_info_t: seq and tape_pos are of that engine */
} mdshm_book_meta_t;

typedef struct mdshm_level {
  int64_t px, qty; /* mantissas */
} MDSHM_MAY_ALIAS mdshm_level_t;

/* Best bid and ask in one cache line, and what says whether to believe them. last_seq and
 * ts_recv_ns are of the record that last changed any of the others, which are right until a record
 * of the tape changes them. Since 1.2. */
typedef struct mdshm_bbo {
  uint32_t struct_size;
  uint32_t generation;    /* as in mdshm_info_t: last_seq is of that engine */
  uint8_t  state, reason; /* as in mdshm_book_meta_t, all of these */
  int8_t   px_exp, qty_exp;
  uint32_t flags;
  uint64_t last_seq;
  int64_t  ts_recv_ns;
  int64_t  bid_px, bid_qty, ask_px, ask_qty; /* MDSHM_ABSENT_I64 and 0: side is empty */
} mdshm_bbo_t;

typedef struct mdshm_top {
  uint32_t          struct_size;
  uint32_t          pad0;
  mdshm_book_meta_t meta;
  int64_t           bid_px, bid_qty, ask_px, ask_qty; /* MDSHM_ABSENT_I64 and 0: side is empty */
} mdshm_top_t;

typedef struct mdshm_ladder {
  uint32_t          struct_size;
  uint32_t          pad0;
  mdshm_book_meta_t meta;
  uint32_t          bid_cnt, ask_cnt; /* <= MDSHM_LADDER_LEVELS */
  mdshm_level_t     bids[MDSHM_LADDER_LEVELS], asks[MDSHM_LADDER_LEVELS]; /* best first */
} mdshm_ladder_t;

typedef struct mdshm_depth {
  uint32_t          struct_size;
  uint32_t          max_levels; /* in: room of bids and of asks */
  mdshm_level_t    *bids;       /* in: the caller's arrays, filled best first */
  mdshm_level_t    *asks;
  mdshm_book_meta_t meta;
  uint32_t          bid_cnt, ask_cnt;
} mdshm_depth_t;

/* mdshm_read_bbo (since 1.2), _top, _ladder, _depth copy the book of an instrument row. OK is the
 * only answer that may be traded on: the book is VALID and the heartbeat of the feed thread that
 * owns it is at most max_age_ns old (MDSHM_ANY_AGE: not looked at). NOT_VALID, STALE, DEAD,
 * SUPERSEDED and STOPPED fill out as well: it is what the engine knew last, or an EMPTY book when
 * its engine was killed in the middle of a change. BUSY, ABSENT (no row, no book, no depth),
 * CORRUPT, RESTARTED and USAGE leave it undefined. Cost: a bounded number of loads (bbo one cache
 * line for each change, top three for each record, ladder about eleven, depth 8 bytes a tick where
 * levels are dense) and one clock read, no system call while the heartbeat is fresh. A depth takes
 * up to 33 KiB of the stack. */
MDSHM_MUST_USE mdshm_result_t mdshm_read_bbo(mdshm_t *shm, uint32_t row, int64_t max_age_ns,
                                             mdshm_bbo_t *out);
MDSHM_MUST_USE mdshm_result_t mdshm_read_top(mdshm_t *shm, uint32_t row, int64_t max_age_ns,
                                             mdshm_top_t *out);
MDSHM_MUST_USE mdshm_result_t mdshm_read_ladder(mdshm_t *shm, uint32_t row, int64_t max_age_ns,
                                                mdshm_ladder_t *out);
MDSHM_MUST_USE mdshm_result_t mdshm_read_depth(mdshm_t *shm, uint32_t row, int64_t max_age_ns,
                                               mdshm_depth_t *out);

/* mdshm_depth_levels returns the most levels a side that a row's depth can hold, 0 without depth.
 */
uint32_t mdshm_depth_levels(mdshm_t *shm, uint32_t row);

/* Names of meta.state and meta.reason; "?" for another value. Never freed. */
const char *mdshm_state_name(unsigned state);
const char *mdshm_reason_name(unsigned reason);

/* mdshm_decimal writes mantissa * 10^exponent as text ("61837.63") and returns its length without
 * the NUL; 0 when exponent is outside [-128, 127] or out_bytes is below 192. */
size_t mdshm_decimal(int64_t mantissa, int exponent, char *out, size_t out_bytes);

/* ---- tape: every record of a feed, in order ---- */

typedef enum mdshm_from { MDSHM_FROM_NOW = 0, MDSHM_FROM_OLDEST = 1 } mdshm_from_t;

/* mdshm_tape_open makes a reader on the tape of a feed row, at what comes next or at about the
 * oldest record that is safe to reach. Cost: one allocation of 32 KiB. OK, ABSENT (no such feed, no
 * tape), CORRUPT, FAILED, USAGE. */
MDSHM_MUST_USE mdshm_result_t mdshm_tape_open(mdshm_t *shm, uint32_t feed, mdshm_from_t from,
                                              mdshm_tape_t **out);
void                          mdshm_tape_close(mdshm_tape_t *tape);

/* mdshm_tape_next copies the next record (layout: shm/README.md) and points *record to the copy,
 * which is 8-byte aligned and stays until the next call; *bytes is its length. Cost: a load a word.
 *   EMPTY      caught up: then ask mdshm_feed_check whether the feed lives
 *   LAPPED     overtaken: *lost_bytes were not read, the reader stands at the newest record; the
 *              seq of the next one tells how many records that was
 *   RESTARTED  all records of the engine before were read, the reader stands at about the oldest of
 *              the new one, whose seq begin at 1 again
 *   STOPPED, SUPERSEDED  all was read, and no new engine is there yet
 *   CORRUPT    the tape holds garbage, or the cursor is no record's begin
 *   ABSENT     the new engine has no such feed, or no tape of it */
MDSHM_MUST_USE mdshm_result_t mdshm_tape_next(mdshm_tape_t *tape, const void **record,
                                              size_t *bytes, uint64_t *lost_bytes);

/* mdshm_tape_join moves the reader to where a book was read: the next record is the first of its
 * feed that this book has not seen (its last_seq + 1). OK; RESTARTED: the book is of an engine
 * before, read it again; USAGE. A book that is older than the tape is long gives LAPPED later. */
MDSHM_MUST_USE mdshm_result_t mdshm_tape_join(mdshm_tape_t *tape, const mdshm_book_meta_t *meta);

/* mdshm_tape_lag returns how many bytes of the tape are not read yet. Two loads. */
uint64_t mdshm_tape_lag(const mdshm_tape_t *tape);

/* mdshm_record_json writes a copied record as one line of JSON with exact decimals; symbol may be
 * NULL. Returns its length, 0 when it does not fit or record is none. Microseconds. */
size_t mdshm_record_json(const void *record, size_t bytes, const char *symbol, char *out,
                         size_t out_bytes);

/* ---- status ---- */

typedef struct mdshm_feed {
  uint32_t struct_size;
  uint32_t thread, stream, raw_stream; /* rows; MDSHM_NONE if none */
  uint32_t depth_levels;
  uint32_t input_state; /* 0 none, 1 connecting, 2 live, 3 ended, 4 failed */
  uint64_t connect_cnt;
  char     name[MDSHM_NAME_BYTES], venue[MDSHM_NAME_BYTES];
} mdshm_feed_t;

typedef struct mdshm_thread {
  uint32_t struct_size;
  uint32_t kind; /* 1 feed, 2 writer, 3 monitor */
  uint32_t index;
  int32_t  core;  /* -1: not pinned */
  uint32_t state; /* 0 boot, 1 run, 2 drain, 3 halt, 4 fail */
  uint32_t last_err;
  uint64_t tid;
  int64_t  heartbeat_age_ns;
  char     name[MDSHM_NAME_BYTES];
  uint64_t cpu_ns; /* processor time so far */
} mdshm_thread_t;

typedef struct mdshm_stream {
  uint32_t struct_size;
  uint32_t stream; /* id in the journal */
  uint32_t feed;
  uint32_t is_raw;
  uint64_t published_seq, written_seq, durable_seq, stored_seq;
  int64_t  last_recv_ns;
  char     name[MDSHM_NAME_BYTES];
} mdshm_stream_t;

/* Copies of one row; rows are 0 .. the cnt of mdshm_info. Those of feeds stay over a restart, those
 * of threads and streams are of the present segment. A few loads. OK, ABSENT, CORRUPT, USAGE. */
MDSHM_MUST_USE mdshm_result_t mdshm_feed(const mdshm_t *shm, uint32_t row, mdshm_feed_t *out);
MDSHM_MUST_USE mdshm_result_t mdshm_thread(const mdshm_t *shm, uint32_t row, mdshm_thread_t *out);
MDSHM_MUST_USE mdshm_result_t mdshm_stream(const mdshm_t *shm, uint32_t row, mdshm_stream_t *out);

/* mdshm_feed_find returns the row of a feed by name, MDSHM_NONE if there is none. */
uint32_t mdshm_feed_find(const mdshm_t *shm, const char *name);

/* mdshm_feed_check looks at the heartbeat of a feed's thread as the book reads do: OK, STALE, DEAD,
 * RESTARTED, SUPERSEDED, STOPPED, CORRUPT, ABSENT. */
MDSHM_MUST_USE mdshm_result_t mdshm_feed_check(mdshm_t *shm, uint32_t feed, int64_t max_age_ns);

/* ---- being seen: `mdengine status` lists the readers that asked for it ---- */

typedef struct mdshm_reader {
  uint32_t struct_size;
  uint32_t pid, epoch; /* what a reader says of itself */
  uint32_t pad0;
  int64_t  since_ns, beat_ns; /* wall clock */
  uint64_t read_cnt, record_cnt, lapped_cnt;
  uint64_t lag_bytes; /* of its tape that is furthest behind, at the beat */
  char     name[MDSHM_NAME_BYTES];
} mdshm_reader_t;

/* mdshm_register takes a place in the registry, a small file beside the segment that the engine
 * never looks at, under a name; mdshm_beat says what was read so far and that the reader lives:
 * from time to time, say each second, not for every message. The place is given back by mdshm_close
 * and by the end of the process; after a restart the next beat takes one of the new engine's. Cost:
 * one to some system calls. OK; ABSENT (no registry, or not registered), DENIED (no right to write
 * it), FAILED (full), USAGE. */
MDSHM_MUST_USE mdshm_result_t mdshm_register(mdshm_t *shm, const char *name);
MDSHM_MUST_USE mdshm_result_t mdshm_beat(mdshm_t *shm);

/* mdshm_reader copies the first registered reader from *next on and puts the place behind it into
 * *next; begin with 0. System calls. OK, ABSENT at the end, USAGE. */
MDSHM_MUST_USE mdshm_result_t mdshm_reader(const mdshm_t *shm, uint32_t *next, mdshm_reader_t *out);

/* ---- metrics ---- */

/* mdshm_counter_name returns the i-th counter's name, NULL behind the last. Never freed. */
const char *mdshm_counter_name(unsigned i);
const char *mdshm_stage_name(unsigned i);

/* mdshm_counter reads one counter of a thread row by name. Cost: a search of the names. OK, ABSENT,
 * CORRUPT, USAGE; VERSION: the engine has other metrics than this library. */
MDSHM_MUST_USE mdshm_result_t mdshm_counter(const mdshm_t *shm, uint32_t thread, const char *name,
                                            uint64_t *value);

/* mdshm_stage_quantile reads a latency: q_ppm 500000 is the median, 999000 P99.9; *cnt how many
 * were measured (0: *ns is 0). Cost: copies one histogram, 4 KiB. As mdshm_counter. */
MDSHM_MUST_USE mdshm_result_t mdshm_stage_quantile(const mdshm_t *shm, uint32_t thread,
                                                   const char *name, uint32_t q_ppm, uint64_t *ns,
                                                   uint64_t *cnt);

/* A copy of a latency's histogram, since the engine's start; its buckets are in shm/README.md. */
typedef struct mdshm_stage {
  uint32_t struct_size;
  uint32_t pad0;
  uint64_t cnt, negative_cnt, sum_ns, max_ns;
  uint64_t bucket[MDSHM_STAGE_BUCKETS];
} mdshm_stage_t;

/* mdshm_stage copies one, 4 KiB, for mdshm_stage_between; since 1.1. As mdshm_counter. */
MDSHM_MUST_USE mdshm_result_t mdshm_stage(const mdshm_t *shm, uint32_t thread, const char *name,
                                          mdshm_stage_t *out);

/* mdshm_stage_between returns the quantile of what was measured between two copies of one stage
 * (before NULL: since the start), and in *cnt how many that were; 0 and 0 when there was nothing,
 * or before is of another engine and has more. Cost: a pass over the buckets. Any thread.
 * Since 1.1.
 */
uint64_t mdshm_stage_between(const mdshm_stage_t *now, const mdshm_stage_t *before, uint32_t q_ppm,
                             uint64_t *cnt);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
