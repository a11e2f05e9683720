/* status_view.h - a picture of a running engine for `mdengine status`, `mdengine top` and the
 * status page: counters, positions, latencies, books, read through the public reader library only.
 *
 * One thread at a time, that of the source's handle. md_status_json is the only function that makes
 * the JSON document of it, so all who show it show the same. */
#ifndef MONITORING_STATUS_VIEW_H
#define MONITORING_STATUS_VIEW_H

#include "monitoring/text.h"
#include "shm/client/mdshm.h"
#include "shm/clock.h"
#include "shm/limits.h"

/* A feed's heartbeat older than this is called stale. */
#define MD_STATUS_MAX_AGE_NS  2000000000
#define MD_STATUS_BOOKS_USUAL 5u
#define MD_STATUS_BOOKS_MAX   1000u
#define MD_STATUS_READERS_MAX 64u

typedef struct md_latency {
  uint64_t cnt, p50_ns, p99_ns, p999_ns;
} md_latency_t;

/* Since the engine's start, or of the last seconds only (status_window.h). */
typedef struct md_feed_latency {
  md_latency_t exchange, decode, visible;
} md_feed_latency_t;

typedef struct md_sink_latency {
  md_latency_t ring_wait, done; /* done: durable or stored */
} md_sink_latency_t;

typedef struct md_status_feed {
  mdshm_feed_t      feed;
  mdshm_stream_t    stream, raw;
  bool              has_raw;
  mdshm_result_t    health;
  uint64_t          frames, records, gaps, reconnects, lost, parse_errors, books_valid, books;
  uint64_t          memory, cpu_ns; /* of its own; of its thread */
  double            cpu;            /* of one core, over the window */
  uint64_t          all_valid_s; /* from the start until every wanted book was VALID; 0: not yet */
  double            frames_per_s, records_per_s; /* over the window; 0 without one */
  md_feed_latency_t start, recent;               /* since the engine's start; of the last seconds */
} md_status_feed_t;

typedef struct md_status_sink {
  mdshm_thread_t thread;
  uint32_t       row; /* of the thread */
  uint64_t       records, bytes, rows, batches, errors, catchup, lag, lag_s, eta_s;
  /* Of the journal: 0 writing, 1 low, 2 waiting; its segments, their bytes, those that PostgreSQL
   * still needs. */
  uint64_t          state, segments, kept_bytes, held;
  double            bytes_per_s, rows_per_s, records_per_s;
  md_sink_latency_t start, recent;
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
  double           recent_s; /* what `recent` is over; 0: there is none */
  uint32_t         feed_cnt, sink_cnt, book_cnt, reader_cnt, ring_cnt;
  md_status_feed_t feed[MD_FEED_CNT_MAX];
  md_status_sink_t sink[MD_SINK_CNT_MAX];
  md_status_book_t book[MD_STATUS_BOOKS_MAX];
  md_status_ring_t ring[MD_RING_CNT_MAX];         /* none for another user than the engine's */
  mdshm_reader_t   reader[MD_STATUS_READERS_MAX]; /* that entered the list of readers */
} md_status_view_t;

/* What is looked at. */
typedef struct md_status_source {
  mdshm_t          *shm;
  const char       *dir, *name; /* where its segment is */
  const md_clock_t *clock;      /* the time between two views, which rates are over */
  uint32_t          book_feed;  /* whose books: a row, or MDSHM_ANY_FEED */
  uint32_t          book_max;   /* how many of them, at most MD_STATUS_BOOKS_MAX */
} md_status_source_t;

/* md_status_take fills view; before (may be NULL) is an older one that rates are taken against: of
 * another engine, before a restart, it gives none. */
void md_status_take(const md_status_source_t *source, const md_status_view_t *before,
                    md_status_view_t *view);

/* md_status_health says "live", "connecting", or why a feed cannot be believed. Never freed. */
const char *md_status_health(const md_status_feed_t *feed);

/* md_status_is_journal tells the journal's sink from the database's. */
bool md_status_is_journal(const md_status_sink_t *sink);

/* md_status_book_state says VALID, SYNCING ...: the book's own state where the engine lives, else
 * STALE, DEAD ... Never freed. */
const char *md_status_book_state(const md_status_book_t *book);

/* md_status_journal_state says how the journal's sink stands. Never freed. */
const char *md_status_journal_state(const md_status_sink_t *sink);

/* md_status_json appends the document of `mdengine status --json`, without a line end. */
void md_status_json(const md_status_view_t *view, md_text_t *out);

/* md_status_decimal formats a mantissa that may be absent ("-" then) into out (MD_DECIMAL_BYTES).
 */
const char *md_status_decimal(int64_t mantissa, int exponent, char *out);

#endif
