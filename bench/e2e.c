/* bench e2e: from the wire to the book that another process reads; sockets and feed threads; start
 * and attach. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/calm.h"
#include "bench/clients.h"
#include "bench/e2e_parts.h"
#include "bench/rounds.h"
#include "bench/transport_server.h"
#include "feeds/sim/sim_cert.h"
#include "shm/clock.h"

#define RATE           20000u
#define INSTRUMENT_CNT 64u
#define TURN_MIN       1000u /* messages */
#define TURN_MAX       (RATE / 4)
#define START_NS       10000000000ll
#define PARTS          128 /* turns that a budget is made for */

typedef enum server { PLAIN, TLS, SOCKETS_1, SOCKETS_64, SERVER_CNT } server_t;

typedef struct e2e {
  md_bench_source_t source;
  md_sim_cert_t     cert;
  char              ca_file[32];
  md_bench_wire_t  *wire;
  md_bench_server_t server[SERVER_CNT];
  uint32_t          started, cnt; /* servers; messages of a turn */
} e2e_t;

/* ---- turns ---- */

/* Flags and numbers: the server waits for go and reads nothing before. */
static void
wire_reset(md_bench_wire_t *w, bool has_book) {
  memset((void *)&w->latency, 0, sizeof w->latency);
  md_store_relaxed(&w->has_book, has_book);
  md_store_relaxed(&w->seen, 0);
  md_store_relaxed(&w->lost_ppm, 0);
  md_store_relaxed(&w->done, 0);
  md_store_relaxed(&w->go, 0);
}

/* One run of the server; false: it was disturbed, or the client did not get through. */
static bool
run_client(e2e_t *x, const md_bench_client_kind_t *kind, md_bench_client_t *c, int64_t *cpu_ns) {
  wire_reset(x->wire, c->source != NULL);
  int64_t         end_ns = md_bench_now_ns() + MD_BENCH_PATIENCE_NS;
  bool            ok     = kind->open(c);
  md_bench_calm_t calm;
  int64_t         cpu = md_clock_thread_cpu_ns();
  md_bench_calm_begin(&calm);
  md_store_relaxed(&x->wire->go, 1);
  while (ok && md_load_relaxed(&x->wire->done) == 0) {
    kind->step(c);
    ok = md_bench_now_ns() < end_ns;
  }
  while (ok && c->source && c->message_cnt < x->cnt) { /* what was sent last */
    kind->step(c);
    ok = md_bench_now_ns() < end_ns;
  }
  *cpu_ns           = md_clock_thread_cpu_ns() - cpu;
  uint64_t lost_ppm = md_bench_calm_lost_ppm(&calm);
  kind->close(c);
  if (!ok) md_bench_excuse("not all messages came");
  return ok && md_bench_calm_judge(lost_ppm, MD_BENCH_LOST_MAX_PPM) &&
         md_bench_calm_judge(md_load_relaxed(&x->wire->lost_ppm), MD_BENCH_LOST_MAX_PPM);
}

/* cell->a is 1: our client and the books; 0: a client that reads and looks at nothing. */
static double
latency_turn(void *ctx, const md_bench_cell_t *cell, md_hist_t *hist) {
  e2e_t            *x = ctx;
  md_hist_copy_t    all;
  int64_t           cpu_ns;
  md_bench_client_t c = {.ca_file     = x->ca_file,
                         .is_tls      = cell->b == TLS,
                         .is_spinning = true,
                         .socket_cnt  = 1,
                         .port        = x->server[cell->b].port,
                         .source      = cell->a ? &x->source : NULL,
                         .seen        = &x->wire->seen};
  if (!run_client(x, cell->a ? &md_bench_client_native : &md_bench_client_bare, &c, &cpu_ns))
    return MD_BENCH_NONE;
  md_hist_read(&x->wire->latency, &all);
  if (all.cnt < x->cnt / 2) {
    md_bench_excuse("half of the messages were never seen in the book");
    return MD_BENCH_NONE;
  }
  memcpy((void *)hist, (void *)&x->wire->latency, sizeof *hist);
  return (double)md_hist_quantile(&all, 500000);
}

/* cell->a sockets; processor time for each message. */
static double
sockets_turn(void *ctx, const md_bench_cell_t *cell, md_hist_t *hist) {
  e2e_t            *x = ctx;
  int64_t           cpu_ns;
  md_bench_client_t c = {
      .socket_cnt = cell->a, .port = x->server[cell->b].port, .source = &x->source};
  (void)hist;
  if (!run_client(x, &md_bench_client_native, &c, &cpu_ns)) return MD_BENCH_NONE;
  return (double)cpu_ns / x->cnt;
}

/* ---- the tables ---- */

#define NONE MD_BENCH_NONE
#define BARE "spin read, looks at nothing"

static const md_bench_cell_t latency_cells[] = {
    {"e2e.plain.bare", "ns", latency_turn, 0, PLAIN, NULL, 0, MD_BENCH_COST, NONE, NONE},
    {"e2e.plain", "ns", latency_turn, 1, PLAIN, BARE, 0, MD_BENCH_COST, 1.25, 1.10},
    {"e2e.tls.bare", "ns", latency_turn, 0, TLS, NULL, 0, MD_BENCH_COST, NONE, NONE},
    {"e2e.tls", "ns", latency_turn, 1, TLS, BARE, 2, MD_BENCH_COST, 1.25, 1.10}};

static const md_bench_cell_t socket_cells[] = {
    {"e2e.sockets_1", "ns", sockets_turn, 1, SOCKETS_1, NULL, 0, MD_BENCH_COST, NONE, NONE},
    {"e2e.sockets_64", "ns", sockets_turn, INSTRUMENT_CNT, SOCKETS_64, "1 socket", 0, MD_BENCH_COST,
     1.5, 1.15}};

static const md_bench_cell_t thread_cells[] = {
    {NULL, "k/s", md_bench_threads_turn, 1, 0, NULL, 0, MD_BENCH_RATE, NONE, NONE},
    {"e2e.feed_threads_2", "k/s", md_bench_threads_turn, 2, 0, "1 feed thread", 0, MD_BENCH_RATE,
     1.6, 1.9}};

static const md_bench_cell_t start_cells[] = {
    {NULL, "ms", md_bench_start_turn, 0, 0, NULL, 0, MD_BENCH_COST, NONE, NONE},
    {"e2e.start_10000", "ms", md_bench_start_turn, 1, 0, "fallocate + touch", 0, MD_BENCH_COST, 3,
     1.5},
    {"e2e.attach", "ms", md_bench_start_turn, 2, 0, NULL, 0, MD_BENCH_AT_MOST, 5, 1}};

/* ---- the run ---- */

static bool
start_servers(e2e_t *x) {
  cpu_set_t set;
  int       cpu[2], found = 0;
  if (sched_getaffinity(0, sizeof set, &set)) return false;
  for (int n = 0; n < CPU_SETSIZE && found < 2; n++)
    if (CPU_ISSET((size_t)n, &set)) cpu[found++] = n;
  for (; x->started < SERVER_CNT; x->started++) {
    bool                           many = x->started >= SOCKETS_1;
    const md_bench_server_config_t cfg  = {
         .corpus         = &x->source.corpus,
         .source         = &x->source,
         .instrument_cnt = many ? INSTRUMENT_CNT : 1,
         .cert_pem       = x->started == TLS ? x->cert.cert_pem : NULL,
         .key_pem        = x->cert.key_pem,
         .cpu            = found == 2 ? cpu[1] : -1, /* the client's is the first */
         .socket_cnt     = x->started == SOCKETS_64 ? INSTRUMENT_CNT : 1,
         .rate           = RATE,
         .cnt            = x->cnt,
         .only_sends     = many,
         .wire           = x->wire};
    if (md_bench_server_start(&cfg, &x->server[x->started])) return false;
  }
  return true;
}

static bool
begin(e2e_t *x, const md_bench_t *b) {
  md_msg_t msg = {0};
  int      fd  = mkstemp(x->ca_file);
  uint64_t cnt = (uint64_t)b->seconds * RATE / PARTS;
  x->cnt       = cnt < TURN_MIN ? TURN_MIN : cnt > TURN_MAX ? TURN_MAX : (uint32_t)cnt;
  x->wire = mmap(NULL, sizeof *x->wire, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (x->wire == MAP_FAILED) x->wire = NULL;
  if (fd < 0 || close(fd) || !x->wire ||
      md_sim_cert_make("DNS:localhost,IP:127.0.0.1", &x->cert, &msg) ||
      md_sim_cert_save(&x->cert, x->ca_file, &msg) || !start_servers(x)) {
    fprintf(stderr, "mdengine bench: e2e: no server can be begun %s\n", msg.text);
    return false;
  }
  return true;
}

static void
end(e2e_t *x) {
  while (x->started > 0)
    md_bench_server_stop(&x->server[--x->started]);
  if (x->wire) (void)munmap(x->wire, sizeof *x->wire);
  (void)unlink(x->ca_file);
}

static bool
run_cells(md_bench_t *b, void *ctx, const md_bench_cell_t *cells, uint32_t cnt, bool is_pair,
          int64_t budget_ns) {
  md_bench_rounds_t *r = md_bench_rounds_run(cells, cnt, ctx, is_pair, budget_ns);
  if (r == NULL) return false;
  md_bench_rounds_report(b, r);
  md_bench_rounds_delete(r);
  return true;
}

/* Latency and sockets, over one feed with its books. */
static bool
run_wire(md_bench_t *b, e2e_t *x, int64_t budget_ns) {
  if (!md_bench_source_new(&x->source, INSTRUMENT_CNT, true)) {
    md_bench_rows_without(b, latency_cells, MD_CNT(latency_cells), x->source.world.why);
    md_bench_rows_without(b, socket_cells, MD_CNT(socket_cells), x->source.world.why);
    return true;
  }
  bool good = begin(x, b) &&
              run_cells(b, x, latency_cells, MD_CNT(latency_cells), true, budget_ns / 2) &&
              run_cells(b, x, socket_cells, MD_CNT(socket_cells), true, budget_ns / 4);
  end(x);
  if (good && !md_bench_source_check(&x->source)) {
    fprintf(stderr, "mdengine bench: e2e: the books are not what came: a defect\n");
    good = false;
  }
  md_bench_source_delete(&x->source);
  return good;
}

bool
md_bench_e2e(md_bench_t *b) {
  static e2e_t x = {.ca_file = "/tmp/md-bench-XXXXXX"};
  static char  why[2][200]; /* live as long as the report */
  int64_t      budget_ns = (int64_t)b->seconds * 1000000000;
  int64_t start_ns = b->seconds < 5 ? budget_ns : budget_ns + START_NS; /* a start takes seconds */
  bool    good     = run_wire(b, &x, budget_ns);
  if (good && md_bench_threads_begin(why[0], sizeof why[0])) {
    good = run_cells(b, NULL, thread_cells, MD_CNT(thread_cells), false, budget_ns / 8);
    md_bench_threads_end();
  } else if (good) {
    md_bench_rows_without(b, thread_cells, MD_CNT(thread_cells), why[0]);
  }
  if (good && md_bench_start_begin(why[1], sizeof why[1])) {
    good = run_cells(b, NULL, start_cells, MD_CNT(start_cells), false, start_ns);
    md_bench_start_end();
  } else if (good) {
    md_bench_rows_without(b, start_cells, MD_CNT(start_cells), why[1]);
  }
  return good;
}
