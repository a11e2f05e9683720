/* postgres_fixture.h - a private PostgreSQL cluster, a journal, a segment and both sinks on one
 * thread.
 *
 * The test is the feed: it writes records into the rings and turns the sinks itself, so every
 * interleaving comes from a seed. What the database must hold is worked out by reading the journal.
 */
#ifndef TESTS_POSTGRES_FIXTURE_H
#define TESTS_POSTGRES_FIXTURE_H

#include <signal.h>

#include "tests/unit/segment_fixture.h"
#include "writers/journal.h"
#include "writers/postgres.h"
#include "writers/sink.h"

#define WORLD_FEEDS 2u
#define DAY_2024_NS INT64_C(1714607990000000000) /* 2024-05-01 23:59:50 UTC */
#define DRAIN_NS    INT64_C(30000000000)

typedef struct world {
  char                 root[64], cluster[80], journal_dir[80], conninfo[256];
  uint64_t             random;
  md_manifest_t       *manifest;
  uint32_t             epoch;
  md_segment_t         segment;
  md_ring_t           *rings[2][WORLD_FEEDS]; /* by sink, by feed */
  md_ring_producer_t   producer[2][WORLD_FEEDS];
  uint64_t             seq[WORLD_FEEDS], raw_seq;
  uint16_t             stream[WORLD_FEEDS], raw_stream;
  md_journal_config_t  journal_cfg;
  md_postgres_config_t postgres_cfg;
  const md_clock_t    *clock; /* of the PostgreSQL sink, NULL: the system's */
  void                *state[2];
  char                 log[4096]; /* of the sinks, the first lines */
} world_t;

static world_t world;

static inline uint32_t
pick(uint32_t below) {
  world.random = world.random * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(world.random >> 33) % below;
}

/* ---- the cluster ---- */

static inline void
run_command(const char *command, char *out, size_t out_bytes) {
  FILE *pipe = popen(command, "r");
  cr_assert(pipe);
  size_t len = fread(out, 1, out_bytes - 1, pipe);
  out[len]   = 0;
  cr_assert_eq(pclose(pipe), 0, "%s: %s", command, out);
  while (len > 0 && out[len - 1] == '\n')
    out[--len] = 0;
}

static inline void
cluster(const char *verb, const char *option) {
  char command[256], out[256];
  snprintf(command, sizeof command, "tests/e2e/pg_cluster.sh %s %s %s", verb, world.cluster,
           option);
  run_command(command, out, sizeof out);
  if (!strcmp(verb, "start")) snprintf(world.conninfo, sizeof world.conninfo, "%s", out);
}

/* The answer of one statement, columns parted by '|'. Static memory. */
static inline const char *
sql(const char *statement) {
  static char out[4096];
  char        command[2048];
  snprintf(command, sizeof command, "psql -X -At -v ON_ERROR_STOP=1 '%s' 2>&1 <<'EOF'\n%s;\nEOF\n",
           world.conninfo, statement);
  run_command(command, out, sizeof out);
  return out;
}

/* ---- the world ---- */

static inline void
keep_log(void *ctx, const char *level, const char *text) {
  world_t *w   = ctx;
  size_t   len = strlen(w->log);
  snprintf(w->log + len, sizeof w->log - len, "%s %s\n", level, text);
}

/* A test that fails ends on the spot: somebody else must stop its server then. */
static inline void
world_watch(void) {
  char command[400];
  snprintf(command, sizeof command,
           "(while kill -0 %d; do sleep 1; done; tests/e2e/pg_cluster.sh remove %s; rm -rf %s) "
           "</dev/null >/dev/null 2>&1 &",
           (int)getpid(), world.cluster, world.root);
  cr_assert_eq(system(command), 0);
}

static inline bool
world_begin(uint64_t seed) {
  memset(&world, 0, sizeof world);
  (void)signal(SIGPIPE, SIG_IGN); /* as the engine does */
  world.random = seed;
  snprintf(world.root, sizeof world.root, "/tmp/mdpg.XXXXXX");
  cr_assert(mkdtemp(world.root));
  cr_assert_eq(chmod(world.root, 0755), 0);
  snprintf(world.cluster, sizeof world.cluster, "%s/pg", world.root);
  snprintf(world.journal_dir, sizeof world.journal_dir, "%s/journal", world.root);
  world_watch();
  make_dir();
  world.postgres_cfg = (md_postgres_config_t){.conninfo           = world.conninfo,
                                              .schema             = "md",
                                              .record_types       = UINT64_MAX,
                                              .batch_rows         = 200,
                                              .batch_ns           = 2000000,
                                              .connections        = 2,
                                              .partition_days     = 1,
                                              .connect_timeout_ms = 5000};
  return system("ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1") == 0;
}

static inline md_sink_env_t
world_env(unsigned sink) {
  return (md_sink_env_t){.segment     = &world.segment,
                         .rings       = world.rings[sink],
                         .ring_cnt    = WORLD_FEEDS,
                         .metrics     = &world.segment.metrics[WORLD_FEEDS + sink],
                         .thread_row  = WORLD_FEEDS + sink,
                         .clock       = sink && world.clock ? world.clock : md_clock_system(),
                         .journal_dir = world.journal_dir,
                         .cfg         = sink ? (const void *)&world.postgres_cfg
                                             : (const void *)&world.journal_cfg,
                         .log         = keep_log,
                         .log_ctx     = &world};
}

static inline void
make_world_segment(void) {
  static md_segment_feed_t feeds[] = {
      {.name = "alpha", .venue = "v", .keep_raw = true, .tape_bytes = FIXTURE_TAPE_BYTES},
      {.name = "beta", .venue = "v", .tape_bytes = FIXTURE_TAPE_BYTES}};
  static const md_segment_ring_t rings[] = {
      {.feed = 0, .sink = 0, .name = "alpha.journal", .capacity_bytes = 1u << 20},
      {.feed = 1, .sink = 0, .name = "beta.journal", .capacity_bytes = 1u << 20},
      {.feed = 0, .sink = 1, .name = "alpha.postgres", .capacity_bytes = 1u << 17},
      {.feed = 1, .sink = 1, .name = "beta.postgres", .capacity_bytes = 1u << 17}};
  static const md_segment_thread_t threads[] = {
      {.name = "feed:alpha", .kind = MD_THREAD_FEED, .index = 0, .core = -1},
      {.name = "feed:beta", .kind = MD_THREAD_FEED, .index = 1, .core = -1},
      {.name = "writer:journal", .kind = MD_THREAD_WRITER, .index = 0, .core = -1},
      {.name = "writer:postgres", .kind = MD_THREAD_WRITER, .index = 1, .core = -1}};
  md_segment_config_t cfg = fixture_config(world.epoch);
  for (unsigned f = 0; f < WORLD_FEEDS; f++)
    feeds[f].stream = world.stream[f];
  feeds[0].raw_stream = world.raw_stream;
  cfg.feeds           = feeds;
  cfg.feed_cnt        = MD_CNT(feeds);
  cfg.rings           = rings;
  cfg.ring_cnt        = MD_CNT(rings);
  cfg.threads         = threads;
  cfg.thread_cnt      = MD_CNT(threads);
  memcpy(cfg.journal_uuid, md_manifest_uuid(world.manifest), 16);
  start_engine(&cfg, &world.segment);
  for (unsigned i = 0; i < MD_CNT(rings); i++) {
    unsigned sink = rings[i].sink, feed = rings[i].feed;
    world.rings[sink][feed] = md_segment_ring(&world.segment, i);
    md_ring_producer_init(&world.producer[sink][feed], world.rings[sink][feed]);
  }
}

/* Opens the next epoch with fresh rings and both sinks, as a start of the engine does. */
static inline md_err_t
engine_start(md_msg_t *msg) {
  const md_clock_t *clock = md_clock_system();
  md_recovery_t     recovery;
  cr_assert_eq(md_manifest_open(world.journal_dir, true, true, &world.manifest, msg), MD_OK, "%s",
               msg->text);
  world.journal_cfg = (md_journal_config_t){.dir           = world.journal_dir,
                                            .policy        = MD_JOURNAL_BATCH,
                                            .segment_bytes = 64u << 20,
                                            .block_bytes   = 32u << 10,
                                            .manifest      = world.manifest};
  cr_assert_eq(md_journal_recover(&world.journal_cfg, NULL, 0, clock, &recovery, msg), MD_OK, "%s",
               msg->text);
  cr_assert_eq(md_manifest_stream(world.manifest, "alpha", &world.stream[0], msg), MD_OK);
  cr_assert_eq(md_manifest_stream(world.manifest, "alpha.raw", &world.raw_stream, msg), MD_OK);
  cr_assert_eq(md_manifest_stream(world.manifest, "beta", &world.stream[1], msg), MD_OK);
  cr_assert_eq(md_manifest_epoch(world.manifest, md_clock_real_ns(clock), &world.epoch, msg),
               MD_OK);
  make_world_segment();
  memset(world.seq, 0, sizeof world.seq);
  world.raw_seq            = 0;
  world.postgres_cfg.epoch = world.epoch;
  memcpy(world.postgres_cfg.journal_uuid, md_manifest_uuid(world.manifest), 16);
  md_sink_env_t env = world_env(0);
  cr_assert_eq(md_sink_find("journal")->open(&env, &world.state[0], msg), MD_OK, "%s", msg->text);
  env = world_env(1);
  return md_sink_find("postgres")->open(&env, &world.state[1], msg);
}

static inline void
start(void) {
  md_msg_t msg = {""};
  cr_assert_eq(engine_start(&msg), MD_OK, "%s", msg.text);
}

static inline void
turn(unsigned sink, unsigned times, int64_t wait_ns) {
  const md_sink_t *s = md_sink_find(sink ? "postgres" : "journal");
  for (unsigned i = 0; i < times; i++)
    cr_assert_geq(s->turn(world.state[sink], wait_ns), 0, "%s", world.log);
}

/* Away from its database a sink that stops is drained, and has not stored everything. */
static inline bool
is_stored(unsigned sink) {
  for (unsigned f = 0; sink != 0 && f < WORLD_FEEDS; f++) {
    const md_stream_row_t *row = &world.segment.streams[world.segment.feeds[f].stream_row];
    if (md_load_relaxed(&row->stored_seq) < md_load_relaxed(&row->published_seq)) return false;
  }
  return true;
}

static inline void
drain_as(unsigned sink, bool stopping) {
  const md_sink_t *s   = md_sink_find(sink ? "postgres" : "journal");
  const int64_t    end = md_clock_mono_ns(md_clock_system()) + DRAIN_NS;
  while ((!s->drained(world.state[sink], stopping) || !is_stored(sink)) &&
         md_clock_mono_ns(md_clock_system()) < end)
    turn(sink, 1, 1000000);
  cr_assert(is_stored(sink) && s->drained(world.state[sink], stopping),
            "sink %u is not drained: %s", sink, world.log);
  (void)s->drained(world.state[sink], false);
}

/* The journal is told to stop at the end only: it then declares losses that the feed has not
 * declared yet. */
static inline void
drain(unsigned sink) {
  drain_as(sink, sink != 0);
}

/* Ends the engine. The journal is drained; PostgreSQL is left wherever it is. */
static inline void
engine_stop(void) {
  drain_as(0, true);
  md_sink_find("journal")->close(world.state[0]);
  if (world.state[1]) md_sink_find("postgres")->close(world.state[1]);
  world.state[0] = world.state[1] = NULL;
  md_segment_delete(&world.segment);
  md_manifest_close(world.manifest);
}

static inline void
world_end(void) {
  engine_stop();
  cluster("remove", "");
  remove_dir();
  char command[128], out[64];
  snprintf(command, sizeof command, "rm -rf %s", world.root);
  run_command(command, out, sizeof out);
}

/* ---- the feed ---- */

typedef struct any_record {
  md_record_t header;
  uint8_t     body[512];
} any_record_t;

static inline void
make_any(any_record_t *rec, unsigned feed, unsigned type) {
  const md_record_info_t *info = md_record_info(type);
  uint64_t                seq  = world.seq[feed] + 1;
  int64_t                 now  = md_clock_real_ns(md_clock_system());
  memset(rec, 0, sizeof *rec);
  rec->header = (md_record_t){.len        = (uint16_t)(sizeof rec->header + info->body_bytes),
                              .type       = (uint8_t)type,
                              .flags      = MD_FLAG_LAST,
                              .stream     = world.stream[feed],
                              .instrument = feed + 1,
                              .epoch      = world.epoch,
                              .px_exp     = -2,
                              .qty_exp    = -8,
                              .seq        = seq,
                              .exch_seq   = seq + 1000,
                              .ts_exch_ns = MD_NULL_I64,
                              .ts_recv_ns = DAY_2024_NS + (int64_t)seq * 10000000,
                              .ts_pub_ns  = now};
}

/* The group goes into both rings; the journal's first. */
static inline void
put(unsigned feed, const any_record_t *rec) {
  for (unsigned sink = 0; sink < 2; sink++) {
    (void)md_ring_write_group(&world.producer[sink][feed], &rec->header, 1, rec->header.len);
    md_ring_publish(&world.producer[sink][feed]);
  }
  if (rec->header.stream == world.stream[feed]) {
    world.seq[feed] = rec->header.seq;
    md_store_relaxed(&world.segment.streams[world.segment.feeds[feed].stream_row].published_seq,
                     rec->header.seq);
  }
}

static inline void
put_definition(unsigned feed) {
  any_record_t    rec;
  md_definition_t d = make_definition(feed ? "ETHUSDT" : "BTCUSDT", feed ? "ETH-USDT" : "BTC-USDT");
  md_dec128_t     none = MD_DEC128_NULL;
  d.min_notional = d.contract_size = d.strike = none;
  make_any(&rec, feed, MD_RECORD_DEFINITION);
  memcpy(rec.body, &d, sizeof d);
  put(feed, &rec);
}

static inline void
put_trade(unsigned feed) {
  any_record_t rec;
  make_any(&rec, feed, MD_RECORD_TRADE);
  md_trade_t t = {.px          = (int64_t)pick(10000000) + 1,
                  .qty         = (int64_t)pick(1000000000) + 1,
                  .trade_id    = rec.header.seq * 7,
                  .ts_match_ns = rec.header.ts_recv_ns,
                  .side        = (uint8_t)(1 + pick(2))};
  memcpy(rec.body, &t, sizeof t);
  put(feed, &rec);
}

static inline void
put_raw(void) {
  any_record_t rec;
  make_any(&rec, 0, MD_RECORD_RAW);
  md_raw_t raw      = {.kind = MD_RAW_TEXT_IN, .part_len = 16, .total_len = 16};
  rec.header.stream = world.raw_stream;
  rec.header.seq    = ++world.raw_seq;
  rec.header.len    = (uint16_t)(rec.header.len + 16);
  memcpy(rec.body, &raw, sizeof raw);
  put(0, &rec);
}

/* A delta with up to three levels of one side. */
static inline void
put_levels(any_record_t *rec) {
  md_book_delta_t *body = (void *)rec->body;
  body->bid_cnt         = (uint16_t)pick(4);
  for (unsigned i = 0; i < body->bid_cnt; i++) {
    md_level_t level = {6000000 + pick(100000), pick(1000)};
    memcpy(rec->body + sizeof *body + i * sizeof level, &level, sizeof level);
  }
  rec->header.len = (uint16_t)(rec->header.len + body->bid_cnt * sizeof(md_level_t));
}

/* Mostly trades, with types that have a table, that have none, and raw ones between them. */
static inline void
produce(unsigned cnt) {
  for (unsigned i = 0; i < cnt; i++) {
    unsigned     feed = pick(WORLD_FEEDS), what = pick(20);
    any_record_t rec;
    if (world.seq[feed] == 0 || what == 0) {
      put_definition(feed);
    } else if (what == 1) {
      put_raw();
    } else if (what < 5) {
      make_any(&rec, feed, what < 3 ? MD_RECORD_BOOK_DELTA : MD_RECORD_BBO);
      if (what < 3) put_levels(&rec);
      put(feed, &rec);
    } else {
      put_trade(feed);
    }
  }
}

/* ---- the truth ---- */

typedef struct truth {
  uint64_t trade_cnt, bbo_cnt, definition_cnt, trade_id_sum, record_cnt, lost_cnt;
  md_i128  px_sum, qty_sum;
} truth_t;

static inline void
read_truth(truth_t *t) {
  md_journal_reader_t *reader;
  const md_record_t   *rec;
  md_msg_t             msg = {""};
  memset(t, 0, sizeof *t);
  cr_assert_eq(md_journal_reader_open(world.journal_dir, &reader, &msg), MD_OK, "%s", msg.text);
  while (md_journal_reader_next(reader, &rec, NULL, &msg) == MD_OK) {
    if (rec->stream == world.raw_stream || rec->type == MD_RECORD_CHECKPOINT) continue;
    if (rec->type == MD_RECORD_LOSS) {
      md_loss_t loss;
      memcpy(&loss, md_record_body_const(rec), sizeof loss);
      t->lost_cnt += loss.record_cnt;
      continue;
    }
    t->record_cnt++;
    t->bbo_cnt += rec->type == MD_RECORD_BBO;
    t->definition_cnt += rec->type == MD_RECORD_DEFINITION;
    if (rec->type != MD_RECORD_TRADE) continue;
    md_trade_t trade;
    memcpy(&trade, md_record_body_const(rec), sizeof trade);
    t->trade_cnt++;
    t->trade_id_sum += trade.trade_id;
    t->px_sum += trade.px;
    t->qty_sum += trade.qty;
  }
  md_journal_reader_close(reader);
}

/* What the database says, in the words of what the journal says. */
static inline bool
database_equals(const truth_t *t, char *report, size_t report_bytes) {
  char px[64], qty[64], want[512];
  md_decimal_format(t->px_sum, -2, px, sizeof px);
  md_decimal_format(t->qty_sum, -8, qty, sizeof qty);
  snprintf(want, sizeof want, "%llu|%llu|%llu|%s|%s|%llu|%llu|%llu|%llu",
           (unsigned long long)t->trade_cnt, (unsigned long long)t->trade_cnt,
           (unsigned long long)t->trade_id_sum, px, qty, (unsigned long long)t->bbo_cnt,
           (unsigned long long)t->definition_cnt, (unsigned long long)(t->record_cnt + t->lost_cnt),
           (unsigned long long)t->lost_cnt);
  const char *got =
      sql("SELECT count(*), count(DISTINCT (stream, epoch, seq)), coalesce(sum(trade_id), 0), "
          "trim_scale(coalesce(sum(px), 0)), trim_scale(coalesce(sum(qty), 0)), "
          "(SELECT count(*) FROM md.bbo), (SELECT count(*) FROM md.definitions), "
          "(SELECT coalesce(sum(next - 1), 0) FROM md.progress), "
          "(SELECT coalesce(sum(seq_last - seq_first + 1), 0) FROM md.losses) FROM md.trades");
  cr_assert_gt(
      snprintf(report, report_bytes, "database %s, journal %s, log:\n%s", got, want, world.log), 0);
  return !strcmp(got, want);
}

static inline void
expect_equal(void) {
  truth_t truth;
  char    report[8192];
  read_truth(&truth);
  cr_assert(database_equals(&truth, report, sizeof report), "%s", report);
}

/* Random production and turns with `kills` connections cut, `restarts` of the server and of the
 * engine. */
static inline void
storm(unsigned rounds) {
  for (unsigned i = 0; i < rounds; i++) {
    produce(pick(120));
    turn(0, 1 + pick(4), 0);
    turn(1, 1 + pick(30), pick(3) ? 0 : 300000);
    if (pick(40) == 0)
      (void)sql(
          "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = "
          "'mdengine'");
    if (pick(160) == 0) {
      cluster("stop", "immediate");
      produce(pick(400));
      turn(0, 8, 0);
      turn(1, 8, 100000);
      cluster("start", "");
    }
    if (pick(90) == 0) {
      engine_stop();
      start();
    }
    if (pick(50) == 0) { /* more than the ring of the PostgreSQL sink holds */
      for (unsigned k = 0; k < 20; k++) {
        produce(80);
        turn(0, 6, 100000);
      }
    }
  }
}

#endif
