/* The PostgreSQL sink when its tables are changed or written by another engine, and the figures of
 * its lag. */
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

Test(postgres_fence, a_table_changed_under_a_running_engine_is_named_by_column, .timeout = 60) {
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

Test(postgres_fence, a_later_epoch_of_a_copied_journal_fences_a_running_engine, .timeout = 60) {
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

Test(postgres_fence, an_epoch_that_a_copy_of_the_journal_wrote_is_refused_at_start, .timeout = 60) {
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

Test(postgres_fence, lag_and_time_to_go_follow_the_catch_up) {
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
