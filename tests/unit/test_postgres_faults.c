/* The PostgreSQL sink when the database hangs, is away at a stop, is changed or is written by
 * another engine. */
#include "tests/unit/postgres_fixture.h"
#include "writers/pg_lag.h"
#include "writers/postgres.h"

#define BEGIN(seed)                                                                                \
  do {                                                                                             \
    if (!world_begin(seed)) cr_skip_test("PostgreSQL's server programs are not installed");        \
  } while (0)

#define TURNS_MAX 30000u

/* Turns the sink until its log has the text. */
static void
turn_until_said(const char *text) {
  for (unsigned i = 0; i < TURNS_MAX && !strstr(world.log, text); i++)
    turn(1, 1, 1000000);
  cr_assert(strstr(world.log, text), "%s is missing in: %s", text, world.log);
}

Test(postgres_faults, a_stop_without_a_database_ends_at_once_and_the_next_start_stores_the_rest,
     .timeout = 60) {
  BEGIN(1);
  snprintf(world.conninfo, sizeof world.conninfo, "host=%s dbname=postgres user=mdengine",
           world.cluster);
  world.postgres_cfg.wait_at_start = true;
  start();
  produce(400);
  drain(0);
  const md_sink_t *s = md_sink_find("postgres");
  turn(1, 3, 0);
  cr_assert(s->drained(world.state[1], true), "%s", world.log);
  cr_assert(strstr(world.log, "stopped without"), "%s", world.log);
  engine_stop();
  cluster("start", "");
  start();
  drain(1);
  expect_equal();
  world_end();
}

Test(postgres_faults, a_stop_during_an_outage_does_not_wait_for_its_end, .timeout = 60) {
  BEGIN(2);
  cluster("start", "");
  start();
  produce(400);
  drain(0);
  drain(1);
  cluster("stop", "immediate");
  produce(400);
  drain(0);
  turn_until_said("is not available");
  const md_sink_t *s = md_sink_find("postgres");
  for (unsigned i = 0; i < 3; i++)
    turn(1, 1, 0);
  for (unsigned i = 0; i < TURNS_MAX && !s->drained(world.state[1], true); i++)
    turn(1, 1, 1000000);
  cr_assert(strstr(world.log, "stopped without"), "%s", world.log);
  engine_stop();
  cluster("start", "");
  start();
  drain(1);
  expect_equal();
  world_end();
}

Test(postgres_faults, a_backend_that_hangs_is_given_up, .timeout = 60) {
  BEGIN(3);
  world.postgres_cfg.timeout_ms = 300;
  cluster("start", "");
  start();
  produce(400);
  drain(0);
  drain(1);
  char pid[32], command[96], out[64];
  snprintf(pid, sizeof pid, "%s",
           sql("SELECT max(pid) FROM pg_stat_activity WHERE application_name = 'mdengine'"));
  snprintf(command, sizeof command, "kill -STOP %s", pid);
  run_command(command, out, sizeof out);
  produce(400);
  drain(0);
  turn_until_said("the server was silent");
  drain(1);
  snprintf(command, sizeof command, "kill -CONT %s", pid);
  run_command(command, out, sizeof out);
  produce(400);
  drain(0);
  drain(1);
  expect_equal();
  world_end();
}

/* The engine ended by an assertion when its rings were joined before the answer on DEFAULT
 * partitions was there. */
Test(postgres_faults, one_question_is_asked_at_a_time, .timeout = 60) {
  BEGIN(8);
  world.postgres_cfg.batch_rows = 10000; /* the journal is read to its end by one batch */
  world.postgres_cfg.batch_ns   = 60000000000;
  cluster("start", "");
  start();
  char pid[32], command[96], out[64];
  snprintf(pid, sizeof pid, "%s",
           sql("SELECT max(pid) FROM pg_stat_activity WHERE application_name = 'mdengine'"));
  snprintf(command, sizeof command, "kill -STOP %s", pid);
  run_command(command, out, sizeof out);
  for (unsigned i = 0; i < 10; i++) { /* more than the sink reads in one turn */
    produce(300);
    drain(0);
  }
  turn(1, 50, 1000000);
  snprintf(command, sizeof command, "kill -CONT %s", pid);
  run_command(command, out, sizeof out);
  drain(1);
  expect_equal();
  world_end();
}

Test(postgres_faults, a_lock_held_longer_than_the_timeout_leaves_no_session_behind, .timeout = 60) {
  BEGIN(4);
  world.postgres_cfg.timeout_ms = 300;
  cluster("start", "");
  start();
  produce(400);
  drain(0);
  drain(1);
  char command[512], out[64];
  snprintf(command, sizeof command,
           "psql -X -q '%s' -c 'BEGIN; LOCK TABLE md.trades; SELECT pg_sleep(3)' >/dev/null 2>&1 & "
           "sleep 0.5",
           world.conninfo);
  run_command(command, out, sizeof out);
  produce(400);
  drain(0);
  turn_until_said("timeout");
  drain(1);
  cr_assert_leq(strtol(sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = "
                           "'mdengine'"),
                       NULL, 10),
                1);
  expect_equal();
  world_end();
}

Test(postgres_faults, a_table_changed_under_a_running_engine_is_named_by_column, .timeout = 60) {
  BEGIN(5);
  cluster("start", "");
  start();
  produce(400);
  drain(0);
  drain(1);
  (void)sql("ALTER TABLE md.trades RENAME px TO px_was");
  produce(400);
  drain(0);
  turn_until_said("column px is missing, expected numeric");
  (void)sql("ALTER TABLE md.trades ADD px text");
  turn_until_said("column px is text, expected numeric");
  (void)sql("ALTER TABLE md.trades DROP px; ALTER TABLE md.trades RENAME px_was TO px");
  drain(1);
  expect_equal();
  world_end();
}

Test(postgres_faults, a_later_epoch_of_a_copied_journal_fences_a_running_engine, .timeout = 60) {
  BEGIN(6);
  cluster("start", "");
  start();
  produce(400);
  drain(0);
  drain(1);
  char before[64];
  snprintf(before, sizeof before, "%s", sql("SELECT count(*) FROM md.trades"));
  (void)sql("INSERT INTO md.epochs VALUES (1, 7, 12345)");
  produce(400);
  drain(0);
  turn_until_said("from another engine");
  cr_assert_str_eq(sql("SELECT count(*) FROM md.trades"), before);
  (void)sql("DELETE FROM md.epochs WHERE epoch = 7");
  drain(1);
  expect_equal();
  world_end();
}

Test(postgres_faults, an_epoch_that_a_copy_of_the_journal_wrote_is_refused_at_start,
     .timeout = 60) {
  BEGIN(7);
  cluster("start", "");
  start();
  produce(400);
  drain(0);
  drain(1);
  engine_stop();
  (void)sql("INSERT INTO md.epochs VALUES (1, 2, 12345)");
  md_msg_t msg = {""};
  cr_assert_eq(engine_start(&msg), MD_ERR_DB);
  cr_assert(strstr(msg.text, "epoch 2"), "%s", msg.text);
  cr_assert(strstr(msg.text, "copy"), "%s", msg.text);
  engine_stop();
  /* The one after it belongs to nobody, but the journal is another one since then; and who is
   * refused claims nothing, which would fence the other. */
  cr_assert_eq(engine_start(&msg), MD_ERR_DB);
  cr_assert_str_eq(sql("SELECT string_agg(epoch::text, ' ' ORDER BY epoch) FROM md.epochs"), "1 2");
  world_end();
}

/* ---- lag ---- */

Test(postgres_faults, lag_and_time_to_go_follow_the_catch_up) {
  static md_metrics_t m;
  md_pg_lag_t         l;
  const int64_t       s = 1000000000;
  md_pg_lag_begin(&l, 0, 1000 * s);
  md_pg_lag_tell(&l, &m, 5000, false, 100 * s, 1100 * s);
  cr_assert_eq(m.counter[MD_COUNTER_SINK_LAG], 5000);
  cr_assert_eq(m.counter[MD_COUNTER_SINK_LAG_SECONDS], 100);
  cr_assert_eq(m.counter[MD_COUNTER_SINK_CATCHUP_ETA], MD_PG_ETA_NEVER);
  md_pg_lag_stored(&l, 4000, 1022 * s);
  md_pg_lag_tell(&l, &m, 1000, false, 102 * s, 1102 * s); /* 80 s behind, 20 s nearer in 2 s */
  cr_assert_eq(m.counter[MD_COUNTER_SINK_LAG_SECONDS], 80);
  cr_assert_eq(m.counter[MD_COUNTER_SINK_CATCHUP_RATE], 2000);
  cr_assert(m.counter[MD_COUNTER_SINK_CATCHUP_ETA] >= 7);
  cr_assert(m.counter[MD_COUNTER_SINK_CATCHUP_ETA] <= 8);
  md_pg_lag_stored(&l, 1000, 1103 * s);
  md_pg_lag_tell(&l, &m, 0, true, 104 * s, 1104 * s);
  cr_assert_eq(m.counter[MD_COUNTER_SINK_LAG], 0);
  cr_assert_eq(m.counter[MD_COUNTER_SINK_LAG_SECONDS], 0);
  cr_assert_eq(m.counter[MD_COUNTER_SINK_CATCHUP_RATE], 0);
  cr_assert_eq(m.counter[MD_COUNTER_SINK_CATCHUP_ETA], 0);
}
