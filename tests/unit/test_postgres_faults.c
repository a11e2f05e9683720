/* The PostgreSQL sink when the database hangs, or is away at a stop. */
#include "tests/unit/postgres_fixture.h"
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

/* All backends of the sink, parted by blanks. */
typedef struct backends {
  char pids[100];
} backends_t;

static backends_t
backends(void) {
  backends_t b;
  snprintf(b.pids, sizeof b.pids, "%.99s",
           sql("SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE application_name = "
               "'mdengine'"));
  return b;
}

static void
send_signal(const char *name, backends_t b) {
  char command[128], out[64];
  snprintf(command, sizeof command, "kill -%s %s", name, b.pids);
  run_command(command, out, sizeof out);
}

/* The tables are made without a limit: that may take its time on a busy machine. */
static void
start_with_timeout(void) {
  cluster("start", "");
  start();
  engine_stop();
  world.postgres_cfg.timeout_ms = 1500;
  start();
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
  start_with_timeout();
  produce(400);
  drain(0);
  drain(1);
  const backends_t pid = backends();
  send_signal("STOP", pid);
  produce(400);
  drain(0);
  turn_until_said("the server was silent");
  drain(1);
  send_signal("CONT", pid);
  produce(400);
  drain(0);
  drain(1);
  expect_equal();
  world_end();
}

Test(postgres_faults, a_stop_does_not_wait_for_a_backend_that_hangs, .timeout = 60) {
  BEGIN(9);
  world.postgres_cfg.connect_timeout_ms = 1500;
  cluster("start", "");
  start();
  produce(400);
  drain(0);
  drain(1);
  const backends_t pid = backends();
  send_signal("STOP", pid);
  produce(400);
  drain(0);
  const md_sink_t *s = md_sink_find("postgres");
  for (unsigned i = 0; i < TURNS_MAX && !s->drained(world.state[1], true); i++)
    turn(1, 1, 1000000);
  cr_assert(strstr(world.log, "stopped without"), "%s", world.log);
  send_signal("CONT", pid);
  engine_stop();
  world.postgres_cfg.connect_timeout_ms = 5000;
  start();
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
  const backends_t pid = backends();
  send_signal("STOP", pid);
  for (unsigned i = 0; i < 10; i++) { /* more than the sink reads in one turn */
    produce(300);
    drain(0);
  }
  turn(1, 50, 1000000);
  send_signal("CONT", pid);
  drain(1);
  expect_equal();
  world_end();
}

Test(postgres_faults, a_lock_held_longer_than_the_timeout_leaves_no_session_behind, .timeout = 60) {
  BEGIN(4);
  start_with_timeout();
  produce(400);
  drain(0);
  drain(1);
  char command[512], out[64];
  snprintf(command, sizeof command,
           "psql -X -q '%s' -c 'BEGIN; LOCK TABLE md.trades; SELECT pg_sleep(5)' >/dev/null 2>&1 & "
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
                (long)world.postgres_cfg.connections);
  expect_equal();
  world_end();
}
