/* health.h - is the engine collecting: the rules behind /live, /ready and /health.
 *
 * An md_health_t looks at the segment once a second (md_health_observe) and remembers on the
 * monotonic clock when something last changed: data of a feed, gaps, losses, errors. So ages need
 * no clock of the exchange or of a recording, and a wall clock that steps does no harm. One thread,
 * the HTTP server's; it only reads. */
#ifndef MONITORING_HEALTH_H
#define MONITORING_HEALTH_H

#include "monitoring/health_table.h"
#include "monitoring/text.h"
#include "shm/segment.h"

#define MD_HEALTH_RECENT_NS  60000000000ll /* "within the last minute" */
#define MD_HEALTH_DURABLE_NS 10000000000ll

typedef enum md_health_rule {
#define MD_HEALTH_ENUM(id, severity, doc) MD_HEALTH_##id,
  MD_HEALTH_TABLE(MD_HEALTH_ENUM)
#undef MD_HEALTH_ENUM
      MD_HEALTH_RULE_CNT
} md_health_rule_t;

typedef enum md_health_severity { MD_HEALTH_critical, MD_HEALTH_warning } md_health_severity_t;
typedef enum md_health_status { MD_HEALTHY, MD_DEGRADED, MD_UNHEALTHY } md_health_status_t;

typedef struct md_health_info {
  const char          *id;
  const char          *doc;
  md_health_severity_t severity;
} md_health_info_t;

extern const md_health_info_t md_health_info[MD_HEALTH_RULE_CNT];

typedef struct md_health_config {
  const md_segment_t *segment;
  const md_clock_t   *clock;
  int64_t             grace_ns;         /* from the start: data and books may be missing */
  int64_t             data_age_ns;      /* older: the feed is not fresh */
  int64_t             heartbeat_age_ns; /* older: the thread is stuck */
} md_health_config_t;

/* A number, and when it last changed; changed_ns 0: not since the start. */
typedef struct md_health_watch {
  uint64_t value;
  int64_t  changed_ns;
} md_health_watch_t;

/* Processor time of a thread over the last second or so. */
typedef struct md_health_cpu {
  uint64_t cpu_ns;
  int64_t  at_ns;
  uint32_t permille; /* of one core */
} md_health_cpu_t;

typedef struct md_health {
  md_health_config_t cfg;
  int64_t            started_ns, now_ns; /* monotonic; now_ns of the last observation */
  md_health_watch_t  data[MD_FEED_CNT_MAX], gaps[MD_FEED_CNT_MAX];
  md_health_watch_t  type[MD_FEED_CNT_MAX][MD_METRIC_RECORD_CNT]; /* records by record type */
  md_health_watch_t  lost[MD_RING_CNT_MAX];
  md_health_watch_t  errors[MD_THREAD_CNT_MAX];
  md_health_cpu_t    cpu[MD_THREAD_CNT_MAX];
  md_health_watch_t
      durable[MD_STREAM_CNT_MAX]; /* value: durable_seq; changed_ns also while nothing waits */
} md_health_t;

typedef struct md_health_result {
  bool ok;
  char detail[160]; /* what is wrong; when ok "" or a note */
} md_health_result_t;

/* md_health_init starts the observation; the segment is there but may still be STARTING. */
void md_health_init(md_health_t *h, const md_health_config_t *cfg);

/* md_health_observe looks at everything once. Before each answer, and once a second. */
void md_health_observe(md_health_t *h);

/* md_health_check applies one rule to the last observation. */
void md_health_check(const md_health_t *h, md_health_rule_t rule, md_health_result_t *out);

/* md_health_status applies them all. */
md_health_status_t md_health_status(const md_health_t *h);

/* md_health_live: no thread is stuck. md_health_ready: the segment is READY and a feed is fresh, or
 * holds the books of a recording that has ended. */
bool md_health_live(const md_health_t *h);
bool md_health_ready(const md_health_t *h);

/* md_health_data_age_ns returns how long ago feed had data; -1: never. */
int64_t md_health_data_age_ns(const md_health_t *h, uint32_t feed);

/* md_health_type_age_ns returns how long ago feed published a record of that type; -1: never. */
int64_t md_health_type_age_ns(const md_health_t *h, uint32_t feed, uint32_t type);

/* md_health_heartbeat_age_ns returns the age of a thread's heartbeat; -1: it never beat. */
int64_t md_health_heartbeat_age_ns(const md_health_t *h, uint32_t thread);

/* md_health_json appends the body of /health. */
void md_health_json(const md_health_t *h, md_text_t *out);

/* md_health_coverage_json appends what the collectors before this engine told: processes, services,
 * coverage, ends with a comma. */
void md_health_coverage_json(const md_health_t *h, md_text_t *out);

/* Books of one feed by md_book_state_t. */
#define MD_HEALTH_BOOK_STATE_CNT 4u
typedef struct md_health_books {
  uint64_t cnt[MD_HEALTH_BOOK_STATE_CNT];
} md_health_books_t;

/* md_health_count_books fills out for every feed, in one pass over the instruments. */
void md_health_count_books(const md_segment_t *s, md_health_books_t out[MD_FEED_CNT_MAX]);

/* md_health_sink_name returns "journal" of a thread row named "writer:journal"; NULL for other
 * rows. */
const char *md_health_sink_name(const md_thread_row_t *row);

#endif
