/* http.h - a small HTTP server for operators and Prometheus, on a thread and in a context of its
 * own.
 *
 * GET and HEAD only, and no upgrade but to the WebSocket of the status page where a server has one
 * (push.h); each answer is rendered whole into a buffer by the route's function, on the server's
 * thread, and the connection is closed behind it. Bounded:
 * request header, connections, time for a header and for taking an answer, requests a minute of the
 * routes that are limited, so that no client starves another. It touches no feed and no writer: a
 * route's function reads shared memory and never waits. */
#ifndef MONITORING_HTTP_H
#define MONITORING_HTTP_H

#include "monitoring/http_guard.h"
#include "monitoring/push.h"
#include "monitoring/text.h"
#include "shm/clock.h"
#include "shm/err.h"

#define MD_HTTP_PORT_CNT_MAX       2u
#define MD_HTTP_CONNECTION_CNT_MAX 64u
#define MD_HTTP_HEADER_BYTES_MAX   4096u
#define MD_HTTP_HEADER_SECONDS     3u
#define MD_HTTP_ANSWER_SECONDS     10u
#define MD_HTTP_TAG_BYTES          64u

typedef struct md_http_answer {
  /* What the client said. */
  char known_tag[MD_HTTP_TAG_BYTES]; /* If-None-Match, "" none */
  bool takes_gzip;
  bool takes_openmetrics;
  /* What it is told. */
  int         status;       /* 200 unless the function says otherwise */
  const char *content_type; /* static; JSON unless the function says otherwise */
  const char *tag;          /* ETag: may be kept and asked for again; NULL: never kept */
  bool        is_gzip;      /* the body is compressed */
  md_text_t   body;
} md_http_answer_t;

typedef void (*md_http_fill_fn)(void *ctx, md_http_answer_t *answer);

typedef struct md_http_route {
  const char     *path;
  md_http_fill_fn fill;
  bool            is_open;    /* answered without the token, too */
  bool            is_limited; /* counts for the requests a minute of a client */
} md_http_route_t;

typedef struct md_http_port {
  const char            *key;   /* of the configuration, for error lines */
  const char            *token; /* "Authorization: Bearer TOKEN" is wanted; NULL: by nobody */
  uint16_t               port;  /* 0: any free one */
  const md_http_route_t *routes;
  uint32_t               route_cnt;
} md_http_port_t;

typedef struct md_http_config {
  const char    *bind; /* an IPv4 address */
  md_http_port_t port[MD_HTTP_PORT_CNT_MAX];
  uint32_t       port_cnt;
  /* The WebSocket on port 0; NULL: none. */
  const md_push_config_t *push;
  uint32_t                requests_per_min; /* of a client to limited routes; 0: no limit */
  const md_clock_t       *clock;            /* for the limit and for the times of requests */
  void (*log)(void *ctx, const char *line); /* one line a request; may be NULL */
  void *log_ctx;
  void (*tick)(void *ctx); /* once a second on the server's thread; may be NULL */
  void *ctx;               /* of tick and of every fill */
} md_http_config_t;

typedef struct md_http md_http_t;

/* md_http_start listens on every port or on none; the routes stay the caller's and must outlive it.
 * MD_ERR_EXISTS: a port is taken; MD_ERR_DENIED, MD_ERR_RANGE (the address), MD_ERR_IO. */
MD_MUST_USE md_err_t md_http_start(const md_http_config_t *cfg, md_http_t **out, md_msg_t *msg);

/* md_http_port_of returns the port that is listened on. */
uint16_t md_http_port_of(const md_http_t *h, uint32_t index);

/* md_http_stats returns what was counted; any thread, as long as h is there. */
const md_http_stats_t *md_http_stats(const md_http_t *h);

/* md_http_token_is compares in a time that does not tell how much of given is right. */
bool md_http_token_is(const char *token, const char *given);

/* md_http_stop ends the thread, closes every socket and frees h. */
void md_http_stop(md_http_t *h);

#endif
