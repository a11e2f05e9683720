/* status_view.h - a picture of a running engine for `mdengine status`: counters, positions,
 * latencies, read through the public reader library only. */
#ifndef ENGINE_STATUS_VIEW_H
#define ENGINE_STATUS_VIEW_H

#include "engine/live.h"
#include "shm/clock.h"
#include "shm/limits.h"

#define MD_STATUS_BOOKS_USUAL 5u
#define MD_STATUS_BOOKS_MAX   64u
#define MD_STATUS_READERS_MAX 64u

typedef struct md_latency {
  uint64_t cnt, p50_ns, p99_ns, p999_ns;
} md_latency_t;

typedef struct md_status_feed {
  mdshm_feed_t   feed;
  mdshm_stream_t stream, raw;
  bool           has_raw;
  mdshm_result_t health;
  uint64_t       frames, records, gaps, reconnects, lost, parse_errors, books_valid, books;
  uint64_t       memory, cpu_ns; /* of its own; of its thread */
  double         cpu;            /* of one core, over the window */
  uint64_t       all_valid_s;    /* from the start until every wanted book was VALID; 0: not yet */
  double         frames_per_s, records_per_s; /* over the window; 0 without one */
  md_latency_t   exchange, decode, visible;
} md_status_feed_t;

typedef struct md_status_sink {
  mdshm_thread_t thread;
  uint64_t       records, bytes, rows, batches, errors, catchup, lag, lag_s, eta_s;
  /* Of the journal: 0 writing, 1 low, 2 waiting; its segments, their bytes, those that PostgreSQL
   * still needs. */
  uint64_t     state, segments, kept_bytes, held;
  double       bytes_per_s, rows_per_s, records_per_s;
  md_latency_t ring_wait, done; /* done: durable or stored */
} md_status_sink_t;

typedef struct md_status_book {
  char           feed[MDSHM_NAME_BYTES], symbol[MDSHM_SYMBOL_BYTES];
  mdshm_top_t    top;
  mdshm_result_t result;
} md_status_book_t;

/* How full the ring between a feed and a sink is. */
typedef struct md_status_ring {
  char     name[MD_NAME_BYTES]; /* FEED.SINK */
  uint64_t capacity_bytes, used_bytes, lost;
} md_status_ring_t;

typedef struct md_status_view {
  mdshm_info_t     info;
  mdshm_result_t   check; /* of the engine: OK, DEAD, STOPPED ... */
  int64_t          taken_mono_ns, taken_real_ns;
  uint32_t         feed_cnt, sink_cnt, book_cnt, reader_cnt, ring_cnt;
  md_status_feed_t feed[MD_FEED_CNT_MAX];
  md_status_sink_t sink[MD_SINK_CNT_MAX];
  md_status_book_t book[MD_STATUS_BOOKS_MAX];
  md_status_ring_t ring[MD_RING_CNT_MAX];         /* none for another user than the engine's */
  mdshm_reader_t   reader[MD_STATUS_READERS_MAX]; /* that entered the list of readers */
} md_status_view_t;

/* What is looked at. */
typedef struct md_status_source {
  const md_live_t  *live;
  const md_clock_t *clock;     /* the time between two views, which rates are over */
  uint32_t          book_feed; /* whose books: a row, or MDSHM_ANY_FEED */
  uint32_t          book_max;  /* how many of them, at most MD_STATUS_BOOKS_MAX */
} md_status_source_t;

/* md_status_take fills view; before (may be NULL) is an older one that rates are taken against: of
 * another engine, before a restart, it gives none. */
void md_status_take(const md_status_source_t *source, const md_status_view_t *before,
                    md_status_view_t *view);

/* md_status_health says "live", "connecting", or why a feed cannot be believed. Never freed. */
const char *md_status_health(const md_status_feed_t *feed);

/* md_status_is_journal tells the journal's sink from the database's. */
bool md_status_is_journal(const md_status_sink_t *sink);

/* md_status_print_text and _json write it to stdout. */
void md_status_print_text(const md_status_view_t *view);
void md_status_print_json(const md_status_view_t *view);

#endif
