/* The budget of an engine: each is the sum of its parts, which are there only where the
 * configuration has them, and which follow it. */
#include "engine/budget.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static md_config_t   cfg;
static md_topology_t topology;
static md_budget_t   budget;
static char          line[MD_BUDGET_LINE_BYTES];

static void
setup(void) {
  memset(&cfg, 0, sizeof cfg);
  md_config_defaults(md_config_section_at(0), &cfg.engine);
  md_config_defaults(md_config_section_at(1), &cfg.feed[0]);
  (void)snprintf(cfg.feed[0].name, sizeof cfg.feed[0].name, "binance_spot");
  (void)snprintf(cfg.feed[0].symbols, sizeof cfg.feed[0].symbols, "all");
  cfg.feed_cnt           = 1;
  cfg.monitoring.enabled = 1;
}

static void
make(void) {
  md_msg_t msg;
  cr_assert_eq(md_topology_make(&cfg, NULL, &topology, &msg), MD_OK, "%s", msg.text);
  md_budget_make(&cfg, &topology, &budget);
}

/* The sum of the parts that the line names. */
static double
parts_of(md_budget_kind_t kind) {
  double sum = 0;
  md_budget_line(&cfg, &topology, kind, line);
  const char *p = strchr(line, ':');
  cr_assert(p, "%s", line);
  for (; p; p = strchr(p + 1, ',')) {
    const char *end = strchr(p + 1, ',');
    if (!end) end = line + strlen(line);
    while (end[-1] != ' ')
      end--;
    sum += strtod(end, NULL);
  }
  return sum;
}

TestSuite(budget, .init = setup);

Test(budget, each_is_the_sum_of_the_parts_that_are_told) {
  make();
  cr_expect_float_eq(parts_of(MD_BUDGET_MEMORY), (double)budget.value[MD_BUDGET_MEMORY] / 1048576.0,
                     0.5, "%s", line);
  cr_expect_float_eq(parts_of(MD_BUDGET_FDS), (double)budget.value[MD_BUDGET_FDS], 0.1, "%s", line);
  cr_expect_float_eq(parts_of(MD_BUDGET_THREADS), (double)budget.value[MD_BUDGET_THREADS], 0.1,
                     "%s", line);
}

Test(budget, follows_the_configuration) {
  make();
  md_budget_t before      = budget;
  cfg.postgres.enabled    = 1;
  cfg.postgres.batch_rows = 10000;
  cfg.feed[0].memory_soft = cfg.feed[0].memory_soft + (1 << 20);
  cfg.engine.instruments  = 10 * cfg.engine.instruments;
  make();
  for (unsigned kind = 0; kind < MD_BUDGET_CNT; kind++)
    cr_expect_gt(budget.value[kind], before.value[kind], "%u", kind);
  (void)parts_of(MD_BUDGET_MEMORY);
  cr_expect(strstr(line, "PostgreSQL"), "%s", line);
  cfg.monitoring.enabled = 0;
  make();
  (void)parts_of(MD_BUDGET_FDS);
  cr_expect_null(strstr(line, "HTTP"), "%s", line);
}

Test(budget, a_feed_without_limits_counts_with_what_it_may_reserve) {
  cfg.feed[0].memory_soft = 0;
  cfg.feed[0].memory_hard = 7ll << 30;
  make();
  cr_expect_gt(budget.value[MD_BUDGET_MEMORY], 7ull << 30);
  cfg.feed[0].memory_hard = 0;
  make();
  cr_expect_lt(budget.value[MD_BUDGET_MEMORY], 7ull << 30);
  cr_expect_gt(budget.value[MD_BUDGET_MEMORY],
               (uint64_t)cfg.feed[0].level_space + (uint64_t)cfg.feed[0].sync_buffer);
}
