/* The native transport beside libwebsockets that only counts, and beside a read that looks at
 * nothing: processor time of the client for each message of a server that never waits. Then with
 * all that a feed does behind it, to the books in shared memory. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "bench/bench.h"
#include "bench/calm.h"
#include "bench/clients.h"
#include "bench/transport_server.h"
#include "bench/update_stream.h"
#include "feeds/sim/sim_cert.h"
#include "shm/clock.h"

#define CLIENT_MAX   3u
#define ROUND_CNT    5u
#define WARM_NS      20000000
#define WARM_CNT     2000u /* messages at least that are not counted, where they are made ahead */
#define AHEAD_NS     3000  /* of a turn, for each such message: no client is as fast */
#define AHEAD_MAX    40000u
#define RUN_NS_MAX   500000000
#define PAUSE_NS     20000000
#define TRY_CNT      3u
#define PATIENCE     MD_BENCH_PATIENCE_NS
#define MESSAGES_MIN 256u /* of a turn, should the server have to wait for its processor */
#define SEED         20240809u
#define CORPUS_CNT   256u
#define INFLATE_CNT  2048u /* messages of the baseline of permessage-deflate */
#define NONE         MD_BENCH_NONE

/* ---- zlib alone, as if it were a client ---- */

typedef struct inflating {
  z_stream z;
  uint32_t next, end[INFLATE_CNT + 1];
  uint8_t  bytes[INFLATE_CNT * 2048u], text[16384];
} inflating_t;

static bool
inflating_open(md_bench_client_t *c) {
  inflating_t              *s       = calloc(1, sizeof *s);
  md_bench_update_stream_t *updates = md_bench_update_stream_new(&c->source->corpus, 1, true);
  c->state                          = s;
  bool ok                           = s && updates && inflateInit2(&s->z, -15) == Z_OK;
  if (ok) md_bench_update_stream_begin(updates, c->source);
  for (uint32_t n = 0; ok && n < INFLATE_CNT; n++) {
    uint32_t       bytes;
    const uint8_t *frame = md_bench_update_stream_next(updates, &bytes);
    uint32_t       head  = frame[1] == 126 ? 4 : 2;
    ok                   = s->end[n] + bytes < sizeof s->bytes;
    if (!ok) break;
    memcpy(s->bytes + s->end[n], frame + head, bytes - head);
    memcpy(s->bytes + s->end[n] + bytes - head, "\0\0\xff\xff", 4);
    s->end[n + 1] = s->end[n] + bytes - head + 4;
  }
  md_bench_update_stream_delete(updates);
  return ok;
}

static void
inflating_step(md_bench_client_t *c) {
  inflating_t *s = c->state;
  uint32_t     n = s->next;
  s->z.next_in   = s->bytes + s->end[n];
  s->z.avail_in  = s->end[n + 1] - s->end[n];
  s->z.next_out  = s->text;
  s->z.avail_out = sizeof s->text;
  int rc         = inflate(&s->z, Z_SYNC_FLUSH);
  md_assert(rc == Z_OK && s->z.avail_in == 0);
  c->message_cnt++;
  if (++s->next < INFLATE_CNT) return;
  s->next = 0;
  (void)inflateReset(&s->z);
}

static void
inflating_close(md_bench_client_t *c) {
  inflating_t *s = c->state;
  if (s) (void)inflateEnd(&s->z);
  free(s);
}

static const md_bench_client_kind_t inflating = {"zlib inflate alone", inflating_open,
                                                 inflating_step, inflating_close};

/* ---- what is measured ---- */

typedef struct test {
  const char                   *name, *bare_name; /* against kind[1]; against kind[2], NULL: none */
  const md_bench_client_kind_t *kind[CLIENT_MAX]; /* the first one is ours */
  uint32_t                      message_bytes;
  uint32_t                      level_cnt; /* of the updates that go to the books; 0: no feed */
  bool                          is_tls, is_deflated;
  double                        floor, target; /* against kind[1] */
} test_t;

#define ALL                                                                                        \
  { &md_bench_client_native, &md_bench_client_lws, &md_bench_client_bare }
#define THROUGH                                                                                    \
  { &md_bench_client_native, &md_bench_client_lws, NULL }
#define INFLATED                                                                                   \
  { &md_bench_client_native, &inflating, NULL }

static const test_t tests[] = {
    {"transport.plain.200", "transport.plain.200.bare", ALL, 200, 0, false, false, NONE, NONE},
    {"transport.plain.2000", "transport.plain.2000.bare", ALL, 2000, 0, false, false, NONE, NONE},
    {"transport.tls.200", "transport.tls.200.bare", ALL, 200, 0, true, false, NONE, NONE},
    {"transport.tls.2000", "transport.tls.2000.bare", ALL, 2000, 0, true, false, NONE, NONE},
    {"transport.tls.200.to_shm", NULL, THROUGH, 0, 2, true, false, 2, 4},
    {"transport.tls.2000.to_shm", NULL, THROUGH, 0, 55, true, false, 4, 6},
    {"transport.deflate.to_shm", NULL, INFLATED, 0, 37, false, true, 0.75, 0.87}};

/* Whether a client has got nearly all that there is. */
static bool
is_through(const md_bench_client_t *c) {
  return c->message_max && c->message_cnt >= c->message_max - MESSAGES_MIN;
}

static bool
is_warm(const md_bench_client_t *c) {
  return c->message_max && c->message_cnt >= WARM_CNT;
}

/* Lets a client run for so long; ns of processor time for each message, and messages a second. */
static bool
run_once(const md_bench_client_kind_t *k, md_bench_client_t *c, int64_t run_ns, double *cost_ns,
         double *rate) {
  bool ok = k->open(c);
  for (int64_t end = md_bench_now_ns() + WARM_NS; ok && md_bench_now_ns() < end && !is_warm(c);)
    k->step(c);
  uint64_t cnt = c->message_cnt;
  int64_t  cpu = md_clock_thread_cpu_ns(), begin = md_bench_now_ns(), now = begin;
  while (ok && now - begin < PATIENCE && !is_through(c) &&
         (now - begin < run_ns || c->message_cnt - cnt < MESSAGES_MIN)) {
    for (unsigned n = 0; n < 16 && !is_through(c); n++)
      k->step(c);
    now = md_bench_now_ns();
  }
  cpu = md_clock_thread_cpu_ns() - cpu;
  cnt = c->message_cnt - cnt;
  k->close(c);
  if (!ok || cnt < MESSAGES_MIN) return false;
  *cost_ns = (double)cpu / (double)cnt;
  *rate    = (double)cnt * 1e9 / (double)(now - begin);
  return true;
}

/* The same with priority, the server's process too, and then a pause for everybody else. */
static bool
run(const md_bench_client_kind_t *k, md_bench_client_t *c, int64_t run_ns, double *cost_ns,
    double *rate) {
  const struct timespec pause = {.tv_nsec = PAUSE_NS};
  md_bench_rt_take(1);
  bool ok = run_once(k, c, run_ns, cost_ns, rate);
  md_bench_rt_give(1);
  if (md_bench_rt_has()) (void)nanosleep(&pause, NULL);
  return ok;
}

typedef struct tally {
  md_bench_series_t cost[CLIENT_MAX], rate[CLIENT_MAX], better, dearer;
} tally_t;

static unsigned
client_cnt(const test_t *t) {
  return t->kind[2] ? 3 : 2;
}

/* One round: each client once and once more in reverse order. */
static bool
run_round(const test_t *t, const md_bench_client_t *like, int64_t run_ns, tally_t *tally) {
  double   sum[CLIENT_MAX] = {0};
  unsigned cnt             = client_cnt(t);
  for (unsigned turn = 0; turn < 2 * cnt; turn++) {
    unsigned          k    = turn < cnt ? turn : 2 * cnt - 1 - turn;
    md_bench_client_t c    = *like;
    double            cost = 0, rate = 0;
    bool              ok = false;
    /* On a machine that is busy at a higher priority a connection may starve. */
    for (unsigned tries = 0; tries < TRY_CNT && !ok; tries++) {
      c = *like;
      if (c.message_max && !md_bench_source_rewind(like->source)) return false;
      ok = run(t->kind[k], &c, run_ns, &cost, &rate);
    }
    if (!ok) {
      fprintf(stderr, "mdengine bench: %s: %s got nothing, %u times\n", t->name, t->kind[k]->name,
              TRY_CNT);
      return false;
    }
    sum[k] += cost;
    md_bench_push(&tally->cost[k], cost);
    md_bench_push(&tally->rate[k], rate);
  }
  md_bench_push(&tally->better, sum[1] / sum[0]);
  if (cnt > 2) md_bench_push(&tally->dearer, sum[0] / sum[2]);
  return true;
}

static md_bench_result_t *
add_row(md_bench_t *b, const char *name, const test_t *t, unsigned against, const tally_t *tally) {
  md_bench_result_t *r = md_bench_add(b, name, "ns");
  md_bench_spread(r, &tally->cost[0]);
  r->baseline       = t->kind[against]->name;
  r->baseline_value = md_bench_median(&tally->cost[against]);
  return r;
}

static void
report(md_bench_t *b, const test_t *t, const tally_t *tally) {
  md_bench_result_t *r = add_row(b, t->name, t, 1, tally);
  md_bench_ratio(r, &tally->better);
  r->floor  = t->floor;
  r->target = t->target;
  if (t->bare_name) {
    r = add_row(b, t->bare_name, t, 2, tally);
    md_bench_ratio(r, &tally->dearer);
    r->is_cost = true;
  }
  fprintf(stderr, "%s: %.0f messages a second", t->name, md_bench_median(&tally->rate[0]));
  for (unsigned k = 1; k < client_cnt(t); k++)
    fprintf(stderr, ", %s %.0f", t->kind[k]->name, md_bench_median(&tally->rate[k]));
  fprintf(stderr, "\n");
}

/* ---- the whole ---- */

typedef struct transport_bench {
  md_sim_cert_t     cert;
  md_bench_source_t source; /* of one instrument */
  char              ca_file[32];
  int               cpu; /* of the server, -1 any */
} transport_bench_t;

static bool
measure(md_bench_t *b, const test_t *t, transport_bench_t *x) {
  static tally_t           tally; /* too large for a stack */
  md_bench_server_t        server;
  md_bench_corpus_t        corpus = {0}, own = x->source.corpus;
  md_bench_server_config_t cfg    = {.message_bytes  = t->message_bytes,
                                     .source         = &x->source,
                                     .instrument_cnt = 1,
                                     .deflates       = t->is_deflated,
                                     .cert_pem       = t->is_tls ? x->cert.cert_pem : NULL,
                                     .key_pem        = x->cert.key_pem,
                                     .cpu            = x->cpu,
                                     .socket_cnt     = 1};
  md_bench_client_t        like   = {.ca_file        = x->ca_file,
                                     .is_tls         = t->is_tls,
                                     .offers_deflate = t->is_deflated,
                                     .socket_cnt     = 1,
                                     .frame_bytes    = t->message_bytes + 4u};
  int64_t                  all    = (int64_t)b->seconds * 1000000000 / (int64_t)MD_CNT(tests);
  int64_t                  run_ns = all / (ROUND_CNT * 2 * client_cnt(t));
  if (run_ns > RUN_NS_MAX) run_ns = RUN_NS_MAX;
  bool ok = true;
  tally   = (tally_t){0};
  if (t->level_cnt) {
    if (!md_bench_corpus_still(&corpus, CORPUS_CNT, t->level_cnt, SEED)) return false;
    cfg.corpus       = &corpus;
    like.source      = &x->source;
    x->source.corpus = corpus; /* what is compressed for the baseline */
  }
  if (t->is_deflated && md_bench_source_rewind(&x->source)) {
    const uint32_t cnt = (uint32_t)(run_ns / AHEAD_NS);
    cfg.ahead_cnt      = WARM_CNT + 2 * MESSAGES_MIN + (cnt < AHEAD_MAX ? cnt : AHEAD_MAX);
    like.message_max   = cfg.ahead_cnt;
  }
  if (md_bench_server_start(&cfg, &server)) {
    fprintf(stderr, "mdengine bench: no server can be begun\n");
    return false;
  }
  like.port = server.port;
  for (unsigned n = 0; n < md_bench_rounds_or(ROUND_CNT) && ok; n++)
    ok = run_round(t, &like, run_ns, &tally);
  md_bench_server_stop(&server);
  x->source.corpus = own;
  md_bench_corpus_delete(&corpus);
  if (ok && t->level_cnt && !md_bench_source_check(&x->source)) {
    fprintf(stderr, "mdengine bench: %s: the book is not what came: a defect\n", t->name);
    ok = false;
  }
  if (ok) report(b, t, &tally);
  return ok;
}

static bool
measure_all(md_bench_t *b, transport_bench_t *x) {
  bool has_shm = md_bench_source_new(&x->source, 1, true), ok = true;
  for (size_t n = 0; n < MD_CNT(tests) && ok; n++) {
    if (has_shm || tests[n].level_cnt == 0) {
      ok = measure(b, &tests[n], x);
    } else {
      md_bench_add(b, tests[n].name, "ns")->note = x->source.world.why;
    }
  }
  if (has_shm) md_bench_source_delete(&x->source);
  return ok;
}

bool
md_bench_transport(md_bench_t *b) {
  static transport_bench_t x   = {.ca_file = "/tmp/md-bench-XXXXXX"};
  md_msg_t                 msg = {0};
  cpu_set_t                before, set;
  int                      cpu[2], found = 0, fd = mkstemp(x.ca_file);
  if (fd < 0 || close(fd) || md_sim_cert_make("DNS:localhost,IP:127.0.0.1", &x.cert, &msg) ||
      md_sim_cert_save(&x.cert, x.ca_file, &msg)) {
    fprintf(stderr, "mdengine bench: no certificate for the server: %s\n", msg.text);
    return false;
  }
  if (sched_getaffinity(0, sizeof before, &before)) return false;
  for (int n = 0; n < CPU_SETSIZE && found < 2; n++)
    if (CPU_ISSET((size_t)n, &before)) cpu[found++] = n;
  CPU_ZERO(&set);
  if (found == 2) CPU_SET((size_t)cpu[1], &set);
  if (found == 2) (void)sched_setaffinity(0, sizeof set, &set);
  x.cpu   = found == 2 ? cpu[0] : -1;
  bool ok = measure_all(b, &x);
  (void)sched_setaffinity(0, sizeof before, &before);
  (void)unlink(x.ca_file);
  return ok;
}
