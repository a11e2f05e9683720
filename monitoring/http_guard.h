/* http_guard.h - how often a client may ask, and what a server counts of its own requests.
 *
 * Written by the one thread of the HTTP server; the counts are read by any, each a number by
 * itself. Times are given by the caller, so tests own them. Bounded: the table of clients has fixed
 * room, and the one that was silent longest gives its place to a new one. */
#ifndef MONITORING_HTTP_GUARD_H
#define MONITORING_HTTP_GUARD_H

#include "shm/hist.h"

#define MD_HTTP_CLIENT_CNT   256u
#define MD_HTTP_PATH_CNT_MAX 24u
#define MD_HTTP_CODE_CNT     8u

/* What the server counted since its start. path[0] is every path that is not served. */
typedef struct md_http_path_stats {
  const char   *path;
  md_atomic_u64 code_cnt[MD_HTTP_CODE_CNT];
  md_hist_t     time; /* request to the whole answer handed over */
} md_http_path_stats_t;

typedef struct md_http_stats {
  md_http_path_stats_t path[MD_HTTP_PATH_CNT_MAX];
  uint32_t             path_cnt;
  md_atomic_u64        connection_cnt;         /* open now */
  md_atomic_u64        refused_connection_cnt; /* there were too many */
  md_atomic_u64        overdue_connection_cnt; /* ended for being slow */
} md_http_stats_t;

/* md_http_code_index returns the place of an HTTP status in code_cnt; md_http_code_name its name,
 * "other" for the last. */
uint32_t    md_http_code_index(int status);
const char *md_http_code_name(uint32_t index);

typedef struct md_http_client {
  uint32_t address, cnt; /* requests since minute_ns */
  int64_t  minute_ns, last_ns;
} md_http_client_t;

typedef struct md_http_limiter {
  uint32_t         per_min; /* 0: no limit */
  md_http_client_t client[MD_HTTP_CLIENT_CNT];
} md_http_limiter_t;

/* md_http_limiter_take counts a request of the IPv4 address. Returns how many more it may make
 * within its minute, -1: this one is too many; wait_s: until its minute is over. */
int md_http_limiter_take(md_http_limiter_t *l, uint32_t address, int64_t now_ns, uint32_t *wait_s);

#endif
