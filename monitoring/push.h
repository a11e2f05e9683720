/* push.h - the WebSocket of the status page, on the thread and in the context of an HTTP server
 * (http.h), which is its only caller.
 *
 * Every interval one message is made and shared by all browsers. Each is told only as much as it
 * takes: a browser confirms every message, has at most MD_PUSH_WINDOW on the way and misses those
 * in between; one that confirms nothing for the patience, reads nothing or asks too much is
 * dropped. So memory is bounded by the clients, and no browser holds up another. A browser may
 * choose one thing that only it is shown. Pages of other sites are refused by their origin. */
#ifndef MONITORING_PUSH_H
#define MONITORING_PUSH_H

#include "monitoring/text.h"
#include "shm/clock.h"

#define MD_PUSH_PROTOCOL       "mdengine.status.1"
#define MD_PUSH_PATH           "/stream"
#define MD_PUSH_CLIENT_CNT_MAX 32u
#define MD_PUSH_WINDOW         2u
#define MD_PUSH_CHOICE_BYTES   128u
#define MD_PUSH_REQUESTS_MAX   60u /* a second, of one browser: it confirms ten */

typedef struct md_push_config {
  uint32_t          client_max;
  int64_t           interval_ns;
  int64_t           patience_ns;
  const char       *origins; /* of other sites that may connect, such as https://status.example */
  const md_clock_t *clock;
  /* Every interval, whether anybody listens or not. */
  void (*tick)(void *ctx);
  /* Appends members of a JSON object, each with a comma before it. */
  void (*message)(void *ctx, md_text_t *out);
  /* Appends the JSON object that is only for the browser that chose it. */
  void (*chosen)(void *ctx, const char *choice, md_text_t *out);
  void *ctx;
} md_push_config_t;

typedef struct md_push md_push_t;
struct lws;
struct lws_context;
struct lws_protocols;

/* md_push_new copies cfg; NULL without memory. */
md_push_t *md_push_new(const md_push_config_t *cfg);
void       md_push_free(md_push_t *s);

/* md_push_protocol fills the row of the vhost's protocols. */
void md_push_protocol(md_push_t *s, struct lws_protocols *row);

/* md_push_may_open looks at a request to upgrade: path, origin, protocol, room, and the token if
 * that is not NULL. */
bool md_push_may_open(const md_push_t *s, struct lws *wsi, const char *token);

/* md_push_begin starts the interval's timer in context; md_push_end cancels it. Both on the
 * server's thread. */
void md_push_begin(md_push_t *s, struct lws_context *context);
void md_push_end(md_push_t *s);

#endif
