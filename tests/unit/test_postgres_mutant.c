/* The negative control of test_postgres_sink: the same storm over a sink that leaves the progress
 * update out of its transactions. The comparison with the journal must notice. */
#define MD_BREAK_PG_PROGRESS 1
#include "writers/pg_send.c" // NOLINT: the broken variant takes the place of the library's file

#include "tests/unit/postgres_fixture.h"

Test(postgres_mutant, rows_without_their_progress_are_found, .timeout = 110) {
  if (!world_begin(20260101)) cr_skip_test("PostgreSQL's server programs are not installed");
  truth_t truth;
  char    report[8192];
  cluster("start", "");
  start();
  storm(120);
  drain(0);
  drain(1);
  read_truth(&truth);
  cr_assert_not(database_equals(&truth, report, sizeof report), "%s", report);
  world_end();
}
