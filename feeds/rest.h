/* rest.h - HTTP GETs of the engine: one thread that asks exchanges, within their limits.
 *
 * A feed thread puts a request into a small ring and later finds the answer in another one, as a
 * RAW record of kind HTTP (name: URL, payload: body), so an answer is an input like any other.
 * Rings are plain md_ring_t on heap memory, one pair for each client. The thread keeps to a budget
 * of weights for each host in any 60 seconds, asks one after another, waits as Retry-After says
 * after 429 and 418, and tries again without end, with growing and jittered pauses, until an answer
 * of 200 came. A request that waits already is not taken twice; one that comes again right after
 * its answer waits longer each time.
 *
 * md_rest_open, _client, _start, _close: the main thread; md_rest_ask*, _spare, _take, _counts: the
 * feed thread that owns the client. The thread touches no feed. */
#ifndef FEEDS_REST_H
#define FEEDS_REST_H

#include "feeds/input.h"
#include "feeds/resolve.h"
#include "shm/atomics.h"
#include "shm/clock.h"

#define MD_REST_CLIENT_CNT_MAX MD_FEED_CNT_MAX
#define MD_REST_URL_BYTES_MAX  4096u

typedef struct md_rest        md_rest_t;
typedef struct md_rest_client md_rest_client_t;

typedef struct md_rest_config {
  const md_clock_t *clock;
  uint64_t          seed;
  int64_t           timeout_ns; /* of an exchange; 0: 15 s */
  md_lookup_t       lookup;     /* of host names; NULL: the system's */
  void             *lookup_ctx;
} md_rest_config_t;

typedef struct md_rest_client_config {
  const char *ca_file;        /* PEM; NULL or empty: the system's */
  uint32_t    weight_per_min; /* of each host; the smallest of all clients of a host counts */
} md_rest_client_config_t;

typedef struct md_rest_counts {
  uint64_t request_cnt; /* sent */
  uint64_t error_cnt;   /* not answered, or with another code than 200 */
  uint64_t limited_cnt; /* of these: 429 and 418 */
  uint64_t lost_cnt;    /* answers that found no room in the ring: asked again */
  uint64_t plain_cnt;   /* of the sent: by md_rest_ask */
  uint64_t plain_error_cnt;
} md_rest_counts_t;

MD_MUST_USE md_err_t md_rest_open(const md_rest_config_t *cfg, md_rest_t **out, md_msg_t *msg);

/* md_rest_client adds a client, before md_rest_start. It belongs to r. */
MD_MUST_USE md_err_t md_rest_client(md_rest_t *r, const md_rest_client_config_t *cfg,
                                    md_rest_client_t **out, md_msg_t *msg);

MD_MUST_USE md_err_t md_rest_start(md_rest_t *r, md_msg_t *msg);

/* md_rest_close stops the thread and frees everything, clients too; no feed thread uses one any
 * more. */
void md_rest_close(md_rest_t *r);

/* md_rest_ask asks for url, which costs weight. MD_ERR_FULL: the ring has no room, ask later;
 * MD_ERR_RANGE: the URL is too long. */
MD_MUST_USE md_err_t md_rest_ask(md_rest_client_t *c, const char *url, uint32_t weight);

/* md_rest_ask_paced is the same for who asks at times of his own: the pause does not grow. */
MD_MUST_USE md_err_t md_rest_ask_paced(md_rest_client_t *c, const char *url, uint32_t weight);

/* md_rest_ask_once is for what can wait: it goes when nothing else waits for its host, is not tried
 * again when it fails, and is forgotten when it could not go within ten seconds. */
MD_MUST_USE md_err_t md_rest_ask_once(md_rest_client_t *c, const char *url, uint32_t weight);

/* md_rest_spare says how much weight of the host that c asked last may be used now; 0 while a
 * request waits for it. As of a few milliseconds ago. */
uint32_t md_rest_spare(const md_rest_client_t *c);

/* md_rest_take gives the next answer as an input, valid until it is called again; MD_ERR_EMPTY. */
MD_MUST_USE md_err_t md_rest_take(md_rest_client_t *c, md_input_t *out);

/* md_rest_took_ns returns how long the answer that was taken last was under way; -1: it was not
 * asked for by md_rest_ask. */
int64_t md_rest_took_ns(const md_rest_client_t *c);

void md_rest_counts(const md_rest_client_t *c, md_rest_counts_t *out);

#endif
