/* The REST thread: what waits, what it may cost, when it is tried again. */
#include "feeds/rest.h"

#include "feeds/backoff.h"
#include "feeds/http.h"
#include "feeds/rest_budget.h"
#include "feeds/rest_ring.h"
#include "feeds/url.h"
#include "shm/signal_stack.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_MS      1000000ll
#define NS_PER_S       1000000000ll
#define ASK_RING_BYTES (1u << 18)
/* Holds the largest body twice; memory is taken as answers come. */
#define ANSWER_RING_BYTES (4u * MD_FRAME_BYTES_MAX)
#define JOB_CNT_MAX       16384u
#define HOST_CNT_MAX      32u
#define PACE_NS           (20 * NS_PER_MS) /* between two requests to a host */
#define FLYING_HOST_MAX   4u               /* requests to one host at a time */
#define POLL_NS           (2 * NS_PER_MS)  /* longest a request waits to be seen */
#define TIMEOUT_NS        (15 * NS_PER_S)
#define RETRY_BASE_NS     (500 * NS_PER_MS)
#define RETRY_MAX_NS      (60 * NS_PER_S)
#define LIMITED_NS        (30 * NS_PER_S)  /* 429 without Retry-After */
#define BANNED_NS         (120 * NS_PER_S) /* 418 without Retry-After */
#define PACED             (1ull << 32)     /* beside a weight in the ring */
#define ONCE              (1ull << 33)     /* the same */
#define ONCE_NS           (10 * NS_PER_S)  /* what can wait is forgotten after so long */
#define TOOK_UNKNOWN      UINT64_MAX       /* beside an answer in the ring */
#define CALM_NS           (3 * NS_PER_S)   /* an answer this old was of use: it is forgotten */

typedef struct host {
  char             name[MD_HOST_BYTES_MAX + 8];
  md_rest_budget_t budget;
  uint32_t         flying_cnt;
  uint32_t         due_cnt; /* requests that wait for nothing but their turn or their weight */
} host_t;

typedef enum job_state { JOB_IDLE, JOB_WAITING, JOB_FLYING } job_state_t;

/* One URL of one client; kept for the next time it is asked for. */
typedef struct job {
  md_rest_client_t *client;
  host_t           *host;
  char             *url;
  job_state_t       state;
  bool              again;    /* asked for while it flew */
  bool              is_paced; /* by who asks */
  bool              is_once;  /* it can wait, and is asked for once */
  uint32_t          weight;
  uint32_t          fail_cnt, repeat_cnt;
  uint64_t          order; /* first come, first served */
  int64_t           not_before_ns, answered_ns, asked_ns, sent_ns;
} job_t;

struct md_rest_client {
  md_rest_t              *rest;
  md_rest_client_config_t cfg;
  char                    ca_file[512];
  uint32_t                trust;
  md_ring_t              *ask_ring, *answer_ring;
  md_ring_producer_t      ask;      /* feed thread */
  md_rest_taker_t         asked;    /* REST thread */
  md_ring_producer_t      answer;   /* REST thread */
  md_rest_taker_t         answered; /* feed thread */
  host_t                 *host;     /* asked last; REST thread */
  int64_t                 took_ns;  /* feed thread */
  /* Written by the REST thread, read by any; relaxed: numbers by themselves. */
  md_atomic_u64 request_cnt, error_cnt, limited_cnt, lost_cnt, spare, plain_cnt, plain_error_cnt;
};

struct md_rest {
  md_rest_config_t  cfg;
  uint64_t          seed;
  md_http_t        *http;
  pthread_t         thread;
  bool              is_started;
  md_atomic_u64     stop; /* relaxed: joining orders everything else */
  md_rest_client_t *client[MD_REST_CLIENT_CNT_MAX];
  uint32_t          client_cnt;
  host_t            host[HOST_CNT_MAX];
  uint32_t          host_cnt;
  job_t            *job;
  uint32_t          job_cnt, waiting_cnt;
  uint64_t          order;
};

/* ---- requests ---- */

static host_t *
find_host(md_rest_t *r, const md_rest_client_t *c, const char *url) {
  md_url_t u;
  char     name[sizeof r->host[0].name];
  if (md_url_parse(url, &u, NULL) || u.is_websocket) return NULL;
  (void)snprintf(name, sizeof name, "%s:%u", u.host, u.port);
  for (uint32_t n = 0; n < r->host_cnt; n++) {
    host_t *h = &r->host[n];
    if (strcmp(h->name, name) != 0) continue;
    if (c->cfg.weight_per_min < h->budget.weight_per_min)
      h->budget.weight_per_min = c->cfg.weight_per_min;
    return h;
  }
  if (r->host_cnt == HOST_CNT_MAX) return NULL;
  host_t *h = &r->host[r->host_cnt++];
  memcpy(h->name, name, sizeof name);
  md_rest_budget_init(&h->budget, c->cfg.weight_per_min);
  return h;
}

static job_t *
find_job(md_rest_t *r, md_rest_client_t *c, const char *url) {
  for (uint32_t n = 0; n < r->job_cnt; n++)
    if (r->job[n].client == c && strcmp(r->job[n].url, url) == 0) return &r->job[n];
  if (r->job_cnt == JOB_CNT_MAX) return NULL;
  host_t *host = find_host(r, c, url);
  char   *copy = host ? strdup(url) : NULL;
  if (!copy) return NULL;
  job_t *j = &r->job[r->job_cnt++];
  *j       = (job_t){.client = c, .host = host, .url = copy};
  return j;
}

static void
make_wait(md_rest_t *r, job_t *j, int64_t not_before_ns) {
  j->state         = JOB_WAITING;
  j->order         = ++r->order;
  j->not_before_ns = not_before_ns;
  r->waiting_cnt++;
}

/* What is asked for again right after its answer was of no use (too old): each time a longer pause.
 */
static void
ask_again(md_rest_t *r, job_t *j, int64_t now) {
  bool is_calm  = j->is_paced || j->answered_ns == 0 || now - j->answered_ns > CALM_NS;
  j->repeat_cnt = is_calm ? 0 : j->repeat_cnt + 1;
  int64_t pause =
      is_calm ? 0 : md_backoff_ns(RETRY_BASE_NS, RETRY_MAX_NS, j->repeat_cnt - 1, &r->seed);
  make_wait(r, j, now + pause);
}

static void
take_requests(md_rest_t *r, md_rest_client_t *c) {
  md_input_t in;
  uint64_t   weight = 0;
  while (md_rest_ring_take(&c->asked, &in, &weight) == MD_OK) {
    job_t *j = find_job(r, c, c->asked.name);
    if (!j) {
      md_bump(&c->error_cnt, 1);
      continue;
    }
    const bool is_once = (weight & ONCE) != 0;
    c->host            = j->host;
    j->weight          = (uint32_t)weight;
    j->is_paced        = (weight & (PACED | ONCE)) != 0;
    j->is_once         = is_once && (j->state == JOB_IDLE || j->is_once);
    j->asked_ns        = md_clock_mono_ns(r->cfg.clock);
    if (j->state == JOB_FLYING && !is_once) j->again = true;
    if (j->state == JOB_IDLE) ask_again(r, j, j->asked_ns);
  }
}

/* ---- answers ---- */

static bool
give_answer(md_rest_t *r, job_t *j, const md_http_result_t *result, int64_t now) {
  uint64_t   took_ns = j->is_paced ? TOOK_UNKNOWN : (uint64_t)(now - j->sent_ns);
  md_input_t in      = {.kind     = MD_RAW_HTTP,
                        .leg      = MD_LEG_NONE,
                        .name     = j->url,
                        .name_len = (uint32_t)strlen(j->url),
                        .payload  = result->body,
                        .len      = result->len,
                        .recv_ns  = md_clock_real_ns(r->cfg.clock)};
  if (md_rest_ring_put(&j->client->answer, &in, took_ns) == MD_OK) return true;
  md_bump(&j->client->lost_cnt, 1);
  return false;
}

static void
note_limit(job_t *j, const md_http_result_t *result, int64_t now) {
  md_bump(&j->client->limited_cnt, 1);
  int64_t pause = result->retry_after_s >= 0 ? result->retry_after_s * NS_PER_S
                  : result->code == 418      ? BANNED_NS
                                             : LIMITED_NS;
  md_rest_budget_block(&j->host->budget, now + pause);
}

static void
on_done(void *ctx, void *request, const md_http_result_t *result) {
  md_rest_t *r   = ctx;
  job_t     *j   = request;
  int64_t    now = md_clock_mono_ns(r->cfg.clock);
  j->state       = JOB_IDLE;
  j->host->flying_cnt--;
  if (result->code == 200 && give_answer(r, j, result, now)) {
    j->fail_cnt    = 0;
    j->answered_ns = now;
    if (j->again) ask_again(r, j, now);
    j->again = false;
    return;
  }
  if (result->code != 200) md_bump(&j->client->error_cnt, 1);
  if (result->code != 200 && !j->is_paced) md_bump(&j->client->plain_error_cnt, 1);
  if (result->code == 429 || result->code == 418) note_limit(j, result, now);
  bool is_over = j->is_once && !j->again;
  j->again     = false;
  if (is_over) return;
  make_wait(r, j, now + md_backoff_ns(RETRY_BASE_NS, RETRY_MAX_NS, j->fail_cnt, &r->seed));
  j->fail_cnt++;
}

/* ---- the thread ---- */

/* Counts what waits for each host, and forgets what waited in vain though it could. */
static void
count_due(md_rest_t *r, int64_t now) {
  for (uint32_t n = 0; n < r->host_cnt; n++)
    r->host[n].due_cnt = 0;
  for (uint32_t n = 0; n < r->job_cnt && r->waiting_cnt > 0; n++) {
    job_t *j = &r->job[n];
    if (j->state != JOB_WAITING) continue;
    if (j->is_once && now - j->asked_ns > ONCE_NS) {
      j->state = JOB_IDLE;
      r->waiting_cnt--;
    } else if (!j->is_once && j->not_before_ns <= now) {
      j->host->due_cnt++;
    }
  }
}

static void
tell_spare(md_rest_t *r, int64_t now) {
  for (uint32_t n = 0; n < r->client_cnt; n++) {
    md_rest_client_t *c = r->client[n];
    if (!c->host) continue;
    md_store_relaxed(&c->spare,
                     c->host->due_cnt > 0 ? 0 : md_rest_budget_left(&c->host->budget, now));
  }
}

static job_t *
next_job(md_rest_t *r, int64_t now) {
  job_t *best = NULL;
  if (r->waiting_cnt == 0) return NULL;
  for (uint32_t n = 0; n < r->job_cnt; n++) {
    job_t *j = &r->job[n];
    if (j->state != JOB_WAITING || j->not_before_ns > now || (best && best->order < j->order) ||
        j->host->flying_cnt >= FLYING_HOST_MAX || (j->is_once && j->host->due_cnt > 0) ||
        !md_rest_budget_may(&j->host->budget, now, j->weight))
      continue;
    best = j;
  }
  return best;
}

static void
send_next(md_rest_t *r) {
  int64_t now = md_clock_mono_ns(r->cfg.clock);
  count_due(r, now);
  tell_spare(r, now);
  job_t *j = next_job(r, now);
  if (!j) return;
  j->state = JOB_FLYING;
  r->waiting_cnt--;
  j->host->flying_cnt++;
  md_err_t err = md_http_lws.get(r->http, j->client->trust, j->url, r->cfg.timeout_ns, j);
  if (err) { /* as many fly as can: a later turn sends it */
    j->host->flying_cnt--;
    make_wait(r, j, now);
    return;
  }
  j->sent_ns = now;
  md_bump(&j->client->request_cnt, 1);
  if (!j->is_paced) md_bump(&j->client->plain_cnt, 1);
  md_rest_budget_use(&j->host->budget, now, j->weight, PACE_NS);
}

static void *
run(void *arg) {
  md_rest_t *r = arg;
  md_signal_stack();
  while (!md_load_relaxed(&r->stop)) {
    for (uint32_t n = 0; n < r->client_cnt; n++)
      take_requests(r, r->client[n]);
    send_next(r);
    md_http_lws.poll(r->http, POLL_NS);
  }
  return NULL;
}

/* ---- start and stop ---- */

md_err_t
md_rest_open(const md_rest_config_t *cfg, md_rest_t **out, md_msg_t *msg) {
  md_rest_t *r = calloc(1, sizeof *r);
  if (r) r->job = calloc(JOB_CNT_MAX, sizeof *r->job);
  if (!r || !r->job) {
    free(r);
    return md_fail(msg, MD_ERR_NOMEM, "no memory for the REST thread");
  }
  r->cfg  = *cfg;
  r->seed = cfg->seed;
  if (r->cfg.timeout_ns == 0) r->cfg.timeout_ns = TIMEOUT_NS;
  const md_http_config_t hc = {
      .clock = cfg->clock, .seed = cfg->seed, .lookup = cfg->lookup, .lookup_ctx = cfg->lookup_ctx};
  md_err_t err = md_http_lws.open(&hc, on_done, r, &r->http, msg);
  if (err) {
    md_rest_close(r);
    return err;
  }
  *out = r;
  return MD_OK;
}

static void
delete_client(md_rest_client_t *c) {
  md_rest_ring_delete(c->ask_ring);
  md_rest_ring_delete(c->answer_ring);
  free(c->asked.buffer);
  free(c->answered.buffer);
  free(c);
}

md_err_t
md_rest_client(md_rest_t *r, const md_rest_client_config_t *cfg, md_rest_client_t **out,
               md_msg_t *msg) {
  md_assert(!r->is_started);
  md_assert(cfg->weight_per_min > 0);
  if (r->client_cnt == MD_REST_CLIENT_CNT_MAX)
    return md_fail(msg, MD_ERR_FULL, "more than %u REST clients", MD_REST_CLIENT_CNT_MAX);
  md_rest_client_t *c = calloc(1, sizeof *c);
  if (!c) return md_fail(msg, MD_ERR_NOMEM, "no memory for a REST client");
  c->rest = r;
  c->cfg  = *cfg;
  (void)snprintf(c->ca_file, sizeof c->ca_file, "%s", cfg->ca_file ? cfg->ca_file : "");
  c->cfg.ca_file = c->ca_file;
  c->ask_ring    = md_rest_ring_new("rest.ask", ASK_RING_BYTES);
  c->answer_ring = md_rest_ring_new("rest.answer", ANSWER_RING_BYTES);
  md_err_t err   = c->ask_ring && c->answer_ring
                       ? md_http_lws.trust(r->http, c->ca_file, &c->trust, msg)
                       : md_fail(msg, MD_ERR_NOMEM, "no memory for the rings of a REST client");
  if (err) {
    delete_client(c);
    return err;
  }
  md_ring_producer_init(&c->ask, c->ask_ring);
  md_ring_consumer_init(&c->asked.consumer, c->ask_ring);
  md_ring_producer_init(&c->answer, c->answer_ring);
  md_ring_consumer_init(&c->answered.consumer, c->answer_ring);
  r->client[r->client_cnt++] = c;
  *out                       = c;
  return MD_OK;
}

md_err_t
md_rest_start(md_rest_t *r, md_msg_t *msg) {
  int rc = pthread_create(&r->thread, NULL, run, r);
  if (rc) return md_fail_errno(msg, rc, "the REST thread cannot be started");
  (void)pthread_setname_np(r->thread, "rest");
  r->is_started = true;
  return MD_OK;
}

void
md_rest_close(md_rest_t *r) {
  if (!r) return;
  if (r->is_started) {
    md_store_relaxed(&r->stop, 1);
    int rc = pthread_join(r->thread, NULL);
    md_assert(rc == 0);
  }
  if (r->http) md_http_lws.close(r->http);
  for (uint32_t n = 0; n < r->client_cnt; n++)
    delete_client(r->client[n]);
  for (uint32_t n = 0; n < r->job_cnt; n++)
    free(r->job[n].url);
  free(r->job);
  free(r);
}

/* ---- the feed's side ---- */

static md_err_t
ask(md_rest_client_t *c, const char *url, uint64_t weight) {
  size_t len = strlen(url);
  if (len >= MD_REST_URL_BYTES_MAX) return MD_ERR_RANGE;
  md_input_t in = {.kind = MD_RAW_HTTP, .leg = MD_LEG_NONE, .name = url, .name_len = (uint32_t)len};
  return md_rest_ring_put(&c->ask, &in, weight);
}

md_err_t
md_rest_ask(md_rest_client_t *c, const char *url, uint32_t weight) {
  return ask(c, url, weight);
}

md_err_t
md_rest_ask_paced(md_rest_client_t *c, const char *url, uint32_t weight) {
  return ask(c, url, weight | PACED);
}

md_err_t
md_rest_ask_once(md_rest_client_t *c, const char *url, uint32_t weight) {
  return ask(c, url, weight | ONCE);
}

uint32_t
md_rest_spare(const md_rest_client_t *c) {
  return (uint32_t)md_load_relaxed(&c->spare); /* one number, of the REST thread */
}

md_err_t
md_rest_take(md_rest_client_t *c, md_input_t *out) {
  uint64_t took_ns = TOOK_UNKNOWN;
  md_err_t err     = md_rest_ring_take(&c->answered, out, &took_ns);
  c->took_ns       = took_ns == TOOK_UNKNOWN ? -1 : (int64_t)took_ns;
  return err;
}

int64_t
md_rest_took_ns(const md_rest_client_t *c) {
  return c->took_ns;
}

void
md_rest_counts(const md_rest_client_t *c, md_rest_counts_t *out) {
  *out = (md_rest_counts_t){.request_cnt     = md_load_relaxed(&c->request_cnt),
                            .error_cnt       = md_load_relaxed(&c->error_cnt),
                            .limited_cnt     = md_load_relaxed(&c->limited_cnt),
                            .lost_cnt        = md_load_relaxed(&c->lost_cnt),
                            .plain_cnt       = md_load_relaxed(&c->plain_cnt),
                            .plain_error_cnt = md_load_relaxed(&c->plain_error_cnt)};
}
