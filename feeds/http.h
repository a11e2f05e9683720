/* http.h - GETs of whole bodies, as a table of functions: the seam below the REST thread. All calls
 * come from one thread. */
#ifndef FEEDS_HTTP_H
#define FEEDS_HTTP_H

#include "feeds/resolve.h"
#include "shm/clock.h"
#include "shm/err.h"
#include "shm/limits.h"

#define MD_HTTP_FLYING_MAX 8u

typedef struct md_http md_http_t;

/* What became of a GET. code 0: no whole answer. body is valid within the call only. */
typedef struct md_http_result {
  uint32_t       code;
  int64_t        retry_after_s; /* -1: not said */
  const uint8_t *body;
  uint32_t       len;
} md_http_result_t;

typedef struct md_http_config {
  const md_clock_t *clock;
  uint64_t          seed;
  md_lookup_t       lookup; /* of host names; NULL: the system's */
  void             *lookup_ctx;
} md_http_config_t;

typedef void (*md_http_done_t)(void *ctx, void *request, const md_http_result_t *result);

typedef struct md_http_ops {
  md_err_t (*open)(const md_http_config_t *cfg, md_http_done_t done, void *ctx, md_http_t **out,
                   md_msg_t *msg);
  void (*close)(md_http_t *h);
  /* trust makes a set of authorities: its number is given to get. */
  md_err_t (*trust)(md_http_t *h, const char *ca_file, uint32_t *out, md_msg_t *msg);
  /* get begins; done is called exactly once, in a later poll or within get, and at the latest when
   * timeout_ns have passed, whatever the server does. A redirection is an answer, not followed.
   * MD_ERR_FULL: too many fly. */
  md_err_t (*get)(md_http_t *h, uint32_t trust, const char *url, int64_t timeout_ns, void *request);
  void (*poll)(md_http_t *h, int64_t max_ns);
} md_http_ops_t;

extern const md_http_ops_t md_http_lws;

#endif
