/* status.h - rows of the segment that say who is alive and how far each stream got.
 *
 * Every row has one writer at a time for each block and is read by anybody. Heartbeats are
 * CLOCK_MONOTONIC, which all processes of one boot share. */
#ifndef SHM_STATUS_H
#define SHM_STATUS_H

#include "shm/atomics.h"
#include "shm/err.h"
#include "shm/limits.h"

typedef enum md_thread_kind {
  MD_THREAD_FEED    = 1,
  MD_THREAD_WRITER  = 2,
  MD_THREAD_MONITOR = 3
} md_thread_kind_t;

typedef enum md_thread_state {
  MD_THREAD_BOOT  = 0,
  MD_THREAD_RUN   = 1,
  MD_THREAD_DRAIN = 2,
  MD_THREAD_HALT  = 3,
  MD_THREAD_FAIL  = 4
} md_thread_state_t;

/* One thread. name, kind, core are written before the segment is ready. */
typedef struct md_thread_row {
  char     name[MD_NAME_BYTES]; /* "feed:binance_spot", "writer:journal", "monitor" */
  uint32_t kind;                /* md_thread_kind_t */
  int32_t  core;                /* pinned to, -1 if not */
  uint32_t index;               /* feed or sink index */
  uint32_t pad0;
  _Alignas(MD_CACHE_BLOCK)
      md_atomic_u64 heartbeat_mono_ns; /* relaxed: only compared with a clock */
  md_atomic_u64 state;                 /* md_thread_state_t */
  md_atomic_u64 tid;
  md_atomic_u64 last_err; /* (uint64_t)-err of the last error, 0 none */
  md_atomic_u64 cpu_ns;   /* processor time that it used, ten times a second at most */
} md_thread_row_t;

/* One stream, normalised or raw. */
typedef struct md_stream_row {
  char     name[MD_NAME_BYTES]; /* "binance_spot", "binance_spot.raw" */
  uint16_t stream;              /* id in the journal's manifest */
  uint16_t feed;                /* feed index */
  uint32_t is_raw;
  uint32_t tape; /* index of its tape, UINT32_MAX none */
  uint32_t pad0;
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 published_seq; /* by the feed thread */
  md_atomic_u64 last_recv_ns;                           /* receive time of the last record */
  _Alignas(MD_CACHE_BLOCK)
      md_atomic_u64 durable_seq; /* R1 of the journal writer, store-release after
                                    the sync; A1 load-acquire in the sinks */
  md_atomic_u64 written_seq;
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 stored_seq; /* by the PostgreSQL writer */
} md_stream_row_t;

/* One feed. */
typedef struct md_feed_row {
  char     name[MD_NAME_BYTES];
  char     venue[MD_NAME_BYTES];
  uint32_t thread;     /* its thread row */
  uint32_t stream_row; /* normalised stream row */
  uint32_t raw_row;    /* raw stream row, UINT32_MAX when RAW is not kept */
  uint32_t depth_levels;
  _Alignas(MD_CACHE_BLOCK) md_atomic_u64 input_state; /* md_input_state_t */
  md_atomic_u64 connect_cnt;
} md_feed_row_t;

typedef enum md_input_state {
  MD_INPUT_NONE       = 0,
  MD_INPUT_CONNECTING = 1,
  MD_INPUT_LIVE       = 2,
  MD_INPUT_ENDED      = 3,
  MD_INPUT_FAILED     = 4
} md_input_state_t;

/* Distinct errors: one row for each (code, place); several threads may write, a row is taken with a
 * fetch-add and never given back. */
typedef struct md_errlog_row {
  md_atomic_u64 ready; /* R1 store-release when the row is filled; A1 in readers */
  md_atomic_u64 cnt;
  md_atomic_u64 first_ns, last_ns;
  int32_t       err;
  uint32_t      thread;
  char          text[200]; /* of the first time, NUL-terminated */
} md_errlog_row_t;

typedef struct md_errlog {
  md_atomic_u64 row_cnt; /* rows taken; may exceed MD_ERRLOG_ROWS: the rest was only counted */
  md_atomic_u64 overflow_cnt;
  _Alignas(MD_CACHE_BLOCK) md_errlog_row_t row[MD_ERRLOG_ROWS];
} md_errlog_t;

/* md_errlog_add counts err at the calling thread's row `thread`; text is kept the first time. Equal
 * (err, thread, text) share a row. Any engine thread; never on a per-message path. */
void md_errlog_add(md_errlog_t *log, md_err_t err, uint32_t thread, int64_t real_ns,
                   const char *text);

#endif
