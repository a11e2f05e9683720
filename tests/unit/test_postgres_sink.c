/* The PostgreSQL sink against a real server: rows are exactly those of the journal, whatever is
 * cut. */
#include "tests/unit/postgres_fixture.h"
#include "writers/postgres.h"

#define BEGIN(seed)                                                                                \
  do {                                                                                             \
    if (!world_begin(seed)) cr_skip_test("PostgreSQL's server programs are not installed");        \
  } while (0)

Test(postgres_sink, stores_exactly_the_rows_of_the_journal) {
  BEGIN(1);
  cluster("start", "");
  start();
  produce(5000);
  drain(0);
  drain(1);
  expect_equal();
  cr_assert_str_eq(sql("SELECT count(*) FROM md.trades_default"), "0");
  cr_assert_str_eq(sql("SELECT string_agg(DISTINCT tableoid::regclass::text, ' ') FROM md.trades"),
                   "md.trades_20240501 md.trades_20240502");
  cr_assert_str_eq(sql("SELECT string_agg(feed || ' ' || symbol || ' ' || normalised || ' ' || "
                       "tick_size, ',' ORDER BY id) FROM md.instruments"),
                   "alpha BTCUSDT BTC-USDT 0.01,beta ETHUSDT ETH-USDT 0.01");
  cr_assert_str_eq(
      sql("SELECT count(*) - (SELECT count(*) FROM md.trades) FROM md.v_trades WHERE feed "
          "IS NOT NULL AND symbol LIKE '%USDT'"),
      "0");
  cr_assert_str_eq(
      sql("SELECT recv_ts = 'epoch'::timestamptz + ts_recv_ns / 1000 * interval '1 us' "
          "FROM md.trades GROUP BY 1"),
      "t");
  world_end();
}

Test(postgres_sink, stays_exact_when_connections_servers_and_engines_are_cut, .timeout = 110) {
  BEGIN(20260101);
  cluster("start", "");
  start();
  storm(700);
  drain(0);
  drain(1);
  expect_equal();
  world_end();
}

Test(postgres_sink, stays_exact_over_one_connection_and_over_four, .timeout = 110) {
  BEGIN(20260102);
  world.postgres_cfg.connections = 1;
  cluster("start", "");
  start();
  storm(80);
  engine_stop();
  world.postgres_cfg.connections = 4;
  world.postgres_cfg.batch_rows  = 40;
  start();
  storm(120);
  drain(0);
  drain(1);
  expect_equal();
  world_end();
}

/* The first connection may be all that the server has room for, and a second one may go away. */
Test(postgres_sink, goes_on_over_one_connection_where_there_is_no_second) {
  BEGIN(11);
  cluster("start", "");
  (void)sql("CREATE ROLE narrow LOGIN SUPERUSER CONNECTION LIMIT 1");
  (void)sql("ALTER ROLE narrow NOSUPERUSER; GRANT CREATE ON DATABASE postgres TO narrow");
  char *user = strstr(world.conninfo, "user=mdengine");
  cr_assert(user);
  char all[sizeof world.conninfo];
  snprintf(all, sizeof all, "%s", world.conninfo);
  snprintf(user, 16, "user=narrow");
  start();
  snprintf(world.conninfo, sizeof world.conninfo, "%s", all); /* of the test's own questions */
  for (unsigned i = 0; i < 20; i++) {
    produce(300);
    drain(0);
    turn(1, 20, 100000);
  }
  drain(1);
  expect_equal();
  world_end();
}

/* Batch after batch is sent while the one before it is not committed yet. */
Test(postgres_sink, commits_in_order_over_several_connections) {
  BEGIN(12);
  world.postgres_cfg.connections = 3;
  world.postgres_cfg.batch_rows  = 20;
  cluster("start", "");
  start();
  (void)sql(
      "CREATE TABLE md.seen (stream int, next bigint, n serial); CREATE FUNCTION md.see() "
      "RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO md.seen (stream, next) VALUES "
      "(NEW.stream, NEW.next); RETURN NEW; END $$; CREATE TRIGGER see AFTER UPDATE ON "
      "md.progress FOR EACH ROW EXECUTE FUNCTION md.see()");
  for (unsigned i = 0; i < 40; i++) {
    produce(300);
    drain(0);
    turn(1, 20, 100000);
  }
  drain(1);
  expect_equal();
  cr_assert_str_eq(sql("SELECT count(*) FROM (SELECT next < lag(next) OVER (PARTITION BY stream "
                       "ORDER BY n) AS is_back FROM md.seen) q WHERE is_back"),
                   "0");
  cr_assert_str_eq(sql("SELECT count(*) > 100 FROM md.seen"), "t");
  world_end();
}

/* Retention deletes segments that are stored; where commits are asynchronous by default, a crash of
 * the server could have taken such rows back. */
Test(postgres_sink, commits_are_synchronous_even_where_the_default_is_not) {
  BEGIN(7);
  cluster("start", "");
  (void)sql("ALTER DATABASE postgres SET synchronous_commit = off");
  start();
  (void)sql("CREATE FUNCTION md.want_sync() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF "
            "current_setting('synchronous_commit') <> 'on' THEN RAISE 'asynchronous'; END IF; "
            "RETURN NEW; END $$; CREATE TRIGGER want_sync BEFORE UPDATE ON md.progress FOR EACH "
            "ROW EXECUTE FUNCTION md.want_sync()");
  produce(500);
  drain(0);
  drain(1);
  expect_equal();
  world_end();
}

Test(postgres_sink, two_writers_of_one_journal_store_each_row_once) {
  BEGIN(3);
  cluster("start", "");
  start();
  const md_sink_t *s = md_sink_find("postgres");
  for (unsigned i = 0; i < 12; i++) {
    md_msg_t      msg   = {""};
    void         *other = NULL;
    md_sink_env_t env   = world_env(1);
    env.ring_cnt        = 0;
    produce(600);
    turn(0, 6, 100000);
    cr_assert_eq(s->open(&env, &other, &msg), MD_OK, "%s", msg.text);
    for (unsigned k = 0; k < 60; k++) {
      turn(1, 1, 100000);
      cr_assert_geq(s->turn(other, 100000), 0);
    }
    s->close(other);
  }
  drain(0);
  drain(1);
  expect_equal();
  world_end();
}

Test(postgres_sink, a_loss_of_the_journal_is_jumped_over_and_declared) {
  BEGIN(4);
  cluster("start", "");
  start();
  produce(500);
  turn(0, 20, 100000);
  produce(40000); /* more than the journal's ring holds */
  drain(0);
  produce(500);
  drain(0);
  drain(1);
  expect_equal();
  cr_assert_str_eq(sql("SELECT count(*) > 0 FROM md.losses"), "t");
  world_end();
}

Test(postgres_sink, defect_9_a_row_that_the_server_refuses_is_put_aside) {
  BEGIN(5);
  cluster("start", "");
  start();
  produce(900);
  drain(0);
  drain(1);
  uint64_t bad = world.seq[0] + 200;
  char     statement[160];
  snprintf(statement, sizeof statement,
           "ALTER TABLE md.trades ADD CHECK (seq <> %llu OR stream <> %u)", (unsigned long long)bad,
           world.stream[0]);
  (void)sql(statement);
  for (unsigned i = 0; i < 500; i++)
    put_trade(0);
  any_record_t    rec;
  md_definition_t d = make_definition("\xff\xfe", "broken");
  make_any(&rec, 0, MD_RECORD_DEFINITION);
  memcpy(rec.body, &d, sizeof d);
  put(0, &rec);
  produce(300);
  drain(0);
  drain(1);
  truth_t truth;
  read_truth(&truth);
  char want[128];
  snprintf(want, sizeof want, "%llu|%llu|%llu", (unsigned long long)truth.trade_cnt - 1,
           (unsigned long long)truth.definition_cnt - 1, (unsigned long long)truth.record_cnt);
  cr_assert_str_eq(
      sql("SELECT count(*), (SELECT count(*) FROM md.definitions), (SELECT sum(next - 1) FROM "
          "md.progress) FROM md.trades"),
      want, "%s", world.log);
  snprintf(want, sizeof want, "%llu,%llu", (unsigned long long)bad,
           (unsigned long long)rec.header.seq);
  cr_assert_str_eq(sql("SELECT string_agg(seq::text, ',' ORDER BY seq) FROM md.rejects"), want);
  cr_assert_str_eq(sql("SELECT min(length(record)) > 64 FROM md.rejects"), "t");
  world_end();
}

Test(postgres_sink, a_loss_that_no_later_record_declares_is_found) {
  BEGIN(10);
  cluster("start", "");
  start();
  produce(300);
  drain(0);
  drain(1);
  for (unsigned i = 0; i < 12;
       i++) { /* the sink has no turn: its rings overflow, the journal's do not */
    produce(400);
    drain(0);
  }
  drain(1);
  expect_equal();
  world_end();
}

Test(postgres_sink, only_the_chosen_types_are_stored) {
  BEGIN(6);
  world.postgres_cfg.record_types = 1u << MD_RECORD_BBO;
  cluster("start", "");
  start();
  produce(2000);
  drain(0);
  drain(1);
  truth_t truth;
  read_truth(&truth);
  char want[128];
  snprintf(want, sizeof want, "0|%llu|%llu", (unsigned long long)truth.bbo_cnt,
           (unsigned long long)truth.record_cnt);
  cr_assert_str_eq(sql("SELECT (SELECT count(*) FROM md.trades), (SELECT count(*) FROM md.bbo), "
                       "(SELECT sum(next - 1) FROM md.progress)"),
                   want);
  world_end();
}

Test(postgres_sink, never_stores_what_is_not_durable) {
  BEGIN(7);
  cluster("start", "");
  start();
  produce(300);
  turn(1, 300, 200000); /* the journal has not had a turn */
  cr_assert_str_eq(sql("SELECT count(*) FROM md.trades"), "0");
  drain(0);
  drain(1);
  expect_equal();
  world_end();
}

Test(postgres_sink, no_server_at_start_is_an_error_that_names_it) {
  BEGIN(8);
  md_msg_t msg = {""};
  snprintf(world.conninfo, sizeof world.conninfo, "host=%s dbname=nowhere user=mdengine",
           world.cluster);
  cr_assert_eq(engine_start(&msg), MD_ERR_DB);
  cr_assert(strstr(msg.text, "nowhere"), "%s", msg.text);
  cr_assert(strstr(msg.text, world.cluster), "%s", msg.text);
  cr_assert(strstr(msg.text, "wait_at_start"), "%s", msg.text);
  engine_stop();
  world.postgres_cfg.wait_at_start = true;
  snprintf(world.conninfo, sizeof world.conninfo, "host=%s dbname=postgres user=mdengine",
           world.cluster);
  start();
  produce(3000);
  turn(0, 50, 100000);
  turn(1, 50, 100000);
  cluster("start", "");
  drain(0);
  drain(1);
  expect_equal();
  world_end();
}

static void
expect_drift(const char *change, const char *table, const char *column, const char *expected,
             const char *found) {
  md_msg_t msg = {""};
  engine_stop();
  (void)sql(change);
  cr_assert_eq(engine_start(&msg), MD_ERR_DB, "%s", change);
  cr_assert(strstr(msg.text, table), "%s", msg.text);
  cr_assert(strstr(msg.text, column), "%s", msg.text);
  cr_assert(strstr(msg.text, expected), "%s", msg.text);
  cr_assert(strstr(msg.text, found), "%s", msg.text);
}

Test(postgres_sink, tables_that_differ_are_refused_by_column) {
  BEGIN(9);
  cluster("start", "");
  start();
  expect_drift("DROP VIEW md.v_trades; ALTER TABLE md.trades ALTER px TYPE numeric(20,4)",
               "md.trades", "column px", "expected numeric", "numeric(20,4)");
  expect_drift(
      "ALTER TABLE md.trades ALTER px TYPE numeric; ALTER TABLE md.bbo DROP ask_px CASCADE",
      "md.bbo", "column ask_px", "expected numeric", "missing");
  expect_drift(
      "ALTER TABLE md.bbo ADD ask_px numeric; ALTER TABLE md.klines ADD extra int NOT NULL",
      "md.klines", "column extra", "not expected", "integer");
  engine_stop();
  (void)sql("ALTER TABLE md.klines ALTER extra SET DEFAULT 1");
  start();
  produce(100);
  drain(0);
  drain(1);
  expect_equal();
  world_end();
}

/* ---- days, with a clock of the test's ---- */

#define DAY_NS INT64_C(86400000000000)

static md_clock_manual_t manual;
static md_clock_t        manual_clock;

static void
use_manual_clock(void) {
  manual       = (md_clock_manual_t){.real_ns = DAY_2024_NS, .mono_ns = 1000000000};
  manual_clock = md_clock_manual(&manual);
  world.clock  = &manual_clock;
}

static const char *
days_of_trades(void) {
  return sql(
      "SELECT string_agg(right(relname, 4), ' ' ORDER BY relname) FROM pg_class WHERE relname "
      "~ '^trades_[0-9]+$'");
}

Test(postgres_sink, partitions_are_made_ahead_when_the_day_changes) {
  BEGIN(11);
  use_manual_clock();
  cluster("start", "");
  start();
  produce(50);
  drain(0);
  drain(1);
  cr_assert_str_eq(days_of_trades(), "0501 0502");
  manual.real_ns += DAY_NS;
  produce(50); /* still of the first day: the next one is made before anybody needs it */
  drain(0);
  drain(1);
  cr_assert_str_eq(days_of_trades(), "0501 0502 0503");
  expect_equal();
  world_end();
}

Test(postgres_sink, rows_without_a_day_are_counted_and_said_once) {
  BEGIN(12);
  use_manual_clock();
  cluster("start", "");
  start();
  produce(50);
  drain(0);
  drain(1);
  const md_metrics_t *m = &world.segment.metrics[WORLD_FEEDS + 1];
  cr_assert_eq(md_load_relaxed(&m->counter[MD_COUNTER_SINK_DEFAULT_ROWS]), 0);
  any_record_t rec;
  make_any(&rec, 0, MD_RECORD_TRADE);
  rec.header.ts_recv_ns = -DAY_NS; /* a clock that was never set */
  put(0, &rec);
  drain(0);
  drain(1);
  cr_assert_str_eq(sql("SELECT count(*) FROM md.trades_default"), "1");
  for (unsigned i = 0; i < 3; i++) {
    manual.mono_ns += 61000000000;
    turn(1, 1, 0);
    drain(1);
  }
  cr_assert_eq(md_load_relaxed(&m->counter[MD_COUNTER_SINK_DEFAULT_ROWS]), 1);
  const char *said = strstr(world.log, "DEFAULT partition of md.trades");
  cr_assert(said, "%s", world.log);
  cr_assert_null(strstr(said + 1, "DEFAULT partition of md.trades"), "once: %s", world.log);
  expect_equal();
  world_end();
}
