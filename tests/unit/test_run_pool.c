/* Memory in runs: sizes, what a split leaves, and that no two runs share a byte. */
#include "feeds/run_pool.h"

#include <criterion/criterion.h>
#include <string.h>

static md_run_pool_t pool;

static void
setup(void) {
  cr_assert(md_run_pool_init(&pool, 1));
}

static void
teardown(void) {
  md_run_pool_fini(&pool);
}

TestSuite(run_pool, .init = setup, .fini = teardown);

Test(run_pool, a_run_is_the_smallest_that_holds_what_was_asked_for) {
  static const struct {
    uint64_t want, have;
  } cases[] = {{1, 256},
               {256, 256},
               {257, 512},
               {512, 512},
               {513, 768},
               {768, 768},
               {769, 1024},
               {1024, 1024},
               {1025, 2048},
               {2049, 4096},
               {(1 << 24) - 1, 1 << 24}};
  for (size_t n = 0; n < MD_CNT(cases); n++)
    cr_assert_eq(md_run_bytes(md_run_order(cases[n].want)), cases[n].have);
  cr_assert_gt(md_run_order((1 << 24) + 1), MD_RUN_ORDER_MAX);
}

/* The whole range as one run, given back and split: all that comes then is a part of it. */
Test(run_pool, what_a_split_leaves_is_handed_out_whole) {
  static const uint32_t orders[] = {7, 8, 9, 10, 12, 9, 8, 7, 7, 10};
  enum { RUN_CNT = 200 };
  void          *run[RUN_CNT];
  const uint64_t all = md_run_bytes(MD_RUN_ORDER_MAX);
  for (uint32_t part = MD_RUN_ORDER_MIN; part < MD_RUN_ORDER_TWO; part++) {
    void *whole = md_run_pool_take(&pool, MD_RUN_ORDER_MAX);
    cr_assert_not_null(whole);
    cr_assert_null(md_run_pool_take(&pool, part), "the range is used up");
    md_run_pool_give(&pool, whole, MD_RUN_ORDER_MAX);
    uint64_t bytes = 0;
    for (uint32_t n = 0; n < RUN_CNT; n++) {
      const uint32_t order = orders[(n + part) % MD_CNT(orders)];
      run[n]               = md_run_pool_take(&pool, order);
      cr_assert_not_null(run[n]);
      cr_assert_eq((uintptr_t)run[n] % MD_RUN_BYTES_MIN, 0);
      cr_assert_leq((uint64_t)((uint8_t *)run[n] - pool.base) + md_run_bytes(order), all);
      memset(run[n], (int)n, md_run_bytes(order));
      bytes += md_run_bytes(order);
    }
    cr_assert_eq(pool.taken, bytes);
    for (uint32_t n = 0; n < RUN_CNT; n++) {
      const uint32_t order = orders[(n + part) % MD_CNT(orders)];
      for (uint64_t at = 0; at < md_run_bytes(order); at++)
        cr_assert_eq(((uint8_t *)run[n])[at], (uint8_t)n, "another run wrote here");
      md_run_pool_give(&pool, run[n], order);
    }
    cr_assert_eq(pool.taken, 0);
    md_run_pool_trim(&pool);
    cr_assert_eq(pool.used, 0);
  }
}

/* To the last byte: halves and quarters of KiB that were left over serve those who want less. */
Test(run_pool, small_runs_use_up_all_of_a_large_one) {
  const uint32_t kib   = 1u << (MD_RUN_ORDER_MAX - MD_RUN_ORDER_TWO);
  void          *whole = md_run_pool_take(&pool, MD_RUN_ORDER_MAX);
  md_run_pool_give(&pool, whole, MD_RUN_ORDER_MAX);
  for (uint32_t n = 0; n < kib; n++)
    cr_assert_not_null(md_run_pool_take(&pool, 9));
  for (uint32_t n = 0; n < kib; n++)
    cr_assert_not_null(md_run_pool_take(&pool, 7));
  cr_assert_null(md_run_pool_take(&pool, 7));
}
