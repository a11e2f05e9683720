/* status_view.h - a picture of a running engine for `mdengine status`: counters, positions,
 * latencies, read through the public reader library only. */
#ifndef ENGINE_STATUS_VIEW_H
#define ENGINE_STATUS_VIEW_H

#include "engine/live.h"
#include "shm/limits.h"

#define MD_STATUS_BOOKS_MAX   5u
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
  double       bytes_per_s, rows_per_s;
  md_latency_t ring_wait, done; /* done: durable or stored */
} md_status_sink_t;

typedef struct md_status_book {
  char           feed[MDSHM_NAME_BYTES], symbol[MDSHM_SYMBOL_BYTES];
  mdshm_top_t    top;
  mdshm_result_t result;
} md_status_book_t;

typedef struct md_status_view {
  mdshm_info_t     info;
  int64_t          taken_mono_ns, taken_real_ns;
  uint32_t         feed_cnt, sink_cnt, book_cnt, reader_cnt;
  md_status_feed_t feed[MD_FEED_CNT_MAX];
  md_status_sink_t sink[MD_SINK_CNT_MAX];
  md_status_book_t book[MD_STATUS_BOOKS_MAX];
  mdshm_reader_t   reader[MD_STATUS_READERS_MAX]; /* that entered the list of readers */
} md_status_view_t;

/* md_status_take fills view; before (may be NULL) is an older one that rates are taken against. */
void md_status_take(mdshm_t *shm, const md_status_view_t *before, md_status_view_t *view);

/* md_status_print_text and _json write it to stdout. */
void md_status_print_text(const md_status_view_t *view);
void md_status_print_json(const md_status_view_t *view);

#endif
