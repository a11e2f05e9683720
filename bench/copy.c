/* The PostgreSQL sink from ring to committed, beside COPY FROM file and psql's \copy: the same rows
 * into the same table of a cluster of its own. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/cluster.h"
#include "bench/crowd.h"
#include "bench/rounds.h"
#include "bench/world.h"
#include "writers/journal.h"
#include "writers/pg_call.h"
#include "writers/postgres.h"
#include "writers/sink.h"

#define ROW_CNT_MAX   300000u
#define ROW_CNT_SHORT 20000u
#define SECONDS_SHORT 3u /* below: only whether it works */
#define RING_BYTES    (64u << 20)
#define WAIT_NS       INT64_C(1000000)
#define LIMIT_NS      INT64_C(60000000000)
#define FIRST_RECV_NS INT64_C(1714564800000000000) /* 2024-05-01 12:00: all rows have one day */
#define SCHEMA        "mdbench"
#define SUBJECT_CNT   3u

/* One sink with a feed, a ring and a stream of its own. */
typedef struct subject {
  uint32_t           batch_rows, connection_cnt;
  uint16_t           stream;
  md_ring_t         *ring;
  md_ring_producer_t producer;
  md_stream_row_t   *row;
  void              *state;
  uint64_t           seq;
  double             cpu_ns; /* of the thread, for each row of the last turn */
} subject_t;

typedef struct copy_bench {
  md_bench_cluster_t   cluster;
  md_bench_world_t     world;
  md_manifest_t       *manifest;
  uint32_t             epoch, row_cnt;
  md_postgres_config_t cfg[SUBJECT_CNT];
  subject_t            subject[SUBJECT_CNT];
  md_pg_call_t         call;
  char                 rows_path[96], psql[160], journal_dir[96];
  double               psql_cpu_ns;
  const char          *why; /* first thing that went wrong */
  char                 text[sizeof(md_msg_t)];
} copy_bench_t;

static bool
fail(copy_bench_t *c, const char *what) {
  if (!c->why) (void)snprintf(c->text, sizeof c->text, "%s", what);
  c->why = c->text;
  return false;
}

/* ---- rows ---- */

typedef struct trade_record {
  md_record_t header;
  md_trade_t  body;
} trade_record_t;

/* Trade n of a price that wanders, as Binance has them: two digits and five behind the point. */
static void
make_trade(trade_record_t *t, uint32_t n, uint16_t stream, uint32_t epoch, uint64_t seq) {
  uint64_t random  = n;
  int64_t  recv_ns = FIRST_RECV_NS + (int64_t)n * 20000;
  memset(t, 0, sizeof *t);
  t->header = (md_record_t){.len        = sizeof *t,
                            .type       = MD_RECORD_TRADE,
                            .flags      = MD_FLAG_LAST,
                            .stream     = stream,
                            .instrument = 1,
                            .epoch      = epoch,
                            .px_exp     = -2,
                            .qty_exp    = -5,
                            .seq        = seq,
                            .exch_seq   = 3500000000u + n,
                            .ts_exch_ns = recv_ns - 1700000,
                            .ts_recv_ns = recv_ns,
                            .ts_pub_ns  = recv_ns + 900};
  t->body   = (md_trade_t){.px          = 6183763 + (int64_t)md_bench_below(&random, 20000),
                           .qty         = 1 + (int64_t)md_bench_below(&random, 400000),
                           .trade_id    = 3500000000u + n,
                           .ts_match_ns = recv_ns - 1900000,
                           .side        = (uint8_t)(1 + n % 2),
                           .book_seq    = MD_NULL_U64};
}

/* The file that the baselines load: header, rows, trailer. */
static bool
write_rows(copy_bench_t *c) {
  FILE *f = fopen(c->rows_path, "w");
  if (!f) return fail(c, "no file of rows can be written");
  uint8_t                 bytes[MD_COPY_ROW_BYTES_MAX];
  const md_record_info_t *info = md_record_info(MD_RECORD_TRADE);
  trade_record_t          t;
  bool                    good = true;
  md_copy_header(bytes);
  good = fwrite(bytes, 1, MD_COPY_HEADER_BYTES, f) == MD_COPY_HEADER_BYTES;
  for (uint32_t i = 0; good && i < c->row_cnt; i++) {
    const char *column;
    uint32_t    len = 0;
    make_trade(&t, i, 1, c->epoch, i + 1);
    good = md_copy_row(&t.header, info, 1, bytes, &len, &column) == MD_OK &&
           fwrite(bytes, 1, len, f) == len;
  }
  md_copy_trailer(bytes);
  good = good && fwrite(bytes, 1, MD_COPY_TRAILER_BYTES, f) == MD_COPY_TRAILER_BYTES;
  good = fclose(f) == 0 && good && chmod(c->rows_path, 0644) == 0;
  return good || fail(c, "the file of rows cannot be written");
}

/* ---- the table ---- */

static bool
run_sql(copy_bench_t *c, const char *sql) {
  md_msg_t msg = {{0}};
  md_sql_add(&c->call.sql, "%s", sql);
  return md_pg_call(&c->call, &msg) == MD_OK || fail(c, msg.text);
}

/* Before each turn: the table is empty, and what a former turn left is written. */
static bool
clear_table(copy_bench_t *c) {
  return run_sql(c, "TRUNCATE " SCHEMA ".trades") &&
         (!c->cluster.is_private || c->row_cnt < ROW_CNT_MAX || run_sql(c, "CHECKPOINT"));
}

static void
read_sum(copy_bench_t *c, char *out, size_t out_bytes) {
  out[0] = 0;
  if (run_sql(c, "SELECT count(*) || ' ' || sum(px) || ' ' || sum(qty) || ' ' || sum(trade_id) || "
                 "' ' || sum(ts_recv_ns) FROM " SCHEMA ".trades"))
    (void)snprintf(out, out_bytes, "%s", md_pg_value(c->call.pg, 0, 0));
}

/* ---- the baselines ---- */

static double
rows_per_ms(const copy_bench_t *c, int64_t took_ns) {
  return (double)c->row_cnt * 1e6 / (double)took_ns;
}

static double
turn_file(void *ctx, const md_bench_cell_t *cell, md_hist_t *hist) {
  copy_bench_t *c = ctx;
  char          sql[256];
  (void)cell;
  (void)hist;
  md_bench_pair_unpin();
  if (!clear_table(c)) return MD_BENCH_NONE;
  (void)snprintf(sql, sizeof sql, "COPY " SCHEMA ".trades FROM '%s' (FORMAT binary)", c->rows_path);
  int64_t start_ns = md_bench_now_ns();
  bool    good     = run_sql(c, sql);
  return good ? rows_per_ms(c, md_bench_now_ns() - start_ns) : MD_BENCH_NONE;
}

/* Processor time of psql for one command. */
static bool
run_psql(const copy_bench_t *c, const char *command, int64_t *cpu_ns) {
  pid_t pid = fork();
  if (pid == 0) {
    int null = open("/dev/null", O_RDWR);
    (void)dup2(null, 0);
    (void)dup2(null, 1);
    (void)execlp(c->psql, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", c->cluster.conninfo,
                 "-c", command, (char *)NULL);
    _exit(127);
  }
  int           status = 0;
  struct rusage used   = {0};
  if (pid < 0 || wait4(pid, &status, 0, &used) != pid) return false;
  *cpu_ns = (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * INT64_C(1000000000) +
            (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * INT64_C(1000);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static double
turn_psql(void *ctx, const md_bench_cell_t *cell, md_hist_t *hist) {
  copy_bench_t *c = ctx;
  char          command[256];
  int64_t       cpu_ns = 0, bare_ns = 0;
  (void)cell;
  (void)hist;
  md_bench_pair_unpin();
  if (!clear_table(c) || !run_psql(c, "SELECT 1", &bare_ns)) return MD_BENCH_NONE;
  (void)snprintf(command, sizeof command, "\\copy " SCHEMA ".trades from '%s' with (format binary)",
                 c->rows_path);
  int64_t start_ns = md_bench_now_ns();
  if (!run_psql(c, command, &cpu_ns)) return MD_BENCH_NONE;
  int64_t took_ns = md_bench_now_ns() - start_ns;
  c->psql_cpu_ns  = (double)(cpu_ns - bare_ns) / c->row_cnt;
  return rows_per_ms(c, took_ns);
}

/* ---- the subject ---- */

/* Everything into the ring, durable, before the clock starts. */
static bool
fill_ring(copy_bench_t *c, subject_t *s) {
  trade_record_t t;
  for (uint32_t i = 0; i < c->row_cnt; i++) {
    make_trade(&t, i, s->stream, c->epoch, s->seq + 1);
    if (md_ring_write_group(&s->producer, &t.header, 1, t.header.len) != MD_OK)
      return fail(c, "the ring is too small");
    s->seq++;
  }
  md_ring_publish(&s->producer);
  md_store_relaxed(&s->row->published_seq, s->seq); /* this thread reads it */
  md_store_release(&s->row->durable_seq, s->seq);   /* R1: as the journal does; pairs with A1 */
  return true;
}

static int64_t
thread_cpu_ns(void) {
  struct timespec t = {0};
  (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static double
turn_sink(void *ctx, const md_bench_cell_t *cell, md_hist_t *hist) {
  copy_bench_t    *c    = ctx;
  subject_t       *s    = &c->subject[cell->a];
  const md_sink_t *sink = md_sink_find("postgres");
  (void)hist;
  md_bench_pair_unpin();
  if (!clear_table(c) || !fill_ring(c, s)) return MD_BENCH_NONE;
  int64_t cpu_ns = thread_cpu_ns(), start_ns = md_bench_now_ns();
  while (md_load_acquire(&s->row->stored_seq) < s->seq) { /* A1: by the sink; pairs with R1 */
    if (sink->turn(s->state, WAIT_NS) < 0 || md_bench_now_ns() - start_ns > LIMIT_NS) {
      (void)fail(c, "the sink does not go on");
      return MD_BENCH_NONE;
    }
  }
  int64_t took_ns = md_bench_now_ns() - start_ns;
  s->cpu_ns       = (double)(thread_cpu_ns() - cpu_ns) / c->row_cnt;
  return rows_per_ms(c, took_ns);
}

/* What the turn before it has counted. */
static double
turn_sink_cpu(void *ctx, const md_bench_cell_t *cell, md_hist_t *hist) {
  copy_bench_t *c = ctx;
  (void)hist;
  return c->subject[cell->a].cpu_ns > 0 ? c->subject[cell->a].cpu_ns : MD_BENCH_NONE;
}

static double
turn_psql_cpu(void *ctx, const md_bench_cell_t *cell, md_hist_t *hist) {
  copy_bench_t *c = ctx;
  (void)cell;
  (void)hist;
  return c->psql_cpu_ns > 0 ? c->psql_cpu_ns : MD_BENCH_NONE;
}

/* ---- cells ---- */

enum { FILE_CELL, PSQL_CELL, PSQL_CPU_CELL };

static const char by_file[] = "COPY FROM file, binary", by_psql[] = "psql \\copy, binary";

static const md_bench_cell_t cells[] = {
    {"copy.from_file", "k/s", turn_file, 0, 0, NULL, 0, MD_BENCH_RATE, MD_BENCH_NONE,
     MD_BENCH_NONE},
    {"copy.psql", "k/s", turn_psql, 0, 0, by_file, FILE_CELL, MD_BENCH_RATE, MD_BENCH_NONE,
     MD_BENCH_NONE},
    {"copy.psql.cpu", "ns", turn_psql_cpu, 0, 0, NULL, 0, MD_BENCH_COST, MD_BENCH_NONE,
     MD_BENCH_NONE},
    {"copy.rows_100k", "k/s", turn_sink, 0, 0, by_file, FILE_CELL, MD_BENCH_RATE, 0.75, 0.9},
    {"copy.rows_100k.cpu", "ns", turn_sink_cpu, 0, 0, by_psql, PSQL_CPU_CELL, MD_BENCH_COST,
     MD_BENCH_NONE, MD_BENCH_NONE},
    {"copy.rows_10k", "k/s", turn_sink, 1, 0, by_file, FILE_CELL, MD_BENCH_RATE, MD_BENCH_NONE,
     MD_BENCH_NONE},
    {"copy.rows_10k.cpu", "ns", turn_sink_cpu, 1, 0, by_psql, PSQL_CPU_CELL, MD_BENCH_COST,
     MD_BENCH_NONE, MD_BENCH_NONE},
    {"copy.rows_10k.two", "k/s", turn_sink, 2, 0, by_file, FILE_CELL, MD_BENCH_RATE, 0.85, 1.15},
    {"copy.cpu", "ns", turn_sink_cpu, 2, 0, by_psql, PSQL_CPU_CELL, MD_BENCH_COST, 1.0,
     MD_BENCH_NONE},
    {"copy.cpu.row", "ns", turn_sink_cpu, 2, 0, NULL, 0, MD_BENCH_AT_MOST, MD_BENCH_NONE, 50},
};

/* ---- setting up ---- */

static void
tell(void *ctx, const char *level, const char *text) {
  (void)ctx;
  if (strcmp(level, "info") != 0) fprintf(stderr, "mdengine bench: copy: %s: %s\n", level, text);
}

static bool
open_journal(copy_bench_t *c, uint8_t uuid[16]) {
  static const char *const names[SUBJECT_CNT] = {"one", "two", "three"};
  md_msg_t                 msg                = {{0}};
  md_err_t                 err = md_manifest_open(c->journal_dir, true, true, &c->manifest, &msg);
  for (unsigned i = 0; err == MD_OK && i < SUBJECT_CNT; i++)
    err = md_manifest_stream(c->manifest, names[i], &c->subject[i].stream, &msg);
  if (err == MD_OK)
    err = md_manifest_epoch(c->manifest, md_clock_real_ns(md_clock_system()), &c->epoch, &msg);
  if (err != MD_OK) return fail(c, msg.text);
  memcpy(uuid, md_manifest_uuid(c->manifest), 16);
  return true;
}

static bool
open_world(copy_bench_t *c, const uint8_t uuid[16]) {
  md_segment_feed_t feeds[SUBJECT_CNT] = {
      {.name = "one", .venue = "v", .tape_bytes = MD_BENCH_HOP_BYTES},
      {.name = "two", .venue = "v", .tape_bytes = MD_BENCH_HOP_BYTES},
      {.name = "three", .venue = "v", .tape_bytes = MD_BENCH_HOP_BYTES}};
  static const md_segment_ring_t rings[SUBJECT_CNT] = {
      {.feed = 0, .sink = 1, .name = "one.postgres", .capacity_bytes = RING_BYTES},
      {.feed = 1, .sink = 1, .name = "two.postgres", .capacity_bytes = RING_BYTES},
      {.feed = 2, .sink = 1, .name = "three.postgres", .capacity_bytes = RING_BYTES}};
  static const md_segment_thread_t threads[] = {{"bench", MD_THREAD_FEED, 0, -1},
                                                {"writer:postgres", MD_THREAD_WRITER, 1, -1}};
  md_segment_config_t              cfg       = {.epoch               = c->epoch,
                                                .next_instrument_id  = 1,
                                                .instrument_capacity = 1,
                                                .book_bytes          = 1u << 16,
                                                .feeds               = feeds,
                                                .feed_cnt            = SUBJECT_CNT,
                                                .rings               = rings,
                                                .ring_cnt            = SUBJECT_CNT,
                                                .threads             = threads,
                                                .thread_cnt          = MD_CNT(threads)};
  for (unsigned i = 0; i < SUBJECT_CNT; i++)
    feeds[i].stream = c->subject[i].stream;
  memcpy(cfg.journal_uuid, uuid, 16);
  return md_bench_world_make(&c->world, &cfg, 128u << 20) || fail(c, c->world.why);
}

static bool
open_sink(copy_bench_t *c, unsigned i, const uint8_t uuid[16]) {
  subject_t    *s   = &c->subject[i];
  md_msg_t      msg = {{0}};
  md_segment_t *g   = &c->world.segment;
  s->ring           = md_segment_ring(g, i);
  s->row            = &g->streams[g->feeds[i].stream_row];
  md_ring_producer_init(&s->producer, s->ring);
  c->cfg[i] = (md_postgres_config_t){.conninfo           = c->cluster.conninfo,
                                     .schema             = SCHEMA,
                                     .record_types       = 1u << MD_RECORD_TRADE,
                                     .batch_rows         = s->batch_rows,
                                     .batch_ns           = INT64_C(10000000000),
                                     .connections        = s->connection_cnt,
                                     .partition_days     = 1,
                                     .connect_timeout_ms = 30000,
                                     .epoch              = c->epoch};
  memcpy(c->cfg[i].journal_uuid, uuid, 16);
  const md_sink_env_t env = {.segment     = g,
                             .rings       = &s->ring,
                             .ring_cnt    = 1,
                             .metrics     = &g->metrics[1],
                             .thread_row  = 1,
                             .clock       = md_clock_system(),
                             .journal_dir = c->journal_dir,
                             .cfg         = &c->cfg[i],
                             .log         = tell};
  return md_sink_find("postgres")->open(&env, &s->state, &msg) == MD_OK || fail(c, msg.text);
}

static bool
set_up(copy_bench_t *c) {
  uint8_t  uuid[16];
  md_msg_t msg = {{0}};
  (void)snprintf(c->rows_path, sizeof c->rows_path, "%s/rows.bin", c->cluster.dir);
  (void)snprintf(c->journal_dir, sizeof c->journal_dir, "%s/journal", c->cluster.dir);
  md_bench_cluster_program("psql", c->psql, sizeof c->psql);
  c->subject[0].batch_rows = c->row_cnt < ROW_CNT_MAX ? c->row_cnt : 100000; /* all are full */
  c->subject[1].batch_rows = c->subject[2].batch_rows = 10000;
  c->subject[0].connection_cnt = c->subject[1].connection_cnt = 1;
  c->subject[2].connection_cnt                                = 2;
  if (!open_journal(c, uuid) || !open_world(c, uuid) || !write_rows(c)) return false;
  for (unsigned i = 0; i < SUBJECT_CNT; i++)
    if (!open_sink(c, i, uuid)) return false;
  if (md_pg_call_open(&c->call, c->cluster.conninfo, LIMIT_NS, &msg) != MD_OK)
    return fail(c, msg.text);
  return true;
}

static void
take_down(copy_bench_t *c) {
  for (unsigned i = 0; i < SUBJECT_CNT; i++)
    if (c->subject[i].state) md_sink_find("postgres")->close(c->subject[i].state);
  if (!c->cluster.is_private && c->call.pg) (void)run_sql(c, "DROP SCHEMA " SCHEMA " CASCADE");
  if (c->call.pg) md_pg_call_close(&c->call);
  if (c->world.segment.base) md_bench_world_delete(&c->world);
  md_manifest_close(c->manifest);
  if (!c->cluster.is_private) { /* else the cluster's folder goes as a whole */
    char path[128];
    (void)snprintf(path, sizeof path, "%s/MANIFEST", c->journal_dir);
    (void)unlink(path);
    (void)rmdir(c->journal_dir);
    (void)unlink(c->rows_path);
  }
  md_bench_cluster_stop(&c->cluster);
}

/* Every way must lead to the same rows before any of them is timed. */
static bool
all_agree(copy_bench_t *c) {
  char want[200] = "", got[200];
  for (size_t i = 0; i < MD_CNT(cells); i++) {
    if (cells[i].turn == turn_sink_cpu || cells[i].turn == turn_psql_cpu) continue;
    if (cells[i].turn(c, &cells[i], NULL) < 0)
      return fail(c, "rows cannot be loaded, as a superuser on this machine could");
    read_sum(c, got, sizeof got);
    if (i == FILE_CELL) (void)snprintf(want, sizeof want, "%s", got);
    if (strcmp(got, want) == 0) continue;
    fprintf(stderr,
            "mdengine bench: %s stored other rows than COPY FROM file: a defect, report it\n",
            cells[i].name);
    return false;
  }
  return true;
}

bool
md_bench_copy(md_bench_t *b) {
  static copy_bench_t c;
  bool                good = true;
  memset(&c, 0, sizeof c);
  c.row_cnt = b->seconds < SECONDS_SHORT ? ROW_CNT_SHORT : ROW_CNT_MAX;
  if (!md_bench_cluster_start(&c.cluster, c.row_cnt == ROW_CNT_MAX)) {
    md_bench_rows_without(b, cells, MD_CNT(cells), c.cluster.why);
    return true;
  }
  if (set_up(&c) && (good = all_agree(&c))) {
    md_bench_rounds_t *r =
        md_bench_rounds_run(cells, MD_CNT(cells), &c, false, (int64_t)b->seconds * 1000000000);
    if (r) md_bench_rounds_report(b, r);
    md_bench_rounds_delete(r);
  } else if (c.why) {
    good = true;
    md_bench_rows_without(b, cells, MD_CNT(cells), c.why);
  }
  take_down(&c);
  return good;
}
